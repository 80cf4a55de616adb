/*
 * getsockopt and setsockopt: the options of level SOL_SOCKET that every family shares. A value is
 * fetched once. What needs a network device, a BPF program or an LSM is refused as by a kernel
 * without them.
 */
#include <lib/errno.h>
#include <linux/time.h>
#include <syscall/table.h>

#include "internal.h"

#define JIFFY_NS (4 * NSEC_PER_MSEC) /* Debian's HZ is 250: time-outs are kept in such steps */

static void set_flag(struct socket *s, u32 flag, bool on)
{
	if (on)
		__atomic_fetch_or(&s->flags, flag, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&s->flags, ~flag, __ATOMIC_SEQ_CST);
}

/* The options that are one bit; 0: none. */
static u32 flag_option(int name)
{
	switch (name) {
	case SO_DEBUG: return SOCKET_DEBUG;
	case SO_REUSEADDR: return SOCKET_REUSEADDR;
	case SO_REUSEPORT: return SOCKET_REUSEPORT;
	case SO_DONTROUTE: return SOCKET_DONTROUTE;
	case SO_BROADCAST: return SOCKET_BROADCAST;
	case SO_KEEPALIVE: return SOCKET_KEEPALIVE;
	case SO_OOBINLINE: return SOCKET_URGINLINE;
	case SO_PASSCRED: return SOCKET_PASSCRED;
	case SO_PASSSEC: return SOCKET_PASSSEC;
	case SO_TIMESTAMP: return SOCKET_TIMESTAMP;
	default: return 0;
	}
}

/* Half of the buffer is taken to be overhead, so the value counts twice. */
static void set_buffer(s32 *buf, s32 val, s32 least)
{
	val = MIN(val, INT_MAX / 2);
	WRITE_ONCE(*buf, MAX(val * 2, least));
}

static int set_sndbuf(struct socket *s, int val, bool force)
{
	if (force && !capable(CAP_NET_ADMIN))
		return -EPERM;
	val = force ? MAX(val, 0) : (int)MIN((u32)val, (u32)SOCKBUF_MAX);
	set_buffer(&s->sndbuf, val, SOCK_MIN_SNDBUF);
	if (s->ops->write_space)
		s->ops->write_space(s);
	return 0;
}

static int set_rcvbuf(struct socket *s, int val, bool force)
{
	if (force && !capable(CAP_NET_ADMIN))
		return -EPERM;
	val = force ? MAX(val, 0) : (int)MIN((u32)val, (u32)SOCKBUF_MAX);
	set_buffer(&s->rcvbuf, val, SOCK_MIN_RCVBUF);
	return 0;
}

static int set_timeout(u64 *timeout_ns, struct user_bytes value, u32 len)
{
	struct __kernel_old_timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	if (user_read_bytes(&tv, value, sizeof(tv)))
		return -EFAULT;
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0)
		WRITE_ONCE(*timeout_ns, 0);
	else if ((!tv.tv_sec && !tv.tv_usec) || (u64)tv.tv_sec >= S64_MAX / NSEC_PER_SEC - 1)
		WRITE_ONCE(*timeout_ns, U64_MAX);
	else
		WRITE_ONCE(*timeout_ns,
			   (u64)tv.tv_sec * NSEC_PER_SEC +
				   DIV_ROUND_UP((u64)tv.tv_usec * NSEC_PER_USEC, JIFFY_NS) * JIFFY_NS);
	return 0;
}

static int set_linger(struct socket *s, struct user_bytes value, u32 len)
{
	struct linger_abi l;

	if (len < sizeof(l))
		return -EINVAL;
	if (user_read_bytes(&l, value, sizeof(l)))
		return -EFAULT;
	set_flag(s, SOCKET_LINGER, l.onoff);
	if (l.onoff)
		WRITE_ONCE(s->linger, l.linger);
	return 0;
}

static int set_priority(struct socket *s, int val)
{
	if ((val < 0 || val > 6) && !capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW))
		return -EPERM;
	WRITE_ONCE(s->priority, val);
	return 0;
}

static int set_number(struct socket *s, int name, int val)
{
	switch (name) {
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		return set_sndbuf(s, val, name == SO_SNDBUFFORCE);
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		return set_rcvbuf(s, val, name == SO_RCVBUFFORCE);
	case SO_RCVLOWAT:
		WRITE_ONCE(s->rcvlowat, val < 0 ? INT_MAX : MAX(val, 1));
		return 0;
	case SO_PRIORITY:
		return set_priority(s, val);
	case SO_PEEK_OFF:
		if (!s->ops->peek_offset)
			return -EOPNOTSUPP;
		WRITE_ONCE(s->peek_off, val);
		return 0;
	case SO_NO_CHECK:
	case SO_BSDCOMPAT:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int set_common(struct socket *s, int name, struct user_bytes value, u32 len)
{
	u32 flag = flag_option(name);
	int val;

	if (len < sizeof(val))
		return -EINVAL;
	if (user_read_bytes(&val, value, sizeof(val)))
		return -EFAULT;
	if (name == SO_DEBUG && val && !capable(CAP_NET_ADMIN))
		return -EACCES;
	if (flag) {
		set_flag(s, flag, val);
		return 0;
	}
	switch (name) {
	case SO_LINGER:
		return set_linger(s, value, len);
	case SO_RCVTIMEO:
		return set_timeout(&s->rcvtimeo_ns, value, len);
	case SO_SNDTIMEO:
		return set_timeout(&s->sndtimeo_ns, value, len);
	default:
		return set_number(s, name, val);
	}
}

long sys_setsockopt(int fd, int level, int name, struct user_bytes value, u32 len)
{
	struct socket *s;
	struct fd f;
	int err;

	if ((s32)len < 0)
		return -EINVAL;
	err = socket_at(fd, &f, &s);
	if (err)
		return err;
	if (level == SOL_SOCKET)
		err = set_common(s, name, value, len);
	else
		err = s->ops->set_option ? s->ops->set_option(s, level, name, value, len) : -EOPNOTSUPP;
	fd_put(f);
	return err;
}

/* ---- Reading them ---- */

static struct __kernel_old_timeval timeout_value(u64 ns)
{
	if (ns == U64_MAX)
		ns = 0;
	return (struct __kernel_old_timeval){(s64)(ns / NSEC_PER_SEC),
					     (s64)(ns % NSEC_PER_SEC / NSEC_PER_USEC)};
}

static int get_number(struct socket *s, int name, int *val)
{
	u32 flag = flag_option(name);

	*val = 0;
	if (flag) {
		*val = socket_flag(s, flag);
		return 0;
	}
	switch (name) {
	case SO_TYPE: *val = s->type; return 0;
	case SO_DOMAIN: *val = s->family; return 0;
	case SO_PROTOCOL: *val = s->protocol; return 0;
	case SO_ERROR: *val = -socket_take_error(s); return 0;
	case SO_ACCEPTCONN: *val = socket_flag(s, SOCKET_LISTENING); return 0;
	case SO_SNDBUF: *val = READ_ONCE(s->sndbuf); return 0;
	case SO_RCVBUF: *val = READ_ONCE(s->rcvbuf); return 0;
	case SO_RCVLOWAT: *val = READ_ONCE(s->rcvlowat); return 0;
	case SO_SNDLOWAT: *val = 1; return 0;
	case SO_PRIORITY: *val = READ_ONCE(s->priority); return 0;
	case SO_PEEK_OFF:
		*val = READ_ONCE(s->peek_off);
		return s->ops->peek_offset ? 0 : -EOPNOTSUPP;
	case SO_NO_CHECK:
	case SO_BSDCOMPAT:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* Stores min(*len, n) bytes and the length. */
static int put_value(struct user_bytes value, struct user_int user_len, int len, const void *from,
		     size_t n)
{
	len = MIN(len, (int)n);
	if (user_write_bytes(value, from, (size_t)len))
		return -EFAULT;
	return user_write(user_len, &len);
}

/* The maker of the other end, as a reference; NULL: none. */
static const struct cred *peer_get(struct socket *s, s32 *pid)
{
	const struct cred *cred;

	spin_lock(&s->lock);
	cred = s->peer_cred;
	*pid = s->peer_pid;
	if (cred)
		cred_get(cred);
	spin_unlock(&s->lock);
	return cred;
}

static int get_peercred(struct socket *s, struct user_bytes value, struct user_int user_len, int len)
{
	struct ucred_abi u = {.uid = U32_MAX, .gid = U32_MAX};
	const struct cred *cred = peer_get(s, &u.pid);

	if (cred) {
		u.uid = cred->euid;
		u.gid = cred->egid;
		cred_put(cred);
	}
	return put_value(value, user_len, len, &u, sizeof(u));
}

static int put_groups(const struct group_list *g, struct user_bytes value, struct user_int user_len,
		      int len)
{
	int full = g ? (int)(g->nr * sizeof(u32)) : 0;

	if (len < full)
		return user_write(user_len, &full) ? -EFAULT : -ERANGE;
	if (full && user_write_bytes(value, g->gid, (size_t)full))
		return -EFAULT;
	return user_write(user_len, &full);
}

static int get_peergroups(struct socket *s, struct user_bytes value, struct user_int user_len, int len)
{
	const struct cred *cred;
	s32 pid;
	int err;

	cred = peer_get(s, &pid);
	if (!cred)
		return -ENODATA;
	err = put_groups(cred->groups, value, user_len, len);
	cred_put(cred);
	return err;
}

static int get_peername(struct socket *s, struct user_bytes value, struct user_int user_len, int len)
{
	struct socket_address a;
	int n = s->ops->name(s, true, &a);

	if (n < 0)
		return -ENOTCONN;
	if (n < len)
		return -EINVAL;
	return put_value(value, user_len, len, &a, (size_t)len);
}

static int get_cookie(struct socket *s, struct user_bytes value, struct user_int user_len, int len)
{
	u64 cookie = s->file->inode->ino;

	if (len < (int)sizeof(cookie))
		return -EINVAL;
	return put_value(value, user_len, len, &cookie, sizeof(cookie));
}

static int get_common(struct socket *s, int name, struct user_bytes value, struct user_int user_len)
{
	struct __kernel_old_timeval tv;
	struct linger_abi l;
	int len, val, err;

	if (user_read(&len, user_len))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	switch (name) {
	case SO_LINGER:
		l = (struct linger_abi){socket_flag(s, SOCKET_LINGER), READ_ONCE(s->linger)};
		return put_value(value, user_len, len, &l, sizeof(l));
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
		tv = timeout_value(READ_ONCE(*(name == SO_RCVTIMEO ? &s->rcvtimeo_ns :
								      &s->sndtimeo_ns)));
		return put_value(value, user_len, len, &tv, sizeof(tv));
	case SO_PEERCRED:
		return get_peercred(s, value, user_len, len);
	case SO_PEERGROUPS:
		return get_peergroups(s, value, user_len, len);
	case SO_PEERNAME:
		return get_peername(s, value, user_len, len);
	case SO_COOKIE:
		return get_cookie(s, value, user_len, len);
	}
	err = get_number(s, name, &val);
	return err ? err : put_value(value, user_len, len, &val, sizeof(val));
}

long sys_getsockopt(int fd, int level, int name, struct user_bytes value, struct user_int len)
{
	struct socket *s;
	struct fd f;
	int err = socket_at(fd, &f, &s);

	if (err)
		return err;
	if (level == SOL_SOCKET)
		err = get_common(s, name, value, len);
	else
		err = s->ops->get_option ? s->ops->get_option(s, level, name, value, len) : -EOPNOTSUPP;
	fd_put(f);
	return err;
}
