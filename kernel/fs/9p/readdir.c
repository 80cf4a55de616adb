/*
 * Reading directories. Positions are the server's (offsets that it gives with each entry), so they
 * are as stable as the host's file system makes them. Each open directory has a buffer of entries
 * from the server; a position other than the one behind the buffer's last read starts a new one.
 *
 * An open directory's state is used under the directory's inode lock (shared) by one reader at a time,
 * because sharers of a file position take turns.
 */
#include <lib/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <mm/slab.h>
#include "internal.h"

#define BUFFER_ORDER 3
#define BUFFER_SIZE  ((u32)PAGE_SIZE << BUFFER_ORDER)

struct open_dir {
	struct p9_fid *fid;
	u8 *buffer;            /* BUFFER_SIZE bytes */
	struct p9_reader at;   /* what is left of the entries in it */
	u64 pos;               /* of the entry at `at` */
	bool end;              /* nothing follows the buffer */
};

static int dir_fid_open(struct dentry *d, struct p9_fid **out)
{
	struct p9_fid *walk, *f;
	struct p9_qid qid;
	int err = p9_fid_of(d, &walk);

	if (err)
		return err;
	err = p9_walk(walk, NULL, 0, NULL, &f);
	p9_fid_put(walk);
	if (err)
		return err;
	err = p9_open(f, O_RDONLY | O_DIRECTORY | O_LARGEFILE, MAY_READ, &qid);
	if (err)
		p9_fid_put(f);
	else
		*out = f;
	return err;
}

static int state_make(struct file *f, struct open_dir **out)
{
	struct open_dir *o = f->private;
	int err;

	*out = o;
	if (o)
		return 0;
	o = kzalloc(sizeof(*o), GFP_KERNEL);
	if (!o)
		return -ENOMEM;
	o->buffer = pages_alloc_virt(BUFFER_ORDER, GFP_KERNEL);
	err = o->buffer ? dir_fid_open(f->path.dentry, &o->fid) : -ENOMEM;
	if (err) {
		if (o->buffer)
			pages_free_virt(o->buffer, BUFFER_ORDER);
		kfree(o);
		return err;
	}
	f->private = *out = o;
	return 0;
}

/* Entries from pos on. */
static int fill(struct open_dir *o, u64 pos)
{
	u32 len = MIN(BUFFER_SIZE, o->fid->client->io_max);
	int err = p9_readdir(o->fid, pos, o->buffer, &len);

	o->at = (struct p9_reader){.data = o->buffer, .size = len};
	o->pos = pos;
	o->end = !err && !len;
	return err;
}

/* The number that stat reports for the entry: ".." may be outside of the share. */
static u64 entry_ino(struct file *f, const struct p9_dirent *e)
{
	struct dentry *parent;
	u64 ino;

	if (e->len == 1 && e->name[0] == '.')
		return f->inode->ino;
	if (e->len != 2 || e->name[0] != '.' || e->name[1] != '.')
		return e->qid.path;
	parent = dentry_parent_get(f->path.dentry);
	ino = parent->inode ? parent->inode->ino : e->qid.path;
	dentry_put(parent);
	return ino;
}

/* Emits what the buffer holds. 1: the caller's buffer is full. */
static int emit(struct file *f, struct open_dir *o, struct dir_context *ctx)
{
	struct p9_reader here = o->at;
	struct p9_dirent e;

	while (p9_get_dirent(&o->at, &e)) {
		if (!dir_emit(ctx, e.name, e.len, entry_ino(f, &e), e.type)) {
			o->at = here;
			return 1;
		}
		here = o->at;
		o->pos = e.next;
		ctx->pos = (loff_t)e.next;
	}
	return o->at.bad ? -EIO : 0;
}

static int readdir(struct file *f, struct dir_context *ctx)
{
	struct open_dir *o;
	int err = state_make(f, &o);

	if (!err && (!ctx->pos || (u64)ctx->pos != o->pos))
		err = fill(o, (u64)ctx->pos);
	while (!err && !o->end) {
		err = emit(f, o, ctx);
		if (!err)
			err = fill(o, o->pos);
	}
	return err < 0 ? err : 0;
}

static void release(struct file *f)
{
	struct open_dir *o = f->private;

	if (!o)
		return;
	p9_fid_put(o->fid);
	pages_free_virt(o->buffer, BUFFER_ORDER);
	kfree(o);
}

static loff_t llseek(struct file *f, loff_t off, int whence)
{
	if (whence > SEEK_CUR)
		return -EINVAL;
	return file_llseek_size(f, off, whence, S64_MAX, 0);
}

static int fsync(struct file *f, bool data_only)
{
	struct p9_fid *fid;
	int err = dir_fid_open(f->path.dentry, &fid);

	if (err)
		return err;
	err = p9_fsync(fid, data_only);
	p9_fid_put(fid);
	return err;
}

const struct file_ops p9_dir_fops = {
	.name = "9p-dir",
	.readdir = readdir,
	.release = release,
	.llseek = llseek,
	.fsync = fsync,
};
