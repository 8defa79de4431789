# flags.mk -- what the compiler may use in each file of this folder.
#
# No other file sees these instructions; cpu_x86.c asks the processor first.

%/kernel_avx2.o: CFLAGS_ISA = -mavx2 -mfma -mf16c
%/kernel_avx512.o: CFLAGS_ISA = -mavx512f -mavx512bw -mavx512dq -mavx512vl
%/int8_avx2.o: CFLAGS_ISA = -mavx2 -mfma -mf16c
%/int8_avx2vnni.o: CFLAGS_ISA = -mavx2 -mfma -mf16c -mavxvnni
%/int8_avx512.o: CFLAGS_ISA = -mavx512f -mavx512bw -mavx512dq -mavx512vl
%/int7_avx2.o: CFLAGS_ISA = -mavx2 -mfma
%/int7_avx512.o: CFLAGS_ISA = -mavx512f -mavx512bw -mavx512dq -mavx512vl
%/int8_avx512vnni.o: CFLAGS_ISA = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
