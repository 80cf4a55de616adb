/*
 * The driver behind test.h: runs each claim in a child and reports it. The parent waits with
 * sigtimedwait, not with an alarm in the child, so a claim may use every timer and signal.
 */
#include "test.h"

#include <ftw.h>
#include <grp.h>

enum { EXIT_FAILED = 99, EXIT_SKIPPED = 77 };

char test_self[4096];

static struct test_case *cases, **cases_end = &cases;
static struct test_helper *helpers;
static int report_fd = -1;

void test_register(struct test_case *c)
{
	*cases_end = c;
	cases_end = &c->next;
}

void test_register_helper(struct test_helper *h)
{
	h->next = helpers;
	helpers = h;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	char msg[400];
	va_list ap;
	int n = snprintf(msg, sizeof(msg), "%s:%d: ", base ? base + 1 : file, line);

	va_start(ap, fmt);
	n += vsnprintf(msg + n, sizeof(msg) - n, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(msg) - 1)
		n = sizeof(msg) - 1;
	if (write(report_fd, msg, n + 1) < 0)
		dprintf(2, "%s\n", msg);
	_exit(EXIT_FAILED);
}

void test_skip(const char *reason)
{
	if (write(report_fd, reason, strlen(reason) + 1) < 0)
		dprintf(2, "%s\n", reason);
	_exit(EXIT_SKIPPED);
}

pid_t test_fork(void)
{
	return CHECK_OK(fork());
}

int test_reap(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

void test_join(pid_t pid)
{
	if (pid == 0)
		_exit(0);
	CHECK_EQ(test_reap(pid), 0);
}

bool test_full(void)
{
	return getenv("TEST_FULL") != NULL;
}

u64 now_ns(clockid_t clock)
{
	struct timespec ts;

	CHECK_OK(clock_gettime(clock, &ts));
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void sleep_ms(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&ts, &ts) < 0)
		CHECK(errno == EINTR);
}

void wait_state(pid_t pid, const char *states)
{
	char path[40], buf[512], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (int i = 0; i < 10000; i++) {
		read_file(path, buf, sizeof(buf));
		end = strrchr(buf, ')');
		if (end && end[1] && strchr(states, end[2]))
			return;
		sleep_ms(1);
	}
	FAIL("process never got to state %s", states);
}

void write_file(const char *path, const char *text)
{
	int fd = CHECK_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

size_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		FAIL("open %s: errno %d (%s)", path, errno, strerror(errno));
	while ((n = CHECK_OK(read(fd, buf + len, size - 1 - len))) > 0)
		len += n;
	close(fd);
	buf[len] = 0;
	return len;
}

void become(uid_t uid, gid_t gid)
{
	CHECK_OK(setgroups(0, NULL));
	CHECK_OK(setresgid(gid, gid, gid));
	CHECK_OK(setresuid(uid, uid, uid));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	remove(path);
	return 0;
}

/* Wait for the child until its time is up; then kill it. True if it ended by itself. */
static bool await(pid_t pid, int seconds, int *status)
{
	u64 end = now_ns(CLOCK_MONOTONIC) + seconds * 1000000000ull;
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	while (waitpid(pid, status, WNOHANG) == 0) {
		u64 now = now_ns(CLOCK_MONOTONIC);
		struct timespec left = { .tv_sec = (end - now) / 1000000000,
					 .tv_nsec = (end - now) % 1000000000 };

		if (now >= end) {
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			waitpid(pid, status, 0);
			return false;
		}
		sigtimedwait(&chld, NULL, &left);
	}
	return true;
}

_Noreturn static void run_child(struct test_case *c, const char *dir, sigset_t *mask)
{
	setpgid(0, 0);
	sigprocmask(SIG_SETMASK, mask, NULL);
	CHECK_OK(chdir(dir));
	umask(022);
	c->run();
	_exit(0);
}

/* Run one claim and print its line; false if it failed. */
static bool run_case(struct test_case *c)
{
	char dir[] = "/tmp/test.XXXXXX", msg[512] = "";
	int pipefd[2], status;
	sigset_t chld, old;
	bool ended;
	pid_t pid;
	u64 start = now_ns(CLOCK_MONOTONIC);

	if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK) < 0 || !mkdtemp(dir) || chmod(dir, 0755) < 0) {
		printf("not ok %s: set-up: %s\n", c->name, strerror(errno));
		return false;
	}
	report_fd = fcntl(pipefd[1], F_DUPFD_CLOEXEC, 900);
	close(pipefd[1]);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &old);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_child(c, dir, &old);
	ended = await(pid, c->seconds, &status);
	kill(-pid, SIGKILL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (read(pipefd[0], msg, sizeof(msg) - 1) < 0)
		msg[0] = 0;
	close(pipefd[0]);
	close(report_fd);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

	if (getenv("TEST_VERBOSE"))
		printf("%s: %llu ms\n", c->name,
		       (unsigned long long)(now_ns(CLOCK_MONOTONIC) - start) / 1000000);
	if (ended && status == EXIT_SKIPPED << 8) {
		printf("skip %s: %s\n", c->name, msg);
		return true;
	}
	if (ended && status == 0 && !msg[0]) {
		printf("ok %s\n", c->name);
		return true;
	}
	if (!msg[0])
		snprintf(msg, sizeof(msg), ended ? "wait status %#x" : "timed out", status);
	printf("not ok %s: %s\n", c->name, msg);
	return false;
}

static bool selected(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	bool good = true;

	if (argc > 2 && !strcmp(argv[1], "--helper")) {
		for (struct test_helper *h = helpers; h; h = h->next)
			if (!strcmp(h->name, argv[2]))
				return h->run(argc - 3, argv + 3);
		return 127;
	}
	if (!realpath(argv[0], test_self)) {
		perror(argv[0]);
		return 2;
	}
	signal(SIGCHLD, SIG_DFL);
	for (struct test_case *c = cases; c; c = c->next)
		if (selected(c->name, argc, argv) && !run_case(c))
			good = false;
	fflush(stdout);
	return good ? 0 : 1;
}

long proc_number(const char *path, const char *field)
{
	char line[256];
	long value = -1;
	size_t n = strlen(field);
	FILE *f = fopen(path, "r");

	CHECK(f != NULL);
	while (value < 0 && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, field, n))
			sscanf(line + n, ": %ld", &value);
	}
	fclose(f);
	return value;
}
