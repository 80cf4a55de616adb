/*
 * Formatted text into a buffer. Any context, no locks, no allocation. Floating point, %n and
 * positional arguments are left out on purpose.
 */
#include <lib/format.h>
#include <lib/string.h>

struct out {
	char *buf;
	size_t size;
	size_t len; /* of the whole text, even beyond size */
};

struct spec {
	bool left, zero, plus, space, alt, upper, is_signed;
	int width, precision; /* -1: none given */
	unsigned int base;
	char length; /* 'H' for hh, 'L' for ll */
};

static void put(struct out *o, char c)
{
	if (o->len < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_many(struct out *o, char c, int n)
{
	for (; n > 0; n--)
		put(o, c);
}

static void put_text(struct out *o, const char *text, size_t len, const struct spec *s)
{
	int fill = s->width - (int)len;

	if (!s->left)
		put_many(o, ' ', fill);
	for (size_t i = 0; i < len; i++)
		put(o, text[i]);
	if (s->left)
		put_many(o, ' ', fill);
}

static void put_number(struct out *o, u64 value, bool negative, const struct spec *s)
{
	const char *digits = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char buf[22], prefix[3];
	int n = 0, nr_prefix = 0, zeroes, fill;
	bool nonzero = value != 0;

	for (; value; value /= s->base)
		buf[n++] = digits[value % s->base];
	if (negative || s->plus || s->space)
		prefix[nr_prefix++] = negative ? '-' : s->plus ? '+' : ' ';
	if (s->alt && s->base == 16 && nonzero) {
		prefix[nr_prefix++] = '0';
		prefix[nr_prefix++] = s->upper ? 'X' : 'x';
	}
	zeroes = MAX(s->precision < 0 ? 1 : s->precision, 0) - n;
	if (s->alt && s->base == 8 && zeroes <= 0)
		zeroes = 1;
	zeroes = MAX(zeroes, 0);
	fill = s->width - nr_prefix - zeroes - n;
	if (s->zero && !s->left && s->precision < 0 && fill > 0) {
		zeroes += fill;
		fill = 0;
	}
	if (!s->left)
		put_many(o, ' ', fill);
	for (int i = 0; i < nr_prefix; i++)
		put(o, prefix[i]);
	put_many(o, '0', zeroes);
	while (n)
		put(o, buf[--n]);
	if (s->left)
		put_many(o, ' ', fill);
}

static const char *parse_flags(const char *f, struct spec *s)
{
	for (;; f++) {
		switch (*f) {
		case '-': s->left = true; break;
		case '0': s->zero = true; break;
		case '+': s->plus = true; break;
		case ' ': s->space = true; break;
		case '#': s->alt = true; break;
		default: return f;
		}
	}
}

static const char *parse_int(const char *f, int *value)
{
	*value = 0;
	while (*f >= '0' && *f <= '9')
		*value = *value * 10 + (*f++ - '0');
	return f;
}

static const char *parse_length(const char *f, struct spec *s)
{
	s->length = 0;
	if (*f == 'h' || *f == 'l' || *f == 'z' || *f == 't') {
		s->length = *f++;
		if (*f == s->length && (*f == 'h' || *f == 'l'))
			s->length = *f++ == 'h' ? 'H' : 'L';
	}
	return f;
}

/* va_list travels in a structure: as an array type it could not be passed by reference. */
struct args {
	va_list ap;
};

static u64 next_number(struct args *a, const struct spec *s)
{
	switch (s->length) {
	case 'l':
	case 'z':
	case 't':
		return va_arg(a->ap, unsigned long);
	case 'L':
		return va_arg(a->ap, unsigned long long);
	}

	unsigned int v = va_arg(a->ap, unsigned int);

	if (s->length == 'H')
		return s->is_signed ? (u64)(s8)v : (u8)v;
	if (s->length == 'h')
		return s->is_signed ? (u64)(s16)v : (u16)v;
	return s->is_signed ? (u64)(int)v : v;
}

static void put_string(struct out *o, const char *text, const struct spec *s)
{
	if (!text)
		text = "(null)";
	put_text(o, text, strnlen(text, s->precision < 0 ? SSIZE_MAX : (size_t)s->precision), s);
}

static void convert(struct out *o, char c, struct spec *s, struct args *a)
{
	u64 value;

	s->base = 10;
	s->upper = c == 'X';
	s->is_signed = c == 'd' || c == 'i';
	switch (c) {
	case 'd':
	case 'i':
		value = next_number(a, s);
		put_number(o, (s64)value < 0 ? -value : value, (s64)value < 0, s);
		return;
	case 'x':
	case 'X':
		s->base = 16;
		break;
	case 'o':
		s->base = 8;
		break;
	case 'u':
		break;
	case 'p':
		s->base = 16;
		s->alt = true;
		s->length = 'l';
		break;
	case 'c':
		put_text(o, &(char){(char)va_arg(a->ap, int)}, 1, s);
		return;
	case 's':
		put_string(o, va_arg(a->ap, const char *), s);
		return;
	default:
		put(o, c);
		return;
	}
	s->plus = s->space = false;
	put_number(o, next_number(a, s), false, s);
}

int vformat(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = {.buf = buf, .size = size};
	struct args a;

	va_copy(a.ap, ap);
	while (*fmt) {
		struct spec s = {.width = 0, .precision = -1};

		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		fmt = parse_flags(fmt + 1, &s);
		if (*fmt == '*') {
			s.width = va_arg(a.ap, int);
			if (s.width < 0) {
				s.left = true;
				s.width = -s.width;
			}
			fmt++;
		} else {
			fmt = parse_int(fmt, &s.width);
		}
		if (*fmt == '.') {
			if (fmt[1] == '*') {
				s.precision = va_arg(a.ap, int);
				fmt += 2;
			} else {
				fmt = parse_int(fmt + 1, &s.precision);
			}
		}
		fmt = parse_length(fmt, &s);
		if (!*fmt)
			break;
		convert(&o, *fmt++, &s, &a);
	}
	va_end(a.ap);
	if (size)
		buf[MIN(o.len, size - 1)] = '\0';
	return (int)o.len;
}

int format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vformat(buf, size, fmt, ap);
	va_end(ap);
	return len;
}
