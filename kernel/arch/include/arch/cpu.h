/* The processors: identity, idling, calls across CPUs. */
#pragma once

#include <arch/percpu.h>
#include <lib/atomic.h>

#define MAX_CPUS 64

/* A set of CPUs; bit n is CPU n. */
struct cpumask {
	u64 bits;
};

DECLARE_PER_CPU(u32, cpu_number);

extern u32 nr_cpus;                  /* CPUs that have been started; fixed once boot is over */
extern struct cpumask cpus_online;

static inline u32 smp_processor_id(void)
{
	return this_cpu_read(cpu_number);
}

#define for_each_cpu(cpu) for (u32 cpu = 0; cpu < nr_cpus; cpu++)

#include <arch_impl/cpu.h> /* cpu_relax(): a hint in a busy loop */

/* Waits for an interrupt. Called with interrupts disabled; returns with them enabled. */
void arch_cpu_idle(void);

/* Makes a remote CPU pass its reschedule check soon. Any context. */
void arch_send_reschedule(u32 cpu);

/*
 * Runs fn(arg) with interrupts disabled on every other CPU in the mask and waits until all have
 * finished. Interrupts enabled, no spinlock held; fn must be short and must not wait.
 */
void smp_call(struct cpumask mask, void (*fn)(void *), void *arg);

/* Starts the other CPUs; each ends in sched_cpu_start(). Once, during boot. */
void arch_smp_boot(void);

__noreturn void arch_power_off(void);
__noreturn void arch_reset(void);
/* Stops all other CPUs for good; for panic. */
void arch_stop_others(void);

/* Up to len random bytes from the CPU's own generator; the number delivered (0 without one). */
size_t arch_random(void *buf, size_t len);
/* A fast running counter without a defined unit, for entropy and jitter. */
u64 arch_cycles(void);

/* Prints the call chain of the given frame (0: the caller's) to the log. */
void arch_backtrace(uptr frame);
/* Prints the register contents and the symbol at the instruction pointer to the log; for panic. */
struct regs;
void arch_show_regs(const struct regs *regs);

/* Writes the text of /proc/cpuinfo for one CPU through emit(ctx, text). */
void arch_cpuinfo(u32 cpu, void (*emit)(void *ctx, const char *text), void *ctx);
/* uname's machine field and the auxv AT_PLATFORM string: "x86_64". */
extern const char arch_machine_name[];
/* AT_HWCAP and AT_HWCAP2 values. */
extern u64 arch_hwcap, arch_hwcap2;
