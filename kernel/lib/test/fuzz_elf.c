/* ELF headers and program headers from arbitrary bytes, as execve uses them. links: lib/elf.c */
#include "host.h"
#include <lib/elf.h>
#include <stdlib.h>
#include <string.h>

#define MACHINE  62
#define PAGE     4096ULL
#define USER_TOP 0x7ffffffff000ULL

static void require(bool ok)
{
	if (!ok)
		abort();
}

/* What the loader relies on, whatever the bytes say. */
static void check_segments(const struct elf64_phdr *ph, const struct elf_image *image, uint64_t bias)
{
	for (unsigned int i = 0; i < image->phnum; i++) {
		uint64_t start = ph[i].p_vaddr + bias;

		if (ph[i].p_type != PT_LOAD || !elf_segment_valid(&ph[i], bias, USER_TOP))
			continue;
		require(start < USER_TOP);
		require(start + ph[i].p_memsz >= start && start + ph[i].p_memsz <= USER_TOP);
		require(ph[i].p_filesz <= ph[i].p_memsz);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image image;
	struct elf64_phdr *table;
	uint64_t bias = 0;
	size_t bytes;

	if (elf_check_header(data, size, MACHINE, &image))
		return 0;
	require(image.phnum && image.phnum * sizeof(*table) <= ELF_MAX_PHDRS_BYTES);
	bytes = image.phnum * sizeof(*table);
	if (image.phoff > size || size - image.phoff < bytes)
		return 0; /* the loader reads a whole table or none */
	table = malloc(bytes);
	require(table);
	memcpy(table, data + image.phoff, bytes);
	memcpy(&bias, data, size < sizeof(bias) ? size : sizeof(bias));
	if (!elf_scan(table, PAGE, &image)) {
		require(image.align >= PAGE && !(image.align & (image.align - 1)));
		require(image.interp_size != 1 && image.interp_size <= 4096);
		check_segments(table, &image, 0);
		check_segments(table, &image, bias);
	}
	free(table);
	return 0;
}
