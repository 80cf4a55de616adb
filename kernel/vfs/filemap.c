/*
 * Regular files whose data lies in the page cache: read, write, mmap.
 *
 * Reads take no lock: a page is found under RCU and held by a reference while it is copied, or its folio is
 * (mm/folio.c), from which as much as is asked for goes in one piece. The copy may sleep. Writes hold the
 * inode lock (LOCK_RANK_INODE), which orders them against each other and against truncation. The source
 * of a write may be a mapping of the very page that is written, whose fault could wait for locks below; so
 * the copy runs with faults disabled, after the source has been touched without them, and a copy that
 * stops short is tried again after touching again. Faults never take the inode lock.
 *
 * The size grows after the data is there, so a lock-free reader never sees bytes that were not
 * written. The page is marked dirty after that: whoever writes it to the store first takes the mark
 * and then reads the size, and would leave out what lies behind an old one.
 */
#include <lib/errno.h>
#include <mm/mm.h>
#include <signal/signal.h>
#include <vfs/file.h>

/* The first use of a page since it was read or looked at by reclaim. */
static void first_use(struct mapping *m, struct page *page)
{
	page_set(page, PG_REFERENCED);
	if (page_test(page, PG_AHEAD))
		page_cache_read_on(m, page);
}

/* How much of n bytes at pos, which page holds, the folio has in one go: what is up to date. */
static size_t folio_part(const struct page *head, const struct page *page, u64 pos, size_t n)
{
	size_t part = PAGE_SIZE - pos % PAGE_SIZE;
	const struct page *end = head + folio_pages(head);

	while (part < n && ++page < end && page_test(page, PG_UPTODATE))
		part += PAGE_SIZE;
	return MIN(part, n);
}

/* Copies from page, which holds pos and is up to date, and on from its folio if it has one. Consumes the
 * reference. *n: how much there is to copy; then, how much of that was tried. */
static size_t read_page_or_folio(struct mapping *m, struct io_iter *to, struct page *page, u64 pos, size_t *n)
{
	size_t offset = pos % PAGE_SIZE, in_page = PAGE_SIZE - offset, done;
	struct page *head = *n > in_page ? folio_get(page) : NULL;

	*n = head ? folio_part(head, page, pos, *n) : MIN(*n, in_page);
	if (unlikely(!page_test(head ? head : page, PG_REFERENCED)))
		first_use(m, head ? head : page);
	if (head)
		page_put(page);
	done = io_copy_page_to(to, page, offset, *n);
	if (head)
		folio_put(head);
	else
		page_put(page);
	return done;
}

/* Copies bytes at pos: *n, or less to the end of a page or folio, which *n is then. A hole reads as zeroes. Bytes,
 * or -errno. */
static ssize_t read_piece(struct file *f, struct io_iter *to, loff_t pos, size_t *n)
{
	struct mapping *m = &f->inode->mapping;
	u64 index = (u64)pos >> PAGE_SHIFT;
	struct page *page = page_cache_find(m, index);
	int err;

	if (!page && m->ops->memory_backed) {
		*n = MIN(*n, PAGE_SIZE - (u64)pos % PAGE_SIZE);
		return (ssize_t)io_zero(to, *n);
	}
	if (!page || !page_test(page, PG_UPTODATE)) {
		if (page)
			page_put(page);
		err = page_cache_get(m, index, &page);
		if (err)
			return err;
	}
	return (ssize_t)read_page_or_folio(m, to, page, (u64)pos, n);
}

ssize_t file_read_cached(struct file *f, struct io_iter *to, loff_t *ppos)
{
	loff_t pos = *ppos;
	ssize_t done = 0, n = 0;

	while (io_count(to)) {
		loff_t size = (loff_t)READ_ONCE(f->inode->size);
		size_t want;

		if (pos >= size)
			break;
		want = MIN(io_count(to), (u64)(size - pos));
		n = read_piece(f, to, pos, &want);
		if (n > 0) {
			pos += n;
			done += n;
		}
		if (n < (ssize_t)want) {
			if (n >= 0)
				n = -EFAULT;
			break;
		}
		if (fatal_signal_pending(current)) {
			n = -EINTR;
			break;
		}
	}
	if (!(f->flags & O_NOATIME))
		path_accessed(&f->path);
	*ppos = pos;
	return done || n >= 0 ? done : n;
}

/* Where a write may begin and how long it may be. Bytes, or -errno. Inode lock. */
static ssize_t write_limits(struct file *f, struct io_iter *from, loff_t *pos)
{
	u64 limit = rlimit(RLIMIT_FSIZE);
	u64 max = f->inode->sb->max_bytes;
	u64 n = io_count(from);
	siginfo_t info;

	if (f->flags & O_APPEND || from->append)
		*pos = (loff_t)f->inode->size;
	if (limit != RLIM64_INFINITY) {
		if ((u64)*pos >= limit) {
			siginfo_user(&info, SIGXFSZ);
			signal_send_task(current, SIGXFSZ, &info);
			return -EFBIG;
		}
		n = MIN(n, limit - (u64)*pos);
	}
	if ((u64)*pos >= max)
		return -EFBIG;
	return (ssize_t)MIN(n, max - (u64)*pos);
}

/* What seals (tmpfs) say about writing n bytes at pos. 0 or -EPERM. Inode lock. */
static int seals_check(const struct inode *inode, loff_t pos, size_t n)
{
	if (likely(!(inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_GROW))))
		return 0;
	if (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	return (u64)pos + n > inode->size ? -EPERM : 0;
}

/* Copies up to n bytes into the page at pos. Bytes done, or -errno. Inode lock. */
static ssize_t write_piece(struct inode *inode, struct io_iter *from, loff_t pos, size_t n)
{
	u64 start = (u64)pos & PAGE_MASK;
	struct page *page;
	bool locked;
	size_t done;
	int err;

	do {
		if (io_fault_in(from, n, false))
			return -EFAULT;
		if (inode->mapping.ops->before_change) {
			err = inode->mapping.ops->before_change(&inode->mapping,
								start >> PAGE_SHIFT);
			if (err)
				return err;
		}
		err = page_cache_get_write(&inode->mapping, start >> PAGE_SHIFT, n == PAGE_SIZE,
					   start >= inode->size, &page, &locked);
		if (err)
			return err;
		from->nofault = true;
		done = io_copy_page_from(from, page, (u64)pos % PAGE_SIZE, n);
		from->nofault = false;
		if (locked) {
			bool complete = done == PAGE_SIZE || n < PAGE_SIZE;

			page_cache_written(page, complete);
			if (!complete) {
				io_revert(from, done);
				done = 0;
			}
		}
		if ((u64)pos + done > inode->size)
			smp_store_release(&inode->size, (u64)pos + done);
		if (done && !page_mark_dirty(page)) { /* dropped from the cache meanwhile */
			io_revert(from, done);
			done = 0;
		}
		page_put(page);
	} while (!done && !fatal_signal_pending(current));
	return done ? (ssize_t)done : -EINTR;
}

ssize_t file_write_pages(struct inode *inode, struct io_iter *from, loff_t *ppos, size_t left)
{
	loff_t pos = *ppos, start = pos;
	ssize_t n = 0;

	if ((u64)pos > inode->size)
		inode_zero_tail(inode);
	inode_touch(inode, ATTR_MTIME | ATTR_CTIME);
	while (left) {
		size_t want = MIN(left, PAGE_SIZE - (u64)pos % PAGE_SIZE);

		n = seals_check(inode, pos, want);
		if (!n)
			n = write_piece(inode, from, pos, want);
		if (n < 0)
			break;
		pos += n;
		left -= (size_t)n;
		mapping_balance(&inode->mapping);
		if (fatal_signal_pending(current))
			break;
	}
	if (pos == start)
		return n;
	*ppos = pos;
	return pos - start;
}

ssize_t file_write_begin(struct file *f, struct io_iter *from, loff_t *pos)
{
	ssize_t n = write_limits(f, from, pos);
	int err = n > 0 ? inode_strip_privileges(f->path.dentry) : 0;

	return err ? err : n;
}

static ssize_t write_locked(struct file *f, struct io_iter *from, loff_t *ppos)
{
	loff_t pos = *ppos;
	ssize_t n = file_write_begin(f, from, &pos);

	if (n > 0)
		n = file_write_pages(f->inode, from, &pos, (size_t)n);
	if (n > 0)
		*ppos = pos;
	return n;
}

int file_write_sync(struct file *f)
{
	if (!(f->flags & O_DSYNC) || !f->ops->fsync)
		return 0;
	return file_sync(f, !(f->flags & (O_SYNC & ~O_DSYNC)));
}

ssize_t file_write_cached(struct file *f, struct io_iter *from, loff_t *pos)
{
	struct inode *inode = f->inode;
	ssize_t n;
	int err;

	if (!io_count(from))
		return 0;
	rwsem_write_lock(&inode->lock);
	n = write_locked(f, from, pos);
	rwsem_write_unlock(&inode->lock);
	err = n > 0 ? file_write_sync(f) : 0;
	return err ? err : n;
}

int file_fault_cached(struct vma *vma, u64 pgoff, bool write, struct page **out)
{
	struct inode *inode = vma->file->inode;
	struct page *page;
	int err;

	if (pgoff >= DIV_ROUND_UP(READ_ONCE(inode->size), PAGE_SIZE))
		return -EFAULT;
	err = page_cache_get(&inode->mapping, pgoff, &page);
	if (err)
		return err;
	/* A truncation that ran meanwhile unmaps what is mapped; what is not yet, this test catches. */
	if (pgoff >= DIV_ROUND_UP(READ_ONCE(inode->size), PAGE_SIZE)) {
		page_put(page);
		return -EFAULT;
	}
	if (write && vma->flags & VMA_SHARED) {
		if (inode->mapping.ops->before_change)
			err = inode->mapping.ops->before_change(&inode->mapping, pgoff);
		if (err) {
			page_put(page);
			return err;
		}
		page_mark_dirty(page);
		inode_touch(inode, ATTR_MTIME | ATTR_CTIME);
	}
	if (!page_test(page, PG_REFERENCED))
		first_use(&inode->mapping, page);
	*out = page;
	return 0;
}

static int first_write_cached(struct vma *vma, u64 pgoff)
{
	struct mapping *m = &vma->file->inode->mapping;

	return m->ops->before_change ? m->ops->before_change(m, pgoff) : 0;
}

static const struct vma_ops cached_vma_ops = {
	.fault = file_fault_cached,
	.first_write = first_write_cached,
};

int file_mmap_cached(struct file *f, struct vma *vma)
{
	if (!f->inode->mapping.ops)
		return -ENODEV;
	vma->ops = &cached_vma_ops;
	if (!(f->flags & O_NOATIME))
		path_accessed(&f->path);
	return 0;
}
