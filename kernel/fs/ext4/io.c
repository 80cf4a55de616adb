/*
 * Requests to the device: batches of bios that are submitted together and waited for together.
 * Completion comes from interrupts and only counts; results are looked at by the owner. A request
 * lies in memory of its own with its vector behind it.
 */
#include <lib/string.h>
#include <sched/sched.h>
#include <sync/wait.h>
#include <task/task.h>
#include <time/clock.h>
#include "internal.h"

#define NAP_NS (5 * NSEC_PER_MSEC)

struct request {
	struct bio bio;
	struct list_head node;
	struct ext4_io *io;
	void *private;
	struct bio_vec vecs[];
};

void ext4_io_begin(struct ext4_io *io, struct ext4_fs *fs)
{
	io->fs = fs;
	list_init(&io->bios);
	atomic_set(&io->pending, 1);
	completion_init(&io->done);
	block_plug_start(&io->plug);
}

static void ended(struct bio *bio)
{
	struct ext4_io *io = ((struct request *)bio->private)->io;

	if (atomic_dec_and_test(&io->pending))
		complete(&io->done);
}

bool ext4_wait_for_memory(void)
{
	if (!(current->flags & (TASK_F_KTHREAD | TASK_F_IN_JOURNAL)))
		return false;
	sched_set_state(TASK_UNINTERRUPTIBLE);
	schedule_until(clock_monotonic() + NAP_NS);
	return true;
}

void *ext4_alloc(size_t size, unsigned int gfp)
{
	void *p;

	do
		p = kmalloc(size, gfp);
	while (unlikely(!p) && ext4_wait_for_memory());
	return p;
}

int ext4_io_add(struct ext4_io *io, enum bio_op op, u32 flags, u64 block, u32 nr,
		const struct bio_vec *vecs, u32 nr_vecs, void *private)
{
	u32 shift = io->fs->g.block_bits - SECTOR_SHIFT;
	struct request *r = ext4_alloc(sizeof(*r) + nr_vecs * sizeof(*vecs), GFP_KERNEL | GFP_ZERO);

	if (!r)
		return -ENOMEM;
	memcpy(r->vecs, vecs, nr_vecs * sizeof(r->vecs[0]));
	r->io = io;
	r->private = private;
	r->bio = (struct bio){
		.bdev = io->fs->bdev, .op = op, .flags = flags, .sector = block << shift,
		.nr_sectors = (u64)nr << shift, .vecs = r->vecs, .nr_vecs = nr_vecs,
		.done = ended, .private = r,
	};
	list_add_tail(&r->node, &io->bios);
	atomic_inc(&io->pending);
	bio_submit_plugged(&io->plug, &r->bio);
	return 0;
}

static struct bio_vec block_vec(const struct ext4_fs *fs, void *data)
{
	return (struct bio_vec){
		.page = page_of(data),
		.offset = (u32)((uptr)data & ~PAGE_MASK),
		.len = fs->g.block_size,
	};
}

int ext4_io_block(struct ext4_io *io, enum bio_op op, u32 flags, u64 block, void *data)
{
	struct bio_vec v = block_vec(io->fs, data);

	return ext4_io_add(io, op, flags, block, 1, &v, 1, NULL);
}

int ext4_io_end(struct ext4_io *io, void (*each)(void *private, u32 nr_vecs, int error))
{
	struct request *r, *next;
	int err = 0;

	block_plug_end(&io->plug);
	if (!atomic_dec_and_test(&io->pending))
		wait_for_completion(&io->done);
	list_for_each_safe(r, next, &io->bios, node) {
		err = err ? err : r->bio.error;
		if (each)
			each(r->private, r->bio.nr_vecs, r->bio.error);
		kfree(r);
	}
	return err;
}

int ext4_read_block(struct ext4_fs *fs, u64 block, void *data)
{
	return block_read(fs->bdev, block << fs->g.block_bits, data, fs->g.block_size);
}

int ext4_write_block(struct ext4_fs *fs, u64 block, void *data, u32 flags)
{
	return block_write(fs->bdev, block << fs->g.block_bits, data, fs->g.block_size, flags);
}
