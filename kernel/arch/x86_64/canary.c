/*
 * Canaries. The compiler places one below the arrays of a frame and compares before the return
 * (-fstack-protector-strong). A new task's is made of its parent's, which is secret, and the cycle
 * counter; the first one of the CPU's random numbers. Its lowest byte is 0, which ends a string that
 * runs over.
 */
#include <arch/cpu.h>
#include <lib/bits.h>
#include <lib/log.h>
#include <x86/canary.h>
#include <x86/msr.h>

DEFINE_PER_CPU(u64, stack_canary);

__noreturn void __stack_chk_fail(void);

u64 canary_make(void)
{
	u64 v = this_cpu_read(stack_canary);

	if (!v && arch_random(&v, sizeof(v)) < sizeof(v))
		v = rdtsc();
	v = (v ^ rdtsc()) * 0x9e3779b97f4a7c15ULL;
	return (v ^ v >> 29) << 8;
}

__noreturn void __stack_chk_fail(void)
{
	panic("stack of %p overrun", __builtin_return_address(0));
}
