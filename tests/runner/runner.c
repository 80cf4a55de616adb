/*
 * runner DIR [PROGRAM…]: runs every program of a directory, or the named ones, one after the other
 * inside one guest boot. Passes on the lines of failed and skipped claims with the program's name
 * in front, ends with one line of totals. Exit status 1 if anything failed. With TEST_VERBOSE in the
 * environment it tells every claim that holds, too, and each program's time.
 *
 * A program that overruns its time is killed with its process group. Output that holds what looks
 * like a kernel address is a failure by itself: no test may learn one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int passed, failed, skipped;
static bool verbose;

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A run of 16 hex digits in the upper half, small negative numbers aside. */
static bool has_kernel_address(const char *line)
{
	for (const char *p = strstr(line, "ffff"); p; p = strstr(p + 1, "ffff"))
		if (strspn(p, "0123456789abcdef") >= 16 && strncmp(p, "ffffffffffff", 12))
			return true;
	return false;
}

static void take_line(const char *program, const char *line)
{
	if (!strncmp(line, "ok ", 3)) {
		passed++;
		if (verbose)
			printf("ok %s/%s\n", program, line + 3);
	} else if (!strncmp(line, "skip ", 5)) {
		skipped++;
		printf("skip %s/%s\n", program, line + 5);
	} else if (!strncmp(line, "not ok ", 7)) {
		failed++;
		printf("FAIL %s/%s\n", program, line + 7);
	} else {
		printf("%s: %s\n", program, line);
	}
	if (has_kernel_address(line)) {
		failed++;
		printf("FAIL %s: prints a kernel address: %s\n", program, line);
	}
}

/* Pass on the whole lines in buf; what remains is an unfinished line. */
static size_t take_lines(const char *program, char *buf, size_t len, size_t size)
{
	char *nl;

	buf[len] = 0;
	while ((nl = strchr(buf, '\n'))) {
		*nl = 0;
		take_line(program, buf);
		len -= nl + 1 - buf;
		memmove(buf, nl + 1, len + 1);
	}
	return len == size - 1 ? 0 : len;
}

/*
 * Read the program's lines until it has ended, not until its output closes: a descendant that
 * escaped into a session of its own may keep that open. False when time is up first.
 */
static bool read_lines(const char *program, pid_t pid, int fd, long end_ms, int *status)
{
	char buf[4096];
	size_t len = 0;
	bool ended = false;

	while (now_ms() < end_ms) {
		struct pollfd pfd = { fd, POLLIN, 0 };
		ssize_t n = poll(&pfd, 1, ended ? 0 : 50);

		if (n > 0) {
			n = read(fd, buf + len, sizeof(buf) - 1 - len);
			if (n > 0)
				len = take_lines(program, buf, len + n, sizeof(buf));
		}
		if (n <= 0 && ended)
			return true;
		if (n <= 0)
			ended = waitpid(pid, status, pfd.revents ? 0 : WNOHANG) == pid;
	}
	return false;
}

static void run_program(const char *program, int timeout_s)
{
	int pipefd[2], status = 0, failed_before = failed;
	pid_t pid;

	fflush(stdout);
	if (pipe2(pipefd, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		failed++;
		printf("FAIL %s: cannot start: %s\n", program, strerror(errno));
		return;
	}
	if (pid == 0) {
		setpgid(0, 0);
		dup2(pipefd[1], 1);
		dup2(pipefd[1], 2);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	close(pipefd[1]);
	if (!read_lines(program, pid, pipefd[0], now_ms() + timeout_s * 1000L, &status)) {
		failed++;
		printf("FAIL %s: more than %d s\n", program, timeout_s);
		kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
	} else if (status && failed == failed_before) {
		failed++;
		printf("FAIL %s: wait status %#x\n", program, status);
	}
	kill(-pid, SIGKILL);
	close(pipefd[0]);
}

static int visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	const char *limit = getenv("TEST_TIMEOUT");
	int timeout_s = limit ? atoi(limit) : 120;
	struct dirent **list;
	int n;

	verbose = getenv("TEST_VERBOSE") != NULL;
	setvbuf(stdout, NULL, _IOLBF, 0); /* what a guest that hangs had said is seen */
	if (argc < 2 || chdir(argv[1]) < 0 || (n = scandir(".", &list, visible, alphasort)) < 0) {
		fprintf(stderr, "usage: runner DIR [PROGRAM…]\n");
		return 2;
	}
	for (int i = 0; i < n; i++) {
		bool wanted = argc < 3;
		long start = now_ms();

		for (int k = 2; k < argc; k++)
			wanted |= !strcmp(argv[k], list[i]->d_name);
		if (!wanted)
			continue;
		run_program(list[i]->d_name, timeout_s);
		if (verbose)
			printf("%s: %ld ms\n", list[i]->d_name, now_ms() - start);
	}
	printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	return failed || !passed;
}
