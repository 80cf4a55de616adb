/*
 * tmpfs inodes: making them, their attributes, their end, and what they cost.
 *
 * Data pages are charged by the page cache through mapping_ops, everything else against a budget
 * of INODE_COST bytes per allowed inode. Both are atomic counters: taken first, then compared.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <mm/slab.h>
#include <vfs/acl.h>
#include <vfs/file.h>

#include "internal.h"

int tmpfs_charge_ispace(struct super_block *sb, u64 bytes)
{
	struct tmpfs_super *ts = tmpfs_sb(sb);
	u64 max = READ_ONCE(ts->max_inodes) * INODE_COST;

	if ((u64)atomic64_add_return(&ts->used_ispace, (s64)bytes) > max && max) {
		atomic64_add(&ts->used_ispace, -(s64)bytes);
		return -ENOSPC;
	}
	return 0;
}

void tmpfs_uncharge_ispace(struct super_block *sb, u64 bytes)
{
	atomic64_add(&tmpfs_sb(sb)->used_ispace, -(s64)bytes);
}

static int data_charge(struct mapping *m)
{
	struct tmpfs_super *ts = tmpfs_sb(m->host->sb);
	u64 max = READ_ONCE(ts->max_pages);

	if ((u64)atomic64_add_return(&ts->used_pages, 1) > max && max) {
		atomic64_add(&ts->used_pages, -1);
		return -ENOSPC;
	}
	return 0;
}

static void data_uncharge(struct mapping *m, u64 nr)
{
	atomic64_add(&tmpfs_sb(m->host->sb)->used_pages, -(s64)nr);
}

static const struct mapping_ops data_ops = {
	.memory_backed = true,
	.charge = data_charge,
	.uncharge = data_uncharge,
};

struct tmpfs_node *tmpfs_node_alloc(size_t link_len)
{
	struct tmpfs_node *n = kzalloc(sizeof(*n) + link_len + 1, GFP_KERNEL);

	if (n)
		list_init(&n->xattrs);
	return n;
}

static int get_link(struct inode *i, bool may_sleep, const char **target)
{
	*target = ((struct tmpfs_node *)i->private)->link;
	return 0;
}

void tmpfs_stat_extra(const struct super_block *sb, struct kstat *st)
{
	if (tmpfs_sb(sb)->ramfs)
		return;
	st->has_btime = true;
	st->attributes_mask |= STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE | STATX_ATTR_NODUMP;
}

static int getattr(const struct path *p, struct kstat *st)
{
	struct inode *i = p->dentry->inode;

	stat_fill(p, st);
	st->blocks = READ_ONCE(i->mapping.nr_pages) * (PAGE_SIZE / 512);
	tmpfs_stat_extra(i->sb, st);
	return 0;
}

static const struct inode_ops file_ops_inode = {
	.getattr = getattr,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
};

static const struct inode_ops link_ops = {
	.get_link = get_link,
	.getattr = getattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
};

/* Operations and private part by kind. */
static int inode_set_kind(struct inode *i, u32 mode, u64 rdev, const char *link, size_t link_len)
{
	struct tmpfs_node *n = NULL;

	i->ops = &file_ops_inode;
	if (S_ISDIR(mode) || S_ISLNK(mode)) {
		n = tmpfs_node_alloc(link_len);
		if (!n)
			return -ENOMEM;
	}
	i->private = n;
	if (S_ISREG(mode)) {
		i->fops = &tmpfs_file_fops;
		i->mapping.ops = &data_ops;
		i->seals = F_SEAL_SEAL; /* only memfd_create makes files that can be sealed */
	} else if (S_ISDIR(mode)) {
		i->ops = &tmpfs_dir_ops;
		i->fops = &tmpfs_dir_fops;
		i->nlink = 2;
		i->size = 2 * DIRENT_SIZE;
	} else if (S_ISLNK(mode)) {
		i->ops = &link_ops;
		memcpy(n->link, link, link_len);
		n->link_len = (u32)link_len;
		i->size = link_len;
	} else {
		inode_init_special(i, mode, rdev);
	}
	return 0;
}

int tmpfs_inode_new(struct super_block *sb, const struct inode *dir, u32 mode, u64 rdev,
		    const char *link, struct inode **out)
{
	size_t link_len = link ? strlen(link) : 0;
	int err = tmpfs_charge_ispace(sb, INODE_COST + link_len);
	struct inode *i;

	if (err)
		return err;
	i = inode_alloc(sb, mode);
	if (!i) {
		tmpfs_uncharge_ispace(sb, INODE_COST + link_len);
		return -ENOSPC;
	}
	if (dir)
		inode_init_owner(i, dir, mode);
	if (dir && !tmpfs_sb(sb)->ramfs)
		err = tmpfs_inherit_acl(i, dir);
	if (!err)
		err = inode_set_kind(i, i->mode, rdev, link, link_len);
	if (err) {
		i->ops = NULL;
		if (link_len)
			tmpfs_uncharge_ispace(sb, link_len);
		inode_put(i); /* evict gives back the rest */
		return err;
	}
	*out = i;
	return 0;
}

struct inode *tmpfs_anon_inode(struct super_block *sb, u32 mode)
{
	struct inode *i;

	if (tmpfs_inode_new(sb, NULL, mode | S_IFREG, 0, NULL, &i))
		return NULL;
	i->nlink = 0;
	return i;
}

static void node_free_rcu(struct rcu_head *head)
{
	kfree(container_of(head, struct tmpfs_node, rcu));
}

static void evict(struct inode *i)
{
	struct tmpfs_node *n = i->private;

	tmpfs_xattrs_free(i);
	tmpfs_uncharge_ispace(i->sb, inode_acl_bytes(i) + INODE_COST + (n ? n->link_len : 0));
	if (n)
		rcu_call(&n->rcu, node_free_rcu); /* a walk may be reading the link's text */
}

static int statfs(struct super_block *sb, struct kstatfs *st)
{
	struct tmpfs_super *ts = tmpfs_sb(sb);
	u64 pages = (u64)atomic64_read(&ts->used_pages);
	u64 inodes = DIV_ROUND_UP((u64)atomic64_read(&ts->used_ispace), INODE_COST);
	u64 max = READ_ONCE(ts->max_pages), max_inodes = READ_ONCE(ts->max_inodes);

	st->bsize = st->frsize = PAGE_SIZE;
	st->fsid = sb->dev;
	st->blocks = max;
	st->bfree = st->bavail = max > pages ? max - pages : 0;
	st->files = max_inodes;
	st->ffree = max_inodes > inodes ? max_inodes - inodes : 0;
	return 0;
}

void tmpfs_show_options(struct super_block *sb, char *buf, size_t size);

static void kill(struct super_block *sb)
{
	kfree(sb->private);
	sb->private = NULL;
}

const struct super_ops tmpfs_super_ops = {
	.evict = evict,
	.statfs = statfs,
	.kill = kill,
	.show_options = tmpfs_show_options,
};
