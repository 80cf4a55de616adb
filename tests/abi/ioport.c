/* ioperm and iopl: ports that a privileged thread opens for itself, and nobody else. */
#include "test.h"

#include <pthread.h>
#include <sys/io.h>

static void poke(u16 port)
{
	__asm__ __volatile__("outb %%al, %%dx" : : "a"(0), "d"(port));
}

/* Port 0x80 is where firmware shows its progress: nothing happens there. */
#define HARMLESS 0x80

static void faults(u16 port)
{
	pid_t pid = test_fork();

	if (!pid) {
		poke(port);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

static void works(u16 port)
{
	pid_t pid = test_fork();

	if (!pid) {
		poke(port);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

static void need_ports(void)
{
	if (syscall(SYS_ioperm, HARMLESS, 1, 1))
		SKIP("no permission to use ports on this machine");
	CHECK_OK(syscall(SYS_ioperm, HARMLESS, 1, 0));
}

static void need_calls(void)
{
	if (syscall(SYS_iopl, 0) && errno == ENOSYS)
		SKIP("this machine's kernel is built without ioperm and iopl");
}

TEST(refusals)
{
	need_calls();
	CHECK_ERR(syscall(SYS_ioperm, 0, 0, 1), EINVAL);
	CHECK_ERR(syscall(SYS_ioperm, 65536, 1, 1), EINVAL);
	CHECK_ERR(syscall(SYS_ioperm, 65535, 2, 1), EINVAL);
	CHECK_ERR(syscall(SYS_ioperm, -1UL, 2, 1), EINVAL);
	CHECK_ERR(syscall(SYS_iopl, 4), EINVAL);
	CHECK_OK(syscall(SYS_ioperm, 0, 65536, 0));
	CHECK_OK(syscall(SYS_iopl, 0));
}

TEST(users_may_not)
{
	need_calls();
	IN_CHILD {
		become(1234, 1234);
		CHECK_ERR(syscall(SYS_ioperm, HARMLESS, 1, 1), EPERM);
		CHECK_ERR(syscall(SYS_iopl, 3), EPERM);
		CHECK_ERR(syscall(SYS_iopl, 1), EPERM);
		CHECK_OK(syscall(SYS_ioperm, HARMLESS, 1, 0));
		faults(HARMLESS);
	}
}

TEST(one_port_and_no_other)
{
	need_ports();
	faults(HARMLESS);
	CHECK_OK(syscall(SYS_ioperm, HARMLESS, 1, 1));
	poke(HARMLESS);
	works(HARMLESS); /* inherited by fork */
	faults(HARMLESS - 1);
	faults(HARMLESS + 1);
	faults(0xffff);
	/* A wide access needs all its ports. */
	IN_CHILD {
		pid_t pid = test_fork();

		if (!pid) {
			__asm__ __volatile__("outw %%ax, %%dx" : : "a"(0), "d"((u16)HARMLESS));
			_exit(0);
		}
		CHECK_KILLED(pid, SIGSEGV);
	}
	IN_CHILD {
		CHECK_OK(syscall(SYS_ioperm, HARMLESS, 1, 0));
		faults(HARMLESS);
	}
	poke(HARMLESS); /* the child's change was its own */
	CHECK_OK(syscall(SYS_ioperm, HARMLESS, 1, 0));
	faults(HARMLESS);
}

TEST(last_port)
{
	need_ports();
	CHECK_OK(syscall(SYS_ioperm, HARMLESS, 1, 1));
	/* A permission for the last port must not reach beyond it. */
	IN_CHILD {
		pid_t pid;

		CHECK_OK(syscall(SYS_ioperm, 65535, 1, 1));
		pid = test_fork();
		if (!pid) {
			u16 v;

			__asm__ __volatile__("inw %%dx, %0" : "=a"(v) : "d"((u16)65535));
			_exit(0);
		}
		CHECK_KILLED(pid, SIGSEGV);
	}
}

static void *other_thread(void *arg)
{
	/* Threads that are there already get nothing. */
	while (!*(volatile int *)arg)
		sleep_ms(1);
	poke(HARMLESS);
	return NULL;
}

TEST(permission_is_the_threads)
{
	pid_t pid;

	need_ports();
	pid = test_fork();
	if (!pid) {
		static volatile int go;
		pthread_t t;

		CHECK_EQ(pthread_create(&t, NULL, other_thread, (void *)&go), 0);
		CHECK_OK(syscall(SYS_ioperm, HARMLESS, 1, 1));
		poke(HARMLESS);
		go = 1;
		pthread_join(t, NULL);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(iopl_opens_all_ports)
{
	u64 flags;

	need_ports();
	CHECK_OK(syscall(SYS_iopl, 3));
	poke(HARMLESS);
	works(HARMLESS);
	sleep_ms(5);
	poke(HARMLESS);
	__asm__ __volatile__("cli; pushfq; popq %0; sti" : "=r"(flags));
	CHECK(flags & 0x200); /* skipped: interrupts stay on */
	CHECK_EQ(flags >> 12 & 3, 0);
	CHECK_OK(syscall(SYS_iopl, 0));
	faults(HARMLESS);
}
