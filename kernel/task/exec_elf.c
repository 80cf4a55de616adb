/*
 * Loading ELF images: the program, and the interpreter that it asks for. Headers are read and
 * checked while the old program could still get an errno; mapping happens in the new address space,
 * when only the end of the process can follow a failure.
 */
#include <arch/context.h>
#include <lib/string.h>
#include <linux/mman.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <task/random.h>
#include <vfs/file.h>
#include <task/exec.h>
#include "exec.h"

/* Position-independent programs go to two thirds of user space, away from what mmap hands out. */
#define ELF_DYN_BASE   (USER_TOP / 3 * 2)
#define ELF_DYN_PAGES  BIT(28)        /* random pages added to it */
#define BRK_PAGES      (0x02000000ULL / PAGE_SIZE)

/* Reads exactly len bytes; a short file is not executable. */
static int read_exactly(struct file *f, void *buf, size_t len, u64 pos)
{
	ssize_t got;

	if (pos > (u64)S64_MAX - len)
		return -EINVAL;
	got = file_read_kernel(f, buf, len, (loff_t)pos);
	if (got < 0)
		return (int)got;
	return (size_t)got == len ? 0 : -EIO;
}

/* Header and program headers of one file. 0, -ENOEXEC, -ENOMEM. */
static int elf_read(struct file *f, const void *head, size_t len, struct elf_image *image,
		    struct elf64_phdr **phdrs)
{
	size_t bytes;
	int err = elf_check_header(head, len, ARCH_ELF_MACHINE, image);

	if (err)
		return err;
	bytes = (size_t)image->phnum * sizeof(**phdrs);
	*phdrs = kmalloc(bytes, GFP_KERNEL);
	if (!*phdrs)
		return -ENOMEM;
	if (read_exactly(f, *phdrs, bytes, image->phoff))
		return -ENOEXEC;
	return elf_scan(*phdrs, PAGE_SIZE, image);
}

static int interp_open(struct exec *e)
{
	char *path = kmalloc(e->image.interp_size, GFP_KERNEL);
	int err;

	if (!path)
		return -ENOMEM;
	err = read_exactly(e->file, path, e->image.interp_size, e->image.interp_offset);
	if (!err && path[e->image.interp_size - 1])
		err = -ENOEXEC;
	if (!err)
		err = file_open_exec(AT_FDCWD, path, LOOKUP_FOLLOW, &e->interp_file);
	kfree(path);
	return err;
}

static int interp_load(struct exec *e)
{
	struct elf64_hdr head;
	int err = interp_open(e);

	if (!err)
		err = read_exactly(e->interp_file, &head, sizeof(head), 0);
	if (err)
		return err;
	err = elf_read(e->interp_file, &head, sizeof(head), &e->interp, &e->interp_phdrs);
	return err == -ENOEXEC ? -ELIBBAD : err;
}

int exec_elf_load(struct exec *e)
{
	int err = elf_read(e->file, e->head, e->head_len, &e->image, &e->phdrs);

	if (err)
		return err;
	if (!e->file->ops->mmap)
		return -ENOEXEC;
	return e->image.interp_size ? interp_load(e) : 0;
}

void exec_elf_free(struct exec *e)
{
	kfree(e->phdrs);
	kfree(e->interp_phdrs);
	if (e->interp_file)
		file_put_exec(e->interp_file);
}

static u32 segment_prot(const struct elf64_phdr *ph)
{
	return (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
	       (ph->p_flags & PF_X ? PROT_EXEC : 0);
}

/* The rest of the last file page, and whole pages behind it, read as zero. */
static int map_bss(const struct elf64_phdr *ph, u64 file_end, u64 mem_end)
{
	u64 page_end = ALIGN_UP(file_end, PAGE_SIZE), out;
	int err;

	mem_end = ALIGN_UP(mem_end, PAGE_SIZE);
	if (!ph->p_filesz)
		page_end = ALIGN_DOWN(file_end, PAGE_SIZE);
	else if (page_end > file_end && (ph->p_flags & PF_W)) {
		err = user_zero_bytes(user_handle(bytes, file_end), page_end - file_end);
		if (err)
			return err;
	}
	if (mem_end <= page_end)
		return 0;
	return mm_map(current->mm, page_end, mem_end - page_end, segment_prot(ph),
		      MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0, &out);
}

static int map_segment(struct file *f, const struct elf64_phdr *ph, u64 bias, u32 fixed)
{
	u64 start = ph->p_vaddr + bias, file_end = start + ph->p_filesz, out;
	u64 lead = start % PAGE_SIZE;
	int err;

	if (ph->p_filesz) {
		if (ph->p_offset < lead || (ph->p_offset - lead) % PAGE_SIZE)
			return -EINVAL;
		err = mm_map(current->mm, start - lead, file_end - (start - lead), segment_prot(ph),
			     MAP_PRIVATE | fixed, f, ph->p_offset - lead, &out);
		if (err)
			return err;
	}
	return ph->p_memsz > ph->p_filesz ? map_bss(ph, file_end, start + ph->p_memsz) : 0;
}

/* All segments, moved by bias. */
static int map_image(struct file *f, const struct elf_image *image, const struct elf64_phdr *ph,
		     u64 bias)
{
	u32 fixed = MAP_FIXED_NOREPLACE;

	for (unsigned int i = 0; i < image->phnum; i++, ph++) {
		int err;

		if (ph->p_type != PT_LOAD)
			continue;
		if (!elf_segment_valid(ph, bias, USER_TOP))
			return -EINVAL;
		err = map_segment(f, ph, bias, fixed);
		if (err)
			return err;
		fixed = MAP_FIXED; /* neighbours may share a page */
	}
	return 0;
}

/* Where mmap would start: the address space is empty there. */
static u64 place_at_mmap_base(const struct elf_image *image)
{
	u64 size = image->high - image->low;

	if (current->mm->bottom_up)
		return ALIGN_UP(current->mm->mmap_base, image->align);
	if (size > current->mm->mmap_base)
		return USER_TOP; /* no place: the segments will not be valid */
	return ALIGN_DOWN(current->mm->mmap_base - size, image->align);
}

/* Where a position-independent program goes: with an interpreter far from it, else in its place. */
static u64 image_bias(const struct elf_image *image, bool has_interp)
{
	u64 base;

	if (image->type == ET_EXEC)
		return 0;
	if (!has_interp)
		return place_at_mmap_base(image) - image->low;
	base = ELF_DYN_BASE;
	if (exec_randomizes())
		base += random_u64() % ELF_DYN_PAGES * PAGE_SIZE;
	return ALIGN_DOWN(base, image->align) - image->low;
}

/* What /proc shows, and where the heap begins. */
static void note_layout(struct exec *e, const struct elf64_phdr *ph)
{
	struct mm *mm = current->mm;
	u64 brk = 0;

	mm->start_code = U64_MAX;
	for (unsigned int i = 0; i < e->image.phnum; i++, ph++) {
		u64 start = ph->p_vaddr + e->bias, file_end = start + ph->p_filesz;

		if (ph->p_type != PT_LOAD)
			continue;
		if (ph->p_flags & PF_X)
			mm->start_code = MIN(mm->start_code, start);
		mm->start_data = MAX(mm->start_data, start);
		if (ph->p_flags & PF_X)
			mm->end_code = MAX(mm->end_code, file_end);
		mm->end_data = MAX(mm->end_data, file_end);
		brk = MAX(brk, start + ph->p_memsz);
	}
	/* A loader run by itself keeps its heap away from the program it is going to map. */
	if (e->image.type == ET_DYN && !e->interp_file)
		brk = ELF_DYN_BASE;
	brk = ALIGN_UP(brk, PAGE_SIZE);
	if (exec_randomizes() && READ_ONCE(randomize_va_space) > 1)
		brk += random_u64() % BRK_PAGES * PAGE_SIZE;
	mm_set_brk(mm, brk);
}

int exec_elf_map(struct exec *e)
{
	u64 interp_bias;
	int err;

	if (e->image.type == ET_DYN && e->image.low == e->image.high)
		return -EINVAL;
	e->bias = image_bias(&e->image, e->interp_file);
	err = map_image(current->mm->exe_file, &e->image, e->phdrs, e->bias);
	if (err)
		return err;
	note_layout(e, e->phdrs);
	e->entry = e->image.entry + e->bias;
	if (!e->interp_file)
		return e->entry < USER_TOP ? 0 : -EINVAL;
	if (e->interp.low == e->interp.high)
		return -EINVAL;
	interp_bias = image_bias(&e->interp, false);
	err = map_image(e->interp_file, &e->interp, e->interp_phdrs, interp_bias);
	if (err)
		return err;
	e->interp_base = interp_bias;
	e->entry = e->interp.entry + interp_bias;
	return e->entry < USER_TOP ? 0 : -EINVAL;
}
