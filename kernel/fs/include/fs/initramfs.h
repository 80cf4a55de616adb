/* Unpacking a cpio archive ("newc") into the root file system. */
#pragma once

#include <lib/types.h>

/* Creates what the archive lists under /. Process context, once during boot; the archive's bytes are
 * not trusted. 0, or -EINVAL for a damaged archive, or the error of the first failure. */
int initramfs_unpack(const void *data, size_t len) __must_check;
