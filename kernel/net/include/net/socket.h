/*
 * The socket layer: what every protocol family shares. A family embeds struct socket at the start
 * of its own socket and gives the layer a table of operations. The layer owns descriptors, the
 * decoding of the calls and the SOL_SOCKET options; families see kernel copies of addresses and
 * control data, and move bytes through the message's io_iter.
 */
#pragma once

#include <net/abi.h>
#include <task/cred.h>
#include <vfs/async.h>
#include <vfs/file.h>
#include <vfs/poll.h>

struct socket;

/* A socket address as it came, or goes: name_len of its bytes count. */
struct socket_address {
	struct __kernel_sockaddr_storage storage;
};

/* One send or receive. */
struct msg {
	struct io_iter *iter;
	u32 flags;                    /* MSG_* of the call; MSG_DONTWAIT also for O_NONBLOCK */
	u32 out_flags;                /* receive: MSG_* to report */
	struct socket_address *name;  /* send: destination; receive: where the source goes; or NULL */
	u32 name_len;                 /* receive: set by the family, 0: no name */
	const u8 *control;            /* send: a kernel copy */
	size_t control_len;
	struct user_bytes control_out; /* receive: what is left of the user's buffer */
	u64 control_left;
};

struct socket_ops {
	/* addr_len is at most the storage's size. 0 or -errno. */
	int (*bind)(struct socket *s, const struct socket_address *addr, u32 addr_len);
	int (*connect)(struct socket *s, const struct socket_address *addr, u32 addr_len,
		       bool may_wait);
	/* Two fresh sockets. NULL: -EOPNOTSUPP. */
	int (*pair)(struct socket *a, struct socket *b);
	int (*listen)(struct socket *s, u32 backlog);
	/* The next connection; the caller gives it a file or releases it. */
	int (*accept)(struct socket *s, bool may_wait, struct socket **out);
	/* The length, or -errno. */
	int (*name)(struct socket *s, bool peer, struct socket_address *out);
	int (*shutdown)(struct socket *s, int how); /* SHUT_*, checked */
	ssize_t (*send)(struct socket *s, struct msg *m);
	ssize_t (*receive)(struct socket *s, struct msg *m);
	u32 (*poll)(struct socket *s, struct file *f, struct poll_table *pt);
	long (*ioctl)(struct socket *s, u32 cmd, u64 arg);
	/* Levels other than SOL_SOCKET. NULL: -EOPNOTSUPP. */
	int (*set_option)(struct socket *s, int level, int name, struct user_bytes value, u32 len);
	int (*get_option)(struct socket *s, int level, int name, struct user_bytes value,
			  struct user_int len);
	/* Effect of a changed SO_SNDBUF. May be NULL. */
	void (*write_space)(struct socket *s);
	/* As file_ops.put_told. For families that call file_tell_puts. */
	void (*put_told)(struct socket *s);
	/* The last reference to the file is gone, or there was never one. Frees in time. */
	void (*release)(struct socket *s);
	bool peek_offset; /* SO_PEEK_OFF works */
};

#define RCV_SHUTDOWN  1
#define SEND_SHUTDOWN 2
#define SHUTDOWN_MASK 3

/* socket->flags */
#define SOCKET_PASSCRED  BIT(0)
#define SOCKET_URGINLINE BIT(1)
#define SOCKET_KEEPALIVE BIT(2)
#define SOCKET_BROADCAST BIT(3)
#define SOCKET_DONTROUTE BIT(4)
#define SOCKET_REUSEADDR BIT(5)
#define SOCKET_REUSEPORT BIT(6)
#define SOCKET_DEBUG     BIT(7)
#define SOCKET_LINGER    BIT(8)
#define SOCKET_TIMESTAMP BIT(9)
#define SOCKET_LISTENING BIT(10)
#define SOCKET_PASSSEC   BIT(11)
#define SOCKET_NOSPACE   BIT(12) /* somebody found no room: SIGIO when there is some */

struct socket {
	const struct socket_ops *ops;  /* const */
	u16 family, type;              /* const */
	s32 protocol;                  /* const */
	struct spinlock lock;          /* LOCK_RANK_SOCKET: the family's state too */
	u32 flags;                     /* atomic SOCKET_* */
	u32 shutdown;                  /* lock; torn-free reads */
	s32 error;                     /* atomic: pending errno, positive */
	s32 sndbuf, rcvbuf, rcvlowat;  /* torn-free */
	s32 peek_off;                  /* torn-free; -1: off */
	u64 sndtimeo_ns, rcvtimeo_ns;  /* torn-free; U64_MAX: none, 0: never wait */
	struct wait_queue read_wait, write_wait;
	struct async_list async;       /* who wants SIGIO */
	struct file *file;             /* set once; NULL: not yet accepted, or released. RCU */
	s32 peer_pid;                  /* lock; who made the other end */
	const struct cred *peer_cred;  /* lock: reference, or NULL */
	s32 priority, linger;          /* torn-free */
};

struct socket_family {
	u16 family;
	/* A new unconnected socket of a type without flags. 0, -ESOCKTNOSUPPORT, -EPROTONOSUPPORT … */
	int (*create)(u32 type, s32 protocol, struct socket **out);
};
/* During boot only. */
void socket_family_register(const struct socket_family *f);

/* Fills a zeroed structure with defaults. */
void socket_init(struct socket *s, const struct socket_ops *ops, u16 family, u16 type,
		 s32 protocol);
/* Drops what socket_init and the layer hold: as the family frees it. */
void socket_fini(struct socket *s);

static inline bool socket_flag(const struct socket *s, u32 flag)
{
	return READ_ONCE(s->flags) & flag;
}

/* Takes the pending error: 0 or -errno. */
static inline int socket_take_error(struct socket *s)
{
	if (likely(!READ_ONCE(s->error)))
		return 0;
	return -__atomic_exchange_n(&s->error, 0, __ATOMIC_SEQ_CST);
}

/* When a wait that begins now ends: monotonic ns, U64_MAX: never, 0: do not wait at all. */
u64 socket_deadline(u64 timeout_ns, bool may_wait);
/* What a wait's error is to the caller: -EAGAIN past the deadline; only a wait without one may be
 * restarted after a signal. */
static inline int socket_wait_error(int err, u64 deadline_ns)
{
	if (err == -ETIME)
		return -EAGAIN;
	return err == -ERESTARTSYS && deadline_ns != U64_MAX ? -EINTR : err;
}

/* The socket of an open file, or NULL. */
struct socket *socket_of(const struct file *f);

/* The current process becomes the one that SO_PEERCRED of the other end tells. */
void socket_set_peer(struct socket *s, s32 pid, const struct cred *cred);

/* Adds a control message to a receive. What does not fit sets MSG_CTRUNC. */
void msg_put_control(struct msg *m, s32 level, s32 type, const void *data, size_t len);

/* Walks control data: *pos starts at 0. The message's header and data, 1; 0 at the end; -EINVAL. */
int msg_next_control(const struct msg *m, size_t *pos, struct cmsghdr_abi *hdr, const u8 **data);
