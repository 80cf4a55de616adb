/*
 * A new program's stack. From the top down: 8 zero bytes, the file name, environment strings,
 * argument strings, a random gap, the platform's name, 16 random bytes, the auxiliary vector, envp,
 * argv, argc; the stack pointer at argc, aligned to 16.
 */
#include <arch/cpu.h>
#include <arch/signal_frame.h>
#include <arch/vdso.h>
#include <lib/string.h>
#include <linux/auxvec.h>
#include <linux/personality.h>
#include <mm/layout.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <task/exec.h>
#include <task/random.h>
#include "exec.h"

#define STACK_RANDOM_PAGES BIT(22) /* 16 GiB, as Linux on x86-64 */
#define MMAP_RANDOM_PAGES  BIT(28)
#define STACK_EXTRA        (128ULL << 10) /* mapped below the arguments from the start */
#define STACK_GAP_MIN      (128ULL << 20)
#define STACK_GAP_MAX      (USER_TOP / 6 * 5)
#define VDSO_PLACE_ALIGN   (2ULL << 20)
#define RANDOM_BYTES       16
#define NR_AUX             24 /* pairs at most, with the terminator */

u32 randomize_va_space = 2;

bool exec_randomizes(void)
{
	return READ_ONCE(randomize_va_space) && !(current->personality & ADDR_NO_RANDOMIZE);
}

/* All strings with their NULs. */
static u64 strings_bytes(const struct exec_args *a)
{
	u64 bytes = a->len - a->skip;

	for (u32 i = EXEC_PREFIX_MAX - a->nr_prefix; i < EXEC_PREFIX_MAX; i++)
		bytes += strlen(a->prefix[i]) + 1;
	return bytes;
}

/* Without a limit the stack may take anything: mappings go upwards from a third of user space. */
static bool layout_bottom_up(void)
{
	return rlimit(RLIMIT_STACK) == RLIM64_INFINITY ||
	       (current->personality & ADDR_COMPAT_LAYOUT);
}

static u64 mmap_base(u64 random_pages)
{
	u64 gap = rlimit(RLIMIT_STACK), pad = STACK_GUARD_GAP;

	if (layout_bottom_up())
		return ALIGN_UP(USER_TOP / 3, PAGE_SIZE) + random_pages * PAGE_SIZE;
	if (exec_randomizes())
		pad += STACK_RANDOM_PAGES * PAGE_SIZE;
	gap = MIN(gap, STACK_GAP_MAX);
	gap += pad;
	gap = MAX(gap, STACK_GAP_MIN);
	return ALIGN_DOWN(USER_TOP - MIN(gap, STACK_GAP_MAX), PAGE_SIZE) - random_pages * PAGE_SIZE;
}

int exec_stack_create(struct exec *e)
{
	u64 stack_pages = 0, mmap_pages = 0, size;
	bool exec_stack = e->image.has_stack_flags && e->image.exec_stack;

	if (exec_randomizes()) {
		stack_pages = random_u64() % STACK_RANDOM_PAGES;
		mmap_pages = random_u64() % MMAP_RANDOM_PAGES;
	}
	e->mm->bottom_up = layout_bottom_up();
	e->mm->mmap_base = mmap_base(mmap_pages);
	e->stack_top = USER_TOP - stack_pages * PAGE_SIZE;
	size = strings_bytes(&e->args) + strlen(e->name) +
	       ((u64)e->args.argc + e->args.envc) * sizeof(u64) + STACK_EXTRA;
	return mm_map_stack(e->mm, e->stack_top, ALIGN_UP(size, PAGE_SIZE), exec_stack);
}

/* As on Linux: above the stack, in the same 2 MiB of user space if they end behind it. */
static u64 vdso_place(const struct exec *e, u64 len)
{
	u64 end = MIN(ALIGN_UP(e->stack_top + len, VDSO_PLACE_ALIGN), USER_TOP);

	if (end < e->stack_top + len)
		return e->stack_top; /* taken: it goes where mmap would put it */
	return e->stack_top + random_u64() % (((end - len - e->stack_top) >> PAGE_SHIFT) + 1) *
				      PAGE_SIZE;
}

int exec_vdso_map(struct exec *e)
{
	u64 len = arch_vdso_bytes(), addr;
	int err = mm_find_room(current->mm, vdso_place(e, len), len, &addr);

	return err ? err : arch_vdso_map(current->mm, addr);
}

static int stack_write(u64 addr, const void *data, size_t len)
{
	return user_write_bytes(user_handle(bytes, addr), data, len);
}

/* The strings in their order from start on; notes in mm where they are. */
static int write_strings(const struct exec *e, u64 start, u64 name_addr)
{
	const struct exec_args *a = &e->args;
	struct mm *mm = current->mm;
	u64 at = start;
	int err = 0;

	mm->arg_start = start;
	for (u32 i = EXEC_PREFIX_MAX - a->nr_prefix; i < EXEC_PREFIX_MAX && !err; i++) {
		size_t size = strlen(a->prefix[i]) + 1;

		err = stack_write(at, a->prefix[i], size);
		at += size;
	}
	if (!err)
		err = stack_write(at, a->buf + a->skip, a->len - a->skip);
	mm->arg_end = mm->env_start = at + (a->env_start - a->skip);
	mm->env_end = at + (a->len - a->skip);
	return err ? err : stack_write(name_addr, e->name, strlen(e->name) + 1);
}

/* Fills table with argc, argv, NULL, envp, NULL; the number of words. */
static size_t fill_pointers(const struct exec_args *a, u64 strings, u64 *table)
{
	const char *s = a->buf + a->skip, *end = a->buf + a->len;
	size_t n = 0;
	u32 argc = 0;

	table[n++] = a->argc;
	for (u32 i = EXEC_PREFIX_MAX - a->nr_prefix; i < EXEC_PREFIX_MAX; i++, argc++) {
		table[n++] = strings;
		strings += strlen(a->prefix[i]) + 1;
	}
	for (; s < end; argc++) {
		size_t size = strlen(s) + 1;

		if (argc == a->argc)
			table[n++] = 0;
		table[n++] = strings;
		strings += size;
		s += size;
	}
	if (argc == a->argc)
		table[n++] = 0;
	table[n++] = 0;
	return n;
}

/* Keys and values in Linux's order. */
static size_t fill_auxv(const struct exec *e, u64 name, u64 random, u64 platform, u64 *aux)
{
	const struct cred *c = e->cred;
	u64 *at = aux;

#define AUX(key, value) (*at++ = (key), *at++ = (u64)(value))
	AUX(AT_SYSINFO_EHDR, current->mm->vdso_base);
	AUX(AT_MINSIGSTKSZ, arch_signal_frame_size());
	AUX(AT_HWCAP, arch_hwcap);
	AUX(AT_PAGESZ, PAGE_SIZE);
	AUX(AT_CLKTCK, 100);
	AUX(AT_PHDR, e->image.phdr_vaddr ? e->image.phdr_vaddr + e->bias : e->bias);
	AUX(AT_PHENT, sizeof(struct elf64_phdr));
	AUX(AT_PHNUM, e->image.phnum);
	AUX(AT_BASE, e->interp_base);
	AUX(AT_FLAGS, 0);
	AUX(AT_ENTRY, e->image.entry + e->bias);
	AUX(AT_UID, c->uid);
	AUX(AT_EUID, c->euid);
	AUX(AT_GID, c->gid);
	AUX(AT_EGID, c->egid);
	AUX(AT_SECURE, e->secure);
	AUX(AT_RANDOM, random);
	AUX(AT_HWCAP2, arch_hwcap2);
	AUX(AT_EXECFN, name);
	AUX(AT_PLATFORM, platform);
	AUX(AT_NULL, 0);
#undef AUX
	return (size_t)(at - aux);
}

int exec_stack_fill(struct exec *e, u64 *sp)
{
	struct mm *mm = current->mm;
	const struct exec_args *a = &e->args;
	u64 name = e->stack_top - sizeof(u64) - (strlen(e->name) + 1);
	u64 strings = name - strings_bytes(a), at = strings, platform, random;
	u8 bytes[RANDOM_BYTES];
	size_t words = (size_t)a->argc + a->envc + 3, nr_aux, n;
	u64 *table;
	int err;

	if (exec_randomizes())
		at -= random_u64() % 8192;
	platform = ALIGN_DOWN(at, 16ULL) - ALIGN_UP(strlen(arch_machine_name) + 1, 16UL);
	random = platform - RANDOM_BYTES;
	table = kvmalloc((words + 2 * NR_AUX) * sizeof(u64), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	n = fill_pointers(a, strings, table);
	nr_aux = fill_auxv(e, name, random, platform, table + n);
	memcpy(mm->auxv, table + n, MIN(nr_aux * sizeof(u64), sizeof(mm->auxv)));
	*sp = ALIGN_DOWN(random - (n + nr_aux) * sizeof(u64), 16ULL);
	mm->start_stack = *sp;
	random_bytes(bytes, sizeof(bytes));
	err = write_strings(e, strings, name);
	if (!err)
		err = stack_write(platform, arch_machine_name, strlen(arch_machine_name) + 1);
	if (!err)
		err = user_write_own_bytes(user_handle(bytes, random), bytes, sizeof(bytes));
	if (!err)
		err = user_write_own_bytes(user_handle(bytes, *sp), table, (n + nr_aux) * sizeof(u64)); /* AT_ENTRY is any number */
	kvfree(table);
	return err;
}
