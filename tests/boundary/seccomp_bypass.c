/* Attacks on seccomp: ways around a filter, ways to make one act on what was not asked. */
#include "attack.h"
#include "seccomp.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#define X32_BIT 0x40000000

static void no_core(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

/* An x32 number is another number to the filter, and no call to the kernel. */
TEST(x32_numbers)
{
	no_new_privs();
	VERDICT(SYS_getppid, SECCOMP_RET_ERRNO | 5);
	CHECK_ERR(syscall(SYS_getppid), 5);
	CHECK_ERR(syscall(SYS_getppid | X32_BIT), ENOSYS);
	VERDICT(SYS_getppid | X32_BIT, SECCOMP_RET_ERRNO | 6);
	CHECK_ERR(syscall(SYS_getppid | X32_BIT), 6);
	CHECK_ERR(syscall(SYS_getppid), 5);
}

/* The kernel dispatches the low half of rax: so the filter must have judged that one. */
TEST(high_bits_of_the_number)
{
	no_new_privs();
	VERDICT(SYS_getppid, SECCOMP_RET_ERRNO | 5);
	for (int bit = 32; bit < 64; bit++) {
		long ret;

		__asm__ volatile("syscall" : "=a"(ret) : "a"((1ULL << bit) | SYS_getppid)
				 : "rcx", "r11", "memory");
		CHECK_EQ(ret, -5);
	}
	/* Numbers that are none reach the filter as they are. */
	VERDICT(0xffffffff, SECCOMP_RET_ERRNO | 7);
	CHECK_ERR(syscall(0xffffffff), 7);
}

/* int 0x80 and the 32-bit entries are no way in; where they are one, the filter sees another arch. */
TEST(compat_entries)
{
	pid_t pid = test_fork();
	int status;

	if (!pid) {
		no_core();
		no_new_privs();
		FILTER(LOAD(4), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		       RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW));
		__asm__ volatile("int $0x80" : : "a"(20) : "memory");
		_exit(1);
	}
	status = test_reap(pid);
	CHECK((status & 0x7f) == SIGSEGV || (status & 0x7f) == SIGSYS);
}

/* The fixed page of old kernels, where it exists, makes calls that the filter must judge. */
TEST(vsyscall)
{
	char maps[65536];
	pid_t pid;

	maps[read_file("/proc/self/maps", maps, sizeof(maps) - 1)] = '\0';
	if (!strstr(maps, "[vsyscall]")) {
		attack_init();
		CHECK(FAULTED(((time_t(*)(time_t *))0xffffffffff600400)(NULL)));
		CHECK_EQ(last_fault.sig, SIGSEGV);
		return;
	}
	pid = test_fork();
	if (!pid) {
		no_core();
		no_new_privs();
		VERDICT(SYS_time, SECCOMP_RET_KILL_PROCESS);
		((time_t(*)(time_t *))0xffffffffff600400)(NULL);
		_exit(1);
	}
	CHECK_KILLED(pid, SIGSYS);
}

/* The filter is told where the call was made; only one place may. */
TEST(address_is_the_callers_own)
{
	static const u8 where[] = {0x48, 0x8d, 0x05, 0xf9, 0xff, 0xff, 0xff}; /* lea -7(%rip), %rax */
	static const u8 code[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05};
	u64 page = attack_run(where, sizeof(where), 0, 0, 0);
	pid_t parent = getppid();

	no_new_privs();
	FILTER(LOAD(NR_WORD), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
	       RETURN(SECCOMP_RET_ALLOW), LOAD(8), ON((u32)page + sizeof(code), SECCOMP_RET_ALLOW),
	       RETURN(SECCOMP_RET_ERRNO | 9));
	CHECK_ERR(syscall(SYS_getppid), 9);
	CHECK_EQ(attack_run(code, sizeof(code), 0, 0, 0), parent);
}

/* A restarted call is judged again, as what it is by then. */
static void on_alarm(int sig)
{
	(void)sig;
}

TEST(restart_syscall_is_judged)
{
	struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct timespec t = {0, 50000000};

	no_new_privs();
	CHECK_OK(sigaction(SIGALRM, &act, NULL));
	VERDICT(SYS_restart_syscall, SECCOMP_RET_ERRNO | 12);
	CHECK_ERR(syscall(SYS_restart_syscall), 12);
	CHECK_OK(syscall(SYS_nanosleep, &t, NULL));
}

/* ---- hostile filters ---- */

TEST_LIMIT(random_programs, 300)
{
	static struct sock_filter f[64];
	u64 seed = 88172645463325252ULL;
	int status;
	pid_t pid;

	no_new_privs();
	for (int round = 0; round < SCALE(600, 100000); round++) {
		size_t len = 1 + next_random(&seed) % ARRAY_SIZE(f);

		for (size_t i = 0; i < len; i++) {
			u64 r = next_random(&seed);

			f[i] = (struct sock_filter){r & 0xff, (r >> 8) & 7, (r >> 16) & 7, (u32)(r >> 32)};
			if (r & 0x1000000)
				f[i].k &= 0x3c;
		}
		f[len - 1] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
		pid = test_fork();
		if (!pid) {
			no_core();
			if (filter_set(f, len, 0) < 0 && errno != EINVAL)
				_exit(1);
			_exit(0);
		}
		status = test_reap(pid);
		CHECK(!status || (status & 0x7f) == SIGSYS); /* some programs forbid the exit */
	}
}

static struct sock_filter shared[512];
static volatile bool racing;

static void *rewrite(void *unused)
{
	u64 seed = 1234567;

	(void)unused;
	while (racing) {
		struct sock_filter *f = &shared[next_random(&seed) % (ARRAY_SIZE(shared) - 1)];

		/* A load beyond the data, a jump out, and back to harmless. */
		*(volatile u64 *)f = 0xffffffff00000020ULL;
		*(volatile u64 *)f = 0xffffffffffff0015ULL;
		*(volatile u64 *)f = 0;
	}
	return NULL;
}

/* The program changes while it is fetched: what was checked is what runs. */
TEST_LIMIT(program_changes_during_the_call, 300)
{
	pthread_t t;

	no_new_privs();
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		shared[i] = (struct sock_filter){0};
	shared[ARRAY_SIZE(shared) - 1] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	racing = true;
	CHECK(!pthread_create(&t, NULL, rewrite, NULL));
	for (int i = 0; i < SCALE(40, 5000); i++)
		IN_CHILD {
			if (filter_set(shared, ARRAY_SIZE(shared), 0) < 0)
				CHECK_EQ(errno, EINVAL);
			CHECK_OK(syscall(SYS_getppid));
		}
	racing = false;
	CHECK(!pthread_join(t, NULL));
}

TEST(longest_filter_ends)
{
	static struct sock_filter f[4096];

	no_new_privs();
	for (size_t i = 0; i + 1 < ARRAY_SIZE(f); i++)
		f[i] = (struct sock_filter)LOAD(16);
	f[ARRAY_SIZE(f) - 1] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	for (int i = 0; i < 3; i++)
		CHECK_OK(filter_set(f, ARRAY_SIZE(f), 0));
	for (int i = 0; i < 200; i++)
		CHECK_OK(syscall(SYS_getppid));
}

/* ---- listeners ---- */

static int listener;

static void *asker(void *unused)
{
	(void)unused;
	for (int i = 0; i < 40; i++)
		if (syscall(SYS_getppid) < 0 && errno != ENOSYS)
			FAIL("errno %d", errno);
	return NULL;
}

/* Listener calls with garbage, racing with its own close and with those who ask. */
TEST(listener_races_with_its_end)
{
	no_new_privs();
	for (int round = 0; round < SCALE(30, 500); round++)
		IN_CHILD {
			struct seccomp_notif_addfd add = {.srcfd = 0};
			pthread_t t[3];
			u64 seed = 99 + round;

			listener = (int)CHECK_OK(FILTER_FLAGS(SECCOMP_FILTER_FLAG_NEW_LISTENER,
				LOAD(NR_WORD), ON(SYS_getppid, SECCOMP_RET_USER_NOTIF),
				RETURN(SECCOMP_RET_ALLOW)));
			for (int i = 0; i < 3; i++)
				CHECK(!pthread_create(&t[i], NULL, asker, NULL));
			for (int i = 0; i < 60; i++) {
				struct pollfd p = {listener, POLLIN, 0};
				struct seccomp_notif n = {0};
				struct seccomp_notif_resp r = {0};

				if (poll(&p, 1, 200) != 1 || !(p.revents & POLLIN))
					break;
				if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
					continue;
				add.id = next_random(&seed) & 1 ? n.id : next_random(&seed);
				add.flags = (u32)next_random(&seed) & 3;
				add.newfd = add.flags & 1 ? 40 : 0;
				if (add.id == n.id && add.flags & 2 &&
				    ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0)
					continue;
				r.id = n.id;
				ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
			}
			close(listener);
			for (int i = 0; i < 3; i++)
				CHECK(!pthread_join(t[i], NULL));
		}
}

/* A thread that dies in mid-call leaves nothing behind that the listener could reach. */
TEST(asker_is_killed_in_mid_call)
{
	no_new_privs();
	for (int round = 0; round < SCALE(40, 1000); round++) {
		struct seccomp_notif n = {0};
		struct seccomp_notif_resp r = {0};
		pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

		CHECK(pid >= 0);
		if (!pid) {
			long fd = FILTER_FLAGS(SECCOMP_FILTER_FLAG_NEW_LISTENER, LOAD(NR_WORD),
					       ON(SYS_getppid, SECCOMP_RET_USER_NOTIF),
					       RETURN(SECCOMP_RET_ALLOW));

			if (fd != 3)
				syscall(SYS_dup2, fd, 3);
			syscall(SYS_getppid);
			_exit(0);
		}
		for (int i = 0; i < 5000 && ioctl(3, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id) < 0 &&
		     (errno == EBADF || errno == ENOTTY || errno == EINVAL); i++)
			sleep_ms(1);
		if (round & 1)
			CHECK_OK(ioctl(3, SECCOMP_IOCTL_NOTIF_RECV, &n));
		CHECK_OK(kill(pid, SIGKILL));
		if (round & 2)
			test_reap(pid);
		r.id = n.id;
		ioctl(3, SECCOMP_IOCTL_NOTIF_SEND, &r);
		if (!(round & 2))
			test_reap(pid);
		CHECK_ERR(ioctl(3, SECCOMP_IOCTL_NOTIF_SEND, &r), ENOENT);
		for (int fd = 3; fd < 8; fd++)
			close(fd);
	}
}
