/*
 * Where the kernel lies. At each boot the image moves to another 2 MiB step of the last GiB but one, and the
 * direct map and the vmalloc area to other places in the kernel's half (nokaslr: they stay). Only the
 * virtual addresses change; the image stays where the loader has put it.
 *
 * Runs on the boot tables at the image's linked address. The new place is mapped as well before the
 * addresses in the image are changed, by the table that the second link has made (tools/relocs.awk): so
 * it does not matter which of the two an instruction of this file refers to.
 */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <boot/boot_info.h>
#include <x86/cpuid.h>
#include <x86/early.h>
#include <x86/image.h>
#include <x86/kaslr.h>
#include <x86/msr.h>

#define STEP_ALIGN    HUGE_PAGE_SIZE
#define WINDOW_STEPS  16U /* the most that the image takes up; both places must not overlap */
#define DIRECT_STEPS  16384U /* GiB */
#define VMALLOC_STEPS 32U /* root entries */

u64 kernel_slide __ro_after_init;
#ifndef CONFIG_KASAN /* its shadow is found by a constant */
uptr direct_map_start __ro_after_init = DIRECT_MAP_DEFAULT;
uptr kernel_vmalloc_start __ro_after_init = KERNEL_VMALLOC_DEFAULT;
#endif

/*
 * Lists of places that hold an address: from where (physical), bytes per address (0: end of
 * the table), distances from one to the next, 0: end. A distance takes one to three bytes.
 */
extern const u8 image_relocs[];

static u64 random_state;

/* Any below n. The state is stirred for each. */
static u64 pick(u64 n)
{
	u64 v = 0;

	arch_random(&v, sizeof(v));
	random_state = (random_state ^ v ^ rdtsc()) * 0x9e3779b97f4a7c15ULL;
	return (random_state >> 32) * n >> 32;
}

static u32 distance_take(const u8 **at)
{
	u32 d = *(*at)++;

	if (d & 0x80) {
		bool three = d & 0x40;

		d = (d & 0x3f) << 8 | *(*at)++;
		if (three)
			d = d << 8 | *(*at)++;
	}
	return d;
}

static void relocate(u64 slide)
{
	const u8 *at = image_relocs;

	for (;;) {
		u32 from = at[0] | at[1] << 8 | at[2] << 16 | (u32)at[3] << 24;
		u8 width = at[4], *place = (u8 *)KERNEL_IMAGE_START + from;
		u32 distance;

		if (!width)
			return;
		at += 5;
		while ((distance = distance_take(&at))) {
			place += distance;
			if (width == 8)
				*(u64 *)place += slide;
			else
				*(u32 *)place += (u32)slide;
		}
	}
}

static void map_window(u64 first_step)
{
	for (u64 i = 0; i < WINDOW_STEPS; i++)
		boot_pd_high[first_step + i] = boot_pd_high[i];
	write_cr3(read_cr3());
}

u64 kaslr_init(u64 start_info)
{
	u64 step;

	pvh_read_boot_info(start_info);
	cpu_features_init();
	if (boot_option("nokaslr") || (uptr)_end - KERNEL_IMAGE_START > WINDOW_STEPS * STEP_ALIGN)
		return 0;
	random_state = boot_info.initrd_size ^ boot_info.nr_mem;
	step = WINDOW_STEPS + pick(PT_ENTRIES - 2 * WINDOW_STEPS);
	map_window(step);
	relocate(step * STEP_ALIGN);
	kernel_slide = step * STEP_ALIGN;
#ifndef CONFIG_KASAN
	direct_map_start += pick(DIRECT_STEPS) << 30;
	kernel_vmalloc_start += pick(VMALLOC_STEPS) << 39;
#endif
	return kernel_slide;
}
