/*
 * Structures that a second thread changes while the kernel reads them: between two states of which
 * one must be refused, word by word. The claim of each: what the kernel has acted on is what it has
 * checked, as far as its effect shows.
 */
#include "attack.h"
#include "seccomp.h"

#include <pthread.h>
#include <sched.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#define WORDS 16

/* What the kernel is given, and the two states between which it goes. */
static volatile u64 *shared;
static u64 states[2][WORDS];
static volatile bool stop;
static pthread_t flipper;
static u64 end;

static void *flip(void *arg)
{
	for (unsigned i = 0; !stop; i++) {
		for (int w = 0; w < WORDS; w++)
			shared[w] = states[i & 1][w];
		for (volatile unsigned spin = i * 7 % 64; spin; spin--)
			;
	}
	return arg;
}

/* Copies the states and lets them alternate for a moment. */
static void race_begin(const void *good, const void *bad, size_t size)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	CHECK(size <= sizeof(states[0]));
	memcpy(states[0], good, size);
	memcpy(states[1], bad, size);
	memcpy((void *)shared, good, size);
	CHECK_EQ(pthread_create(&flipper, NULL, flip, NULL), 0);
	end = now_ns(CLOCK_MONOTONIC) + SCALE(120, 3000) * 1000000ull;
}

static bool racing(void)
{
	return now_ns(CLOCK_MONOTONIC) < end;
}

static void race_end(void)
{
	stop = true;
	CHECK_EQ(pthread_join(flipper, NULL), 0);
}

/* musl hands copies of some structures over: then the call is made directly. */
#define P ((void *)shared)

static void check_failed(long ret, int errno1, int errno2)
{
	if (ret < 0 && errno != errno1 && errno != errno2)
		FAIL("errno %d", errno);
}

TEST(limits_stay_below_their_maximum)
{
	struct rlimit good = { 100, 200 }, bad = { 1000, 150 }, now;

	race_begin(&good, &bad, sizeof(good));
	while (racing()) {
		check_failed(syscall(SYS_setrlimit, RLIMIT_STACK, P), EINVAL, EPERM);
		CHECK_OK(getrlimit(RLIMIT_STACK, &now));
		CHECK(now.rlim_cur <= now.rlim_max);
		CHECK(now.rlim_cur != 1000);
	}
	race_end();
}

TEST(times_of_a_timer_are_in_range)
{
	struct itimerval good = { { 1000, 5 }, { 1000, 5 } }, bad = { { 1000, 7000000 }, { 1000, -4 } }, now;

	race_begin(&good, &bad, sizeof(good));
	while (racing()) {
		check_failed(syscall(SYS_setitimer, ITIMER_REAL, P, NULL), EINVAL, EINVAL);
		CHECK_OK(getitimer(ITIMER_REAL, &now));
		CHECK(now.it_interval.tv_usec >= 0 && now.it_interval.tv_usec < 1000000);
		CHECK(now.it_value.tv_usec >= 0 && now.it_value.tv_usec < 1000000);
	}
	race_end();
}

/* struct open_how: flags, mode, resolve. */
TEST(flags_of_openat2_are_the_ones_that_were_checked)
{
	static const u64 good[3] = { O_RDONLY | O_CLOEXEC, 0, 0 }, bad[3] = { O_RDWR | 1ull << 40, 0, 1ull << 50 };

	race_begin(good, bad, sizeof(good));
	while (racing()) {
		long fd = syscall(437 /* openat2 */, AT_FDCWD, "/dev/null", P, 24);

		check_failed(fd, EINVAL, EINVAL);
		if (fd < 0)
			continue;
		CHECK_EQ(fcntl((int)fd, F_GETFL) & O_ACCMODE, O_RDONLY);
		close((int)fd);
	}
	race_end();
}

/* struct sigaction of the kernel's: handler, flags, restorer, mask. */
TEST(no_handler_blocks_what_cannot_be_blocked)
{
	u64 good[4] = { 0, 0, 0, 0 }, bad[4] = { 1 /* SIG_IGN */, 0, 0, ~0ull }, now[4];
	u64 never = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1);

	race_begin(good, bad, sizeof(good));
	while (racing()) {
		CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, P, NULL, 8));
		CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, now, 8));
		CHECK(!(now[3] & never));
	}
	race_end();
}

/* struct sembuf: number, operation and flags in one word; the index is one that must be checked. */
TEST(numbers_of_semaphores_stay_within_their_set)
{
	struct sembuf good[4] = { { 0, 1, IPC_NOWAIT }, { 1, 1, IPC_NOWAIT } },
		      bad[4] = { { 60000, 1, IPC_NOWAIT }, { 0, -30000, IPC_NOWAIT } };
	int set = CHECK_OK(semget(IPC_PRIVATE, 2, 0600));
	unsigned short values[2];

	race_begin(good, bad, sizeof(good));
	while (racing()) {
		long ret = syscall(SYS_semop, set, P, 2);

		if (ret < 0 && errno != EFBIG && errno != EAGAIN && errno != ERANGE)
			FAIL("semop: errno %d", errno);
		CHECK_OK(semctl(set, 0, GETALL, values));
		CHECK(values[0] <= 32767 && values[1] <= 32767);
		if (values[0] > 30000 || values[1] > 30000)
			CHECK_OK(semctl(set, 0, SETALL, (unsigned short[2]){ 0, 0 }));
	}
	race_end();
	CHECK_OK(semctl(set, 0, IPC_RMID));
}

/* The type of a message must be positive: no message may be found with another one. */
TEST(types_of_messages_are_positive)
{
	struct { long type; char text[8]; } good = { 3, "abcdefg" }, bad = { -5, "ABCDEFG" }, got;
	int queue = CHECK_OK(msgget(IPC_PRIVATE, 0600));

	race_begin(&good, &bad, sizeof(good));
	while (racing()) {
		long ret = syscall(SYS_msgsnd, queue, P, 8, IPC_NOWAIT);

		check_failed(ret, EINVAL, EINVAL);
		if (ret)
			continue;
		CHECK_EQ(msgrcv(queue, &got, 8, 0, IPC_NOWAIT), 8);
		CHECK_EQ(got.type, 3);
	}
	race_end();
	CHECK_OK(msgctl(queue, IPC_RMID, NULL));
}

/* struct msghdr: vector and control data change their lengths and places. */
TEST(messages_are_sent_as_one_of_both)
{
	char byte = 'x', control[CMSG_SPACE(sizeof(int))] = { 0 }, room[256];
	struct iovec one = { &byte, 1 }, into = { room, 1 };
	struct msghdr good = { .msg_iov = &one, .msg_iovlen = 1 }, bad = good;
	struct cmsghdr *c = (void *)control;
	int pair[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &pair[0], sizeof(int));
	good.msg_control = control;
	good.msg_controllen = sizeof(control);
	bad.msg_iovlen = 5000;
	bad.msg_control = (void *)0xffff888000000000;
	bad.msg_controllen = 0x7ffffff0;
	race_begin(&good, &bad, sizeof(good));
	while (racing()) {
		char c2[CMSG_SPACE(64)];
		struct msghdr get = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = c2, .msg_controllen = sizeof(c2) };
		long ret = syscall(SYS_sendmsg, pair[0], P, MSG_DONTWAIT);

		if (ret < 0 && errno != EMSGSIZE && errno != EFAULT && errno != ENOBUFS && errno != EINVAL && errno != ENOMEM)
			FAIL("sendmsg: errno %d", errno);
		if (ret < 0)
			continue;
		CHECK_EQ(ret, 1);
		CHECK_EQ(recvmsg(pair[1], &get, MSG_DONTWAIT), 1);
		if (get.msg_controllen) {
			struct cmsghdr *r = CMSG_FIRSTHDR(&get);
			int fd;

			CHECK(r && r->cmsg_type == SCM_RIGHTS && r->cmsg_len == CMSG_LEN(sizeof(int)));
			memcpy(&fd, CMSG_DATA(r), sizeof(fd));
			CHECK_OK(close(fd));
		}
	}
	race_end();
}

static int open_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

/* Control data themselves: the length in the header and the number of descriptors that it gives. */
TEST(control_data_are_measured_once)
{
	char byte = 'x', good[64] = { 0 }, bad[64] = { 0 };
	struct iovec one = { &byte, 1 };
	struct cmsghdr *g = (void *)good, *b = (void *)bad;
	int pair[2], fds[4], before;

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	before = open_files();
	for (int i = 0; i < 4; i++)
		fds[i] = pair[0];
	*g = (struct cmsghdr){ .cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	*b = (struct cmsghdr){ .cmsg_len = CMSG_LEN(4000), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(g), fds, 16);
	memset(CMSG_DATA(b), 0xff, 16);
	race_begin(good, bad, sizeof(good));
	while (racing()) {
		struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = P, .msg_controllen = CMSG_SPACE(16) };
		char c2[CMSG_SPACE(64)];
		struct msghdr get = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = c2, .msg_controllen = sizeof(c2) };
		long ret = syscall(SYS_sendmsg, pair[0], &m, MSG_DONTWAIT);
		struct cmsghdr *r;

		check_failed(ret, EINVAL, EBADF);
		if (ret < 0)
			continue;
		CHECK_EQ(recvmsg(pair[1], &get, MSG_DONTWAIT), 1);
		r = CMSG_FIRSTHDR(&get);
		for (size_t i = 0; r && i < (r->cmsg_len - CMSG_LEN(0)) / 4; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(r) + i * 4, 4);
			CHECK_OK(close(fd));
		}
	}
	race_end();
	CHECK_EQ(open_files(), before); /* nothing is left open that nobody knows of */
}

/* struct flock: a range that wraps, of a kind that there is not. */
TEST(locks_are_of_the_range_that_was_checked)
{
	struct flock good = { .l_type = F_WRLCK, .l_start = 10, .l_len = 5 },
		     bad = { .l_type = 77, .l_start = -3, .l_len = INT64_MAX };
	int fd = CHECK_OK(open("locked", O_RDWR | O_CREAT, 0600));

	race_begin(&good, &bad, sizeof(good));
	while (racing()) {
		struct flock all = { .l_type = F_WRLCK };

		if (fcntl(fd, F_SETLK, P) < 0 && errno != EINVAL && errno != EOVERFLOW)
			FAIL("F_SETLK: errno %d", errno);
		IN_CHILD {
			CHECK_OK(fcntl(fd, F_GETLK, &all));
			CHECK(all.l_type == F_UNLCK || (all.l_type == F_WRLCK && all.l_start >= 0 && all.l_len >= 0));
		}
	}
	race_end();
}

/* Names of a new program: pointers that change between two, strings that change their lengths. */
static char text[2][64];

HELPER(arguments)
{
	if (argc != 2) /* after --helper NAME */
		return 1;
	for (int i = 0; i < 2; i++)
		if (strlen(argv[i]) > 40 || argv[i][strspn(argv[i], "ab")])
			return 2;
	return 0;
}

TEST(arguments_of_a_program_are_whole)
{
	const char *good[6] = { "double_fetch", "--helper", "arguments", text[0], text[1] },
		   *bad[6] = { "double_fetch", "--helper", "arguments", text[1], (char *)0xffff888000000000 };

	memset(text[0], 'a', 40);
	memset(text[1], 'b', 3);
	for (int i = 0; i < SCALE(12, 300); i++) {
		IN_CHILD {
			race_begin(good, bad, sizeof(good));
			usleep(100);
			execv(test_self, P);
			CHECK_EQ(errno, EFAULT);
			_exit(0);
		}
	}
}

/* struct sock_fprog: the filter that judges is one of both, as a whole. */
TEST(filters_are_loaded_as_one_of_both)
{
	static struct sock_filter one[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	static struct sock_filter two[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
					    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
					    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 5),
					    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog good = { ARRAY_SIZE(one), one }, bad = { ARRAY_SIZE(two), two };

	no_new_privs();
	for (int i = 0; i < SCALE(12, 300); i++)
		IN_CHILD {
			pid_t now = getppid();
			int loaded = 0;

			race_begin(&good, &bad, sizeof(good));
			while (racing() && loaded < 40) {
				long ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, P);

				/* Four instructions from the shorter one, or one that does not return. */
				check_failed(ret, EINVAL, EFAULT);
				loaded += !ret;
				ret = syscall(SYS_getppid);
				CHECK(ret == now || errno == 5);
			}
			race_end();
		}
}
