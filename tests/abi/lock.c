/* Record locks, flock, open-file-description locks, leases' error. */
#include "test.h"

#include <sys/file.h>

static int fd;

static void setup(void)
{
	write_file("f", "0123456789");
	fd = CHECK_OK(open("f", O_RDWR));
}

static int lock(int how, int cmd, short type, off_t start, off_t len)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return fcntl(how, cmd, &l);
}

#define SET(type, start, len) lock(fd, F_SETLK, type, start, len)

/* What blocks a write lock of the range, asked from a child; F_UNLCK if nothing does. */
static struct flock probe(off_t start, off_t len)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
	struct flock *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*shared = l;
	IN_CHILD CHECK_OK(fcntl(fd, F_GETLK, shared));
	l = *shared;
	munmap(shared, 4096);
	return l;
}

TEST(write_lock_excludes_read_lock_shares)
{
	setup();
	CHECK_OK(SET(F_WRLCK, 0, 5));
	IN_CHILD {
		CHECK_ERR(SET(F_RDLCK, 4, 1), EAGAIN);
		CHECK_ERR(SET(F_WRLCK, 0, 0), EAGAIN);
		CHECK_OK(SET(F_WRLCK, 5, 1));
	}
	CHECK_OK(SET(F_RDLCK, 0, 5));
	IN_CHILD {
		CHECK_OK(SET(F_RDLCK, 0, 5));
		CHECK_ERR(SET(F_WRLCK, 0, 1), EAGAIN);
	}
}

TEST(getlk_describes_the_blocker)
{
	struct flock l;

	setup();
	CHECK_OK(SET(F_RDLCK, 3, 4));
	l = probe(0, 0);
	CHECK_EQ(l.l_type, F_RDLCK);
	CHECK_EQ(l.l_start, 3);
	CHECK_EQ(l.l_len, 4);
	CHECK_EQ(l.l_pid, getpid());
	CHECK_EQ(l.l_whence, SEEK_SET);
	CHECK_EQ(probe(7, 0).l_type, F_UNLCK);
}

TEST(unlocking_the_middle_splits)
{
	setup();
	CHECK_OK(SET(F_WRLCK, 0, 10));
	CHECK_OK(SET(F_UNLCK, 4, 2));
	CHECK_EQ(probe(0, 10).l_len, 4);
	CHECK_EQ(probe(4, 2).l_type, F_UNLCK);
	CHECK_EQ(probe(5, 10).l_start, 6);
	CHECK_OK(SET(F_WRLCK, 4, 2)); /* merges again */
	CHECK_EQ(probe(0, 1).l_len, 10);
	CHECK_OK(SET(F_RDLCK, 2, 3)); /* converts a part */
	CHECK_EQ(probe(2, 1).l_type, F_RDLCK);
	CHECK_EQ(probe(0, 1).l_len, 2);
}

TEST(closing_any_descriptor_drops_the_process_locks)
{
	int other;

	setup();
	CHECK_OK(SET(F_WRLCK, 0, 0));
	other = CHECK_OK(open("f", O_RDONLY));
	close(other);
	CHECK_EQ(probe(0, 0).l_type, F_UNLCK);
}

TEST(locks_are_not_inherited_and_die_with_the_owner)
{
	int pipefd[2];
	char c;
	pid_t pid;

	setup();
	CHECK_OK(SET(F_WRLCK, 0, 1));
	CHECK_OK(pipe(pipefd));
	pid = test_fork();
	if (pid == 0) {
		CHECK_ERR(SET(F_WRLCK, 0, 1), EAGAIN);
		CHECK_OK(SET(F_WRLCK, 5, 1));
		CHECK_EQ(write(pipefd[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(pipefd[0], &c, 1), 1);
	CHECK_ERR(SET(F_WRLCK, 5, 1), EAGAIN);
	kill(pid, SIGKILL);
	test_reap(pid);
	CHECK_OK(SET(F_WRLCK, 5, 1));
}

TEST(setlkw_waits_and_is_interruptible)
{
	pid_t pid;

	setup();
	CHECK_OK(SET(F_WRLCK, 0, 0));
	pid = test_fork();
	if (pid == 0)
		_exit(lock(fd, F_SETLKW, F_WRLCK, 0, 0) ? 1 : 0);
	wait_state(pid, "S");
	CHECK_OK(SET(F_UNLCK, 0, 0));
	CHECK_EXITS(pid, 0);
	CHECK_OK(SET(F_WRLCK, 0, 0));
	pid = test_fork();
	if (pid == 0)
		_exit(lock(fd, F_SETLKW, F_WRLCK, 0, 0) ? 1 : 0);
	wait_state(pid, "S");
	kill(pid, SIGTERM);
	CHECK_KILLED(pid, SIGTERM);
}

TEST(deadlock_is_found)
{
	pid_t pid;

	setup();
	CHECK_OK(SET(F_WRLCK, 0, 1));
	pid = test_fork();
	if (pid == 0) {
		CHECK_OK(SET(F_WRLCK, 1, 1));
		_exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1) ? 1 : 0);
	}
	wait_state(pid, "S");
	CHECK_ERR(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	CHECK_OK(SET(F_UNLCK, 0, 1));
	CHECK_EXITS(pid, 0);
}

TEST(record_lock_refusals)
{
	int ro, wo;

	setup();
	ro = CHECK_OK(open("f", O_RDONLY));
	wo = CHECK_OK(open("f", O_WRONLY));
	CHECK_ERR(lock(ro, F_SETLK, F_WRLCK, 0, 1), EBADF);
	CHECK_ERR(lock(wo, F_SETLK, F_RDLCK, 0, 1), EBADF);
	CHECK_ERR(SET(9, 0, 1), EINVAL);
	CHECK_ERR(SET(F_RDLCK, -1, 1), EINVAL);
	CHECK_ERR(SET(F_RDLCK, 2, -3), EINVAL);
	CHECK_OK(SET(F_RDLCK, 3, -3)); /* a negative length covers what lies before */
	CHECK_EQ(probe(0, 0).l_len, 3);
	CHECK_ERR(lock(fd, F_GETLK, F_UNLCK, 0, 0), EINVAL);
	CHECK_ERR(fcntl(fd, F_SETLK, (void *)8), EFAULT);
	CHECK_ERR(lock(-1, F_SETLK, F_RDLCK, 0, 1), EBADF);
}

TEST(open_file_description_locks)
{
	int a, b;

	setup();
	a = CHECK_OK(open("f", O_RDWR));
	b = CHECK_OK(open("f", O_RDWR));
	CHECK_OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 0));
	CHECK_ERR(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
	CHECK_ERR(SET(F_WRLCK, 0, 0), EAGAIN);
	IN_CHILD CHECK_OK(lock(a, F_OFD_SETLK, F_RDLCK, 0, 0));
	close(CHECK_OK(open("f", O_RDONLY)));
	CHECK_ERR(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
	close(a);
	CHECK_OK(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0));
}

TEST(flock_belongs_to_the_description)
{
	int a, b, dupped;
	pid_t pid;

	setup();
	a = CHECK_OK(open("f", O_RDONLY));
	b = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(flock(a, LOCK_EX));
	CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	dupped = CHECK_OK(dup(a));
	close(a);
	CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(dupped, LOCK_SH));
	CHECK_OK(flock(b, LOCK_SH | LOCK_NB));
	pid = test_fork();
	if (pid == 0)
		_exit(flock(b, LOCK_EX) ? 1 : 0);
	wait_state(pid, "S");
	CHECK_OK(flock(dupped, LOCK_UN));
	CHECK_EXITS(pid, 0);
	CHECK_ERR(flock(b, 3), EINVAL);
	CHECK_ERR(flock(-1, LOCK_SH), EBADF);
}

TEST(lease_refusals)
{
	setup();
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	CHECK_ERR(fcntl(fd, F_SETLEASE, 99), EINVAL);
	CHECK_ERR(fcntl(CHECK_OK(open("/", O_RDONLY)), F_SETLEASE, F_RDLCK), EINVAL);
	if (geteuid())
		return;
	IN_CHILD {
		become(7, 7);
		CHECK_ERR(fcntl(fd, F_SETLEASE, F_WRLCK), EACCES);
	}
}
