/*
 * The path walk.
 *
 * Under RCU a step reads the child from the hash, its inode and its sequence count, and then checks
 * the parent's count again: the child was there while the parent was what the walk believes. The
 * end takes references on mount and dentry and checks the counts of both once more (mount_seq for
 * the mount). Every doubt is -ECHILD: the whole walk starts again, with references and with
 * permission to sleep. Nothing that a walk decides before its end is visible to anybody, so
 * starting again is safe. When something more urgent wants the CPU, the walk takes its references
 * early and goes on with them.
 *
 * Symlinks are walked in place: a stack keeps what is left of each text. A component is final when
 * nothing follows it in its own text and nothing is pending on the stack; only a final component
 * is subject to LOOKUP_FOLLOW and LOOKUP_PARENT.
 *
 * No locks are held between steps. A directory's lock is taken to ask the file system for a name
 * that is not cached.
 */
#include <lib/errno.h>
#include <lib/name_hash.h>
#include <lib/string.h>
#include <task/task.h>
#include <vfs/file.h>

#include "dcache_internal.h"
#include "internal.h"
#include "mount_internal.h"
#include "walk.h"

#define SCOPED (LOOKUP_BENEATH | LOOKUP_IN_ROOT)

u32 protected_symlinks = 1, protected_hardlinks = 1, protected_fifos, protected_regular;

/* A child as a step found it. */
struct child {
	struct path path;    /* ref walk: dentry (and mnt if different from the walk's) referenced */
	struct inode *inode; /* NULL: negative */
	u32 seq;
};

/* ---- Starting points ---- */

static void fs_path_read(struct path *out, const struct path *from, bool rcu)
{
	struct fs_context *fs = current->fs;

	spin_lock(&fs->lock);
	*out = *from;
	if (!rcu)
		path_get(out);
	spin_unlock(&fs->lock);
}

static void walk_need_root(struct walk *w)
{
	if (!w->root.mnt)
		fs_path_read(&w->root, &current->fs->root, w->rcu);
}

/* Makes p (a reference is taken unless under RCU) the place where the walk stands. */
static void walk_set(struct walk *w, const struct path *p)
{
	if (!w->rcu)
		path_get(p);
	w->path = *p;
	w->seq = seq_begin(&p->dentry->seq);
	w->inode = READ_ONCE(p->dentry->inode);
}

static int walk_jump_root(struct walk *w)
{
	if (w->flags & LOOKUP_BENEATH)
		return -EXDEV;
	walk_need_root(w);
	if ((w->flags & LOOKUP_NO_XDEV) && w->path.mnt && w->path.mnt != w->root.mnt)
		return -EXDEV;
	if (w->path.mnt && !w->rcu)
		path_put(&w->path);
	walk_set(w, &w->root);
	return 0;
}

static int walk_start_fd(struct walk *w, int dirfd, const char *name)
{
	struct fd fd = fd_get_raw(dirfd);
	int err = 0;

	if (!fd.file)
		return -EBADF;
	if (*name && !inode_is_dir(fd.file->inode))
		err = -ENOTDIR;
	else
		walk_set(w, &fd.file->path);
	fd_put(fd);
	return err;
}

static int walk_start(struct walk *w, int dirfd, const char *name)
{
	struct path cwd;
	int err = 0;

	if (*name == '/' && !(w->flags & LOOKUP_IN_ROOT))
		return walk_jump_root(w);
	if (dirfd == AT_FDCWD) {
		fs_path_read(&cwd, &current->fs->cwd, w->rcu);
		w->path = cwd;
		w->seq = seq_begin(&cwd.dentry->seq);
		w->inode = READ_ONCE(cwd.dentry->inode);
	} else {
		err = walk_start_fd(w, dirfd, name);
	}
	if (!err && (w->flags & SCOPED)) {
		w->root = w->path;
		path_get(&w->root);
	}
	return err;
}

/* ---- Mounts ---- */

/* Up from the root of a mount to the place it covers. False: it covers none. */
static bool mount_up(struct walk *w)
{
	struct mount *m = w->path.mnt;
	struct path up;

	if (w->rcu) {
		up.mnt = READ_ONCE(m->parent);
		if (!up.mnt)
			return false;
		up.dentry = READ_ONCE(m->mountpoint);
		walk_set(w, &up);
		return true;
	}
	if (!mount_parent_get(m, &up))
		return false;
	path_put(&w->path);
	w->path = up;
	w->inode = up.dentry->inode;
	return true;
}

/* Down to what is mounted on c, as often as something is. */
static __noinline int mount_down_slow(struct walk *w, struct child *c)
{
	struct mount *m;

	while (unlikely(READ_ONCE(c->path.dentry->mounted))) {
		m = w->rcu ? mount_find_rcu(c->path.mnt, c->path.dentry)
			   : mount_find(c->path.mnt, c->path.dentry);
		if (!m)
			break;
		if (!w->rcu) {
			/* The mount last: it may be the last that keeps the dentry's file system. */
			dentry_put(c->path.dentry);
			if (c->path.mnt != w->path.mnt)
				mount_put(c->path.mnt);
			dentry_get(m->root);
		}
		c->path.mnt = m;
		c->path.dentry = m->root;
		c->seq = seq_begin(&m->root->seq);
		c->inode = READ_ONCE(m->root->inode);
	}
	return c->path.mnt != w->path.mnt && (w->flags & LOOKUP_NO_XDEV) ? -EXDEV : 0;
}

static inline int mount_down(struct walk *w, struct child *c)
{
	if (likely(!READ_ONCE(c->path.dentry->mounted) && c->path.mnt == w->path.mnt))
		return 0;
	return mount_down_slow(w, c);
}

static void child_put(const struct walk *w, const struct child *c)
{
	if (w->rcu)
		return;
	dentry_put(c->path.dentry);
	if (c->path.mnt != w->path.mnt)
		mount_put(c->path.mnt);
}

/* The walk now stands at c (references move). */
static void walk_take(struct walk *w, const struct child *c)
{
	if (!w->rcu) {
		dentry_put(w->path.dentry);
		if (c->path.mnt != w->path.mnt)
			mount_put(w->path.mnt);
	}
	w->path = c->path;
	w->inode = c->inode;
	w->seq = c->seq;
}

/* ---- Children ---- */

static bool dentry_still_valid(struct dentry *d)
{
	return !d->ops || !d->ops->revalidate || d->ops->revalidate(d);
}

static struct dentry *cached_child(struct dentry *parent, const struct qstr *name)
{
	struct dentry *d = dentry_lookup(parent, name);

	if (!d || dentry_still_valid(d))
		return d;
	if (!READ_ONCE(d->mounted))
		dentry_invalidate(d);
	dentry_put(d);
	return NULL;
}

int child_lookup_locked(struct dentry *parent, const struct qstr *name, struct dentry **out)
{
	struct inode *dir = parent->inode;
	struct dentry *d = cached_child(parent, name);
	int err;

	*out = d;
	if (d)
		return 0;
	if (READ_ONCE(dir->flags) & INODE_DEAD)
		return -ENOENT;
	if (!dir->ops || !dir->ops->lookup)
		return -ENOTDIR;
	d = dentry_alloc(parent, name);
	if (!d)
		return -ENOMEM;
	err = dir->ops->lookup(dir, d);
	if (err) {
		dentry_put(d);
		return err;
	}
	*out = d;
	return 0;
}

int child_lookup(struct dentry *parent, const struct qstr *name, struct dentry **out)
{
	struct inode *dir = parent->inode;
	int err;

	*out = cached_child(parent, name);
	if (*out)
		return 0;
	rwsem_write_lock(&dir->lock);
	err = child_lookup_locked(parent, name, out);
	rwsem_write_unlock(&dir->lock);
	return err;
}

static int find_child_rcu(struct walk *w, const struct qstr *name, struct child *c)
{
	struct dentry *d = dentry_find_rcu(w->path.dentry, name, &c->seq);

	if (!d || (d->ops && d->ops->revalidate))
		return -ECHILD;
	c->path.mnt = w->path.mnt;
	c->path.dentry = d;
	c->inode = READ_ONCE(d->inode);
	if (seq_changed(&d->seq, c->seq) || seq_changed(&w->path.dentry->seq, w->seq))
		return -ECHILD;
	return 0;
}

static int find_child(struct walk *w, const struct qstr *name, struct child *c)
{
	int err;

	if (unlikely(name->len > NAME_MAX))
		return -ENAMETOOLONG;
	if (w->rcu) {
		err = find_child_rcu(w, name, c);
	} else {
		c->path.mnt = w->path.mnt;
		c->seq = 0;
		err = child_lookup(w->path.dentry, name, &c->path.dentry);
		if (!err)
			c->inode = READ_ONCE(c->path.dentry->inode);
	}
	return err;
}

/* ---- ".." ---- */

static bool path_equal(const struct path *a, const struct path *b)
{
	return a->dentry == b->dentry && a->mnt == b->mnt;
}

/* A directory that was moved out of the subtree that a bind mount shows has no parent there. */
static int check_connected(const struct walk *w, const struct dentry *parent)
{
	const struct mount *m = w->path.mnt;

	if (likely(m->root == m->sb->root) || dentry_is_below(parent, m->root))
		return 0;
	return -ENOENT;
}

static int parent_child(struct walk *w, struct child *c)
{
	struct dentry *d = w->path.dentry;
	int err;

	c->path.mnt = w->path.mnt;
	if (w->rcu) {
		c->path.dentry = READ_ONCE(d->parent);
		c->seq = seq_begin(&c->path.dentry->seq);
		c->inode = READ_ONCE(c->path.dentry->inode);
		if (seq_changed(&d->seq, w->seq) || !c->inode)
			return -ECHILD;
		return check_connected(w, c->path.dentry) ? -ECHILD : 0;
	}
	c->path.dentry = dentry_parent_get(d);
	c->inode = c->path.dentry->inode;
	err = check_connected(w, c->path.dentry);
	if (err)
		dentry_put(c->path.dentry);
	return err;
}

static int walk_dotdot(struct walk *w)
{
	struct child c = {.path = w->path, .inode = w->inode, .seq = w->seq};
	struct mount *before = w->path.mnt;
	int err;

	walk_need_root(w);
	while (!path_equal(&w->path, &w->root) && w->path.dentry == w->path.mnt->root)
		if (!mount_up(w))
			break;
	if ((w->flags & LOOKUP_NO_XDEV) && w->path.mnt != before)
		return -EXDEV;
	if (path_equal(&w->path, &w->root) || w->path.dentry == w->path.mnt->root) {
		if (w->flags & LOOKUP_BENEATH)
			return -EXDEV;
		c = (struct child){.path = w->path, .inode = w->inode, .seq = w->seq};
		if (!w->rcu)
			dentry_get(c.path.dentry);
	} else {
		err = parent_child(w, &c);
		if (err)
			return err;
	}
	/* A rename or mount meanwhile may have let the walk out of its scope: the caller tries again. */
	if ((w->flags & SCOPED) && seq_changed(&rename_seq, w->shape_seq)) {
		child_put(w, &c);
		return -EAGAIN;
	}
	err = mount_down(w, &c);
	if (err)
		child_put(w, &c);
	else
		walk_take(w, &c);
	return err;
}

/* ---- Symlinks ---- */

/* protected_symlinks: in a sticky, world-writable directory only one's own links are followed. */
static bool follow_forbidden(const struct walk *w, const struct inode *link)
{
	u32 dir_mode = READ_ONCE(w->inode->mode), owner = READ_ONCE(link->uid);

	if (!READ_ONCE(protected_symlinks) || owner == current->cred->fsuid)
		return false;
	if ((dir_mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH))
		return false;
	return READ_ONCE(w->inode->uid) != owner;
}

static int walk_jump_link(struct walk *w, struct inode *link)
{
	struct path to;
	int err;

	if (w->flags & LOOKUP_NO_MAGICLINKS)
		return -ELOOP;
	if (w->rcu)
		return -ECHILD;
	err = link->ops->jump_link(link, &to);
	if (err)
		return err;
	if ((w->flags & SCOPED) || ((w->flags & LOOKUP_NO_XDEV) && to.mnt != w->path.mnt)) {
		path_put(&to);
		return -EXDEV;
	}
	path_put(&w->path);
	w->path = to;
	w->inode = to.dentry->inode;
	return 0;
}

/* What a link says; moves the walk for an absolute or magic one. *text is what remains to walk. */
static int link_text(struct walk *w, struct inode *link, const char **text)
{
	int err;

	*text = "";
	if (!link->ops)
		return -EINVAL;
	if (link->ops->jump_link)
		return walk_jump_link(w, link);
	if (!link->ops->get_link)
		return -EINVAL;
	err = link->ops->get_link(link, !w->rcu, text);
	if (err)
		return err;
	if (!**text)
		return -ENOENT;
	return **text == '/' ? walk_jump_root(w) : 0;
}

/* Pushes the link c (references move to the stack). */
static int walk_push(struct walk *w, const struct child *c, const char *rest, bool final,
		     const char **text)
{
	struct walk_link *l = &w->links[w->depth];
	int err = -ELOOP;

	if (++w->nr_links > WALK_MAX_LINKS || (w->flags & LOOKUP_NO_SYMLINKS) ||
	    (READ_ONCE(c->path.mnt->flags) & MNT_NOSYMFOLLOW))
		goto fail;
	err = -EACCES;
	if (final && follow_forbidden(w, c->inode))
		goto fail;
	inode_accessed(c->path.mnt, c->inode);
	if (!w->rcu && c->path.mnt == w->path.mnt)
		mount_get(c->path.mnt);
	l->path = c->path;
	l->rest = rest;
	w->depth++;
	w->pending += *rest != '\0';
	return link_text(w, c->inode, text);
fail:
	child_put(w, c);
	return err;
}

static const char *walk_pop(struct walk *w)
{
	struct walk_link *l = &w->links[--w->depth];
	const char *rest = l->rest;

	w->pending -= *rest != '\0';
	if (!w->rcu)
		path_put(&l->path);
	return rest;
}

/* ---- The walk itself ---- */

/* May the walk look for a name where it stands? */
static inline int walk_may_search(const struct walk *w)
{
	struct inode *i = w->inode;

	if (unlikely(!i))
		return w->rcu ? -ECHILD : -ENOENT;
	if (unlikely(!inode_is_dir(READ_ONCE(i))))
		return -ENOTDIR;
	/* Everybody may search: nearly every directory. */
	if (likely((READ_ONCE(i->mode) & 0111) == 0111) && !i->ops->permission &&
	    likely(!READ_ONCE(i->acl)))
		return 0;
	return inode_permission(i, MAY_EXEC);
}

static const char *skip_slashes(const char *s)
{
	while (*s == '/')
		s++;
	return s;
}

/* Splits the component off s; returns what follows it. */
static const char *component(const char *s, struct last_component *c)
{
	struct name_span n = name_scan(s, name_key);

	c->name = (struct qstr){.name = s, .len = n.len, .hash = n.hash};
	c->type = LAST_NORM;
	if (s[0] == '.' && n.len <= 2 && (n.len == 1 || s[1] == '.'))
		c->type = n.len == 1 ? LAST_DOT : LAST_DOTDOT;
	c->trailing_slash = s[n.len] == '/';
	return skip_slashes(s + n.len);
}

/* One named step. 0, -errno, or 1: a symlink was pushed and *text is to be walked. */
static int walk_name(struct walk *w, const struct last_component *lc, const char *rest, bool final,
		     const char **text)
{
	struct child c __uninit;
	int err = find_child(w, &lc->name, &c);

	if (err)
		return err;
	if (!c.inode) {
		child_put(w, &c);
		return -ENOENT;
	}
	err = mount_down(w, &c);
	if (!err && unlikely(!c.inode))
		err = w->rcu ? -ECHILD : -ENOENT;
	if (err) {
		child_put(w, &c);
		return err;
	}
	if (inode_is_lnk(c.inode) && (!final || (w->flags & LOOKUP_FOLLOW) || w->need_dir)) {
		err = walk_push(w, &c, rest, final, text);
		return err ? err : 1;
	}
	walk_take(w, &c);
	return 0;
}

/* From RCU to references. */
static int walk_leave_rcu(struct walk *w)
{
	struct path p = w->path;
	bool mnt = ref_get_unless_zero(&p.mnt->ref);
	bool dentry = mnt && dentry_tryget(p.dentry);
	bool ok = dentry && !seq_changed(&p.dentry->seq, w->seq) &&
		  !seq_changed(&mount_seq, w->tree_seq) && !w->depth;

	rcu_read_unlock();
	w->rcu = false;
	w->root.mnt = NULL; /* was borrowed */
	if (ok) {
		w->inode = READ_ONCE(p.dentry->inode);
		return 0;
	}
	if (dentry)
		dentry_put(p.dentry);
	if (mnt)
		mount_put(p.mnt);
	w->path.mnt = NULL;
	w->depth = 0;
	return -ECHILD;
}

static int walk_text(struct walk *w, const char *s)
{
	struct last_component lc __uninit;
	const char *rest, *text;
	bool final;
	int err;

	w->last.type = LAST_ROOT;
	for (;;) {
		s = skip_slashes(s);
		if (!*s) {
			if (!w->depth)
				return 0;
			s = walk_pop(w);
			continue;
		}
		/* A long path must not keep the CPU: the rest is walked with references. */
		if (unlikely(need_resched()) && w->rcu &&
		    (w->flags & LOOKUP_CACHED || walk_leave_rcu(w)))
			return -ECHILD;
		err = walk_may_search(w);
		if (err)
			return err;
		rest = component(s, &lc);
		final = !*rest && !w->pending;
		if (final) {
			w->need_dir |= lc.trailing_slash;
			w->last = lc;
			if (w->flags & LOOKUP_PARENT)
				return 0;
		}
		s = rest;
		if (lc.type == LAST_DOTDOT)
			err = walk_dotdot(w);
		else if (lc.type == LAST_NORM)
			err = walk_name(w, &lc, rest, final, &text);
		if (err < 0)
			return err;
		if (err > 0)
			s = text;
	}
}

/* What LOOKUP_DIRECTORY, a trailing slash and RESOLVE_* demand of the end. */
static int walk_check_end(struct walk *w)
{
	if (!(w->flags & LOOKUP_PARENT) && ((w->flags & LOOKUP_DIRECTORY) || w->need_dir) &&
	    !inode_is_dir(w->inode))
		return -ENOTDIR;
	if ((w->flags & SCOPED) && !path_is_under(&w->path, &w->root))
		return -EXDEV;
	return 0;
}

static void walk_abort(struct walk *w)
{
	if (w->rcu) {
		rcu_read_unlock();
		return;
	}
	walk_end(w, false);
}

static int walk_once(struct walk *w, int dirfd, const char *name, u32 flags, bool rcu)
{
	int err;

	w->path.mnt = w->root.mnt = NULL;
	w->flags = flags;
	w->rcu = rcu;
	w->need_dir = false;
	w->depth = w->pending = w->nr_links = 0;
	w->last.name.name = NULL;
	w->tree_seq = seq_begin(&mount_seq);
	w->shape_seq = seq_begin(&rename_seq);
	if (rcu)
		rcu_read_lock();
	err = walk_start(w, dirfd, name);
	if (!err)
		err = walk_text(w, name);
	if (!err && !w->inode)
		err = w->rcu ? -ECHILD : -ENOENT;
	if (!err)
		err = walk_check_end(w);
	if (err) {
		walk_abort(w);
		return err;
	}
	return w->rcu ? walk_leave_rcu(w) : 0;
}

int walk_path(struct walk *w, int dirfd, const char *name, u32 flags)
{
	int err = -ECHILD;

	if (!(flags & SCOPED))
		err = walk_once(w, dirfd, name, flags, true);
	if (err != -ECHILD)
		return err;
	if (flags & LOOKUP_CACHED)
		return -EAGAIN;
	return walk_once(w, dirfd, name, flags, false);
}

int walk_follow_last(struct walk *w, struct dentry *d)
{
	struct child c = {.path = {.mnt = w->path.mnt, .dentry = d}, .inode = d->inode};
	const char *text = "";
	int err = walk_push(w, &c, "", true, &text);

	w->last.name.name = NULL;
	if (!err)
		err = walk_text(w, text);
	if (!err)
		err = walk_check_end(w);
	if (err)
		walk_end(w, false);
	return err;
}

int walk_last_dots(struct walk *w)
{
	return w->last.type == LAST_DOTDOT ? walk_dotdot(w) : 0;
}

int walk_enter(struct walk *w, struct dentry *d)
{
	struct child c = {.path = {.mnt = w->path.mnt, .dentry = d}, .inode = d->inode};
	int err = mount_down(w, &c);

	if (err)
		child_put(w, &c);
	else
		walk_take(w, &c);
	return err;
}

void walk_end(struct walk *w, bool keep_path)
{
	while (w->depth)
		walk_pop(w);
	if (w->root.mnt)
		path_put(&w->root);
	w->root.mnt = NULL;
	if (w->path.mnt && !keep_path)
		path_put(&w->path);
}
