/* POSIX message queues, by their system calls. */
#include "test.h"

#include <linux/mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/resource.h>

static char name[32];

static void unlink_it(void)
{
	syscall(SYS_mq_unlink, name);
}

static int mq_open_(const char *n, int flags, int mode, struct mq_attr *attr)
{
	return syscall(SYS_mq_open, n, flags, mode, attr);
}

static int make(long msgs, long size, int flags)
{
	struct mq_attr a = { .mq_maxmsg = msgs, .mq_msgsize = size };

	if (!*name) {
		sprintf(name, "test-%d", getpid());
		atexit(unlink_it);
	}
	return CHECK_OK(mq_open_(name, O_CREAT | O_RDWR | flags, 0600, &a));
}

static int put(int mq, const char *text, unsigned prio)
{
	return syscall(SYS_mq_timedsend, mq, text, strlen(text), prio, NULL);
}

static int get(int mq, char *buf, size_t size, unsigned *prio)
{
	return syscall(SYS_mq_timedreceive, mq, buf, size, prio, NULL);
}

#define CHECK_GET(mq, want, want_prio)                                                             \
	do {                                                                                       \
		char buf_[8192];                                                                   \
		unsigned prio_;                                                                    \
		int n_ = CHECK_OK(get(mq, buf_, sizeof(buf_), &prio_));                            \
		buf_[n_] = 0;                                                                      \
		CHECK_STR(buf_, want);                                                             \
		CHECK_EQ(prio_, want_prio);                                                        \
	} while (0)

static struct mq_attr attr_of(int mq)
{
	struct mq_attr a;

	CHECK_OK(syscall(SYS_mq_getsetattr, mq, NULL, &a));
	return a;
}

static struct timespec in_ms(int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += ms * 1000000L;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

TEST(open_creates_finds_and_refuses)
{
	struct mq_attr bad = { .mq_maxmsg = 0, .mq_msgsize = 10 };
	int a = make(4, 100, O_EXCL), b;

	CHECK_ERR(mq_open_(name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
	b = CHECK_OK(mq_open_(name, O_RDONLY, 0, NULL));
	CHECK(a != b);
	CHECK_EQ(fcntl(a, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(attr_of(b).mq_maxmsg, 4);
	CHECK_EQ(attr_of(b).mq_msgsize, 100);
	CHECK_ERR(put(b, "x", 0), EBADF);
	CHECK_ERR(mq_open_("no-such-queue", O_RDWR, 0, NULL), ENOENT);
	CHECK_ERR(mq_open_("", O_RDWR, 0, NULL), ENOENT);
	CHECK_ERR(mq_open_("/slash", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	CHECK_ERR(mq_open_("..", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	CHECK_ERR(mq_open_((char *)1, O_RDWR, 0, NULL), EFAULT);
	CHECK_ERR(mq_open_("bad", O_CREAT | O_RDWR, 0600, &bad), EINVAL);
	bad = (struct mq_attr){ .mq_maxmsg = 65537, .mq_msgsize = 10 };
	CHECK_ERR(mq_open_("bad", O_CREAT | O_RDWR, 0600, &bad), EINVAL);
	CHECK_ERR(mq_open_("bad", O_CREAT | O_RDWR, 0600, (void *)1), EFAULT);
	CHECK_ERR(syscall(SYS_mq_unlink, "no-such-queue"), ENOENT);
	CHECK_OK(syscall(SYS_mq_unlink, name));
	CHECK_ERR(mq_open_(name, O_RDWR, 0, NULL), ENOENT);
	CHECK_OK(put(a, "lives on", 1));
	CHECK_GET(b, "lives on", 1);
}

TEST(long_names_are_refused)
{
	char long_name[300];

	memset(long_name, 'a', sizeof(long_name));
	long_name[256] = 0;
	CHECK_ERR(mq_open_(long_name, O_CREAT | O_RDWR, 0600, NULL), ENAMETOOLONG);
	long_name[255] = 0;
	CHECK_OK(mq_open_(long_name, O_CREAT | O_RDWR, 0600, NULL));
	CHECK_OK(syscall(SYS_mq_unlink, long_name));
}

TEST(defaults_apply_without_attributes)
{
	int mq = CHECK_OK(mq_open_("defaults", O_CREAT | O_RDWR, 0600, NULL));

	CHECK_OK(syscall(SYS_mq_unlink, "defaults"));
	CHECK_EQ(attr_of(mq).mq_maxmsg, 10);
	CHECK_EQ(attr_of(mq).mq_msgsize, 8192);
}

TEST(priority_then_age)
{
	int mq = make(8, 100, 0);

	CHECK_OK(put(mq, "low", 1));
	CHECK_OK(put(mq, "high", 32767));
	CHECK_OK(put(mq, "mid a", 5));
	CHECK_OK(put(mq, "mid b", 5));
	CHECK_OK(put(mq, "zero", 0));
	CHECK_OK(put(mq, "mid c", 5));
	CHECK_EQ(attr_of(mq).mq_curmsgs, 6);
	CHECK_GET(mq, "high", 32767);
	CHECK_GET(mq, "mid a", 5);
	CHECK_GET(mq, "mid b", 5);
	CHECK_GET(mq, "mid c", 5);
	CHECK_GET(mq, "low", 1);
	CHECK_GET(mq, "zero", 0);
}

TEST(arguments_are_checked)
{
	int mq = make(2, 10, O_NONBLOCK), p[2];
	struct timespec bad = { 0, 1000000000 };
	char buf[16];

	CHECK_OK(pipe(p));
	CHECK_ERR(put(mq, "01234567890", 0), EMSGSIZE);
	CHECK_ERR(put(mq, "x", 32768), EINVAL);
	CHECK_ERR(put(-1, "x", 0), EBADF);
	CHECK_ERR(put(p[1], "x", 0), EBADF);
	CHECK_ERR(get(mq, buf, 9, NULL), EMSGSIZE);
	CHECK_ERR(get(mq, buf, 10, NULL), EAGAIN);
	CHECK_ERR(get(p[0], buf, 10, NULL), EBADF);
	CHECK_ERR(syscall(SYS_mq_timedsend, mq, "x", 1, 0, &bad), EINVAL);
	CHECK_ERR(syscall(SYS_mq_timedsend, mq, "x", 1, 0, (void *)1), EFAULT);
	CHECK_ERR(syscall(SYS_mq_timedsend, mq, (void *)1, 1, 0, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_mq_timedreceive, mq, buf, 16, NULL, &bad), EINVAL);
	CHECK_OK(put(mq, "", 0));
	CHECK_EQ(get(mq, buf, 16, NULL), 0);
	CHECK_ERR(syscall(SYS_mq_getsetattr, p[0], NULL, NULL), EBADF);
}

TEST(full_and_empty_with_and_without_blocking)
{
	struct mq_attr a = { .mq_flags = O_NONBLOCK };
	struct timespec soon;
	int mq = make(1, 10, 0);
	char buf[16];
	u64 start;

	CHECK_OK(put(mq, "1", 0));
	soon = in_ms(30);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_ERR(syscall(SYS_mq_timedsend, mq, "2", 1, 0, &soon), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 25000000);
	CHECK_OK(syscall(SYS_mq_getsetattr, mq, &a, NULL));
	CHECK_EQ(attr_of(mq).mq_flags, O_NONBLOCK);
	CHECK(fcntl(mq, F_GETFL) & O_NONBLOCK);
	CHECK_ERR(put(mq, "2", 0), EAGAIN);
	a.mq_flags = O_APPEND;
	CHECK_ERR(syscall(SYS_mq_getsetattr, mq, &a, NULL), EINVAL);
	a.mq_flags = 0;
	CHECK_OK(syscall(SYS_mq_getsetattr, mq, &a, &a));
	CHECK_EQ(a.mq_flags, O_NONBLOCK);
	CHECK_EQ(a.mq_curmsgs, 1);
	CHECK_GET(mq, "1", 0);
	soon = in_ms(-1);
	CHECK_ERR(syscall(SYS_mq_timedreceive, mq, buf, 16, NULL, &soon), ETIMEDOUT);
}

static pid_t reader(int mq)
{
	pid_t pid = test_fork();
	char buf[100];

	if (pid == 0) {
		int n = get(mq, buf, sizeof(buf), NULL);

		_exit(n < 0 ? errno : n);
	}
	wait_state(pid, "S");
	return pid;
}

TEST(waiting_readers_and_writers_are_served)
{
	int mq = make(1, 20, 0);
	pid_t pid = reader(mq);

	CHECK_OK(put(mq, "12345", 3));
	CHECK_EXITS(pid, 5);
	CHECK_OK(put(mq, "first", 0));
	pid = test_fork();
	if (pid == 0)
		_exit(put(mq, "second", 9) ? errno : 0);
	wait_state(pid, "S");
	CHECK_GET(mq, "first", 0);
	CHECK_EXITS(pid, 0);
	CHECK_GET(mq, "second", 9);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(signals_interrupt_and_restart)
{
	int mq = make(1, 20, 0);
	struct sigaction act = { .sa_handler = nothing };
	pid_t pid;

	sigaction(SIGUSR1, &act, NULL);
	pid = reader(mq);
	kill(pid, SIGUSR1);
	CHECK_EXITS(pid, EINTR);
	act.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &act, NULL);
	pid = reader(mq);
	kill(pid, SIGUSR1);
	sleep_ms(20);
	CHECK_OK(put(mq, "xyz", 0));
	CHECK_EXITS(pid, 3);
}

TEST(poll_tells_room_and_messages)
{
	int mq = make(1, 20, 0);
	struct pollfd p = { mq, POLLIN | POLLOUT, 0 };
	pid_t pid;

	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_OK(put(mq, "x", 0));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
	p.events = POLLOUT;
	pid = test_fork();
	if (pid == 0) {
		sleep_ms(20);
		CHECK_GET(mq, "x", 0);
		_exit(0);
	}
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK_EXITS(pid, 0);
}

TEST(notify_by_signal_once)
{
	int mq = make(4, 20, 0);
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1,
			       .sigev_value.sival_int = 77 };
	struct timespec none = { 0, 0 }, second = { 1, 0 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_OK(syscall(SYS_mq_notify, mq, &ev));
	CHECK_ERR(syscall(SYS_mq_notify, mq, &ev), EBUSY);
	CHECK_OK(put(mq, "x", 0));
	CHECK_EQ(sigtimedwait(&set, &info, &second), SIGUSR1);
	CHECK_EQ(info.si_code, SI_MESGQ);
	CHECK_EQ(info.si_pid, getpid());
	CHECK_EQ(info.si_uid, getuid());
	CHECK_EQ(info.si_value.sival_int, 77);
	CHECK_GET(mq, "x", 0);
	CHECK_OK(put(mq, "x", 0));
	CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN); /* the registration is used up */
	CHECK_OK(syscall(SYS_mq_notify, mq, &ev));
	CHECK_OK(put(mq, "y", 0));
	CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN); /* it was not empty */
	IN_CHILD {
		CHECK_ERR(syscall(SYS_mq_notify, mq, &ev), EBUSY);
		CHECK_OK(syscall(SYS_mq_notify, mq, NULL)); /* not the child's: nothing happens */
		CHECK_ERR(syscall(SYS_mq_notify, mq, &ev), EBUSY);
	}
	CHECK_OK(syscall(SYS_mq_notify, mq, NULL));
	CHECK_OK(syscall(SYS_mq_notify, mq, &ev));
	CHECK_OK(close(dup(mq))); /* a close by the owner ends it */
	CHECK_OK(syscall(SYS_mq_notify, mq, &ev));
	ev.sigev_signo = 65;
	CHECK_ERR(syscall(SYS_mq_notify, mq, &ev), EINVAL);
	ev.sigev_notify = 9;
	CHECK_ERR(syscall(SYS_mq_notify, mq, &ev), EINVAL);
	CHECK_ERR(syscall(SYS_mq_notify, -1, NULL), EBADF);
	CHECK_ERR(syscall(SYS_mq_notify, mq, (void *)1), EFAULT);
}

TEST(a_waiting_reader_comes_before_notification)
{
	int mq = make(4, 20, 0);
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	pid_t pid;

	CHECK_OK(syscall(SYS_mq_notify, mq, &ev));
	pid = reader(mq);
	CHECK_OK(put(mq, "x", 0));
	CHECK_EXITS(pid, 1);
	CHECK_ERR(syscall(SYS_mq_notify, mq, &ev), EBUSY);
	CHECK_OK(put(mq, "x", 0));
	CHECK_OK(syscall(SYS_mq_notify, mq, &ev));
}

TEST(reading_tells_the_status)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	int mq = make(4, 20, 0);
	char buf[100], want[100];

	CHECK_OK(put(mq, "12345", 0));
	CHECK_OK(put(mq, "67", 0));
	CHECK_OK(syscall(SYS_mq_notify, mq, &ev));
	buf[CHECK_OK(read(mq, buf, 99))] = 0;
	sprintf(want, "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", 7, SIGEV_SIGNAL,
		SIGUSR2, getpid());
	CHECK_STR(buf, want);
	CHECK_EQ(read(mq, buf, 99), 0);
}

TEST(permissions_follow_the_mode)
{
	if (geteuid())
		SKIP("needs root");
	umask(0);
	make(2, 10, 0);
	CHECK_OK(mq_open_("readable", O_CREAT | O_RDWR, 0604, NULL));
	IN_CHILD {
		become(1000, 1000);
		CHECK_ERR(mq_open_(name, O_RDONLY, 0, NULL), EACCES);
		CHECK_ERR(mq_open_("readable", O_RDWR, 0, NULL), EACCES);
		CHECK_OK(mq_open_("readable", O_RDONLY, 0, NULL));
		CHECK_ERR(syscall(SYS_mq_unlink, "readable"), EPERM);
	}
	CHECK_OK(syscall(SYS_mq_unlink, "readable"));
}

TEST(rlimit_msgqueue_bounds_a_user)
{
	struct rlimit r = { 2000, 2000 };
	struct mq_attr a = { .mq_maxmsg = 10, .mq_msgsize = 100 };
	int mq;

	CHECK_OK(setrlimit(RLIMIT_MSGQUEUE, &r));
	sprintf(name, "limit-%d", getpid());
	if (geteuid() == 0)
		become(54321, 54321); /* whose account nobody else uses */
	a.mq_msgsize = 105; /* 10 * (105 + 48) + 10 * 48 = 2010 */
	CHECK_ERR(mq_open_(name, O_CREAT | O_RDWR, 0600, &a), EMFILE);
	a.mq_msgsize = 104;
	mq = CHECK_OK(mq_open_(name, O_CREAT | O_RDWR, 0600, &a));
	CHECK_OK(syscall(SYS_mq_unlink, name));
	CHECK_ERR(mq_open_(name, O_CREAT | O_RDWR, 0600, NULL), EMFILE);
	close(mq);
	mq = CHECK_OK(mq_open_(name, O_CREAT | O_RDWR, 0600, &a));
	CHECK_OK(syscall(SYS_mq_unlink, name));
	a = (struct mq_attr){ .mq_maxmsg = 11, .mq_msgsize = 1 };
	CHECK_ERR(mq_open_(name, O_CREAT | O_RDWR, 0600, &a), EINVAL); /* without privilege */
}

TEST(the_file_system_shows_queues)
{
	char path[64], buf[100];
	struct stat st;
	int mq;

	if (geteuid() || !getenv("TEST_VM"))
		SKIP("mounts");
	mq = make(2, 10, 0);
	CHECK_OK(mkdir("mq", 0755));
	CHECK_OK(mount("none", "mq", "mqueue", 0, NULL));
	CHECK_OK(stat("mq", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 01777);
	sprintf(path, "mq/%s", name);
	CHECK_OK(stat(path, &st));
	CHECK_EQ(st.st_size, 80);
	CHECK_EQ(st.st_mode, S_IFREG | 0600);
	CHECK_OK(put(mq, "abc", 0));
	read_file(path, buf, sizeof(buf));
	CHECK_EQ(strncmp(buf, "QSIZE:3  ", 9), 0);
	close(CHECK_OK(open("mq/by-name", O_CREAT | O_RDWR, 0600)));
	CHECK_OK(mq_open_("by-name", O_RDWR, 0, NULL));
	CHECK_OK(unlink("mq/by-name"));
	CHECK_ERR(mq_open_("by-name", O_RDWR, 0, NULL), ENOENT);
	CHECK_OK(unlink(path));
	CHECK_GET(mq, "abc", 0);
	CHECK_OK(umount("mq"));
}

static int shared_mq;

static void *sends(void *arg)
{
	int n = SCALE(300, 20000);

	for (int i = 1; i <= n; i++) {
		char text[16];

		sprintf(text, "%d", i);
		CHECK_OK(put(shared_mq, text, (long)arg));
	}
	return NULL;
}

TEST(every_message_arrives_once)
{
	int n = SCALE(300, 20000);
	pthread_t th[4];
	long sum = 0;
	char buf[32];

	shared_mq = make(3, 16, 0);
	for (long i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&th[i], NULL, sends, (void *)i), 0);
	for (int i = 0; i < 4 * n; i++) {
		buf[CHECK_OK(get(shared_mq, buf, sizeof(buf), NULL))] = 0;
		sum += atoi(buf);
	}
	CHECK_EQ(sum, 4L * n * (n + 1) / 2);
	for (int i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
	CHECK_EQ(attr_of(shared_mq).mq_curmsgs, 0);
}
