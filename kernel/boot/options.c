/* Words of the kernel command line. boot_info.cmdline is immutable after boot_info is filled. */
#include <boot/boot_info.h>
#include <lib/errno.h>
#include <lib/string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* What follows `name` in its last occurrence: points at '=', a blank or the end; or NULL. */
static const char *find_word(const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;

	for (const char *s = boot_info.cmdline; *s;) {
		while (is_blank(*s))
			s++;
		if (!strncmp(s, name, len) && (!s[len] || s[len] == '=' || is_blank(s[len])))
			found = s + len;
		while (*s && !is_blank(*s))
			s++;
	}
	return found;
}

bool boot_option(const char *name)
{
	return find_word(name) != NULL;
}

ssize_t boot_option_copy(const char *name, char *buf, size_t size)
{
	const char *s = find_word(name);
	size_t len = 0;

	if (!s)
		return -ENOENT;
	s += *s == '=';
	while (s[len] && !is_blank(s[len]))
		len++;
	if (len >= size)
		return -E2BIG;
	memcpy(buf, s, len);
	buf[len] = '\0';
	return (ssize_t)len;
}

bool boot_option_u64(const char *name, u64 *value)
{
	char text[24];

	return boot_option_copy(name, text, sizeof(text)) > 0 && parse_u64(text, 0, value) == 0;
}
