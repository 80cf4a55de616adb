/* Scalar types. u64 is the ABI's __u64 (unsigned long long), so print it with %llu or %llx. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <lib/compiler.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;
typedef unsigned long uptr; /* a kernel virtual address as a number */
#ifdef GATEHOUSE_HOST
#include <sys/types.h> /* ssize_t, loff_t */
#else
typedef long ssize_t;
typedef s64 loff_t;
#endif

/* A physical address. A structure, so that it cannot be mistaken for a virtual one. */
struct paddr {
	u64 v;
};

#define PADDR(x) ((struct paddr){(x)})

#define U8_MAX  0xffU
#define U16_MAX 0xffffU
#define U32_MAX 0xffffffffU
#define U64_MAX 0xffffffffffffffffULL
#define S64_MAX 0x7fffffffffffffffLL
#ifdef GATEHOUSE_HOST
#include <limits.h>
#else
#define INT_MAX 0x7fffffff
#define INT_MIN (-INT_MAX - 1)
#define LONG_MAX 0x7fffffffffffffffL
#define SSIZE_MAX LONG_MAX
#endif

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL
