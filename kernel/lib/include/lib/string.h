/* Memory and string routines. On the host the C library provides the standard ones. */
#pragma once

#include <lib/types.h>

#ifdef GATEHOUSE_HOST
#include <string.h>
#else
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *haystack, const char *needle);

/* The compiler expands small constant sizes in place. */
#define memcpy(d, s, n)  __builtin_memcpy(d, s, n)
#define memmove(d, s, n) __builtin_memmove(d, s, n)
#define memset(d, c, n)  __builtin_memset(d, c, n)
#define memcmp(a, b, n)  __builtin_memcmp(a, b, n)
#define strlen(s)        __builtin_strlen(s)
#endif

/* Copies at most size-1 bytes and terminates; the length copied, or -E2BIG when cut off. */
ssize_t str_copy(char *dst, const char *src, size_t size);

/*
 * Parses an unsigned number; base 0 accepts 0x and 0 prefixes. Suffixes are not accepted: the
 * whole of s must be digits. 0, or -EINVAL, or -ERANGE.
 */
int parse_u64(const char *s, unsigned int base, u64 *out) __must_check;
