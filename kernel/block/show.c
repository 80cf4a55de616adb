/* Texts about disks: /proc/partitions, /proc/diskstats, the block part of /proc/devices. */
#include <lib/format.h>
#include <time/clock.h>
#include <vfs/blkdev.h>
#include "internal.h"

static u64 ms(u64 ns)
{
	return ns / NSEC_PER_MSEC;
}

static void partition_line(const struct block_device *b, void (*emit)(void *, const char *), void *ctx)
{
	char line[80];

	format(line, sizeof(line), "%4llu  %7llu %10llu %s\n", b->dev >> 20, b->dev & 0xfffff,
	       READ_ONCE(b->nr_sectors) / 2, b->name);
	emit(ctx, line);
}

void block_partitions_show(void (*emit)(void *ctx, const char *text), void *ctx)
{
	struct disk *d;

	mutex_lock(&block_lock);
	list_for_each(d, &all_disks, node) {
		if (d->node.prev == &all_disks)
			emit(ctx, "major minor  #blocks  name\n\n");
		if (READ_ONCE(d->nr_sectors))
			partition_line(d->whole, emit, ctx);
		for (u32 i = 0; i < DISK_PARTS_MAX; i++)
			if (d->parts[i])
				partition_line(d->parts[i], emit, ctx);
	}
	mutex_unlock(&block_lock);
}

int block_stat_text(struct disk *d, char *buf, size_t size)
{
	struct disk_stats s;
	u64 total = 0;

	disk_stats(d, &s);
	for (u32 i = 0; i < NR_BLOCK_STATS; i++)
		total += s.op[i].ns;
	return format(buf, size,
		      "%llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu "
		      "%llu %llu\n",
		      s.op[STAT_READ].requests, s.op[STAT_READ].merges, s.op[STAT_READ].sectors,
		      ms(s.op[STAT_READ].ns), s.op[STAT_WRITE].requests, s.op[STAT_WRITE].merges,
		      s.op[STAT_WRITE].sectors, ms(s.op[STAT_WRITE].ns), s.in_flight, ms(s.busy_ns),
		      ms(total), s.op[STAT_DISCARD].requests, s.op[STAT_DISCARD].merges,
		      s.op[STAT_DISCARD].sectors, ms(s.op[STAT_DISCARD].ns),
		      s.op[STAT_FLUSH].requests, ms(s.op[STAT_FLUSH].ns));
}

/* Partitions have no figures of their own. */
void block_diskstats_show(void (*emit)(void *ctx, const char *text), void *ctx)
{
	char line[400];
	struct disk *d;

	mutex_lock(&block_lock);
	list_for_each(d, &all_disks, node) {
		int n = format(line, sizeof(line), "%4u %7u %s ", d->major, d->first_minor, d->name);

		block_stat_text(d, line + n, sizeof(line) - (size_t)n);
		emit(ctx, line);
	}
	mutex_unlock(&block_lock);
}

void blkdev_show(void (*emit)(void *ctx, const char *text), void *ctx)
{
	char line[32];

	mutex_lock(&block_lock);
	if (!list_empty(&all_disks)) {
		format(line, sizeof(line), "%3u virtblk\n", list_first(&all_disks, struct disk, node)->major);
		emit(ctx, line);
	}
	emit(ctx, "259 blkext\n");
	mutex_unlock(&block_lock);
}
