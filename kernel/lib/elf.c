/*
 * ELF headers, as untrusted bytes: what Linux's loader checks, in the same order, without touching
 * anything. Pure functions, also built and fuzzed on the host.
 */
#include <lib/elf.h>
#include <lib/errno.h>
#include <lib/string.h>

#define INTERP_PATH_MAX 4096

int elf_check_header(const void *head, size_t len, u16 machine, struct elf_image *out)
{
	struct elf64_hdr h;
	u64 table;

	if (len < sizeof(h))
		return -ENOEXEC;
	memcpy(&h, head, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG))
		return -ENOEXEC;
	if ((h.e_type != ET_EXEC && h.e_type != ET_DYN) || h.e_machine != machine)
		return -ENOEXEC;
	table = (u64)h.e_phnum * sizeof(struct elf64_phdr);
	if (h.e_phentsize != sizeof(struct elf64_phdr) || !table || table > ELF_MAX_PHDRS_BYTES)
		return -ENOEXEC;
	*out = (struct elf_image){
		.type = h.e_type,
		.phnum = h.e_phnum,
		.entry = h.e_entry,
		.phoff = h.e_phoff,
	};
	return 0;
}

static void scan_load(const struct elf64_phdr *ph, u64 page_size, struct elf_image *out)
{
	u64 low = ALIGN_DOWN(ph->p_vaddr, page_size);
	u64 high = ALIGN_UP(ph->p_vaddr + ph->p_memsz, page_size);
	bool power_of_two = ph->p_align && !(ph->p_align & (ph->p_align - 1));

	if (out->low == out->high) {
		out->low = low;
		out->high = high;
	}
	out->low = MIN(out->low, low);
	out->high = MAX(out->high, high);
	if (power_of_two && ph->p_align > out->align)
		out->align = ph->p_align;
	if (ph->p_offset <= out->phoff && out->phoff - ph->p_offset < ph->p_filesz)
		out->phdr_vaddr = out->phoff - ph->p_offset + ph->p_vaddr;
}

int elf_scan(const struct elf64_phdr *ph, u64 page_size, struct elf_image *out)
{
	out->align = page_size;
	for (unsigned int i = 0; i < out->phnum; i++, ph++) {
		switch (ph->p_type) {
		case PT_LOAD:
			scan_load(ph, page_size, out);
			break;
		case PT_INTERP:
			if (out->interp_size)
				break;
			if (ph->p_filesz < 2 || ph->p_filesz > INTERP_PATH_MAX)
				return -ENOEXEC;
			out->interp_offset = ph->p_offset;
			out->interp_size = ph->p_filesz;
			break;
		case PT_GNU_STACK:
			out->has_stack_flags = true;
			out->exec_stack = ph->p_flags & PF_X;
			break;
		default:
			break;
		}
	}
	return 0;
}

bool elf_segment_valid(const struct elf64_phdr *ph, u64 bias, u64 top)
{
	u64 start = ph->p_vaddr + bias;

	return start < top && ph->p_filesz <= ph->p_memsz && ph->p_memsz <= top - start;
}
