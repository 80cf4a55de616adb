/* What the boot protocol found, in one form for every protocol. Filled before anything else runs. */
#pragma once

#include <lib/types.h>

enum mem_kind { MEM_USABLE, MEM_RESERVED, MEM_ACPI, MEM_NVS };

struct mem_range {
	struct paddr start;
	u64 size;
	enum mem_kind kind;
};

#define BOOT_MEM_RANGES 64

struct boot_info {
	struct mem_range mem[BOOT_MEM_RANGES];
	u32 nr_mem;
	struct paddr rsdp;         /* 0 when the protocol did not say */
	struct paddr initrd;       /* 0 when there is none */
	u64 initrd_size;
	struct paddr kernel_start; /* image, page aligned */
	struct paddr kernel_end;
	char cmdline[2048];        /* always terminated */
};

extern struct boot_info boot_info;

/*
 * A word of the command line: `name` or `name=value`. The value ("" for a bare word), or NULL.
 * The string lives as long as the kernel and ends at a blank: use boot_option_copy for text.
 */
bool boot_option(const char *name);
/* Copies the value into buf; its length or -ENOENT, -E2BIG. */
ssize_t boot_option_copy(const char *name, char *buf, size_t size);
bool boot_option_u64(const char *name, u64 *value);
