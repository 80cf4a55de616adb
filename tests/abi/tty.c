/* Pseudo-terminals: the line discipline, terminal ioctls, job control. */
#include "test.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;
static char slave_name[40];

static void open_pty(void)
{
	int n = -1, unlock = 0;

	master = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	CHECK_OK(ioctl(master, TIOCGPTN, &n));
	snprintf(slave_name, sizeof(slave_name), "/dev/pts/%d", n);
	CHECK_ERR(open(slave_name, O_RDWR | O_NOCTTY), EIO); /* still locked */
	CHECK_OK(ioctl(master, TIOCSPTLCK, &unlock));
	slave = CHECK_OK(open(slave_name, O_RDWR | O_NOCTTY));
}

static void type(const char *s)
{
	CHECK_EQ(write(master, s, strlen(s)), strlen(s));
}

/* All that the other side has to read within a moment. */
static const char *take(int fd)
{
	static char buf[8192];
	struct pollfd p = { fd, POLLIN, 0 };
	size_t len = 0;

	while (len < sizeof(buf) - 1 && poll(&p, 1, 100) == 1 && p.revents & POLLIN) {
		ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);

		if (n <= 0)
			break;
		len += n;
	}
	buf[len] = 0;
	return buf;
}

static void change(tcflag_t iclear, tcflag_t lclear, tcflag_t lset)
{
	struct termios t;

	CHECK_OK(tcgetattr(slave, &t));
	t.c_iflag &= ~iclear;
	t.c_lflag &= ~lclear;
	t.c_lflag |= lset;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
}

TEST(new_terminal_has_the_usual_modes)
{
	struct termios t;
	struct winsize w;

	open_pty();
	CHECK(isatty(slave));
	CHECK_OK(tcgetattr(slave, &t));
	CHECK_EQ(t.c_iflag, ICRNL | IXON);
	CHECK_EQ(t.c_oflag, OPOST | ONLCR);
	CHECK_EQ(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
	CHECK_EQ(t.c_cflag & (CSIZE | CREAD), CS8 | CREAD);
	CHECK_EQ(t.c_cc[VINTR], 3);
	CHECK_EQ(t.c_cc[VQUIT], 28);
	CHECK_EQ(t.c_cc[VERASE], 127);
	CHECK_EQ(t.c_cc[VKILL], 21);
	CHECK_EQ(t.c_cc[VEOF], 4);
	CHECK_EQ(t.c_cc[VSUSP], 26);
	CHECK_OK(ioctl(slave, TIOCGWINSZ, &w));
	CHECK_EQ(w.ws_row, 0);
}

TEST(output_newlines_become_cr_nl)
{
	open_pty();
	CHECK_EQ(write(slave, "a\nb", 3), 3);
	CHECK_STR(take(master), "a\r\nb");
}

TEST(canonical_read_waits_for_a_line)
{
	struct pollfd p;
	char buf[20];

	open_pty();
	p = (struct pollfd){ slave, POLLIN, 0 };
	type("ab");
	CHECK_EQ(poll(&p, 1, 20), 0);
	type("c\rnext");
	CHECK_EQ(poll(&p, 1, 1000), 1);
	CHECK_EQ(read(slave, buf, sizeof(buf)), 4);
	CHECK(!memcmp(buf, "abc\n", 4));
	CHECK_STR(take(master), "abc\r\nnext");
}

TEST(one_read_returns_one_line_or_part_of_it)
{
	char buf[20] = "";

	open_pty();
	type("one\ntwo\n");
	CHECK_EQ(read(slave, buf, 2), 2);
	CHECK_EQ(read(slave, buf, sizeof(buf)), 2);
	CHECK_EQ(read(slave, buf, sizeof(buf)), 4);
	CHECK(!memcmp(buf, "two\n", 4));
}

TEST(erase_word_erase_and_kill)
{
	open_pty();
	type("abX\x7f" "c\n");
	CHECK_STR(take(slave), "abc\n");
	CHECK_STR(take(master), "abX\b \bc\r\n");
	type("one two\x17" "three\n");
	CHECK_STR(take(slave), "one three\n");
	type("gone\x15kept\n");
	CHECK_STR(take(slave), "kept\n");
	type("\x7f\x7fx\n");
	CHECK_STR(take(slave), "x\n");
}

TEST(literal_next_quotes)
{
	open_pty();
	type("\x16\x03\n");
	CHECK_STR(take(slave), "\x03\n");
}

TEST(end_of_file_character)
{
	char buf[10];

	open_pty();
	type("ab\x04");
	CHECK_EQ(read(slave, buf, sizeof(buf)), 2);
	type("\x04");
	CHECK_EQ(read(slave, buf, sizeof(buf)), 0);
	type("c\n");
	CHECK_EQ(read(slave, buf, sizeof(buf)), 2);
}

TEST(echo_can_be_off_and_control_characters_show)
{
	open_pty();
	type("\x01\n");
	CHECK_STR(take(master), "^A\r\n");
	change(0, ECHO, 0);
	type("secret\n");
	CHECK_STR(take(slave), "\x01\nsecret\n");
	CHECK_STR(take(master), "");
	change(0, 0, ECHONL);
	type("x\n");
	CHECK_STR(take(master), "\r\n");
}

TEST(raw_mode_passes_every_byte)
{
	struct termios t;
	char buf[10];

	open_pty();
	CHECK_OK(tcgetattr(slave, &t));
	cfmakeraw(&t);
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	type("\r\x03\x7f\x04");
	CHECK_EQ(read(slave, buf, sizeof(buf)), 4);
	CHECK(!memcmp(buf, "\r\x03\x7f\x04", 4));
	CHECK_EQ(write(slave, "\n", 1), 1);
	CHECK_STR(take(master), "\n");
}

TEST(locked_settings_stay)
{
	struct termios t, locked = {0}, got;

	open_pty();
	CHECK_OK(ioctl(slave, TIOCGLCKTRMIOS, &got));
	CHECK_EQ(got.c_lflag | got.c_iflag | got.c_cc[VINTR], 0);
	locked.c_lflag = ECHO;
	locked.c_cc[VINTR] = 1;
	CHECK_ERR(ioctl(slave, TIOCSLCKTRMIOS, NULL), EFAULT);
	CHECK_OK(ioctl(slave, TIOCSLCKTRMIOS, &locked));
	CHECK_OK(ioctl(slave, TIOCGLCKTRMIOS, &got));
	CHECK_EQ(got.c_lflag, ECHO);
	CHECK_OK(tcgetattr(slave, &t));
	t.c_lflag &= ~(ECHO | ICANON);
	t.c_cc[VINTR] = 7;
	t.c_cc[VQUIT] = 8;
	CHECK_OK(ioctl(slave, TCSETS, &t));
	CHECK_OK(tcgetattr(slave, &t));
	CHECK_EQ(t.c_lflag & (ECHO | ICANON), ECHO);
	CHECK_EQ(t.c_cc[VINTR], 3);
	CHECK_EQ(t.c_cc[VQUIT], 8);
	CHECK_OK(setuid(65534));
	CHECK_ERR(ioctl(slave, TIOCSLCKTRMIOS, &locked), EPERM);
}

TEST(vmin_and_vtime)
{
	struct termios t;
	char buf[10];
	u64 start;

	open_pty();
	CHECK_OK(tcgetattr(slave, &t));
	t.c_lflag &= ~(ICANON | ECHO);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	CHECK_EQ(read(slave, buf, 1), 0);
	t.c_cc[VTIME] = 1;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(read(slave, buf, 1), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 90000000);
	t.c_cc[VMIN] = 3;
	t.c_cc[VTIME] = 0;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	type("ab");
	CHECK_EQ(poll(&(struct pollfd){ slave, POLLIN, 0 }, 1, 20), 0);
	type("c");
	CHECK_EQ(read(slave, buf, sizeof(buf)), 3);
}

TEST(input_flow_stop_and_start)
{
	open_pty();
	type("\x13");
	CHECK_OK(fcntl(slave, F_SETFL, O_NONBLOCK));
	sleep_ms(5);
	CHECK_ERR(write(slave, "x", 1), EAGAIN);
	type("\x11");
	sleep_ms(5);
	CHECK_EQ(write(slave, "y", 1), 1);
	CHECK_STR(take(master), "y");
}

TEST(nonblocking_read_and_queue_sizes)
{
	char c;
	int n = -1;

	open_pty();
	CHECK_OK(fcntl(slave, F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(slave, &c, 1), EAGAIN);
	type("abc\nde");
	sleep_ms(5);
	CHECK_OK(ioctl(slave, FIONREAD, &n));
	CHECK_EQ(n, 4);
	CHECK_OK(tcflush(slave, TCIFLUSH));
	CHECK_ERR(read(slave, &c, 1), EAGAIN);
}

TEST(window_size_change_signals_the_foreground)
{
	struct winsize w = { 40, 100, 0, 0 }, got = { 0 };

	open_pty();
	IN_CHILD {
		sigset_t set;

		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		sigemptyset(&set);
		sigaddset(&set, SIGWINCH);
		sigprocmask(SIG_BLOCK, &set, NULL);
		CHECK_OK(ioctl(master, TIOCSWINSZ, &w));
		CHECK_EQ(sigwaitinfo(&set, NULL), SIGWINCH);
		CHECK_OK(ioctl(slave, TIOCGWINSZ, &got));
		CHECK(got.ws_row == 40 && got.ws_col == 100);
		CHECK_OK(ioctl(master, TIOCSWINSZ, &w)); /* the same again: no signal */
		CHECK_ERR(sigtimedwait(&set, NULL, &(struct timespec){ 0, 10000000 }), EAGAIN);
	}
}

TEST(closing_the_master_hangs_up)
{
	int pipefd[2];
	char c;
	pid_t pid;

	open_pty();
	CHECK_OK(pipe(pipefd));
	pid = test_fork();
	if (pid == 0) {
		close(master);
		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		CHECK_EQ(write(pipefd[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(pipefd[0], &c, 1), 1);
	close(master);
	CHECK_KILLED(pid, SIGHUP);
	CHECK_EQ(read(slave, &c, 1), 0);
	CHECK_ERR(write(slave, "x", 1), EIO);
	CHECK(poll(&(struct pollfd){ slave, POLLIN, 0 }, 1, 0) == 1);
}

TEST(closing_the_slave_ends_the_master)
{
	char c;

	open_pty();
	CHECK_EQ(write(slave, "z", 1), 1);
	close(slave);
	CHECK_EQ(read(master, &c, 1), 1);
	CHECK_ERR(read(master, &c, 1), EIO);
	slave = CHECK_OK(open(slave_name, O_RDWR | O_NOCTTY));
	CHECK_EQ(write(slave, "y", 1), 1);
	CHECK_EQ(read(master, &c, 1), 1);
}

TEST(signal_characters_reach_the_foreground_group)
{
	static const struct {
		char key;
		int sig;
	} t[] = { { 3, SIGINT }, { 28, SIGQUIT }, { 26, SIGTSTP } };

	open_pty();
	IN_CHILD {
		sigset_t set;

		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
			char key[2] = { t[i].key, 0 };
			siginfo_t info;

			type("dropped");
			type(key);
			CHECK_EQ(sigwaitinfo(&set, &info), t[i].sig);
			CHECK_EQ(info.si_code, SI_KERNEL);
			type("\n");
			CHECK_STR(take(slave), "\n");
		}
		change(0, ISIG, 0);
		type("\x03\n");
		CHECK_STR(take(slave), "\x03\n");
	}
}

TEST(open_by_a_session_leader_takes_the_terminal_unless_told_not_to)
{
	open_pty();
	IN_CHILD {
		int fd;

		CHECK_OK(setsid());
		fd = CHECK_OK(open(slave_name, O_RDWR | O_NOCTTY));
		CHECK_EQ(fcntl(fd, F_GETFL) & O_NOCTTY, 0);
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		close(CHECK_OK(open(slave_name, O_RDWR)));
		close(CHECK_OK(open("/dev/tty", O_RDWR)));
		CHECK_EQ(tcgetsid(fd), getpid());
	}
}

TEST(controlling_terminal)
{
	open_pty();
	IN_CHILD {
		pid_t pgrp = 0;

		CHECK_ERR(ioctl(slave, TIOCGPGRP, &pgrp), ENOTTY);
		CHECK_OK(setsid());
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		CHECK_OK(open("/dev/tty", O_RDWR));
		CHECK_EQ(tcgetpgrp(slave), getpgrp());
		CHECK_OK(ioctl(slave, TIOCGSID, &pgrp));
		CHECK_EQ(pgrp, getpid());
		CHECK_ERR(tcsetpgrp(slave, 0x3ffffff), ESRCH);
		CHECK_ERR(tcsetpgrp(slave, 1), EPERM);
		CHECK_ERR(tcsetpgrp(slave, -1), EINVAL);
		signal(SIGHUP, SIG_IGN);
		CHECK_OK(ioctl(slave, TIOCNOTTY, 0));
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	}
	IN_CHILD {
		CHECK_OK(setsid()); /* the first terminal opened becomes the controlling one */
		CHECK_OK(open(slave_name, O_RDWR));
		CHECK_OK(open("/dev/tty", O_RDWR));
	}
}

TEST(background_read_stops_until_foreground)
{
	open_pty();
	IN_CHILD {
		pid_t pid;
		int status;
		char c;

		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		pid = test_fork();
		if (pid == 0) {
			setpgid(0, 0);
			if (read(slave, &c, 1) != 1)
				_exit(1);
			if (write(slave, "w", 1) != 1)
				_exit(2);
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK_EQ(status, SIGTTIN << 8 | 0x7f);
		type("l\n");
		CHECK_OK(tcsetpgrp(slave, pid));
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EXITS(pid, 0);
	}
}

TEST(job_control_cycle)
{
	open_pty();
	IN_CHILD {
		pid_t pid;
		int status;
		char c;

		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		signal(SIGTTOU, SIG_IGN);
		pid = test_fork();
		if (pid == 0) {
			setpgid(0, 0);
			signal(SIGTTOU, SIG_DFL);
			if (read(slave, &c, 1) != 1 || c != 'l')
				_exit(1);
			for (;;)
				pause();
		}
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK_EQ(status, SIGTTIN << 8 | 0x7f);
		CHECK_OK(tcsetpgrp(slave, pid)); /* fg */
		CHECK_OK(kill(-pid, SIGCONT));
		type("l\n");
		wait_state(pid, "S");
		sleep_ms(20);
		type("\x1a"); /* ^Z */
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK_EQ(status, SIGTSTP << 8 | 0x7f);
		CHECK_OK(tcsetpgrp(slave, getpgrp()));
		CHECK_OK(kill(-pid, SIGCONT)); /* bg */
		CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
		CHECK_OK(tcsetpgrp(slave, pid));
		type("\x03"); /* ^C */
		CHECK_KILLED(pid, SIGINT);
	}
}

TEST(tostop_stops_background_writers)
{
	open_pty();
	IN_CHILD {
		pid_t pid;
		int status;

		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		change(0, 0, TOSTOP);
		pid = test_fork();
		if (pid == 0) {
			setpgid(0, 0);
			_exit(write(slave, "w", 1) != 1);
		}
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK_EQ(status, SIGTTOU << 8 | 0x7f);
		change(0, TOSTOP, 0);
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EXITS(pid, 0);
	}
}

TEST(orphaned_background_read_is_eio)
{
	open_pty();
	IN_CHILD {
		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		signal(SIGTTIN, SIG_IGN);
		IN_CHILD {
			char c;

			CHECK_OK(setpgid(0, 0));
			CHECK_ERR(read(slave, &c, 1), EIO);
		}
	}
}

TEST(session_leader_exit_hangs_up_the_foreground)
{
	pid_t leader;
	int pipefd[2];
	char c = 0;

	open_pty();
	CHECK_OK(pipe(pipefd));
	leader = test_fork();
	if (leader == 0) {
		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		if (test_fork() == 0) {
			sigset_t set;
			int sig;

			sigemptyset(&set);
			sigaddset(&set, SIGHUP);
			sigprocmask(SIG_BLOCK, &set, NULL);
			CHECK_EQ(write(pipefd[1], "r", 1), 1);
			sigwait(&set, &sig);
			CHECK_EQ(write(pipefd[1], "h", 1), 1);
			_exit(0);
		}
		CHECK_EQ(read(pipefd[0], &c, 1), 1);
		_exit(0);
	}
	CHECK_EXITS(leader, 0);
	CHECK_EQ(read(pipefd[0], &c, 1), 1);
	CHECK_EQ(c, 'h');
}

TEST(ioctl_refusals)
{
	int fd, n;
	struct termios t;

	open_pty();
	write_file("f", "");
	fd = CHECK_OK(open("f", O_RDWR));
	CHECK_ERR(tcgetattr(fd, &t), ENOTTY);
	CHECK_ERR(ioctl(fd, TIOCGWINSZ, &n), ENOTTY);
	CHECK_ERR(ioctl(slave, 0x5499), ENOTTY);
	CHECK_ERR(ioctl(slave, TCGETS, 8), EFAULT);
	CHECK_ERR(ioctl(slave, TCSETS, 8), EFAULT);
	CHECK_ERR(ioctl(-1, TCGETS, &t), EBADF);
	CHECK_ERR(ioctl(slave, TIOCGPTN, &n), ENOTTY);
}
