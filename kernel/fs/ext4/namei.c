/*
 * Operations on names. Each is one handle, so that after a crash it has happened as a whole or not at
 * all: an object is never without its name, a rename never leaves two or none.
 *
 * The VFS holds the locks of the directories and of the inode that loses a name. What fails before
 * the first change leaves nothing; a later failure means that the image or the journal is broken.
 */
#include <lib/hash.h>
#include <lib/string.h>
#include <linux/fs.h>
#include <vfs/acl.h>
#include "internal.h"

#define CREDITS_MAKE (CREDITS_DIR + CREDITS_INODE_NEW + CREDITS_MAP + CREDITS_XATTR +               \
		      3 * CREDITS_INODE + CREDITS_ORPHAN)
#define CREDITS_REMOVE (CREDITS_DIR + 3 * CREDITS_INODE + CREDITS_ORPHAN)
#define CREDITS_RENAME (2 * CREDITS_DIR + 6 * CREDITS_INODE + CREDITS_ORPHAN)

static struct ext4_name name_of(const struct dentry *d)
{
	return (struct ext4_name){d->name.name, d->name.len};
}

/* Ends an operation; synchronous directories wait for it. */
static int finish(struct ext4_handle *h, const struct inode *dir, int err)
{
	struct ext4_fs *fs = h->fs;
	u32 tid = ext4_handle_tid(h);
	bool sync = READ_ONCE(fs->sb->flags) & (MS_SYNCHRONOUS | MS_DIRSYNC) ||
		    ext4_i(dir)->flags & (EXT4_SYNC_FL | 0x10000 /* DIRSYNC */);

	ext4_stop(h);
	if (!err && sync)
		err = ext4_sync_tid(fs, tid);
	return err;
}

/* ---- One name per directory ---- */

/*
 * The image may give a directory several names, which would let it be its own ancestor and wait for
 * its own lock. A directory in memory is known under one; others are refused.
 */
static u64 place_of(const struct inode *dir, const struct dentry *d)
{
	const u64 key[2] = {dir->ino, 1};

	return hash_bytes(d->name.name, d->name.len, key) | 1;
}

static int claim_place(struct inode *dir, const struct dentry *d, struct inode *i)
{
	u64 none = 0, place = place_of(dir, d);

	if (!inode_is_dir(i))
		return 0;
	if (i->ino != EXT4_ROOT_INO &&
	    (__atomic_compare_exchange_n(&ext4_i(i)->known_as, &none, place, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) || none == place))
		return 0;
	return ext4_corrupt(ext4_fs(dir->sb), i->ino, "a directory has two names");
}

static void move_place(struct inode *dir, const struct dentry *d, struct inode *i)
{
	__atomic_store_n(&ext4_i(i)->known_as, place_of(dir, d), __ATOMIC_SEQ_CST);
}

/* ---- Looking up ---- */

static int lookup_ino(struct inode *dir, const struct dentry *d, u32 *ino)
{
	struct ext4_name name = name_of(d);
	struct ext4_place at;
	int err = ext4_dir_find(dir, &name, &at);

	if (err)
		return err;
	*ino = ext4_place_entry(&at)->inode;
	ext4_buf_put(at.buf);
	return 0;
}

static int lookup(struct inode *dir, struct dentry *d)
{
	struct ext4_fs *fs = ext4_fs(dir->sb);
	struct inode *i = NULL;
	u32 ino;
	int err = lookup_ino(dir, d, &ino);

	if (!err && ino < fs->g.first_ino && ino != EXT4_ROOT_INO)
		err = ext4_corrupt(fs, ino, "a name of a reserved inode");
	if (!err)
		err = ext4_iget(dir->sb, ino, &i);
	if (!err) {
		err = claim_place(dir, d, i);
		if (err)
			inode_put(i);
	}
	if (err && err != -ENOENT)
		return err;
	dentry_add(d, i);
	return 0;
}

/* ---- Making ---- */

struct maker {
	struct ext4_handle h;
	struct inode *dir, *i;
	struct dentry *d;      /* NULL: a nameless file */
	const char *link;
};

static int link_text(struct maker *m)
{
	struct inode *i = m->i;
	struct ext4_ino *ei = ext4_i(i);
	size_t len = strlen(m->link);
	struct ext4_buf *b;
	int err;

	i->size = ei->disk_size = len;
	if (len < sizeof(ei->root)) {
		ei->flags &= ~EXT4_EXTENTS_FL;
		memset(ei->root, 0, sizeof(ei->root));
		memcpy(ei->root, m->link, len);
		ei->link = (char *)ei->root;
		return 0;
	}
	err = ext4_map_new_block(&m->h, i, 0, NULL, &b);
	if (err)
		return err;
	memcpy(b->data, m->link, len);
	ext4_buf_put(b);
	return 0;
}

static int fill(struct maker *m)
{
	struct inode *i = m->i;
	int err = inode_inherit_acl(i, m->dir);

	if (!err && m->link)
		err = link_text(m);
	if (!err && inode_is_dir(i))
		err = ext4_dir_init(&m->h, i, (u32)m->dir->ino);
	if (!err)
		err = ext4_inode_store(&m->h, i);
	if (!err)
		err = ext4_acl_store(&m->h, i);
	return err;
}

static void dir_link_add(struct inode *dir)
{
	if (dir->nlink == 1)
		return; /* too many to count */
	inode_add_link(dir);
	if (dir->nlink > EXT4_LINK_MAX)
		WRITE_ONCE(dir->nlink, 1);
}

static void dir_link_drop(struct inode *dir)
{
	if (dir->nlink > 2)
		inode_drop_link(dir);
	else
		inode_touch(dir, ATTR_CTIME);
}

static int enter(struct maker *m)
{
	struct ext4_name name;
	int err;

	if (!m->d) {
		m->i->nlink = 0;
		err = ext4_orphan_add(&m->h, m->i);
		return err ? err : ext4_inode_store(&m->h, m->i);
	}
	name = name_of(m->d);
	if (inode_is_dir(m->i)) {
		dir_link_add(m->dir);
		move_place(m->dir, m->d, m->i);
	}
	err = ext4_dir_add(&m->h, m->dir, &name, (u32)m->i->ino, m->i->mode);
	if (err && inode_is_dir(m->i))
		dir_link_drop(m->dir);
	return err;
}

/* The inode is not to be: what it has is freed when it is put. */
static void undo(struct maker *m)
{
	m->i->nlink = 0;
	if (ext4_inode_store(&m->h, m->i) || ext4_orphan_add(&m->h, m->i))
		pr_debug("ext4: an inode is lost\n");
}

static int make_inode(struct maker *m, u32 mode, u64 rdev)
{
	u32 ino;
	int err = ext4_inode_new(&m->h, m->dir, mode, &ino);

	if (err)
		return err;
	err = ext4_inode_make(m->dir, ino, mode, rdev, &m->i);
	if (err == -ENOMEM && ext4_inode_free(&m->h, ino, S_ISDIR(mode)))
		err = -EUCLEAN; /* another error: somebody has it, it stays marked */
	return err;
}

static int dir_has_room(const struct inode *dir, u32 mode)
{
	if (!S_ISDIR(mode) || dir->nlink < EXT4_LINK_MAX ||
	    ext4_fs(dir->sb)->g.ro_compat & RO_DIR_NLINK)
		return 0;
	return -EMLINK;
}

static int make(struct inode *dir, struct dentry *d, u32 mode, u64 rdev, const char *link, bool named)
{
	struct maker m = {.dir = dir, .d = named ? d : NULL, .link = link};
	int err = dir_has_room(dir, mode);

	if (link && strlen(link) >= ext4_fs(dir->sb)->g.block_size)
		return -ENAMETOOLONG;
	if (!err)
		err = ext4_start(ext4_fs(dir->sb), &m.h, CREDITS_MAKE);
	if (err)
		return err;
	err = make_inode(&m, mode, rdev);
	if (!err) {
		err = fill(&m);
		if (!err)
			err = enter(&m);
		if (err)
			undo(&m);
	}
	err = finish(&m.h, dir, err);
	if (!err)
		dentry_instantiate(d, m.i);
	else if (m.i)
		inode_put(m.i);
	return err;
}

static int create(struct inode *dir, struct dentry *d, u32 mode)
{
	return make(dir, d, mode, 0, NULL, true);
}

static int mknod(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
	return make(dir, d, mode, rdev, NULL, true);
}

static int symlink(struct inode *dir, struct dentry *d, const char *target)
{
	return make(dir, d, S_IFLNK | 0777, 0, target, true);
}

static int mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
	return make(dir, d, mode, 0, NULL, true);
}

static int tmpfile(struct inode *dir, struct dentry *d, u32 mode)
{
	return make(dir, d, mode, 0, NULL, false);
}

static int link_in(struct ext4_handle *h, struct inode *i, struct inode *dir, const struct dentry *d)
{
	struct ext4_name name = name_of(d);
	int err = ext4_dir_add(h, dir, &name, (u32)i->ino, i->mode);

	if (err)
		return err;
	inode_add_link(i);
	if (i->nlink == 1)
		err = ext4_orphan_del(h, i); /* O_TMPFILE gets its first name */
	return err ? err : ext4_inode_store(h, i);
}

static int link(struct dentry *old, struct inode *dir, struct dentry *d)
{
	struct inode *i = old->inode;
	struct ext4_handle h;
	int err = i->nlink >= EXT4_LINK_MAX ? -EMLINK : 0;

	if (!err)
		err = ext4_start(ext4_fs(dir->sb), &h, CREDITS_REMOVE);
	if (err)
		return err;
	err = finish(&h, dir, link_in(&h, i, dir, d));
	if (!err) {
		inode_get(i);
		dentry_instantiate(d, i);
	}
	return err;
}

/* ---- Removing ---- */

/* The name's entry, which must be i's. */
static int entry_of(struct inode *dir, const struct dentry *d, const struct inode *i,
		    struct ext4_place *at)
{
	struct ext4_name name = name_of(d);
	int err = ext4_dir_find(dir, &name, at);

	if (err)
		return err == -ENOENT ? ext4_corrupt(ext4_fs(dir->sb), dir->ino, "a name is gone")
				      : err;
	if (ext4_place_entry(at)->inode == i->ino)
		return 0;
	ext4_buf_put(at->buf);
	return ext4_corrupt(ext4_fs(dir->sb), dir->ino, "a name has changed its inode");
}

/* i has lost a name, perhaps its last. */
static int lost_name(struct ext4_handle *h, struct inode *i)
{
	int err = 0;

	if (inode_is_dir(i)) {
		WRITE_ONCE(i->nlink, 0);
		inode_touch(i, ATTR_CTIME);
	} else if (i->nlink) {
		inode_drop_link(i);
	}
	if (!i->nlink)
		err = ext4_orphan_add(h, i);
	return err ? err : ext4_inode_store(h, i);
}

static int remove(struct inode *dir, struct dentry *d)
{
	struct inode *i = d->inode;
	struct ext4_place at;
	struct ext4_handle h;
	int err = ext4_start(ext4_fs(dir->sb), &h, CREDITS_REMOVE);

	if (err)
		return err;
	err = entry_of(dir, d, i, &at);
	if (!err) {
		if (inode_is_dir(i))
			dir_link_drop(dir);
		err = ext4_dir_remove(&h, dir, &at);
		ext4_buf_put(at.buf);
		if (!err)
			err = lost_name(&h, i);
	}
	return finish(&h, dir, err);
}

static int unlink(struct inode *dir, struct dentry *d)
{
	return remove(dir, d);
}

static int empty_check(struct inode *i)
{
	bool empty;
	int err = ext4_dir_empty(i, &empty);

	return err || empty ? err : -ENOTEMPTY;
}

static int rmdir(struct inode *dir, struct dentry *d)
{
	int err = empty_check(d->inode);

	return err ? err : remove(dir, d);
}

/* ---- Moving ---- */

/* A directory in its new parent. */
static int set_parent(struct ext4_handle *h, struct inode *i, const struct inode *parent)
{
	struct ext4_place at;
	int err = ext4_dir_parent(i, &at);

	if (err)
		return err;
	err = ext4_dir_set(h, i, &at, (u32)parent->ino, S_IFDIR);
	ext4_buf_put(at.buf);
	return err;
}

static int moved(struct ext4_handle *h, struct inode *i, struct inode *from, struct inode *to,
		 const struct dentry *d)
{
	int err = 0;

	inode_touch(i, ATTR_CTIME);
	if (inode_is_dir(i)) {
		if (from != to)
			err = set_parent(h, i, to);
		move_place(to, d, i);
	}
	return err ? err : ext4_inode_store(h, i);
}

/* The new name gets the inode; what had it loses it. */
static int enter_target(struct ext4_handle *h, struct inode *i, struct inode *dir, struct dentry *d)
{
	struct inode *victim = d->inode;
	struct ext4_name name = name_of(d);
	struct ext4_place at;
	int err;

	if (!victim)
		return ext4_dir_add(h, dir, &name, (u32)i->ino, i->mode);
	err = entry_of(dir, d, victim, &at);
	if (err)
		return err;
	err = ext4_dir_set(h, dir, &at, (u32)i->ino, i->mode);
	ext4_buf_put(at.buf);
	if (!err)
		err = lost_name(h, victim);
	return err;
}

/* whiteout: what the old name stands for afterwards, or NULL. */
static int move(struct ext4_handle *h, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
		struct dentry *new, const struct inode *whiteout)
{
	struct inode *i = old->inode;
	bool is_dir = inode_is_dir(i), had_victim = new->inode;
	struct ext4_place at;
	int err;

	if (is_dir && old_dir != new_dir)
		dir_link_drop(old_dir);
	if (is_dir && old_dir != new_dir && !had_victim)
		dir_link_add(new_dir);
	else if (is_dir && old_dir == new_dir && had_victim)
		dir_link_drop(new_dir);
	err = enter_target(h, i, new_dir, new);
	if (err)
		return err;
	/* Only now: adding may have moved it. */
	err = entry_of(old_dir, old, i, &at);
	if (err)
		return err;
	err = whiteout ? ext4_dir_set(h, old_dir, &at, (u32)whiteout->ino, whiteout->mode)
		       : ext4_dir_remove(h, old_dir, &at);
	ext4_buf_put(at.buf);
	return err ? err : moved(h, i, old_dir, new_dir, new);
}

static int exchange_entries(struct ext4_handle *h, struct inode *a_dir, struct dentry *a,
			    struct inode *b_dir, struct dentry *b)
{
	struct ext4_place at_a, at_b;
	int err = entry_of(a_dir, a, a->inode, &at_a);

	if (err)
		return err;
	err = entry_of(b_dir, b, b->inode, &at_b);
	if (!err) {
		err = ext4_dir_set(h, a_dir, &at_a, (u32)b->inode->ino, b->inode->mode);
		if (!err)
			err = ext4_dir_set(h, b_dir, &at_b, (u32)a->inode->ino, a->inode->mode);
		ext4_buf_put(at_b.buf);
	}
	ext4_buf_put(at_a.buf);
	return err;
}

static int exchange(struct ext4_handle *h, struct inode *a_dir, struct dentry *a, struct inode *b_dir,
		    struct dentry *b)
{
	bool a_is_dir = inode_is_dir(a->inode), b_is_dir = inode_is_dir(b->inode);
	int err;

	if (a_dir != b_dir && a_is_dir != b_is_dir) {
		dir_link_drop(a_is_dir ? a_dir : b_dir);
		dir_link_add(a_is_dir ? b_dir : a_dir);
	}
	err = exchange_entries(h, a_dir, a, b_dir, b);
	if (!err)
		err = moved(h, a->inode, a_dir, b_dir, b);
	return err ? err : moved(h, b->inode, b_dir, a_dir, a);
}

/* The device 0:0, with the name to come. */
static int whiteout_make(struct maker *w)
{
	int err = make_inode(w, S_IFCHR, 0);

	return err ? err : fill(w);
}

static int rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
		  struct dentry *new, u32 flags)
{
	struct maker w = {.dir = old_dir}; /* its handle is the operation's; i: the white-out */
	u32 credits = CREDITS_RENAME;
	int err = 0;

	if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (flags & RENAME_WHITEOUT)
		credits += CREDITS_MAKE;
	if (!(flags & RENAME_EXCHANGE)) {
		if (new->inode && inode_is_dir(new->inode))
			err = empty_check(new->inode);
		else if (!new->inode && old_dir != new_dir)
			err = dir_has_room(new_dir, old->inode->mode);
	}
	if (!err && new->inode && !(flags & RENAME_EXCHANGE))
		ext4_write_promised(old->inode);
	if (!err)
		err = ext4_start(ext4_fs(old_dir->sb), &w.h, credits);
	if (err)
		return err;
	if (flags & RENAME_WHITEOUT)
		err = whiteout_make(&w);
	if (!err)
		err = flags & RENAME_EXCHANGE ? exchange(&w.h, old_dir, old, new_dir, new)
					      : move(&w.h, old_dir, old, new_dir, new, w.i);
	if (err && w.i)
		undo(&w);
	err = finish(&w.h, new_dir, err);
	if (w.i)
		inode_put(w.i);
	return err;
}

/* ---- Directories as files ---- */

static int dir_fsync(struct file *f, bool data_only)
{
	return READ_ONCE(f->inode->sb->flags) & MS_RDONLY ? 0 : ext4_sync_inode(f->inode, false);
}

const struct inode_ops ext4_dir_iops = {
	.lookup = lookup,
	.create = create,
	.link = link,
	.unlink = unlink,
	.symlink = symlink,
	.mkdir = mkdir,
	.rmdir = rmdir,
	.mknod = mknod,
	.tmpfile = tmpfile,
	.rename = rename,
	.getattr = ext4_getattr,
	.setattr = ext4_setattr,
	.getxattr = ext4_getxattr,
	.setxattr = ext4_setxattr,
	.listxattr = ext4_listxattr,
};

const struct file_ops ext4_dir_fops = {
	.name = "ext4-dir",
	.readdir = ext4_readdir,
	.release = ext4_dir_release,
	.llseek = ext4_dir_llseek,
	.fsync = dir_fsync,
	.ioctl = ext4_ioctl,
};
