/*
 * Strings: the C library's functions that the kernel uses, and bounded copying and number parsing.
 * Any context, no locks. On the host only what C lacks is built.
 */
#include <lib/errno.h>
#include <lib/string.h>

#ifndef GATEHOUSE_HOST
#undef strlen
#ifndef __clang__
/* A strlen loop must stay a loop. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

void *memchr(const void *s, int c, size_t n)
{
	for (const u8 *p = s; n; n--, p++)
		if (*p == (u8)c)
			return (void *)p;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return end - s;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	do {
		if (*s == (char)c)
			found = s;
	} while (*s++);
	return (char *)found;
}

char *strstr(const char *haystack, const char *needle)
{
	size_t n = strlen(needle);

	for (; strncmp(haystack, needle, n); haystack++)
		if (!*haystack)
			return NULL;
	return (char *)haystack;
}
#endif

ssize_t str_copy(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(src, size);

	if (!size)
		return -E2BIG;
	if (n == size) {
		memcpy(dst, src, size - 1);
		dst[size - 1] = '\0';
		return -E2BIG;
	}
	memcpy(dst, src, n + 1);
	return (ssize_t)n;
}

static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return ~0U;
}

static const char *skip_prefix(const char *s, unsigned int *base)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16;

	if (hex && (*base == 0 || *base == 16)) {
		*base = 16;
		return s + 2;
	}
	if (*base == 0)
		*base = s[0] == '0' ? 8 : 10;
	return s;
}

int parse_u64(const char *s, unsigned int base, u64 *out)
{
	bool overflow = false;
	u64 value = 0;

	s = skip_prefix(s, &base);
	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned int digit = digit_value(*s);

		if (digit >= base)
			return -EINVAL;
		overflow |= __builtin_mul_overflow(value, (u64)base, &value);
		overflow |= __builtin_add_overflow(value, (u64)digit, &value);
	}
	if (overflow)
		return -ERANGE;
	*out = value;
	return 0;
}
