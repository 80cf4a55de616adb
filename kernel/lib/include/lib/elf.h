/*
 * ELF files: checks the header and program headers of a 64-bit image and says what an exec loader
 * has to do. The bytes are untrusted; nothing here trusts one before it is checked.
 */
#pragma once

#include <lib/types.h>
#include <linux/elf.h>

#define ELF_MAX_PHDRS_BYTES 4096 /* as Linux 6.1: the table must fit into a page */

struct elf_image {
	u16 type;                 /* ET_EXEC or ET_DYN */
	u16 phnum;
	u64 entry;
	u64 phoff;                /* file offset of the program headers */
	/* From the program headers. */
	u64 phdr_vaddr;           /* where the table is in memory; 0: not mapped */
	u64 low, high;            /* all loadable segments, page aligned; low == high: none */
	u64 align;                /* largest power-of-two alignment of a loadable segment */
	u64 interp_offset;        /* path of the interpreter in the file; size 0: none */
	u64 interp_size;
	bool has_stack_flags;     /* PT_GNU_STACK is there */
	bool exec_stack;
};

/* Header of an executable for `machine`. 0 or -ENOEXEC. */
int elf_check_header(const void *head, size_t len, u16 machine, struct elf_image *out) __must_check;
/* Collects what the table of out->phnum entries says; the first interpreter counts. 0 or -ENOEXEC. */
int elf_scan(const struct elf64_phdr *ph, u64 page_size, struct elf_image *out) __must_check;
/* The segment lies within [0, top) when moved by bias, and is no larger in the file than in
 * memory. */
bool elf_segment_valid(const struct elf64_phdr *ph, u64 bias, u64 top);
