/*
 * Character devices: device numbers to operations.
 *
 * Ranges live in an array indexed by major number; each slot is a short list. Registration is rare
 * and under a mutex; entries are never removed, so opens walk the lists without a lock.
 */
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <vfs/chrdev.h>

#include "internal.h"

#define MAJORS 512

struct chr_range {
	struct chr_range *next;      /* const once published */
	u32 major, minor, count;     /* const */
	const char *name;            /* const */
	const struct file_ops *ops;  /* const */
};

static DEFINE_MUTEX(register_lock, LOCK_RANK_FS_REGISTRY);
static struct chr_range *ranges[MAJORS]; /* register_lock to change; published with release */

static bool overlaps(const struct chr_range *r, u32 minor, u32 count)
{
	return minor < r->minor + r->count && r->minor < minor + count;
}

int chrdev_register(u32 major, u32 minor, u32 count, const char *name, const struct file_ops *ops)
{
	struct chr_range *r, *n;
	int err = 0;

	if (major >= MAJORS || !count)
		return -EINVAL;
	n = kmalloc(sizeof(*n), GFP_KERNEL);
	if (!n)
		return -ENOMEM;
	mutex_lock(&register_lock);
	for (r = ranges[major]; r; r = r->next)
		if (overlaps(r, minor, count))
			err = -EBUSY;
	if (!err) {
		*n = (struct chr_range){.next = ranges[major], .major = major, .minor = minor,
					.count = count, .name = name, .ops = ops};
		smp_store_release(&ranges[major], n);
	}
	mutex_unlock(&register_lock);
	if (err)
		kfree(n);
	return err;
}

void chrdev_show(void (*emit)(void *ctx, const char *text), void *ctx)
{
	char line[48];

	for (u32 major = 0; major < MAJORS; major++) {
		const char *last = NULL;

		for (const struct chr_range *r = smp_load_acquire(&ranges[major]); r; r = r->next) {
			if (last && strcmp(last, r->name) == 0)
				continue;
			last = r->name;
			format(line, sizeof(line), "%3u %s\n", major, r->name);
			emit(ctx, line);
		}
	}
}

const struct file_ops *chrdev_find(u64 rdev)
{
	u32 major = (u32)(rdev >> 20), minor = (u32)rdev & 0xfffff;
	struct chr_range *r;

	if (major >= MAJORS)
		return NULL;
	for (r = smp_load_acquire(&ranges[major]); r; r = r->next)
		if (minor - r->minor < r->count)
			return r->ops;
	return NULL;
}

static int chrdev_open(struct inode *inode, struct file *f)
{
	const struct file_ops *ops = chrdev_find(inode->rdev);

	if (!ops)
		return -ENXIO;
	f->ops = ops;
	return ops->open ? ops->open(inode, f) : 0;
}

const struct file_ops chrdev_fops = {.name = "chrdev", .open = chrdev_open};
