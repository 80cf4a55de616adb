/*
 * What an address space may use: page counts by kind, RLIMIT_AS, RLIMIT_DATA and RLIMIT_MEMLOCK,
 * and the commit charge with Linux's three overcommit modes. mmap_lock held for writing.
 */
#include <lib/errno.h>
#include <linux/resource.h>
#include <task/cred.h>
#include <task/task.h>
#include <mm/layout.h>
#include "vma.h"

#define ADMIN_RESERVE_PAGES (8ULL << (20 - PAGE_SHIFT)) /* kept for CAP_SYS_ADMIN to log in with */
#define USER_RESERVE_SHARE  32 /* a process may not take the last of this share of its own size */
#define USER_RESERVE_PAGES  (128ULL << (20 - PAGE_SHIFT))

u32 max_map_count = 65530;
u32 overcommit_memory = OVERCOMMIT_GUESS;
u32 overcommit_ratio = 50;

static bool is_data(u32 flags)
{
	return (flags & (VMA_WRITE | VMA_SHARED | VMA_GROWSDOWN)) == VMA_WRITE;
}

static bool is_code(u32 flags)
{
	return (flags & (VMA_EXEC | VMA_WRITE | VMA_GROWSDOWN)) == VMA_EXEC;
}

void mm_count_vma(struct mm *mm, u32 flags, s64 pages)
{
	mm->total_pages += pages;
	if (is_code(flags))
		mm->exec_pages += pages;
	else if (flags & VMA_GROWSDOWN)
		mm->stack_pages += pages;
	else if (is_data(flags))
		mm->data_pages += pages;
	if (flags & VMA_LOCKED)
		mm->locked_pages += pages;
}

bool mm_may_expand_data(const struct mm *mm, u64 pages)
{
	return mm->data_pages + pages <= rlimit(RLIMIT_DATA) >> PAGE_SHIFT;
}

bool mm_may_expand(const struct mm *mm, u32 flags, u64 pages)
{
	if (mm->total_pages + pages > rlimit(RLIMIT_AS) >> PAGE_SHIFT)
		return false;
	return !is_data(flags) || mm_may_expand_data(mm, pages);
}

int mm_may_lock(const struct mm *mm, u32 flags, u64 pages)
{
	u64 limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (!(flags & VMA_LOCKED) || mm->locked_pages + pages <= limit || capable(CAP_IPC_LOCK))
		return 0;
	return -EAGAIN;
}

bool mm_can_lock(void)
{
	return rlimit(RLIMIT_MEMLOCK) || capable(CAP_IPC_LOCK);
}

bool vma_is_accountable(u32 flags)
{
	return (flags & (VMA_NORESERVE | VMA_SHARED | VMA_WRITE)) == VMA_WRITE;
}

u64 commit_limit(void)
{
	return buddy_total_pages() * READ_ONCE(overcommit_ratio) / 100;
}

/* OVERCOMMIT_NEVER: as Linux, with its default reserves. */
static bool within_limit(const struct mm *mm, u64 pages)
{
	u64 limit = commit_limit(), reserve;

	reserve = MIN(mm->total_pages / USER_RESERVE_SHARE, USER_RESERVE_PAGES);
	if (!capable(CAP_SYS_ADMIN))
		reserve += MIN(ADMIN_RESERVE_PAGES, buddy_total_pages() / USER_RESERVE_SHARE);
	return mem_stat_read(STAT_COMMITTED) + pages + reserve < limit;
}

static bool may_commit(const struct mm *mm, u64 pages)
{
	switch (READ_ONCE(overcommit_memory)) {
	case OVERCOMMIT_ALWAYS:
		return true;
	case OVERCOMMIT_NEVER:
		return within_limit(mm, pages);
	default:
		return pages <= buddy_total_pages();
	}
}

int commit_charge(struct mm *mm, u64 pages)
{
	if (!may_commit(mm, pages))
		return -ENOMEM;
	mm->commit_pages += pages;
	mem_stat_add(STAT_COMMITTED, pages);
	return 0;
}

void commit_uncharge(struct mm *mm, u64 pages)
{
	mm->commit_pages -= pages;
	mem_stat_add(STAT_COMMITTED, -(s64)pages);
}
