/* Private to kernel/net: what the calls share. */
#pragma once

#include <net/socket.h>

/* A new socket; flags are those of socket(2), not looked at. */
int socket_create(u32 family, u32 type, s32 protocol, struct socket **out) __must_check;
/* The open file of a socket: flags O_NONBLOCK. The socket stays the caller's on failure. */
int socket_open(struct socket *s, u32 flags, struct file **out) __must_check;

/* The socket at fd: fd_put when done. -EBADF, -ENOTSOCK. */
int socket_at(int fd, struct fd *f, struct socket **out) __must_check;

/* Addresses. -EINVAL, -EFAULT. */
int address_get(struct socket_address *a, struct user_bytes from, s64 len) __must_check;
/* Value and result: *user_len is the room, and becomes the length. */
int address_put(const struct socket_address *a, u32 len, struct user_bytes to,
		struct user_int user_len) __must_check;

static inline bool socket_may_wait(const struct socket *s)
{
	return !(READ_ONCE(s->file->flags) & O_NONBLOCK);
}
