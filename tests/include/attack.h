/*
 * Tools of the boundary tests: run a piece of machine code or a function, and learn which signal
 * it drew. The handler runs on its own stack, so the attack may ruin rsp.
 */
#pragma once

#include "test.h"

#include <cpuid.h>
#include <setjmp.h>
#include <sys/statvfs.h>
#include <ucontext.h>

struct fault {
	int sig; /* 0: none */
	int code;
	u64 addr;
	u64 trapno, err;
};

static struct fault last_fault;
static sigjmp_buf attack_back;

static void attack_handler(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;

	last_fault = (struct fault){ sig, info->si_code, (u64)info->si_addr,
				     uc->uc_mcontext.gregs[REG_TRAPNO],
				     uc->uc_mcontext.gregs[REG_ERR] };
	siglongjmp(attack_back, 1);
}

/* Catch the fault signals from here on. */
static inline void attack_init(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
	static char stack[65536];
	struct sigaction act = { .sa_sigaction = attack_handler,
				 .sa_flags = SA_SIGINFO | SA_ONSTACK };

	CHECK_OK(sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof(stack) }, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		CHECK_OK(sigaction(sigs[i], &act, NULL));
}

/* After a fault: flags and segments back to what C expects. */
static inline void attack_clean(void)
{
	__asm__ volatile("cld; pushfq; andl $~0x44100,(%%rsp); popfq;" /* AC, NT, TF */
			 "mov %0,%%ds; mov %0,%%es; fninit" :: "r"(0) : "cc", "memory");
}

/* Evaluate the statement and note its fault in last_fault; true if it drew one. */
#define FAULTED(stmt)                                                                              \
	({                                                                                         \
		memset(&last_fault, 0, sizeof(last_fault));                                        \
		if (!sigsetjmp(attack_back, 1)) {                                                  \
			stmt;                                                                      \
		}                                                                                  \
		attack_clean();                                                                    \
		last_fault.sig != 0;                                                               \
	})

/* A page of machine code: the bytes, then ret; with the three arguments in rdi, rsi, rdx. */
static inline u64 attack_run(const void *code, size_t len, u64 a, u64 b, u64 c)
{
	static u8 *page;

	if (!page) {
		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(page != MAP_FAILED);
	}
	memcpy(page, code, len);
	page[len] = 0xc3;
	return ((u64(*)(u64, u64, u64))page)(a, b, c);
}

#define RUN_CODE(...)                                                                              \
	({                                                                                         \
		static const u8 code_[] = { __VA_ARGS__ };                                         \
		FAULTED(attack_run(code_, sizeof(code_), 0, 0, 0));                                \
	})

/*
 * Into a directory whose file system honours set-id bits, as root; false: there is none at hand. The guests' /tmp, where
 * claims begin, is mounted without; their root is a plain tmpfs.
 */
static inline bool enter_setid_directory(void)
{
	struct statvfs fs;
	char name[64];

	if (!statvfs(".", &fs) && (fs.f_flag & ST_NOSUID)) {
		snprintf(name, sizeof(name), "/setid-%d", getpid());
		if (!getenv("TEST_VM") || mkdir(name, 0755) || chdir(name))
			return false;
	}
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(statvfs(".", &fs));
	return !(fs.f_flag & ST_NOSUID);
}

/* Whether QEMU emulates this CPU. */
static inline bool cpu_is_tcg(void)
{
	unsigned a, b, c, d;

	__cpuid(0x40000000, a, b, c, d);
	return b == 0x54474354; /* "TCGT" */
}

/* Attacks that could harm the machine they run on. */
#define VM_ONLY                                                                                    \
	if (!getenv("TEST_VM"))                                                                    \
	SKIP("only inside a virtual machine")

static inline u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}
