/*
 * /proc/locks: every record lock and flock that is held. The lists may not be walked while text is
 * made, so they are copied first, into as much room as the last look found necessary.
 */
#include <lib/errno.h>
#include <lib/format.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <vfs/inode.h>
#include <vfs/show.h>

#include "locks_internal.h"

static DEFINE_SPINLOCK(all_lock, LOCK_RANK_FLOCK_LIST);
static struct list_head all_locks = LIST_INIT(all_locks); /* all_lock: struct file_locks */

struct held_lock {
	const char *kind;
	bool write;
	s32 pid;
	u64 dev, ino, start, end;
};

void locks_list_add(struct file_locks *l)
{
	spin_lock(&all_lock);
	list_add_tail(&l->all, &all_locks);
	spin_unlock(&all_lock);
}

void locks_list_remove(struct file_locks *l)
{
	spin_lock(&all_lock);
	list_del(&l->all);
	spin_unlock(&all_lock);
}

struct copy {
	struct held_lock *out;
	u32 nr, room; /* nr goes on beyond room, to tell how much is needed */
};

static void copy_one(struct copy *c, const struct held_lock *h)
{
	if (c->nr < c->room)
		c->out[c->nr] = *h;
	c->nr++;
}

/* l->lock held. */
static void copy_locks(struct copy *c, struct file_locks *l)
{
	struct held_lock h = {.dev = l->inode->sb->dev, .ino = l->inode->ino};
	struct flock_entry *e;

	for (struct rb_node *n = rb_first(&l->records); n; n = rb_next(n)) {
		const struct record_lock *r = rb_entry(n, struct record_lock, node);

		h.kind = r->ofd ? "OFDLCK" : "POSIX ";
		h.write = r->type == F_WRLCK;
		h.pid = r->pid;
		h.start = r->start;
		h.end = r->end;
		copy_one(c, &h);
	}
	list_for_each(e, &l->flocks, node) {
		h.kind = "FLOCK ";
		h.write = e->exclusive;
		h.pid = e->pid;
		h.start = 0;
		h.end = OFFSET_MAX;
		copy_one(c, &h);
	}
}

static void copy_all(struct copy *c)
{
	struct file_locks *l;

	c->nr = 0;
	spin_lock(&all_lock);
	list_for_each(l, &all_locks, all) {
		spin_lock(&l->lock);
		copy_locks(c, l);
		spin_unlock(&l->lock);
	}
	spin_unlock(&all_lock);
}

static void show_one(const struct held_lock *h, u32 number, show_fn emit, void *ctx)
{
	char line[160], end[24] = "EOF";

	if (h->end != OFFSET_MAX)
		format(end, sizeof(end), "%llu", h->end);
	format(line, sizeof(line), "%u: %s ADVISORY  %s %d %02llx:%02llx:%llu %llu %s\n", number, h->kind,
	       h->write ? "WRITE" : "READ", h->pid, h->dev >> 20, h->dev & 0xfffff, h->ino,
	       h->start, end);
	emit(ctx, line);
}

int locks_show(void (*emit)(void *ctx, const char *text), void *ctx)
{
	struct copy c = {0};

	for (;;) {
		copy_all(&c);
		if (c.nr <= c.room)
			break;
		kvfree(c.out);
		c.room = c.nr + c.nr / 4;
		c.out = kvmalloc(c.room * sizeof(*c.out), GFP_KERNEL);
		if (!c.out)
			return -ENOMEM;
	}
	for (u32 i = 0; i < c.nr; i++)
		show_one(&c.out[i], i + 1, emit, ctx);
	kvfree(c.out);
	return 0;
}
