/* epoll_ctl(2): items come, change and go. The order of checks is Linux's. */
#include <lib/errno.h>
#include <syscall/table.h>
#include "epoll.h"

/* What may stand beside EPOLLEXCLUSIVE. */
#define EXCLUSIVE_OK                                                                               \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

static int item_modify(struct epoll_item *item, u32 events, u64 data)
{
	if (item->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	WRITE_ONCE(item->events, events);
	item->data = data;
	/* A waker that still saw the old events has changed its file before: the poll sees it. */
	smp_mb();
	if (epoll_item_poll(item, NULL))
		epoll_item_ready(item);
	return 0;
}

static int ctl_locked(struct epoll *ep, int op, struct file *f, int fd, const struct epoll_event *ev)
{
	struct epoll_item *item = epoll_find(ep, f, fd);
	/* Errors and hang-ups are always reported. We never suspend: EPOLLWAKEUP means nothing. */
	u32 events = (ev->events & ~(u32)EPOLLWAKEUP) | EPOLLERR | EPOLLHUP;

	switch (op) {
	case EPOLL_CTL_ADD:
		return item ? -EEXIST : epoll_item_add(ep, f, fd, events, ev->data);
	case EPOLL_CTL_MOD:
		return item ? item_modify(item, events, ev->data) : -ENOENT;
	case EPOLL_CTL_DEL:
		if (!item)
			return -ENOENT;
		epoll_item_remove(ep, item);
		return 0;
	default:
		return -EINVAL;
	}
}

static int check_exclusive(int op, const struct file *f, u32 events)
{
	if (op == EPOLL_CTL_DEL || !(events & EPOLLEXCLUSIVE))
		return 0;
	if (op == EPOLL_CTL_MOD ||
	    (op == EPOLL_CTL_ADD && (epoll_of(f) || events & ~(u32)EXCLUSIVE_OK)))
		return -EINVAL;
	return 0;
}

static long ctl(struct file *epf, int op, struct file *f, int fd, const struct epoll_event *ev)
{
	struct epoll *ep = epoll_of(epf);
	bool graph = epoll_of(f);
	int err;

	if (!f->ops->poll)
		return -EPERM;
	if (epf == f || !ep)
		return -EINVAL;
	err = check_exclusive(op, f, ev->events);
	if (err)
		return err;
	if (graph)
		epoll_graph_lock();
	mutex_lock(&ep->lock);
	err = ctl_locked(ep, op, f, fd, ev);
	mutex_unlock(&ep->lock);
	if (graph)
		epoll_graph_unlock();
	return err;
}

long sys_epoll_ctl(int epfd, int op, int fd, struct user_epoll_event event)
{
	struct epoll_event ev = {0};
	long err = -EBADF;
	struct fd e, f;

	if (op != EPOLL_CTL_DEL && user_read(&ev, event))
		return -EFAULT;
	e = fd_get(epfd);
	if (!e.file)
		return -EBADF;
	f = fd_get(fd);
	if (f.file) {
		err = ctl(e.file, op, f.file, fd, &ev);
		fd_put(f);
	}
	fd_put(e);
	return err;
}
