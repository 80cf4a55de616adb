/*
 * Disk images that the guest sees as virtio-blk disks: the root, if it is an image, and --disk.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

struct disk {
	const char *path;
	const char *log;    /* every write and flush is recorded here; NULL: not */
	const char *faults; /* rules of QEMU's blkdebug; NULL: none */
	bool read_only;
	bool is_device; /* a block device of the host */
	bool is_root;
};

/* True when the file holds an ext2, ext3 or ext4 file system, perhaps with ":ro" behind its name. */
bool disk_is_root_image(const char *root);
/*
 * The disks that the options ask for, the root first: the guest's vda, vdb … Their number. Dies on a
 * file that cannot be used, and on wrong use.
 */
size_t disks_choose(const struct disk **disks, const struct run_options *options);
/* What the guest's init is told about the root (CONTROL_MOUNT); the caller frees it. */
char *disk_describe_root(const struct disk *disk);
