/*
 * Changes of the tree's shape (rename), and names of dentries as text.
 *
 * rename_spin serialises moves of the whole cache; rename_seq tells readers. Inside it the locks
 * of up to four dentries are taken nested: no other place takes two dentry locks that are not
 * parent and child, and those cannot invert against a move, because a move holds rename_spin and
 * takes parents first.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <task/task.h>
#include <vfs/inode.h>

#include "dcache_internal.h"
#include "mount_internal.h"

/* Takes target's name; *old_text (if not inline) is to be freed after a grace period. */
static void name_take(struct dentry *d, const struct dentry *target, char *text, const char **old)
{
	*old = d->name.name != d->name_inline ? d->name.name : NULL;
	if (!text) {
		/* The last byte of name_inline stays 0 all the time: readers never run past it. */
		memcpy(d->name_inline, target->name_inline, DNAME_INLINE);
		text = d->name_inline;
	}
	WRITE_ONCE(d->name.name, text);
	WRITE_ONCE(d->name.len, target->name.len);
	WRITE_ONCE(d->name.hash, target->name.hash);
}

static void name_swap(struct dentry *a, struct dentry *b)
{
	bool a_inline = a->name.name == a->name_inline, b_inline = b->name.name == b->name_inline;
	char text[DNAME_INLINE];
	struct qstr q = a->name;

	memcpy(text, a->name_inline, DNAME_INLINE);
	memcpy(a->name_inline, b->name_inline, DNAME_INLINE);
	memcpy(b->name_inline, text, DNAME_INLINE);
	a->name = b->name;
	b->name = q;
	if (b_inline)
		a->name.name = a->name_inline;
	if (a_inline)
		b->name.name = b->name_inline;
}

static void reparent(struct dentry *d, struct dentry *parent)
{
	list_del(&d->child_node);
	WRITE_ONCE(d->parent, parent);
	list_add(&d->child_node, &parent->children);
}

struct name_garbage {
	struct rcu_head rcu;
	const char *text;
};

static void garbage_free(struct rcu_head *head)
{
	struct name_garbage *g = container_of(head, struct name_garbage, rcu);

	kfree(g->text);
	kfree(g);
}

static void lock_family(struct dentry *d, struct dentry *target) NO_THREAD_SAFETY
{
	struct dentry *p = d->parent, *q = target->parent;

	/* Parents before children also when one parent lies below the other. */
	if (p != q && dentry_is_below(p, q)) {
		p = target->parent;
		q = d->parent;
	}
	spin_lock_nested(&p->lock);
	if (p != q)
		spin_lock_nested(&q->lock);
	spin_lock_nested(&d->lock);
	spin_lock_nested(&target->lock);
}

static void unlock_family(struct dentry *p, struct dentry *q, struct dentry *d, struct dentry *t)
	NO_THREAD_SAFETY
{
	spin_unlock(&t->lock);
	spin_unlock(&d->lock);
	if (p != q)
		spin_unlock(&q->lock);
	spin_unlock(&p->lock);
}

static void move_locked(struct dentry *d, struct dentry *target, bool exchange, char *text,
			const char **old)
{
	struct dentry *p = d->parent, *q = target->parent;

	seq_write_begin(&d->seq);
	seq_write_begin(&target->seq);
	dentry_unhash_locked(d);
	dentry_unhash_locked(target);
	if (exchange)
		name_swap(d, target);
	else
		name_take(d, target, text, old);
	if (p != q || exchange)
		reparent(target, p);
	reparent(d, q);
	dentry_hash_locked(d);
	if (exchange)
		dentry_hash_locked(target);
	seq_write_end(&target->seq);
	seq_write_end(&d->seq);
}

int dentry_move_prepare(struct dentry_move *m, struct dentry *d, struct dentry *target,
			bool exchange)
{
	*m = (struct dentry_move){.d = d, .target = target, .exchange = exchange};
	if (exchange)
		return 0;
	if (target->name.len >= DNAME_INLINE) {
		m->text = kmalloc(target->name.len + 1, GFP_KERNEL);
		if (!m->text)
			return -ENOMEM;
		memcpy(m->text, target->name.name, target->name.len + 1);
	}
	if (d->name.name != d->name_inline) {
		m->garbage = kmalloc(sizeof(*m->garbage), GFP_KERNEL);
		if (!m->garbage) {
			kfree(m->text);
			return -ENOMEM;
		}
	}
	return 0;
}

void dentry_move_commit(struct dentry_move *m)
{
	struct dentry *p = m->d->parent, *q = m->target->parent;
	const char *old = NULL;

	spin_lock(&rename_spin);
	lock_family(m->d, m->target);
	seq_write_begin(&rename_seq);
	/* References on the parents move with the children that hold them: target takes p. */
	move_locked(m->d, m->target, m->exchange, m->text, &old);
	seq_write_end(&rename_seq);
	unlock_family(p, q, m->d, m->target);
	spin_unlock(&rename_spin);
	if (m->garbage) {
		m->garbage->text = old;
		rcu_call(&m->garbage->rcu, garbage_free);
	}
}

void dentry_move_abort(struct dentry_move *m)
{
	kfree(m->text);
	kfree(m->garbage);
}

/* Puts text in front of *pos. */
static bool prepend(char *buf, char **pos, const char *text, size_t len)
{
	if ((size_t)(*pos - buf) < len)
		return false;
	*pos -= len;
	memcpy(*pos, text, len);
	return true;
}

enum walk_end { WALK_ROOT, WALK_GLOBAL_ROOT, WALK_DETACHED, WALK_TOO_LONG };

/* One step up from (mnt, d); writes the name passed. RCU. */
static bool prepend_dentry(struct dentry *d, char *buf, char **pos)
{
	bool ok;

	spin_lock(&d->lock); /* the text is stable under it */
	ok = prepend(buf, pos, d->name.name, d->name.len) && prepend(buf, pos, "/", 1);
	spin_unlock(&d->lock);
	return ok;
}

static enum walk_end prepend_path(const struct path *p, const struct path *root, char *buf,
				  char **pos)
{
	struct dentry *d = p->dentry;
	struct mount *m = p->mnt;

	while (d != root->dentry || m != root->mnt) {
		if (d == m->root || dentry_is_root(d)) {
			struct mount *up = READ_ONCE(m->parent);

			if (d != m->root)
				return WALK_DETACHED;
			if (up == m || !up)
				return READ_ONCE(m->ns) ? WALK_GLOBAL_ROOT : WALK_DETACHED;
			d = READ_ONCE(m->mountpoint);
			m = up;
			continue;
		}
		if (!prepend_dentry(d, buf, pos))
			return WALK_TOO_LONG;
		d = READ_ONCE(d->parent);
	}
	return WALK_ROOT;
}

/* Text of p in front of suffix, at the end of buf. */
static int name_with_suffix(const struct path *p, const struct path *root, const char *suffix,
			    char *buf, size_t size, char **out, bool *reachable)
{
	char *pos, *last = buf + size - 1;
	enum walk_end end;
	u32 shape, tree;

	if (size < 2)
		return -ENAMETOOLONG;
	*last = '\0';
	if (!prepend(buf, &last, suffix, strlen(suffix)))
		return -ENAMETOOLONG;
	do {
		shape = seq_begin(&rename_seq);
		tree = seq_begin(&mount_seq);
		pos = last;
		rcu_read_lock();
		end = prepend_path(p, root, buf, &pos);
		rcu_read_unlock();
	} while (seq_changed(&rename_seq, shape) || seq_changed(&mount_seq, tree));
	if (end == WALK_TOO_LONG || (pos == last && !prepend(buf, &pos, "/", 1)))
		return -ENAMETOOLONG;
	*out = pos;
	*reachable = end == WALK_ROOT;
	return 0;
}

int path_name_from(const struct path *p, const struct path *root, char *buf, size_t size,
		   char **out, bool *reachable)
{
	return name_with_suffix(p, root, "", buf, size, out, reachable);
}

int path_name(const struct path *p, const struct path *root, char *buf, size_t size, char **out)
{
	bool gone = !dentry_hashed(p->dentry) && !dentry_is_root(p->dentry);
	bool reachable;

	if (p->dentry->ops && p->dentry->ops->name) {
		int len = p->dentry->ops->name(p->dentry, buf, size);

		*out = buf;
		return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
	}
	return name_with_suffix(p, root, gone ? " (deleted)" : "", buf, size, out, &reachable);
}
