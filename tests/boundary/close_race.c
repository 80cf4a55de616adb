/* Descriptors that another thread closes, replaces and reopens in the middle of system calls. */
#include "attack.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>

static volatile bool stop;
enum { FD = 60 };

static void *replace(void *arg)
{
	int zero = CHECK_OK(open("/dev/zero", O_RDWR)), null = CHECK_OK(open("/dev/null", O_RDWR));
	int dir = CHECK_OK(open("/", O_RDONLY)), p[2];

	for (unsigned i = 0; !stop; i++) {
		switch (i % 6) {
		case 0:
			dup2(zero, FD);
			break;
		case 1:
			close(FD);
			break;
		case 2:
			dup2(dir, FD);
			break;
		case 3:
			if (pipe2(p, O_NONBLOCK) == 0) {
				dup2(p[0], FD);
				close(p[0]);
				close(p[1]);
			}
			break;
		case 4:
			dup3(null, FD, O_CLOEXEC);
			break;
		case 5:
			syscall(SYS_close_range, FD, FD, 0);
			break;
		}
	}
	return arg;
}

static void *use(void *arg)
{
	char buf[256] __attribute__((aligned(8)));
	struct pollfd p = { FD, POLLIN, 0 };
	struct stat st;

	while (!stop) {
		read(FD, buf, sizeof(buf));
		write(FD, buf, sizeof(buf));
		poll(&p, 1, 0);
		fstat(FD, &st);
		syscall(SYS_getdents64, FD, buf, sizeof(buf));
		lseek(FD, 0, SEEK_SET);
		fcntl(FD, F_SETFL, O_NONBLOCK);
		close(openat(FD, "tmp", O_RDONLY | O_NONBLOCK));
		close(dup(FD));
		void *m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, FD, 0);
		if (m != MAP_FAILED)
			munmap(m, 4096);
	}
	return arg;
}

TEST(closed_in_mid_call)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, i ? use : replace, NULL), 0);
	sleep_ms(SCALE(500, 5000));
	stop = true;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
}

static void *blocked_read(void *arg)
{
	char c;
	long n = read((int)(long)arg, &c, 1);

	return (void *)n;
}

/* A reader that is blocked keeps its file: closing the descriptor neither wakes nor hurts it. */
TEST(close_under_a_blocked_reader)
{
	int p[2];
	pthread_t t;
	void *result;

	CHECK_OK(pipe(p));
	CHECK_EQ(pthread_create(&t, NULL, blocked_read, (void *)(long)p[0]), 0);
	sleep_ms(20);
	CHECK_OK(close(p[0]));
	CHECK_ERR(fcntl(p[0], F_GETFD), EBADF);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(pthread_join(t, &result), 0);
	CHECK_EQ((long)result, 1);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
}

/* Threads of one process exit, exec and fork while others hammer the tables. */
TEST(tables_die_under_use)
{
	for (int i = 0; i < SCALE(10, 200); i++) {
		pid_t pid = test_fork();
		pthread_t t;

		if (pid == 0) {
			for (int k = 0; k < 3; k++)
				pthread_create(&t, NULL, k ? use : replace, NULL);
			sleep_ms(i % 5);
			if (i % 2)
				syscall(SYS_exit_group, 0);
			execl("/proc/self/exe", test_self, "--helper", "nothing", NULL);
			_exit(1);
		}
		CHECK_EXITS(pid, 0);
	}
}

HELPER(nothing)
{
	return 0;
}
