/*
 * A test program is one file of claims: TEST(name) { … }. Each claim runs in a child of its own,
 * in its own process group and its own empty directory, under a time limit, so a crash or a hang
 * is one failed claim. Output, one line each:
 *
 *	ok NAME
 *	skip NAME: REASON
 *	not ok NAME: FILE:LINE: WHAT
 *
 * A check may fail in any descendant: the message travels through a pipe. The program's arguments
 * select claims by name. HELPER(name) is a claim's second program: exec test_self with "--helper
 * NAME [ARG…]". With TEST_FULL in the environment, SCALE() yields the heavy parameter.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

struct test_case {
	const char *name;
	void (*run)(void);
	int seconds;
	struct test_case *next;
};

struct test_helper {
	const char *name;
	int (*run)(int argc, char **argv);
	struct test_helper *next;
};

void test_register(struct test_case *c);
void test_register_helper(struct test_helper *h);

/* Absolute path of this program, to exec its helpers. */
extern char test_self[4096];

#define TEST(name) TEST_LIMIT(name, 20)
#define TEST_LIMIT(id, limit)                                                                      \
	static void test_##id(void);                                                               \
	__attribute__((constructor)) static void register_##id(void)                               \
	{                                                                                          \
		static struct test_case c = { #id, test_##id, limit, NULL };                       \
		test_register(&c);                                                                 \
	}                                                                                          \
	static void test_##id(void)

#define HELPER(id)                                                                                 \
	static int helper_##id(int argc, char **argv);                                             \
	__attribute__((constructor)) static void register_helper_##id(void)                        \
	{                                                                                          \
		static struct test_helper h = { #id, helper_##id, NULL };                          \
		test_register_helper(&h);                                                          \
	}                                                                                          \
	static int helper_##id(int argc __attribute__((unused)), char **argv __attribute__((unused)))

/* Report the failure of the running claim and end this process. */
_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* End the running claim as skipped; call from its first process only. */
_Noreturn void test_skip(const char *reason);

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(reason) test_skip(reason)

/* For claims about what 9p or QEMU's server does not have: the test directory is a share. */
#define SKIP_ON_SHARE(what)                                                                        \
	do {                                                                                       \
		if (getenv("TEST_SHARE"))                                                          \
			SKIP("a 9p share has no " what);                                           \
	} while (0)

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			FAIL("%s (errno %d)", #cond, errno);                                       \
	} while (0)

#define CHECK_EQ(got, want)                                                                        \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_)                                                                 \
			FAIL("%s is %lld (%#llx), not %lld (%#llx)", #got, got_, got_, want_,      \
			     want_);                                                               \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (strcmp(got_, want_))                                                           \
			FAIL("%s is \"%s\", not \"%s\"", #got, got_, want_);                       \
	} while (0)

/* The call succeeds; its value. */
#define CHECK_OK(call)                                                                             \
	({                                                                                         \
		long ok_ = (long)(call);                                                           \
		if (ok_ == -1)                                                                     \
			FAIL("%s: errno %d (%s)", #call, errno, strerror(errno));                  \
		ok_;                                                                               \
	})

/* The call fails with exactly this errno. */
#define CHECK_ERR(call, want)                                                                      \
	do {                                                                                       \
		errno = 0;                                                                         \
		long err_ = (long)(call);                                                          \
		int errno_ = errno;                                                                \
		if (err_ != -1)                                                                    \
			FAIL("%s is %ld, not %s", #call, err_, #want);                             \
		if (errno_ != (want))                                                              \
			FAIL("%s: errno %d (%s), not %s", #call, errno_, strerror(errno_), #want); \
	} while (0)

/* The block runs in a child, which must then exit with 0. */
#define IN_CHILD                                                                                   \
	for (pid_t child_ = test_fork(), once_ = 1; once_; once_ = 0, test_join(child_))           \
		if (child_ == 0)

pid_t test_fork(void);
/* In the child (pid 0): exit with 0. In the parent: wait and require status 0. */
void test_join(pid_t pid);

/* Reap pid and give its wait status. */
int test_reap(pid_t pid);
#define CHECK_EXITS(pid, code) CHECK_EQ(test_reap(pid), (code) << 8)
#define CHECK_KILLED(pid, sig) CHECK_EQ(test_reap(pid) & 0x7f, sig)

bool test_full(void);
#define SCALE(lean, full) (test_full() ? (full) : (lean))

u64 now_ns(clockid_t clock);
void sleep_ms(int ms);

/* Wait until the task pid is in one of the /proc states named, for example "S" or "TZ". */
void wait_state(pid_t pid, const char *states);

/* Whole small files; failures end the claim. read_file returns the length and adds a NUL. */
void write_file(const char *path, const char *text);
size_t read_file(const char *path, char *buf, size_t size);
/* The number behind "FIELD:" in a file like /proc/meminfo; -1: there is no such line. */
long proc_number(const char *path, const char *field);

/* Give up root for good: uid, gid and no supplementary groups. */
void become(uid_t uid, gid_t gid);

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
