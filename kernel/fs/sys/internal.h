/* Private to sysfs. */
#pragma once

#include <fs/sysfs.h>
#include <lib/list.h>
#include <sync/mutex.h>
#include <vfs/inode.h>

struct sys_node {
	struct ref ref;            /* the tree's, one per inode, one per link that leads to it */
	struct sys_node *parent;   /* const; the root: NULL */
	char *name;                /* const */
	u32 mode;                  /* const: S_IFDIR, S_IFREG, S_IFLNK and permissions */
	u32 ino;                   /* const; orders the directory, too */
	const struct sys_attr *attr; /* S_IFREG; const */
	void *object;              /* S_IFREG; const, good while the node is not dead */
	struct sys_node *target;   /* S_IFLNK; const: reference */
	bool dead;                 /* sys_lock */
	struct list_head children; /* S_IFDIR; sys_lock */
	struct list_head sibling;  /* sys_lock */
};

extern struct mutex sys_lock; /* LOCK_RANK_SYSFS: the tree; held while an attribute is shown */

static inline void sys_get(struct sys_node *n)
{
	ref_get(&n->ref);
}
void sys_put(struct sys_node *n);
/* sys_lock held. */
struct sys_node *sys_find(const struct sys_node *dir, const char *name, size_t len);
/* The text of a link: from its directory to the target. Length, or -ENAMETOOLONG. */
int sys_link_text(const struct sys_node *link, char *buf, size_t size);
