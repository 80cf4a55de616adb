/*
 * "Took a user id that had too many tasks" and "owns no futex any more" were the same bit: after setuid
 * beyond RLIMIT_NPROC a thread could not be waited for as the owner of a PI futex.
 */
#include "test.h"

#include <linux/futex.h>
#include <sys/resource.h>

enum { USER = 31338 };

static long futex_pi(u32 *word, int op, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, 0, timeout, NULL, 0);
}

TEST(owner_beyond_its_process_limit)
{
	u32 *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec soon;
	int ready[2], status;
	pid_t other[2], owner;
	char c;

	CHECK(word != MAP_FAILED);
	if (getuid() != 0)
		SKIP("needs root");
	CHECK_OK(pipe(ready));
	for (int i = 0; i < 2; i++) {
		other[i] = (pid_t)CHECK_OK(fork());
		if (!other[i]) {
			CHECK_OK(setresuid(USER, USER, USER));
			CHECK_EQ(write(ready[1], "x", 1), 1);
			pause();
		}
		CHECK_EQ(read(ready[0], &c, 1), 1);
	}
	owner = (pid_t)CHECK_OK(fork());
	if (!owner) {
		CHECK_OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){ 1, 1 }));
		CHECK_OK(setresuid(USER, USER, USER));
		CHECK_OK(futex_pi(word, FUTEX_LOCK_PI, NULL));
		CHECK_EQ(write(ready[1], "x", 1), 1);
		pause();
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &soon));
	soon.tv_sec += 1;
	CHECK_ERR(futex_pi(word, FUTEX_LOCK_PI, &soon), ETIMEDOUT); /* it was ESRCH */
	kill(owner, SIGKILL);
	CHECK_EQ(waitpid(owner, &status, 0), owner);
	for (int i = 0; i < 2; i++) {
		kill(other[i], SIGKILL);
		CHECK_EQ(waitpid(other[i], &status, 0), other[i]);
	}
}
