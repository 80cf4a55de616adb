/*
 * The strings of execve: copied from the caller's memory exactly once, into one growing buffer, and
 * counted against Linux's limit (a quarter of the stack limit, between 128 KiB and 6 MiB, pointers
 * included).
 */
#include <lib/string.h>
#include <mm/slab.h>
#include "exec.h"

#define ARG_LIMIT_MIN  (128UL << 10)
#define ARG_LIMIT_MAX  (6UL << 20)
#define ARG_STRING_MAX (32 * PAGE_SIZE) /* one string, with its NUL */
#define ARG_BUF_FIRST  PAGE_SIZE

static void exec_args_init(struct exec_args *a)
{
	size_t quarter = rlimit(RLIMIT_STACK) / 4;

	memset(a, 0, sizeof(*a));
	a->limit = MAX(MIN(quarter, ARG_LIMIT_MAX), ARG_LIMIT_MIN);
}

void exec_args_free(struct exec_args *a)
{
	kvfree(a->buf);
	for (u32 i = EXEC_PREFIX_MAX - a->nr_prefix; i < EXEC_PREFIX_MAX; i++)
		kfree(a->prefix[i]);
}

static int args_check_limit(const struct exec_args *a)
{
	size_t pointers = ((size_t)a->argc + a->envc) * sizeof(u64);

	return a->len + pointers > a->limit ? -E2BIG : 0;
}

static int args_grow(struct exec_args *a)
{
	size_t cap = a->cap ? 2 * a->cap : ARG_BUF_FIRST;
	char *buf = kvmalloc(cap, GFP_KERNEL);

	if (!buf)
		return -ENOMEM;
	if (a->len)
		memcpy(buf, a->buf, a->len);
	kvfree(a->buf);
	a->buf = buf;
	a->cap = cap;
	return 0;
}

/* Appends one string; a buffer that turns out too small grows and the string is fetched again. */
static int args_add_user(struct exec_args *a, struct user_str s)
{
	for (;;) {
		size_t room = a->cap - a->len;
		ssize_t len = -ENAMETOOLONG;
		int err;

		if (room)
			len = user_read_str(a->buf + a->len, s, MIN(room, (size_t)ARG_STRING_MAX));
		if (len >= 0) {
			a->len += (size_t)len + 1;
			return 0;
		}
		if (len != -ENAMETOOLONG)
			return (int)len;
		if (room >= ARG_STRING_MAX || a->cap > a->limit + ARG_STRING_MAX)
			return -E2BIG;
		err = args_grow(a);
		if (err)
			return err;
	}
}

static int args_add_kernel(struct exec_args *a, const char *s)
{
	size_t size = strlen(s) + 1;

	while (a->cap - a->len < size) {
		int err = args_grow(a);

		if (err)
			return err;
	}
	memcpy(a->buf + a->len, s, size);
	a->len += size;
	return 0;
}

/* One vector of strings up to its NULL. */
static int args_add_vector(struct exec_args *a, struct user_strv v, u32 *count)
{
	if (user_is_null(v))
		return 0;
	for (u32 i = 0;; i++) {
		struct user_str s;
		int err = user_read(&s, user_at(v, i));

		if (err || user_is_null(s))
			return err;
		++*count;
		err = args_add_user(a, s);
		if (!err)
			err = args_check_limit(a);
		if (!err && fatal_signal_pending(current))
			err = -ERESTARTNOHAND;
		if (err)
			return err;
	}
}

/* A program always has an argv[0]. */
static int args_ensure_first(struct exec_args *a)
{
	if (a->argc)
		return 0;
	a->argc = 1;
	return args_add_kernel(a, "");
}

int exec_args_from_user(struct exec_args *a, struct user_strv argv, struct user_strv envp)
{
	int err;

	exec_args_init(a);
	err = args_add_vector(a, argv, &a->argc);
	if (!err)
		err = args_ensure_first(a);
	a->env_start = a->len;
	if (!err)
		err = args_add_vector(a, envp, &a->envc);
	if (!err && !a->cap)
		err = args_grow(a);
	return err;
}

int exec_args_from_kernel(struct exec_args *a, const char *const argv[], const char *const envp[])
{
	int err = 0;

	exec_args_init(a);
	for (; !err && *argv; argv++, a->argc++)
		err = args_add_kernel(a, *argv);
	if (!err)
		err = args_ensure_first(a);
	a->env_start = a->len;
	for (; !err && *envp; envp++, a->envc++)
		err = args_add_kernel(a, *envp);
	return err;
}

/* Puts a copy of s in front of everything. */
static int args_push_front(struct exec_args *a, const char *s)
{
	char *copy;

	if (a->nr_prefix == EXEC_PREFIX_MAX)
		return -ELOOP;
	copy = kstrdup(s, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	a->prefix[EXEC_PREFIX_MAX - ++a->nr_prefix] = copy;
	a->argc++;
	return 0;
}

/* argv[0] goes: a prefix of an outer script, or the caller's. */
static void args_drop_first(struct exec_args *a)
{
	a->argc--;
	if (a->nr_prefix)
		kfree(a->prefix[EXEC_PREFIX_MAX - a->nr_prefix--]);
	else
		a->skip = strlen(a->buf) + 1;
}

int exec_args_interpreter(struct exec_args *a, const char *interp, const char *arg,
			  const char *script)
{
	int err;

	args_drop_first(a);
	err = args_push_front(a, script);
	if (!err && arg)
		err = args_push_front(a, arg);
	if (!err)
		err = args_push_front(a, interp);
	return err;
}
