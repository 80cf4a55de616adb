/*
 * Data of regular files: pages to and from the device.
 *
 * Allocation is delayed. A page that is changed where the file has a hole gets a promise: blocks are
 * counted as taken (so that ENOSPC comes at the write), but which ones is decided when the page is
 * written back, for as long a run as there are pages, and therefore contiguous.
 *
 * Writing back a number of pages:
 *
 *  1. Where the file has blocks, those; where it has holes, blocks are taken off the free ones in
 *     memory. On the disk they are free still, and nothing points to them.
 *  2. The data is written and the writes are waited for.
 *  3. A handle marks the blocks in use, enters them in the file's map (unwritten runs become
 *     written), and lets the size on the disk grow as far as the data does. The commit of that
 *     transaction flushes the device before its commit block.
 *
 * So whatever is committed points to data that is on the medium: no block ever shows what it held
 * before, and a commit never waits for data. If the machine stops before 3 is committed, the blocks
 * are free and the file is as long as it was.
 *
 * Promises are kept in ext4_ino.delayed, by page: the number of blocks. memo_lock guards them.
 * mapping.write_lock is held while pages are written, and by truncation and hole punching.
 */
#include <lib/string.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include "internal.h"

#define MAX_IO_PAGES 256u

/* ---- Promises ---- */

static u32 bits_per_page(const struct ext4_fs *fs)
{
	return PAGE_SHIFT - fs->g.block_bits;
}

/* Blocks of the page that have no place yet. */
static int count_holes(struct inode *i, u64 index, u32 *holes)
{
	u32 bits = bits_per_page(ext4_fs(i->sb)), lblk = (u32)(index << bits), end = lblk + (1u << bits);
	int err = 0;

	*holes = 0;
	while (lblk < end && !err) {
		struct ext4_map m = {.lblk = lblk, .len = end - lblk};

		err = ext4_map_block(i, &m);
		*holes += m.pblk ? 0 : m.len;
		lblk += m.len;
	}
	return err;
}

static bool has_promise(struct ext4_ino *ei, u64 index)
{
	bool has;

	spin_lock(&ei->memo_lock);
	has = xa_load(&ei->delayed, index);
	spin_unlock(&ei->memo_lock);
	return has;
}

static int promise_enter(struct ext4_ino *ei, u64 index, u32 nr)
{
	int err = 0;

	spin_lock(&ei->memo_lock);
	if (xa_load(&ei->delayed, index)) {
		err = -EEXIST;
	} else {
		err = xa_store(&ei->delayed, index, (void *)((u64)nr << 4), NULL);
		ei->nr_delayed += err ? 0 : nr;
	}
	spin_unlock(&ei->memo_lock);
	return err;
}

/* mapping_ops.before_change */
static int before_change(struct mapping *m, u64 index)
{
	struct inode *i = m->host;
	struct ext4_fs *fs = ext4_fs(i->sb);
	u32 holes;
	int err;

	if (unlikely(READ_ONCE(fs->failed)))
		return -EIO;
	if (has_promise(ext4_i(i), index))
		return 0;
	err = count_holes(i, index, &holes);
	if (err || !holes)
		return err;
	err = ext4_promise(fs, holes);
	if (err)
		return err;
	err = promise_enter(ext4_i(i), index, holes);
	if (err)
		ext4_promise_end(fs, holes);
	return err == -EEXIST ? 0 : err;
}

/* Takes the promises of [first, last] away; how many blocks they were. */
static u32 promises_take(struct ext4_ino *ei, u64 first, u64 last)
{
	u64 index = first;
	u32 nr = 0, batch = 0;
	void *e;

	spin_lock(&ei->memo_lock);
	while ((e = xa_find(&ei->delayed, &index, last))) {
		nr += (u32)((u64)e >> 4);
		ei->nr_delayed -= (u64)e >> 4;
		xa_erase(&ei->delayed, index);
		if (++batch % 64 == 0) {
			spin_unlock(&ei->memo_lock);
			spin_lock(&ei->memo_lock);
		}
	}
	spin_unlock(&ei->memo_lock);
	return nr;
}

void ext4_promises_drop(struct inode *i, u64 first, u64 last)
{
	ext4_promise_end(ext4_fs(i->sb), promises_take(ext4_i(i), first, last));
}

/* ---- Requests for runs of pages ---- */

/* Adds a request for blocks [lblk, lblk + len) of the pages, of which the first has index `base`. */
static int add_run(struct ext4_io *io, enum bio_op op, struct page **pages, u64 base, u32 lblk, u32 len,
		   u64 pblk)
{
	u32 bits = io->fs->g.block_bits;
	u64 pos = (u64)lblk << bits, end = pos + ((u64)len << bits);
	u32 first = (u32)((pos >> PAGE_SHIFT) - base), nr = (u32)(((end - 1) >> PAGE_SHIFT) - base) - first + 1;
	struct bio_vec *vecs = kmalloc_array(nr, sizeof(*vecs), GFP_KERNEL);
	int err;

	if (!vecs)
		return -ENOMEM;
	for (u32 n = 0; n < nr; n++) {
		u32 offset = (u32)(pos & ~PAGE_MASK), part = (u32)MIN(PAGE_SIZE - offset, end - pos);

		vecs[n] = (struct bio_vec){pages[first + n], offset, part};
		pos += part;
	}
	err = ext4_io_add(io, op, 0, pblk, len, vecs, nr, &pages[first]);
	kfree(vecs);
	return err;
}

/* ---- Reading ---- */

static void zero_blocks(const struct ext4_fs *fs, struct page **pages, u64 base, u32 lblk, u32 len)
{
	u64 pos = (u64)lblk << fs->g.block_bits, end = pos + ((u64)len << fs->g.block_bits);

	while (pos < end) {
		u32 offset = (u32)(pos & ~PAGE_MASK), part = (u32)MIN(PAGE_SIZE - offset, end - pos);

		memset((char *)page_address(pages[(pos >> PAGE_SHIFT) - base]) + offset, 0, part);
		pos += part;
	}
}

static void read_ended(void *private, u32 nr, int error)
{
	struct page **pages = private;

	for (u32 n = 0; error && n < nr; n++)
		page_set(pages[n], PG_ERROR);
}

/* map_lock held (shared), until the data is there. */
static int read_mapped(struct inode *i, struct page **pages, u32 nr)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	u64 base = pages[0]->index;
	u32 bits = bits_per_page(fs), lblk = (u32)(base << bits), end = lblk + (nr << bits);
	struct ext4_io io;
	int err = 0, e;

	ext4_io_begin(&io, fs);
	while (lblk < end && !err) {
		struct ext4_map m = {.lblk = lblk, .len = end - lblk};

		err = ext4_map_find(i, &m);
		if (err)
			break;
		if (m.pblk && !m.unwritten)
			err = add_run(&io, BIO_READ, pages, base, lblk, m.len, m.pblk);
		else
			zero_blocks(fs, pages, base, lblk, m.len);
		lblk += m.len;
	}
	e = ext4_io_end(&io, read_ended);
	return err ? err : e;
}

/*
 * Reads of whole pages that are under way when the caller goes on. Who frees blocks waits, with map_lock held
 * exclusively so that none begins, until `reads` is 0. It falls before the pages are unlocked: until then they
 * keep the inode.
 */
struct read_request {
	struct bio bio;
	struct ext4_ino *ei;
	struct bio_vec vecs[];
};

static DEFINE_WAIT_QUEUE(reads_wait);

/* Any context. */
static void read_done(struct bio *bio)
{
	struct read_request *r = bio->private;

	if (atomic_dec_and_test(&r->ei->reads))
		wake_up_all(&reads_wait);
	for (u32 n = 0; n < bio->nr_vecs; n++)
		pages_end_read(r->vecs[n].page, r->vecs[n].len >> PAGE_SHIFT, !bio->error);
	kfree(r);
}

void ext4_reads_wait(struct inode *i)
{
	wait_event(&reads_wait, !atomic_read(&ext4_i(i)->reads));
}

/* One for all pages that are adjacent in memory. */
static u32 pages_to_vecs(struct bio_vec *vecs, struct page **pages, u32 nr)
{
	u32 made = 0;

	for (u32 n = 0; n < nr; n++) {
		if (n && pages[n] == pages[n - 1] + 1)
			vecs[made - 1].len += PAGE_SIZE;
		else
			vecs[made++] = (struct bio_vec){.page = pages[n], .len = PAGE_SIZE};
	}
	return made;
}

static int read_start(struct inode *i, struct block_plug *plug, struct page **pages, u32 nr, u64 pblk)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	struct read_request *r = kmalloc(sizeof(*r) + nr * sizeof(r->vecs[0]), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
	r->ei = ext4_i(i);
	r->bio = (struct bio){
		.bdev = fs->bdev, .op = BIO_READ, .sector = pblk << (fs->g.block_bits - SECTOR_SHIFT),
		.vecs = r->vecs, .nr_vecs = pages_to_vecs(r->vecs, pages, nr), .done = read_done, .private = r,
	};
	atomic_inc(&r->ei->reads);
	bio_submit_plugged(plug, &r->bio);
	return 0;
}

static void pages_end(struct page **pages, u32 nr, bool good)
{
	for (u32 n = 0; n < nr; n++)
		pages_end_read(pages[n], 1, good);
}

/* Blocks are pages. map_lock held (shared). */
static int read_mapped_on(struct inode *i, struct page **pages, u32 nr)
{
	struct block_plug plug;
	int err = 0;

	block_plug_start(&plug);
	while (nr) {
		struct ext4_map m = {.lblk = (u32)pages[0]->index, .len = nr};

		err = ext4_map_find(i, &m);
		if (!err && m.pblk && !m.unwritten) {
			err = read_start(i, &plug, pages, m.len, m.pblk);
		} else if (!err) {
			zero_blocks(ext4_fs(i->sb), pages, pages[0]->index, m.lblk, m.len);
			pages_end(pages, m.len, true);
		}
		if (err)
			break;
		pages += m.len;
		nr -= m.len;
	}
	block_plug_end(&plug);
	pages_end(pages, nr, false);
	return err;
}

/* Waits for the data. */
static int read_pages_now(struct inode *i, struct page **pages, u32 nr)
{
	int err;

	rwsem_read_lock(&ext4_i(i)->map_lock);
	err = read_mapped(i, pages, nr);
	rwsem_read_unlock(&ext4_i(i)->map_lock);
	for (u32 n = 0; n < nr; n++) {
		/* One bad block does not spoil the pages around it. */
		bool good = !err || (err == -EIO && !page_test(pages[n], PG_ERROR));

		page_clear(pages[n], PG_ERROR);
		pages_end(&pages[n], 1, good);
	}
	return err;
}

static bool behind_all(struct inode *i, struct page **pages, u32 nr)
{
	bool behind = pages[0]->index + nr > (u64)U32_MAX >> bits_per_page(ext4_fs(i->sb));

	for (u32 n = 0; behind && n < nr; n++)
		memset(page_address(pages[n]), 0, PAGE_SIZE);
	if (behind)
		pages_end(pages, nr, true);
	return behind;
}

static int read_pages(struct mapping *m, struct page **pages, u32 nr)
{
	struct inode *i = m->host;
	int err;

	if (behind_all(i, pages, nr))
		return 0;
	if (bits_per_page(ext4_fs(i->sb)))
		return read_pages_now(i, pages, nr);
	rwsem_read_lock(&ext4_i(i)->map_lock);
	err = read_mapped_on(i, pages, nr);
	rwsem_read_unlock(&ext4_i(i)->map_lock);
	return err;
}

static int read_page(struct mapping *m, struct page *page)
{
	return behind_all(m->host, &page, 1) ? 0 : read_pages_now(m->host, &page, 1);
}

/* ---- Writing ---- */

enum piece_kind { PIECE_PLACED, PIECE_UNWRITTEN, PIECE_NEW };

struct piece {
	u32 lblk, len;
	u64 pblk;
	enum piece_kind kind;
};

struct write_batch {
	struct inode *i;
	struct page **pages; /* rising */
	u32 nr_pages;
	u64 size_end;        /* where the data ends, in bytes */
	struct piece *pieces;
	u32 nr;
};

/* One piece at lblk, of what is written up to end; blocks are taken for a hole. */
static int piece_find(struct write_batch *w, u32 lblk, u32 end, struct piece *p)
{
	struct ext4_map m = {.lblk = lblk, .len = end - lblk};
	u32 nr;
	int err = ext4_map_block(w->i, &m);

	if (err)
		return err;
	*p = (struct piece){lblk, m.len, m.pblk, m.unwritten ? PIECE_UNWRITTEN : PIECE_PLACED};
	if (m.pblk)
		return 0;
	nr = MIN(m.len, EXT_LEN_MAX_UNWRITTEN);
	if (!ext4_uses_extents(w->i))
		nr = MIN(nr, 128u);
	err = ext4_blocks_take(ext4_fs(w->i->sb), ext4_goal(w->i, lblk), &nr, &p->pblk);
	p->len = nr;
	p->kind = PIECE_NEW;
	if (!err) { /* what is written next goes on behind it */
		ext4_i(w->i)->goal_lblk = lblk + nr;
		WRITE_ONCE(ext4_i(w->i)->goal_pblk, p->pblk + nr);
	}
	return err;
}

/* Consecutive pages. */
static int write_run(struct write_batch *w, struct ext4_io *io, struct page **pages, u32 nr)
{
	const struct ext4_geometry *g = &io->fs->g;
	u64 base = pages[0]->index, stop = MIN((base + nr) << PAGE_SHIFT, w->size_end);
	u32 lblk = (u32)(base << bits_per_page(io->fs)), end = (u32)((stop + g->block_size - 1) >> g->block_bits);
	int err = 0;

	while (lblk < end && !err) {
		struct piece *p = &w->pieces[w->nr];

		err = piece_find(w, lblk, end, p);
		if (err)
			break;
		w->nr++;
		err = add_run(io, BIO_WRITE, pages, base, lblk, p->len, p->pblk);
		lblk += p->len;
	}
	return err;
}

static int write_pieces(struct write_batch *w)
{
	struct page **pages = w->pages;
	struct ext4_io io;
	int err = 0, e;

	ext4_io_begin(&io, ext4_fs(w->i->sb));
	for (u32 left = w->nr_pages, n; left && !err; left -= n, pages += n) {
		n = pages_run(pages, left);
		err = write_run(w, &io, pages, n);
	}
	e = ext4_io_end(&io, NULL);
	return err ? err : e;
}

static void pieces_release(struct write_batch *w)
{
	for (u32 n = 0; n < w->nr; n++)
		if (w->pieces[n].kind == PIECE_NEW)
			ext4_blocks_release(ext4_fs(w->i->sb), w->pieces[n].pblk, w->pieces[n].len);
}

/* map_lock exclusively, in a handle. */
static int piece_enter(struct ext4_handle *h, struct inode *i, struct piece *p)
{
	const struct ext4_map m = {.lblk = p->lblk, .len = p->len, .pblk = p->pblk};

	if (p->kind == PIECE_UNWRITTEN)
		return ext4_map_written(h, i, p->lblk, p->len);
	p->kind = PIECE_PLACED; /* no longer ours to release */
	return ext4_map_taken(h, i, &m);
}

/* Data of [.., end) is on the device: the size on the disk follows. map_lock exclusively. */
static void grow_disk_size(struct inode *i, u64 end)
{
	struct ext4_ino *ei = ext4_i(i);

	end = MIN(end, READ_ONCE(i->size));
	if (end > ei->disk_size)
		ei->disk_size = end;
}

static int commit_piece(struct write_batch *w, struct piece *p)
{
	struct inode *i = w->i;
	struct ext4_fs *fs = ext4_fs(i->sb);
	u64 end = (u64)(p->lblk + p->len) << fs->g.block_bits;
	struct ext4_handle h;
	int err = ext4_start(fs, &h, CREDITS_BLOCKS + 2 * CREDITS_MAP + CREDITS_INODE);

	if (err)
		return err;
	rwsem_write_lock(&ext4_i(i)->map_lock);
	if (p->kind != PIECE_PLACED)
		err = piece_enter(&h, i, p);
	if (!err)
		grow_disk_size(i, MIN(end, w->size_end));
	rwsem_write_unlock(&ext4_i(i)->map_lock);
	if (!err)
		err = ext4_inode_store(&h, i);
	ext4_note_tid(&h, i, true);
	ext4_stop(&h);
	return err;
}

static int commit_pieces(struct write_batch *w)
{
	struct ext4_ino *ei = ext4_i(w->i);
	int err = 0;

	for (u32 n = 0; n < w->nr && !err; n++) {
		struct piece *p = &w->pieces[n];
		bool last = n + 1 == w->nr;

		if (p->kind != PIECE_PLACED || (last && w->size_end > READ_ONCE(ei->disk_size)))
			err = commit_piece(w, p);
	}
	return err;
}

static int write_batch(struct write_batch *w)
{
	u32 max = w->nr_pages << bits_per_page(ext4_fs(w->i->sb));
	int err;

	w->pieces = kmalloc_array(max, sizeof(*w->pieces), GFP_KERNEL);
	if (!w->pieces)
		return -ENOMEM;
	err = write_pieces(w);
	if (!err)
		err = commit_pieces(w);
	if (err)
		pieces_release(w);
	kfree(w->pieces);
	return err;
}

/*
 * What goes to the disk in place of the page with the end of the file: behind the end zeroes, whatever a
 * shared mapping has written there. A copy, because a write(2) that makes the file longer is perhaps just
 * filling the page. NULL: the page itself does.
 */
static int tail_copy(struct page *p, u64 size, struct page **copy)
{
	u64 start = p->index << PAGE_SHIFT;
	struct page *c;

	*copy = NULL;
	if (size <= start || size >= start + PAGE_SIZE)
		return 0;
	do
		c = page_alloc(0, GFP_KERNEL);
	while (unlikely(!c) && ext4_wait_for_memory());
	if (!c)
		return -ENOMEM;
	c->index = p->index;
	memcpy(page_address(c), page_address(p), size - start);
	memset((char *)page_address(c) + (size - start), 0, start + PAGE_SIZE - size);
	*copy = c;
	return 0;
}

/* The last of the pages may hold the end. */
static int write_with_tail(struct write_batch *w, u64 size)
{
	struct page **last = &w->pages[w->nr_pages - 1], *own = *last, *copy;
	int err = tail_copy(own, size, &copy);

	if (err)
		return err;
	if (copy)
		*last = copy;
	err = write_batch(w);
	*last = own;
	if (copy)
		page_put(copy);
	return err;
}

static void promises_kept(struct inode *i, struct page **pages, u32 nr)
{
	for (u32 n; nr; nr -= n, pages += n) {
		n = pages_run(pages, nr);
		ext4_promises_drop(i, pages[0]->index, pages[n - 1]->index);
	}
}

static int write_pages(struct mapping *m, struct page **pages, u32 nr)
{
	struct inode *i = m->host;
	u64 size = READ_ONCE(i->size);
	struct write_batch w = {.i = i, .pages = pages, .nr_pages = nr};
	int err = 0;

	while (w.nr_pages && pages[w.nr_pages - 1]->index << PAGE_SHIFT >= size)
		w.nr_pages--;
	if (unlikely(READ_ONCE(ext4_fs(i->sb)->failed) || READ_ONCE(i->sb->flags) & MS_RDONLY)) {
		err = -EROFS;
	} else if (w.nr_pages && (i->nlink || ref_read(&i->ref) > 1)) {
		struct page *end = pages[w.nr_pages - 1];

		w.size_end = MIN(size, (end->index + 1) << PAGE_SHIFT);
		err = write_with_tail(&w, size);
	} /* else: behind the end, or of a file that nobody can read any more */
	promises_kept(i, pages, nr);
	return err;
}

/* Times, which writes have changed in memory alone. */
static int written(struct mapping *m)
{
	struct inode *i = m->host;
	struct ext4_handle h;
	int err;

	if (!i->nlink && ref_read(&i->ref) == 1)
		return 0;
	err = ext4_start(ext4_fs(i->sb), &h, CREDITS_INODE);
	if (err)
		return err;
	err = ext4_inode_store(&h, i);
	ext4_stop(&h);
	return err;
}

const struct mapping_ops ext4_data_ops = {
	.read_page = read_page,
	.read_pages = read_pages,
	.before_change = before_change,
	.write_pages = write_pages,
	.written = written,
	.max_io = MAX_IO_PAGES,
	.write_gaps = true,
	.reads_on = true,
};

/* ---- Files ---- */

/*
 * What the file has changed is on the medium: its data by the writes above, and its transaction. When
 * that is committed already, data that was written in place since needs a flush of its own.
 */
int ext4_fsync(struct file *f, bool data_only)
{
	struct inode *i = f->inode;
	struct ext4_fs *fs = ext4_fs(i->sb);
	int err = mapping_sync(&i->mapping), e;

	if (READ_ONCE(i->sb->flags) & MS_RDONLY)
		return READ_ONCE(fs->failed) ? -EIO : err;
	e = ext4_sync_inode(i, data_only);
	return err ? err : e;
}

/* Errors are kept with the file. */
void ext4_write_promised(struct inode *i)
{
	if (ext4_fs(i->sb)->o.auto_da_alloc && READ_ONCE(ext4_i(i)->nr_delayed))
		(void)!mapping_write(&i->mapping, 0, U64_MAX);
}

static void release_file(struct file *f)
{
	struct ext4_ino *ei = ext4_i(f->inode);

	if (likely(!READ_ONCE(ei->replaced)))
		return;
	WRITE_ONCE(ei->replaced, false);
	ext4_write_promised(f->inode);
}

static loff_t seek_data(struct inode *i, u64 pos, bool want_data);

loff_t ext4_llseek(struct file *f, loff_t off, int whence)
{
	struct inode *i = f->inode;
	u64 max = i->sb->max_bytes;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return file_llseek_size(f, off, whence, (loff_t)max, (loff_t)READ_ONCE(i->size));
	if (off < 0 || (u64)off >= READ_ONCE(i->size))
		return -ENXIO;
	off = seek_data(i, (u64)off, whence == SEEK_DATA);
	return off < 0 ? off : file_llseek_size(f, off, SEEK_SET, (loff_t)max, 0);
}

/*
 * In an unwritten run or hole of len blocks: how many of them, from lblk on, are alike. Data is what lies in
 * dirty pages (a promise, or over an unwritten run).
 */
static u32 same_in_cache(struct inode *i, u32 lblk, u32 len, bool *data)
{
	u32 bits = bits_per_page(ext4_fs(i->sb));
	u64 index = lblk >> bits, end = page_cache_next_dirty(&i->mapping, index);

	*data = end == index;
	while (*data && (end << bits) - lblk < len && page_cache_next_dirty(&i->mapping, end) == end)
		end++;
	return end >= (u64)U32_MAX >> bits ? len : (u32)MIN((end << bits) - lblk, (u64)len);
}

int ext4_map_seen(struct inode *i, struct ext4_map *m, bool *cached)
{
	int err = ext4_map_block(i, m);

	*cached = false;
	if (!err && (!m->pblk || m->unwritten) && i->mapping.nr_dirty)
		m->len = same_in_cache(i, m->lblk, m->len, cached);
	return err;
}

static loff_t seek_data(struct inode *i, u64 pos, bool want_data)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	u64 size = READ_ONCE(i->size), end = DIV_ROUND_UP(size, (u64)fs->g.block_size);
	u64 lblk = pos >> fs->g.block_bits;
	bool data;
	int err;

	while (lblk < end) {
		struct ext4_map m = {.lblk = (u32)lblk, .len = (u32)(end - lblk)};

		err = ext4_map_seen(i, &m, &data);
		if (err)
			return err;
		data |= m.pblk && !m.unwritten;
		if (data == want_data)
			return (loff_t)MAX(pos, lblk << fs->g.block_bits);
		lblk += m.len;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return want_data ? -ENXIO : (loff_t)size;
}

static int open_file(struct inode *i, struct file *f)
{
	f->mode |= FMODE_CAN_DIRECT;
	return 0;
}

const struct file_ops ext4_file_fops = {
	.name = "ext4",
	.open = open_file,
	.release = release_file,
	.read = ext4_read,
	.write = ext4_write,
	.llseek = ext4_llseek,
	.mmap = file_mmap_cached,
	.fsync = ext4_fsync,
	.fallocate = ext4_fallocate,
	.ioctl = ext4_ioctl,
};
