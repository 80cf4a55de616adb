/*
 * Calls every number with random and with chosen hostile register sets, as a user and, where that
 * cannot end the machine by itself, as root. The claim: the machine goes on. Children that die,
 * hang or wreck themselves are expected; only inside a virtual machine.
 */
#include "attack.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { LAST = 470, PART = 60 };

/* Ends or blinds the machine when root asks for it, as it should; or kills the tests at random. */
static const short root_spares[] = {
	SYS_reboot, SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo,
	SYS_kexec_load, SYS_kexec_file_load, SYS_init_module, SYS_finit_module, SYS_delete_module,
	SYS_pivot_root, SYS_chroot, SYS_mount, SYS_umount2, SYS_swapon, SYS_swapoff, SYS_vhangup,
	SYS_ioperm, SYS_iopl, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime,
	SYS_pidfd_send_signal, SYS_process_vm_writev, SYS_ptrace, SYS_bpf, SYS_syslog,
	SYS_setpriority, SYS_sched_setscheduler, SYS_sched_setparam, SYS_sched_setattr,
	SYS_sched_setaffinity, SYS_prlimit64, SYS_setpgid, SYS_move_mount, SYS_open_tree,
	SYS_mount_setattr, SYS_acct, SYS_process_madvise, 448 /* process_mrelease */, SYS_quotactl,
	SYS_ioprio_set, SYS_migrate_pages, SYS_move_pages, SYS_perf_event_open, SYS_setns,
	SYS_sethostname, SYS_setdomainname, SYS_sync, SYS_userfaultfd,
	SYS_fcntl, /* F_SETOWN and F_SETSIG: any signal to anybody */
};

static u64 page_rw, page_ro, edge;

static void set_up(void)
{
	char *m = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(m != MAP_FAILED);
	page_rw = (u64)m;
	page_ro = (u64)m + 4096;
	edge = (u64)m + 3 * 4096 - 3;
	CHECK_OK(mprotect(m + 4096, 4096, PROT_READ));
	CHECK_OK(munmap(m + 3 * 4096, 4096));
}

static u64 pick(u64 *state)
{
	u64 r = next_random(state), values[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 16, 64, 4096, 65536, page_rw, page_rw + 8, page_rw + 1, page_ro,
		edge, ~0ull, ~1ull, -100ull, INT32_MAX, 1ull << 31, 1ull << 32, INT64_MAX, 1ull << 63,
		0xffff800000000000, 0xffffffff81000000, 0x800000000000, 0x7ffffffff000, 8, r >> 60,
		r >> 48, r >> 32, r, r & 0xfff, 1ull << (r % 64), (1ull << (r % 64)) - 1,
	};

	return values[next_random(state) % ARRAY_SIZE(values)];
}

static bool in_list(long nr, const short *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == nr)
			return true;
	return false;
}

/* How far a sweep has come: shared with the child that makes the calls. */
static struct progress {
	u64 state;
	int done;
} *progress;

/*
 * A call that blocks is interrupted by a timer; one that goes on all the same is killed with its
 * child, and the sweep goes on behind it. A child that the call itself ends costs a new child.
 */
#define KILLS    SCALE(0, 50)
#define CHILDREN SCALE(1, 11000)
#define STUCK_MS 250
#define ALARM_US 2000

static void on_alarm(int sig)
{
	(void)sig;
}

static void interrupt_regularly(void)
{
	struct itimerval it = { { 0, ALARM_US }, { 0, ALARM_US } };
	struct sigaction act = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

/* One of each kind on the small numbers; nothing that the calls write reaches the runner. */
static void open_descriptors(void)
{
	int pair[2];

	for (int fd = 0; fd < 64; fd++)
		close(fd);
	open("/dev/null", O_RDWR);
	open("/dev/zero", O_RDWR);
	open("/tmp", O_TMPFILE | O_RDWR, 0600);
	pipe(pair);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	eventfd(0, 0);
	epoll_create1(0);
	open("/proc/self", O_RDONLY | O_DIRECTORY);
}

/* In a child that it may ruin: calls of one number, from where the last child came to. */
_Noreturn static void sweep_number(long nr, int rounds)
{
	pid_t self = syscall(SYS_gettid);
	struct rlimit procs = { 20, 20 }, mem = { 64 << 20, 64 << 20 }, files = { 64, 64 }, size = { 1 << 20, 1 << 20 };

	setpgid(0, 0);
	open_descriptors();
	setrlimit(RLIMIT_AS, &mem);
	setrlimit(RLIMIT_NPROC, &procs);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_FSIZE, &size);
	interrupt_regularly();
	while (progress->done < rounds) {
		u64 a[6], state = progress->state;

		for (int k = 0; k < 6; k++)
			a[k] = pick(&state);
		progress->state = state;
		progress->done++;
		syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		if (syscall(SYS_gettid) != self) /* a child or thread by accident */
			syscall(SYS_exit, 0);
	}
	_exit(0);
}

/* Reaps the child once it has ended or makes no progress any more: true if it had to be killed. */
static bool watch(long nr, pid_t pid)
{
	int status, last = -1, still_ms = 0;
	bool killed = false;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (progress->done != last) {
			last = progress->done;
			still_ms = 0;
		}
		if (still_ms++ >= STUCK_MS) {
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			killed = true;
		}
		if (still_ms > 8000)
			FAIL("call %ld: child cannot be killed", nr);
		sleep_ms(1);
	}
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		;
	return killed;
}

/* One number: all rounds, or as many as KILLS and CHILDREN allow. */
static void sweep_in_children(long nr, bool as_root, u64 seed)
{
	int rounds = SCALE(40, 10000), kills = 0;
	pid_t leader = getpid();

	*progress = (struct progress){ (seed ^ nr * 0x9e3779b97f4a7c15ull) | 1, 0 };
	for (int child = 0; progress->done < rounds && child < CHILDREN && kills <= KILLS; child++) {
		pid_t pid = test_fork();

		if (pid == 0) {
			if (!as_root)
				become(31337, 31337);
			sweep_number(nr, rounds);
		}
		kills += watch(nr, pid);
		CHECK_EQ(getpid(), leader);
	}
	if (test_full() && progress->done < rounds)
		printf("call %ld: %d sets\n", nr, progress->done);
}

static void sweep(long first, bool as_root, u64 seed)
{
	VM_ONLY;
	/* First, or it lies in the hole behind the edge, where the calls write. */
	progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(progress != MAP_FAILED);
	set_up();
	for (long nr = first; nr < first + PART && nr <= LAST; nr++) {
		if (as_root && (nr == SYS_rt_sigreturn || in_list(nr, root_spares, ARRAY_SIZE(root_spares))))
			continue;
		sweep_in_children(nr, as_root, seed);
	}
}

/* In parts: with the heavy parameters each takes minutes. */
#define SWEEP(first)                                                                               \
	TEST_LIMIT(as_a_user_from_##first, 3000) { sweep(first, false, 0x1234567); }               \
	TEST_LIMIT(as_root_from_##first, 3000) { sweep(first, true, 0x7654321); }
SWEEP(0)
SWEEP(60)
SWEEP(120)
SWEEP(180)
SWEEP(240)
SWEEP(300)
SWEEP(360)
SWEEP(420)
_Static_assert(420 + PART > LAST, "the parts cover every number");
