/* A thread's registers in the form of the notes of an ELF core file. */
#pragma once

#include <lib/types.h>
#include <arch_impl/core_notes.h> /* ARCH_NR_GREGS: words of elf_gregset_t */

struct task;

struct core_note {
	const char *owner; /* "CORE" or "LINUX" */
	u32 type;          /* NT_* */
	const void *data;
	size_t size;
};

/*
 * The general registers of the current task, or of one that is off every CPU and stays so. Process
 * context.
 */
void arch_core_gregs(struct task *t, u64 gregs[ARCH_NR_GREGS]);
/* Bytes that arch_core_notes needs as scratch space. */
size_t arch_core_scratch_size(void);
/* The further notes of the same task, at most ARCH_MAX_CORE_NOTES: their number. The data lies in
 * the scratch space, 64-byte aligned. */
size_t arch_core_notes(struct task *t, void *scratch, struct core_note *notes);
