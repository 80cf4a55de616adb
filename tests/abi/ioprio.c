/* ioprio_set and ioprio_get; /proc/locks. */
#include "test.h"

#include <linux/ioprio.h>
#include <sys/file.h>
#include <sys/resource.h>

#define PRIO(class, data) ((class) << IOPRIO_CLASS_SHIFT | (data))

static long set(int which, int who, int prio)
{
	return syscall(SYS_ioprio_set, which, who, prio);
}

static long get(int which, int who)
{
	return syscall(SYS_ioprio_get, which, who);
}

TEST(ioprio_is_kept_inherited_and_checked)
{
	CHECK_OK(set(IOPRIO_WHO_PROCESS, 0, PRIO(IOPRIO_CLASS_BE, 6)));
	CHECK_EQ(get(IOPRIO_WHO_PROCESS, getpid()), PRIO(IOPRIO_CLASS_BE, 6));
	IN_CHILD CHECK_EQ(get(IOPRIO_WHO_PROCESS, 0), PRIO(IOPRIO_CLASS_BE, 6));
	CHECK_OK(set(IOPRIO_WHO_PROCESS, 0, PRIO(IOPRIO_CLASS_IDLE, 0)));
	CHECK_EQ(get(IOPRIO_WHO_PROCESS, 0), PRIO(IOPRIO_CLASS_IDLE, 0));
	CHECK_OK(set(IOPRIO_WHO_PGRP, 0, PRIO(IOPRIO_CLASS_BE, 2)));
	CHECK_EQ(get(IOPRIO_WHO_PGRP, 0), PRIO(IOPRIO_CLASS_BE, 2));
	CHECK_ERR(set(IOPRIO_WHO_PROCESS, 0, PRIO(IOPRIO_CLASS_NONE, 1)), EINVAL);
	CHECK_ERR(set(IOPRIO_WHO_PROCESS, 0, PRIO(5, 0)), EINVAL);
	CHECK_ERR(set(9, 0, PRIO(IOPRIO_CLASS_BE, 4)), EINVAL);
	CHECK_ERR(get(9, 0), EINVAL);
	CHECK_ERR(get(IOPRIO_WHO_PROCESS, 0x7ffffff), ESRCH);
}

TEST(ioprio_of_others_and_real_time_need_privilege)
{
	pid_t parent = getpid();

	if (geteuid())
		SKIP("needs root");
	IN_CHILD {
		become(1000, 1000);
		CHECK_ERR(set(IOPRIO_WHO_PROCESS, parent, PRIO(IOPRIO_CLASS_BE, 4)), EPERM);
		CHECK_ERR(set(IOPRIO_WHO_PROCESS, 0, PRIO(IOPRIO_CLASS_RT, 4)), EPERM);
	}
}

/* Whether a line has both parts; inode numbers are left out: stacked file systems tell others. */
static bool locks_contain(const char *part, const char *end)
{
	static char buf[65536];
	char *line;

	read_file("/proc/locks", buf, sizeof(buf));
	for (line = strtok(buf, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, part) && strlen(line) > strlen(end) &&
		    !strcmp(line + strlen(line) - strlen(end), end))
			return true;
	return false;
}

TEST(proc_locks_lists_held_locks)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 3, .l_len = 5 };
	char want[128];
	int fd;

	write_file("f", "0123456789");
	fd = CHECK_OK(open("f", O_RDWR));
	CHECK_OK(fcntl(fd, F_SETLK, &l));
	sprintf(want, ": POSIX  ADVISORY  WRITE %d ", getpid());
	CHECK(locks_contain(want, " 3 7"));
	l.l_type = F_UNLCK;
	CHECK_OK(fcntl(fd, F_SETLK, &l));
	CHECK(!locks_contain(want, " 3 7"));
	CHECK_OK(flock(fd, LOCK_SH));
	sprintf(want, ": FLOCK  ADVISORY  READ %d ", getpid());
	CHECK(locks_contain(want, " 0 EOF"));
	close(fd);
	CHECK(!locks_contain(want, " 0 EOF"));
}
