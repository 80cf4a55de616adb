/*
 * Disks and partitions in sysfs: /sys/block, /sys/class/block, /sys/dev/block. Attributes are shown
 * under the tree's lock, so they take none of this module's.
 */
#include <fs/sysfs.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/log.h>
#include <lib/string.h>
#include "internal.h"

/* ---- What disks and partitions have in common ---- */

static int show_dev(void *object, char *buf, size_t size)
{
	const struct block_device *b = object;

	return format(buf, size, "%llu:%llu\n", b->dev >> 20, b->dev & 0xfffff);
}

static int show_size(void *object, char *buf, size_t size)
{
	return format(buf, size, "%llu\n", READ_ONCE(((struct block_device *)object)->nr_sectors));
}

static int show_ro(void *object, char *buf, size_t size)
{
	return format(buf, size, "%d\n", block_device_read_only(object));
}

static int show_uevent(void *object, char *buf, size_t size)
{
	const struct block_device *b = object;
	int n = format(buf, size, "MAJOR=%llu\nMINOR=%llu\nDEVNAME=%s\nDEVTYPE=%s\n", b->dev >> 20,
		       b->dev & 0xfffff, b->name, b->partno ? "partition" : "disk");

	if (b->partno)
		n += format(buf + n, size - (size_t)n, "PARTN=%u\n", b->partno);
	return n;
}

static int show_zero(void *object, char *buf, size_t size)
{
	return format(buf, size, "0\n");
}

/* ---- Disks ---- */

static struct disk *disk_of(void *object)
{
	return ((struct block_device *)object)->disk;
}

static int show_stat(void *object, char *buf, size_t size)
{
	return block_stat_text(disk_of(object), buf, size);
}

static int show_inflight(void *object, char *buf, size_t size)
{
	struct disk_stats s;

	disk_stats(disk_of(object), &s);
	return format(buf, size, "%8llu %8llu\n", 0ULL, s.in_flight);
}

static int show_range(void *object, char *buf, size_t size)
{
	return format(buf, size, "%d\n", DISK_MINORS);
}

static int show_ext_range(void *object, char *buf, size_t size)
{
	return format(buf, size, "%d\n", DISK_PARTS_MAX + 1);
}

static int show_logical(void *object, char *buf, size_t size)
{
	return format(buf, size, "%u\n", disk_of(object)->limits.logical_size);
}

static int show_physical(void *object, char *buf, size_t size)
{
	return format(buf, size, "%u\n", disk_of(object)->limits.physical_size);
}

static int show_io_min(void *object, char *buf, size_t size)
{
	return format(buf, size, "%u\n", disk_of(object)->limits.io_min);
}

static int show_io_opt(void *object, char *buf, size_t size)
{
	return format(buf, size, "%u\n", disk_of(object)->limits.io_opt);
}

static int show_max_sectors(void *object, char *buf, size_t size)
{
	return format(buf, size, "%u\n", disk_of(object)->limits.max_sectors / 2);
}

static int show_max_segments(void *object, char *buf, size_t size)
{
	return format(buf, size, "%u\n", disk_of(object)->limits.max_segments);
}

static int show_granularity(void *object, char *buf, size_t size)
{
	const struct block_limits *l = &disk_of(object)->limits;

	return format(buf, size, "%u\n", l->max_discard_sectors ? l->discard_granularity : 0);
}

static int show_discard_max(void *object, char *buf, size_t size)
{
	return format(buf, size, "%llu\n",
		      (u64)disk_of(object)->limits.max_discard_sectors * SECTOR_SIZE);
}

static int show_zeroes_max(void *object, char *buf, size_t size)
{
	return format(buf, size, "%llu\n", (u64)disk_of(object)->limits.max_zero_sectors * SECTOR_SIZE);
}

static int show_cache(void *object, char *buf, size_t size)
{
	return format(buf, size, "write %s\n", disk_of(object)->write_cache ? "back" : "through");
}

static int show_scheduler(void *object, char *buf, size_t size)
{
	return format(buf, size, "[none]\n");
}

#ifdef CONFIG_DEBUG
static int show_fail(void *object, char *buf, size_t size)
{
	const struct disk *d = disk_of(object);

	return format(buf, size, "%u %u %u\n", d->fail_every[0], d->fail_every[1], d->fail_every[2]);
}

/* "READ WRITE FLUSH": every so manieth request of the kind fails; 0: none. */
static int store_fail(void *object, const char *text)
{
	struct disk *d = disk_of(object);
	u32 every[3] = {0};

	for (u32 i = 0; i < 3; i++) {
		while (*text == ' ')
			text++;
		if (*text < '0' || *text > '9')
			return -EINVAL;
		while (*text >= '0' && *text <= '9')
			every[i] = every[i] * 10 + (u32)(*text++ - '0');
	}
	for (u32 i = 0; i < 3; i++)
		WRITE_ONCE(d->fail_every[i], every[i]);
	return 0;
}
#endif

static const struct sys_attr disk_attrs[] = {
	SYS_ATTR_RO("dev", show_dev),
	SYS_ATTR_RO("size", show_size),
	SYS_ATTR_RO("ro", show_ro),
	SYS_ATTR_RO("uevent", show_uevent),
	SYS_ATTR_RO("removable", show_zero),
	SYS_ATTR_RO("hidden", show_zero),
	SYS_ATTR_RO("alignment_offset", show_zero),
	SYS_ATTR_RO("stat", show_stat),
	SYS_ATTR_RO("inflight", show_inflight),
	SYS_ATTR_RO("range", show_range),
	SYS_ATTR_RO("ext_range", show_ext_range),
#ifdef CONFIG_DEBUG
	{.name = "fail_every", .mode = 0600, .show = show_fail, .store = store_fail},
#endif
	{0},
};

static const struct sys_attr queue_attrs[] = {
	SYS_ATTR_RO("logical_block_size", show_logical),
	SYS_ATTR_RO("hw_sector_size", show_logical),
	SYS_ATTR_RO("physical_block_size", show_physical),
	SYS_ATTR_RO("minimum_io_size", show_io_min),
	SYS_ATTR_RO("optimal_io_size", show_io_opt),
	SYS_ATTR_RO("max_sectors_kb", show_max_sectors),
	SYS_ATTR_RO("max_hw_sectors_kb", show_max_sectors),
	SYS_ATTR_RO("max_segments", show_max_segments),
	SYS_ATTR_RO("discard_granularity", show_granularity),
	SYS_ATTR_RO("discard_max_bytes", show_discard_max),
	SYS_ATTR_RO("write_zeroes_max_bytes", show_zeroes_max),
	SYS_ATTR_RO("write_cache", show_cache),
	SYS_ATTR_RO("scheduler", show_scheduler),
	SYS_ATTR_RO("rotational", show_zero),
	{0},
};

/* ---- Partitions ---- */

static int show_partition(void *object, char *buf, size_t size)
{
	return format(buf, size, "%u\n", ((struct block_device *)object)->partno);
}

static int show_start(void *object, char *buf, size_t size)
{
	return format(buf, size, "%llu\n", ((struct block_device *)object)->start);
}

static const struct sys_attr partition_attrs[] = {
	SYS_ATTR_RO("dev", show_dev),
	SYS_ATTR_RO("size", show_size),
	SYS_ATTR_RO("ro", show_ro),
	SYS_ATTR_RO("uevent", show_uevent),
	SYS_ATTR_RO("partition", show_partition),
	SYS_ATTR_RO("start", show_start),
	SYS_ATTR_RO("alignment_offset", show_zero),
	{0},
};

/* ---- The tree ---- */

static int link_to(const char *where, const char *name, struct sys_node *dir)
{
	struct sys_node *at = sys_dir(&sys_root, where);

	return at ? sys_add_link(at, name, dir) : -ENOMEM;
}

static void unlink_from(const char *where, const char *name)
{
	struct sys_node *at = sys_dir(&sys_root, where);

	if (at)
		sys_remove_link(at, name);
}

static void links(const struct block_device *b, struct sys_node *dir, int err)
{
	char number[24];

	format(number, sizeof(number), "%llu:%llu", b->dev >> 20, b->dev & 0xfffff);
	if (!err)
		err = link_to("class/block", b->name, dir);
	if (!err)
		err = link_to("dev/block", number, dir);
	if (!err && !b->partno)
		err = link_to("block", b->name, dir);
	if (err)
		pr_warn("block: %s: no entry in sysfs: error %d", b->name, -err);
}

void block_sysfs_add_disk(struct disk *d)
{
	struct sys_node *queue;
	char path[48];
	int err = -ENOMEM;

	format(path, sizeof(path), "devices/virtual/block/%s", d->name);
	d->sys_dir = sys_dir(&sys_root, path);
	queue = d->sys_dir ? sys_dir(d->sys_dir, "queue") : NULL;
	if (queue)
		err = sys_add_attrs(d->sys_dir, disk_attrs, d->whole);
	if (!err)
		err = sys_add_attrs(queue, queue_attrs, d->whole);
	links(d->whole, d->sys_dir, err);
}

void block_sysfs_add_partition(struct block_device *b)
{
	struct sys_node *dir = b->disk->sys_dir ? sys_dir(b->disk->sys_dir, b->name) : NULL;

	b->sys_dir = dir;
	links(b, dir, dir ? sys_add_attrs(dir, partition_attrs, b) : -ENOMEM);
}

void block_sysfs_remove_partition(struct block_device *b)
{
	char number[24];

	format(number, sizeof(number), "%llu:%llu", b->dev >> 20, b->dev & 0xfffff);
	unlink_from("class/block", b->name);
	unlink_from("dev/block", number);
	if (b->sys_dir)
		sys_remove(b->sys_dir);
}
