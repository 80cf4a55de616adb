/*
 * The path walk's state. A walk starts under RCU, without references; where the cache does not
 * reach (or something may sleep) it is started again with references. Callers see only the end:
 * path and root with references, no RCU section.
 */
#pragma once

#include <vfs/path.h>

#define WALK_MAX_LINKS 40

struct walk_link {
	const char *rest;   /* what to walk after the link's text; "" for a final link */
	struct path path;   /* the link itself: keeps its text; references unless under RCU */
};

struct walk {
	struct path path;   /* where the walk stands */
	struct inode *inode; /* path.dentry's */
	u32 seq;            /* path.dentry's, under RCU */
	struct path root;   /* mnt NULL: not looked at yet */
	u32 flags;          /* LOOKUP_* */
	bool rcu;
	bool need_dir;      /* a trailing slash was seen */
	bool create;        /* open(2) with O_CREAT: the file may come to be where the walk ends */
	u32 tree_seq;       /* mount_seq, under RCU */
	u32 shape_seq;      /* rename_seq, for scoped look-ups */
	u32 depth;          /* links being walked */
	u32 pending;        /* of them with something left to walk */
	u32 nr_links;       /* followed so far */
	struct last_component last; /* LOOKUP_PARENT: what was not walked */
	struct walk_link links[WALK_MAX_LINKS];
};

/* Walks name. 0 or -errno; walk_end must follow success, not failure. */
int walk_path(struct walk *w, int dirfd, const char *name, u32 flags) __must_check;
/*
 * After a LOOKUP_PARENT walk: goes on through the symlink d (reference consumed), which is the last
 * component. Same rules as walk_path.
 */
int walk_follow_last(struct walk *w, struct dentry *d) __must_check;
/* After a LOOKUP_PARENT walk whose last component is no name: makes it w->path ("." and ".."). */
int walk_last_dots(struct walk *w) __must_check;
/* Replaces w->path by (its mount, d) and whatever is mounted there; consumes the reference. */
int walk_enter(struct walk *w, struct dentry *d) __must_check;
/* Gives back all references; w->path is kept for the caller when keep_path. */
void walk_end(struct walk *w, bool keep_path);

/*
 * The child of that name: from the cache, or through the directory's lookup. *out has a reference
 * and may be negative. The directory is locked exclusively (_locked) or not at all.
 */
int child_lookup(struct dentry *parent, const struct qstr *name, struct dentry **out) __must_check;
int child_lookup_locked(struct dentry *parent, const struct qstr *name,
			struct dentry **out) __must_check;
