/*
 * Where things lie in an address space, and how much of that is chance: as Linux on x86-64, the
 * mapping base moves within 2^28 pages, the stack within 2^22 pages, the heap within 32 MiB.
 * personality(ADDR_NO_RANDOMIZE) switches all of it off.
 */
#include <linux/personality.h>
#include <linux/resource.h>
#include <mm/layout.h>
#include <task/task.h>
#include "vma.h"

#define MMAP_RND_PAGES  (1ULL << 28)
#define STACK_RND_PAGES (1ULL << 22)
#define BRK_RND_BYTES   0x02000000ULL
#define MIN_STACK_GAP   (128ULL << 20)

void random_bytes(void *buf, size_t len); /* task's generator */

static bool randomized(void)
{
	return !(current->personality & ADDR_NO_RANDOMIZE);
}

static u64 random_below(u64 power_of_two)
{
	u64 r;

	random_bytes(&r, sizeof(r));
	return r & (power_of_two - 1);
}

u64 mm_stack_top(void)
{
	u64 pages = randomized() ? random_below(STACK_RND_PAGES) : 0;

	return USER_TOP - pages * PAGE_SIZE;
}

/* Room for the stack to grow to its limit, and for its random start. */
static u64 stack_gap(void)
{
	u64 pad = STACK_GUARD_GAP + (randomized() ? STACK_RND_PAGES * PAGE_SIZE : 0);
	u64 gap = rlimit(RLIMIT_STACK);

	if (gap + pad > gap)
		gap += pad;
	return MIN(MAX(gap, MIN_STACK_GAP), USER_TOP / 6 * 5);
}

void mm_layout_init(struct mm *mm)
{
	u64 chance = randomized() ? random_below(MMAP_RND_PAGES) * PAGE_SIZE : 0;

	mm->bottom_up = rlimit(RLIMIT_STACK) == RLIM64_INFINITY ||
			current->personality & ADDR_COMPAT_LAYOUT;
	if (mm->bottom_up)
		mm->mmap_base = ALIGN_UP(USER_TOP / 3, PAGE_SIZE) + chance;
	else
		mm->mmap_base = ALIGN_DOWN(USER_TOP - stack_gap() - chance, PAGE_SIZE);
}

void mm_set_brk(struct mm *mm, u64 addr)
{
	addr = ALIGN_UP(addr, PAGE_SIZE);
	if (randomized())
		addr += random_below(BRK_RND_BYTES / PAGE_SIZE) * PAGE_SIZE;
	mm->start_brk = mm->brk = addr;
}
