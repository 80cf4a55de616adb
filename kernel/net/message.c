/*
 * The calls that move data: send and receive in their six forms. A msghdr is fetched once; address
 * and control data of a send are copied into the kernel before the family sees them.
 */
#include <lib/errno.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <syscall/table.h>

#include "internal.h"

/* Flags that only the kernel itself sets in a message. */
#define INTERNAL_FLAGS 0x0ae00000u

static u32 wait_flag(const struct socket *s)
{
	return socket_may_wait(s) ? 0 : MSG_DONTWAIT;
}

long sys_sendto(int fd, struct user_bytes buf, u64 len, u32 flags, struct user_bytes addr, u32 addrlen)
{
	struct io_iter it __uninit;
	struct socket_address name __uninit;
	struct msg m = {.iter = &it};
	struct socket *s;
	struct fd f;
	long ret;

	if (io_iter_user(&it, buf, len))
		return -EFAULT;
	ret = socket_at(fd, &f, &s);
	if (ret)
		return ret;
	if (!user_is_null(addr)) {
		ret = address_get(&name, addr, (s32)addrlen);
		if (ret)
			goto out;
		m.name = addrlen ? &name : NULL;
		m.name_len = addrlen;
	}
	m.flags = (flags & ~INTERNAL_FLAGS) | wait_flag(s);
	ret = s->ops->send(s, &m);
out:
	fd_put(f);
	return ret;
}

long sys_recvfrom(int fd, struct user_bytes buf, u64 len, u32 flags, struct user_bytes addr,
		  struct user_int addrlen)
{
	struct io_iter it __uninit;
	struct socket_address name __uninit;
	struct msg m = {.iter = &it};
	struct socket *s;
	struct fd f;
	long ret;
	int err;

	if (io_iter_user(&it, buf, len))
		return -EFAULT;
	ret = socket_at(fd, &f, &s);
	if (ret)
		return ret;
	if (!user_is_null(addr))
		m.name = &name;
	m.flags = flags | wait_flag(s);
	ret = s->ops->receive(s, &m);
	if (ret >= 0 && m.name) {
		err = address_put(&name, m.name_len, addr, addrlen);
		if (err)
			ret = err;
	}
	fd_put(f);
	return ret;
}

/* ---- msghdr ---- */

/* One sendmsg's or recvmsg's memory. */
struct message {
	struct msg m;
	struct io_iter iter;
	struct socket_address name;
	struct msghdr_abi hdr;
	u8 inline_control[64] __aligned(8);
};

static int fetch_header(struct message *x, struct user_msghdr from)
{
	struct msghdr_abi *h = &x->hdr;

	if (user_read(h, from))
		return -EFAULT;
	if (!h->name)
		h->namelen = 0;
	if (h->namelen < 0)
		return -EINVAL;
	x->m = (struct msg){.iter = &x->iter};
	return 0;
}

static int fetch_vector(struct message *x)
{
	if (x->hdr.iovlen > UIO_MAXIOV)
		return -EMSGSIZE;
	return io_iter_user_vec(&x->iter, user_handle(iovec, x->hdr.iov), x->hdr.iovlen);
}

static int fetch_name(struct message *x)
{
	u32 len = MIN((u32)x->hdr.namelen, (u32)sizeof(x->name.storage));

	if (!len)
		return 0;
	x->m.name = &x->name;
	x->m.name_len = len;
	return address_get(&x->name, user_handle(bytes, x->hdr.name), len);
}

static int fetch_control(struct message *x)
{
	u64 len = x->hdr.controllen;
	u8 *buf = x->inline_control;

	if (!len)
		return 0;
	if (len > OPTMEM_MAX)
		return -ENOBUFS;
	if (len > sizeof(x->inline_control)) {
		buf = kmalloc(len, GFP_KERNEL);
		if (!buf)
			return -ENOBUFS;
	}
	x->m.control = buf;
	x->m.control_len = len;
	return user_read_bytes(buf, user_handle(bytes, x->hdr.control), len);
}

/* flags: MSG_EOR may also come in the header when it is one of many (sendmmsg). */
static long send_message(struct socket *s, struct user_msghdr hdr, u32 flags, u32 header_flags)
{
	struct message x __uninit;
	long ret = fetch_header(&x, hdr);

	if (!ret)
		ret = fetch_name(&x);
	if (!ret)
		ret = fetch_vector(&x);
	if (ret)
		return ret;
	ret = fetch_control(&x);
	if (!ret) {
		x.m.flags = ((flags | (x.hdr.flags & header_flags)) & ~INTERNAL_FLAGS) | wait_flag(s);
		ret = s->ops->send(s, &x.m);
	}
	if (x.m.control != x.inline_control)
		kfree(x.m.control);
	io_iter_fini(&x.iter);
	return ret;
}

/* The parts of the header that a receive changes. */
static int store_header(struct message *x, struct user_msghdr to)
{
	u64 used = x->hdr.controllen - x->m.control_left, at = user_address(to);
	u32 out_flags = x->m.out_flags;

	if (user_write(user_handle(u32, at + offsetof(struct msghdr_abi, flags)), &out_flags))
		return -EFAULT;
	return user_write(user_handle(u64, at + offsetof(struct msghdr_abi, controllen)), &used);
}

static long receive_message(struct socket *s, struct user_msghdr hdr, u32 flags)
{
	struct message x __uninit;
	int err = fetch_header(&x, hdr);
	long ret;

	if (!err)
		err = fetch_vector(&x);
	if (err)
		return err;
	x.m.name = &x.name;
	x.m.control_out = user_handle(bytes, x.hdr.control);
	x.m.control_left = x.hdr.controllen;
	x.m.out_flags = flags & MSG_CMSG_CLOEXEC;
	x.m.flags = flags | wait_flag(s);
	ret = s->ops->receive(s, &x.m);
	if (ret >= 0 && x.hdr.name) {
		u64 at = user_address(hdr) + offsetof(struct msghdr_abi, namelen);

		err = address_put(&x.name, x.m.name_len, user_handle(bytes, x.hdr.name),
				  user_handle(int, at));
	}
	if (ret >= 0 && !err)
		err = store_header(&x, hdr);
	io_iter_fini(&x.iter);
	return ret >= 0 && err ? err : ret;
}

long sys_sendmsg(int fd, struct user_bytes msg, u32 flags)
{
	struct socket *s;
	struct fd f;
	long ret;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	ret = socket_at(fd, &f, &s);
	if (ret)
		return ret;
	ret = send_message(s, user_cast(msghdr, msg), flags, 0);
	fd_put(f);
	return ret;
}

long sys_recvmsg(int fd, struct user_bytes msg, u32 flags)
{
	struct socket *s;
	struct fd f;
	long ret;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	ret = socket_at(fd, &f, &s);
	if (ret)
		return ret;
	ret = receive_message(s, user_cast(msghdr, msg), flags);
	fd_put(f);
	return ret;
}

/* ---- Many at once ---- */

static int store_length(struct user_mmsghdr at, long n)
{
	u32 len = (u32)n;

	return user_write(user_handle(u32, user_address(at) + offsetof(struct mmsghdr_abi, len)), &len);
}

long sys_sendmmsg(int fd, struct user_bytes msgs, u32 nr, u32 flags)
{
	struct user_mmsghdr vec = user_cast(mmsghdr, msgs);
	struct socket *s;
	struct fd f;
	long ret = 0;
	u32 done;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	ret = socket_at(fd, &f, &s);
	if (ret)
		return ret;
	nr = MIN(nr, (u32)UIO_MAXIOV);
	for (done = 0; done < nr; done++) {
		struct user_mmsghdr at = user_at(vec, done);

		ret = send_message(s, user_cast(msghdr, at), flags, MSG_EOR);
		if (ret >= 0)
			ret = store_length(at, ret);
		if (ret)
			break;
		if (fatal_signal_pending(current)) {
			done++;
			break;
		}
	}
	fd_put(f);
	return done ? (long)done : ret;
}

/* Receives until there are nr, an error or the deadline. *done counts. The error that ended it. */
static long receive_many(struct socket *s, struct user_mmsghdr vec, u32 nr, u32 flags, u64 deadline,
			 u32 *done)
{
	long ret = 0;

	while (*done < nr) {
		struct user_mmsghdr at = user_at(vec, *done);

		ret = receive_message(s, user_cast(msghdr, at), flags & ~(u32)MSG_WAITFORONE);
		if (ret >= 0)
			ret = store_length(at, ret);
		if (ret)
			return ret;
		(*done)++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (deadline != U64_MAX && clock_monotonic() >= deadline)
			break;
		if (fatal_signal_pending(current))
			break;
	}
	return 0;
}

static int store_rest(struct user_timespec to, u64 deadline)
{
	u64 now = clock_monotonic();
	struct timespec64 ts = ns_to_timespec(deadline > now ? deadline - now : 0);

	return user_write(to, &ts);
}

/* What stopped a receive that has delivered something is told by the next call. */
static void keep_error(struct socket *s, long err)
{
	if (err < 0 && err != -EAGAIN && err != -ERESTARTSYS && err != -EINTR)
		WRITE_ONCE(s->error, (s32)-err);
}

long sys_recvmmsg(int fd, struct user_bytes msgs, u32 nr, u32 flags, struct user_timespec timeout)
{
	u64 deadline = U64_MAX;
	struct timespec64 ts;
	struct socket *s;
	u32 done = 0;
	struct fd f;
	long ret;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	if (!user_is_null(timeout)) {
		if (user_read(&ts, timeout))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		deadline = socket_deadline(timespec_to_ns(&ts), true);
	}
	ret = socket_at(fd, &f, &s);
	if (ret)
		return ret;
	ret = socket_take_error(s);
	if (!ret) {
		ret = receive_many(s, user_cast(mmsghdr, msgs), nr, flags, deadline, &done);
		if (done)
			keep_error(s, ret);
	}
	fd_put(f);
	if (done && !user_is_null(timeout) && store_rest(timeout, deadline))
		return -EFAULT;
	return done ? (long)done : ret;
}
