/*
 * Lists of the open files that want a signal when an object becomes ready.
 *
 * An entry lies on its object's list and on a chain of its file; async_lock guards both, readers of
 * the lists use RCU. Entries go before the file does, whatever its O_ASYNC flag says by then, so
 * that an entry's file can always be looked at within a read-side section.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/slab.h>
#include <vfs/async.h>

struct async_entry {
	struct hlist_node node;    /* of the object's list */
	struct async_list *list;   /* const */
	struct async_entry *next;  /* of the file's chain; async_lock */
	struct file *file;         /* const: alive while the entry is on the list */
	int fd;                    /* async_lock to change */
	struct rcu_head rcu;
};

static DEFINE_SPINLOCK(async_lock, LOCK_RANK_FILE);

/* The link that holds f's entry for l, or the end of the chain. */
static struct async_entry **find_link(struct file *f, const struct async_list *l)
{
	struct async_entry **link = &f->async;

	ASSERT_HELD(&async_lock);
	while (*link && (*link)->list != l)
		link = &(*link)->next;
	return link;
}

static void unlink_entry(struct async_entry **link)
{
	struct async_entry *e = *link;

	*link = e->next;
	hlist_del(&e->node);
	rcu_kfree(&e->rcu, e);
}

static void list_remove(struct async_list *l, struct file *f)
{
	struct async_entry **link;

	spin_lock(&async_lock);
	link = find_link(f, l);
	if (*link)
		unlink_entry(link);
	spin_unlock(&async_lock);
}

int async_list_set(struct async_list *l, struct file *f, int fd, bool on)
{
	struct async_entry *new, **link;

	if (!on) {
		list_remove(l, f);
		return 0;
	}
	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return -ENOMEM;
	new->list = l;
	new->file = f;
	spin_lock(&async_lock);
	link = find_link(f, l);
	if (!*link) {
		hlist_add_head(&new->node, &l->entries);
		*link = new;
		new = NULL;
	}
	WRITE_ONCE((*link)->fd, fd);
	spin_unlock(&async_lock);
	kfree(new);
	return 0;
}

void async_release(struct file *f)
{
	if (likely(!f->async))
		return;
	spin_lock(&async_lock);
	while (f->async)
		unlink_entry(&f->async);
	spin_unlock(&async_lock);
}

void async_notify_all(struct async_list *l, int reason)
{
	struct async_entry *e;

	rcu_read_lock();
	hlist_for_each(e, &l->entries, node)
		file_signal(e->file, READ_ONCE(e->fd), reason);
	rcu_read_unlock();
}
