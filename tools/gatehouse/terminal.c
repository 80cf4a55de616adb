/*
 * Raw mode and its undoing.
 *
 * The saved modes are restored by exit() and by the handlers of signals that kill; SIGKILL cannot
 * be caught, so only that one leaves the terminal raw.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "terminal.h"

static struct termios saved;
static volatile sig_atomic_t is_raw;

bool terminal_present(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

void terminal_restore(void)
{
	if (!is_raw)
		return;
	is_raw = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

static void on_fatal(int signo)
{
	terminal_restore();
	raise(signo); /* SA_RESETHAND: the default action follows */
}

void terminal_raw(void)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
	struct sigaction action = {.sa_handler = on_fatal, .sa_flags = SA_RESETHAND};
	struct termios raw;
	static bool registered;

	if (is_raw || tcgetattr(STDIN_FILENO, &saved) < 0)
		return;
	if (!registered) {
		atexit(terminal_restore);
		for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
			sigaction(fatal[i], &action, NULL);
		registered = true;
	}
	raw = saved;
	cfmakeraw(&raw);
	is_raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
		is_raw = 0;
}

struct control_winsize terminal_size(void)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};

	ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	return (struct control_winsize){size.ws_row, size.ws_col};
}
