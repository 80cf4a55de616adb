/*
 * Opening files: open, openat, openat2, creat, and the kernel's own opens.
 *
 * Decoding the flags, finding or making the object, and the open proper are separate steps; the
 * last one is shared by all callers. Nothing is locked while an object is opened.
 */
#include <lib/errno.h>
#include <lib/errseq.h>
#include <lib/format.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <syscall/table.h>
#include <vfs/acl.h>
#include <vfs/file_alloc.h>
#include <vfs/locks.h>
#include <vfs/notify.h>

#include "internal.h"
#include "mount_internal.h"
#include "walk.h"

#ifndef O_TMPFILE
#define O_TMPFILE (__O_TMPFILE | O_DIRECTORY)
#endif
#define OPEN_HOW_SIZE_VER0 24
#define OPEN_FLAGS                                                                                 \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC |     \
	 __O_SYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |       \
	 O_CLOEXEC | O_PATH | __O_TMPFILE)
#define OPEN_PATH_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)

/* A decoded request to open. */
struct open_req {
	u32 flags;  /* O_* */
	u32 mode;   /* of a file to be made */
	u32 access; /* MAY_* */
	u32 lookup; /* LOOKUP_* */
};

/* ---- Flags ---- */

static u32 access_of(u32 flags)
{
	static const u8 by_mode[4] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
				      MAY_READ | MAY_WRITE};

	return by_mode[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
}

static int resolve_flags(u64 resolve, u32 *lookup)
{
	if (resolve & ~(u64)(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
			     RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED))
		return -EINVAL;
	if ((resolve & RESOLVE_BENEATH) && (resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	*lookup |= (resolve & RESOLVE_NO_XDEV ? LOOKUP_NO_XDEV : 0) |
		   (resolve & RESOLVE_NO_MAGICLINKS ? LOOKUP_NO_MAGICLINKS : 0) |
		   (resolve & RESOLVE_NO_SYMLINKS ? LOOKUP_NO_SYMLINKS | LOOKUP_NO_MAGICLINKS : 0) |
		   (resolve & RESOLVE_BENEATH ? LOOKUP_BENEATH : 0) |
		   (resolve & RESOLVE_IN_ROOT ? LOOKUP_IN_ROOT : 0) |
		   (resolve & RESOLVE_CACHED ? LOOKUP_CACHED : 0);
	return 0;
}

/* strict: openat2, which refuses what open(2) ignores. */
static int open_decode(u64 flags, u64 mode, u64 resolve, bool strict, struct open_req *r)
{
	bool makes = flags & (O_CREAT | __O_TMPFILE);

	if (strict && ((flags & ~(u64)OPEN_FLAGS) || (mode && !makes) || (mode & ~(u64)S_IALLUGO)))
		return -EINVAL;
	if (strict && (flags & O_PATH) && (flags & ~(u64)OPEN_PATH_FLAGS))
		return -EINVAL;
	*r = (struct open_req){.flags = (u32)flags & OPEN_FLAGS};
	r->mode = makes ? (u32)mode & S_IALLUGO : 0;
	if (r->flags & __O_TMPFILE) {
		if ((r->flags & O_TMPFILE) != O_TMPFILE || (r->flags & O_CREAT) ||
		    !(access_of(r->flags & O_ACCMODE) & MAY_WRITE))
			return -EINVAL;
	} else if (r->flags & O_PATH) {
		r->flags &= OPEN_PATH_FLAGS;
	} else if ((r->flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT)) {
		return -EINVAL;
	}
	if ((resolve & RESOLVE_CACHED) && (r->flags & (O_TRUNC | O_CREAT | __O_TMPFILE)))
		return -EAGAIN;
	if (r->flags & __O_SYNC)
		r->flags |= O_DSYNC;
	r->access = r->flags & O_PATH ? 0 : access_of(r->flags);
	r->lookup = (r->flags & O_DIRECTORY ? LOOKUP_DIRECTORY : 0) |
		    (r->flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW);
	return resolve_flags(resolve, &r->lookup);
}

/* ---- The open proper ---- */

/* Kind, mount and permission checks; may drop O_TRUNC where it means nothing. */
static int may_open(const struct path *p, struct open_req *r)
{
	struct inode *i = p->dentry->inode;
	u32 mode = READ_ONCE(i->mode);
	int err;

	switch (mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		if (r->access & MAY_WRITE)
			return -EISDIR;
		if (r->access & MAY_EXEC)
			return -EACCES;
		break;
	case S_IFREG:
		if ((r->access & MAY_EXEC) && (READ_ONCE(p->mnt->flags) & MNT_NOEXEC))
			return -EACCES;
		break;
	default:
		if (r->access & MAY_EXEC)
			return -EACCES;
		if ((S_ISCHR(mode) || S_ISBLK(mode)) && (READ_ONCE(p->mnt->flags) & MNT_NODEV))
			return -EACCES;
		r->flags &= ~(u32)O_TRUNC;
	}
	err = inode_permission(i, r->access);
	if (err)
		return err;
	if (READ_ONCE(i->flags) & INODE_APPEND) {
		bool writes = (r->flags & O_ACCMODE) != O_RDONLY;

		if ((writes && !(r->flags & O_APPEND)) || (r->flags & O_TRUNC))
			return -EPERM;
	}
	if ((r->flags & O_NOATIME) && !inode_owner_or_capable(i))
		return -EPERM;
	return 0;
}

/* Counts f as a writer of its inode and mount. */
static int file_take_write(struct file *f)
{
	struct mount *m = f->path.mnt;
	int err;

	/* Counted before the mount is looked at: remounting read-only looks the other way round. */
	__atomic_fetch_add(&m->writers.v, 1, __ATOMIC_SEQ_CST);
	err = mount_want_write(m);
	if (!err)
		err = inode_get_write(f->inode);
	if (err)
		atomic_dec(&m->writers);
	else
		f->mode |= FMODE_WROTE;
	return err;
}

void file_drop_write(struct file *f)
{
	inode_put_write(f->inode);
	atomic_dec(&f->path.mnt->writers);
	f->mode &= ~(u32)FMODE_WROTE;
}

/* Counts f as one that only reads; leases ask for those. */
static void file_take_read(struct file *f)
{
	if (!(f->mode & FMODE_READ))
		return;
	atomic_inc(&f->inode->read_count);
	f->mode |= FMODE_READER;
}

static int file_truncate(struct file *f)
{
	struct iattr attr = {.valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME | ATTR_KILL_PRIV |
				       ATTR_FILE};
	bool counted = f->mode & FMODE_WROTE;
	int err = 0;

	if (!counted)
		err = inode_get_write(f->inode);
	if (err)
		return err;
	err = path_setattr(&f->path, &attr);
	if (!counted)
		inode_put_write(f->inode);
	return err;
}

/* p has been checked. Consumes nothing. */
static int file_open_checked(const struct path *p, const struct open_req *r, struct file **out)
{
	struct inode *i = p->dentry->inode;
	struct file *f;
	int err = file_alloc(p, r->flags, &f);

	if (err)
		return err;
	if (r->flags & O_PATH) {
		*out = f;
		return 0;
	}
	if (inode_is_reg(i) && (f->mode & FMODE_WRITE))
		err = file_take_write(f);
	else if (inode_is_reg(i) && (r->flags & O_TRUNC))
		err = mount_want_write(p->mnt);
	if (!err && inode_is_reg(i)) {
		if (!(f->mode & FMODE_WRITE))
			file_take_read(f);
		err = lease_break(i, f->flags);
	}
	f->flags |= r->flags & O_EXCL;
	if (!err && f->ops->open)
		err = f->ops->open(i, f);
	f->flags &= ~(u32)(O_NOCTTY | O_EXCL); /* terminals, disks looked at them; F_GETFL does not show them */
	f->error_seen = errseq_sample(&f->inode->mapping.write_error);
	if (err) {
		file_free(f);
		return err;
	}
	if (f->flags & O_DIRECT && !(f->mode & FMODE_CAN_DIRECT))
		err = -EINVAL;
	else if (r->flags & O_TRUNC)
		err = file_truncate(f);
	if (err) {
		file_put(f);
		return err;
	}
	notify_file(f, IN_OPEN);
	*out = f;
	return 0;
}

static int open_existing(const struct path *p, struct open_req *r, struct file **out)
{
	int err = r->flags & O_PATH ? 0 : may_open(p, r);

	return err ? err : file_open_checked(p, r, out);
}

int file_open_path(const struct path *p, u32 flags, struct file **out)
{
	struct open_req r;
	int err = open_decode(flags & ~(u32)(O_CREAT | O_EXCL), 0, 0, false, &r);

	if (err)
		return err;
	if ((r.lookup & LOOKUP_DIRECTORY) && !inode_is_dir(p->dentry->inode))
		return -ENOTDIR;
	return open_existing(p, &r, out);
}

/* ---- O_CREAT ---- */

/* protected_fifos, protected_regular: no O_CREAT open of what others put in a sticky directory. */
static int check_sticky_create(const struct inode *dir, const struct inode *i)
{
	u32 dir_mode = READ_ONCE(dir->mode), level;

	if (inode_is_fifo(i))
		level = READ_ONCE(protected_fifos);
	else if (inode_is_reg(i))
		level = READ_ONCE(protected_regular);
	else
		return 0;
	if (!level || !(dir_mode & S_ISVTX) || i->uid == dir->uid ||
	    i->uid == current->cred->fsuid)
		return 0;
	return (dir_mode & S_IWOTH) || ((dir_mode & S_IWGRP) && level >= 2) ? -EACCES : 0;
}

/* The directory is locked exclusively; d is negative. */
static int create_locked(struct walk *w, struct open_req *r, struct dentry *d)
{
	struct inode *dir = w->inode;
	int err = mount_want_write(w->path.mnt);

	if (!err)
		err = may_create(dir, d);
	if (err)
		return err;
	if (!dir->ops->create)
		return -EACCES;
	err = dir->ops->create(dir, d, new_object_mode(dir, r->mode) | S_IFREG);
	if (!err) {
		/* Whoever makes the file may use it, whatever its mode says. */
		r->access = 0;
		r->flags &= ~(u32)(O_TRUNC | O_EXCL);
		notify_name(dir, IN_CREATE, &d->name);
	}
	return err;
}

static int find_or_create(struct walk *w, struct open_req *r, struct dentry **out, bool *created)
{
	struct dentry *dir = w->path.dentry, *d;
	int err;

	d = dentry_lookup(dir, &w->last.name);
	if (d && d->inode && !(d->ops && d->ops->revalidate)) {
		*out = d;
		return 0;
	}
	dentry_put(d);
	rwsem_write_lock(&w->inode->lock);
	err = child_lookup_locked(dir, &w->last.name, &d);
	if (!err && !d->inode) {
		err = create_locked(w, r, d);
		*created = !err;
		if (err)
			dentry_put(d);
	}
	rwsem_write_unlock(&w->inode->lock);
	*out = d;
	return err;
}

/*
 * Where a LOOKUP_PARENT walk stopped: makes w->path the object to open. 0, -errno, or 1: the walk
 * is to go on through the symlink *link.
 */
static int create_last(struct walk *w, struct open_req *r, struct dentry **link)
{
	struct inode *dir = w->inode;
	bool created = false;
	struct dentry *d;
	int err;

	if (w->last.type != LAST_NORM)
		return walk_last_dots(w);
	if (w->last.trailing_slash)
		return -EISDIR;
	if (w->last.name.len > NAME_MAX)
		return -ENAMETOOLONG;
	err = find_or_create(w, r, &d, &created);
	if (err)
		return err;
	if (created)
		return walk_enter(w, d);
	if ((r->flags & O_EXCL) || READ_ONCE(d->inode) == NULL) {
		err = d->inode ? -EEXIST : -ENOENT;
		dentry_put(d);
		return err;
	}
	if (inode_is_lnk(d->inode) && (r->lookup & LOOKUP_FOLLOW)) {
		*link = d;
		return 1;
	}
	err = check_sticky_create(dir, d->inode);
	if (err) {
		dentry_put(d);
		return err;
	}
	return walk_enter(w, d);
}

static int create_finish(struct walk *w, struct open_req *r, struct file **out)
{
	/* Left over from O_CREAT|O_EXCL on "." and the like: something that exists. */
	if (r->flags & O_EXCL)
		return -EEXIST;
	if (inode_is_dir(w->inode))
		return -EISDIR;
	return open_existing(&w->path, r, out);
}

static int open_create(int dirfd, const char *name, struct open_req *r, struct file **out)
{
	struct dentry *link = NULL;
	struct walk w __uninit;
	int err = walk_path(&w, dirfd, name, r->lookup | LOOKUP_PARENT | LOOKUP_CREATE);

	if (err)
		return err;
	while ((err = create_last(&w, r, &link)) > 0) {
		err = walk_follow_last(&w, link);
		if (err)
			return err;
	}
	if (!err)
		err = create_finish(&w, r, out);
	walk_end(&w, false);
	return err;
}

/* ---- O_TMPFILE ---- */

/* The name that /proc shows: "#inode". The dentry is not hashed, so nobody reads it yet. */
static void tmpfile_name(struct dentry *d)
{
	spin_lock(&d->lock);
	d->name.len = (u32)format(d->name_inline, DNAME_INLINE, "#%llu", d->inode->ino);
	spin_unlock(&d->lock);
}

static int tmpfile_make(const struct path *dir, const struct open_req *r, struct dentry **out)
{
	struct inode *i = dir->dentry->inode;
	struct qstr name = {.name = "#", .len = 1};
	int err = mount_want_write(dir->mnt);

	if (!err)
		err = inode_permission(i, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if (!i->ops->tmpfile)
		return -EOPNOTSUPP;
	*out = dentry_alloc(dir->dentry, &name);
	if (!*out)
		return -ENOMEM;
	rwsem_write_lock(&i->lock);
	err = i->ops->tmpfile(i, *out, new_object_mode(i, r->mode) | S_IFREG);
	rwsem_write_unlock(&i->lock);
	if (err) {
		dentry_put(*out);
		return err;
	}
	tmpfile_name(*out);
	if (!(r->flags & O_EXCL))
		(*out)->inode->flags |= INODE_LINKABLE;
	return 0;
}

static int open_tmpfile(int dirfd, const char *name, struct open_req *r, struct file **out)
{
	struct path p;
	struct dentry *d;
	int err = path_lookup(dirfd, name, r->lookup | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	err = tmpfile_make(&p, r, &d);
	if (!err) {
		struct path made = {.mnt = p.mnt, .dentry = d};

		r->access = 0;
		r->flags &= ~(u32)(O_TRUNC | O_EXCL);
		err = open_existing(&made, r, out);
		dentry_put(d);
	}
	path_put(&p);
	return err;
}

/* ---- Callers ---- */

static int open_request(int dirfd, const char *name, struct open_req *r, struct file **out)
{
	struct path p;
	int err;

	if (r->flags & O_CREAT)
		return open_create(dirfd, name, r, out);
	if (r->flags & __O_TMPFILE)
		return open_tmpfile(dirfd, name, r, out);
	err = path_lookup(dirfd, name, r->lookup, &p);
	if (err)
		return err;
	err = open_existing(&p, r, out);
	path_put(&p);
	return err;
}

int file_open_at(int dirfd, const char *name, u32 flags, u32 mode, u32 lookup_flags,
		 struct file **out)
{
	struct open_req r;
	int err = open_decode(flags, mode, 0, false, &r);

	if (err)
		return err;
	r.lookup |= lookup_flags;
	return open_request(dirfd, name, &r, out);
}

int file_open_exec(int dirfd, const char *name, u32 lookup_flags, struct file **out)
{
	struct open_req r = {.flags = O_RDONLY | O_LARGEFILE, .access = MAY_EXEC};
	struct path p;
	int err = path_lookup(dirfd, name, lookup_flags, &p);

	if (err)
		return err;
	err = open_existing(&p, &r, out);
	path_put(&p);
	if (err)
		return err;
	err = S_ISREG((*out)->inode->mode) ? inode_deny_write((*out)->inode) : -EACCES;
	if (err) {
		file_put(*out);
		return err;
	}
	(*out)->mode |= FMODE_EXEC;
	return 0;
}

void file_get_exec(struct file *f)
{
	/* Cannot fail: the caller's own denial keeps writers out. */
	(void)!inode_deny_write(f->inode);
	file_get(f);
}

void file_put_exec(struct file *f)
{
	inode_allow_write(f->inode);
	file_put(f);
}

static long open_user(int dirfd, struct user_str path, struct open_req *r)
{
	struct filename name __uninit;
	struct file *f;
	int err, fd;

	err = filename_get(&name, path, 0);
	if (err)
		return err;
	err = fd_reserve(0, r->flags & O_CLOEXEC, &fd);
	if (!err) {
		err = open_request(dirfd, name.name, r, &f);
		if (err)
			fd_release(fd);
		else
			fd_install(fd, f);
	}
	filename_put(&name);
	return err ? err : fd;
}

long sys_openat(int dirfd, struct user_str path, u32 flags, u32 mode)
{
	struct open_req r;
	int err = open_decode(flags | O_LARGEFILE, mode, 0, false, &r);

	return err ? err : open_user(dirfd, path, &r);
}

long sys_open(struct user_str path, u32 flags, u32 mode)
{
	return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(struct user_str path, u32 mode)
{
	return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

long sys_openat2(int dirfd, struct user_str path, struct user_bytes how, u64 size)
{
	struct open_how h;
	struct open_req r;
	int err;

	if (size < OPEN_HOW_SIZE_VER0)
		return -EINVAL;
	if (size > 4096)
		return -E2BIG;
	err = user_read_sized(&h, sizeof(h), how, size);
	if (!err)
		err = open_decode(h.flags, h.mode, h.resolve, true, &r);
	return err ? err : open_user(dirfd, path, &r);
}
