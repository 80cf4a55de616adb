/*
 * runner DIR [PROGRAM…]: runs every program of a directory, or the named ones, one after the other
 * inside one guest boot. Passes on the lines of failed and skipped claims with the program's name
 * in front, ends with one line of totals. Exit status 1 if anything failed.
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

/* Read the program's lines until it closes its output or time is up; false on time-out. */
static bool read_lines(const char *program, int fd, long end_ms)
{
	char buf[4096];
	size_t len = 0;

	for (;;) {
		struct pollfd pfd = { fd, POLLIN, 0 };
		long left = end_ms - now_ms();
		ssize_t n;
		char *nl;

		if (left <= 0 || poll(&pfd, 1, left) == 0)
			return false;
		n = read(fd, buf + len, sizeof(buf) - 1 - len);
		if (n <= 0)
			break;
		len += n;
		buf[len] = 0;
		while ((nl = strchr(buf, '\n'))) {
			*nl = 0;
			take_line(program, buf);
			len -= nl + 1 - buf;
			memmove(buf, nl + 1, len + 1);
		}
		if (len == sizeof(buf) - 1)
			len = 0;
	}
	return true;
}

static void run_program(const char *program, int timeout_s)
{
	int pipefd[2], status = 0, failed_before = failed;
	bool ended;
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
	ended = read_lines(program, pipefd[0], now_ms() + timeout_s * 1000L);
	close(pipefd[0]);
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (!ended) {
		failed++;
		printf("FAIL %s: more than %d s\n", program, timeout_s);
	} else if (status && failed == failed_before) {
		failed++;
		printf("FAIL %s: wait status %#x\n", program, status);
	}
}

static int visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	const char *limit = getenv("TEST_TIMEOUT"), *verbose = getenv("TEST_VERBOSE");
	int timeout_s = limit ? atoi(limit) : 120;
	struct dirent **list;
	int n;

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
