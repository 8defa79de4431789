/*
 * unroll.h -- how to ask each compiler to unroll a loop.
 */
#ifndef DBERT_KERNEL_UNROLL_H
#define DBERT_KERNEL_UNROLL_H

/*
 * A loop of a tile becomes straight code, or acc would not live in registers.
 */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_BY_4 _Pragma("clang loop unroll_count(4)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL_BY_4 _Pragma("GCC unroll 4")
#endif

#endif
