/*
 * The file behind a block device: an inode of the internal file system "bdev", on which the device's
 * cached pages hang and whose references are the device's. It is not locked here beyond what the page
 * cache does.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <vfs/anon_fs.h>
#include <vfs/blkdev.h>
#include "internal.h"

#define BDEVFS_MAGIC 0x62646576
#define MAX_IO_PAGES 256u
#define EXTENDED_MAJOR 259 /* partitions beyond a disk's own numbers */

/* ---- Pages ---- */

/* Consecutive pages, cut at the device's end. The number of vectors. */
static u32 pages_fill(struct bio *bio, struct mapping *m, struct page **pages, u32 nr)
{
	u64 pos = pages[0]->index << PAGE_SHIFT, size = READ_ONCE(m->host->size);

	bio->sector = pos >> SECTOR_SHIFT;
	for (u32 i = 0; i < nr && pos < size; i++, pos += PAGE_SIZE)
		bio->vecs[bio->nr_vecs++] = (struct bio_vec){
			.page = pages[i],
			.len = (u32)MIN(size - pos, (u64)PAGE_SIZE),
		};
	return bio->nr_vecs;
}

/* A bio for consecutive pages of the device; NULL: no memory. */
static struct bio *pages_bio(struct mapping *m, enum bio_op op, struct page **pages, u32 nr,
			     unsigned int gfp)
{
	struct bio *bio = kzalloc(sizeof(*bio) + nr * sizeof(struct bio_vec), gfp);

	if (!bio)
		return NULL;
	bio->bdev = bdev_of(m->host);
	bio->op = op;
	bio->vecs = (struct bio_vec *)(bio + 1);
	pages_fill(bio, m, pages, nr);
	return bio;
}

/* What the device does not fill of the pages reads as zero. */
static void zero_tail(struct bio *bio, struct page **pages, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		u32 have = i < bio->nr_vecs ? bio->vecs[i].len : 0;

		memset((char *)page_address(pages[i]) + have, 0, PAGE_SIZE - have);
	}
}

/* Any context: the pages of a read that is over. */
static void read_done(struct bio *bio)
{
	for (u32 i = 0; i < bio->nr_vecs; i++)
		pages_end_read(bio->vecs[i].page, 1, !bio->error);
	kfree(bio);
}

/* Returns when the read is under way: who needs a page waits for its lock. */
static int read_pages(struct mapping *m, struct page **pages, u32 nr)
{
	struct bio *bio = pages_bio(m, BIO_READ, pages, nr, GFP_KERNEL);

	if (!bio) {
		for (u32 i = 0; i < nr; i++)
			pages_end_read(pages[i], 1, false);
		return -ENOMEM;
	}
	zero_tail(bio, pages, nr);
	for (u32 i = bio->nr_vecs; i < nr; i++)
		pages_end_read(pages[i], 1, true);
	bio->done = read_done;
	if (bio->nr_vecs)
		bio_submit(bio);
	else
		kfree(bio);
	return 0;
}

static int read_page(struct mapping *m, struct page *page)
{
	struct bio *bio = pages_bio(m, BIO_READ, &page, 1, GFP_KERNEL);
	int err = -ENOMEM;

	if (bio) {
		zero_tail(bio, &page, 1);
		err = bio->nr_vecs ? bio_submit_wait(bio) : 0;
	}
	if (!err)
		page_set(page, PG_UPTODATE);
	page_unlock(page);
	kfree(bio);
	return err;
}

/* Without memory for more than one page at a time: that one needs none. */
static int write_page(struct mapping *m, struct page *page)
{
	struct bio_vec vec;
	struct bio bio = {.bdev = bdev_of(m->host), .op = BIO_WRITE, .vecs = &vec};

	return pages_fill(&bio, m, &page, 1) ? bio_submit_wait(&bio) : 0;
}

struct write_batch {
	struct atomic pending; /* bios, and one for the submitter */
	struct completion done;
	int error;             /* one of them; torn-free */
};

static void write_batch_put(struct write_batch *w, int err)
{
	if (err)
		WRITE_ONCE(w->error, err);
	if (!atomic_add_return(&w->pending, -1))
		complete(&w->done);
}

static void write_done(struct bio *bio)
{
	write_batch_put(bio->private, bio->error);
	kfree(bio);
}

static void write_run(struct mapping *m, struct page **pages, u32 nr, struct write_batch *w,
		      struct block_plug *plug)
{
	struct bio *bio = pages_bio(m, BIO_WRITE, pages, nr, GFP_TRY);
	int err;

	for (u32 i = 0; !bio && i < nr; i++) {
		err = write_page(m, pages[i]);
		if (err)
			WRITE_ONCE(w->error, err);
	}
	if (!bio || !bio->nr_vecs) {
		kfree(bio);
		return;
	}
	bio->done = write_done;
	bio->private = w;
	atomic_inc(&w->pending);
	bio_submit_plugged(plug, bio);
}

static int write_pages(struct mapping *m, struct page **pages, u32 nr)
{
	struct write_batch w = {.error = 0};
	struct block_plug plug;

	atomic_set(&w.pending, 1);
	completion_init(&w.done);
	block_plug_start(&plug);
	for (u32 n; nr; pages += n, nr -= n) {
		n = pages_run(pages, nr);
		write_run(m, pages, n, &w, &plug);
	}
	block_plug_end(&plug);
	write_batch_put(&w, 0);
	wait_for_completion(&w.done);
	return READ_ONCE(w.error);
}

static const struct mapping_ops bdev_mapping_ops = {
	.read_page = read_page,
	.read_pages = read_pages,
	.write_pages = write_pages,
	.max_io = MAX_IO_PAGES,
	.write_gaps = true,
	.reads_on = true,
};

/* ---- The inode ---- */

static void bdev_evict(struct inode *i)
{
	kfree(i->private);
}

static const struct super_ops bdev_super_ops = {.evict = bdev_evict};

static int bdev_mount(const struct fs_type *t, const char *source, u32 flags, const char *options,
		      struct super_block **out)
{
	int err = anon_super(t, BDEVFS_MAGIC, out);

	if (!err)
		(*out)->ops = &bdev_super_ops;
	return err;
}

static struct fs_type bdev_type = {.name = "bdev", .no_device = true, .mount = bdev_mount};

/* Each disk has one, and with it a writer of its own. */
static struct super_block *super_of(const struct disk *d)
{
	struct super_block *sb = NULL;

	if (d->whole)
		return d->whole->inode->sb;
	return bdev_mount(&bdev_type, "", 0, "", &sb) ? NULL : sb;
}

int block_writer_start(struct block_device *b)
{
	struct super_block *sb = b->inode->sb;
	int err;

	mutex_lock(&b->disk->open_lock);
	err = sb->writeback ? 0 : writeback_start(sb);
	mutex_unlock(&b->disk->open_lock);
	return err;
}

static u64 device_number(const struct disk *d, u32 partno)
{
	static u32 next_extended; /* open_lock; numbers are not used twice */

	if (partno < DISK_MINORS)
		return dev_make(d->major, d->first_minor + partno);
	return dev_make(EXTENDED_MAJOR, __atomic_fetch_add(&next_extended, 1, __ATOMIC_RELAXED));
}

struct block_device *bdev_create(struct disk *d, u32 partno, u64 start, u64 nr_sectors)
{
	struct super_block *sb = super_of(d);
	struct block_device *b = kzalloc(sizeof(*b), GFP_KERNEL);
	struct inode *i = sb && b ? inode_alloc(sb, S_IFBLK | 0600) : NULL;

	if (!i) {
		kfree(b);
		return NULL;
	}
	b->inode = i;
	b->disk = d;
	b->partno = partno;
	b->dev = device_number(d, partno);
	b->start = start;
	b->nr_sectors = nr_sectors;
	if (partno)
		format(b->name, sizeof(b->name), "%s%u", d->name, partno);
	else
		format(b->name, sizeof(b->name), "%s", d->name);
	b->block_size = d->limits.logical_size;
	while (b->block_size < PAGE_SIZE && !((nr_sectors << SECTOR_SHIFT) & b->block_size))
		b->block_size <<= 1;
	i->private = b;
	i->rdev = b->dev;
	i->size = nr_sectors << SECTOR_SHIFT;
	i->fops = &blkdev_fops;
	i->mapping.ops = &bdev_mapping_ops;
	return b;
}

static int bdev_init(void)
{
	return fs_register(&bdev_type);
}
INIT_CALL(INIT_CORE, bdev_init);
