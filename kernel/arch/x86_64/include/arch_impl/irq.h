/* The interrupt flag. */
#pragma once

#include <lib/types.h>

#define X86_FLAGS_IF 0x200ULL

static inline void arch_irq_enable(void)
{
	__asm__ __volatile__("sti" ::: "memory");
}

static inline void arch_irq_disable(void)
{
	__asm__ __volatile__("cli" ::: "memory");
}

static inline u64 arch_irq_flags(void)
{
	u64 f;

	__asm__ __volatile__("pushfq; popq %0" : "=rm"(f) : : "memory");
	return f;
}

static inline bool arch_irqs_disabled(void)
{
	return !(arch_irq_flags() & X86_FLAGS_IF);
}

static inline u64 arch_irq_save(void)
{
	u64 f = arch_irq_flags();

	arch_irq_disable();
	return f;
}

static inline void arch_irq_restore(u64 flags)
{
	if (flags & X86_FLAGS_IF)
		arch_irq_enable();
}
