/*
 * Running Debian's Linux kernel with the same command, for comparison.
 */
#pragma once

#include "cpio.h"
#include "options.h"

enum kernel_kind { KERNEL_ELF, KERNEL_LINUX };

/* What kind of kernel image `path` is. Dies when it is neither kind or cannot be read. */
enum kernel_kind kernel_identify(const char *path);

/*
 * Adds the modules that a bzImage needs to reach the machine's virtio ports, and their list in
 * loading order, where the guest's init looks for it. shares: 9p too; disks: virtio-blk and ext4. Dies
 * when the modules are not found.
 */
void linux_add_modules(struct cpio_writer *writer, const char *kernel, enum machine_type machine,
		       bool shares, bool disks);
