/*
 * Copies of trees of mounts: for binds, and for what mounts propagate to.
 *
 * A copy is linked to nothing but itself and belongs to no namespace until mount_attach_locked, so
 * nobody can reach it, and it can be released without being seen. All under the namespace's lock.
 */
#include <lib/errno.h>
#include <mm/slab.h>

#include "dcache_internal.h"
#include "internal.h"
#include "mount_internal.h"

static struct mount *mount_clone(struct mount *m, struct dentry *root, enum mount_kin kin)
{
	struct mount *copy;

	super_get(m->sb);
	copy = mount_create(m->sb, root, READ_ONCE(m->flags), m->source);
	if (copy)
		mount_kin_join(copy, m, kin);
	return copy;
}

void mount_tree_release(struct mount *top)
{
	struct mount *m = top;

	/* Leaves first. */
	while (m) {
		struct mount *up = m == top ? NULL : m->parent;

		if (!list_empty(&m->children)) {
			m = list_first(&m->children, struct mount, child_node);
			continue;
		}
		if (up)
			dentry_put(mount_unlink_locked(m));
		mount_kin_leave(m);
		mount_put(m);
		m = up;
	}
}

/* Copies what is mounted below `from`, as far as it lies under root, onto top. */
static int clone_children(struct mount *top, struct mount *from, struct dentry *root,
			  enum mount_kin kin)
{
	struct mount *m = mount_tree_next(from, from), *copy, *parent = top, *original = from;

	while (m) {
		struct path where;

		if (m->unbindable || (m->parent == from && !dentry_is_below(m->mountpoint, root))) {
			m = mount_tree_skip(m, from);
			continue;
		}
		/* Both trees are walked in the same order: go up until the parents correspond. */
		while (original != m->parent) {
			original = original->parent;
			parent = parent->parent;
		}
		copy = mount_clone(m, m->root, kin);
		if (!copy)
			return -ENOMEM;
		where = (struct path){.mnt = parent, .dentry = m->mountpoint};
		mount_link_locked(copy, &where);
		parent = copy;
		original = m;
		m = mount_tree_next(m, from);
	}
	return 0;
}

struct mount *mount_tree_copy(struct mount *m, struct dentry *root, bool recursive,
			      enum mount_kin kin)
{
	struct mount *top = mount_clone(m, root, kin);

	if (top && recursive && clone_children(top, m, root, kin)) {
		mount_tree_release(top);
		return NULL;
	}
	return top;
}
