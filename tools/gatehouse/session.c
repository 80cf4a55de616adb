/*
 * The event loop: one thread, one poll, everything non-blocking.
 *
 * The run ends in one of four ways, in `struct session`: the guest reported a status and every
 * byte of output is out; --timeout expired; a signal came before the program was there to get it;
 * the machine went away without a word. Whatever the way, the machine is killed, what it had
 * already said is delivered, and the terminal is restored (by exit).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "error.h"
#include "klog.h"
#include "session.h"
#include "stream.h"
#include "terminal.h"
#include "trace.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

#define FINISH_NS (5 * NS_PER_S)      /* after the exit status: wait for outputs to close */
#define LAST_WORDS_NS (1 * NS_PER_S)  /* after killing the machine: wait for a slow reader */
#define BROKEN_PIPE_NS (2 * NS_PER_S) /* after SIGPIPE: wait for the program to end */
#define CONSOLE_HIGH (512 * 1024)     /* bytes of terminal output at which the machine halts */
#define CONSOLE_LOW (64 * 1024)	      /* … and at which it goes on */
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct session {
	const struct machine *machine;
	bool terminal;
	bool is_linux;
	struct channel channel;
	struct inflow in;
	struct outflow out, err;
	struct klog serial, qemu;
	int signals;
	char end_mark[END_MARK_LEN];
	uint64_t deadline_ns; /* --timeout; UINT64_MAX: none */
	uint64_t finish_ns;   /* when to stop waiting for last bytes; UINT64_MAX: not ending */
	uint64_t broken_ns;   /* when to stop waiting for SIGPIPE to work */
	bool started;	      /* the program runs: signals are its own */
	bool ended;	      /* `status` is the answer */
	bool halted;	      /* SIGSTOP: the terminal does not keep up */
	int status;
};

/* One slot per descriptor that poll watches. */
enum slot {
	SLOT_SIGNALS,
	SLOT_CONTROL,
	SLOT_SERIAL,
	SLOT_QEMU,
	SLOT_OUT,
	SLOT_ERR,
	SLOT_IN,
	SLOT_IN_GUEST,
	SLOT_TRACE,
	NR_SLOTS
};

/* Large buffers, one session per process. */
static struct session session;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void forwarded_signals(sigset_t *set)
{
	static const int numbers[] = {SIGHUP,  SIGINT,	SIGQUIT,  SIGUSR1, SIGUSR2,
				      SIGTERM, SIGALRM, SIGWINCH, SIGTSTP};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(set, numbers[i]);
}

void session_block_signals(void)
{
	sigset_t set;

	forwarded_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* --- configuration --------------------------------------------------------------------------- */

static void make_end_mark(char mark[END_MARK_LEN])
{
	unsigned char random[END_MARK_LEN / 2];
	char text[END_MARK_LEN + 1];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		die("cannot get random bytes: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(text + 2 * i, 3, "%02x", random[i]);
	memcpy(mark, text, END_MARK_LEN);
}

static bool env_given(const struct run_options *options, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < options->nr_env; i++) {
		if (strncmp(options->env[i], name, len) == 0 && options->env[i][len] == '=')
			return true;
	}
	return false;
}

static void send_environment(struct channel *channel, const struct run_options *options,
			     bool terminal)
{
	const char *type = getenv("TERM");

	if (!env_given(options, "PATH"))
		channel_send_text(channel, CONTROL_ENV, DEFAULT_PATH);
	if (terminal && type && !env_given(options, "TERM")) {
		char *entry = format_text("TERM=%s", type);
		channel_send_text(channel, CONTROL_ENV, entry);
		free(entry);
	}
	for (size_t i = 0; i < options->nr_env; i++)
		channel_send_text(channel, CONTROL_ENV, options->env[i]);
}

static void send_profile(struct channel *channel, const struct profile *profile)
{
	size_t size = profile->len * sizeof(profile->filter[0]);
	char *frame;

	if (!profile->len)
		return;
	frame = xmalloc(sizeof(profile->flags) + size);
	memcpy(frame, &profile->flags, sizeof(profile->flags));
	memcpy(frame + sizeof(profile->flags), profile->filter, size);
	channel_send(channel, CONTROL_SECCOMP, frame, sizeof(profile->flags) + size);
	free(frame);
}

static void send_configuration(struct session *s, const struct run_options *options,
			       const struct boot_files *files,
			       const struct machine_streams *streams,
			       const struct profile *profile)
{
	struct channel *channel = &s->channel;

	for (char *const *word = options->argv; *word; word++)
		channel_send_text(channel, CONTROL_ARG, *word);
	send_environment(channel, options, streams->terminal);
	if (files->nr_disks && files->disks[0].is_root) {
		char *text = disk_describe_root(&files->disks[0]);
		channel_send_text(channel, CONTROL_MOUNT, text);
		free(text);
	}
	for (size_t i = 0; i < files->nr_shares; i++) {
		char *text = share_describe(&files->shares[i]);
		channel_send_text(channel, CONTROL_MOUNT, text);
		free(text);
	}
	channel_send_text(channel, CONTROL_WORKDIR, options->workdir);
	if (options->user)
		channel_send_text(channel, CONTROL_USER, options->user);
	if (options->hostname)
		channel_send_text(channel, CONTROL_HOSTNAME, options->hostname);
	if (streams->terminal) {
		struct control_terminal terminal = {.size = terminal_size(),
						    .separate_stderr = streams->separate_stderr};
		channel_send(channel, CONTROL_TERMINAL, &terminal, sizeof(terminal));
	}
	send_profile(channel, profile);
	if (trace_mode())
		channel_send_text(channel, CONTROL_TRACE, trace_mode());
	channel_send(channel, CONTROL_END_MARK, s->end_mark, sizeof(s->end_mark));
	channel_send(channel, CONTROL_START, NULL, 0);
}

static bool wants_kernel_log(const struct run_options *options)
{
	for (size_t i = 0; i < options->nr_append; i++) {
		if (strstr(options->append[i], "debug"))
			return true;
	}
	return false;
}

static void session_init(struct session *s, const struct machine *machine,
			 const struct run_options *options, const struct boot_files *files,
			 const struct machine_streams *streams, const struct profile *profile)
{
	uint64_t now = now_ns();
	sigset_t set;

	s->machine = machine;
	s->terminal = streams->terminal;
	s->is_linux = files->is_linux;
	s->deadline_ns = options->timeout_ns ? now + options->timeout_ns : UINT64_MAX;
	s->finish_ns = s->broken_ns = UINT64_MAX;
	make_end_mark(s->end_mark);
	channel_init(&s->channel, machine->control);
	trace_attach(machine->trace);
	inflow_init(&s->in, STDIN_FILENO, machine->in, machine->in_is_socket);
	outflow_init(&s->out, machine->out, STDOUT_FILENO, s->end_mark);
	outflow_init(&s->err, machine->err, STDERR_FILENO, s->end_mark);
	klog_init(&s->serial, machine->serial, wants_kernel_log(options));
	klog_init(&s->qemu, machine->qemu, false);
	forwarded_signals(&set);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		die("cannot receive signals: %s", strerror(errno));
	send_configuration(s, options, files, streams, profile);
}

/* --- the end --------------------------------------------------------------------------------- */

/* The answer is known; `wait_ns` more for output that is on its way. */
static void session_end(struct session *s, int status, uint64_t wait_ns)
{
	if (s->ended)
		return;
	s->ended = true;
	s->status = status;
	s->finish_ns = now_ns() + wait_ns;
	s->out.program_ended = s->err.program_ended = true;
}

static void session_kill(struct session *s, int status)
{
	kill(s->machine->pid, SIGKILL);
	session_end(s, status, LAST_WORDS_NS);
}

static bool machine_gone(const struct session *s)
{
	return s->channel.fd < 0 && s->serial.from < 0 && s->qemu.from < 0;
}

/* The guest died, or QEMU did: says which, and shows what there is to see. */
static void report_death(struct session *s)
{
	char reason[256];
	int wait_status = 0;

	waitpid(s->machine->pid, &wait_status, 0);
	if (WIFSIGNALED(wait_status))
		complain("QEMU was killed by signal %d before the program ended",
			 WTERMSIG(wait_status));
	else if (WEXITSTATUS(wait_status) == 0)
		complain("the guest stopped before the program ended%s",
			 s->serial.show	 ? ""
			 : s->serial.end ? "; its last kernel messages follow"
					 : " and left no kernel message");
	else if (klog_last_line(&s->qemu, reason, sizeof(reason)))
		complain("QEMU failed: %s", reason);
	else
		complain("QEMU failed with status %d", WEXITSTATUS(wait_status));
	if (!s->serial.show)
		klog_print_tail(&s->serial, 20);
	session_end(s, STATUS_OWN_ERROR, LAST_WORDS_NS);
}

static bool session_over(struct session *s)
{
	if (!s->ended && machine_gone(s))
		report_death(s);
	if (!s->ended)
		return false;
	return (outflow_done(&s->out) && outflow_done(&s->err) && trace_done()) ||
	       now_ns() >= s->finish_ns;
}

/* --- events ---------------------------------------------------------------------------------- */

/* Stops with the machine, as job control asks, and goes on with it. */
static void suspend(struct session *s)
{
	kill(s->machine->pid, SIGSTOP);
	terminal_restore();
	raise(SIGSTOP);
	if (s->terminal && s->started)
		terminal_raw();
	if (!s->halted)
		kill(s->machine->pid, SIGCONT);
}

static void send_signal(struct session *s, uint32_t signo, bool to_group)
{
	struct control_signal request = {.signo = signo, .to_group = to_group};

	channel_send(&s->channel, CONTROL_SIGNAL, &request, sizeof(request));
}

static void on_signal(struct session *s, const struct signalfd_siginfo *info)
{
	if (info->ssi_signo == SIGTSTP) {
		suspend(s);
	} else if (info->ssi_signo == SIGWINCH) {
		struct control_winsize size = terminal_size();
		if (s->terminal)
			channel_send(&s->channel, CONTROL_WINSIZE, &size, sizeof(size));
	} else if (s->started) {
		/* What a key of the terminal causes goes to all processes, as it would locally. */
		send_signal(s, info->ssi_signo, info->ssi_code == SI_KERNEL);
	} else {
		session_kill(s, STATUS_SIGNAL + (int)info->ssi_signo);
	}
}

static void read_signals(struct session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(s, &info);
}

static void on_frame(struct session *s, const struct control_frame *frame, const char *payload)
{
	uint32_t status;

	switch (frame->type) {
	case CONTROL_STARTED:
		s->started = true;
		if (s->terminal)
			terminal_raw();
		break;
	case CONTROL_EXIT:
		if (frame->len == sizeof(status)) {
			memcpy(&status, payload, sizeof(status));
			session_end(s, (int)(status & 0xff), FINISH_NS);
		}
		break;
	case CONTROL_ERROR:
		terminal_restore();
		complain("%.*s", (int)frame->len, payload);
		session_kill(s, STATUS_OWN_ERROR);
		break;
	default:
		break; /* the guest is not trusted: what means nothing does nothing */
	}
}

static void read_control(struct session *s)
{
	struct control_frame frame;
	char payload[512];

	channel_fill(&s->channel);
	while (channel_next(&s->channel, &frame, payload, sizeof(payload)))
		on_frame(s, &frame, payload);
}

/*
 * A reader that went away kills the writer, as a local pipe would. Gatehouse does so itself when
 * the host closes a port; on Linux a write to such a port waits for ever.
 */
static void check_broken(struct session *s)
{
	if (!s->is_linux || s->ended || s->broken_ns != UINT64_MAX ||
	    !(s->out.broken || s->err.broken))
		return;
	send_signal(s, SIGPIPE, true);
	s->broken_ns = now_ns() + BROKEN_PIPE_NS;
}

/* QEMU drops terminal output that does not fit: the machine halts while the pipe is filling up. */
static void check_console(struct session *s)
{
	int waiting = 0;

	if (!s->terminal || s->out.from < 0 || ioctl(s->out.from, FIONREAD, &waiting) < 0)
		return;
	if (!s->halted && waiting > CONSOLE_HIGH) {
		s->halted = true;
		kill(s->machine->pid, SIGSTOP);
	} else if (s->halted && waiting < CONSOLE_LOW) {
		s->halted = false;
		kill(s->machine->pid, SIGCONT);
	}
}

static void check_deadlines(struct session *s)
{
	uint64_t now = now_ns();

	if (!s->ended && now >= s->deadline_ns)
		session_kill(s, STATUS_TIMEOUT);
	if (!s->ended && now >= s->broken_ns)
		session_kill(s, STATUS_SIGNAL + SIGPIPE);
}

static int poll_timeout_ms(const struct session *s)
{
	uint64_t next = s->ended ? s->finish_ns : s->deadline_ns;
	uint64_t now = now_ns();

	if (!s->ended && s->broken_ns < next)
		next = s->broken_ns;
	if (next == UINT64_MAX)
		return -1;
	if (next <= now)
		return 0;
	uint64_t ms = (next - now) / NS_PER_MS + 1;
	return ms > 3600000 ? 3600000 : (int)ms;
}

static void want(const struct session *s, struct pollfd slots[NR_SLOTS])
{
	slots[SLOT_SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	slots[SLOT_CONTROL] = (struct pollfd){.fd = s->channel.fd, .events = POLLIN};
	if (channel_has_output(&s->channel))
		slots[SLOT_CONTROL].events |= POLLOUT;
	slots[SLOT_SERIAL] = (struct pollfd){.fd = s->serial.from, .events = POLLIN};
	slots[SLOT_QEMU] = (struct pollfd){.fd = s->qemu.from, .events = POLLIN};
	outflow_want(&s->out, &slots[SLOT_OUT]);
	outflow_want(&s->err, &slots[SLOT_ERR]);
	inflow_want(&s->in, &slots[SLOT_IN]);
	trace_want(&slots[SLOT_TRACE]);
	if (s->ended || !s->started)
		slots[SLOT_IN].fd = -1;
}

static void handle(struct session *s, const struct pollfd slots[NR_SLOTS])
{
	if (slots[SLOT_SIGNALS].revents)
		read_signals(s);
	if (slots[SLOT_CONTROL].revents & (POLLIN | POLLHUP | POLLERR))
		read_control(s);
	if (slots[SLOT_SERIAL].revents)
		klog_read(&s->serial);
	if (slots[SLOT_QEMU].revents)
		klog_read(&s->qemu);
	outflow_run(&s->out, &slots[SLOT_OUT]);
	outflow_run(&s->err, &slots[SLOT_ERR]);
	inflow_run(&s->in, &slots[SLOT_IN]);
	trace_run(&slots[SLOT_TRACE]);
}

/* A slow reader may take as long as it likes: the wait is for output that has not come yet. */
static void note_progress(struct session *s, const struct pollfd slots[NR_SLOTS])
{
	bool moving = slots[SLOT_OUT].events == POLLOUT || slots[SLOT_ERR].events == POLLOUT;

	if (s->ended && moving && s->status != STATUS_TIMEOUT)
		s->finish_ns = now_ns() + FINISH_NS;
}

int session_run(const struct machine *machine, const struct run_options *options,
		const struct boot_files *files, const struct machine_streams *streams,
		const struct profile *profile)
{
	struct session *s = &session;
	struct pollfd slots[NR_SLOTS];

	session_init(s, machine, options, files, streams, profile);
	while (!session_over(s)) {
		channel_flush(&s->channel);
		want(s, slots);
		if (poll(slots, NR_SLOTS, poll_timeout_ms(s)) < 0) {
			if (errno == EINTR)
				continue;
			die("cannot wait for the machine: %s", strerror(errno));
		}
		note_progress(s, slots);
		handle(s, slots);
		check_broken(s);
		check_console(s);
		check_deadlines(s);
	}
	kill(machine->pid, SIGKILL);
	trace_finish();
	return s->status;
}
