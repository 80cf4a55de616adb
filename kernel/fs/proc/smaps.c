/* /proc/PID/smaps, smaps_rollup, pagemap and clear_refs: what an address space holds, page by page. */
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include "internal.h"

/* "%-16s%8llu kB\n"; two dozen of them for each area: without the general formatter. */
static void line(struct text *t, const char *name, u64 bytes)
{
	char text[] = "                       0 kB\n";
	char *digit = text + 23;
	u64 kib = bytes >> 10;

	if (kib > 99999999) {
		text_printf(t, "%-16s%8llu kB\n", name, kib);
		return;
	}
	memcpy(text, name, strlen(name));
	for (; kib; kib /= 10)
		*digit-- = (char)('0' + kib % 10);
	text_append(t, text, sizeof(text) - 1);
}

static void usage_lines(struct text *t, const struct vma_usage *u, bool rollup)
{
	line(t, "Rss:", u->rss);
	line(t, "Pss:", u->pss >> VMA_USAGE_SHIFT);
	line(t, "Pss_Dirty:", u->pss_dirty >> VMA_USAGE_SHIFT);
	if (rollup) {
		line(t, "Pss_Anon:", u->pss_anon >> VMA_USAGE_SHIFT);
		line(t, "Pss_File:", u->pss_file >> VMA_USAGE_SHIFT);
		line(t, "Pss_Shmem:", u->pss_shmem >> VMA_USAGE_SHIFT);
	}
	line(t, "Shared_Clean:", u->shared_clean);
	line(t, "Shared_Dirty:", u->shared_dirty);
	line(t, "Private_Clean:", u->private_clean);
	line(t, "Private_Dirty:", u->private_dirty);
	line(t, "Referenced:", u->referenced);
	line(t, "Anonymous:", u->anonymous);
	/* There are no huge pages of files, no swap, and MADV_FREE frees at once. */
	line(t, "LazyFree:", 0);
	line(t, "AnonHugePages:", u->anon_huge);
	line(t, "ShmemPmdMapped:", 0);
	line(t, "FilePmdMapped:", 0);
	line(t, "Shared_Hugetlb:", 0);
	line(t, "Private_Hugetlb:", 0);
	line(t, "Swap:", 0);
	line(t, "SwapPss:", 0);
}

static void flags_line(struct text *t, u32 flags)
{
	static const struct {
		u32 flag;
		char text[4];
	} names[] = {
		{VMA_READ, "rd "}, {VMA_WRITE, "wr "}, {VMA_EXEC, "ex "}, {VMA_SHARED, "sh "},
		{VMA_MAYREAD, "mr "}, {VMA_MAYWRITE, "mw "}, {VMA_MAYEXEC, "me "},
		{VMA_GROWSDOWN, "gd "}, {VMA_LOCKED, "lo "}, {VMA_DONTFORK, "dc "},
		{VMA_ACCOUNT, "ac "}, {VMA_NORESERVE, "nr "}, {VMA_WIPEONFORK, "wf "},
		{VMA_DONTDUMP, "dd "}, {VMA_HUGEPAGE, "hg "}, {VMA_NOHUGEPAGE, "nh "},
	};

	text_printf(t, "VmFlags: ");
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].flag)
			text_append(t, names[i].text, 3);
	text_append(t, "\n", 1);
}

static void smaps_area(struct text *t, struct vma *v, const struct path *root, char *page)
{
	struct vma_usage u = {0};

	proc_show_area(t, v, root, page);
	vma_usage(v, &u);
	line(t, "Size:", v->end - v->start);
	line(t, "KernelPageSize:", PAGE_SIZE);
	line(t, "MMUPageSize:", PAGE_SIZE);
	usage_lines(t, &u, false);
	line(t, "Locked:", v->flags & VMA_LOCKED ? u.pss >> VMA_USAGE_SHIFT : 0);
	text_printf(t, "THPeligible:    %d\n", vma_takes_huge_pages(v));
	flags_line(t, v->flags);
}

int proc_show_smaps(struct text *t, const struct proc_target *target)
{
	return proc_show_areas(t, target, smaps_area);
}

int proc_show_smaps_rollup(struct text *t, const struct proc_target *target)
{
	struct mm *mm = task_get_mm(target->task);
	struct vma_usage u = {0};
	u64 first = 0, last = 0, locked = 0;

	if (!mm)
		return -ESRCH;
	rwsem_read_lock(&mm->mmap_lock);
	for (struct vma *v = vma_first(mm); v; v = vma_next(v)) {
		u64 before = u.pss;

		if (!last)
			first = v->start;
		last = v->end;
		vma_usage(v, &u);
		if (v->flags & VMA_LOCKED)
			locked += u.pss - before;
	}
	rwsem_read_unlock(&mm->mmap_lock);
	mm_put(mm);
	text_printf(t, "%08llx-%08llx ---p 00000000 00:00 0", first, last);
	text_printf(t, "%*s[rollup]\n", PROC_NAME_COLUMN - (int)t->len, "");
	usage_lines(t, &u, true);
	line(t, "Locked:", locked >> VMA_USAGE_SHIFT);
	return 0;
}

int proc_store_clear_refs(char *data, const struct proc_target *target)
{
	struct mm *mm;

	if (*data < '1' || *data > '5' || *data == '4' || (data[1] && data[1] != '\n'))
		return -EINVAL; /* 4: soft-dirty bits, which are not kept */
	mm = task_get_mm(target->task);
	if (!mm)
		return 0;
	if (*data == '5')
		mm_reset_peak_rss(mm);
	else
		mm_clear_young(mm, *data != '3', *data != '2');
	mm_put(mm);
	return 0;
}

/* ---- pagemap: one word per page, at the page's number times 8 ---- */

#define PAGEMAP_CHUNK 256

static ssize_t pagemap_chunk(struct mm *mm, struct io_iter *to, loff_t *pos, u64 *words, bool frames)
{
	u64 first = (u64)*pos / sizeof(u64), limit = USER_TOP >> PAGE_SHIFT;
	u32 nr = (u32)MIN(io_count(to) / sizeof(u64), (u64)PAGEMAP_CHUNK);

	if (first >= limit)
		return 0;
	nr = (u32)MIN((u64)nr, limit - first);
	mm_pagemap(mm, first << PAGE_SHIFT, nr, frames, words);
	if (io_copy_to(to, words, nr * sizeof(u64)) != nr * sizeof(u64))
		return -EFAULT;
	*pos += (loff_t)(nr * sizeof(u64));
	return (ssize_t)(nr * sizeof(u64));
}

static ssize_t pagemap_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct mm *mm = f->private;
	u64 *words;
	ssize_t done = 0, n;

	if (*pos < 0 || *pos % (loff_t)sizeof(u64) || io_count(to) % sizeof(u64))
		return -EINVAL;
	if (!mm || !mm_get_unless_dead(mm))
		return 0;
	words = kmalloc(PAGEMAP_CHUNK * sizeof(*words), GFP_KERNEL);
	n = words ? 1 : -ENOMEM;
	while (words && io_count(to) && !fatal_signal_pending(current)) {
		n = pagemap_chunk(mm, to, pos, words, cred_capable(f->cred, CAP_SYS_ADMIN));
		if (n <= 0)
			break;
		done += n;
	}
	kfree(words);
	mm_put(mm);
	return done ? done : MIN(n, 0);
}

const struct file_ops proc_pagemap_fops = {
	.name = "pagemap",
	.open = proc_mem_open,
	.read = pagemap_read,
	.llseek = proc_mem_llseek,
	.release = proc_mem_release,
};
