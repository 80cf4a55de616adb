/*
 * Watching inodes (inotify, dnotify). The hooks below are called after something has happened; as long as
 * nobody watches anything they cost one test of one word. Events are named by inotify's bits.
 * All hooks: process context, no spinlock held.
 */
#pragma once

#include <lib/atomic.h>
#include <lib/list.h>
#include <linux/inotify.h>
#include <vfs/file.h>

struct notify_watch;

/* A name changed within one directory: of its watches only, and beside the two halves of the move. */
#define NOTIFY_RENAME 0x10000000
#define NOTIFY_EVENTS (IN_ALL_EVENTS | NOTIFY_RENAME)

struct notify_ops {
	/* An event that the watch asked for; name: of the child that it is about, or NULL. Under the
	 * inode's spinlock. */
	void (*event)(struct notify_watch *w, u32 mask, const struct qstr *name, u32 cookie);
	/* After that, without spinlocks; once or more for any number of events. May be NULL. */
	void (*told)(struct notify_watch *w);
	/* The watch is off its inode. Once; process context. Then the inode is put, and then free. */
	void (*gone)(struct notify_watch *w);
	void (*free)(struct notify_watch *w);
};

struct notify_watch {
	const struct notify_ops *ops;    /* const */
	struct ref ref;                  /* being attached, and passing users */
	struct inode *inode;             /* const; reference while attached */
	struct hlist_node node;          /* inode->watches; inode spin */
	struct list_head all_node;       /* list of all watches; its lock */
	struct notify_watch *next_dead;  /* private to notify.c */
	struct notify_watch *next_told;  /* inode spin, then its deliverer's */
	u32 mask;                        /* inode spin: NOTIFY_EVENTS; IN_ONESHOT, IN_EXCL_UNLINK */
	bool telling;                    /* inode spin: a deliverer is about to call told */
	bool attached;                   /* inode spin */
};

/* Puts a new watch (ops, mask and one reference set) on an inode. */
void notify_attach(struct notify_watch *w, struct inode *i);
/* Takes it off. False: it is not on yet, or somebody else takes it off. */
bool notify_detach(struct notify_watch *w);
void notify_put(struct notify_watch *w);
/* After a change of a watch's mask. inode spin. */
void notify_mask_changed(struct inode *i);

extern u32 notify_nr_watches; /* torn-free reads */

static inline bool notify_anybody(void)
{
	return unlikely(READ_ONCE(notify_nr_watches));
}

void notify_entry_slow(struct dentry *d, struct inode *i, u32 mask);
void notify_inode_slow(struct inode *i, u32 mask, const struct qstr *name, u32 cookie);
void notify_move_slow(struct inode *from, const struct qstr *old, struct inode *to,
		      const struct qstr *new, struct inode *moved, struct inode *replaced);
void notify_attr_slow(struct dentry *d, u32 valid);
void notify_gone_slow(struct inode *i);
void notify_super_slow(struct super_block *sb);

/* Something happened to an open file: its watches and its directory's learn of it. */
static inline void notify_file(const struct file *f, u32 mask)
{
	if (notify_anybody())
		notify_entry_slow(f->path.dentry, f->inode, mask);
}

/* … to what a name stands for. */
static inline void notify_dentry(struct dentry *d, u32 mask)
{
	if (notify_anybody())
		notify_entry_slow(d, d->inode, mask);
}

/* … to the inode alone. */
static inline void notify_inode(struct inode *i, u32 mask)
{
	if (notify_anybody())
		notify_inode_slow(i, mask, NULL, 0);
}

/* A name in dir came or went. */
static inline void notify_name(struct inode *dir, u32 mask, const struct qstr *name)
{
	if (notify_anybody())
		notify_inode_slow(dir, mask, name, 0);
}

/* A rename; replaced: the inode that lost its name by it, or NULL. */
static inline void notify_move(struct inode *from, const struct qstr *old, struct inode *to,
			       const struct qstr *new, struct inode *moved, struct inode *replaced)
{
	if (notify_anybody())
		notify_move_slow(from, old, to, new, moved, replaced);
}

/* Attributes changed; valid: ATTR_*. */
static inline void notify_attr(struct dentry *d, u32 valid)
{
	if (notify_anybody())
		notify_attr_slow(d, valid);
}

/* A name lets go of an inode that has no link left: watches learn of it and end. */
static inline void notify_gone(struct inode *i)
{
	if (notify_anybody())
		notify_gone_slow(i);
}

/* A file system is about to go: so do the watches on it. */
static inline void notify_super(struct super_block *sb)
{
	if (atomic_read(&sb->nr_watches))
		notify_super_slow(sb);
}
