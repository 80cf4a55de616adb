/* Writes minimal ELF programs: one loadable segment with header and code, perhaps an interpreter. */
#pragma once

#include "test.h"

#include <elf.h>

/* Create the executable file path, one page: type ET_EXEC or ET_DYN, linked at base, that runs code. */
static inline void elf_write(const char *path, int type, u64 base, const void *code, size_t len,
			     const char *interp)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[2];
		char interp[512];
	} h = { 0 };
	int fd = CHECK_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755));
	int n = 0;

	if (interp) {
		strcpy(h.interp, interp);
		h.ph[n++] = (Elf64_Phdr){
			.p_type = PT_INTERP, .p_flags = PF_R, .p_align = 1,
			.p_offset = offsetof(typeof(h), interp),
			.p_vaddr = base + offsetof(typeof(h), interp),
			.p_filesz = strlen(interp) + 1, .p_memsz = strlen(interp) + 1,
		};
	}
	h.ph[n++] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_align = 4096, .p_vaddr = base,
		.p_filesz = 4096, .p_memsz = 4096, /* Linux 6.1 zeroes an interpreter's last page part */
	};
	h.eh = (Elf64_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = type, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_entry = base + sizeof(h), .e_phoff = offsetof(typeof(h), ph),
		.e_ehsize = sizeof(h.eh), .e_phentsize = sizeof(h.ph[0]), .e_phnum = n,
	};
	CHECK_EQ(write(fd, &h, sizeof(h)), sizeof(h));
	CHECK_EQ(write(fd, code, len), len);
	CHECK_OK(ftruncate(fd, 4096));
	CHECK_OK(fchmod(fd, 0755));
	close(fd);
}
