/*
 * The order in which the kernel comes up, and nothing else. kernel_main runs on the boot CPU's stack
 * with interrupts disabled and becomes that CPU's idle task; what needs to sleep runs in the thread
 * boot_thread, which ends as pid 1.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <arch/setup.h>
#include <arch/timer.h>
#include <boot/boot_info.h>
#include <boot/init.h>
#include <boot/root.h>
#include <dev/acpi.h>
#include <dev/log.h>
#include <fs/initramfs.h>
#include <lib/ktest.h>
#include <mm/page.h>
#include <sched/sched.h>
#include <sync/rcu.h>
#include <task/task.h>
#include <time/clock.h>
#include <time/timer.h>
#include <vfs/init.h>

extern const struct init_call __init_calls_start[], __init_calls_end[];

static void run_init_calls(void)
{
	for (int level = INIT_CORE; level <= INIT_LATE; level++) {
		for (const struct init_call *c = __init_calls_start; c < __init_calls_end; c++) {
			int err;

			if ((int)c->level != level)
				continue;
			err = c->fn();
			if (err)
				pr_warn("boot: %s: error %d", c->name, -err);
		}
	}
}

/* The loader's archive when there is one, else the embedded root. */
static void unpack_root(void)
{
	const void *data = embedded_root_start;
	size_t size = (size_t)(embedded_root_end - embedded_root_start);
	int err;

	if (boot_info.initrd_size) {
		data = phys_to_virt(boot_info.initrd);
		size = boot_info.initrd_size;
	}
	err = size ? initramfs_unpack(data, size) : 0;
	if (err)
		pr_err("boot: the root archive cannot be unpacked: error %d", -err);
}

static void free_boot_memory(void)
{
	if (boot_info.initrd_size)
		mm_free_boot_memory(boot_info.initrd,
				    PADDR(boot_info.initrd.v + boot_info.initrd_size));
	arch_for_each_boot_range(mm_free_boot_memory);
}

#ifdef CONFIG_KTEST
static void run_ktests(void)
{
	if (!boot_option("ktest"))
		return;
	ktest_run_all();
	arch_power_off();
}
#else
static void run_ktests(void)
{
}
#endif

static void boot_thread(void *unused)
{
	run_init_calls();
	unpack_root();
	run_ktests();
	arch_kernel_seal();
	free_boot_memory();
	pr_info("boot: starting pid 1");
	task_run_init(NULL);
}

static void start_time(void)
{
	arch_clocks_init();
	clock_init();
	log_clock_ready();
	timers_cpu_init();
	arch_timer_cpu_init();
}

void kernel_main(void)
{
	log_init();
	pr_info("Gatehouse (%s): %s", arch_machine_name, boot_info.cmdline);
	arch_traps_init();
	mm_boot_init();
	arch_cpus_init();
	start_time();
	sched_init();
	task_init();
	vfs_init();
	arch_irq_enable();
	rcu_start();
	arch_smp_boot();
	if (!kthread_create(boot_thread, NULL, "init"))
		panic("no memory for the first thread");
	sched_idle_loop();
}
