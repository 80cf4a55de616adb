/*
 * O_DIRECT: pins a window of the caller's memory, makes bios of it, waits for them.
 *
 * Coherence: what the cache holds of the range is written back first. A write takes the range out of the
 * cache before, so that nobody reads old data afterwards, and again when it is over, because a fault or
 * a reader may have brought pages in meanwhile. Writers through the cache are kept out by the inode
 * lock; who changes the range through a mapping at the same time gets either, as on Linux.
 */
#include <block/direct.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <sync/wait.h>
#include <task/task.h>
#include "internal.h"

#define WINDOW_PAGES 256u
#define MEMORY_ALIGN SECTOR_SIZE

/* A window of memory and the transfer into or out of it. */
struct window {
	struct inode *inode;
	direct_map_fn map;
	bool write;             /* to the device */
	bool user;              /* pages are pinned */
	u32 nr;
	u64 bytes;
	struct atomic bios;     /* in flight, and one for the submitter */
	struct completion done;
	int error;              /* the first; torn-free */
	struct bio_vec vecs[WINDOW_PAGES];
};

/* ---- Memory ---- */

static void release(struct window *w)
{
	for (u32 i = 0; w->user && i < w->nr; i++) {
		if (!w->write && !page_test(w->vecs[i].page, PG_ANON))
			page_mark_dirty(w->vecs[i].page);
		page_put(w->vecs[i].page);
	}
	w->nr = 0;
	w->bytes = 0;
}

static void window_add(struct window *w, struct page *p, u32 offset, u32 len)
{
	w->vecs[w->nr++] = (struct bio_vec){.page = p, .offset = offset, .len = len};
	w->bytes += len;
}

/* Pins a contiguous piece of user memory. False: it cannot be reached, or not all of it. */
static bool pin(struct window *w, u64 addr, u64 len)
{
	struct page *pages[16];
	u64 end = addr + len;

	while (addr < end && w->nr < WINDOW_PAGES) {
		u64 most = DIV_ROUND_UP(end - (addr & PAGE_MASK), PAGE_SIZE);
		long got = mm_pin_pages(current->mm, addr,
					MIN(MIN(most, (u64)ARRAY_SIZE(pages)), WINDOW_PAGES - w->nr),
					!w->write, pages);

		if (got <= 0)
			return false;
		for (long i = 0; i < got; i++) {
			u32 offset = (u32)(addr & ~PAGE_MASK);
			u32 n = (u32)MIN(end - addr, PAGE_SIZE - offset);

			window_add(w, pages[i], offset, n);
			addr += n;
		}
	}
	return true;
}

/* The next bytes of the iterator, not advanced: at most len, whole blocks. 0 or -EFAULT. */
static int fill(struct window *w, const struct io_iter *it, u64 len, u32 block)
{
	struct io_iter at = *it;

	if (at.segs == it->inline_segs)
		at.segs = at.inline_segs;
	w->user = it->kind == IO_USER;
	while (w->bytes < len && w->nr < WINDOW_PAGES) {
		u64 before = w->bytes, n = MIN(at.left, len - w->bytes);

		if (w->user && !pin(w, at.cur, n))
			break;
		if (!w->user) {
			n = MIN(n, PAGE_SIZE - (at.cur & ~PAGE_MASK));
			window_add(w, page_of((void *)at.cur), (u32)(at.cur & ~PAGE_MASK), (u32)n);
		}
		io_advance(&at, w->bytes - before);
	}
	w->bytes &= ~(u64)(block - 1);
	return w->bytes ? 0 : -EFAULT;
}

/* ---- Transfers ---- */

static void window_put(struct window *w)
{
	if (!atomic_add_return(&w->bios, -1))
		complete(&w->done);
}

static void bio_done(struct bio *bio)
{
	struct window *w = bio->private;

	if (bio->error)
		WRITE_ONCE(w->error, bio->error);
	kfree(bio);
	window_put(w);
}

/* Cuts the window's vectors: the bio gets those of [from, from + len). */
static void cut_vecs(const struct window *w, u64 from, u64 len, struct bio *bio)
{
	for (u32 i = 0; i < w->nr && len; i++) {
		struct bio_vec v = w->vecs[i];

		if (from >= v.len) {
			from -= v.len;
			continue;
		}
		v.offset += (u32)from;
		v.len -= (u32)from;
		v.len = (u32)MIN((u64)v.len, len);
		from = 0;
		len -= v.len;
		bio->vecs[bio->nr_vecs++] = v;
	}
}

static void zero_vecs(struct bio *bio)
{
	for (u32 i = 0; i < bio->nr_vecs; i++)
		memset((char *)page_address(bio->vecs[i].page) + bio->vecs[i].offset, 0,
		       bio->vecs[i].len);
	kfree(bio);
}

/* The bio for the piece of the window that begins `from` bytes in. Its length, or -errno. */
static s64 send_piece(struct window *w, u64 pos, u64 from)
{
	struct direct_extent e = {0};
	int err = w->map(w->inode, pos + from, w->bytes - from, w->write, &e);
	struct bio *bio;

	if (err)
		return err;
	e.len = MIN(e.len, w->bytes - from);
	bio = e.len ? kzalloc(sizeof(*bio) + w->nr * sizeof(struct bio_vec), GFP_KERNEL) : NULL;
	if (!bio)
		return e.len ? -ENOMEM : -EIO;
	bio->vecs = (struct bio_vec *)(bio + 1);
	cut_vecs(w, from, e.len, bio);
	if (e.hole) {
		zero_vecs(bio);
		return (s64)e.len;
	}
	bio->bdev = e.bdev;
	bio->op = w->write ? BIO_WRITE : BIO_READ;
	bio->sector = e.sector;
	bio->done = bio_done;
	bio->private = w;
	atomic_inc(&w->bios);
	bio_submit(bio);
	return (s64)e.len;
}

/* 0 or the first error. All of the window's bios have ended. */
static int transfer(struct window *w, u64 pos)
{
	s64 n = 0;
	int err;

	atomic_set(&w->bios, 1);
	completion_init(&w->done);
	w->error = 0;
	for (u64 from = 0; n >= 0 && from < w->bytes; from += (u64)n)
		n = send_piece(w, pos, from);
	window_put(w);
	wait_for_completion(&w->done);
	err = READ_ONCE(w->error);
	return n < 0 ? (int)n : err;
}

/* Bytes; what an error leaves of them counts as not done. */
static ssize_t run(struct window *w, struct io_iter *it, u64 pos, u64 len, u32 block)
{
	u64 done = 0;
	int err = 0;

	while (!err && done < len) {
		err = fill(w, it, len - done, block);
		if (!err)
			err = transfer(w, pos + done);
		if (!err) {
			io_advance(it, w->bytes);
			done += w->bytes;
		}
		release(w);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	return done ? (ssize_t)done : err;
}

static ssize_t direct_io(struct inode *i, struct io_iter *it, u64 pos, u64 len, u32 block,
			 direct_map_fn map, bool write)
{
	u64 first = pos >> PAGE_SHIFT, last = (pos + len - 1) >> PAGE_SHIFT;
	struct window *w;
	ssize_t n;
	int err;

	if (!len)
		return 0;
	if ((pos | len) & (block - 1) || !io_aligned(it, len, MEMORY_ALIGN - 1, block - 1))
		return -EINVAL;
	if (it->kind == IO_KERNEL) /* not necessarily in the direct map */
		return -EBUSY;
	err = mapping_write(&i->mapping, first, last);
	if (!err && write)
		err = page_cache_invalidate(&i->mapping, first, last);
	if (err)
		return err;
	w = kmalloc(sizeof(*w), GFP_KERNEL);
	if (!w)
		return -ENOMEM;
	w->inode = i;
	w->map = map;
	w->write = write;
	w->nr = 0;
	w->bytes = 0;
	n = run(w, it, pos, len, block);
	kfree(w);
	if (write)
		(void)!page_cache_invalidate(&i->mapping, first, last);
	return n;
}

ssize_t direct_read(struct inode *i, struct io_iter *to, u64 pos, u64 len, u32 block_size,
		    direct_map_fn map)
{
	return direct_io(i, to, pos, len, block_size, map, false);
}

ssize_t direct_write(struct inode *i, struct io_iter *from, u64 pos, u64 len, u32 block_size,
		     direct_map_fn map)
{
	return direct_io(i, from, pos, len, block_size, map, true);
}
