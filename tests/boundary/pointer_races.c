/*
 * Every call of the table, with its pointer in a page that another thread unmaps, protects and empties
 * all the while. The claim: each call comes back with a result or an errno, and the machine goes on.
 * What the calls do to their process is its own affair: one child for each row.
 */
#include "pointer_calls.h"

#include <pthread.h>
#include <sys/time.h>

static char *page;
static volatile bool stop;

/* A page comes back with the bytes that most calls find worth a look: zeroes, then letters. */
static void *flip(void *arg)
{
	for (unsigned i = 0; !stop; i++) {
		switch ((i + (unsigned)(uintptr_t)arg) % 3) {
		case 0:
			munmap(page, 4096);
			mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		case 1:
			mprotect(page, 4096, PROT_READ);
			mprotect(page, 4096, PROT_NONE);
			mprotect(page, 4096, PROT_READ | PROT_WRITE);
			break;
		case 2:
			madvise(page, 4096, MADV_DONTNEED);
			break;
		}
	}
	return NULL;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Calls that block are broken off; a thread or process made by accident ends at once. */
_Noreturn static void race(const struct call *c)
{
	struct itimerval soon = { { 0, 2000 }, { 0, 2000 } };
	struct sigaction act = { .sa_handler = on_alarm };
	pid_t self = (pid_t)syscall(SYS_gettid);
	pthread_t t;

	page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
	CHECK_OK(munmap(page + 2 * 4096, 4096));
	memset(page, 'A', 4096);
	page[4096] = 'A'; /* the second page stays: what straddles begins in the first */
	CHECK_OK(sigaction(SIGALRM, &act, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &soon, NULL));
	CHECK_EQ(pthread_create(&t, NULL, flip, NULL), 0);
	for (int i = 0; i < SCALE(24, 1000); i++) {
		u64 at = (u64)page + (i % 3 == 2 ? 4096 - c->size / 8 * 4 : i % 3 * 64);
		long ret = pointer_call(c, at);

		if (syscall(SYS_gettid) != self)
			_exit(0);
		if (ret < -1 || (ret == -1 && (errno <= 0 || errno > 133)))
			FAIL("%s: %ld, errno %d", c->name, ret, errno);
	}
	stop = true;
	_exit(0);
}

TEST_LIMIT(each_pointer_of_each_call, 600)
{
	VM_ONLY;
	pointer_calls_set_up();
	for (const struct call *c = calls; c < calls + ARRAY_SIZE(calls); c++) {
		pid_t pid = test_fork();
		int status;

		if (pid == 0)
			race(c);
		status = test_reap(pid);
		/*
		 * It may have become another program, without arguments when the page was empty: one that has
		 * no handler for the alarm, and a busybox that was not told which of its programs to be.
		 */
		if (status && status != SIGALRM && !(strstr(c->name, "exec") && status == 127 << 8))
			FAIL("%s: wait status %#x", c->name, status);
	}
	pointer_calls_end();
	CHECK_OK(sethostname("gatehouse", 9));
}
