/* Executes INT N for all 256 vectors: only those meant for ring 3 get through. */
#include "attack.h"

TEST(every_vector)
{
	attack_init();
	for (int n = 0; n < 256; n++) {
		u8 code[] = { 0xb8, 0xff, 0xff, 0xff, 0x7f, 0xcd, n }; /* mov $0x7fffffff,%eax; int n */
		bool faulted = FAULTED(attack_run(code, sizeof(code), 0, 0, 0));

		if (n == 0x80 && !faulted)
			continue; /* the 32-bit gate, where there is one */
		CHECK(faulted);
		if (n == 3) {
			CHECK_EQ(last_fault.sig, SIGTRAP);
			continue;
		}
		if (last_fault.sig != SIGSEGV || last_fault.code != SI_KERNEL)
			FAIL("int %d: signal %d code %#x", n, last_fault.sig, last_fault.code);
		/* QEMU's emulation gives 16 times the vector. */
		if (n != 4 && last_fault.err != (u64)n * 8 + 2 && last_fault.err != (u64)n * 16 + 2)
			FAIL("int %d: error code %#lx", n, last_fault.err);
	}
}

TEST(vectors_survive_odd_state)
{
	attack_init();
	for (int n = 0; n < 256; n += 5) {
		u8 code[] = { 0xfd, 0x48, 0x31, 0xe4, 0xcd, n }; /* std; xor %rsp,%rsp; int n */

		if (n == 0x80)
			continue;
		CHECK(FAULTED(attack_run(code, sizeof(code), 0, 0, 0)));
	}
}
