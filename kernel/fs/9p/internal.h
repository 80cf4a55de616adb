/* Private to fs/9p: what a super block and an inode have beyond the generic structures. */
#pragma once

#include <lib/list.h>
#include <vfs/file.h>
#include "ops.h"

struct p9_super {
	struct p9_client *client;    /* const */
	struct p9_fid *root;         /* const: the attached directory */
	u32 bits;                    /* const: log2 of the number of buckets */
	u64 validity_ns;             /* const: how long names and attributes are believed; 0: for ever */
	bool squash;                 /* const: the server does not give new objects the owner asked for */
	bool no_security;            /* the server has no security.* attributes; set once */
	struct spinlock lock;        /* LOCK_RANK_SB_LISTS: buckets, idle lists */
	struct hlist_head *buckets;  /* inodes by ino */
	struct list_head idle_walk;  /* inodes with a walk fid, oldest first; lock */
	u32 nr_walk;                 /* lock */
	struct list_head idle_open;  /* closed inodes whose open fid is kept; lock */
	u32 nr_open;                 /* lock */
	char options[64];            /* const: shown in /proc/mounts */
};

struct p9_inode {
	struct inode *inode;         /* const */
	struct mutex lock;           /* LOCK_RANK_SLEEP_INNER: fids and users */
	struct p9_fid *walk;         /* stands for the object's place in the tree; lock; may be NULL */
	struct p9_fid *open;         /* for data; lock; may be NULL */
	bool open_named;             /* the open fid's name is still the file's; lock */
	u32 users;                   /* open files; lock */
	u32 version;                 /* of the data as cached (qid.version); inode lock or new */
	bool version_known;          /* false after changes of our own */
	u64 checked_ns;              /* when the attributes were last fetched; torn-free */
	u32 changes;                 /* made or written back by us; atomic: see p9_inode_refresh */
	u64 host_end;                /* unlinked files: bytes of the host's file that are ours; mapping.write_lock */
	struct list_head walk_node, open_node; /* super lock */
	struct rcu_head rcu;
	char *link;                  /* symlink: its text; const */
};

static inline struct p9_super *p9_sb(const struct super_block *sb)
{
	return sb->private;
}

static inline struct p9_inode *p9_i(const struct inode *i)
{
	return i->private;
}

/* ---- inode.c ---- */

/*
 * The inode for what the server described, new or known, with a reference. walk (may be NULL) is
 * consumed. 0, -ENOMEM, or an error of reading a link.
 */
int p9_inode_find(struct super_block *sb, const struct p9_attr *a, struct p9_fid *walk,
		  struct inode **out) __must_check;
/* An inode for something that was just made in dir; as above. Its attributes are the caller's. */
int p9_inode_new(const struct inode *dir, const struct p9_qid *qid, u32 mode, u64 rdev,
		 const char *link, struct inode **out) __must_check;
/* No name is left: the number may come again. */
void p9_inode_unhash(struct inode *i);
/*
 * Takes over attributes that the server reports for an inode. `changes` is p9_changes of the moment
 * before they were asked for: if the guest has changed the inode since, or is at it, they are not
 * believed and asked for again next time.
 */
void p9_inode_refresh(struct inode *i, const struct p9_attr *a, u32 changes);
/* The guest has changed something that the server's attributes tell; any context. */
static inline void p9_changed(const struct inode *i)
{
	__atomic_fetch_add(&p9_i(i)->changes, 1, __ATOMIC_SEQ_CST);
}
static inline u32 p9_changes(const struct inode *i)
{
	return __atomic_load_n(&p9_i(i)->changes, __ATOMIC_SEQ_CST);
}
/* Fetches the attributes if those known are too old. 0 or -errno. */
int p9_inode_revalidate(struct dentry *d) __must_check;
void p9_evict(struct inode *i);
extern const struct inode_ops p9_file_iops, p9_link_iops;

/* ---- fid.c ---- */

/* A fid that stands for d's object, with a reference: for operations by name and on attributes. */
int p9_fid_of(struct dentry *d, struct p9_fid **out) __must_check;
/* The same, or the fid of the open file: for operations on attributes, not for walking. */
int p9_fid_any(struct dentry *d, struct p9_fid **out) __must_check;
/* d's name as it is now; for callers that do not hold the directory's lock. */
struct p9_name p9_name_copy(struct dentry *d, char text[P9_NAME_MAX]);
/* Keeps the open file that creation leaves behind for the open that follows; consumes it. */
void p9_fid_opened(struct inode *i, struct p9_fid *open);
/* Makes walk the inode's fid if it has none; consumes it. */
void p9_fid_remember(struct inode *i, struct p9_fid *walk);
/* The inode has lost the name that its walk fid may stand for. */
void p9_fid_lost_name(struct inode *i);
/* One more open file: makes sure that the data can be accessed that way. 0 or -errno. */
int p9_data_get(struct dentry *d, u32 access) __must_check;
void p9_data_put(struct inode *i);
/* The open fid with a reference, or NULL. */
struct p9_fid *p9_data_fid(struct inode *i);
void p9_fids_drop(struct inode *i);

/* ---- dir.c, readdir.c, file.c, xattr.c ---- */

extern const struct inode_ops p9_dir_iops;
extern const struct file_ops p9_dir_fops, p9_file_fops;
extern const struct mapping_ops p9_data_ops;
int p9_setattr_op(struct dentry *d, struct iattr *attr);
int p9_getattr_op(const struct path *p, struct kstat *st);
ssize_t p9_getxattr(struct dentry *d, const char *name, void *value, size_t size);
int p9_setxattr(struct dentry *d, const char *name, const void *value, size_t size, int flags);
ssize_t p9_listxattr(struct dentry *d, char *list, size_t size);
