/*
 * The end: message, registers, back trace on the console, then power-off or whatever `panic=` says.
 * The first CPU that gets here stops the others and reports; a second panic on the same CPU ends
 * the machine at once. No locks.
 */
#include <arch/cpu.h>
#include <arch/entry.h>
#include <arch/irq.h>
#include <boot/boot_info.h>
#include <dev/log.h>
#include <lib/atomic.h>
#include <lib/format.h>
#include <task/task.h>
#include <time/clock.h>

static u32 panic_cpu; /* atomic: number + 1 of the CPU that reports; 0: none */

bool panic_in_progress(void)
{
	return __atomic_load_n(&panic_cpu, __ATOMIC_RELAXED) != 0;
}

/* `panic=N`: N > 0 resets after N seconds, N < 0 resets at once, 0 stands still; default: off. */
static __noreturn void end_machine(void)
{
	char value[16];
	u64 seconds;

	if (boot_option_copy("panic", value, sizeof(value)) <= 0)
		arch_power_off();
	if (value[0] == '-')
		arch_reset();
	if (boot_option_u64("panic", &seconds) && seconds == 0) {
		for (;;)
			cpu_relax();
	}
	while (seconds--)
		udelay(1000000);
	arch_reset();
}

static void claim_panic(void)
{
	u32 none = 0, me = smp_processor_id() + 1;

	arch_irq_disable();
	if (__atomic_compare_exchange_n(&panic_cpu, &none, me, false, __ATOMIC_SEQ_CST,
					__ATOMIC_RELAXED)) {
		arch_stop_others();
		return;
	}
	if (none == me)
		arch_power_off(); /* the report itself is broken */
	for (;;)
		cpu_relax();
}

static void vpanic(const struct regs *regs, uptr frame, const char *fmt, va_list ap)
	__printf(3, 0);
static void vpanic(const struct regs *regs, uptr frame, const char *fmt, va_list ap)
{
	char text[256];

	claim_panic();
	vformat(text, sizeof(text), fmt, ap);
	log_write(LOG_EMERG, "Kernel panic: %s", text);
	log_write(LOG_EMERG, "CPU %u, task %d (%s)", smp_processor_id(), current->tid, current->comm);
	if (regs)
		arch_show_regs(regs);
	arch_backtrace(frame);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vpanic(NULL, 0, fmt, ap);
	va_end(ap);
	end_machine();
}

void panic_regs(const struct regs *regs, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vpanic(regs, regs_frame(regs), fmt, ap);
	va_end(ap);
	end_machine();
}
