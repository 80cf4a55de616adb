/*
 * The guest's pid 1: brings the machine up, runs one program, reports its status.
 *
 * It runs unchanged on Gatehouse and on Linux. It owns the order of the start, the reaping of
 * orphans and the end of the run; the channel to the host is control.c, mounts and modules are
 * setup.c, the program's own surroundings program.c. One thread; SIGCHLD is blocked except inside
 * ppoll, so no wake-up is lost. Without a control port (the kernel was booted by hand) it offers a
 * shell on the console.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

static struct config config;

/* The host normally ends the machine first; a machine booted by hand ends here. */
static _Noreturn void power_off(void)
{
	reboot(RB_POWER_OFF);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

void fail(int err, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0)
		len = 0;
	size_t used = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
	if (err)
		snprintf(text + used, sizeof(text) - used, ": %s", strerror(err));
	if (control_fd() >= 0) {
		control_send(CONTROL_ERROR, text, strlen(text));
		sleep(10); /* the host reads the reason, then ends the machine */
	}
	dprintf(STDERR_FILENO, "init: %s\n", text);
	power_off();
}

static void on_child(int signo)
{
	(void)signo; /* only there to interrupt ppoll */
}

static void block_child_signal(sigset_t *unblocked)
{
	struct sigaction action = {.sa_handler = on_child};
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigaction(SIGCHLD, &action, NULL);
	sigprocmask(SIG_BLOCK, &child, unblocked);
}

static uint32_t exit_code(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128u + (uint32_t)WTERMSIG(wait_status);
	return (uint32_t)WEXITSTATUS(wait_status);
}

/* Reaps whatever has ended; true when the program itself was among it. */
static bool reap(pid_t program, int *wait_status)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == program) {
			*wait_status = status;
			ended = true;
		}
	}
	return ended;
}

static int wait_for_program(pid_t program, const sigset_t *unblocked)
{
	struct pollfd control = {.fd = control_fd(), .events = POLLIN};
	int wait_status = 0;

	while (!reap(program, &wait_status)) {
		int ready = ppoll(&control, 1, NULL, unblocked);
		if (ready > 0 && (control.revents & POLLIN))
			control_dispatch(program);
		else if (ready > 0)
			control.fd = -1; /* the host closed the channel; the program goes on */
	}
	return wait_status;
}

/* The program's end is the end of all: what it left behind must not write any more. */
static void end_stragglers(void)
{
	struct timespec pause_ns = {.tv_nsec = 1000 * 1000};

	if (kill(-1, SIGKILL) < 0)
		return;
	for (int tries = 0; tries < 2000; tries++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0 && errno == ECHILD)
			return;
		if (pid == 0)
			nanosleep(&pause_ns, NULL);
	}
}

static void console_shell(void)
{
	static char *const argv[] = {"sh", "-l", NULL};
	static char *const envp[] = {
		"HOME=/root", "TERM=linux",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

	dprintf(STDERR_FILENO, "init: no control port: a shell on the console\n");
	pid_t shell = fork();
	if (shell == 0) {
		setsid();
		ioctl(STDIN_FILENO, TIOCSCTTY, 0);
		execve("/bin/sh", argv, envp);
		dprintf(STDERR_FILENO, "init: /bin/sh: %s\n", strerror(errno));
		_exit(127);
	}
	while (shell > 0 && waitpid(-1, NULL, 0) != shell)
		;
	power_off();
}

int main(void)
{
	sigset_t unblocked;
	uint32_t status;

	setup_devices();
	setup_modules();
	if (control_open() < 0) {
		config.hostname = "gatehouse";
		setup_system(&config);
		console_shell();
	}
	control_read_config(&config);
	if (!setup_root(&config))
		unlink("/init"); /* the program finds the root as its owner made it */
	setup_system(&config);
	setup_volumes(&config);
	trace_check(&config);
	program_open_streams(&config);

	block_child_signal(&unblocked);
	pid_t program = program_start(&config);
	control_send(CONTROL_STARTED, NULL, 0);
	status = exit_code(wait_for_program(program, &unblocked));
	end_stragglers();
	trace_end(&config);
	setup_end(); /* the host ends the machine as soon as it knows */
	control_send(CONTROL_EXIT, &status, sizeof(status));
	program_finish_streams(&config);
	sleep(10);
	power_off();
}
