/* Texts that grow while they are written. One owner, process context. */
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include "internal.h"

#define TEXT_FIRST 1024

static bool text_reserve(struct text *t, size_t more)
{
	size_t capacity = t->capacity ? t->capacity : TEXT_FIRST;
	char *bigger;

	if (t->failed)
		return false;
	if (t->len + more <= t->capacity)
		return true;
	while (capacity < t->len + more)
		capacity *= 2;
	bigger = kvmalloc(capacity, GFP_KERNEL);
	if (!bigger) {
		t->failed = true;
		return false;
	}
	if (t->len)
		memcpy(bigger, t->buf, t->len);
	kvfree(t->buf);
	t->buf = bigger;
	t->capacity = capacity;
	return true;
}

void text_append(struct text *t, const char *s, size_t n)
{
	if (!text_reserve(t, n))
		return;
	memcpy(t->buf + t->len, s, n);
	t->len += n;
}

void text_printf(struct text *t, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	if ((size_t)n < sizeof(line)) {
		text_append(t, line, (size_t)n);
		return;
	}
	if (!text_reserve(t, (size_t)n + 1))
		return;
	va_start(ap, fmt);
	vformat(t->buf + t->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
}

void text_escaped(struct text *t, const char *s, const char *escape)
{
	while (*s) {
		size_t plain = 0;

		while (s[plain] && !strchr(escape, s[plain]))
			plain++;
		text_append(t, s, plain);
		s += plain;
		if (*s)
			text_printf(t, "\\%03o", (unsigned char)*s++);
	}
}

void text_emit(void *ctx, const char *s)
{
	text_append(ctx, s, strlen(s));
}

void text_fini(struct text *t)
{
	kvfree(t->buf);
	*t = (struct text){0};
}
