/*
 * Regular files: opening, and moving pages between the cache and the server.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include "internal.h"

static int file_open(struct inode *inode, struct file *f)
{
	struct dentry *d = f->path.dentry;
	u32 access = f->mode & FMODE_WRITE ? MAY_READ | MAY_WRITE : MAY_READ;
	int err = p9_inode_revalidate(d);

	f->mode |= FMODE_CAN_DIRECT; /* taken, as Linux does; the cache is used all the same */
	return err ? err : p9_data_get(d, access);
}

static void file_release(struct file *f)
{
	p9_data_put(f->inode);
}

static int file_fsync(struct file *f, bool data_only)
{
	int err = mapping_sync(&f->inode->mapping);
	struct p9_fid *fid = p9_data_fid(f->inode);

	if (!err)
		err = fid ? p9_fsync(fid, data_only) : -EIO;
	p9_fid_put(fid);
	return err;
}

/* ---- Pages from the server ---- */

/* Bytes of the host's file from pos on that are this file's data. */
static u32 data_limit(const struct inode *i, u64 pos, u32 len)
{
	u64 end = p9_i(i)->host_end;

	if (READ_ONCE(i->nlink))
		return len;
	return pos >= end ? 0 : (u32)MIN((u64)len, end - pos);
}

/* Reads until `len` bytes are there or the file ends. Bytes, or -errno. */
static ssize_t read_run(struct p9_fid *f, u64 pos, struct page **pages, u32 len)
{
	u32 done = 0;

	while (done < len) {
		ssize_t n = p9_read_pages(f, pos + done, pages + done / PAGE_SIZE, len - done);

		if (n < 0)
			return n;
		done += (u32)n;
		if (!n || done % PAGE_SIZE)
			break;
	}
	return done;
}

static int read_pages(struct mapping *m, struct page **pages, u32 nr)
{
	u64 pos = pages[0]->index << PAGE_SHIFT;
	u32 len = nr * (u32)PAGE_SIZE, want = data_limit(m->host, pos, len);
	struct p9_fid *f = p9_data_fid(m->host);
	ssize_t n = f ? read_run(f, pos, pages, want) : -EIO;

	p9_fid_put(f);
	n = MIN(n, (ssize_t)want);
	for (u32 i = 0; i < nr; i++) {
		ssize_t have = n - (ssize_t)(i * PAGE_SIZE);

		have = MAX(have, 0L);
		if (n >= 0 && have < (ssize_t)PAGE_SIZE)
			memset((char *)page_address(pages[i]) + have, 0, PAGE_SIZE - (size_t)have);
		pages_end_read(pages[i], 1, n >= 0);
	}
	return n < 0 ? (int)n : 0;
}

static int read_page(struct mapping *m, struct page *page)
{
	return read_pages(m, &page, 1);
}

/* ---- Pages to the server ---- */

static int write_run(struct p9_fid *f, u64 pos, struct page **pages, u32 len)
{
	while (len) {
		ssize_t n = p9_write_pages(f, pos, pages, len);
		u32 whole = n > 0 ? (u32)n & (u32)PAGE_MASK : 0;

		if (n == (ssize_t)len)
			return 0;
		if (n < 0)
			return (int)n;
		if (!whole)
			return -EIO;
		pos += whole;
		pages += whole / PAGE_SIZE;
		len -= whole;
	}
	return 0;
}

/* A file without a name that was cut and grew again: what lies between must read as zeroes. */
static int zero_gap(struct inode *i, struct p9_fid *f, u64 pos)
{
	struct p9_inode *pi = p9_i(i);

	while (pi->host_end < pos) {
		u32 len = (u32)MIN(pos - pi->host_end, (u64)PAGE_SIZE);
		ssize_t n = p9_write(f, pi->host_end, page_address(zero_page), len);

		if (n <= 0)
			return n ? (int)n : -EIO;
		pi->host_end += (u64)n;
	}
	return 0;
}

static int write_file(struct inode *i, struct p9_fid *f, u64 pos, struct page **pages, u32 len)
{
	struct p9_inode *pi = p9_i(i);
	int err = i->nlink ? 0 : zero_gap(i, f, pos);

	if (!err)
		err = write_run(f, pos, pages, len);
	if (!err && !i->nlink)
		pi->host_end = MAX(pi->host_end, pos + len);
	pi->version_known = false;
	p9_changed(i);
	return err;
}

static int write_pages(struct mapping *m, struct page **pages, u32 nr)
{
	struct inode *i = m->host;
	u64 pos = pages[0]->index << PAGE_SHIFT, size = READ_ONCE(i->size);
	struct p9_fid *f;
	int err;

	if (pos >= size)
		return 0;
	f = p9_data_fid(i);
	if (!f)
		return i->nlink ? -EIO : 0; /* nobody can read it any more */
	err = write_file(i, f, pos, pages, (u32)MIN((u64)nr * PAGE_SIZE, size - pos));
	p9_fid_put(f);
	return err;
}

static int send_mtime(struct inode *i, struct p9_fid *f)
{
	struct p9_setattr a = {.valid = P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET};

	spin_lock(&i->spin);
	a.mtime_sec = i->mtime.tv_sec;
	a.mtime_nsec = (u32)i->mtime.tv_nsec;
	spin_unlock(&i->spin);
	return p9_setattr(f, &a);
}

/*
 * Writing has stamped the host's file with the host's time: it gets the time of the change. What the
 * server says then is what our own writing has made of the file; changes after that are others'.
 */
static int written(struct mapping *m)
{
	struct inode *i = m->host;
	struct p9_inode *pi = p9_i(i);
	struct p9_fid *f = i->nlink ? p9_data_fid(i) : NULL;
	struct p9_attr now;
	int err;

	if (!f)
		return 0;
	err = send_mtime(i, f);
	if (!err && !p9_getattr(f, &now)) {
		WRITE_ONCE(i->blocks, now.blocks);
		pi->version = now.qid.version;
		pi->version_known = true;
	}
	p9_changed(i);
	p9_fid_put(f);
	return err == -ENOENT ? 0 : err; /* the host has removed it */
}

const struct mapping_ops p9_data_ops = {
	.read_page = read_page,
	.read_pages = read_pages,
	.write_pages = write_pages,
	.written = written,
	.max_io = P9_IO_PAGES,
};

const struct file_ops p9_file_fops = {
	.name = "9p",
	.open = file_open,
	.read = file_read_cached,
	.write = file_write_cached,
	.llseek = file_llseek_generic,
	.mmap = file_mmap_cached,
	.release = file_release,
	.fsync = file_fsync,
};
