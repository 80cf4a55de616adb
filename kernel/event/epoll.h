/*
 * Private to event/: epoll's objects.
 *
 * Locks, in this order:
 *   graph lock   which epoll watches which epoll (epoll_graph.c); taken first by whoever adds or
 *                removes an item whose file is an epoll
 *   ep->lock     the items of one epoll, and one harvest at a time. An epoll that is polled as
 *                somebody's item is locked inside its watcher's lock: the graph has no cycle.
 *   file->spin   the list of items that watch a file
 *   the file's wait queue, then ep->wait.lock: the ready list. Wakers take these two, perhaps in
 *   an interrupt.
 *
 * An item does not hold its file. The file's last put takes the items away before the file is
 * released, so whoever finds an item under ep->lock finds its file usable; and the wait entries
 * leave their queues before the item leaves file->watchers, so a file without watchers has no
 * entry of ours in its queues.
 */
#pragma once

#include <event/epoll.h>
#include <lib/rbtree.h>
#include <linux/eventpoll.h>
#include <vfs/poll.h>

struct epoll_item;

/* One registration with one wait queue. */
struct epoll_hook {
	struct wait_entry wait;
	struct wait_queue *queue; /* const; NULL: the built-in one is unused */
	struct epoll_item *item;  /* const */
	struct epoll_hook *next;  /* ep->lock */
};

struct epoll_item {
	struct rb_node node;        /* ep->lock */
	struct list_head ready;     /* ep->wait.lock; empty: not on the list */
	struct epoll *ep;           /* const */
	struct file *file;          /* const */
	int fd;                     /* const: with file, the key */
	u32 events;                 /* ep->lock to change; wakers read it */
	u64 data;                   /* ep->lock */
	struct hlist_node watcher;  /* file->spin: in file->watchers */
	struct epoll_link *link;    /* const; the file is an epoll */
	struct epoll_hook hook;     /* nearly every file has one queue */
};

struct epoll {
	struct ref ref;              /* the file's, and passing ones of epoll_forget_file */
	struct mutex lock;           /* LOCK_RANK_EPOLL */
	struct rb_root items;        /* lock: by descriptor, then file */
	struct wait_queue wait;      /* sleepers of epoll_wait; LOCK_RANK_EPOLL_READY */
	struct list_head ready;      /* wait.lock to change */
	u32 scan_seq;                /* lock: odd while a harvest has items in its hands */
	struct wait_queue poll_wait; /* who polls this epoll */
	struct user_account *user;   /* const: reference; pays for the items */
	struct list_head up, down;   /* graph lock: links to epolls that watch this one, and back */
	u32 visited;                 /* graph lock: number of the last walk */
};

/* The bits of an item's events that say how, not what. */
#define EPOLL_HOW (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

/* The epoll behind a file, or NULL. */
struct epoll *epoll_of(const struct file *f);

/* The item of (file, descriptor), or NULL. ep->lock. */
struct epoll_item *epoll_find(struct epoll *ep, const struct file *f, int fd);
/* A new item. 0, -ENOSPC, -ENOMEM, and what epoll_graph_add says. ep->lock, graph lock for epolls. */
int epoll_item_add(struct epoll *ep, struct file *f, int fd, u32 events, u64 data) __must_check;
/* The events of an item that hold now. ep->lock. */
u32 epoll_item_poll(const struct epoll_item *item, struct poll_table *pt);
/* Puts an item on the ready list if it is not there, and wakes. Any context. */
void epoll_item_ready(struct epoll_item *item);
/* An item leaves its epoll and is freed. ep->lock; the graph lock if the file is an epoll. */
void epoll_item_remove(struct epoll *ep, struct epoll_item *item);
void epoll_put(struct epoll *ep);

/* Something is on the ready list, or in the hands of a harvest. Without a lock. */
bool epoll_has_ready(const struct epoll *ep);
/* Brackets of a harvest. ep->lock. The end wakes the next sleeper if something is left. */
void epoll_scan_begin(struct epoll *ep);
void epoll_scan_end(struct epoll *ep);
/* The first ready item, taken off the list, or NULL. Between the brackets. */
struct epoll_item *epoll_take_ready(struct epoll *ep);
/* Puts an item that was taken back at the end or the front, unless a waker was faster. */
void epoll_return_ready(struct epoll_item *item, bool front);

void epoll_graph_lock(void);
void epoll_graph_unlock(void);
/*
 * upper starts to watch lower. 0, -ELOOP (a cycle, or chains too long), -EINVAL (too many paths
 * for a wake-up), -ENOMEM. Graph lock.
 */
int epoll_graph_add(struct epoll *upper, struct epoll *lower, struct epoll_link **out) __must_check;
void epoll_graph_remove(struct epoll_link *l);
