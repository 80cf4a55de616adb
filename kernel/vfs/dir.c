/*
 * Reading directories: getdents64 and getdents.
 *
 * The file system emits entries while its directory is locked shared. They are packed into a
 * kernel buffer of bounded size and copied out after the lock is dropped, because a user copy may
 * fault and fault handling may want other inodes. An entry's d_off is the position of the next one.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <vfs/file.h>
#include <vfs/notify.h>

#include "internal.h"

#define DIR_BUFFER_MAX 32768u
#define DIRENT_HEADER  19u /* d_ino, d_off, d_reclen, d_type of struct linux_dirent64 */
#define DIRENT_OLD_HEADER 18u /* d_ino, d_off, d_reclen of struct linux_dirent */

struct dir_buffer {
	struct dir_context ctx;
	char *data;
	u32 size, used;
	s64 *last_off; /* d_off of the last entry: known when the next one comes */
	bool old;      /* struct linux_dirent: type behind the name */
	bool overflow; /* the first entry does not fit */
};

static u32 entry_size(const struct dir_buffer *b, u32 len)
{
	/* Old layout: name, NUL, type. New one: name, NUL. */
	return ALIGN_UP((b->old ? DIRENT_OLD_HEADER + len + 2 : DIRENT_HEADER + len + 1), 8u);
}

static bool dir_pack(struct dir_context *ctx, const char *name, u32 len, loff_t pos, u64 ino,
		     u32 type)
{
	struct dir_buffer *b = container_of(ctx, struct dir_buffer, ctx);
	u32 size = entry_size(b, len);
	char *e = b->data + b->used;
	u16 reclen = (u16)size;

	if (size > b->size - b->used) {
		b->overflow = !b->used;
		return false;
	}
	if (b->last_off)
		*b->last_off = pos;
	memset(e + size - 8, 0, 8); /* padding */
	memcpy(e, &ino, 8);
	b->last_off = (s64 *)(e + 8);
	memcpy(e + 16, &reclen, 2);
	if (b->old) {
		memcpy(e + DIRENT_OLD_HEADER, name, len);
		e[DIRENT_OLD_HEADER + len] = '\0';
		e[size - 1] = (char)type;
	} else {
		e[18] = (char)type;
		memcpy(e + DIRENT_HEADER, name, len);
		e[DIRENT_HEADER + len] = '\0';
	}
	b->used += size;
	return true;
}

bool dir_emit_dots(struct file *f, struct dir_context *ctx)
{
	if (ctx->pos == 0) {
		if (!dir_emit(ctx, ".", 1, f->inode->ino, DT_DIR))
			return false;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		struct dentry *parent = dentry_parent_get(f->path.dentry);
		bool ok = dir_emit(ctx, "..", 2, parent->inode ? parent->inode->ino : 0, DT_DIR);

		dentry_put(parent);
		if (!ok)
			return false;
		ctx->pos = 2;
	}
	return true;
}

static int dir_read(struct file *f, struct dir_buffer *b)
{
	struct inode *i = f->inode;
	int err;

	rwsem_read_lock(&i->lock);
	if (READ_ONCE(i->flags) & INODE_DEAD)
		err = -ENOENT;
	else
		err = f->ops->readdir(f, &b->ctx);
	rwsem_read_unlock(&i->lock);
	return err;
}

static long dir_fill(struct file *f, struct dir_buffer *b, struct user_bytes buf)
{
	int err;

	if (!f->ops->readdir)
		return -ENOTDIR;
	b->ctx.pos = f->pos;
	err = dir_read(f, b);
	path_accessed(&f->path);
	notify_file(f, IN_ACCESS);
	if (b->used) {
		*b->last_off = b->ctx.pos;
		if (user_write_bytes(buf, b->data, b->used))
			return -EFAULT;
	}
	f->pos = b->ctx.pos;
	if (err)
		return err;
	return b->overflow ? -EINVAL : (long)b->used;
}

static long dir_call(int fd, struct user_bytes buf, u32 count, bool old)
{
	struct dir_buffer b = {.ctx.emit = dir_pack, .old = old, .size = MIN(count, DIR_BUFFER_MAX)};
	struct fd f = fd_get_pos(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	b.data = kmalloc(MAX(b.size, 16u), GFP_KERNEL);
	ret = b.data ? dir_fill(f.file, &b, buf) : -ENOMEM;
	kfree(b.data);
	fd_put(f);
	return ret;
}

long sys_getdents64(int fd, struct user_bytes buf, u32 count)
{
	return dir_call(fd, buf, count, false);
}

long sys_getdents(int fd, struct user_bytes buf, u32 count)
{
	return dir_call(fd, buf, count, true);
}
