/*
 * The only code that touches user memory: with SMAP lifted inside, an exception table behind it,
 * and the address clamped against speculation. Used by mm/usercopy and the io_iter; nobody else
 * includes this file (a lint checks it). May sleep (page faults) unless pagefault_disable() is on.
 */
#pragma once

#include <lib/types.h>

/* The number of bytes that could NOT be copied: 0 is success. Rejects non-user ranges whole. */
size_t arch_copy_from_user(void *dst, u64 src, size_t n) __must_check;
size_t arch_copy_to_user(u64 dst, const void *src, size_t n) __must_check;
size_t arch_clear_user(u64 dst, size_t n) __must_check;

/* Single naturally sized access (1, 2, 4, 8 bytes). 0 or -EFAULT. */
int arch_get_user(u64 src, unsigned int size, u64 *value) __must_check;
int arch_put_user(u64 dst, unsigned int size, u64 value) __must_check;

/* Stores n 16-bit values, each `stride` bytes behind the one before, on both sides. 0 or -EFAULT. */
int arch_put_user_u16_strided(u64 dst, const u16 *src, size_t stride, size_t n) __must_check;

/* Copies up to and including the NUL, at most n bytes. The string's length without the NUL, n when
 * no NUL was found within n bytes, or -EFAULT. */
ssize_t arch_copy_str_from_user(char *dst, u64 src, size_t n) __must_check;

/* Atomic on a u32 in user memory; *old gets the former value. 0 or -EFAULT. */
int arch_cmpxchg_user_u32(u64 addr, u32 expect, u32 new, u32 *old) __must_check;
enum user_atomic_op { USER_XCHG, USER_ADD, USER_OR, USER_ANDN, USER_XOR };
int arch_atomic_user_u32(u64 addr, enum user_atomic_op op, u32 arg, u32 *old) __must_check;
