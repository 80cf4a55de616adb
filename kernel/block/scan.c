/*
 * From partition tables to devices: at the end of boot for all disks, later for BLKRRPART. A disk's
 * open_lock is held, so nobody opens a partition meanwhile.
 */
#include <block/partition_table.h>
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include "internal.h"

static int read_raw(void *ctx, u64 pos, void *buf, u32 len)
{
	struct disk *d = ctx;

	return block_read(d->whole, pos, buf, len);
}

static void add_partition(struct disk *d, const struct partition *p)
{
	struct block_device *b = bdev_create(d, p->number, p->start, p->sectors);
	int err = b ? 0 : -ENOMEM;

	if (b) {
		memcpy(b->uuid, p->uuid, sizeof(b->uuid));
		err = block_device_register(b);
	}
	if (err)
		pr_warn("block: %s: no device for partition %u: error %d", d->name, p->number, -err);
	else
		block_sysfs_add_partition(b);
}

static int drop_partitions(struct disk *d)
{
	for (u32 i = 0; i < DISK_PARTS_MAX; i++)
		if (d->parts[i] && d->parts[i]->openers)
			return -EBUSY;
	for (u32 i = 0; i < DISK_PARTS_MAX; i++) {
		struct block_device *b = d->parts[i];

		if (!b)
			continue;
		block_sysfs_remove_partition(b);
		block_device_unregister(b);
	}
	return 0;
}

/* An unreadable table is one without partitions, and an error for who asked. */
int disk_scan_locked(struct disk *d)
{
	struct partition *parts = kmalloc_array(DISK_PARTS_MAX, sizeof(*parts), GFP_KERNEL);
	struct partition_reader r = {
		.read = read_raw,
		.ctx = d,
		.block_size = d->limits.logical_size,
		.sectors = READ_ONCE(d->nr_sectors),
		.chunk = kmalloc(PARTITION_CHUNK, GFP_KERNEL),
	};
	int nr = parts && r.chunk ? drop_partitions(d) : -ENOMEM;

	if (!nr)
		nr = partition_table_read(&r, parts, DISK_PARTS_MAX);
	for (int i = 0; i < nr; i++)
		if (parts[i].number <= DISK_PARTS_MAX)
			add_partition(d, &parts[i]);
	kfree(r.chunk);
	kfree(parts);
	return nr < 0 ? nr : 0;
}

static int scan_all(void)
{
	struct disk *d;

	list_for_each(d, &all_disks, node) {
		int err;

		mutex_lock(&d->open_lock);
		err = disk_scan_locked(d);
		mutex_unlock(&d->open_lock);
		if (err)
			pr_warn("block: %s: cannot read the partition table: error %d", d->name, -err);
	}
	return 0;
}
INIT_CALL(INIT_LATE, scan_all);
