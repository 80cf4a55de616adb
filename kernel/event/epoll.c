/*
 * epoll: the object, its ready list, and what wakers do. epoll.h has the locks and the life cycle.
 *
 * A waker runs under the wait queue's lock of the watched file, perhaps in an interrupt: it puts
 * the item on the ready list and wakes one sleeper. The ready list is not the truth, only where to
 * look: a harvest polls what it finds there and drops what is not ready any more.
 *
 * No wake-up is lost. A waker changes the file's state first and queues the item afterwards; a
 * harvest takes the item off the list first and polls afterwards. A sleeper is on ep->wait before
 * it looks at the list. While a harvest holds items in its hands the list may look empty:
 * scan_seq is odd then, and the harvest wakes whoever slept too early.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include "epoll.h"

static struct kmem_cache *item_cache __ro_after_init;
s64 epoll_max_user_watches;

/* ---- the ready list ---- */

bool epoll_has_ready(const struct epoll *ep)
{
	u32 seq = smp_load_acquire(&ep->scan_seq);

	if (!list_empty(&ep->ready) || seq & 1)
		return true;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return READ_ONCE(ep->scan_seq) != seq; /* a whole harvest passed between the two looks */
}

void epoll_scan_begin(struct epoll *ep)
{
	WRITE_ONCE(ep->scan_seq, ep->scan_seq + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* odd before the list shrinks */
}

void epoll_scan_end(struct epoll *ep)
{
	smp_store_release(&ep->scan_seq, ep->scan_seq + 1);
	if (!list_empty(&ep->ready))
		wake_up(&ep->wait);
}

struct epoll_item *epoll_take_ready(struct epoll *ep)
{
	struct epoll_item *item = NULL;

	spin_lock_irq(&ep->wait.lock);
	if (!list_empty(&ep->ready)) {
		item = list_first(&ep->ready, struct epoll_item, ready);
		list_del(&item->ready);
	}
	spin_unlock_irq(&ep->wait.lock);
	return item;
}

void epoll_return_ready(struct epoll_item *item, bool front)
{
	struct epoll *ep = item->ep;

	spin_lock_irq(&ep->wait.lock);
	if (!list_empty(&item->ready))
		;
	else if (front)
		list_add(&item->ready, &ep->ready);
	else
		list_add_tail(&item->ready, &ep->ready);
	spin_unlock_irq(&ep->wait.lock);
}

void epoll_item_ready(struct epoll_item *item)
{
	struct epoll *ep = item->ep;
	u64 flags = spin_lock_irqsave(&ep->wait.lock);

	if (list_empty(&item->ready))
		list_add_tail(&item->ready, &ep->ready);
	if (!list_empty(&ep->wait.entries))
		wake_up_locked(&ep->wait, 1, 0);
	spin_unlock_irqrestore(&ep->wait.lock, flags);
	if (wait_queue_active(&ep->poll_wait))
		wake_up_nested(&ep->poll_wait, EPOLLIN | EPOLLRDNORM);
}

/* Does a wake-up with these bits satisfy an exclusive item, so that nobody else need be woken? */
static bool uses_up(u32 watched, u32 events)
{
	switch (events & (EPOLLIN | EPOLLOUT)) {
	case EPOLLIN:
		return watched & EPOLLIN;
	case EPOLLOUT:
		return watched & EPOLLOUT;
	case 0:
		return true;
	default:
		return false;
	}
}

/* The waker's call, under the file's queue lock. */
static bool hook_wake(struct wait_entry *e, u32 events)
{
	struct epoll_item *item = container_of(e, struct epoll_hook, wait)->item;
	u32 watched = READ_ONCE(item->events);
	bool sleepers;

	if (!(watched & ~EPOLL_HOW) || (events && !(events & watched)))
		return false;
	sleepers = !list_empty(&item->ep->wait.entries);
	epoll_item_ready(item);
	return !(watched & EPOLLEXCLUSIVE) || (sleepers && uses_up(watched, events));
}

u32 epoll_item_poll(const struct epoll_item *item, struct poll_table *pt)
{
	return item->file->ops->poll(item->file, pt) & item->events;
}

/* ---- items ---- */

struct item_table {
	struct poll_table table;
	struct epoll_item *item; /* NULL: no memory */
};

static void hook_register(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
	struct item_table *t = container_of(pt, struct item_table, table);
	struct epoll_item *item = t->item;
	struct epoll_hook *h = item ? &item->hook : NULL;

	if (!h)
		return;
	if (h->queue) { /* the second queue and later ones */
		h = kmalloc(sizeof(*h), GFP_KERNEL);
		if (!h) {
			t->item = NULL;
			return;
		}
		h->next = item->hook.next;
		item->hook.next = h;
	}
	h->item = item;
	h->queue = q;
	wait_entry_init(&h->wait);
	h->wait.wake = hook_wake;
	h->wait.exclusive = item->events & EPOLLEXCLUSIVE;
	wait_queue_add(q, &h->wait);
}

static void hooks_remove(struct epoll_item *item)
{
	struct epoll_hook *h, *next;

	if (item->hook.queue)
		wait_queue_remove(item->hook.queue, &item->hook.wait);
	for (h = item->hook.next; h; h = next) {
		next = h->next;
		wait_queue_remove(h->queue, &h->wait);
		kfree(h);
	}
}

static int item_compare(const struct epoll_item *item, const struct file *f, int fd)
{
	if (item->fd != fd)
		return item->fd < fd ? -1 : 1;
	if (item->file != f)
		return item->file < f ? -1 : 1;
	return 0;
}

struct epoll_item *epoll_find(struct epoll *ep, const struct file *f, int fd)
{
	struct rb_node *n = ep->items.node;

	while (n) {
		struct epoll_item *item = rb_entry(n, struct epoll_item, node);
		int order = item_compare(item, f, fd);

		if (!order)
			return item;
		n = order < 0 ? n->right : n->left;
	}
	return NULL;
}

static void item_link(struct epoll *ep, struct epoll_item *item)
{
	struct rb_node **at = &ep->items.node, *parent = NULL;

	while (*at) {
		parent = *at;
		at = item_compare(rb_entry(parent, struct epoll_item, node), item->file,
				  item->fd) < 0 ? &parent->right : &parent->left;
	}
	rb_insert(&ep->items, &item->node, parent, at, NULL);
	spin_lock(&item->file->spin);
	hlist_add_head(&item->watcher, &item->file->watchers);
	spin_unlock(&item->file->spin);
}

void epoll_item_remove(struct epoll *ep, struct epoll_item *item)
{
	hooks_remove(item);
	/* From here on nobody queues the item. */
	spin_lock_irq(&ep->wait.lock);
	list_del(&item->ready);
	spin_unlock_irq(&ep->wait.lock);
	rb_erase(&ep->items, &item->node, NULL);
	if (item->link)
		epoll_graph_remove(item->link);
	spin_lock(&item->file->spin);
	hlist_del(&item->watcher); /* the file may go now */
	spin_unlock(&item->file->spin);
	atomic64_add(&ep->user->nr_epoll_watches, -1);
	kmem_cache_free(item_cache, item);
}

static struct epoll_item *item_create(struct epoll *ep, struct file *f, int fd, u32 events, u64 data)
{
	struct epoll_item *item = kmem_cache_alloc(item_cache, GFP_KERNEL | GFP_ZERO);

	if (!item)
		return NULL;
	list_init(&item->ready);
	item->ep = ep;
	item->file = f;
	item->fd = fd;
	item->events = events;
	item->data = data;
	return item;
}

int epoll_item_add(struct epoll *ep, struct file *f, int fd, u32 events, u64 data)
{
	struct item_table t = {.table = {.register_queue = hook_register, .events = events}};
	struct epoll *lower = epoll_of(f);
	struct epoll_item *item;
	int err;

	if (atomic64_read(&ep->user->nr_epoll_watches) >= READ_ONCE(epoll_max_user_watches))
		return -ENOSPC;
	item = item_create(ep, f, fd, events, data);
	if (!item)
		return -ENOMEM;
	if (lower) {
		err = epoll_graph_add(ep, lower, &item->link);
		if (err) {
			kmem_cache_free(item_cache, item);
			return err;
		}
	}
	atomic64_add(&ep->user->nr_epoll_watches, 1);
	item_link(ep, item);
	t.item = item;
	events = epoll_item_poll(item, &t.table);
	if (!t.item) {
		epoll_item_remove(ep, item);
		return -ENOMEM;
	}
	if (events)
		epoll_item_ready(item);
	return 0;
}

/* ---- the file ---- */

void epoll_put(struct epoll *ep)
{
	if (!ref_put(&ep->ref))
		return;
	user_account_put(ep->user);
	kfree(ep);
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->private;
	struct rb_node *n;
	/* Nobody adds any more, so the answer cannot turn into yes. */
	bool graph = !list_empty(&ep->down);

	if (graph)
		epoll_graph_lock();
	mutex_lock(&ep->lock);
	while ((n = rb_first(&ep->items)))
		epoll_item_remove(ep, rb_entry(n, struct epoll_item, node));
	mutex_unlock(&ep->lock);
	if (graph)
		epoll_graph_unlock();
	epoll_put(ep);
}

/* The first watcher's epoll with a reference, or NULL. */
static struct epoll *first_watcher(struct file *f)
{
	struct epoll *ep = NULL;

	spin_lock(&f->spin);
	if (f->watchers.first) {
		ep = container_of(f->watchers.first, struct epoll_item, watcher)->ep;
		ref_get(&ep->ref); /* an epoll drops its own after its items */
	}
	spin_unlock(&f->spin);
	return ep;
}

/* An item of ep that watches f, or NULL. New ones cannot come: f has no reference left. */
static struct epoll_item *watcher_in(struct epoll *ep, struct file *f)
{
	struct epoll_item *item;

	spin_lock(&f->spin);
	hlist_for_each(item, &f->watchers, watcher)
		if (item->ep == ep)
			break;
	spin_unlock(&f->spin);
	return item;
}

void epoll_forget_file(struct file *f)
{
	bool graph = epoll_of(f);
	struct epoll_item *item;
	struct epoll *ep;

	if (graph)
		epoll_graph_lock();
	while ((ep = first_watcher(f))) {
		mutex_lock(&ep->lock);
		while ((item = watcher_in(ep, f)))
			epoll_item_remove(ep, item);
		mutex_unlock(&ep->lock);
		epoll_put(ep);
	}
	if (graph)
		epoll_graph_unlock();
}

/*
 * Readable when some item is really ready. Items that are not leave the list. Always under the
 * lock, because the list may be in the hands of a harvest.
 */
static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->private;
	struct epoll_item *item;
	u32 events = 0;

	poll_wait(f, &ep->poll_wait, pt);
	mutex_lock_nested(&ep->lock);
	epoll_scan_begin(ep);
	while (!events && (item = epoll_take_ready(ep))) {
		if (epoll_item_poll(item, NULL)) {
			epoll_return_ready(item, true);
			events = EPOLLIN | EPOLLRDNORM;
		}
	}
	epoll_scan_end(ep);
	mutex_unlock(&ep->lock);
	return events;
}

static void epoll_show_fdinfo(struct file *f, void (*emit)(void *ctx, const char *text), void *ctx)
{
	struct epoll *ep = f->private;
	struct rb_node *n;
	char line[128];

	mutex_lock(&ep->lock);
	for (n = rb_first(&ep->items); n; n = rb_next(n)) {
		const struct epoll_item *item = rb_entry(n, struct epoll_item, node);
		const struct inode *inode = item->file->inode;

		format(line, sizeof(line),
		       "tfd: %8d events: %8x data: %16llx  pos:%lli ino:%llx sdev:%llx\n", item->fd,
		       item->events, item->data, item->file->pos, inode->ino, inode->sb->dev);
		emit(ctx, line);
	}
	mutex_unlock(&ep->lock);
}

static const struct file_ops epoll_fops = {
	.name = "epoll",
	.llseek = file_llseek_noop,
	.poll = epoll_poll,
	.release = epoll_release,
	.show_fdinfo = epoll_show_fdinfo,
};

struct epoll *epoll_of(const struct file *f)
{
	return f->ops == &epoll_fops ? f->private : NULL;
}

static struct epoll *epoll_alloc(void)
{
	struct epoll *ep = kzalloc(sizeof(*ep), GFP_KERNEL);

	if (!ep)
		return NULL;
	ref_init(&ep->ref);
	mutex_init(&ep->lock, LOCK_RANK_EPOLL);
	wait_queue_init(&ep->wait);
	spin_init(&ep->wait.lock, LOCK_RANK_EPOLL_READY);
	wait_queue_init(&ep->poll_wait);
	list_init(&ep->ready);
	list_init(&ep->up);
	list_init(&ep->down);
	ep->user = current->cred->user;
	user_account_ref(ep->user);
	return ep;
}

static int epoll_create(struct file **out)
{
	struct epoll *ep = epoll_alloc();
	int err;

	if (!ep)
		return -ENOMEM;
	err = file_create_anon("anon_inode:[eventpoll]", &epoll_fops, ep, O_RDWR, out);
	if (err)
		epoll_put(ep);
	return err;
}

long sys_epoll_create1(u32 flags)
{
	struct file *f;
	int err;

	if (flags & ~(u32)EPOLL_CLOEXEC)
		return -EINVAL;
	err = epoll_create(&f);
	return err ? err : fd_install_new(f, flags & EPOLL_CLOEXEC);
}

long sys_epoll_create(int size)
{
	return size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

/* As Linux: what an item costs there, in a 25th of memory. */
#define ITEM_COST 200

static int epoll_init(void)
{
	struct mem_stats st;

	mem_stats(&st);
	epoll_max_user_watches = (s64)((st.total_pages / 25 << PAGE_SHIFT) / ITEM_COST);
	item_cache = kmem_cache_create("eventpoll_epi", sizeof(struct epoll_item), 64);
	return 0;
}
INIT_CALL(INIT_CORE, epoll_init);
