/* The port's steps of kernel_main. Boot CPU only. */
#include <arch/cpu.h>
#include <arch/setup.h>
#include <boot/root.h>
#include <dev/acpi.h>
#include <lib/compiler.h>
#include <lib/log.h>
#include <task/task.h>
#include <x86/apic.h>
#include <x86/canary.h>
#include <x86/cpu_init.h>
#include <x86/early.h>
#include <x86/image.h>
#include <x86/paging.h>
#include <x86/pti.h>
#include <x86/smp.h>

void arch_traps_init(void)
{
	init_idle_task.kernel_stack = (uptr)boot_stack;
	this_cpu_write(current_task, &init_idle_task);
	init_idle_task.arch.canary = canary_make();
	this_cpu_write(stack_canary, init_idle_task.arch.canary);
	traps_cpu_init();
	fpu_cpu_init();
}

void arch_cpus_init(void)
{
	paging_init();
	if (pti_share_cpu(0, boot_ist_tops, BOOT_IST_SIZE))
		panic("no memory for page-table isolation");
	acpi_init();
	apic_init();
	lapic_cpu_init();
	ioapic_init(acpi_platform());
	smp_prepare();
}

void arch_for_each_boot_range(void (*free)(struct paddr start, struct paddr end))
{
	free(kernel_paddr(__init_text_start), kernel_paddr(__init_text_end));
	free(kernel_paddr(__init_data_start), kernel_paddr(__init_data_end));
	if ((uptr)embedded_root_end > (uptr)embedded_root_start)
		free(kernel_paddr(embedded_root_start), kernel_paddr(embedded_root_end));
}
