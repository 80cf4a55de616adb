/* Loads every selector into every segment register, jumps through selectors, and tries the LDT. */
#include "attack.h"

#include <asm/ldt.h>
#include <asm/prctl.h>

static u8 touched = 0x77;

#define LOAD(seg)                                                                                  \
	FAULTED(({ __asm__ volatile("mov %0,%%" seg "; mov $0,%0; mov %0,%%" seg                   \
				    : "+r"(sel)); }))

/* A load is refused or gives a flat ring-3 segment. fs and gs hold C's thread pointer: saved. */
TEST_LIMIT(every_selector_into_every_register, 60)
{
	unsigned long fs, gs;

	attack_init();
	CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	for (unsigned s = 0; s < 65536; s += s < 0x200 ? 1 : SCALE(0x101, 1)) {
		u64 sel = s;

		LOAD("ds");
		sel = s;
		LOAD("es");
		sel = s;
		LOAD("gs");
		CHECK(last_fault.sig == 0 || last_fault.sig == SIGSEGV);
	}
	CHECK_EQ(touched, 0x77);
	CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, gs));
	unsigned long now;
	CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &now));
	CHECK_EQ(now, fs);
}

TEST(stack_segment_takes_only_ring_3_data)
{
	attack_init();
	for (unsigned s = 0; s < 0x200; s++) {
		u64 sel = s, old;
		bool bad = FAULTED(({ __asm__ volatile("mov %%ss,%1; mov %0,%%ss; mov %1,%%ss"
						       : "+r"(sel), "=&r"(old)); }));

		if (!bad)
			CHECK_EQ(s & 3, 3);
	}
}

static struct {
	u64 offset;
	u16 selector;
} __attribute__((packed)) far_pointer;

/* Far jumps and calls into kernel segments, the TSS and empty slots. */
TEST(far_transfers)
{
	u16 own;

	attack_init();
	__asm__ volatile("mov %%cs,%0" : "=r"(own));
	for (unsigned s = 0; s < 0x200; s++) {
		if ((s | 3) == own || (s | 3) == 0x23) /* own segment; the 32-bit one */
			continue;
		far_pointer.offset = (u64)attack_init;
		far_pointer.selector = s;
		CHECK(FAULTED(({ __asm__ volatile("rex.W ljmp *%0" :: "m"(far_pointer)); })));
		CHECK_EQ(last_fault.sig, SIGSEGV);
		CHECK(FAULTED(({ __asm__ volatile("rex.W lcall *%0" :: "m"(far_pointer)); })));
		CHECK_EQ(last_fault.sig, SIGSEGV);
	}
}

/*
 * QEMU's emulation of IRET reads the stack with the kernel's rights, so SMAP turns it into a page
 * fault from ring 3 that claims to be the kernel's. Linux calls that an oops and kills the
 * process; Gatehouse must see a user's fault.
 */
TEST(iret_cannot_lower_the_ring)
{
	const char *platform = getenv("TEST_PLATFORM");

	if (cpu_is_tcg() && (!platform || strcmp(platform, "gatehouse")))
		SKIP("QEMU's emulation of IRET breaks under SMAP, Linux oopses");
	attack_init();
	for (unsigned cs = 0; cs < 0x60; cs++) {
		if ((cs | 3) == 0x33 || (cs | 3) == 0x23)
			continue;
		CHECK(FAULTED(({ __asm__ volatile("mov %%ss,%%eax; push %%rax;"
						  "push %%rsp; pushfq; push %0;"
						  "lea 1f(%%rip),%%rax; push %%rax; iretq; 1:"
						  :: "r"((u64)cs) : "rax", "memory"); })));
		CHECK_EQ(last_fault.sig, SIGSEGV);
	}
}

/* The call returns an int: its errno does not reach the C library. */
static int set_ldt(struct user_desc *d)
{
	long ret = syscall(SYS_modify_ldt, 1, d, sizeof(*d));

	return ret == -1 ? -errno : (int)ret;
}

TEST(ldt_holds_ring_3_segments_only)
{
	struct user_desc d = { .entry_number = 0, .base_addr = 0, .limit = 0xfffff,
			       .seg_32bit = 1, .limit_in_pages = 1, .useable = 1 };

	attack_init();
	for (int contents = 0; contents < 4; contents++)
		for (int bits = 0; bits < 32; bits++) {
			u32 access = 0;
			bool ok;

			d.contents = contents;
			d.seg_32bit = bits & 1;
			d.read_exec_only = bits >> 1 & 1;
			d.limit_in_pages = bits >> 2 & 1;
			d.seg_not_present = bits >> 3 & 1;
			d.lm = bits >> 4 & 1;
			if (set_ldt(&d) < 0)
				continue;
			__asm__ volatile("lar %2,%0; setz %1" : "=r"(access), "=qm"(ok) : "r"(7) : "cc");
			if (ok) {
				CHECK_EQ(access >> 13 & 3, 3);	/* DPL 3 */
				CHECK_EQ(access >> 12 & 1, 1);	/* a code or data segment, no gate */
				CHECK_EQ(access >> 21 & 1, 0);	/* not a long-mode code segment */
			}
		}
	d.entry_number = 8192;
	CHECK_EQ(set_ldt(&d), -EINVAL);
	CHECK_EQ((int)syscall(SYS_modify_ldt, 1, &d, 3), -EINVAL);
	CHECK_EQ((int)syscall(SYS_modify_ldt, 1, 8, sizeof(d)), -EFAULT);
}
