/*
 * After a reset a CPU's local descriptor table is valid and 64 KiB long, at address 0. The kernel left
 * it so: selectors of the table named descriptors in the program's own page 0, call gates among them.
 */
#include "ldt.h"

TEST(page_0_is_no_descriptor_table)
{
	u64 *table = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (table != MAP_FAILED)
		for (unsigned i = 1; i < 512; i++)
			((volatile u64 *)table)[i] = 0x00cff3000000ffff;
	attack_init();
	for (unsigned entry = 1; entry < 512; entry++) {
		u32 sel = LDT_SEL(entry);

		CHECK_EQ(segment_access(sel), 0);
		CHECK(FAULTED(({ __asm__ volatile("mov %0,%%es" :: "r"(sel)); })));
		CHECK_EQ(last_fault.sig, SIGSEGV);
		CHECK_EQ(last_fault.trapno, 13);
		CHECK_EQ(last_fault.err, sel & ~3);
	}
}
