/* /dev/hwrng: the host's random numbers. Without such a device there is no node, or no data. */
#include "test.h"

#include <sys/time.h>

#define N 600 /* the generators of real machines are slow */

TEST(hwrng_reads_are_whole_and_differ)
{
	static unsigned char a[N], b[N];
	int fd = open("/dev/hwrng", O_RDONLY);

	if (fd < 0 || read(fd, a, 1) < 0)
		SKIP("no hardware generator");
	CHECK_EQ(read(fd, a, N), N);
	CHECK_EQ(read(fd, b, N), N);
	CHECK(memcmp(a, b, N) != 0);
	for (int i = 0; i < N; i += 20) /* no part was left unwritten */
		CHECK(memcmp(a + i, (unsigned char[20]){ 0 }, 20) != 0);
	CHECK_EQ(read(fd, a, 0), 0);
	CHECK_ERR(read(fd, (void *)8, 16), EFAULT);
	CHECK_EQ(lseek(fd, 5, SEEK_SET), 0);
	CHECK_EQ(pread(fd, a, 1, 100), 1);
	CHECK_ERR(open("/dev/hwrng", O_WRONLY), EINVAL);
	CHECK_ERR(open("/dev/hwrng", O_RDWR), EINVAL);
}

TEST(hwrng_reader_can_be_interrupted)
{
	static unsigned char a[1 << 20];
	struct itimerval soon = { .it_value.tv_usec = 1 };
	int fd = open("/dev/hwrng", O_RDONLY);
	ssize_t n;

	if (fd < 0 || read(fd, a, 1) < 0)
		SKIP("no hardware generator");
	signal(SIGALRM, SIG_DFL);
	for (int i = 0; i < 20; i++) {
		pid_t pid = test_fork();

		if (pid == 0) {
			setitimer(ITIMER_REAL, &soon, NULL);
			for (;;)
				n = read(fd, a, sizeof(a));
		}
		CHECK_KILLED(pid, SIGALRM);
	}
	n = read(fd, a, N);
	CHECK_EQ(n, N);
}
