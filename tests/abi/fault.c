/* Faults become the signal, si_code and si_addr that Linux gives. */
#include "test.h"

#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf back;
static siginfo_t info;
static greg_t err, trapno;

static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	info = *si;
	err = uc->uc_mcontext.gregs[REG_ERR];
	trapno = uc->uc_mcontext.gregs[REG_TRAPNO];
	siglongjmp(back, 1);
}

static void catch_all(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		CHECK_OK(sigaction(sigs[i], &act, NULL));
}

/* Run the statement; require its fault. */
#define FAULTS(stmt, sig, code)                                                                    \
	do {                                                                                       \
		memset(&info, 0, sizeof(info));                                                    \
		if (!sigsetjmp(back, 1)) {                                                         \
			stmt;                                                                      \
			FAIL("no fault: %s", #stmt);                                               \
		}                                                                                  \
		CHECK_EQ(info.si_signo, sig);                                                      \
		CHECK_EQ(info.si_code, code);                                                      \
	} while (0)

#define ADDR ((u64)info.si_addr)

static void load(volatile void *p)
{
	(void)*(volatile char *)p;
}

static void store(volatile void *p)
{
	*(volatile char *)p = 1;
}

static void jump(void *p)
{
	((void (*)(void))p)();
}

static char *page(int prot)
{
	char *p = mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

TEST(unmapped_is_maperr_with_the_address)
{
	char *p = page(PROT_READ);

	CHECK_OK(munmap(p, 4096));
	catch_all();
	FAULTS(load(p + 123), SIGSEGV, SEGV_MAPERR);
	CHECK_EQ(ADDR, (u64)p + 123);
	CHECK_EQ(err, 4);
	CHECK_EQ(trapno, 14);
	FAULTS(store(p + 5), SIGSEGV, SEGV_MAPERR);
	CHECK_EQ(ADDR, (u64)p + 5);
	CHECK_EQ(err, 6);
	FAULTS(jump(p + 7), SIGSEGV, SEGV_MAPERR);
	CHECK_EQ(ADDR, (u64)p + 7);
	CHECK_EQ(err, 0x14);
	FAULTS(load(NULL), SIGSEGV, SEGV_MAPERR);
	CHECK_EQ(ADDR, 0);
}

TEST(protection_is_accerr)
{
	char *ro = page(PROT_READ), *none = page(PROT_NONE), *rw = page(PROT_READ | PROT_WRITE);

	catch_all();
	load(ro);
	FAULTS(store(ro + 1), SIGSEGV, SEGV_ACCERR);
	CHECK_EQ(ADDR, (u64)ro + 1);
	CHECK_EQ(err, 7);
	FAULTS(load(none + 2), SIGSEGV, SEGV_ACCERR);
	CHECK_EQ(ADDR, (u64)none + 2);
	store(rw);
	FAULTS(jump(rw), SIGSEGV, SEGV_ACCERR);
	CHECK_EQ(ADDR, (u64)rw);
	CHECK_EQ(err, 0x15);
	FAULTS(jump(ro), SIGSEGV, SEGV_ACCERR);
	FAULTS(store((void *)catch_all), SIGSEGV, SEGV_ACCERR);
}

TEST(kernel_half_is_maperr_and_non_canonical_has_no_address)
{
	catch_all();
	FAULTS(load((void *)0xffff888000001000), SIGSEGV, SEGV_MAPERR);
	CHECK_EQ(ADDR, 0xffff888000001000);
	CHECK_EQ(err, 5);
	FAULTS(store((void *)0xffffffff81000000), SIGSEGV, SEGV_MAPERR);
	CHECK_EQ(ADDR, 0xffffffff81000000);
	CHECK_EQ(err, 7);
	FAULTS(load((void *)0x8000000000000000), SIGSEGV, SI_KERNEL);
	CHECK_EQ(ADDR, 0);
	CHECK_EQ(trapno, 13);
	FAULTS(jump((void *)0x4141414141414141), SIGSEGV, SI_KERNEL);
	FAULTS(load((void *)0x7ffffffff000), SIGSEGV, SEGV_MAPERR);
}

TEST(beyond_end_of_file_is_bus_adrerr)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	char *p;

	CHECK_OK(ftruncate(fd, 100));
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	catch_all();
	store(p + 4095);
	FAULTS(load(p + 4096), SIGBUS, BUS_ADRERR);
	CHECK_EQ(ADDR, (u64)p + 4096);
	CHECK_OK(ftruncate(fd, 0));
	FAULTS(store(p), SIGBUS, BUS_ADRERR);
	CHECK_EQ(ADDR, (u64)p);
}

__attribute__((noinline)) static void divide(int a, int b)
{
	__asm__ volatile("cltd; idivl %1" : "+a"(a) : "r"(b) : "rdx", "cc");
}

TEST(arithmetic)
{
	u16 cw = 0x037b; /* unmask zero-divide */

	catch_all();
	FAULTS(divide(1, 0), SIGFPE, FPE_INTDIV);
	CHECK(ADDR >= (u64)divide && ADDR < (u64)divide + 64);
	FAULTS(divide(INT32_MIN, -1), SIGFPE, FPE_INTDIV);
	FAULTS(__asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait" :: "m"(cw) : "st"), SIGFPE,
	       FPE_FLTDIV);
	__asm__ volatile("fninit");
}

TEST(vector_arithmetic)
{
	u32 unmasked = 0x1d80;
	double d = 1;

	catch_all();
	if (!sigsetjmp(back, 1)) {
		__asm__ volatile("ldmxcsr %1; xorps %%xmm1,%%xmm1; divsd %%xmm1,%0"
				 : "+x"(d) : "m"(unmasked) : "xmm1");
		SKIP("no SIMD exception: QEMU's emulation has none");
	}
	CHECK_EQ(info.si_signo, SIGFPE);
	CHECK_EQ(info.si_code, FPE_FLTDIV);
	CHECK_EQ(trapno, 19);
}

TEST(illegal_and_privileged)
{
	catch_all();
	FAULTS(__asm__ volatile("ud2"), SIGILL, ILL_ILLOPN);
	CHECK(ADDR != 0);
	CHECK_EQ(trapno, 6);
	FAULTS(__asm__ volatile("hlt"), SIGSEGV, SI_KERNEL);
	CHECK_EQ(ADDR, 0);
	FAULTS(__asm__ volatile("cli"), SIGSEGV, SI_KERNEL);
	FAULTS(__asm__ volatile("in $0x60,%%al" ::: "rax"), SIGSEGV, SI_KERNEL);
}

TEST(breakpoint_and_single_step)
{
	catch_all();
	FAULTS(__asm__ volatile("int3"), SIGTRAP, SI_KERNEL);
	CHECK_EQ(trapno, 3);
	FAULTS(__asm__ volatile("pushfq; orl $0x100,(%%rsp); popfq; nop; nop" ::: "cc", "memory"),
	       SIGTRAP, TRAP_TRACE);
	CHECK_EQ(trapno, 1);
}

static bool alignment_is_checked(void)
{
	static char buf[16] __attribute__((aligned(8)));
	bool faulted = sigsetjmp(back, 1);

	if (!faulted)
		__asm__ volatile("pushfq; orl $0x40000,(%%rsp); popfq; mov 1(%0),%%eax;"
				 "pushfq; andl $~0x40000,(%%rsp); popfq"
				 :: "r"(buf) : "rax", "cc", "memory");
	__asm__ volatile("pushfq; andl $~0x40000,(%%rsp); popfq" ::: "cc", "memory");
	return faulted;
}

TEST(alignment_check)
{
	catch_all();
	if (!alignment_is_checked())
		SKIP("no alignment fault: QEMU's emulation has none");
	CHECK_EQ(info.si_signo, SIGBUS);
	CHECK_EQ(info.si_code, BUS_ADRALN);
}

TEST(stack_segment_fault)
{
	static char alt[16384];
	struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	CHECK_OK(sigaltstack(&(stack_t){ .ss_sp = alt, .ss_size = sizeof(alt) }, NULL));
	CHECK_OK(sigaction(SIGBUS, &act, NULL));
	CHECK_OK(sigaction(SIGSEGV, &act, NULL));
	if (!sigsetjmp(back, 1)) {
		__asm__ volatile("mov %%rsp,%%rbx; movabs $0x8000000000000000,%%rsp; push %%rax;"
				 "mov %%rbx,%%rsp" ::: "rbx", "memory");
		FAIL("no fault");
	}
	/* QEMU's emulation raises #GP where a CPU raises #SS. */
	CHECK_EQ(info.si_signo, trapno == 13 ? SIGSEGV : SIGBUS);
	CHECK_EQ(info.si_code, SI_KERNEL);
	CHECK_EQ(ADDR, 0);
}
