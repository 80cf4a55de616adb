/* Signals: dispositions, masks, queues, order, restart, waiting, alternate stacks. */
#include "test.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static volatile int hits, last_sig;
static volatile siginfo_t last_info;

static void on_signal(int sig)
{
	hits++;
	last_sig = sig;
}

static void on_info(int sig, siginfo_t *info, void *ctx)
{
	(void)ctx;
	hits++;
	last_sig = sig;
	memcpy((void *)&last_info, info, sizeof(*info));
}

static void handle(int sig, int flags)
{
	struct sigaction act = { .sa_flags = flags };

	if (flags & SA_SIGINFO)
		act.sa_sigaction = on_info;
	else
		act.sa_handler = on_signal;
	CHECK_OK(sigaction(sig, &act, NULL));
}

static void block(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK_OK(sigprocmask(how, &set, NULL));
}

static bool is_pending(int sig)
{
	sigset_t set;

	CHECK_OK(sigpending(&set));
	return sigismember(&set, sig);
}

/* Run the calling process's signal sig from a child once this process sleeps. */
static pid_t signal_when_asleep(int sig)
{
	pid_t self = getpid(), pid = test_fork();

	if (pid == 0) {
		wait_state(self, "S");
		kill(self, sig);
		_exit(0);
	}
	return pid;
}

TEST(default_actions)
{
	static const u8 dies[] = { SIGHUP, SIGINT, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2,
				   SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, 32, 33, 34, 64,
				   SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP,
				   SIGSYS, SIGXCPU, SIGXFSZ, SIGKILL };
	static const u8 lives[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };

	CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }));
	for (size_t i = 0; i < sizeof(dies); i++) {
		pid_t pid = test_fork();

		if (pid == 0) {
			syscall(SYS_kill, getpid(), dies[i]);
			_exit(0);
		}
		CHECK_EQ(test_reap(pid), dies[i]);
	}
	for (size_t i = 0; i < sizeof(lives); i++)
		IN_CHILD CHECK_OK(syscall(SYS_kill, getpid(), lives[i]));
}

TEST(kill_and_stop_cannot_be_caught_blocked_or_ignored)
{
	static const int sigs[] = { SIGKILL, SIGSTOP };
	struct sigaction act = { .sa_handler = on_signal };
	sigset_t set;

	for (int i = 0; i < 2; i++) {
		CHECK_ERR(sigaction(sigs[i], &act, NULL), EINVAL);
		CHECK_OK(sigaction(sigs[i], NULL, &act));
		CHECK(act.sa_handler == SIG_DFL);
		act.sa_handler = on_signal;
	}
	sigfillset(&set);
	CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
	CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &set));
	CHECK_EQ(sigismember(&set, SIGKILL), 0);
	CHECK_EQ(sigismember(&set, SIGSTOP), 0);
	CHECK_EQ(sigismember(&set, SIGTERM), 1);
}

TEST(sigaction_refusals_and_round_trip)
{
	struct sigaction act;
	u64 raw[4] = { 0 };

	CHECK_ERR(syscall(SYS_rt_sigaction, 0, raw, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, 65, raw, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, raw, NULL, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, 8, 8), EFAULT);
	handle(SIGUSR1, SA_RESTART | SA_NODEFER | SA_SIGINFO);
	CHECK_OK(sigaction(SIGUSR1, NULL, &act));
	CHECK(act.sa_sigaction == on_info);
	CHECK((act.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO | SA_RESETHAND)) ==
	      (SA_RESTART | SA_NODEFER | SA_SIGINFO));
}

TEST(blocked_standard_signal_queues_once)
{
	handle(SIGUSR1, 0);
	block(SIG_BLOCK, SIGUSR1);
	for (int i = 0; i < 5; i++)
		raise(SIGUSR1);
	CHECK(is_pending(SIGUSR1));
	CHECK_EQ(hits, 0);
	block(SIG_UNBLOCK, SIGUSR1);
	CHECK_EQ(hits, 1);
	CHECK(!is_pending(SIGUSR1));
}

static int order[32], nr_order;

static void record(int sig, siginfo_t *info, void *ctx)
{
	(void)ctx;
	order[nr_order++] = sig * 1000 + info->si_value.sival_int;
}

TEST(real_time_signals_queue_in_order_lowest_first)
{
	struct sigaction act = { .sa_sigaction = record, .sa_flags = SA_SIGINFO };
	static const int send[] = { 40, 38, 40, 38, 50, 38 };
	sigset_t all;

	sigfillset(&all);
	act.sa_mask = all;
	for (int i = 35; i < 64; i++)
		CHECK_OK(sigaction(i, &act, NULL));
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(send); i++)
		CHECK_OK(sigqueue(getpid(), send[i], (union sigval){ .sival_int = i }));
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	CHECK_EQ(nr_order, 6);
	/* All are delivered at once, so the frames stack up and the handlers run highest first;
	   with everything masked in the handler each return delivers the next. */
	static const int want[] = { 38001, 38003, 38005, 40000, 40002, 50004 };
	for (int i = 0; i < 6; i++)
		CHECK_EQ(order[i], want[i]);
}

TEST(sigqueue_limit)
{
	int n = 0;

	CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){ 20, 20 }));
	block(SIG_BLOCK, 40);
	while (n < 100 && sigqueue(getpid(), 40, (union sigval){ 0 }) == 0)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK(n <= 20);
	/* A plain kill of a standard signal still gets through. */
	block(SIG_BLOCK, SIGUSR1);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK(is_pending(SIGUSR1));
}

TEST(siginfo_tells_the_sender)
{
	handle(SIGUSR1, SA_SIGINFO);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(last_info.si_code, SI_USER);
	CHECK_EQ(last_info.si_pid, getpid());
	CHECK_EQ(last_info.si_uid, getuid());
	CHECK_EQ(last_info.si_signo, SIGUSR1);
	CHECK_OK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1));
	CHECK_EQ(last_info.si_code, SI_TKILL);
	CHECK_OK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_ptr = (void *)0x123456789 }));
	CHECK_EQ(last_info.si_code, SI_QUEUE);
	CHECK(last_info.si_value.sival_ptr == (void *)0x123456789);
	CHECK_EQ(hits, 3);
}

TEST(sigqueueinfo_cannot_forge_the_kernel)
{
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER };
	pid_t other = test_fork();

	if (other == 0)
		for (;;)
			pause();
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, other, SIGUSR1, &info), EPERM);
	info.si_code = SI_TKILL;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, other, SIGUSR1, &info), EPERM);
	info.si_code = 1;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, other, SIGUSR1, &info), EPERM);
	info.si_code = SI_QUEUE;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, other, 65, &info), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, other, SIGUSR1, 8), EFAULT);
	CHECK_OK(syscall(SYS_rt_sigqueueinfo, other, SIGUSR1, &info));
	CHECK_KILLED(other, SIGUSR1);
}

TEST(kill_and_tgkill_refusals)
{
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_ERR(kill(getpid(), -1), EINVAL);
	CHECK_ERR(kill(0x3ffffff, 0), ESRCH);
	CHECK_ERR(kill(-0x3ffffff, SIGTERM), ESRCH);
	CHECK_ERR(kill(INT32_MIN, 0), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, -1, getpid(), SIGUSR1), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, 1, getpid(), SIGUSR1), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), getpid(), 65), EINVAL);
	CHECK_OK(syscall(SYS_tgkill, getpid(), getpid(), 0));
}

static void check_mask(int sig)
{
	sigset_t now;

	(void)sig;
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK_EQ(sigismember(&now, SIGUSR1), !!(hits & 1));
	CHECK_EQ(sigismember(&now, SIGUSR2), 1);
	CHECK_EQ(sigismember(&now, SIGTERM), 0);
	hits |= 0x100;
}

TEST(handler_runs_with_its_mask_and_restores_the_old)
{
	struct sigaction act = { .sa_handler = check_mask };
	sigset_t now;

	sigaddset(&act.sa_mask, SIGUSR2);
	sigaddset(&act.sa_mask, SIGKILL);
	hits = 1;
	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	raise(SIGUSR1);
	CHECK_EQ(hits, 0x101);
	act.sa_flags = SA_NODEFER;
	hits = 0;
	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	raise(SIGUSR1);
	CHECK_EQ(hits, 0x100);
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK_EQ(sigismember(&now, SIGUSR1) + sigismember(&now, SIGUSR2), 0);
}

TEST(resethand_restores_the_default)
{
	struct sigaction act;

	handle(SIGUSR1, SA_RESETHAND);
	raise(SIGUSR1);
	CHECK_EQ(hits, 1);
	sigaction(SIGUSR1, NULL, &act);
	CHECK(act.sa_handler == SIG_DFL);
}

TEST(ignoring_discards_pending)
{
	block(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	CHECK(is_pending(SIGUSR1));
	signal(SIGUSR1, SIG_IGN);
	CHECK(!is_pending(SIGUSR1));
	/* A blocked ignored signal stays queued on Linux only until it is unblocked. */
	block(SIG_UNBLOCK, SIGUSR1);
}

TEST(read_restarts_only_with_sa_restart)
{
	int pipefd[2];
	char c;
	pid_t pid, self = getpid();

	CHECK_OK(pipe(pipefd));
	handle(SIGUSR1, 0);
	pid = signal_when_asleep(SIGUSR1);
	CHECK_ERR(read(pipefd[0], &c, 1), EINTR);
	CHECK_EXITS(pid, 0);

	handle(SIGUSR1, SA_RESTART);
	pid = test_fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++) {
			wait_state(self, "S");
			kill(self, SIGUSR1);
			sleep_ms(5);
		}
		CHECK_EQ(write(pipefd[1], "r", 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(pipefd[0], &c, 1), 1);
	CHECK_EQ(c, 'r');
	CHECK_EQ(hits, 4);
	CHECK_EXITS(pid, 0);
}

TEST(wait_restarts_with_sa_restart)
{
	pid_t child, killer;

	handle(SIGUSR1, SA_RESTART);
	child = test_fork();
	if (child == 0) {
		while (getppid() && access("go", F_OK))
			sleep_ms(1);
		_exit(5);
	}
	killer = test_fork();
	if (killer == 0) {
		wait_state(getppid(), "S");
		kill(getppid(), SIGUSR1);
		sleep_ms(5);
		write_file("go", "");
		_exit(0);
	}
	CHECK_EXITS(child, 5);
	CHECK_EQ(hits, 1);
	CHECK_EXITS(killer, 0);
}

TEST(pause_and_sigsuspend_never_restart)
{
	pid_t pid;
	sigset_t none, now;

	handle(SIGUSR1, SA_RESTART);
	pid = signal_when_asleep(SIGUSR1);
	CHECK_ERR(pause(), EINTR);
	CHECK_EXITS(pid, 0);

	block(SIG_BLOCK, SIGUSR1);
	sigemptyset(&none);
	raise(SIGUSR1);
	CHECK_ERR(sigsuspend(&none), EINTR);
	CHECK_EQ(hits, 2);
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK_EQ(sigismember(&now, SIGUSR1), 1);
	CHECK_ERR(syscall(SYS_rt_sigsuspend, &none, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigsuspend, 8, 8), EFAULT);
}

TEST(ignored_signal_does_not_interrupt)
{
	int pipefd[2];
	char c;
	pid_t self = getpid(), pid;

	CHECK_OK(pipe(pipefd));
	signal(SIGUSR1, SIG_IGN);
	pid = test_fork();
	if (pid == 0) {
		wait_state(self, "S");
		kill(self, SIGUSR1);
		kill(self, SIGCHLD);
		sleep_ms(5);
		CHECK_EQ(write(pipefd[1], "x", 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(pipefd[0], &c, 1), 1);
	CHECK_EXITS(pid, 0);
}

TEST(sigtimedwait_takes_waits_and_times_out)
{
	struct timespec zero = { 0, 0 }, some = { 0, 20000000 }, bad = { 0, 1000000000 };
	u64 start = now_ns(CLOCK_MONOTONIC);
	sigset_t set;
	siginfo_t info;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);
	CHECK_ERR(sigtimedwait(&set, &info, &some), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
	CHECK_ERR(sigtimedwait(&set, &info, &bad), EINVAL);
	raise(SIGUSR1);
	CHECK_EQ(sigtimedwait(&set, &info, &zero), SIGUSR1);
	CHECK(!is_pending(SIGUSR1));
	pid = signal_when_asleep(SIGUSR1);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
	CHECK_EQ(info.si_pid, pid);
	CHECK_EXITS(pid, 0);
	handle(SIGUSR2, 0);
	pid = signal_when_asleep(SIGUSR2);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), EINTR);
	CHECK_EXITS(pid, 0);
}

static char alt[65536];
static volatile int on_alt;

static void check_alt(int sig)
{
	char here;
	stack_t ss;

	(void)sig;
	sigaltstack(NULL, &ss);
	on_alt = &here >= alt && &here < alt + sizeof(alt) ? 1 : 2;
	CHECK_EQ(ss.ss_flags & SS_ONSTACK, on_alt == 1 ? SS_ONSTACK : 0);
	if (on_alt == 1)
		CHECK_ERR(sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL), EPERM);
}

TEST(sigaltstack_is_used_with_sa_onstack)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, old;
	struct sigaction act = { .sa_handler = check_alt, .sa_flags = SA_ONSTACK };

	CHECK_OK(sigaltstack(&ss, NULL));
	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	raise(SIGUSR1);
	CHECK_EQ(on_alt, 1);
	act.sa_flags = 0;
	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	raise(SIGUSR1);
	CHECK_EQ(on_alt, 2);
	CHECK_OK(sigaltstack(NULL, &old));
	CHECK(old.ss_sp == alt && old.ss_size == sizeof(alt) && old.ss_flags == 0);
	ss.ss_size = 1024;
	CHECK_ERR(syscall(SYS_sigaltstack, &ss, NULL), ENOMEM);
	ss.ss_size = sizeof(alt);
	ss.ss_flags = 0x40;
	CHECK_ERR(syscall(SYS_sigaltstack, &ss, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_sigaltstack, 8, NULL), EFAULT);
}

static void on_overflow(int sig)
{
	(void)sig;
	_exit(33);
}

static volatile bool forever = true;

static int recurse(volatile char *p)
{
	volatile char frame[4096];

	frame[0] = *p;
	return forever ? recurse(frame) + frame[0] : 0;
}

TEST(stack_overflow_is_caught_on_the_alternate_stack)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
		struct sigaction act = { .sa_handler = on_overflow, .sa_flags = SA_ONSTACK };

		sigaltstack(&ss, NULL);
		sigaction(SIGSEGV, &act, NULL);
		recurse(alt);
	}
	CHECK_EXITS(pid, 33);
}

TEST(overflow_without_alternate_stack_kills)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		signal(SIGSEGV, on_overflow);
		recurse(alt);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(blocked_or_ignored_fault_kills)
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = test_fork();

		if (pid == 0) {
			if (i)
				signal(SIGSEGV, SIG_IGN);
			else
				handle(SIGSEGV, 0), block(SIG_BLOCK, SIGSEGV);
			*(volatile int *)8 = 1;
			_exit(1);
		}
		CHECK_KILLED(pid, SIGSEGV);
	}
}

static pthread_t target;
static volatile pid_t ran_in;

static void note_thread(int sig)
{
	(void)sig;
	ran_in = syscall(SYS_gettid);
}

static volatile pid_t thread_tid;

static void *wait_for_signal(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	thread_tid = syscall(SYS_gettid);
	while (!ran_in)
		pause();
	return arg;
}

TEST(process_signal_goes_to_a_thread_that_takes_it)
{
	signal(SIGUSR1, note_thread);
	block(SIG_BLOCK, SIGUSR1);
	CHECK_EQ(pthread_create(&target, NULL, wait_for_signal, NULL), 0);
	while (!thread_tid)
		sleep_ms(1);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(pthread_join(target, NULL), 0);
	CHECK_EQ(ran_in, thread_tid);
}

TEST(thread_signal_stays_with_its_thread)
{
	block(SIG_BLOCK, SIGUSR1);
	signal(SIGUSR1, note_thread);
	CHECK_OK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1));
	thread_tid = 0;
	CHECK_EQ(pthread_create(&target, NULL, wait_for_signal, NULL), 0);
	while (!thread_tid)
		sleep_ms(1);
	sleep_ms(10);
	CHECK_EQ(ran_in, 0);
	block(SIG_UNBLOCK, SIGUSR1);
	CHECK_EQ(ran_in, getpid());
	kill(getpid(), SIGUSR1);
}

TEST(sigchld_tells_exit_kill_stop_and_continue)
{
	struct {
		int sig, code, status;
	} t[] = { { SIGSTOP, CLD_STOPPED, SIGSTOP }, { SIGCONT, CLD_CONTINUED, SIGCONT },
		  { SIGKILL, CLD_KILLED, SIGKILL } };
	sigset_t set;
	siginfo_t info;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = test_fork();
	if (pid == 0)
		for (;;)
			pause();
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		CHECK_OK(kill(pid, t[i].sig));
		CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
		CHECK_EQ(info.si_code, t[i].code);
		CHECK_EQ(info.si_status, t[i].status);
		CHECK_EQ(info.si_pid, pid);
	}
	test_reap(pid);
}

TEST(nocldstop_silences_stops)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_NOCLDSTOP };
	pid_t pid = test_fork();

	if (pid == 0)
		for (;;)
			pause();
	CHECK_OK(sigaction(SIGCHLD, &act, NULL));
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	kill(pid, SIGCONT);
	CHECK_EQ(waitpid(pid, NULL, WCONTINUED), pid);
	CHECK_EQ(hits, 0);
	kill(pid, SIGKILL);
	test_reap(pid);
	CHECK_EQ(hits, 1);
}

TEST(stop_and_cont_cancel_each_other)
{
	handle(SIGCONT, 0);
	block(SIG_BLOCK, SIGTSTP);
	raise(SIGTSTP);
	CHECK(is_pending(SIGTSTP));
	raise(SIGCONT);
	CHECK(!is_pending(SIGTSTP));
	CHECK_EQ(hits, 1);
	block(SIG_BLOCK, SIGCONT);
	raise(SIGCONT);
	CHECK(is_pending(SIGCONT));
	raise(SIGTSTP);
	CHECK(!is_pending(SIGCONT));
}

TEST(sigkill_ends_a_stopped_process)
{
	pid_t pid = test_fork();

	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	wait_state(pid, "T");
	kill(pid, SIGTERM);
	sleep_ms(5);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	CHECK_EQ(test_reap(pid), SIGKILL);
}

TEST(sigprocmask_refusals)
{
	u64 set = 0;

	CHECK_ERR(syscall(SYS_rt_sigprocmask, 99, &set, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 16), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, 8, 8), EFAULT);
	CHECK_OK(syscall(SYS_rt_sigprocmask, 99, NULL, &set, 8));
	CHECK_ERR(syscall(SYS_rt_sigpending, &set, 9), EINVAL);
}

TEST(pipe_write_without_reader_raises_sigpipe)
{
	int pipefd[2];

	CHECK_OK(pipe(pipefd));
	close(pipefd[0]);
	handle(SIGPIPE, SA_SIGINFO);
	CHECK_ERR(write(pipefd[1], "x", 1), EPIPE);
	CHECK_EQ(hits, 1);
	CHECK_EQ(last_sig, SIGPIPE);
}
