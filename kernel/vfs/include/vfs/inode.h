/*
 * Objects behind names: inodes, their super blocks, file-system types, mounts.
 */
#pragma once

#include <mm/page_cache.h>
#include <task/cred.h>
#include <time/clock.h>
#include <vfs/path.h>
#include <linux/limits.h>
#include <linux/mount.h>
#include <linux/stat.h>

struct file;
struct file_ops;
struct file_locks;
struct dir_context;
struct pipe;
struct kstatfs;

/* Mode masks that the ABI's headers leave to the C library. */
#define S_IRWXUGO 0777
#define S_IALLUGO 07777
#define S_IXUGO   0111

/* What stat reports; filled from the inode or by getattr. */
struct kstat {
	u64 ino, size, blocks;
	u32 mode, nlink, uid, gid, blksize;
	u64 dev, rdev;
	u64 attributes, attributes_mask;
	struct timespec64 atime, mtime, ctime, btime;
	bool has_btime;
	u32 dio_mem_align, dio_offset_align; /* 0: no O_DIRECT */
	u64 mnt_id;
};

#define ATTR_MODE  BIT(0)
#define ATTR_UID   BIT(1)
#define ATTR_GID   BIT(2)
#define ATTR_SIZE  BIT(3)
#define ATTR_ATIME BIT(4)
#define ATTR_MTIME BIT(5)
#define ATTR_CTIME BIT(6)
#define ATTR_ATIME_SET BIT(7) /* to the given value, not "now" */
#define ATTR_MTIME_SET BIT(8)
#define ATTR_KILL_PRIV BIT(9) /* drop set-id bits and file capabilities */
#define ATTR_FILE  BIT(10)    /* from an open file (ftruncate): no permission check on size */
#define ATTR_TOUCH BIT(11)    /* both times to now: write permission is enough */
#define ATTR_TIMES_SET BIT(12) /* any other explicit times: the owner only */

struct iattr {
	u32 valid;
	u32 mode, uid, gid;
	u64 size;
	struct timespec64 atime, mtime, ctime;
};

/* All are called in process context with the inode lock(s) held that the comment names. Missing
 * operation: the errno Linux gives (EPERM, EOPNOTSUPP, ENOTDIR …). */
struct inode_ops {
	/* dir locked (shared or exclusive). Binds d to its inode, or makes it negative. 0 or -errno. */
	int (*lookup)(struct inode *dir, struct dentry *d);
	/* dir locked exclusively: make d's object. */
	int (*create)(struct inode *dir, struct dentry *d, u32 mode);
	int (*link)(struct dentry *old, struct inode *dir, struct dentry *d);
	int (*unlink)(struct inode *dir, struct dentry *d);
	int (*symlink)(struct inode *dir, struct dentry *d, const char *target);
	int (*mkdir)(struct inode *dir, struct dentry *d, u32 mode);
	int (*rmdir)(struct inode *dir, struct dentry *d);
	int (*mknod)(struct inode *dir, struct dentry *d, u32 mode, u64 rdev);
	int (*tmpfile)(struct inode *dir, struct dentry *d, u32 mode);
	/* both parents locked; flags RENAME_*. */
	int (*rename)(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
		      struct dentry *new, u32 flags);
	/* The symlink's target: a string valid while the inode is; or an errno. May run under RCU
	 * (may_sleep false): answers -ECHILD when it would have to sleep. */
	int (*get_link)(struct inode *inode, bool may_sleep, const char **target);
	/* Magic links (/proc/self/fd/3): the object itself. Instead of get_link's text. */
	int (*jump_link)(struct inode *inode, struct path *out);
	int (*readlink)(struct inode *inode, char *buf, size_t size); /* magic links' text */
	/* Overrides the mode-bit check. mask MAY_*. */
	int (*permission)(struct inode *inode, u32 mask);
	int (*getattr)(const struct path *p, struct kstat *st);
	int (*setattr)(struct dentry *d, struct iattr *attr); /* inode locked */
	/* inode locked (shared; exclusively for setxattr, whose value is NULL to remove). size 0: only
	 * the length is wanted. */
	ssize_t (*getxattr)(struct dentry *d, const char *name, void *value, size_t size);
	int (*setxattr)(struct dentry *d, const char *name, const void *value, size_t size, int flags);
	ssize_t (*listxattr)(struct dentry *d, char *list, size_t size);
};

struct inode {
	struct ref ref;
	u32 mode, uid, gid;             /* lock; torn-free reads */
	u32 nlink;                      /* lock */
	u32 flags;                      /* INODE_* */
	u8 write_hint;                  /* F_SET_RW_HINT; torn-free */
	u8 seals;                       /* tmpfs: F_SEAL_*; lock to change */
	u64 ino;                        /* const */
	u64 rdev;                       /* const: devices */
	u64 size;                       /* lock to change; torn-free reads */
	u64 blocks;                     /* 512-byte units */
	struct timespec64 atime, mtime, ctime, btime; /* spin */
	struct super_block *sb;         /* const */
	const struct inode_ops *ops;    /* const */
	const struct file_ops *fops;    /* const: default operations of an open file */
	struct rwsem lock;              /* LOCK_RANK_INODE or _DIR */
	struct spinlock spin;           /* LOCK_RANK_INODE_SPIN: times, small fields */
	struct mapping mapping;
	struct posix_acl *acl, *default_acl; /* vfs/acl.h; NULL: none. lock to change; RCU */
	struct pipe *pipe;              /* FIFO: spin */
	struct hlist_head watches;      /* vfs/notify.h; spin */
	u32 notify_mask;                /* what they ask for; spin, torn-free reads */
	struct file_locks *locks;       /* vfs/locks.h; NULL: never had any. spin to set */
	struct hlist_node ino_node;     /* super block's inode table */
	struct atomic write_count;      /* > 0 writers, < 0 denied (running executable) */
	struct atomic read_count;       /* open for reading alone: regular files */
	struct rcu_head rcu;
	void *private;
};
#define INODE_IMMUTABLE BIT(0)
#define INODE_APPEND    BIT(1)
#define INODE_NOATIME   BIT(2)
#define INODE_DEAD      BIT(3) /* directory that was removed: nothing is created in it */
#define INODE_FILE_CAPS BIT(5) /* has security.capability: a change of data or owner drops it */
#define INODE_LINKABLE  BIT(4) /* O_TMPFILE: may get a name although nlink is 0 */

/* What an object is never changes; the bits beside that do, by chmod, whenever they like. */
#define DEFINE_INODE_IS(name, test)                                                                \
	static inline bool name(const struct inode *i)                                             \
	{                                                                                          \
		return test(READ_ONCE(i->mode));                                                   \
	}
DEFINE_INODE_IS(inode_is_dir, S_ISDIR)
DEFINE_INODE_IS(inode_is_reg, S_ISREG)
DEFINE_INODE_IS(inode_is_lnk, S_ISLNK)
DEFINE_INODE_IS(inode_is_blk, S_ISBLK)
DEFINE_INODE_IS(inode_is_fifo, S_ISFIFO)
DEFINE_INODE_IS(inode_is_sock, S_ISSOCK)
#undef DEFINE_INODE_IS

#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4
#define MAY_ACCESS 16 /* use the real ids: access(2) */

/* A new inode with one reference, owned by the current fsuid/fsgid; NULL: no memory. */
struct inode *inode_alloc(struct super_block *sb, u32 mode);
void inode_get(struct inode *i);
void inode_put(struct inode *i); /* may sleep */
/* Owner for a new object in dir: ids, set-group-id inheritance, umask already applied. */
void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode);
/* 0 or -EACCES / -EROFS / -EPERM. mask MAY_*. */
int inode_permission(struct inode *i, u32 mask) __must_check;
/* The check by mode bits alone, for permission operations that add to it. */
int inode_permission_generic(struct inode *i, u32 mask) __must_check;
bool inode_owner_or_capable(const struct inode *i);
/* Operations of a device, FIFO or socket inode from its mode. */
void inode_init_special(struct inode *i, u32 mode, u64 rdev);
/* Link count; inode lock held exclusively (of a new inode: none). Change ctime too. */
void inode_add_link(struct inode *i);
void inode_drop_link(struct inode *i);
/* A writer of a regular file appears: 0, or -ETXTBSY while it is being executed. */
int inode_get_write(struct inode *i) __must_check;
void inode_put_write(struct inode *i);
/* The opposite: 0, or -ETXTBSY while somebody has it open for writing. */
int inode_deny_write(struct inode *i) __must_check;
void inode_allow_write(struct inode *i);
/* An attribute without permission check: its size, or -ENODATA, -EOPNOTSUPP, -ERANGE. Locks the
 * inode; may sleep. */
ssize_t inode_getxattr(struct dentry *d, const char *name, void *value, size_t size);
/* New size: cuts pages off, zeroes the rest of the last one. Inode lock held exclusively. */
void inode_truncate(struct inode *i, u64 size);
/* Before the file grows past its end: what a mapping has written there must not appear. The same lock. */
void inode_zero_tail(struct inode *i);
/* Has the file what a write takes away? Inode lock held. */
static inline bool inode_has_privileges(const struct inode *i)
{
	return i->mode & (S_ISUID | S_ISGID) || i->flags & INODE_FILE_CAPS;
}
/* A write changes the data: drops set-id bits unless CAP_FSETID, and file capabilities. Inode lock
 * held exclusively. */
int inode_strip_privileges(struct dentry *d) __must_check;
/* What becomes of the mode of a file when somebody without CAP_FSETID changes it. */
u32 mode_without_setid(const struct inode *i);
/* After a read: the access time, as the mount's atime rule wants it. Does not sleep. */
void path_accessed(const struct path *p);
void inode_touch(struct inode *i, u32 attr_times); /* ATTR_ATIME|MTIME|CTIME = now */
int inode_setattr_simple(struct dentry *d, struct iattr *attr) __must_check;
void stat_fill(const struct path *p, struct kstat *st);
int path_stat(const struct path *p, struct kstat *st) __must_check;
/* 0, or -EFBIG: the file may not grow to this size, by the caller's limit (SIGXFSZ) or its system's. */
int inode_size_check(const struct inode *i, u64 size) __must_check;
/* notify_change: checks permissions and calls setattr. Takes the inode lock. */
int path_setattr(const struct path *p, struct iattr *attr) __must_check;

struct super_ops {
	void (*evict)(struct inode *i);      /* last reference gone: free private data */
	int (*statfs)(struct super_block *sb, struct kstatfs *st);
	int (*sync)(struct super_block *sb);
	void (*kill)(struct super_block *sb); /* last mount gone */
	void (*show_options)(struct super_block *sb, char *buf, size_t size); /* ",size=1k" */
};

struct kstatfs {
	u64 type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize, flags;
	u64 fsid;
};

struct super_block {
	struct ref ref;                /* mounts and roots */
	const struct fs_type *type;    /* const */
	const struct super_ops *ops;   /* const */
	u64 dev;                       /* const: st_dev */
	u64 magic, max_bytes;
	u32 blocksize;
	u32 flags;                     /* MS_RDONLY, MS_SYNCHRONOUS …; torn-free */
	struct dentry *root;           /* const */
	struct mutex rename_lock;      /* LOCK_RANK_SB_RENAME */
	struct atomic64 next_ino;
	struct writeback *writeback;   /* mm/writeback.c; NULL until writeback_start */
	struct atomic nr_reaped;       /* its dentries that the shrinker is destroying (vfs/dcache_lru.c) */
	struct atomic nr_watches;      /* on its inodes, until their last reference (vfs/notify.h) */
	struct rcu_head rcu;
	void *private;
};

struct fs_type {
	const char *name;
	bool no_device;                /* "nodev" in /proc/filesystems */
	bool user_mountable;           /* through mount(2) */
	/* Makes or finds a super block. options: comma-separated text, may be "". */
	int (*mount)(const struct fs_type *t, const char *source, u32 flags, const char *options,
		     struct super_block **out);
	/* MS_REMOUNT; NULL: any options are ignored, as Linux does for such types. */
	int (*remount)(struct super_block *sb, u32 flags, const char *options);
	struct list_head node;         /* registry lock */
};
/* 0, or -EBUSY when the name is taken. The type stays for ever. */
int fs_register(struct fs_type *t) __must_check;
struct fs_type *fs_find(const char *name); /* NULL: unknown */
/*
 * Calls take for each of the options in "key=value,key" (value NULL: none), until one is refused. 0,
 * -ENOMEM, or what take returned.
 */
int mount_options_each(const char *text,
		       int (*take)(void *ctx, const char *key, const char *value), void *ctx)
	__must_check;
struct super_block *super_alloc(const struct fs_type *t); /* one reference; anonymous dev */
void super_get(struct super_block *sb);
void super_put(struct super_block *sb);

struct mount {
	struct ref ref;
	struct mount *parent;          /* tree lock; RCU */
	struct dentry *mountpoint;     /* tree lock; RCU; without a parent its own root: never NULL, for who has just read one */
	struct dentry *root;           /* const */
	struct super_block *sb;        /* const */
	struct mount_ns *ns;           /* tree lock */
	struct hlist_node hash_node;   /* by (parent, mountpoint); RCU */
	struct list_head children, child_node, ns_node; /* tree lock */
	u32 flags;                     /* MNT_*; torn-free */
	s32 id;
	/* Propagation (mount_propagate.c); all under the tree lock. */
	struct list_head peers;        /* ring of the peer group, without a head */
	struct list_head slaves, slave_node;
	struct mount *master;          /* one of the group that this one is a slave of; or NULL */
	struct list_head target_node, doom_node; /* of the change that is being prepared */
	struct mount *copy;            /* what that change mounts here; else NULL */
	u32 group;                     /* the peer group's number; 0: in none */
	bool shared, unbindable;
	u8 doom;
	struct atomic writers;         /* files open for writing */
	char *source;                  /* for /proc/mounts; may be NULL ("none") */
	struct rcu_head rcu;
};
/* Per-mount flags: the MS_* bits of mount(2). */
#define MNT_RDONLY     MS_RDONLY
#define MNT_NOSUID     MS_NOSUID
#define MNT_NODEV      MS_NODEV
#define MNT_NOEXEC     MS_NOEXEC
#define MNT_NOSYMFOLLOW MS_NOSYMFOLLOW
#define MNT_NOATIME    MS_NOATIME
#define MNT_NODIRATIME MS_NODIRATIME
#define MNT_RELATIME   MS_RELATIME
#define MNT_FLAGS (MNT_RDONLY | MNT_NOSUID | MNT_NODEV | MNT_NOEXEC | MNT_NOSYMFOLLOW |          \
		   MNT_NOATIME | MNT_NODIRATIME | MNT_RELATIME)

/* Set-id bits and file capabilities count there: not with nosuid, nor in a mount of no tree. */
static inline bool mount_may_suid(const struct mount *m)
{
	return READ_ONCE(m->ns) && !(READ_ONCE(m->flags) & MNT_NOSUID);
}

struct mount_ns {
	struct ref ref;
	struct mutex lock;             /* LOCK_RANK_MOUNT_TREE */
	struct mount *root;            /* lock */
	struct list_head mounts;       /* lock */
	u32 nr_mounts;
	u64 event;                     /* lock to change, torn-free; bumped on every change */
	struct wait_queue changed;     /* who polls /proc/PID/mounts and mountinfo */
};
extern struct mount_ns init_mount_ns;
void mount_ns_get(struct mount_ns *ns);
void mount_ns_put(struct mount_ns *ns);
void mount_get(struct mount *m);
void mount_put(struct mount *m);
/* A mount outside the tree for kernel-internal objects (pipes, sockets, memfd). */
struct mount *mount_internal(struct fs_type *t);
/* Write access to the mount: 0 or -EROFS. */
int mount_want_write(struct mount *m) __must_check;
/* Kernel-internal mount of a type at a path during boot. */
int kernel_mount(const char *type, const char *source, const char *where, u32 flags,
		 const char *options) __must_check;

/* Calls used by several modules, with Linux's checks. All take the locks they need. */
int vfs_mkdir_at(int dirfd, const char *name, u32 mode) __must_check;
int vfs_mknod_at(int dirfd, const char *name, u32 mode, u64 rdev) __must_check;
/* The same in the current directory; *out is the new object, with references (a bound socket). */
int vfs_mknod_path(const char *name, u32 mode, struct path *out) __must_check;
int vfs_symlink_at(const char *target, int dirfd, const char *name) __must_check;

/*
 * For file systems with calls of their own for their names (mqueue). name is one component. The
 * first looks it up and runs act with dir locked exclusively; d may be negative.
 */
typedef int (*child_fn)(struct inode *dir, struct dentry *d, void *ctx);
int vfs_with_child(const struct path *dir, const char *name, child_fn act, void *ctx) __must_check;
int vfs_unlink_in(const struct path *dir, const char *name) __must_check;

/*
 * For archives: makes the object, with owner and mode as given and without permission checks. What
 * has that name is kept if it is a directory or regular file of the same kind, else removed. *out
 * is the object, with references. 0, -ENOENT (no such parent), -ENOTEMPTY, -ENOSPC …
 */
struct place {
	u32 mode, uid, gid;
	u64 rdev;
	const char *target;   /* of a symlink */
	struct dentry *link;  /* a further name for this object; all else is ignored */
};
int vfs_place(const char *name, const struct place *p, struct path *out) __must_check;

static inline u64 dev_make(u32 major, u32 minor)
{
	return ((u64)major << 20) | minor; /* kernel form; stat encodes it as the ABI wants */
}
