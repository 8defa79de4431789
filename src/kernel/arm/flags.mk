# flags.mk -- what the compiler may use in each file of this folder.
#
# No other file sees these instructions; cpu_arm.c asks the system first.  gcc's
# scheduling before the allocation of registers moves loads up until the sums of
# a tile are spilled; clang knows no such flag.

keep_order = $(if $(findstring clang,$(shell $(CC) --version)),,-fno-schedule-insns)

%/kernel_neon.o: CFLAGS_ISA = $(keep_order)
%/int8_neon.o: CFLAGS_ISA = $(keep_order)
%/int8_neondot.o: CFLAGS_ISA = -march=armv8.2-a+dotprod $(keep_order)
%/int8_neoni8mm.o: CFLAGS_ISA = -march=armv8.2-a+dotprod+i8mm $(keep_order)
