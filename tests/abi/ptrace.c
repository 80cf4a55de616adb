/* ptrace(2): beginning, system-call stops, registers and memory, and what each request refuses. */
#include "tracer.h"

#include <pthread.h>
#include <sys/prctl.h>

TEST(syscall_stops_come_in_pairs)
{
	struct user_regs_struct r;
	pid_t pid;

	TRACEE(pid)
		syscall(SYS_dup, -5);
	/* The rest of raise(). */
	do
		STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	while ((long)regs_of(pid).orig_rax != SYS_dup);
	r = regs_of(pid);
	CHECK_EQ(r.rax, -ENOSYS);
	CHECK_EQ((int)r.rdi, -5);
	CHECK_EQ(siginfo_of(pid).si_code, SIGTRAP | 0x80);
	CHECK_EQ(message_of(pid), PTRACE_EVENTMSG_SYSCALL_ENTRY);
	STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	r = regs_of(pid);
	CHECK_EQ(r.orig_rax, SYS_dup);
	CHECK_EQ(r.rax, -EBADF);
	CHECK_EQ(message_of(pid), PTRACE_EVENTMSG_SYSCALL_EXIT);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(the_tracer_changes_the_call)
{
	struct user_regs_struct r;
	pid_t pid;

	TRACEE(pid) {
		if (syscall(SYS_dup, -5) != getpid())
			_exit(1);
		if (syscall(SYS_getpid) != 4711)
			_exit(2);
		_exit(0);
	}
	do
		STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	while ((long)regs_of(pid).orig_rax != SYS_dup);
	r = regs_of(pid);
	r.orig_rax = SYS_getpid;
	regs_put(pid, &r);
	STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	CHECK_EQ(regs_of(pid).rax, pid);
	/* getpid() of the comparison, then one that is not made. */
	STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	r = regs_of(pid);
	CHECK_EQ(r.orig_rax, SYS_getpid);
	r.orig_rax = -1;
	r.rax = 4711;
	regs_put(pid, &r);
	STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	CHECK_EQ(regs_of(pid).rax, 4711);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(a_number_beyond_the_table_is_enosys)
{
	struct user_regs_struct r;
	pid_t pid;

	TRACEE(pid)
		_exit(syscall(SYS_getpid) == -1 && errno == ENOSYS ? 0 : 1);
	do
		STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	while ((long)regs_of(pid).orig_rax != SYS_getpid);
	r = regs_of(pid);
	r.orig_rax = 100000;
	r.rax = 5;
	regs_put(pid, &r);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(get_syscall_info)
{
	struct ptrace_syscall_info info;
	struct user_regs_struct r;
	pid_t pid;

	TRACEE(pid)
		syscall(SYS_dup3, 111, 222, 333);
	memset(&info, 0xff, sizeof(info));
	CHECK_EQ(TRACE_OK(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 24);
	CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_NONE);
	do
		STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	while ((long)regs_of(pid).orig_rax != SYS_dup3);
	memset(&info, 0xff, sizeof(info));
	CHECK_EQ(TRACE_OK(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 80);
	r = regs_of(pid);
	CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_ENTRY);
	CHECK_EQ(info.arch, 0xc000003e);
	CHECK_EQ(info.instruction_pointer, r.rip);
	CHECK_EQ(info.stack_pointer, r.rsp);
	CHECK_EQ(info.entry.nr, SYS_dup3);
	CHECK_EQ(info.entry.args[0], 111);
	CHECK_EQ(info.entry.args[1], 222);
	CHECK_EQ(info.entry.args[2], 333);
	/* A short buffer gets the beginning, and the same answer. */
	memset(&info, 0xff, sizeof(info));
	CHECK_EQ(TRACE_OK(PTRACE_GET_SYSCALL_INFO, pid, 1, &info), 80);
	CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_ENTRY);
	CHECK_EQ(info.pad[0], 0xff);
	STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	CHECK_EQ(TRACE_OK(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 33);
	CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
	CHECK_EQ(info.exit.rval, -EINVAL);
	CHECK_EQ(info.exit.is_error, 1);
	CHECK_ERR(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), 8), EFAULT);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(sysemu_makes_no_call)
{
	struct user_regs_struct r;
	pid_t pid;

	TRACEE(pid)
		_exit(syscall(SYS_dup, 1) == 99 ? 0 : 1);
	do
		STEP_TO(REQUEST_SYSEMU, pid, 0, SYSCALL_STOP);
	while ((long)regs_of(pid).orig_rax != SYS_dup);
	r = regs_of(pid);
	CHECK_EQ(r.rax, -ENOSYS);
	r.rax = 99;
	regs_put(pid, &r);
	STEP_TO(REQUEST_SYSEMU, pid, 0, SYSCALL_STOP); /* no stop behind it; the next is exit's */
	CHECK_EQ(regs_of(pid).rdi, 0);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

static volatile u64 word = 0x1122334455667788;
static const u64 constant = 0x0102030405060708;

TEST(peek_and_poke)
{
	u64 v = 0;
	pid_t pid;

	TRACEE(pid)
		_exit(word == 42 && *(volatile const u64 *)&constant == 43 ? 0 : 1);
	TRACE_OK(PTRACE_PEEKDATA, pid, &word, &v);
	CHECK_EQ(v, 0x1122334455667788);
	TRACE_OK(PTRACE_PEEKTEXT, pid, (char *)&word + 1, &v);
	CHECK_EQ(v & 0xffffff, 0x556677);
	TRACE_OK(PTRACE_POKEDATA, pid, &word, 42);
	TRACE_OK(PTRACE_POKETEXT, pid, &constant, 43); /* read-only there, and a private copy now */
	CHECK_EQ(word, 0x1122334455667788);
	CHECK_EQ(constant, 0x0102030405060708);
	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, 8, (u64)&v), EIO);
	CHECK_ERR(trace(PTRACE_POKEDATA, pid, 8, 1), EIO);
	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, 0xffff888000000000, (u64)&v), EIO);
	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, 0x7ffffffff000 - 4, (u64)&v), EIO);
	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, (u64)&word, 8), EFAULT);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(shared_read_only_memory_cannot_be_poked)
{
	void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	CHECK(map != MAP_FAILED);
	TRACEE(pid)
		_exit(0);
	CHECK_ERR(trace(PTRACE_POKEDATA, pid, (u64)map, 1), EIO);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(user_area)
{
	struct user_regs_struct r;
	u64 v;
	pid_t pid;

	TRACEE(pid)
		_exit(0);
	r = regs_of(pid);
	TRACE_OK(PTRACE_PEEKUSR, pid, offsetof(struct user, regs.rip), &v);
	CHECK_EQ(v, r.rip);
	TRACE_OK(PTRACE_PEEKUSR, pid, offsetof(struct user, regs.gs), &v);
	CHECK_EQ(v, r.gs);
	TRACE_OK(PTRACE_PEEKUSR, pid, offsetof(struct user, regs.fs_base), &v);
	CHECK_EQ(v, r.fs_base);
	v = 1;
	TRACE_OK(PTRACE_PEEKUSR, pid, offsetof(struct user, u_comm), &v);
	CHECK_EQ(v, 0);
	CHECK_ERR(trace(PTRACE_PEEKUSR, pid, 4, (u64)&v), EIO);
	CHECK_ERR(trace(PTRACE_PEEKUSR, pid, sizeof(struct user) + 64, (u64)&v), EIO);
	CHECK_ERR(trace(PTRACE_PEEKUSR, pid, -8, (u64)&v), EIO);
	CHECK_ERR(trace(PTRACE_POKEUSR, pid, offsetof(struct user, u_comm), 1), EIO);
	CHECK_ERR(trace(PTRACE_POKEUSR, pid, sizeof(struct user) + 64, 1), EIO);
	TRACE_OK(PTRACE_POKEUSR, pid, offsetof(struct user, regs.r15), 0x77);
	CHECK_EQ(regs_of(pid).r15, 0x77);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(registers_are_filtered)
{
	struct user_regs_struct r, old;
	pid_t pid;

	TRACEE(pid)
		_exit(0);
	old = r = regs_of(pid);
	/* Flags: neither IOPL nor IF nor VM can be changed; AC, NT and the arithmetic ones can. */
	r.eflags = 0xffffffffffffffff & ~0x100UL;
	regs_put(pid, &r);
	CHECK_EQ(regs_of(pid).eflags, (old.eflags & ~0x54dd5UL) | (0x54dd5UL & ~0x100UL));
	r = old;
	r.eflags = 0;
	regs_put(pid, &r);
	CHECK_EQ(regs_of(pid).eflags & 0x200, 0x200);
	/* Selectors of the kernel's level. */
	CHECK_ERR(trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.cs), 0x10), EIO);
	CHECK_ERR(trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.cs), 0), EIO);
	CHECK_ERR(trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.ss), 0x18), EIO);
	CHECK_ERR(trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.ss), 0), EIO);
	CHECK_ERR(trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.ds), 0x18), EIO);
	TRACE_OK(PTRACE_POKEUSR, pid, offsetof(struct user, regs.ds), 0);
	TRACE_OK(PTRACE_POKEUSR, pid, offsetof(struct user, regs.ds), 0x2b);
	/* Bases in the kernel's half. */
	CHECK_ERR(trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.fs_base), 1UL << 63), EIO);
	CHECK_ERR(trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.gs_base), 1UL << 62), EIO);
	CHECK_EQ(regs_of(pid).fs_base, old.fs_base);
	r = old;
	r.fs_base = 1UL << 63;
	CHECK_ERR(trace(REQUEST_SETREGS, pid, 0, (u64)&r), EIO);
	regs_put(pid, &old);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(register_sets)
{
	struct user_regs_struct r = { 0 }, g = { 0 };
	struct user_fpregs_struct fp;
	static u8 xs[16384] __attribute__((aligned(64)));
	struct iovec v = { &r, sizeof(r) };
	pid_t pid;

	TRACEE(pid)
		_exit(0);
	TRACE_OK(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
	CHECK_EQ(v.iov_len, sizeof(r));
	g = regs_of(pid);
	CHECK(!memcmp(&r, &g, sizeof(r)));
	v.iov_len = 100000 * 8;
	TRACE_OK(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
	CHECK_EQ(v.iov_len, sizeof(r));
	v.iov_len = 8;
	r.r15 = 0;
	r.r14 = 1;
	TRACE_OK(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
	CHECK_EQ(regs_of(pid).r14, g.r14);
	v.iov_len = 7;
	CHECK_ERR(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (u64)&v), EINVAL);
	v.iov_len = 8;
	CHECK_ERR(trace(PTRACE_GETREGSET, pid, 0x999, (u64)&v), EINVAL);
	CHECK_ERR(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, 8), EFAULT);
	v = (struct iovec){ (void *)8, 8 };
	CHECK_ERR(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (u64)&v), EFAULT);

	TRACE_OK(REQUEST_GETFPREGS, pid, 0, &fp);
	CHECK_EQ(fp.cwd, 0x37f);
	CHECK_EQ(fp.mxcsr, 0x1f80);
	fp.mxcsr = 0xffffffff;
	CHECK_ERR(trace(REQUEST_SETFPREGS, pid, 0, (u64)&fp), EINVAL);
	fp.mxcsr = 0x1fa0;
	memset(fp.xmm_space, 0x5a, sizeof(fp.xmm_space));
	TRACE_OK(REQUEST_SETFPREGS, pid, 0, &fp);
	memset(&fp, 0, sizeof(fp));
	TRACE_OK(REQUEST_GETFPREGS, pid, 0, &fp);
	CHECK_EQ(fp.mxcsr, 0x1fa0);
	CHECK_EQ(fp.xmm_space[63], 0x5a5a5a5a);
	v = (struct iovec){ xs, sizeof(xs) };
	TRACE_OK(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &v);
	CHECK(v.iov_len >= 576 && v.iov_len < sizeof(xs));
	CHECK_EQ(xs[160 + 255], 0x5a);
	CHECK_EQ(*(u64 *)(xs + 464) & 3, 3); /* the enabled components */
	xs[160] = 0x77;
	TRACE_OK(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &v);
	TRACE_OK(REQUEST_GETFPREGS, pid, 0, &fp);
	CHECK_EQ(fp.xmm_space[0], 0x5a5a5a77);
	v.iov_len -= 8;
	CHECK_ERR(trace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, (u64)&v), EFAULT);
	v.iov_len += 8;
	xs[512 + 7] = 0x80; /* a component that does not exist */
	CHECK_ERR(trace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, (u64)&v), EINVAL);
	xs[512 + 7] = 0;
	xs[520] = 1; /* compacted */
	CHECK_ERR(trace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, (u64)&v), EINVAL);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(vector_registers_reach_the_program)
{
	struct user_fpregs_struct fp;
	pid_t pid;

	TRACEE(pid) {
		u64 low;

		__asm__ volatile("int3; movq %%xmm7, %0" : "=r"(low) :: "memory");
		_exit(low == 0x1122334455667788 ? 0 : 1);
	}
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGTRAP));
	TRACE_OK(REQUEST_GETFPREGS, pid, 0, &fp);
	memcpy((char *)fp.xmm_space + 7 * 16, &(u64){ 0x1122334455667788 }, 8);
	TRACE_OK(REQUEST_SETFPREGS, pid, 0, &fp);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(arch_prctl_of_a_tracee)
{
	u64 base = 0;
	pid_t pid;

	TRACEE(pid)
		_exit(0);
	TRACE_OK(REQUEST_ARCH_PRCTL, pid, &base, 0x1003 /* ARCH_GET_FS */);
	CHECK_EQ(base, regs_of(pid).fs_base);
	TRACE_OK(REQUEST_ARCH_PRCTL, pid, 0x123000, 0x1001 /* ARCH_SET_GS */);
	CHECK_EQ(regs_of(pid).gs_base, 0x123000);
	CHECK_ERR(trace(REQUEST_ARCH_PRCTL, pid, 1UL << 62, 0x1002), EPERM);
	CHECK_ERR(trace(REQUEST_ARCH_PRCTL, pid, 0, 0x9999), EINVAL);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(refusals)
{
	pid_t pid = child_waiting(), traced;
	u64 v;

	CHECK_ERR(trace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	CHECK_ERR(trace(PTRACE_ATTACH, 0x3fffff0, 0, 0), ESRCH);
	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, (u64)&word, (u64)&v), ESRCH);
	CHECK_ERR(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_ERR(trace(0x7777, pid, 0, 0), ESRCH);
	CHECK_ERR(trace(PTRACE_KILL, pid, 0, 0), ESRCH);
	CHECK_ERR(trace(PTRACE_INTERRUPT, pid, 0, 0), ESRCH);
	TRACEE(traced)
		_exit(0);
	CHECK_ERR(trace(PTRACE_ATTACH, traced, 0, 0), EPERM);
	CHECK_ERR(trace(PTRACE_SEIZE, traced, 0, 0), EPERM);
	CHECK_ERR(trace(PTRACE_SEIZE, traced, 1, 0), EIO);
	CHECK_ERR(trace(PTRACE_SEIZE, traced, 0, 1 << 15), EIO);
	CHECK_ERR(trace(PTRACE_INTERRUPT, traced, 0, 0), EIO);
	CHECK_ERR(trace(PTRACE_LISTEN, traced, 0, 0), EIO);
	CHECK_ERR(trace(PTRACE_SETOPTIONS, traced, 0, 1 << 15), EINVAL);
	CHECK_ERR(trace(PTRACE_CONT, traced, 0, 65), EIO);
	CHECK_ERR(trace(PTRACE_DETACH, traced, 0, 65), EIO);
	CHECK_ERR(trace(0x7777, traced, 0, 0), EIO);
	STEP_TO(PTRACE_CONT, traced, 0, 0);
	kill(pid, SIGKILL);
}

TEST(traceme_only_once)
{
	pid_t pid;

	TRACEE(pid)
		_exit(trace(PTRACE_TRACEME, 0, 0, 0) == -1 && errno == EPERM ? 0 : 1);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(attach_stops_and_detach_lets_go)
{
	pid_t pid = child_waiting();
	char name[64], text[4096], want[64];

	TRACE_OK(PTRACE_ATTACH, pid, 0, 0);
	CHECK_STATUS(pid, STOP(SIGSTOP));
	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	text[read_file(name, text, sizeof(text) - 1)] = '\0';
	snprintf(want, sizeof(want), "TracerPid:\t%d\n", getpid());
	CHECK(strstr(text, want));
	CHECK(strstr(text, "State:\tt (tracing stop)"));
	TRACE_OK(PTRACE_DETACH, pid, 0, 0);
	text[read_file(name, text, sizeof(text) - 1)] = '\0';
	CHECK(strstr(text, "TracerPid:\t0\n"));
	wait_state(pid, "S");
	TRACE_OK(PTRACE_ATTACH, pid, 0, 0);
	CHECK_STATUS(pid, STOP(SIGSTOP));
	TRACE_OK(PTRACE_DETACH, pid, 0, SIGTERM);
	CHECK_STATUS(pid, SIGTERM);
}

TEST(attach_to_a_stopped_process)
{
	pid_t pid = child_waiting();
	int st;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
	CHECK_EQ(st, STOP(SIGSTOP));
	TRACE_OK(PTRACE_ATTACH, pid, 0, 0);
	/* In a trap when attach returns: no time in between. */
	CHECK_EQ(waitpid(pid, &st, WNOHANG | __WALL), pid);
	CHECK_EQ(st, STOP(SIGSTOP));
	(void)regs_of(pid);
	TRACE_OK(PTRACE_DETACH, pid, 0, 0);
	wait_state(pid, "T"); /* the group's stop goes on */
	CHECK_OK(kill(pid, SIGCONT));
	wait_state(pid, "S");
	kill(pid, SIGKILL);
}

TEST(rseq_configuration)
{
	struct { u64 pointer; u32 size, signature, flags, pad; } c;
	static u8 area[32] __attribute__((aligned(32)));
	pid_t pid;

	TRACEE(pid) {
		syscall(334, area, 32, 0, 0x12345678);
		raise(SIGSTOP);
		_exit(0);
	}
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGSTOP));
	CHECK_EQ(TRACE_OK(0x420f, pid, sizeof(c), &c), 24);
	CHECK_EQ(c.pointer, (u64)area);
	CHECK_EQ(c.size, 32);
	CHECK_EQ(c.signature, 0x12345678);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

/* An interrupted call goes on after the trap as if nothing had been. */
TEST(stops_restart_system_calls)
{
	int p[2];
	pid_t pid;

	CHECK_OK(pipe(p));
	TRACEE(pid) {
		char c;

		_exit(read(p[0], &c, 1) == 1 ? 0 : 1);
	}
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	wait_state(pid, "S");
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_STATUS(pid, STOP(SIGUSR1));
	CHECK_EQ(regs_of(pid).orig_rax, SYS_read);
	CHECK_EQ(regs_of(pid).rax, -512);
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	wait_state(pid, "S");
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_STATUS(pid, 0);
}

static volatile int called;

static void inferior_function(void)
{
	called = 1;
	__asm__ volatile("int3");
}

/* What a debugger does to call a function in a program that sleeps in a system call. */
TEST(inferior_call)
{
	struct user_regs_struct old, r;
	u64 v;
	int p[2];
	pid_t pid;

	CHECK_OK(pipe(p));
	TRACEE(pid) {
		char c;

		_exit(read(p[0], &c, 1) == 1 && called ? 0 : 1);
	}
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	wait_state(pid, "S");
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_STATUS(pid, STOP(SIGUSR1));
	old = r = regs_of(pid);
	r.rip = (u64)inferior_function;
	r.rsp = ((r.rsp - 1024) & ~15UL) - 8;
	r.orig_rax = -1;
	regs_put(pid, &r);
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGTRAP));
	TRACE_OK(PTRACE_PEEKDATA, pid, &called, &v);
	CHECK_EQ((int)v, 1);
	regs_put(pid, &old);
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	wait_state(pid, "S"); /* in read() again */
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_STATUS(pid, 0);
}
