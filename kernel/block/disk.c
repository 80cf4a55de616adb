/*
 * Disks: made by drivers during boot, never removed. All of a disk's figures but its size are fixed
 * when it is added.
 */
#include <lib/format.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include "internal.h"

#define DISK_MAJOR   254 /* what Linux gives virtio-blk first */
#define SECTORS_MAX  ((u64)S64_MAX >> SECTOR_SHIFT)

static u32 nr_disks; /* boot */

/* 0: "a", 25: "z", 26: "aa". */
static void letters(char *out, u32 index)
{
	char reversed[8];
	u32 n = 0;

	for (s64 i = index; i >= 0; i = i / 26 - 1)
		reversed[n++] = (char)('a' + i % 26);
	while (n)
		*out++ = reversed[--n];
	*out = '\0';
}

struct disk *disk_create(const char *kind)
{
	struct disk *d = kzalloc(sizeof(*d), GFP_KERNEL);
	char suffix[8];

	if (!d)
		return NULL;
	d->index = nr_disks++;
	letters(suffix, d->index);
	format(d->name, sizeof(d->name), "%s%s", kind, suffix);
	d->major = DISK_MAJOR;
	d->first_minor = d->index * DISK_MINORS;
	mutex_init(&d->open_lock, LOCK_RANK_BLOCK_OPEN);
	return d;
}

static bool power_of_two(u32 v)
{
	return v && !(v & (v - 1));
}

/* What a device says about itself is not to be trusted. */
static int check_limits(struct disk *d)
{
	struct block_limits *l = &d->limits;
	u32 unit;

	if (!power_of_two(l->logical_size) || l->logical_size < SECTOR_SIZE ||
	    l->logical_size > PAGE_SIZE)
		return -EINVAL;
	unit = l->logical_size / SECTOR_SIZE;
	if (!power_of_two(l->physical_size) || l->physical_size < l->logical_size)
		l->physical_size = l->logical_size;
	l->max_sectors = ALIGN_DOWN(l->max_sectors, unit);
	l->max_segment_bytes = ALIGN_DOWN(l->max_segment_bytes, l->logical_size);
	l->max_discard_sectors = ALIGN_DOWN(l->max_discard_sectors, unit);
	l->max_zero_sectors = ALIGN_DOWN(l->max_zero_sectors, unit);
	if (!power_of_two(l->discard_granularity))
		l->discard_granularity = l->logical_size;
	if (l->io_min < l->physical_size)
		l->io_min = l->physical_size;
	return l->max_sectors && l->max_segments && l->max_segment_bytes ? 0 : -EINVAL;
}

int disk_add(struct disk *d)
{
	int err = d->nr_queues ? check_limits(d) : -EINVAL;

	if (err)
		return err;
	d->nr_sectors = ALIGN_DOWN(MIN(d->nr_sectors, SECTORS_MAX),
				   (u64)d->limits.logical_size / SECTOR_SIZE);
	d->whole = bdev_create(d, 0, 0, d->nr_sectors);
	if (!d->whole)
		return -ENOMEM;
	mutex_lock(&block_lock);
	list_add_tail(&d->node, &all_disks);
	mutex_unlock(&block_lock);
	err = block_device_register(d->whole);
	if (!err)
		block_sysfs_add_disk(d);
	if (!err)
		pr_info("block: %s: %llu sectors of 512 bytes%s", d->name, d->nr_sectors,
			d->read_only ? ", read-only" : "");
	return err;
}

void disk_resize(struct disk *d, u64 nr_sectors)
{
	struct block_device *b = d->whole;

	nr_sectors = ALIGN_DOWN(MIN(nr_sectors, SECTORS_MAX),
				(u64)d->limits.logical_size / SECTOR_SIZE);
	WRITE_ONCE(d->nr_sectors, nr_sectors);
	WRITE_ONCE(b->nr_sectors, nr_sectors);
	WRITE_ONCE(b->inode->size, nr_sectors << SECTOR_SHIFT);
}
