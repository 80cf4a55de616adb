/*
 * mount(2) and umount2(2): new mounts, binds, moves, remounts.
 *
 * All of them find their paths first, then take the namespace's lock, and then look at what they
 * found once more: the place may have been covered or removed meanwhile. New mounts are made
 * before the lock; what goes is put after it. There is one namespace.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <task/task.h>
#include <vfs/file.h>

#include "internal.h"
#include "mount_internal.h"

#define MS_MGC_VALUE 0xC0ED0000u
#define MS_MGC_MASK  0xffff0000u
#define UMOUNT_FORCE    1u
#define UMOUNT_DETACH   2u
#define UMOUNT_EXPIRE   4u
#define UMOUNT_NO_FOLLOW 8u
#define ATIME_FLAGS (MNT_NOATIME | MNT_NODIRATIME | MNT_RELATIME)
#define SUPER_FLAGS (MS_RDONLY | MS_SYNCHRONOUS | MS_MANDLOCK | MS_DIRSYNC | MS_LAZYTIME)

static u32 mount_flags_of(u32 flags)
{
	u32 mnt = flags & (MNT_RDONLY | MNT_NOSUID | MNT_NODEV | MNT_NOEXEC | MNT_NOSYMFOLLOW |
			   MNT_NOATIME | MNT_NODIRATIME);

	if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
		mnt |= MNT_RELATIME;
	if (flags & MS_STRICTATIME)
		mnt &= ~(u32)MNT_NOATIME;
	return mnt;
}

static bool attached(const struct mount *m)
{
	return m->ns == &init_mount_ns;
}

/* ---- Attaching ---- */

/*
 * The place where something mounted on p really goes: on top of what is mounted there already.
 * Replaces p's references. Final only while ns->lock is held.
 */
static void descend(struct path *p)
{
	struct mount *m;

	while ((m = mount_find(p->mnt, p->dentry))) {
		struct path down = {.mnt = m, .dentry = m->root};

		dentry_get(m->root);
		path_put(p);
		*p = down;
	}
}

static bool place_gone(const struct dentry *d)
{
	return !dentry_hashed(d) && !dentry_is_root(d);
}

/*
 * Finds the place and locks its inode, so that it is not removed under the mount: unlink, rmdir
 * and rename look for mounts with that lock held. ns->lock held. Undone by place_unlock.
 */
static void place_lock(struct path *where) NO_THREAD_SAFETY
{
	descend(where);
	rwsem_write_lock(&where->dentry->inode->lock);
}

static void place_unlock(const struct path *where) NO_THREAD_SAFETY
{
	rwsem_write_unlock(&where->dentry->inode->lock);
}

static int place_check(const struct path *where, const struct dentry *root)
{
	if (!attached(where->mnt))
		return -EINVAL;
	if (place_gone(where->dentry))
		return -ENOENT;
	if (inode_is_dir(where->dentry->inode) != inode_is_dir(root->inode))
		return -ENOTDIR;
	return 0;
}

/* Puts the new tree m on where. ns->lock held. */
static int attach_locked(struct mount *m, struct path *where)
{
	struct dentry *covered = NULL;
	int err;

	place_lock(where);
	err = place_check(where, m->root);
	if (!err)
		err = mount_graft(m, where, &covered);
	place_unlock(where);
	return err;
}

static int do_new_mount(struct path *where, const char *source, const char *type, u32 flags,
			const char *options)
{
	struct mount_ns *ns = &init_mount_ns;
	struct fs_type *t = fs_find(type);
	struct super_block *sb;
	struct mount *m;
	int err;

	if (!t)
		return -ENODEV;
	if (!t->user_mountable)
		return -EINVAL;
	err = t->mount(t, source, flags & SUPER_FLAGS, options, &sb);
	if (err)
		return err;
	m = mount_create(sb, sb->root, mount_flags_of(flags), source);
	if (!m)
		return -ENOMEM;
	mutex_lock(&ns->lock);
	descend(where);
	/* The same file system twice on top of itself is a mistake. */
	if (where->mnt->sb == m->sb && where->dentry == where->mnt->root)
		err = -EBUSY;
	else
		err = attach_locked(m, where);
	mutex_unlock(&ns->lock);
	if (err)
		mount_put(m);
	return err;
}

/* ---- Bind mounts ---- */

static int do_bind(struct path *where, const char *source, bool recursive)
{
	struct mount_ns *ns = &init_mount_ns;
	struct mount *m = NULL;
	struct path from;
	int err;

	if (!source || !*source)
		return -EINVAL;
	err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (err)
		return err;
	mutex_lock(&ns->lock);
	if (from.mnt->unbindable || !attached(from.mnt)) {
		err = -EINVAL;
	} else {
		m = mount_tree_copy(from.mnt, from.dentry, recursive, KIN_TWIN);
		err = m ? attach_locked(m, where) : -ENOMEM;
		if (err && m)
			mount_tree_release(m);
	}
	mutex_unlock(&ns->lock);
	path_put(&from);
	return err;
}

/* ---- Moves ---- */

static bool has_unbindable(struct mount *top)
{
	struct mount *m;

	for (m = top; m; m = mount_tree_next(m, top))
		if (m->unbindable)
			return true;
	return false;
}

static int move_check(const struct path *from, const struct path *where)
{
	const struct mount *m;

	if (!attached(from->mnt) || !attached(where->mnt))
		return -EINVAL;
	if (from->dentry != from->mnt->root || !from->mnt->parent)
		return -EINVAL;
	if (inode_is_dir(where->dentry->inode) != inode_is_dir(from->dentry->inode))
		return -EINVAL;
	if (from->mnt->parent->shared || (where->mnt->shared && has_unbindable(from->mnt)))
		return -EINVAL;
	for (m = where->mnt; m; m = m->parent)
		if (m == from->mnt)
			return -ELOOP;
	return 0;
}

static int do_move(struct path *where, const char *source)
{
	struct mount_ns *ns = &init_mount_ns;
	struct dentry *covered = NULL;
	struct path from;
	int err;

	if (!source || !*source)
		return -EINVAL;
	err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (err)
		return err;
	mutex_lock(&ns->lock);
	place_lock(where);
	err = place_gone(where->dentry) ? -ENOENT : move_check(&from, where);
	if (!err)
		err = mount_graft(from.mnt, where, &covered);
	place_unlock(where);
	dentry_put(covered); /* under the lock: its mount is attached and keeps the file system */
	mutex_unlock(&ns->lock);
	path_put(&from);
	return err;
}

/* ---- Changing flags ---- */

/* Makes the mount read-only unless files are open for writing through it. ns->lock held. */
static int set_mount_flags(struct mount *m, u32 flags)
{
	u32 old = m->flags;

	WRITE_ONCE(m->flags, flags);
	smp_mb(); /* pairs with file_take_write: it counts first and looks afterwards */
	if ((flags & MNT_RDONLY) && !(old & MNT_RDONLY) && atomic_read(&m->writers)) {
		WRITE_ONCE(m->flags, old);
		return -EBUSY;
	}
	return 0;
}

/* What a remount without any atime flag leaves as it is. */
static u32 remount_flags(const struct mount *m, u32 flags)
{
	u32 mnt = mount_flags_of(flags);

	if (!(flags & (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)))
		mnt = (mnt & ~(u32)ATIME_FLAGS) | (m->flags & ATIME_FLAGS);
	return mnt;
}

static bool super_has_writers(const struct super_block *sb)
{
	const struct mount *m;

	list_for_each(m, &init_mount_ns.mounts, ns_node)
		if (m->sb == sb && atomic_read(&m->writers))
			return true;
	return false;
}

static int remount_super(struct super_block *sb, u32 flags, const char *options)
{
	u32 old = sb->flags, new = (old & ~(u32)SUPER_FLAGS) | (flags & SUPER_FLAGS);
	int err = 0;

	WRITE_ONCE(sb->flags, new);
	smp_mb();
	if ((new & MS_RDONLY) && !(old & MS_RDONLY) && super_has_writers(sb))
		err = -EBUSY;
	if (!err && sb->type->remount)
		err = sb->type->remount(sb, flags & SUPER_FLAGS, options);
	if (err)
		WRITE_ONCE(sb->flags, old);
	return err;
}

static int do_remount(const struct path *p, u32 flags, const char *options)
{
	struct mount_ns *ns = &init_mount_ns;
	struct mount *m = p->mnt;
	int err;

	if (p->dentry != m->root)
		return -EINVAL;
	mutex_lock(&ns->lock);
	if (!attached(m))
		err = -EINVAL;
	else if (flags & MS_BIND)
		err = set_mount_flags(m, remount_flags(m, flags));
	else
		err = remount_super(m->sb, flags, options);
	if (!err && !(flags & MS_BIND))
		err = set_mount_flags(m, remount_flags(m, flags));
	if (!err)
		mount_tell_change(ns);
	mutex_unlock(&ns->lock);
	return err;
}

static int do_propagation(const struct path *p, u32 flags)
{
	u32 type = flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE);
	struct mount_ns *ns = &init_mount_ns;
	struct mount *m;
	int err = -EINVAL;

	if (flags & ~(u32)(type | MS_REC | MS_SILENT))
		return -EINVAL;
	if (p->dentry != p->mnt->root || (type & (type - 1)))
		return -EINVAL;
	mutex_lock(&ns->lock);
	if (attached(p->mnt)) {
		for (m = p->mnt; m; m = flags & MS_REC ? mount_tree_next(m, p->mnt) : NULL)
			mount_set_propagation(m, type);
		err = 0;
	}
	mutex_unlock(&ns->lock);
	return err;
}

/* ---- mount(2) ---- */

static int do_mount(struct path *where, const char *source, const char *type, u32 flags,
		    const char *options)
{
	if ((flags & MS_MGC_MASK) == MS_MGC_VALUE)
		flags &= ~MS_MGC_MASK;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & MS_REMOUNT)
		return do_remount(where, flags, options);
	if (flags & MS_BIND)
		return do_bind(where, source, flags & MS_REC);
	if (flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
		return do_propagation(where, flags);
	if (flags & MS_MOVE)
		return do_move(where, source);
	return type ? do_new_mount(where, source, type, flags, options) : -EINVAL;
}

/* A string argument of mount(2), which may be absent: *out is NULL then. kfree it. */
static int mount_string(struct user_str s, char **out)
{
	ssize_t len;

	*out = NULL;
	if (user_is_null(s))
		return 0;
	*out = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!*out)
		return -ENOMEM;
	len = user_read_str(*out, s, PAGE_SIZE);
	if (len == -ENAMETOOLONG)
		return -EINVAL;
	return len < 0 ? (int)len : 0;
}

static long mount_at(struct user_str target, const char *source, const char *type, u32 flags,
		     const char *options)
{
	struct path where;
	long err = user_path(AT_FDCWD, target, LOOKUP_FOLLOW, &where);

	if (err)
		return err;
	err = do_mount(&where, source, type, flags, options ? options : "");
	path_put(&where);
	return err;
}

long sys_mount(struct user_str source, struct user_str target, struct user_str type, u64 flags,
	       struct user_str data)
{
	char *ktype, *ksource = NULL, *kdata = NULL;
	long err = mount_string(type, &ktype);

	if (!err)
		err = mount_string(source, &ksource);
	if (!err)
		err = mount_string(data, &kdata);
	if (!err)
		err = mount_at(target, ksource, ktype, (u32)flags, kdata);
	kfree(kdata);
	kfree(ksource);
	kfree(ktype);
	return err;
}

/* ---- umount2(2) ---- */

static void umount_finish(struct list_head *gone)
{
	while (!list_empty(gone)) {
		struct mount *m = list_first(gone, struct mount, ns_node);

		list_del(&m->ns_node);
		mount_put(m);
	}
}

static int umount_locked(struct mount *m, u32 flags, struct list_head *gone)
{
	if (!attached(m) || !m->parent)
		return -EINVAL;
	return mount_take(m, flags & UMOUNT_DETACH, gone);
}

int mount_remove(const struct path *p, u32 flags)
{
	struct list_head gone = LIST_INIT(gone);
	struct mount_ns *ns = &init_mount_ns;
	int err;

	mutex_lock(&ns->lock);
	err = p->dentry == p->mnt->root ? umount_locked(p->mnt, flags, &gone) : -EINVAL;
	mutex_unlock(&ns->lock);
	umount_finish(&gone);
	return err;
}

static int do_umount(const struct path *p, u32 flags)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (p->dentry != p->mnt->root)
		return -EINVAL;
	if (flags & UMOUNT_EXPIRE)
		return -EINVAL; /* no expiry marks here */
	if (!p->mnt->parent)
		return -EINVAL; /* the root of all stays */
	/* Unmounting / makes it read-only, as Linux does for old shutdown scripts. */
	if (p->mnt == current->fs->root.mnt && !(flags & UMOUNT_DETACH))
		return do_remount(p, MS_RDONLY, "");
	return mount_remove(p, flags);
}

long sys_umount2(struct user_str path, u32 flags)
{
	struct path p;
	int err;

	if (flags & ~(UMOUNT_FORCE | UMOUNT_DETACH | UMOUNT_EXPIRE | UMOUNT_NO_FOLLOW))
		return -EINVAL;
	err = user_path(AT_FDCWD, path, flags & UMOUNT_NO_FOLLOW ? 0 : LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	descend(&p); /* the last mount on that place, also for "." and "/" */
	err = do_umount(&p, flags);
	path_put(&p);
	return err;
}

/* ---- For the kernel itself ---- */

int kernel_mount(const char *type, const char *source, const char *where, u32 flags,
		 const char *options)
{
	struct path p;
	int err = kernel_path(where, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	err = do_new_mount(&p, source, type, flags, options);
	path_put(&p);
	return err;
}
