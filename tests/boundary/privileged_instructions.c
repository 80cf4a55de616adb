/* Executes every privileged instruction in ring 3: each draws SIGSEGV or SIGILL and nothing else. */
#include "attack.h"

#include <cpuid.h>

struct insn {
	const char *name;
	u8 len, code[12];
	bool may_be_undefined; /* SIGILL where the CPU lacks it */
};

/* Memory operands use (%rdi), which holds a readable and writable buffer. */
static const struct insn faulting[] = {
	{ "hlt", 1, { 0xf4 }, false },
	{ "cli", 1, { 0xfa }, false },
	{ "sti", 1, { 0xfb }, false },
	{ "clts", 2, { 0x0f, 0x06 }, false },
	{ "lgdt", 3, { 0x0f, 0x01, 0x17 }, false },
	{ "lidt", 3, { 0x0f, 0x01, 0x1f }, false },
	{ "lldt", 3, { 0x0f, 0x00, 0x17 }, false },
	{ "ltr", 3, { 0x0f, 0x00, 0x1f }, false },
	{ "lmsw", 3, { 0x0f, 0x01, 0x37 }, false },
	{ "invd", 2, { 0x0f, 0x08 }, false },
	{ "wbinvd", 2, { 0x0f, 0x09 }, false },
	{ "invlpg", 3, { 0x0f, 0x01, 0x3f }, false },
	{ "swapgs", 3, { 0x0f, 0x01, 0xf8 }, false },
	{ "rdmsr", 2, { 0x0f, 0x32 }, false },
	{ "wrmsr", 2, { 0x0f, 0x30 }, false },
	{ "sysret", 3, { 0x48, 0x0f, 0x07 }, false },
	{ "sysret32", 2, { 0x0f, 0x07 }, false },
	{ "sysexit", 3, { 0x48, 0x0f, 0x35 }, true },
	{ "xsetbv", 3, { 0x0f, 0x01, 0xd1 }, true },
	{ "invpcid", 5, { 0x66, 0x0f, 0x38, 0x82, 0x07 }, true },
	{ "rdpmc", 2, { 0x0f, 0x33 }, true },
	{ "monitor", 3, { 0x0f, 0x01, 0xc8 }, true },
	{ "mwait", 3, { 0x0f, 0x01, 0xc9 }, true },
	{ "xsaves", 4, { 0x48, 0x0f, 0xc7, 0x2f }, true },
	{ "xrstors", 4, { 0x48, 0x0f, 0xc7, 0x1f }, true },
	{ "vmxoff", 3, { 0x0f, 0x01, 0xc4 }, true },
	{ "vmrun", 3, { 0x0f, 0x01, 0xd8 }, true },
	{ "clgi", 3, { 0x0f, 0x01, 0xdd }, true },
	{ "stgi", 3, { 0x0f, 0x01, 0xdc }, true },
	{ "skinit", 3, { 0x0f, 0x01, 0xde }, true },
	{ "encls", 3, { 0x0f, 0x01, 0xcf }, true },
	{ "rsm", 2, { 0x0f, 0xaa }, true },
	{ "in imm", 2, { 0xe4, 0x60 }, false },
	{ "in dx", 1, { 0xec }, false },
	{ "in dx 16", 2, { 0x66, 0xed }, false },
	{ "in dx 32", 1, { 0xed }, false },
	{ "out imm", 2, { 0xe6, 0x80 }, false },
	{ "out dx", 1, { 0xee }, false },
	{ "out dx 32", 1, { 0xef }, false },
	{ "insb", 1, { 0x6c }, false },
	{ "outsb", 1, { 0x6e }, false },
	{ "rep insd", 2, { 0xf3, 0x6d }, false },
	{ "mov cr0 from", 3, { 0x0f, 0x20, 0xc0 }, false },
	{ "mov cr0 to", 3, { 0x0f, 0x22, 0xc0 }, false },
	{ "mov cr2 from", 3, { 0x0f, 0x20, 0xd0 }, false },
	{ "mov cr2 to", 3, { 0x0f, 0x22, 0xd0 }, false },
	{ "mov cr3 from", 3, { 0x0f, 0x20, 0xd8 }, false },
	{ "mov cr3 to", 3, { 0x0f, 0x22, 0xd8 }, false },
	{ "mov cr4 from", 3, { 0x0f, 0x20, 0xe0 }, false },
	{ "mov cr4 to", 3, { 0x0f, 0x22, 0xe0 }, false },
	{ "mov cr8 from", 4, { 0x44, 0x0f, 0x20, 0xc0 }, false },
	{ "mov cr8 to", 4, { 0x44, 0x0f, 0x22, 0xc0 }, false },
	{ "mov dr0 to", 3, { 0x0f, 0x23, 0xc0 }, false },
	{ "mov dr6 from", 3, { 0x0f, 0x21, 0xf0 }, false },
	{ "mov dr7 to", 3, { 0x0f, 0x23, 0xf8 }, false },
	{ "mov dr7 from", 3, { 0x0f, 0x21, 0xf8 }, false },
	/* Opcodes that 64-bit mode has not. */
	{ "into", 1, { 0xce }, true },
	{ "far call", 7, { 0x9a, 0, 0, 0, 0, 0x10, 0 }, true },
	{ "lds", 2, { 0xc5, 0x07 }, true },
	{ "push cs", 1, { 0x0e }, true },
	{ "ud0", 3, { 0x0f, 0xff, 0xc0 }, true },
	{ "ud1", 3, { 0x0f, 0xb9, 0xc0 }, true },
};

TEST(each_privileged_instruction_faults)
{
	static u64 operand[64] __attribute__((aligned(64)));

	attack_init();
	for (size_t i = 0; i < ARRAY_SIZE(faulting); i++) {
		const struct insn *in = &faulting[i];

		if (!FAULTED(attack_run(in->code, in->len, (u64)operand, (u64)operand, 0x80)))
			FAIL("%s runs in ring 3", in->name);
		if (last_fault.sig == SIGILL && in->may_be_undefined)
			continue;
		if (last_fault.sig != SIGSEGV || last_fault.code != SI_KERNEL || last_fault.addr)
			FAIL("%s: signal %d code %#x address %#lx", in->name, last_fault.sig,
			     last_fault.code, last_fault.addr);
	}
}

/* popf and sti cannot raise IOPL or mask interrupts. */
TEST(popf_cannot_touch_iopl_or_if)
{
	u64 flags;

	__asm__ volatile("pushfq; orl $0x3000,(%%rsp); andl $~0x200,(%%rsp); popfq; pushfq; pop %0"
			 : "=r"(flags) :: "cc", "memory");
	CHECK_EQ(flags & 0x3200, 0x200);
}

/* sgdt and friends: refused, or made up; never the kernel's own tables. */
TEST(descriptor_table_stores_reveal_nothing)
{
	static const struct insn stores[] = {
		{ "sgdt", 3, { 0x0f, 0x01, 0x07 }, false }, { "sidt", 3, { 0x0f, 0x01, 0x0f }, false },
		{ "sldt", 3, { 0x0f, 0x00, 0x07 }, false }, { "str", 3, { 0x0f, 0x00, 0x0f }, false },
		{ "smsw", 3, { 0x0f, 0x01, 0x27 }, false },
	};
	unsigned a, b, c = 0, d;

	__get_cpuid_count(7, 0, &a, &b, &c, &d);
	if (!(c & 1 << 2))
		SKIP("CPU lacks UMIP");
	attack_init();
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
			u8 out[10];
			u64 base;

			memset(out, 0x5a, sizeof(out));
			if (FAULTED(attack_run(stores[i].code, stores[i].len, (u64)out, 0, 0)))
				continue;
			memcpy(&base, out + 2, 8);
			/* Linux emulates them with these constants. */
			if (i < 2)
				CHECK(base == 0xfffffffffffe0000 || base == 0xffffffffffff0000);
		}
}

/* The selector of the task register and the limit of kernel segments cannot be probed through. */
TEST(verr_lar_lsl_of_kernel_segments)
{
	attack_init();
	for (unsigned sel = 0; sel < 0x100; sel += 8) {
		u64 sel64 = sel, ok = 0;

		__asm__ volatile("verw %w1; setz %b0" : "+r"(ok) : "r"(sel64) : "cc");
		/* Only a ring-3 data segment is writable from here. */
		if (ok)
			CHECK_EQ(FAULTED(({ __asm__ volatile("mov %0,%%es" :: "r"(sel64 | 3)); })), 0);
	}
}
