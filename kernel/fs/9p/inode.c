/*
 * Inodes of a share: one per object of the server, found by its number (qid.path), so that hard
 * links share one. Attributes.
 *
 * The guest is taken to be the one writer: what it has changed is known here without asking, and
 * times are the guest's own. Attributes are fetched again when they are older than the mount allows
 * (never, by default). The table of inodes is guarded by the super block's lock; an inode leaves it
 * when its last name goes, because the server may then use the number for something else.
 */
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include "internal.h"

/* The kernel form of a device number from the form of stat(2). */
static u64 rdev_decode(u64 dev)
{
	return dev_make((u32)((dev >> 8) & 0xfff), (u32)((dev & 0xff) | ((dev >> 12) & 0xfff00)));
}

static struct hlist_head *bucket_of(const struct p9_super *s, u64 ino)
{
	return &s->buckets[hash_u64(ino, s->bits)];
}

/* With a reference, or NULL. */
static struct inode *table_find(struct p9_super *s, u64 ino)
{
	struct inode *i, *found = NULL;

	spin_lock(&s->lock);
	hlist_for_each(i, bucket_of(s, ino), ino_node)
		if (i->ino == ino && ref_get_unless_zero(&i->ref)) {
			found = i;
			break;
		}
	spin_unlock(&s->lock);
	return found;
}

/* Enters i, or returns the one that was faster (with a reference). */
static struct inode *table_enter(struct p9_super *s, struct inode *i)
{
	struct inode *other, *found = NULL;

	spin_lock(&s->lock);
	hlist_for_each(other, bucket_of(s, i->ino), ino_node)
		if (other->ino == i->ino && ref_get_unless_zero(&other->ref)) {
			found = other;
			break;
		}
	if (!found)
		hlist_add_head(&i->ino_node, bucket_of(s, i->ino));
	spin_unlock(&s->lock);
	return found;
}

void p9_inode_unhash(struct inode *i)
{
	struct p9_super *s = p9_sb(i->sb);

	spin_lock(&s->lock);
	hlist_del(&i->ino_node);
	spin_unlock(&s->lock);
}

static void set_times(struct inode *i, const struct p9_attr *a)
{
	spin_lock(&i->spin);
	i->atime = (struct timespec64){a->atime_sec, a->atime_nsec};
	i->mtime = (struct timespec64){a->mtime_sec, a->mtime_nsec};
	i->ctime = (struct timespec64){a->ctime_sec, a->ctime_nsec};
	spin_unlock(&i->spin);
}

static void set_kind(struct inode *i, u32 mode, u64 rdev)
{
	i->ops = &p9_file_iops;
	if (S_ISREG(mode)) {
		i->fops = &p9_file_fops;
		i->mapping.ops = &p9_data_ops;
	} else if (S_ISDIR(mode)) {
		i->ops = &p9_dir_iops;
		i->fops = &p9_dir_fops;
		i->nlink = 2;
	} else if (S_ISLNK(mode)) {
		i->ops = &p9_link_iops;
	} else {
		inode_init_special(i, mode, rdev);
	}
}

static struct inode *inode_make(struct super_block *sb, const struct p9_qid *qid, u32 mode, u64 rdev,
				char *link)
{
	struct p9_inode *pi = kzalloc(sizeof(*pi), GFP_KERNEL);
	struct inode *i = pi ? inode_alloc(sb, mode) : NULL;

	if (!i) {
		kfree(pi);
		return NULL;
	}
	pi->inode = i;
	mutex_init(&pi->lock, LOCK_RANK_SLEEP_INNER);
	list_init(&pi->walk_node);
	list_init(&pi->open_node);
	pi->version = qid->version;
	pi->checked_ns = clock_monotonic();
	pi->link = link;
	i->private = pi;
	i->ino = qid->path;
	set_kind(i, mode, rdev);
	return i;
}

static struct inode *inode_from_attr(struct super_block *sb, const struct p9_attr *a, char *link)
{
	struct inode *i = inode_make(sb, &a->qid, a->mode, rdev_decode(a->rdev), link);

	if (!i)
		return NULL;
	p9_i(i)->version_known = true;
	i->uid = a->uid;
	i->gid = a->gid;
	i->nlink = (u32)a->nlink;
	i->size = a->size;
	i->blocks = a->blocks;
	set_times(i, a);
	return i;
}

/* A new inode, or the one that somebody else made meanwhile. */
static int find_or_make(struct super_block *sb, const struct p9_attr *a, struct p9_fid *walk,
			struct inode **out)
{
	char *link = NULL;
	struct inode *i, *other;
	int err = S_ISLNK(a->mode) ? p9_readlink(walk, &link) : 0;

	if (err)
		return err;
	i = inode_from_attr(sb, a, link);
	if (!i) {
		kfree(link);
		return -ENOMEM;
	}
	other = table_enter(p9_sb(sb), i);
	if (other)
		inode_put(i);
	*out = other ? other : i;
	return 0;
}

int p9_inode_find(struct super_block *sb, const struct p9_attr *a, struct p9_fid *walk,
		  struct inode **out)
{
	struct inode *i = table_find(p9_sb(sb), a->qid.path);
	int err = 0;

	if (i && ((i->mode ^ a->mode) & S_IFMT)) {
		/* The host has removed it and used the number again. */
		p9_inode_unhash(i);
		inode_put(i);
		i = NULL;
	}
	if (!i)
		err = find_or_make(sb, a, walk, &i);
	if (err) {
		p9_fid_put(walk);
		return err;
	}
	p9_fid_remember(i, walk);
	*out = i;
	return 0;
}

int p9_inode_new(const struct inode *dir, const struct p9_qid *qid, u32 mode, u64 rdev,
		 const char *link, struct inode **out)
{
	char *text = link ? kstrdup(link, GFP_KERNEL) : NULL;
	struct inode *i = link && !text ? NULL : inode_make(dir->sb, qid, mode, rdev, text);
	struct inode *stale;

	if (!i) {
		kfree(text);
		return -ENOMEM;
	}
	inode_init_owner(i, dir, mode);
	if (link)
		i->size = strlen(link);
	/* Who still has the number is an object that the host has removed. */
	while ((stale = table_enter(p9_sb(dir->sb), i))) {
		p9_inode_unhash(stale);
		inode_put(stale);
	}
	*out = i;
	return 0;
}

static void node_free_rcu(struct rcu_head *head)
{
	struct p9_inode *pi = container_of(head, struct p9_inode, rcu);

	kfree(pi->link);
	kfree(pi);
}

void p9_evict(struct inode *i)
{
	if (!i->private)
		return;
	p9_inode_unhash(i);
	p9_fids_drop(i);
	rcu_call(&p9_i(i)->rcu, node_free_rcu); /* a walk may be reading the link's text */
}

/* ---- Attributes ---- */

static void refresh_locked(struct inode *i, const struct p9_attr *a)
{
	struct p9_inode *pi = p9_i(i);

	WRITE_ONCE(pi->checked_ns, clock_monotonic());
	WRITE_ONCE(i->mode, (i->mode & S_IFMT) | (a->mode & S_IALLUGO));
	WRITE_ONCE(i->uid, a->uid);
	WRITE_ONCE(i->gid, a->gid);
	WRITE_ONCE(i->nlink, (u32)a->nlink);
	if (mapping_unclean(&i->mapping) || READ_ONCE(i->mapping.nr_dirty))
		return; /* what is here is newer */
	if (inode_is_reg(i) && ((pi->version_known && pi->version != a->qid.version) ||
				 i->size != a->size))
		(void)!page_cache_invalidate(&i->mapping, 0, U64_MAX);
	pi->version = a->qid.version;
	pi->version_known = true;
	WRITE_ONCE(i->size, a->size);
	WRITE_ONCE(i->blocks, a->blocks);
	set_times(i, a);
}

/*
 * Changes of ours hold the inode lock, except what write-back and stores to mapped pages do. Who has
 * the lock is changing the inode now, so there is nothing to wait for. What was written since the
 * attributes were asked for still counts as unclean, or writing it back has been counted; pages that
 * a store makes dirty while the old ones are forgotten stay.
 */
void p9_inode_refresh(struct inode *i, const struct p9_attr *a, u32 changes)
{
	if (!rwsem_write_trylock(&i->lock))
		return;
	if (p9_changes(i) == changes)
		refresh_locked(i, a);
	rwsem_write_unlock(&i->lock);
}

int p9_inode_revalidate(struct dentry *d)
{
	struct inode *i = d->inode;
	u64 validity = p9_sb(i->sb)->validity_ns;
	struct p9_attr a;
	struct p9_fid *f;
	u32 changes;
	int err;

	if (!validity || !i->nlink ||
	    clock_monotonic() - READ_ONCE(p9_i(i)->checked_ns) < validity)
		return 0;
	err = p9_fid_any(d, &f);
	if (err)
		return err;
	changes = p9_changes(i);
	err = p9_getattr(f, &a);
	p9_fid_put(f);
	if (!err && a.qid.path == i->ino)
		p9_inode_refresh(i, &a, changes);
	return err;
}

int p9_getattr_op(const struct path *p, struct kstat *st)
{
	int err = p9_inode_revalidate(p->dentry);

	if (err)
		return err;
	stat_fill(p, st);
	st->blocks = MIN(st->blocks + READ_ONCE(p->dentry->inode->mapping.nr_dirty) * (PAGE_SIZE / 512),
			 MAX(st->blocks, ALIGN_UP(st->size, PAGE_SIZE) / 512));
	return 0;
}

/* What the server is asked to change. Times are always the guest's, never "the server's now". */
static void setattr_request(const struct iattr *attr, struct p9_setattr *a)
{
	struct timespec64 now = clock_inode_time();
	const struct timespec64 *atime = attr->valid & ATTR_ATIME_SET ? &attr->atime : &now;
	const struct timespec64 *mtime = attr->valid & ATTR_MTIME_SET ? &attr->mtime : &now;

	*a = (struct p9_setattr){.mode = attr->mode, .uid = attr->uid, .gid = attr->gid,
				 .size = attr->size};
	a->valid = (attr->valid & ATTR_MODE ? P9_SETATTR_MODE : 0) |
		   (attr->valid & ATTR_UID ? P9_SETATTR_UID : 0) |
		   (attr->valid & ATTR_GID ? P9_SETATTR_GID : 0) |
		   (attr->valid & ATTR_SIZE ? P9_SETATTR_SIZE : 0) |
		   (attr->valid & ATTR_ATIME ? P9_SETATTR_ATIME | P9_SETATTR_ATIME_SET : 0) |
		   (attr->valid & ATTR_MTIME ? P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET : 0);
	a->atime_sec = atime->tv_sec;
	a->atime_nsec = (u32)atime->tv_nsec;
	a->mtime_sec = mtime->tv_sec;
	a->mtime_nsec = (u32)mtime->tv_nsec;
}

static int setattr_send(struct dentry *d, const struct iattr *attr)
{
	struct p9_setattr a;
	struct p9_fid *f;
	int err;

	setattr_request(attr, &a);
	if (!a.valid)
		return 0;
	err = p9_fid_any(d, &f);
	if (err)
		return err;
	err = p9_setattr(f, &a);
	p9_fid_put(f);
	return err;
}

/* A failed truncation has cut the cache already: takes the size that the host has. */
static void size_reread(struct dentry *d)
{
	struct p9_attr a;
	struct p9_fid *f;

	if (p9_fid_any(d, &f))
		return;
	if (!p9_getattr(f, &a))
		WRITE_ONCE(d->inode->size, a.size);
	p9_fid_put(f);
}

/* The host has stamped the change of size with its own time. */
static int times_after_resize(struct dentry *d)
{
	struct inode *i = d->inode;
	struct iattr times = {.valid = ATTR_MTIME | ATTR_MTIME_SET, .mtime = i->mtime};

	if (!p9_i(i)->users)
		return setattr_send(d, &times);
	mapping_mark_unclean(&i->mapping); /* together with what is going to be written */
	return 0;
}

/*
 * The pages beyond are gone already. Whoever writes the file may have taken the old size with him, and
 * raises host_end when he is through; the next one sees the new size.
 */
static void host_end_lower(struct inode *i, u64 size)
{
	struct p9_inode *pi = p9_i(i);

	mutex_lock(&i->mapping.write_lock);
	pi->host_end = MIN(pi->host_end, size);
	mutex_unlock(&i->mapping.write_lock);
}

/*
 * A file gets shorter here before it does on the host: pages beyond the end leave the cache first,
 * and writes of theirs are over then. One without a name is out of the host's reach and changes here
 * alone; host_end remembers how much of the host's file is still its data.
 */
int p9_setattr_op(struct dentry *d, struct iattr *attr)
{
	struct inode *i = d->inode;
	struct p9_inode *pi = p9_i(i);
	bool resize = attr->valid & ATTR_SIZE && attr->size != i->size;
	bool shrink = resize && attr->size < i->size;
	int err;

	if (!i->nlink) {
		err = inode_setattr_simple(d, attr);
		if (shrink)
			host_end_lower(i, attr->size);
		return err;
	}
	if (shrink)
		inode_truncate(i, attr->size);
	if (resize) {
		pi->version_known = false;
		attr->valid |= ATTR_MTIME | ATTR_CTIME;
	}
	err = setattr_send(d, attr);
	if (err && shrink)
		size_reread(d);
	if (err)
		return err;
	err = inode_setattr_simple(d, attr);
	p9_changed(i);
	return err || !resize ? err : times_after_resize(d);
}

static int get_link(struct inode *i, bool may_sleep, const char **target)
{
	*target = p9_i(i)->link;
	return 0;
}

const struct inode_ops p9_file_iops = {
	.getattr = p9_getattr_op,
	.setattr = p9_setattr_op,
	.getxattr = p9_getxattr,
	.setxattr = p9_setxattr,
	.listxattr = p9_listxattr,
};

const struct inode_ops p9_link_iops = {
	.get_link = get_link,
	.getattr = p9_getattr_op,
	.setattr = p9_setattr_op,
	.getxattr = p9_getxattr,
	.setxattr = p9_setxattr,
	.listxattr = p9_listxattr,
};
