/*
 * A thread goes up from the root of a mount over and over while another one, on another CPU, detaches the mount.
 * Broke once: the walk read which mount is above, then what the mount covers, and found nothing there.
 */
#include <pthread.h>
#include <sys/mount.h>
#include "exhaust.h"

#define ROOT_FD 100

static volatile bool stop;

static void *walker(void *unused)
{
	struct stat st;

	while (!stop)
		if (fstatat(ROOT_FD, "..", &st, 0))
			CHECK_EQ(errno, EBADF); /* before there is one */
	return unused;
}

TEST(dotdot_while_the_mount_goes)
{
	u64 end = now_ns(CLOCK_MONOTONIC) + 4000000000ull;
	pthread_t t;
	int fd;

	VM_ONLY;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("one CPU");
	CHECK_OK(mkdir("d", 0755));
	CHECK_EQ(pthread_create(&t, NULL, walker, NULL), 0);
	while (now_ns(CLOCK_MONOTONIC) < end) {
		CHECK_OK(mount("d", "d", NULL, MS_BIND, NULL));
		fd = CHECK_OK(open("d", O_PATH | O_DIRECTORY));
		CHECK_OK(dup2(fd, ROOT_FD));
		close(fd);
		for (int i = 0; i < 20; i++)
			sched_yield();
		CHECK_OK(umount2("d", MNT_DETACH));
	}
	stop = true;
	CHECK_EQ(pthread_join(t, NULL), 0);
}
