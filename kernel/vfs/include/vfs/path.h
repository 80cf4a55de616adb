/*
 * Names in the tree: dentries, mounts and path look-up. A struct path is a dentry on a mount.
 * Look-ups run under RCU as far as the path cache reaches and fall back to references.
 */
#pragma once

#include <lib/atomic.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <mm/user.h>
#include <sync/mutex.h>
#include <sync/rcu.h>
#include <sync/spinlock.h>

struct inode;
struct super_block;
struct mount;
struct dentry;

struct path {
	struct mount *mnt;
	struct dentry *dentry;
};

struct qstr {
	const char *name; /* not terminated */
	u32 len;
	u32 hash;
};

struct dentry_ops {
	/* procfs and the like: is the cached entry still true? NULL: always. May sleep. */
	bool (*revalidate)(struct dentry *d);
	/* Text shown in /proc/self/fd for objects without a name ("pipe:[12]"). 0 or -ENAMETOOLONG. */
	int (*name)(struct dentry *d, char *buf, size_t size);
	bool no_cache; /* drop with the last reference */
};

#define DNAME_INLINE 32

struct dentry {
	/* What a look-up reads; RCU. */
	struct hlist_node hash_node;  /* hash bucket lock */
	struct dentry *parent;        /* lock, seq; itself for a root */
	struct qstr name;             /* lock, seq; the text is terminated */
	u32 seq;                      /* even: stable. Bumped around renames and inode changes; lock */
	u32 mounted;                  /* mounts on it; mount tree lock */
	struct inode *inode;          /* lock, seq; reference; NULL: negative */
	const struct dentry_ops *ops; /* const once hashed; may be NULL */

	struct atomic count;          /* references; 0: cached only; negative: being destroyed */
	u32 flags;                    /* DENTRY_*; lock */
	struct spinlock lock;         /* LOCK_RANK_DENTRY; parent before child */
	bool referenced;              /* used since the last look of the shrinker; racy hint */
	struct super_block *sb;       /* const */
	struct list_head child_node;  /* parent->lock */
	struct list_head children;    /* lock */
	struct list_head lru;         /* LRU lock */
	/* Place in a directory whose contents live in the cache (tmpfs); directory's inode lock. */
	struct rb_node order_node;
	u64 order;
	struct rcu_head rcu;
	void *private;                /* the file system's */
	char name_inline[DNAME_INLINE] __aligned(8);
};
#define DENTRY_HASHED    BIT(0) /* found by look-ups */
#define DENTRY_ONLRU     BIT(1)

void dentry_get(struct dentry *d); /* the caller already owns a reference, or the parent's lock */
void dentry_put(struct dentry *d); /* NULL is allowed; may sleep */
/* A new dentry below parent (not hashed, one reference), or NULL. */
struct dentry *dentry_alloc(struct dentry *parent, const struct qstr *name);
/* A root (named "/") for a super block or an anonymous object; consumes the inode reference. */
struct dentry *dentry_alloc_root(struct super_block *sb, struct inode *inode);
/* Gives the dentry its inode (reference consumed; NULL: negative) and hashes it. */
void dentry_add(struct dentry *d, struct inode *inode);
/* A negative dentry, hashed or not, gets its inode (reference consumed). */
void dentry_instantiate(struct dentry *d, struct inode *inode);
/* Unhashes: the name is gone (unlink, rmdir, revalidation failed). */
void dentry_drop(struct dentry *d);
/* After an unlink: becomes negative when the caller is the only user, else unhashed. */
void dentry_delete(struct dentry *d);
/* Unhashes d and everything cached below it (a process directory of /proc that is gone). */
void dentry_invalidate(struct dentry *d);
/* The child of that name with a reference, or NULL: the cache only. */
struct dentry *dentry_lookup(struct dentry *parent, const struct qstr *name);
/* Fills hash and length of a name for the functions above. */
struct qstr qstr_make(const char *name, u32 len);
/* A reference on the parent as it is now. */
struct dentry *dentry_parent_get(struct dentry *d);
/* True when d is `top` or lies below it. */
bool dentry_is_below(const struct dentry *d, const struct dentry *top);

static inline bool dentry_hashed(const struct dentry *d)
{
	return READ_ONCE(d->flags) & DENTRY_HASHED;
}

static inline bool dentry_is_root(const struct dentry *d)
{
	return READ_ONCE(d->parent) == d;
}

void path_get(const struct path *p);
void path_put(const struct path *p);

/* fs_context: what chdir, chroot and umask change; shared by CLONE_FS. */
struct fs_context {
	struct ref ref;
	struct spinlock lock; /* LOCK_RANK_FS_CONTEXT */
	struct path root, cwd; /* lock */
	u32 umask;            /* lock */
};
struct fs_context *fs_context_copy(struct fs_context *from); /* NULL: no memory */
void fs_context_put(struct fs_context *fs);
extern struct fs_context init_fs_context;

#define LOOKUP_FOLLOW    BIT(0) /* follow a final symlink */
#define LOOKUP_DIRECTORY BIT(1)
#define LOOKUP_EMPTY     BIT(2) /* AT_EMPTY_PATH */
#define LOOKUP_PARENT    BIT(3) /* stop at the parent of the last component */
#define LOOKUP_NO_SYMLINKS  BIT(4) /* RESOLVE_* of openat2 */
#define LOOKUP_NO_MAGICLINKS BIT(5)
#define LOOKUP_NO_XDEV   BIT(6)
#define LOOKUP_BENEATH   BIT(7)
#define LOOKUP_IN_ROOT   BIT(8)
#define LOOKUP_CACHED    BIT(9)
#define LOOKUP_CREATE    BIT(10) /* the last component will be created (trailing slash rules) */

/* A path fetched from user space once. */
struct filename {
	char *name;      /* terminated; points to inline_name or a page */
	u32 len;
	char inline_name[120];
};
/* 0, -EFAULT, -ENAMETOOLONG, -ENOENT when empty (unless LOOKUP_EMPTY), -ENOMEM. */
int filename_get(struct filename *f, struct user_str s, u32 lookup_flags) __must_check;
void filename_put(struct filename *f);

/* The object a path names, with references. dirfd: AT_FDCWD or a descriptor. */
int path_lookup(int dirfd, const char *name, u32 lookup_flags, struct path *out) __must_check;
/* user_path: filename_get + path_lookup + filename_put. */
int user_path(int dirfd, struct user_str name, u32 lookup_flags, struct path *out) __must_check;
/* unlink(2) for the kernel: relative to the current task's directory. May sleep. 0 or -errno. */
int kernel_unlink(const char *name) __must_check;
/* Kernel-internal: an absolute path from the initial root. */
int kernel_path(const char *name, u32 lookup_flags, struct path *out) __must_check;

/* Parent directory (references) and last component of a path, for calls that create or remove. */
struct last_component {
	struct qstr name;
	enum { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT } type;
	bool trailing_slash;
};
int path_parent(int dirfd, const char *name, u32 lookup_flags, struct path *parent,
		struct last_component *last) __must_check;

/*
 * The absolute name of p as seen from root, built from the end of buf; *out points into buf. A
 * removed object gets the suffix " (deleted)"; one outside root is named from where the tree ends,
 * both as in Linux's /proc. 0 or -ENAMETOOLONG.
 */
int path_name(const struct path *p, const struct path *root, char *buf, size_t size,
	      char **out) __must_check;
/* The name alone, without suffix; *reachable: p lies below root. dentry_ops.name is not asked. */
int path_name_from(const struct path *p, const struct path *root, char *buf, size_t size,
		   char **out, bool *reachable) __must_check;
