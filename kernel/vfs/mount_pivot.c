/*
 * pivot_root(2): the tree's root becomes another mount, and the old root moves below it.
 *
 * Both moves happen inside one change of the mount tree. Afterwards every task whose root or
 * working directory was the old root gets the new one, as Linux does it.
 */
#include <lib/errno.h>
#include <linux/fcntl.h>
#include <syscall/table.h>
#include <task/task.h>

#include "dcache_internal.h"
#include "internal.h"
#include "mount_internal.h"

static bool same(const struct path *a, const struct path *b)
{
	return a->mnt == b->mnt && a->dentry == b->dentry;
}

/* Replaces old by new in one task's context; the number of references on old that are free now. */
static u32 fs_replace(struct task *t, const struct path *old, const struct path *new)
{
	struct fs_context *fs;
	u32 freed = 0;

	spin_lock(&t->alloc_lock);
	fs = t->fs;
	if (fs) {
		spin_lock_nested(&fs->lock); /* a task's lock, then its context's */
		if (same(&fs->root, old)) {
			path_get(new);
			fs->root = *new;
			freed++;
		}
		if (same(&fs->cwd, old)) {
			path_get(new);
			fs->cwd = *new;
			freed++;
		}
		spin_unlock(&fs->lock);
	}
	spin_unlock(&t->alloc_lock);
	return freed;
}

static void all_fs_replace(const struct path *old, const struct path *new)
{
	struct process *p;
	struct task *t;
	u32 freed = 0;

	spin_lock(&tasklist_lock);
	list_for_each(p, &all_processes, all_node)
		list_for_each(t, &p->threads, thread_node)
			freed += fs_replace(t, old, new);
	spin_unlock(&tasklist_lock);
	while (freed--)
		path_put(old);
}

static bool on_shared(const struct mount *m)
{
	return m->parent && m->parent->shared;
}

static int pivot_check(const struct path *new, const struct path *put_old, const struct path *root)
{
	const struct mount *m = new->mnt, *r = root->mnt;

	if (m->ns != &init_mount_ns || r->ns != &init_mount_ns ||
	    put_old->mnt->ns != &init_mount_ns)
		return -EINVAL;
	if (put_old->mnt->shared || on_shared(m) || on_shared(r))
		return -EINVAL;
	if (!dentry_hashed(put_old->dentry) && !dentry_is_root(put_old->dentry))
		return -ENOENT;
	if (m == r || put_old->mnt == r)
		return -EBUSY;
	if (root->dentry != r->root || !r->parent || new->dentry != m->root || !m->parent)
		return -EINVAL;
	if (!path_is_under(put_old, new) || !path_is_under(new, root))
		return -EINVAL;
	return 0;
}

/* The references that both mounts had on what they covered come back through covered. */
static void pivot_locked(const struct path *new, const struct path *put_old,
			 const struct path *root, struct dentry *covered[2])
{
	struct path old_place = {.mnt = root->mnt->parent, .dentry = root->mnt->mountpoint};

	mount_change_begin();
	covered[0] = mount_detach_locked(new->mnt);
	covered[1] = mount_detach_locked(root->mnt);
	mount_attach_locked(root->mnt, put_old, &init_mount_ns);
	mount_attach_locked(new->mnt, &old_place, &init_mount_ns);
	mount_change_end(&init_mount_ns);
}

static int pivot(const struct path *new, const struct path *put_old)
{
	struct dentry *covered[2] = {NULL, NULL};
	struct fs_context *fs = current->fs;
	struct path root;
	int err;

	spin_lock(&fs->lock);
	root = fs->root;
	path_get(&root);
	spin_unlock(&fs->lock);
	mutex_lock(&init_mount_ns.lock);
	/* The place of the old root is not removed meanwhile; see place_lock in mount_call.c. */
	rwsem_write_lock(&put_old->dentry->inode->lock);
	err = pivot_check(new, put_old, &root);
	if (!err)
		pivot_locked(new, put_old, &root, covered);
	rwsem_write_unlock(&put_old->dentry->inode->lock);
	/* Under the lock: the mounts of these places are attached and keep the file systems. */
	dentry_put(covered[0]);
	dentry_put(covered[1]);
	mutex_unlock(&init_mount_ns.lock);
	if (!err)
		all_fs_replace(&root, new);
	path_put(&root);
	return err;
}

long sys_pivot_root(struct user_str new_root, struct user_str put_old)
{
	struct path new, old;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = user_path(AT_FDCWD, new_root, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
	if (err)
		return err;
	err = user_path(AT_FDCWD, put_old, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
	if (!err) {
		err = pivot(&new, &old);
		path_put(&old);
	}
	path_put(&new);
	return err;
}
