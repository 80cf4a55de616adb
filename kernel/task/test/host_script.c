/* The #! line as untrusted bytes. links: task/exec_script.c */
#include "host.h"
#include "../exec_script.h"
#include <stdlib.h>
#include <string.h>

#define HEAD 256

static int parse(const char *text, size_t len, char **interp, char **arg)
{
	static char line[HEAD + 1];

	memset(line, 0, sizeof(line));
	memcpy(line, text, len);
	return script_parse(line, HEAD, interp, arg);
}

static void words_are_cut(void **state)
{
	static const struct {
		const char *line, *interp, *arg;
	} t[] = {
		{"#!/bin/sh\n", "/bin/sh", NULL},
		{"#! \t /bin/sh  \t\n", "/bin/sh", NULL},
		{"#!/bin/sh -e\n", "/bin/sh", "-e"},
		{"#!/bin/sh  a b\tc  \n", "/bin/sh", "a b\tc"},
		{"#!/bin/sh", "/bin/sh", NULL},
		{"#!/bin/sh x\nrest of the file", "/bin/sh", "x"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char *interp, *arg;

		assert_int_equal(parse(t[i].line, strlen(t[i].line), &interp, &arg), 0);
		assert_string_equal(interp, t[i].interp);
		assert_true(!arg == !t[i].arg);
		if (arg)
			assert_string_equal(arg, t[i].arg);
	}
}

static void nothing_and_truncated_names_are_refused(void **state)
{
	char long_name[HEAD], *interp, *arg;

	assert_int_equal(parse("#!\n", 3, &interp, &arg), -ENOEXEC);
	assert_int_equal(parse("#!  \t\n/bin/sh", 13, &interp, &arg), -ENOEXEC);
	assert_int_equal(parse("#!", 2, &interp, &arg), -ENOEXEC);
	memset(long_name, 'x', sizeof(long_name));
	memcpy(long_name, "#!/", 3);
	assert_int_equal(parse(long_name, sizeof(long_name), &interp, &arg), -ENOEXEC);
	long_name[100] = ' '; /* only the argument is cut off */
	assert_int_equal(parse(long_name, sizeof(long_name), &interp, &arg), 0);
	assert_int_equal(strlen(interp), 98);
}

/* The results always lie in the line and are terminated there. */
static void random_lines_stay_in_bounds(void **state)
{
	static const char alphabet[] = " \t\n#!/ab\0x";

	srandom(2);
	for (int round = 0; round < 300000; round++) {
		char line[HEAD + 1] = {0}, *interp, *arg;
		int len = 2 + (int)(random() % (HEAD - 1));

		for (int i = 0; i < len; i++)
			line[i] = alphabet[random() % (long)(sizeof(alphabet) - 1)];
		memcpy(line, "#!", 2);
		if (script_parse(line, HEAD, &interp, &arg))
			continue;
		assert_true(interp > line && interp < line + HEAD && *interp);
		assert_true(interp + strlen(interp) <= line + HEAD);
		assert_null(strchr(interp, '\n'));
		if (arg)
			assert_true(arg > interp && arg + strlen(arg) <= line + HEAD && *arg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_cut),
		cmocka_unit_test(nothing_and_truncated_names_are_refused),
		cmocka_unit_test(random_lines_stay_in_bounds),
	};

	return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
