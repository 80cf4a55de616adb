/*
 * The calls that make, name and connect sockets. Addresses are fetched once into kernel memory and
 * checked by the family; the order of checks is Linux's. What moves data is in message.c.
 */
#include <lib/errno.h>
#include <syscall/table.h>

#include <net/settings.h>

#include "internal.h"

u32 net_somaxconn = SOMAXCONN;

#define TYPE_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)

int address_get(struct socket_address *a, struct user_bytes from, s64 len)
{
	if (len < 0 || len > (s64)sizeof(a->storage))
		return -EINVAL;
	a->storage.ss_family = AF_UNSPEC;
	return len ? user_read_bytes(&a->storage, from, (size_t)len) : 0;
}

int address_put(const struct socket_address *a, u32 len, struct user_bytes to,
		struct user_int user_len)
{
	int room, full = (int)len;

	if (user_read(&room, user_len))
		return -EFAULT;
	room = MIN(room, full);
	if (room < 0)
		return -EINVAL;
	if (room && user_write_bytes(to, &a->storage, (size_t)room))
		return -EFAULT;
	return user_write(user_len, &full);
}

long sys_socket(u32 family, u32 type, int protocol)
{
	struct socket *s;
	struct file *f;
	int fd, err;

	if (type & ~(u32)(SOCK_TYPE_MASK | TYPE_FLAGS))
		return -EINVAL;
	err = socket_create(family, type & SOCK_TYPE_MASK, protocol, &s);
	if (err)
		return err;
	err = fd_reserve(0, type & SOCK_CLOEXEC, &fd);
	if (err)
		goto release;
	err = socket_open(s, type, &f);
	if (err) {
		fd_release(fd);
		goto release;
	}
	fd_install(fd, f);
	return fd;
release:
	s->ops->release(s);
	return err;
}

/* Two connected sockets with files. */
static int make_pair(u32 family, u32 type, s32 protocol, struct file *f[2])
{
	struct socket *a, *b;
	int err = socket_create(family, type & SOCK_TYPE_MASK, protocol, &a);

	if (err)
		return err;
	err = socket_create(family, type & SOCK_TYPE_MASK, protocol, &b);
	if (err)
		goto release_a;
	err = a->ops->pair ? a->ops->pair(a, b) : -EOPNOTSUPP;
	if (!err)
		err = socket_open(a, type, &f[0]);
	if (err)
		goto release_b;
	err = socket_open(b, type, &f[1]);
	if (!err)
		return 0;
	file_put(f[0]); /* and a with it */
	b->ops->release(b);
	return err;
release_b:
	b->ops->release(b);
release_a:
	a->ops->release(a);
	return err;
}

/* The numbers reach the user before there are sockets, so nothing has to be undone afterwards. */
long sys_socketpair(u32 family, u32 type, int protocol, struct user_int fds)
{
	struct file *f[2];
	int fd[2], err;

	if (type & ~(u32)(SOCK_TYPE_MASK | TYPE_FLAGS))
		return -EINVAL;
	err = fd_reserve(0, type & SOCK_CLOEXEC, &fd[0]);
	if (err)
		return err;
	err = fd_reserve(0, type & SOCK_CLOEXEC, &fd[1]);
	if (err)
		goto release_first;
	err = user_write_array(fds, &fd[0], 2);
	if (!err)
		err = make_pair(family, type, protocol, f);
	if (err)
		goto release_both;
	fd_install(fd[0], f[0]);
	fd_install(fd[1], f[1]);
	return 0;
release_both:
	fd_release(fd[1]);
release_first:
	fd_release(fd[0]);
	return err;
}

long sys_bind(int fd, struct user_bytes addr, u32 len)
{
	struct socket_address a __uninit;
	struct socket *s;
	struct fd f;
	int err = socket_at(fd, &f, &s);

	if (err)
		return err;
	err = address_get(&a, addr, (s32)len);
	if (!err)
		err = s->ops->bind ? s->ops->bind(s, &a, len) : -EOPNOTSUPP;
	fd_put(f);
	return err;
}

long sys_connect(int fd, struct user_bytes addr, u32 len)
{
	struct socket_address a __uninit;
	struct socket *s;
	struct fd f;
	int err = socket_at(fd, &f, &s);

	if (err)
		return err;
	err = address_get(&a, addr, (s32)len);
	if (!err)
		err = s->ops->connect ? s->ops->connect(s, &a, len, socket_may_wait(s)) :
					-EOPNOTSUPP;
	fd_put(f);
	return err;
}

long sys_listen(int fd, int backlog)
{
	struct socket *s;
	struct fd f;
	int err = socket_at(fd, &f, &s);

	if (err)
		return err;
	err = s->ops->listen ? s->ops->listen(s, MIN((u32)backlog, READ_ONCE(net_somaxconn))) : -EOPNOTSUPP;
	fd_put(f);
	return err;
}

/* Reports who has connected; a failure costs the connection. */
static int put_peer(struct socket *s, struct user_bytes addr, struct user_int len)
{
	struct socket_address a;
	int n;

	if (user_is_null(addr))
		return 0;
	n = s->ops->name(s, true, &a);
	return n < 0 ? -ECONNABORTED : address_put(&a, (u32)n, addr, len);
}

static int accept_file(struct socket *listener, u32 flags, struct user_bytes addr,
		       struct user_int len, struct file **out)
{
	struct socket *s;
	int err;

	if (!listener->ops->accept)
		return -EOPNOTSUPP;
	err = listener->ops->accept(listener, socket_may_wait(listener), &s);
	if (err)
		return err;
	err = socket_open(s, flags, out);
	if (err) {
		s->ops->release(s);
		return err;
	}
	err = put_peer(s, addr, len);
	if (err)
		file_put(*out);
	return err;
}

long sys_accept4(int fd, struct user_bytes addr, struct user_int len, u32 flags)
{
	struct socket *listener;
	struct file *file;
	struct fd f;
	int new, err;

	err = socket_at(fd, &f, &listener);
	if (flags & ~(u32)TYPE_FLAGS && err != -EBADF) {
		if (!err)
			fd_put(f);
		return -EINVAL;
	}
	if (err)
		return err;
	err = fd_reserve(0, flags & SOCK_CLOEXEC, &new);
	if (!err) {
		err = accept_file(listener, flags, addr, len, &file);
		if (err)
			fd_release(new);
		else
			fd_install(new, file);
	}
	fd_put(f);
	return err ? err : new;
}

long sys_accept(int fd, struct user_bytes addr, struct user_int len)
{
	return sys_accept4(fd, addr, len, 0);
}

static long get_name(int fd, bool peer, struct user_bytes addr, struct user_int len)
{
	struct socket_address a;
	struct socket *s;
	struct fd f;
	int n, err = socket_at(fd, &f, &s);

	if (err)
		return err;
	n = s->ops->name(s, peer, &a);
	fd_put(f);
	return n < 0 ? n : address_put(&a, (u32)n, addr, len);
}

long sys_getsockname(int fd, struct user_bytes addr, struct user_int len)
{
	return get_name(fd, false, addr, len);
}

long sys_getpeername(int fd, struct user_bytes addr, struct user_int len)
{
	return get_name(fd, true, addr, len);
}

long sys_shutdown(int fd, int how)
{
	struct socket *s;
	struct fd f;
	int err = socket_at(fd, &f, &s);

	if (err)
		return err;
	if (how < SHUT_RD || how > SHUT_RDWR)
		err = -EINVAL;
	else
		err = s->ops->shutdown ? s->ops->shutdown(s, how) : -EOPNOTSUPP;
	fd_put(f);
	return err;
}
