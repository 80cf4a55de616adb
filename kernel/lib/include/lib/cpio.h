/* Reading cpio archives ("newc"), whose bytes nobody has checked. */
#pragma once

#include <lib/types.h>

#define CPIO_NAME_MAX 4096 /* with the NUL */

struct cpio_entry {
	const char *name;   /* in the archive; terminated, not empty */
	u32 ino, mode, uid, gid, nr_links, mtime;
	u32 dev_major, dev_minor, rdev_major, rdev_minor;
	const void *data;   /* in the archive: size bytes */
	u32 size;
	bool trailer;       /* the end of one archive; another may follow */
};

struct cpio_reader {
	const unsigned char *data;
	size_t len, pos;
};

/*
 * The next entry, which points into the archive. True: *entry is filled. False: the archives end
 * here (*err 0), or what follows is none (*err -EINVAL).
 */
bool cpio_next(struct cpio_reader *r, struct cpio_entry *entry, int *err) __must_check;
