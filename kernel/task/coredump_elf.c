/*
 * The core file itself, as Linux 6.1 writes it: ELF header, program headers, one PT_NOTE with
 * every thread's registers, then the areas page by page. Runs in the dumping thread, all others
 * being stopped; only processes that share the memory without being threads may still change it, so
 * the areas are listed once, and a page that has gone reads as a hole.
 */
#include <arch/cpu.h>
#include <lib/elf.h>
#include <lib/string.h>
#include <linux/auxvec.h>
#include <linux/elf-em.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <time/cpu_timer.h>
#include <vfs/file.h>
#include <vfs/path.h>
#include "coredump.h"

#define PSARGS_SIZE    80
#define PAGE_IF_ELF    1 /* dump_bytes that areas_check_headers decides about */
#define FILE_NOTE_MAX  (4U << 20) /* names beyond that are left out, as in Linux */

struct core_time {
	s64 sec, usec;
};

/* struct elf_prstatus and elf_prpsinfo of the 64-bit ABI. */
struct core_prstatus {
	s32 signo, code, error;
	s16 cursig;
	u64 sigpend, sighold;
	s32 pid, ppid, pgrp, sid;
	struct core_time utime, stime, cutime, cstime;
	u64 reg[ARCH_NR_GREGS];
	s32 fpvalid;
};

struct core_prpsinfo {
	s8 state;
	char sname;
	s8 zomb, nice;
	u64 flag;
	u32 uid, gid;
	s32 pid, ppid, pgrp, sid;
	char fname[16], psargs[PSARGS_SIZE];
};
static_assert(sizeof(struct core_prpsinfo) == 136, "the ABI's size");

struct core_area {
	u64 start, end, pgoff, dump_bytes;
	u32 flags;
	struct file *file; /* reference, or NULL */
};

struct core_image {
	struct core_dump *d;
	struct core_area *areas;
	u32 nr_areas;
	char *notes;
	size_t notes_len, notes_size;
	char *page;        /* one page of scratch */
};

/* --- output --- */

static bool core_emit(struct core_dump *d, const void *data, size_t len)
{
	const char *from = data;

	if (d->written + len > d->limit)
		return false;
	d->hole_at_end = false;
	while (len) {
		ssize_t n;

		if (fatal_signal_pending(current))
			return false;
		n = file_write_kernel(d->file, from, len, (loff_t)d->pos);
		if (n <= 0)
			return false;
		from += n;
		len -= (size_t)n;
		d->pos += (u64)n;
		d->written += (u64)n;
	}
	return true;
}

/* A hole in a file; a pipe needs the zeros. page: zeroed. */
static bool core_skip(struct core_dump *d, const char *zeros, u64 len)
{
	if (d->seekable) {
		d->pos += len;
		d->hole_at_end = true;
		return !fatal_signal_pending(current);
	}
	for (; len; len -= MIN(len, PAGE_SIZE))
		if (!core_emit(d, zeros, MIN(len, PAGE_SIZE)))
			return false;
	return true;
}

/* --- areas --- */

/* What of the area is written: coredump_filter's rules (core(5)). mmap_lock held. */
static u64 area_dump_bytes(const struct mm *mm, const struct vma *v)
{
	u64 whole = v->end - v->start;
	u32 filter = READ_ONCE(mm->dump_filter);

	if (v->flags & VMA_SPECIAL)
		return whole;
	if (v->flags & VMA_DONTDUMP)
		return 0;
	if (v->flags & VMA_SHARED) {
		bool anonymous = !v->file || !READ_ONCE(v->file->inode->nlink);

		return filter & (anonymous ? CORE_FILTER_ANON_SHARED : CORE_FILTER_MAPPED_SHARED) ?
			       whole : 0;
	}
	if (v->has_anon && (filter & CORE_FILTER_ANON_PRIVATE))
		return whole;
	if (!v->file)
		return 0;
	if (filter & CORE_FILTER_MAPPED_PRIVATE)
		return whole;
	if ((filter & CORE_FILTER_ELF_HEADERS) && !v->pgoff && (v->flags & VMA_READ))
		return READ_ONCE(v->file->inode->mode) & 0111 ? PAGE_SIZE : PAGE_IF_ELF;
	return 0;
}

static int areas_list(struct core_image *c)
{
	struct mm *mm = c->d->mm;
	u32 n = 0;
	int err = 0;

	rwsem_read_lock(&mm->mmap_lock);
	c->areas = kvmalloc((size_t)(mm->nr_vmas + 1) * sizeof(*c->areas), GFP_KERNEL);
	if (!c->areas)
		err = -ENOMEM;
	for (struct vma *v = vma_first(mm); v && !err && n < mm->nr_vmas; v = vma_next(v)) {
		c->areas[n++] = (struct core_area){v->start, v->end, v->pgoff,
						   area_dump_bytes(mm, v), v->flags, v->file};
		if (v->file)
			file_get(v->file);
	}
	rwsem_read_unlock(&mm->mmap_lock);
	c->nr_areas = n;
	return err;
}

/* The first page of a file that cannot be executed is kept only if it looks like ELF. */
static void areas_check_headers(struct core_image *c)
{
	for (u32 i = 0; i < c->nr_areas; i++) {
		struct core_area *a = &c->areas[i];

		if (a->dump_bytes == PAGE_IF_ELF)
			a->dump_bytes = mm_core_page(c->d->mm, a->start, c->page) &&
							!memcmp(c->page, ELFMAG, SELFMAG) ?
						PAGE_SIZE : 0;
	}
}

/* --- notes --- */

static bool notes_append(struct core_image *c, const void *data, size_t len)
{
	if (c->notes_len + len > c->notes_size) {
		size_t size = ALIGN_UP((c->notes_len + len) * 2, PAGE_SIZE);
		char *bigger = kvmalloc(size, GFP_KERNEL);

		if (!bigger)
			return false;
		if (c->notes)
			memcpy(bigger, c->notes, c->notes_len);
		kvfree(c->notes);
		c->notes = bigger;
		c->notes_size = size;
	}
	memcpy(c->notes + c->notes_len, data, len);
	c->notes_len += len;
	return true;
}

static bool notes_pad(struct core_image *c)
{
	return notes_append(c, "\0\0\0", ALIGN_UP(c->notes_len, 4UL) - c->notes_len);
}

static bool note_add(struct core_image *c, const char *owner, u32 type, const void *data, size_t len)
{
	u32 head[3] = {(u32)strlen(owner) + 1, (u32)len, type};

	return notes_append(c, head, sizeof(head)) && notes_append(c, owner, head[0]) &&
	       notes_pad(c) && notes_append(c, data, len) && notes_pad(c);
}

static struct core_time core_time(u64 ns)
{
	return (struct core_time){(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC / 1000)};
}

static void fill_prstatus(const struct core_dump *d, struct task *t, struct core_prstatus *s)
{
	struct process *p = t->process;
	u64 user_ns, system_ns;

	memset(s, 0, sizeof(*s));
	s->signo = s->cursig = (s16)d->sig;
	s->sigpend = t->pending.set.bits & ~sigmask(SIGKILL);
	s->sighold = t->blocked.bits;
	s->pid = t->tid;
	spin_lock_irq(&tasklist_lock);
	s->ppid = p->parent->pid;
	s->pgrp = p->pgrp->nr;
	s->sid = p->session->nr;
	spin_unlock_irq(&tasklist_lock);
	if (t == p->leader)
		process_cpu_times(p, &user_ns, &system_ns);
	else
		sched_task_times(t, &user_ns, &system_ns);
	s->utime = core_time(user_ns);
	s->stime = core_time(system_ns);
	s->cutime = core_time(p->child_utime_ns);
	s->cstime = core_time(p->child_stime_ns);
	arch_core_gregs(t, s->reg);
	s->fpvalid = 1;
}

static bool note_prpsinfo(struct core_image *c, const struct core_prstatus *s)
{
	const struct process *p = current->process;
	struct mm *mm = c->d->mm;
	struct core_prpsinfo info;
	size_t n = MIN(mm->arg_end - mm->arg_start, (u64)PSARGS_SIZE - 1);

	memset(&info, 0, sizeof(info));
	info.sname = 'R';
	info.nice = current->sched.nice;
	info.flag = current->flags;
	info.uid = p->leader->cred->uid;
	info.gid = p->leader->cred->gid;
	info.pid = p->pid;
	info.ppid = s->ppid;
	info.pgrp = s->pgrp;
	info.sid = s->sid;
	task_comm_get(p->leader, info.fname);
	n = mm_access_remote(mm, mm->arg_start, info.psargs, n, false, true);
	for (size_t i = 0; i < n; i++)
		if (!info.psargs[i])
			info.psargs[i] = ' ';
	return note_add(c, "CORE", NT_PRPSINFO, &info, sizeof(info));
}

static bool note_auxv(struct core_image *c)
{
	const u64 *auxv = c->d->mm->auxv;
	size_t n = 0;

	while (n + 2 < ARRAY_SIZE(c->d->mm->auxv) && auxv[n] != AT_NULL)
		n += 2;
	return note_add(c, "CORE", NT_AUXV, auxv, (n + 2) * sizeof(u64));
}

/* Names of the mapped files behind the table of where they are; the length of the note. */
static size_t file_note_fill(struct core_image *c, char *note, size_t size, u64 count,
			     const struct path *root)
{
	u64 *table = (u64 *)note;
	size_t at = (2 + 3 * count) * sizeof(u64);

	*table++ = count;
	*table++ = PAGE_SIZE;
	for (u32 i = 0; i < c->nr_areas; i++) {
		const struct core_area *a = &c->areas[i];
		char *name;
		size_t len;

		if (!a->file)
			continue;
		if (path_name(&a->file->path, root, c->page, PAGE_SIZE, &name))
			name = "";
		len = strlen(name) + 1;
		if (at + len > size)
			return 0;
		memcpy(note + at, name, len);
		at += len;
		*table++ = a->start;
		*table++ = a->end;
		*table++ = a->pgoff;
	}
	return at;
}

static bool note_file(struct core_image *c)
{
	struct path root;
	u64 count = 0;
	size_t size, len;
	char *note;
	bool ok;

	for (u32 i = 0; i < c->nr_areas; i++)
		count += c->areas[i].file != NULL;
	size = MIN((size_t)(2 + 3 * count) * sizeof(u64) + count * 256 + PAGE_SIZE,
		   (size_t)FILE_NOTE_MAX);
	note = kvmalloc(size, GFP_KERNEL);
	if (!note || (2 + 3 * count) * sizeof(u64) > size) {
		kvfree(note);
		return true; /* a core without it is still good */
	}
	spin_lock(&current->fs->lock);
	root = current->fs->root;
	path_get(&root);
	spin_unlock(&current->fs->lock);
	len = file_note_fill(c, note, size, count, &root);
	path_put(&root);
	ok = !len || note_add(c, "CORE", NT_FILE, note, len);
	kvfree(note);
	return ok;
}

/* What belongs to the process stands behind the first thread's status. */
static bool notes_of_process(struct core_image *c, const struct core_prstatus *s)
{
	return note_prpsinfo(c, s) &&
	       note_add(c, "CORE", NT_SIGINFO, c->d->info, sizeof(*c->d->info)) && note_auxv(c) &&
	       note_file(c);
}

static bool notes_of_thread(struct core_image *c, struct task *t, void *scratch)
{
	struct core_note notes[ARCH_MAX_CORE_NOTES];
	struct core_prstatus s;
	size_t n = arch_core_notes(t, scratch, notes);

	fill_prstatus(c->d, t, &s);
	if (!note_add(c, "CORE", NT_PRSTATUS, &s, sizeof(s)))
		return false;
	if (t == current && !notes_of_process(c, &s))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!note_add(c, notes[i].owner, notes[i].type, notes[i].data, notes[i].size))
			return false;
	return true;
}

static bool notes_make(struct core_image *c)
{
	/* Room for the alignment to 64 that the vector state wants. */
	char *buf = kmalloc(arch_core_scratch_size() + 64, GFP_KERNEL);
	void *scratch = (void *)ALIGN_UP((uptr)buf, 64UL);
	bool ok = buf && notes_of_thread(c, current, scratch);

	for (u32 i = 0; i < c->d->nr_threads && ok; i++)
		ok = notes_of_thread(c, c->d->threads[i], scratch);
	kfree(buf);
	return ok;
}

/* --- the file --- */

static bool write_headers(struct core_image *c, u64 *data_offset)
{
	struct core_dump *d = c->d;
	u64 notes_at = sizeof(struct elf64_hdr) + (c->nr_areas + 1ULL) * sizeof(struct elf64_phdr);
	u64 at = ALIGN_UP(notes_at + c->notes_len, PAGE_SIZE);
	struct elf64_hdr h = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_CORE, .e_machine = ARCH_ELF_MACHINE, .e_version = EV_CURRENT,
		.e_phoff = sizeof(h), .e_ehsize = sizeof(h),
		.e_phentsize = sizeof(struct elf64_phdr), .e_phnum = (u16)(c->nr_areas + 1),
	};
	struct elf64_phdr ph = {.p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = c->notes_len};

	*data_offset = at;
	if (!core_emit(d, &h, sizeof(h)) || !core_emit(d, &ph, sizeof(ph)))
		return false;
	for (u32 i = 0; i < c->nr_areas; i++) {
		const struct core_area *a = &c->areas[i];

		ph = (struct elf64_phdr){
			.p_type = PT_LOAD, .p_offset = at, .p_vaddr = a->start,
			.p_filesz = a->dump_bytes, .p_memsz = a->end - a->start, .p_align = PAGE_SIZE,
			.p_flags = (a->flags & VMA_READ ? PF_R : 0) |
				   (a->flags & VMA_WRITE ? PF_W : 0) |
				   (a->flags & VMA_EXEC ? PF_X : 0),
		};
		at += a->dump_bytes;
		if (!core_emit(d, &ph, sizeof(ph)))
			return false;
	}
	return core_emit(d, c->notes, c->notes_len);
}

static bool write_areas(struct core_image *c, u64 data_offset)
{
	struct core_dump *d = c->d;

	memset(c->page, 0, PAGE_SIZE);
	if (!core_skip(d, c->page, data_offset - d->pos))
		return false;
	for (u32 i = 0; i < c->nr_areas; i++) {
		const struct core_area *a = &c->areas[i];

		for (u64 addr = a->start; addr < a->start + a->dump_bytes; addr += PAGE_SIZE) {
			bool ok;

			if (mm_core_page(d->mm, addr, c->page)) {
				ok = core_emit(d, c->page, PAGE_SIZE);
			} else {
				memset(c->page, 0, PAGE_SIZE);
				ok = core_skip(d, c->page, PAGE_SIZE);
			}
			if (!ok)
				return false;
		}
	}
	/* A hole at the end counts to the size as well. */
	if (d->hole_at_end) {
		d->pos--;
		return core_emit(d, "", 1);
	}
	return true;
}

bool core_write(struct core_dump *d)
{
	struct core_image c = {.d = d, .page = pages_alloc_virt(0, GFP_KERNEL)};
	u64 data_offset;
	bool begun = false;

	if (c.page && !areas_list(&c)) {
		areas_check_headers(&c);
		begun = notes_make(&c);
	}
	if (begun && write_headers(&c, &data_offset))
		(void)write_areas(&c, data_offset);
	for (u32 i = 0; i < c.nr_areas; i++)
		if (c.areas[i].file)
			file_put(c.areas[i].file);
	kvfree(c.areas);
	kvfree(c.notes);
	if (c.page)
		pages_free_virt(c.page, 0);
	return begun;
}
