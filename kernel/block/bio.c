/*
 * Bios on their way in: checks, the place on the disk, the steps that flushes make of them, plugs.
 * Nothing here sleeps but bio_submit_wait. What happens to a bio then is queue.c.
 */
#include <lib/log.h>
#include <sync/wait.h>
#include "internal.h"

/* Bytes that the vectors describe. */
static u64 bio_bytes(const struct bio *bio)
{
	u64 bytes = 0;

	for (u32 i = 0; i < bio->nr_vecs; i++)
		bytes += bio->vecs[i].len;
	return bytes;
}

static bool carries_data(const struct bio *bio)
{
	return bio->op == BIO_READ || bio->op == BIO_WRITE;
}

static int check_op(const struct bio *bio, const struct disk *d)
{
	if (bio->op == BIO_READ || bio->op == BIO_FLUSH)
		return 0;
	if (block_device_read_only(bio->bdev))
		return -EROFS;
	if (bio->op == BIO_DISCARD && !d->limits.max_discard_sectors)
		return -EOPNOTSUPP;
	if (bio->op == BIO_WRITE_ZEROES && !d->limits.max_zero_sectors)
		return -EOPNOTSUPP;
	return 0;
}

static int check_range(const struct bio *bio, u64 sectors)
{
	u64 size = READ_ONCE(bio->bdev->nr_sectors);
	u64 unit = bio->bdev->disk->limits.logical_size / SECTOR_SIZE;

	if ((sectors | bio->sector) & (unit - 1))
		return -EINVAL;
	return sectors <= size && bio->sector <= size - sectors ? 0 : -EIO;
}

static u8 steps_of(const struct bio *bio, u64 sectors)
{
	bool cache = bio->bdev->disk->write_cache;
	u8 steps = sectors ? STEP_DATA : 0;

	if (bio->op == BIO_FLUSH)
		return cache ? STEP_PREFLUSH : 0;
	if (bio->op == BIO_WRITE && cache && bio->flags & BIO_PREFLUSH)
		steps |= STEP_PREFLUSH;
	if (bio->op == BIO_WRITE && cache && bio->flags & BIO_FUA && sectors)
		steps |= STEP_POSTFLUSH;
	return steps;
}

int bio_prepare(struct bio *bio)
{
	struct disk *d = bio->bdev->disk;
	u64 bytes = carries_data(bio) ? bio_bytes(bio) : 0, sectors;
	int err = check_op(bio, d);

	bio->error = 0;
	bio->steps = 0;
	bio->pieces = bio->vec = bio->vec_done = 0;
	if (err)
		return err;
	if (bytes & (SECTOR_SIZE - 1))
		return -EINVAL;
	sectors = carries_data(bio) ? bytes >> SECTOR_SHIFT : bio->op == BIO_FLUSH ? 0 : bio->nr_sectors;
	if (sectors)
		err = check_range(bio, sectors);
	if (err)
		return err;
	bio->at = bio->bdev->start + bio->sector;
	bio->left = carries_data(bio) ? bytes : sectors;
	bio->steps = steps_of(bio, sectors);
	return 0;
}

void bio_submit(struct bio *bio)
{
	struct block_queue *q = block_queue_here(bio->bdev->disk);
	int err = bio_prepare(bio);

	if (err)
		block_queue_fail(q, bio, err);
	else
		block_queue_bio(q, bio);
}

void block_plug_start(struct block_plug *plug)
{
	list_init(&plug->bios);
}

void bio_submit_plugged(struct block_plug *plug, struct bio *bio)
{
	int err = bio_prepare(bio);

	if (err)
		block_queue_fail(block_queue_here(bio->bdev->disk), bio, err);
	else
		list_add_tail(&bio->node, &plug->bios);
}

/* Bios for several disks are handed over disk by disk. */
void block_plug_end(struct block_plug *plug)
{
	struct list_head same;
	struct bio *bio, *next;

	while (!list_empty(&plug->bios)) {
		struct disk *d = list_first(&plug->bios, struct bio, node)->bdev->disk;

		list_init(&same);
		list_for_each_safe(bio, next, &plug->bios, node)
			if (bio->bdev->disk == d)
				list_move_tail(&bio->node, &same);
		block_queue_bios(block_queue_here(d), &same);
	}
}

static void wake_submitter(struct bio *bio)
{
	complete(bio->private);
}

int bio_submit_wait(struct bio *bio)
{
	struct completion finished;

	might_sleep();
	completion_init(&finished);
	bio->done = wake_submitter;
	bio->private = &finished;
	bio_submit(bio);
	wait_for_completion(&finished);
	return bio->error;
}
