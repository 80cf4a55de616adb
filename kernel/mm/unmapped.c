/*
 * Where a mapping goes when the caller leaves that to the kernel: at the hint if that is free,
 * else below mmap_base, as high as possible; with an unlimited stack, upwards from the base.
 * mmap_lock held.
 */
#include <lib/errno.h>
#include <linux/mman.h>
#include <asm/mman.h>
#include <mm/layout.h>
#include <task/cred.h>
#include "vma.h"

#define LOW_2G_START 0x40000000ULL
#define LOW_2G_END   0x80000000ULL

/* True when [addr, addr + len) is free and keeps its distance from a stack above. */
static bool range_free(struct mm *mm, u64 addr, u64 len)
{
	u64 found;

	return vma_gap_lowest(mm, addr, addr + len, len, &found);
}

static bool search(struct mm *mm, u64 len, u64 *out)
{
	if (mm->bottom_up)
		return vma_gap_lowest(mm, mm->mmap_base, USER_TOP, len, out) ||
		       vma_gap_lowest(mm, MMAP_MIN_ADDR, USER_TOP, len, out);
	return vma_gap_highest(mm, MMAP_MIN_ADDR, mm->mmap_base, len, out) ||
	       vma_gap_lowest(mm, ALIGN_UP(USER_TOP / 3, PAGE_SIZE), USER_TOP, len, out);
}

static int fixed(u64 addr, u64 len)
{
	if (addr > USER_TOP - len)
		return -ENOMEM;
	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	return addr < MMAP_MIN_ADDR && !capable(CAP_SYS_RAWIO) ? -EPERM : 0;
}

int mm_unmapped_area(struct mm *mm, u64 addr, u64 len, u64 flags, u64 *out)
{
	*out = addr;
	if (len > USER_TOP)
		return -ENOMEM;
	if (flags & MAP_FIXED)
		return fixed(addr, len);
	if (flags & MAP_32BIT)
		return vma_gap_lowest(mm, LOW_2G_START, LOW_2G_END, len, out) ? 0 : -ENOMEM;
	if (addr && addr <= USER_TOP) {
		addr = MAX(ALIGN_UP(addr, PAGE_SIZE), MMAP_MIN_ADDR);
		*out = addr;
		if (addr <= USER_TOP - len && range_free(mm, addr, len))
			return 0;
	}
	return search(mm, len, out) ? 0 : -ENOMEM;
}
