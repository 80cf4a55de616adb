/*
 * Executables that begin with #!: the line names an interpreter, with at most one argument, and the
 * interpreter is run on the file. It may be a script itself, a few levels deep.
 */
#include <lib/string.h>
#include "exec_script.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *s)
{
	while (is_blank(*s))
		s++;
	return s;
}

static char *word_end(char *s)
{
	while (*s && !is_blank(*s))
		s++;
	return s;
}

int script_parse(char *head, size_t len, char **interp, char **arg)
{
	char *line = head + 2, *end = memchr(head, '\n', len), *tail;

	/* Without a newline the name itself must be complete: something follows, or the file ends. */
	if (!end) {
		end = head + strnlen(head, len);
		tail = word_end(skip_blanks(line));
		if (end == head + len && tail >= end)
			return -ENOEXEC;
	}
	while (end > line && is_blank(end[-1]))
		end--;
	if (end == head + len)
		end--; /* a cut-off argument: the last byte makes room for the terminator */
	*end = 0;
	*interp = skip_blanks(line);
	if (!**interp)
		return -ENOEXEC;
	tail = word_end(*interp);
	*arg = skip_blanks(tail);
	if (!**arg)
		*arg = NULL;
	*tail = 0;
	return 0;
}
