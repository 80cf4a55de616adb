/* Private to tmpfs. */
#pragma once

#include <tmpfs/tmpfs.h>

struct vma;

#define INODE_COST 1024u /* budget of one inode or name; nr_inodes counts these */
#define DIRENT_SIZE 20u  /* what a name adds to the size of its directory, as on Linux */

struct tmpfs_super {
	struct atomic64 used_pages;   /* of files' data */
	struct atomic64 used_ispace;  /* inodes, names, xattrs, symlink texts, in bytes */
	u64 max_pages, max_inodes;    /* 0: no limit; change on remount, torn-free */
	u32 mode, uid, gid;           /* of the root; shown in /proc/mounts */
	u32 default_mode;
	bool ramfs;                   /* no limits, no xattrs */
};

struct xattr_entry {
	struct list_head node;
	u32 name_len, size;
	char data[]; /* name with NUL, then the value */
};

/* What an inode has beyond struct inode. Regular files get one with their first xattr. */
struct tmpfs_node {
	struct rcu_head rcu;
	struct rb_root order;      /* directory: its dentries, oldest first; inode lock */
	u64 next_order;            /* same */
	u64 nr_entries;            /* same */
	struct list_head xattrs;   /* inode lock */
	u64 xattr_bytes;           /* same */
	u32 nr_xattrs;             /* same */
	u32 link_len;              /* const */
	char link[];               /* symlink: its text; const, read under RCU */
};

static inline struct tmpfs_super *tmpfs_sb(const struct super_block *sb)
{
	return sb->private;
}

/* An inode for mode (rdev for devices), owned as a child of dir (NULL: by the caller). NULL: no space. */
int tmpfs_inode_new(struct super_block *sb, const struct inode *dir, u32 mode, u64 rdev,
		    const char *link, struct inode **out) __must_check;
/* Takes or gives back a part of the inode budget. */
int tmpfs_charge_ispace(struct super_block *sb, u64 bytes) __must_check;
void tmpfs_uncharge_ispace(struct super_block *sb, u64 bytes);
struct tmpfs_node *tmpfs_node_alloc(size_t link_len);
/* What statx reports of tmpfs beyond stat. */
void tmpfs_stat_extra(const struct super_block *sb, struct kstat *st);

extern const struct inode_ops tmpfs_dir_ops;
extern const struct file_ops tmpfs_dir_fops, tmpfs_file_fops;

/* memfd.c: what seals allow. */
int tmpfs_mmap(struct file *f, struct vma *vma);
int tmpfs_setattr(struct dentry *d, struct iattr *attr);

/* xattr.c; inode lock held. */
ssize_t tmpfs_getxattr(struct dentry *d, const char *name, void *value, size_t size);
int tmpfs_setxattr(struct dentry *d, const char *name, const void *value, size_t size, int flags);
ssize_t tmpfs_listxattr(struct dentry *d, char *list, size_t size);
void tmpfs_xattrs_free(struct inode *i);
/* A new inode's access control lists. 0, -ENOSPC, -ENOMEM. */
int tmpfs_inherit_acl(struct inode *i, const struct inode *dir) __must_check;
