/* Directory notification (F_NOTIFY): which changes signal, how often, to whom, and until when. */
#include "test.h"

#include <pthread.h>

static int dir;

/* How many of the chosen signal are queued; each must name dir's descriptor, as messages do. */
static int told(void)
{
	struct timespec now = {0};
	siginfo_t info;
	sigset_t set;
	int n = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	while (sigtimedwait(&set, &info, &now) == SIGRTMIN) {
		CHECK_EQ(info.si_code, POLL_MSG);
		CHECK_EQ(info.si_fd, dir);
		n++;
	}
	CHECK_EQ(errno, EAGAIN);
	return n;
}

static void setup(u32 events)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGIO);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(mkdir("other", 0700));
	dir = CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
	CHECK_OK(fcntl(dir, F_SETSIG, SIGRTMIN));
	CHECK_OK(fcntl(dir, F_NOTIFY, events));
}

static void make(const char *path)
{
	CHECK_OK(close(CHECK_OK(open(path, O_CREAT | O_WRONLY, 0600))));
}

static void write_to(const char *path)
{
	int fd = CHECK_OK(open(path, O_WRONLY));

	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(close(fd));
}

TEST(one_signal_unless_asked_to_stay)
{
	setup(DN_CREATE);
	make("d/a");
	CHECK_EQ(told(), 1);
	make("d/b");
	CHECK_EQ(told(), 0);
	CHECK_OK(fcntl(dir, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	make("d/c");
	make("d/d");
	CHECK_EQ(told(), 2);
	CHECK_OK(fcntl(dir, F_NOTIFY, 0));
	make("d/e");
	CHECK_EQ(told(), 0);
}

TEST(events_are_those_asked_for)
{
	char byte;
	int fd;

	setup(DN_MODIFY | DN_MULTISHOT);
	make("d/a");
	CHECK_EQ(told(), 0);
	write_to("d/a");
	CHECK_EQ(told(), 1);
	CHECK_OK(chmod("d/a", 0400));
	fd = CHECK_OK(open("d/a", O_RDONLY));
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(told(), 0);
	CHECK_OK(fcntl(dir, F_NOTIFY, DN_ACCESS | DN_ATTRIB | DN_MULTISHOT));
	CHECK_OK(chmod("d/a", 0600));
	CHECK_EQ(told(), 1);
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_EQ(told(), 1);
	/* More events do not replace those of before. */
	write_to("d/a");
	CHECK_EQ(told(), 1);
	/* Of the directory's own files, not of those further down. */
	CHECK_OK(mkdir("d/sub", 0700));
	make("d/sub/a");
	write_to("d/sub/a");
	CHECK_EQ(told(), 0);
	/* Its own mode counts. */
	CHECK_OK(chmod("d", 0750));
	CHECK_EQ(told(), 1);
}

TEST(renames)
{
	setup(DN_RENAME | DN_MULTISHOT);
	make("d/a");
	CHECK_OK(rename("d/a", "d/b"));
	CHECK_EQ(told(), 1);
	CHECK_OK(rename("d/b", "other/b"));
	CHECK_OK(rename("other/b", "d/c"));
	CHECK_EQ(told(), 0);
	CHECK_OK(fcntl(dir, F_NOTIFY, 0));
	CHECK_OK(fcntl(dir, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT));
	CHECK_OK(rename("d/c", "other/c"));
	CHECK_EQ(told(), 1);
	CHECK_OK(rename("other/c", "d/d"));
	CHECK_EQ(told(), 1);
	CHECK_OK(rename("d/d", "d/e"));
	CHECK_EQ(told(), 2);
	CHECK_OK(unlink("d/e"));
	CHECK_EQ(told(), 1);
}

TEST(ends_when_any_descriptor_of_it_is_closed)
{
	int status, copy;
	pid_t pid;

	setup(DN_CREATE | DN_MULTISHOT);
	/* Another process closing its own changes nothing. */
	pid = CHECK_OK(fork());
	if (!pid) {
		close(dir);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	make("d/a");
	CHECK_EQ(told(), 1);
	copy = CHECK_OK(dup(dir));
	CHECK_OK(close(copy));
	make("d/b");
	CHECK_EQ(told(), 0);
}

TEST(plain_signal_is_sigio_to_who_asked)
{
	struct timespec second = {1, 0};
	struct f_owner_ex owner;
	sigset_t set;

	setup(DN_CREATE);
	CHECK_OK(fcntl(dir, F_GETOWN_EX, &owner));
	CHECK_EQ(owner.type, F_OWNER_PID);
	CHECK_EQ(owner.pid, getpid());
	CHECK_OK(fcntl(dir, F_SETSIG, 0));
	make("d/a");
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	CHECK_EQ(sigtimedwait(&set, NULL, &second), SIGIO);
}

TEST(refusals)
{
	int file;

	setup(DN_CREATE);
	make("f");
	file = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERR(fcntl(file, F_NOTIFY, DN_CREATE), ENOTDIR);
	CHECK_OK(fcntl(file, F_NOTIFY, 0));
	CHECK_ERR(fcntl(CHECK_OK(open("d", O_PATH)), F_NOTIFY, DN_CREATE), EBADF);
	CHECK_ERR(fcntl(-1, F_NOTIFY, DN_CREATE), EBADF);
	/* Bits that mean nothing are a watch without events. */
	CHECK_OK(fcntl(CHECK_OK(open("other", O_RDONLY)), F_NOTIFY, 0x100));
	make("other/x");
	CHECK_EQ(told(), 0);
}

static void *churn(void *arg)
{
	char path[32];

	for (int i = 0; i < 2000; i++) {
		snprintf(path, sizeof(path), "d/%p", arg);
		make(path);
		unlink(path);
	}
	return NULL;
}

/* Watches come and go under the feet of events and of close. */
TEST_LIMIT(events_race_with_close, 60)
{
	pthread_t t[2];

	setup(DN_CREATE);
	signal(SIGIO, SIG_IGN);
	for (uintptr_t i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, churn, (void *)(i + 1)), 0);
	for (int i = 0; i < 2000; i++) {
		int fd = CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));

		CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE | (i & 1 ? DN_MULTISHOT : 0)));
		if (i & 2)
			CHECK_OK(fcntl(fd, F_NOTIFY, 0));
		CHECK_OK(close(fd));
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
}
