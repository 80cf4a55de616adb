/* Restartable sequences: registration, the CPU number, aborts, and what ends a bad program. */
#include "test.h"

#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>

#define SIG 0x53053053u

static volatile struct rseq area __attribute__((aligned(32)));

static long rseq(volatile void *p, u32 len, int flags, u32 sig)
{
	return syscall(SYS_rseq, p, len, flags, sig);
}

static void enter(void)
{
	memset((void *)&area, 0, sizeof(area));
	area.cpu_id = (u32)RSEQ_CPU_ID_UNINITIALIZED;
	CHECK_OK(rseq(&area, 32, 0, SIG));
}

TEST(registration)
{
	CHECK_ERR(rseq(&area, 32, 2, SIG), EINVAL);
	CHECK_ERR(rseq(&area, 31, 0, SIG), EINVAL);
	CHECK_ERR(rseq((volatile char *)&area + 4, 32, 0, SIG), EINVAL);
	CHECK_ERR(rseq((void *)0xffff800000000000, 32, 0, SIG), EFAULT);
	CHECK_ERR(rseq(&area, 32, RSEQ_FLAG_UNREGISTER, SIG), EINVAL);
	enter();
	CHECK_ERR(rseq(&area, 32, 0, SIG), EBUSY);
	CHECK_ERR(rseq(&area, 32, 0, SIG + 1), EPERM);
	CHECK_ERR(rseq(&area + 1, 32, 0, SIG), EINVAL);
	CHECK_ERR(rseq(&area, 32, RSEQ_FLAG_UNREGISTER, SIG + 1), EPERM);
	CHECK_ERR(rseq(&area + 1, 32, RSEQ_FLAG_UNREGISTER, SIG), EINVAL);
	CHECK_ERR(rseq(&area, 16, RSEQ_FLAG_UNREGISTER, SIG), EINVAL);
	CHECK_OK(rseq(&area, 32, RSEQ_FLAG_UNREGISTER, SIG));
	CHECK_EQ((int)area.cpu_id, RSEQ_CPU_ID_UNINITIALIZED);
	CHECK_ERR(rseq(&area, 32, RSEQ_FLAG_UNREGISTER, SIG), EINVAL);
	enter();
}

TEST(cpu_number_follows)
{
	cpu_set_t all, one;

	enter();
	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	for (int round = 0; round < 20; round++) {
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, &all))
				continue;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
			CHECK_EQ(area.cpu_id, cpu);
			CHECK_EQ(area.cpu_id_start, cpu);
			sleep_ms(1);
			CHECK_EQ(area.cpu_id, cpu);
		}
	}
}

TEST(inherited_by_fork_not_by_threads_or_exec)
{
	enter();
	IN_CHILD {
		CHECK((int)area.cpu_id >= 0);
		CHECK_ERR(rseq(&area, 32, 0, SIG), EBUSY);
		execl(test_self, test_self, "--helper", "unregistered", NULL);
		FAIL("exec");
	}
}

HELPER(unregistered)
{
	return rseq(&area, 32, 0, SIG) != 0;
}

static void *thread_registers(void *arg)
{
	static struct rseq other __attribute__((aligned(32)));

	CHECK_OK(rseq(&other, 32, 0, SIG));
	CHECK((int)other.cpu_id >= 0);
	return arg;
}

TEST(threads_start_unregistered)
{
	pthread_t t;

	enter();
	CHECK_EQ(pthread_create(&t, NULL, thread_registers, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
}

/*
 * Spins in a critical section until it is aborted; *flag is set to 1 inside. True: aborted. The
 * section's descriptor is made on the stack from the labels.
 */
static bool spin_in_section(volatile int *flag, u32 version, u32 flags)
{
	struct rseq_cs cs __attribute__((aligned(32))) = { .version = version, .flags = flags };
	u64 start, end, abort;

	__asm__ __volatile__(
		"leaq 1f(%%rip), %0; leaq 2f(%%rip), %1; leaq 3f(%%rip), %2"
		: "=r"(start), "=r"(end), "=r"(abort));
	cs.start_ip = start;
	cs.post_commit_offset = end - start;
	cs.abort_ip = abort;
	__asm__ goto(
		"movq %[cs], %[ptr]\n"
		"1:\n\t"
		"movl $1, (%[flag])\n"
		"4:\tpause\n\t"
		"jmp 4b\n"
		"2:\n\t"
		".byte 0x0f, 0xb9, 0x3d\n\t" /* ud1, with the signature as its operand */
		".long 0x53053053\n"
		"3:\n\t"
		"jmp %l[aborted]"
		:
		: [cs] "r"(&cs), [ptr] "m"(area.rseq_cs), [flag] "r"(flag)
		: "memory", "cc"
		: aborted);
	return false;
aborted:
	return true;
}

static volatile int inside;

TEST(preemption_aborts)
{
	cpu_set_t one;
	pid_t pid;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	pid = test_fork();
	if (!pid)
		for (;;)
			;
	enter();
	for (int i = 0; i < 3; i++) {
		inside = 0;
		CHECK(spin_in_section(&inside, 0, 0));
		CHECK_EQ(inside, 1);
		CHECK_EQ(area.rseq_cs, 0);
	}
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}

static volatile u64 handler_ip;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info, (void)context;
	handler_ip = area.rseq_cs + 1;
}

static void timer_soon(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	timer_t t;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };

	(void)t, (void)ev;
	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	ualarm(20000, 0);
}

TEST(signal_aborts)
{
	enter();
	timer_soon();
	CHECK(spin_in_section(&inside, 0, 0));
	CHECK_EQ(area.rseq_cs, 0);
	sleep_ms(30);
	CHECK_EQ(handler_ip, 1); /* was aborted before the handler ran */
}

TEST(section_elsewhere_is_forgotten)
{
	struct rseq_cs cs __attribute__((aligned(32))) = {
		.start_ip = 0x1000, .post_commit_offset = 16, .abort_ip = (u64)&inside + 4,
	};
	static u32 code[2] = { SIG, 0 };

	cs.abort_ip = (u64)&code[1];
	enter();
	area.rseq_cs = (u64)&cs;
	timer_soon();
	while (!handler_ip)
		;
	CHECK_EQ(area.rseq_cs, 0);
}

/* The claim's last act: the next signal must kill. */
static void dies(void (*spoil)(void))
{
	pid_t pid = test_fork();

	if (!pid) {
		enter();
		timer_soon();
		ualarm(20000, 20000); /* again and again: the first may come before the spoiling */
		spoil();
		for (;;)
			;
	}
	CHECK_KILLED(pid, SIGSEGV);
}

static void spoil_pointer(void)
{
	area.rseq_cs = 64;
}

static void spoil_kernel_pointer(void)
{
	area.rseq_cs = 0xffff888000000000;
}

static void spoil_version(void)
{
	spin_in_section(&inside, 1, 0);
}

static void spoil_signature(void)
{
	static u32 code[2] = { SIG + 1, 0 };
	static struct rseq_cs cs __attribute__((aligned(32)));

	cs.start_ip = 0x1000;
	cs.post_commit_offset = 16;
	cs.abort_ip = (u64)&code[1];
	area.rseq_cs = (u64)&cs;
}

static void spoil_abort_inside(void)
{
	static struct rseq_cs cs __attribute__((aligned(32)));

	cs.start_ip = (u64)spoil_pointer;
	cs.post_commit_offset = 64;
	cs.abort_ip = (u64)spoil_pointer + 8;
	area.rseq_cs = (u64)&cs;
}

static void spoil_range(void)
{
	static struct rseq_cs cs __attribute__((aligned(32)));

	cs.start_ip = 0x1000;
	cs.post_commit_offset = ~0ULL;
	cs.abort_ip = (u64)spoil_pointer;
	area.rseq_cs = (u64)&cs;
}

TEST(bad_sections_kill)
{
	dies(spoil_pointer);
	dies(spoil_kernel_pointer);
	dies(spoil_version);
	dies(spoil_signature);
	dies(spoil_abort_inside);
	dies(spoil_range);
}

TEST(area_that_goes_kills)
{
	pid_t pid = test_fork();

	if (!pid) {
		void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		CHECK_OK(rseq(p, 32, 0, SIG));
		timer_soon();
		munmap(p, 4096);
		for (;;)
			;
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(auxv_tells_the_frame_size)
{
	u64 size = getauxval(51 /* AT_MINSIGSTKSZ */);

	CHECK(size > 1024 && size < 16384);
}
