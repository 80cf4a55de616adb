/*
 * Names: looking up, making, removing, moving. Every operation goes to the server at once; what it
 * changes in inodes that are known here is done here as well, without asking again.
 *
 * All functions run under the directory's inode lock (both directories' for rename).
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include "internal.h"

static struct p9_name name_of(const struct dentry *d)
{
	return (struct p9_name){d->name.name, d->name.len};
}

/* Walks from parent to name and describes what is there. -ENOENT: nothing. *walk: a fid. */
static int look(struct dentry *parent, const struct p9_name *name, struct p9_attr *a,
		struct p9_fid **walk)
{
	struct p9_fid *dir;
	int err = p9_fid_of(parent, &dir);

	if (err)
		return err;
	err = p9_walk(dir, name, 1, NULL, walk);
	p9_fid_put(dir);
	if (err)
		return err;
	err = p9_getattr(*walk, a);
	if (err)
		p9_fid_put(*walk);
	return err;
}

static int find(struct dentry *d, struct inode **out)
{
	struct p9_name name = name_of(d);
	struct p9_attr a;
	struct p9_fid *walk;
	int err = look(d->parent, &name, &a, &walk);

	return err ? err : p9_inode_find(d->sb, &a, walk, out);
}

/* ---- Names that are not believed for ever (no cache=loose) ---- */

static void name_checked(struct dentry *d)
{
	WRITE_ONCE(d->private, (void *)clock_monotonic());
}

/* Asks the server what has the name now. False: it is not what the dentry says. */
static bool name_check(struct dentry *d)
{
	struct dentry *parent = dentry_parent_get(d);
	struct inode *i = d->inode;
	char text[P9_NAME_MAX];
	struct p9_name name = p9_name_copy(d, text);
	struct p9_fid *walk;
	struct p9_attr a;
	u32 changes = i ? p9_changes(i) : 0;
	int err = look(parent, &name, &a, &walk);
	bool same = i ? !err && a.qid.path == i->ino : err == -ENOENT;

	dentry_put(parent);
	if (!err)
		p9_fid_put(walk);
	if (!err && same)
		p9_inode_refresh(i, &a, changes);
	if (same)
		name_checked(d);
	return same;
}

static bool revalidate(struct dentry *d)
{
	struct inode *i = READ_ONCE(d->inode);
	u64 age = clock_monotonic() - (u64)READ_ONCE(d->private);

	if (age < p9_sb(d->sb)->validity_ns || (i && !READ_ONCE(i->nlink)))
		return true;
	return name_check(d);
}

static const struct dentry_ops revalidated = {.revalidate = revalidate};

static int lookup(struct inode *dir, struct dentry *d)
{
	struct inode *i = NULL;
	int err = find(d, &i);

	if (err && err != -ENOENT)
		return err;
	if (p9_sb(dir->sb)->validity_ns) {
		d->ops = &revalidated;
		name_checked(d);
	}
	dentry_add(d, i);
	return 0;
}

/* ---- Making ---- */

static void dir_changed(struct inode *dir)
{
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	p9_changed(dir);
}

/* The group and mode bits that an object gets from dir. */
static u32 new_gid(const struct inode *dir)
{
	return dir->mode & S_ISGID ? dir->gid : current->cred->fsgid;
}

/*
 * The server has made d's object: its inode. The attributes are those asked for, unless the server
 * does not obey or made the object in root's name: then they are put right, or asked for. open (may be
 * NULL) is the open file that creation leaves behind; consumed.
 */
static int made(struct inode *dir, struct dentry *d, const struct p9_qid *qid, u32 mode, u64 rdev,
		const char *link, struct p9_fid *open)
{
	struct inode *i;
	int err;

	dir_changed(dir);
	if (p9_sb(dir->sb)->squash) {
		err = find(d, &i);
		if (err) {
			p9_fid_put(open);
			return err;
		}
		if (open)
			p9_fid_opened(i, open);
		dentry_instantiate(d, i);
		return 0;
	}
	err = p9_inode_new(dir, qid, mode, rdev, link, &i);
	if (err) {
		dentry_drop(d); /* it exists, but not here */
		p9_fid_put(open);
		return err;
	}
	if (open)
		p9_fid_opened(i, open);
	dentry_instantiate(d, i);
	if (i->uid) {
		struct iattr owner = {.valid = ATTR_UID | ATTR_GID, .uid = i->uid, .gid = i->gid};

		if (S_ISREG(mode) || S_ISDIR(mode)) {
			owner.valid |= ATTR_MODE; /* chown has taken set-id bits away */
			owner.mode = i->mode;
		}
		return p9_setattr_op(d, &owner);
	}
	return 0;
}

static int create(struct inode *dir, struct dentry *d, u32 mode)
{
	struct p9_name name = name_of(d);
	struct p9_fid *parent, *f;
	struct p9_qid qid;
	int err = p9_fid_of(d->parent, &parent);

	if (err)
		return err;
	err = p9_walk(parent, NULL, 0, NULL, &f);
	p9_fid_put(parent);
	if (err)
		return err;
	err = p9_create(f, &name, O_CREAT | O_EXCL | O_RDWR | O_LARGEFILE, MAY_READ | MAY_WRITE,
			mode & S_IALLUGO, new_gid(dir), &qid);
	if (err) {
		p9_fid_put(f);
		return err;
	}
	return made(dir, d, &qid, mode, 0, NULL, f);
}

static int mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
	struct p9_name name = name_of(d);
	struct p9_fid *parent;
	struct p9_qid qid;
	int err = p9_fid_of(d->parent, &parent);

	if (err)
		return err;
	if (dir->mode & S_ISGID)
		mode |= S_ISGID;
	err = p9_mkdir(parent, &name, mode & S_IALLUGO, new_gid(dir), &qid);
	p9_fid_put(parent);
	if (err)
		return err;
	inode_add_link(dir);
	return made(dir, d, &qid, mode, 0, NULL, NULL);
}

static int mknod(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
	struct p9_name name = name_of(d);
	struct p9_fid *parent;
	struct p9_qid qid;
	int err = p9_fid_of(d->parent, &parent);

	if (err)
		return err;
	err = p9_mknod(parent, &name, mode, rdev, new_gid(dir), &qid);
	p9_fid_put(parent);
	return err ? err : made(dir, d, &qid, mode, rdev, NULL, NULL);
}

static int symlink(struct inode *dir, struct dentry *d, const char *target)
{
	struct p9_name name = name_of(d);
	struct p9_fid *parent;
	struct p9_qid qid;
	int err = p9_fid_of(d->parent, &parent);

	if (err)
		return err;
	err = p9_symlink(parent, &name, target, new_gid(dir), &qid);
	p9_fid_put(parent);
	return err ? err : made(dir, d, &qid, S_IFLNK | 0777, 0, target, NULL);
}

static int link(struct dentry *old, struct inode *dir, struct dentry *d)
{
	struct p9_name name = name_of(d);
	struct p9_fid *parent, *f;
	int err = p9_fid_of(d->parent, &parent);

	if (err)
		return err;
	err = p9_fid_any(old, &f);
	if (!err) {
		err = p9_link(parent, f, &name);
		p9_fid_put(f);
	}
	p9_fid_put(parent);
	if (err)
		return err;
	inode_get(old->inode);
	inode_add_link(old->inode);
	p9_changed(old->inode);
	dir_changed(dir);
	dentry_instantiate(d, old->inode);
	return 0;
}

/* ---- Removing ---- */

/* i has lost a name, perhaps its last. */
static void lost_name(struct inode *i)
{
	struct p9_inode *pi = p9_i(i);

	mutex_lock(&i->mapping.write_lock); /* who writes the file sees both or neither */
	if (i->nlink == 1)
		pi->host_end = i->size;
	inode_drop_link(i);
	mutex_unlock(&i->mapping.write_lock);
	p9_changed(i);
	p9_fid_lost_name(i);
	if (!i->nlink)
		p9_inode_unhash(i);
}

static void lost_dir(struct inode *dir, struct inode *i)
{
	if (i->nlink > 1)
		inode_drop_link(i);
	lost_name(i);
	if (dir->nlink > 2)
		inode_drop_link(dir);
}

static int remove(struct dentry *d, bool is_dir)
{
	struct p9_name name = name_of(d);
	struct p9_fid *parent;
	int err = p9_fid_of(d->parent, &parent);

	if (err)
		return err;
	err = p9_unlink(parent, &name, is_dir);
	p9_fid_put(parent);
	return err;
}

static int unlink(struct inode *dir, struct dentry *d)
{
	int err = remove(d, false);

	if (err)
		return err;
	lost_name(d->inode);
	dir_changed(dir);
	return 0;
}

static int rmdir(struct inode *dir, struct dentry *d)
{
	int err = remove(d, true);

	if (err)
		return err;
	lost_dir(dir, d->inode);
	dir_changed(dir);
	return 0;
}

/* ---- Moving ---- */

static int move(struct dentry *old, struct dentry *new)
{
	struct p9_name from = name_of(old), to = name_of(new);
	struct p9_fid *old_dir, *new_dir;
	int err = p9_fid_of(old->parent, &old_dir);

	if (err)
		return err;
	err = p9_fid_of(new->parent, &new_dir);
	if (!err) {
		err = p9_rename(old_dir, &from, new_dir, &to);
		p9_fid_put(new_dir);
	}
	p9_fid_put(old_dir);
	return err;
}

/* The caller has seen to RENAME_NOREPLACE: the guest is the one who makes names. */
static int rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
		  struct dentry *new, u32 flags)
{
	bool is_dir = inode_is_dir(old->inode);
	int err = flags & ~(u32)RENAME_NOREPLACE ? -EINVAL : move(old, new);

	if (err)
		return err;
	if (new->inode && is_dir)
		lost_dir(new_dir, new->inode);
	else if (new->inode)
		lost_name(new->inode);
	if (is_dir && old_dir != new_dir) {
		if (old_dir->nlink > 2)
			inode_drop_link(old_dir);
		inode_add_link(new_dir);
	}
	dir_changed(old_dir);
	dir_changed(new_dir);
	inode_touch(old->inode, ATTR_CTIME);
	return 0;
}

const struct inode_ops p9_dir_iops = {
	.lookup = lookup,
	.create = create,
	.link = link,
	.unlink = unlink,
	.symlink = symlink,
	.mkdir = mkdir,
	.rmdir = rmdir,
	.mknod = mknod,
	.rename = rename,
	.getattr = p9_getattr_op,
	.setattr = p9_setattr_op,
	.getxattr = p9_getxattr,
	.setxattr = p9_setxattr,
	.listxattr = p9_listxattr,
};
