/*
 * Drives a command through a pseudo-terminal, as a person at a keyboard would.
 *
 * usage: pty_drive ROWS COLUMNS SCRIPT CMD [ARG...]
 *
 * SCRIPT is a file with one step per line:
 *	expect TEXT      waits until the output since the last match contains TEXT
 *	send TEXT        types TEXT; \r \n \t \\ and \xHH are understood
 *	resize ROWS COLS changes the window
 *	kill SIGNUM      sends a signal to the command
 *	hold MS          does not read for that long, as a terminal that was stopped
 * Then waits for the command's end. The output is copied to standard output; the exit status is
 * the command's (128+N after signal N), 99 when a step failed or the terminal's modes were not
 * restored.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#define STEP_TIMEOUT_S 60

static int master;
static pid_t child;
static char seen[1 << 20]; /* output since the last match, the oldest forgotten when full */
static size_t nr_seen;

static _Noreturn void give_up(const char *why, const char *what)
{
	fprintf(stderr, "pty_drive: %s: %s\n", why, what);
	exit(99);
}

/* Reads what is there within the time; 0 when there was nothing. */
static int take_output(int timeout_ms)
{
	struct pollfd ready = {.fd = master, .events = POLLIN};
	char part[4096];

	if (poll(&ready, 1, timeout_ms) <= 0)
		return 0;
	ssize_t got = read(master, part, sizeof(part));
	if (got <= 0)
		return 0;
	if (fwrite(part, 1, (size_t)got, stdout) != (size_t)got)
		give_up("cannot write", "standard output");
	if (nr_seen + (size_t)got > sizeof(seen)) {
		memmove(seen, seen + sizeof(seen) / 2, nr_seen - sizeof(seen) / 2);
		nr_seen -= sizeof(seen) / 2;
	}
	memcpy(seen + nr_seen, part, (size_t)got);
	nr_seen += (size_t)got;
	return 1;
}

static int child_ended(void)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == child;
}

static void expect(const char *text)
{
	time_t end = time(NULL) + STEP_TIMEOUT_S;

	for (;;) {
		const char *hit = memmem(seen, nr_seen, text, strlen(text));
		if (hit) {
			size_t used = (size_t)(hit - seen) + strlen(text);
			memmove(seen, seen + used, nr_seen - used);
			nr_seen -= used;
			return;
		}
		if (time(NULL) > end)
			give_up("timed out waiting for", text);
		if (!take_output(100) && child_ended() && !take_output(100))
			give_up("the command ended; waiting for", text);
	}
}

static void type(const char *text)
{
	for (; *text; text++) {
		char c = *text;
		if (c == '\\' && text[1]) {
			c = *++text;
			if (c == 'x') {
				char hex[3] = {text[1], text[1] ? text[2] : '\0', '\0'};
				c = (char)strtoul(hex, NULL, 16);
				text += 2;
			} else {
				c = c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c;
			}
		}
		if (write(master, &c, 1) != 1)
			give_up("cannot type", text);
	}
}

static void resize(unsigned short rows, unsigned short columns)
{
	struct winsize size = {.ws_row = rows, .ws_col = columns};

	ioctl(master, TIOCSWINSZ, &size);
}

static void run_step(char *line)
{
	char *argument = strchr(line, ' ');

	line[strcspn(line, "\n")] = '\0';
	argument = argument ? argument + 1 : line + strlen(line);
	if (strncmp(line, "expect ", 7) == 0) {
		expect(argument);
	} else if (strncmp(line, "send ", 5) == 0) {
		type(argument);
	} else if (strncmp(line, "resize ", 7) == 0) {
		unsigned int rows, columns;
		if (sscanf(argument, "%u %u", &rows, &columns) != 2)
			give_up("malformed step", line);
		resize((unsigned short)rows, (unsigned short)columns);
	} else if (strncmp(line, "kill ", 5) == 0) {
		kill(child, atoi(argument));
	} else if (strncmp(line, "hold ", 5) == 0) {
		usleep((useconds_t)atoi(argument) * 1000);
	} else if (*line) {
		give_up("unknown step", line);
	}
}

/* Zeroed first: the C library leaves part of the structure as it was. */
static struct termios read_modes(int fd)
{
	struct termios modes;

	memset(&modes, 0, sizeof(modes));
	tcgetattr(fd, &modes);
	return modes;
}

int main(int argc, char **argv)
{
	char line[1024];
	int slave, status;

	if (argc < 5)
		give_up("usage", "pty_drive ROWS COLUMNS SCRIPT CMD [ARG...]");
	FILE *script = fopen(argv[3], "r");
	if (!script || openpty(&master, &slave, NULL, NULL, NULL) < 0)
		give_up(strerror(errno), argv[3]);
	resize((unsigned short)atoi(argv[1]), (unsigned short)atoi(argv[2]));
	struct termios before = read_modes(slave);
	fcntl(master, F_SETFD, FD_CLOEXEC);

	child = fork();
	if (child == 0) {
		login_tty(slave);
		execvp(argv[4], argv + 4);
		give_up(strerror(errno), argv[4]);
	}
	/* The slave stays open here, so that the modes can be looked at after the command's end. */
	while (fgets(line, sizeof(line), script))
		run_step(line);
	while (waitpid(child, &status, WNOHANG) == 0)
		take_output(50);
	while (take_output(50))
		;
	fflush(stdout);
	struct termios after = read_modes(slave);
	if (memcmp(&before, &after, sizeof(before)) != 0)
		give_up("the terminal's modes were not restored", argv[4]);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
