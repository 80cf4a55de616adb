/*
 * Private to kernel/net/unix: the AF_UNIX socket and its messages.
 *
 * Lock order: bind_lock (a socket gets its name), read_lock (receivers take turns), the in-flight
 * mutex of scm.c, then the spinlock of a socket (two of them: by address), then the name table.
 *
 * Life: `ref` counts the file's (or the listener's queue's) hold, peers and look-ups. The memory
 * stays until the messages that it has sent are gone too: `wmem` counts their bytes, and one more
 * for `ref` being alive, so a message needs no reference of its own.
 */
#pragma once

#include <net/socket.h>

enum unix_state { UNIX_CLOSED, UNIX_LISTENING, UNIX_CONNECTED };

/* A name, as getsockname gives it. */
struct unix_addr {
	struct ref ref;
	u32 len;     /* of the address: family included */
	u64 hash;    /* abstract names */
	u16 family;  /* starts the ABI's structure */
	char path[]; /* abstract: begins with NUL, not terminated */
};

struct unix_msg;

struct unix_sock {
	struct socket s;               /* first; s.lock guards what says "lock" */
	struct ref ref;
	struct atomic wmem;            /* bytes under way to others, and 1 while ref is not 0 */
	u8 state;                      /* lock; torn-free reads */
	bool dead;                     /* lock: released */
	struct unix_sock *peer;        /* lock; reference. Connection types: const once set, until release */
	struct list_head queue;        /* lock: messages, or connections (`embryo`) of a listener.
					  Only the holder of read_lock takes a message away */
	u32 nr_queued;                 /* lock; torn-free reads */
	u32 nr_appended;               /* lock; torn-free reads: counts arrivals */
	u32 backlog;                   /* lock; torn-free reads: more than this is full */
	struct unix_msg *oob;          /* lock: the urgent byte in the queue, or NULL */
	struct mutex read_lock;        /* LOCK_RANK_READERS */
	struct wait_queue peer_wait;   /* for room in our queue */
	struct list_head relays;       /* lock: pollers' sockets that wait for room in our queue */
	struct list_head relay_node;   /* in peer->relays; peer's lock */

	struct list_head embryo;       /* in the listener's queue; its lock */
	struct unix_sock *listener;    /* while in its queue; its lock */

	struct mutex bind_lock;        /* LOCK_RANK_SOCKET_BIND */
	struct unix_addr *addr;        /* set once with release order; bind_lock */
	struct path path;              /* set before addr, put at release */
	struct hlist_node name_node;   /* name table's lock */
	struct list_head all_node;     /* name table's lock */

	/* Descriptor passing; all under the in-flight mutex. */
	u32 nr_inflight;               /* references to our file that lie in queues; torn-free reads */
	struct list_head inflight;     /* struct scm_entry: where they are */
	struct list_head held;         /* struct scm_fds in our queue */
	struct list_head gc_node;      /* candidates, then the work list of a run */
	struct list_head gc_embryos, gc_embryo; /* a listener's and their place, during a run */
	struct unix_sock *gc_listener; /* a reference, during a run */
	u32 gc_state;                  /* a run's number and verdict */
	struct atomic gc_noted;        /* 1: among the noted of gc.c */
	struct unix_sock *gc_noted_next;
	struct rcu_head rcu;
};

static inline struct unix_sock *unix_of(struct socket *s)
{
	return container_of(s, struct unix_sock, s);
}

/* Descriptors in one message. */
struct scm_entry {
	struct file *file;         /* reference */
	struct scm_fds *fds;
	struct list_head node;     /* in the socket's `inflight` when file is one and this is queued */
};
struct scm_fds {
	u32 count, capacity;
	struct user_account *user; /* charged for them while they are under way, reference; else NULL */
	struct unix_sock *holder;  /* in whose queue; NULL: not under way */
	struct unix_msg *msg;      /* that carries them */
	struct list_head node;     /* in holder->held, or among the dead of gc.c */
	struct scm_entry entry[];
};

/* Who sent a message. */
struct scm_creds {
	s32 pid; /* 0: unknown */
	u32 uid, gid;
};
#define SCM_NO_CREDS ((struct scm_creds){0, U32_MAX, U32_MAX})

struct scm {
	struct scm_fds *fds;
	struct scm_creds creds;
};

enum unix_msg_memory { MSG_INLINE, MSG_PAGES, MSG_VIRTUAL };

/* A message, or a piece of a stream. */
struct unix_msg {
	struct list_head node;     /* receiver's queue; its lock */
	struct unix_sock *sender;  /* charged: keeps its memory */
	u8 *data;
	u32 len, consumed;         /* consumed: the receiver's read_lock */
	u32 charge;
	u8 memory;                 /* enum unix_msg_memory */
	u8 order;
	bool peeked;               /* empty datagram that SO_PEEK_OFF has passed */
	struct scm_creds creds;
	u64 time_ns;               /* when it was sent, if the receiver wants to know, else 0 */
	struct scm_fds *fds;       /* in-flight mutex, once queued */
	u8 inline_data[];
};

/* sock.c */
extern const struct socket_ops unix_stream_ops, unix_dgram_ops, unix_seqpacket_ops;
struct unix_sock *unix_alloc(u16 type); /* NULL: no memory */
void unix_put(struct unix_sock *u);
static inline void unix_get(struct unix_sock *u)
{
	ref_get(&u->ref);
}
/* Nobody is left who could use it. Frees after a grace period. */
void unix_free(struct unix_sock *u);
/* Gives n bytes of wmem back; frees the memory with the last. */
void unix_uncharge(struct unix_sock *u, u32 n);
static inline u32 unix_wmem(const struct unix_sock *u)
{
	return (u32)atomic_read(&u->wmem) - 1;
}
void unix_release(struct socket *s);
int unix_shutdown(struct socket *s, int how);
/* Everybody looks at the state again. */
void unix_state_changed(struct unix_sock *u);
void unix_lock_pair(struct unix_sock *a, struct unix_sock *b);
void unix_unlock_pair(struct unix_sock *a, struct unix_sock *b);
static inline bool unix_full(const struct unix_sock *u)
{
	return READ_ONCE(u->nr_queued) > READ_ONCE(u->backlog);
}
static inline bool unix_writable(const struct unix_sock *u)
{
	return READ_ONCE(u->state) != UNIX_LISTENING &&
	       (u64)unix_wmem(u) * 4 <= (u64)READ_ONCE(u->s.sndbuf);
}
/* Somebody wanted to send and could not. */
static inline void unix_no_space(struct unix_sock *u)
{
	if (!socket_flag(&u->s, SOCKET_NOSPACE))
		__atomic_fetch_or(&u->s.flags, SOCKET_NOSPACE, __ATOMIC_SEQ_CST);
}
/* A message has come. */
void unix_data_ready(struct unix_sock *u);

/* name.c */
int unix_bind(struct socket *s, const struct socket_address *addr, u32 len);
int unix_autobind(struct unix_sock *u) __must_check;
/* The socket with that name, a reference. -ECONNREFUSED, -EPROTOTYPE, -EINVAL, errors of the path. */
int unix_find(const struct socket_address *addr, u32 len, u16 type, struct unix_sock **out)
	__must_check;
int unix_check_addr(const struct socket_address *addr, u32 len) __must_check;
int unix_name(struct socket *s, bool peer, struct socket_address *out);
/* The source of a received message, for msg->name. */
void unix_copy_name(struct msg *m, const struct unix_sock *from);
void unix_list_add(struct unix_sock *u);    /* to the list of all */
void unix_list_remove(struct unix_sock *u); /* as its memory goes */
void unix_unhash(struct unix_sock *u);      /* nobody finds it any more */
void unix_addr_put(struct unix_addr *a);
/* The socket behind u (NULL: the first) of the list, a reference; gives the one on u back. */
struct unix_sock *unix_list_next(struct unix_sock *u);

/* connect.c */
int unix_stream_connect(struct socket *s, const struct socket_address *addr, u32 len, bool may_wait);
int unix_listen(struct socket *s, u32 backlog);
int unix_accept(struct socket *s, bool may_wait, struct socket **out);
int unix_pair(struct socket *a, struct socket *b);

/* buffer.c */
/*
 * A message of len bytes charged to u, once u has room: waits if it may. Larger pieces of a stream
 * than there is memory for become smaller (may_shrink): see msg->len. -EAGAIN, -EPIPE, -ENOBUFS, a
 * pending error, or a signal's errno.
 */
int unix_msg_alloc(struct unix_sock *u, size_t len, bool may_shrink, bool may_wait,
		   struct unix_msg **out) __must_check;
void unix_msg_free(struct unix_msg *m);
/* The charge for len bytes. */
void unix_write_space(struct socket *s);

/* stream.c, dgram.c */
ssize_t unix_stream_send(struct socket *s, struct msg *m);
ssize_t unix_stream_receive(struct socket *s, struct msg *m);
ssize_t unix_dgram_send(struct socket *s, struct msg *m);
ssize_t unix_dgram_receive(struct socket *s, struct msg *m);
ssize_t unix_seqpacket_send(struct socket *s, struct msg *m);
ssize_t unix_seqpacket_receive(struct socket *s, struct msg *m);
int unix_dgram_connect(struct socket *s, const struct socket_address *addr, u32 len, bool may_wait);
u32 unix_dgram_poll(struct socket *s, struct file *f, struct poll_table *pt);
/* There is room in u's queue again. */
void unix_room(struct unix_sock *u);
/* u, which has been connected to `peer`, leaves its relays. */
void unix_leave_relays(struct unix_sock *u, struct unix_sock *peer);

/* scm.c */
int scm_parse(const struct msg *m, struct scm *scm) __must_check; /* then scm_fini */
void scm_fini(struct scm *scm);
/* Puts copies of scm's descriptors into a message that is about to be queued at `to`. */
int scm_attach(struct unix_msg *msg, struct scm *scm, struct unix_sock *to) __must_check;
/* What a receiver takes out of a message (or, peeking, copies). 0 or -ENOMEM. */
void scm_detach(struct unix_msg *msg, struct scm *scm);
int scm_copy(struct unix_msg *msg, struct scm *scm) __must_check;
/* Fills the control buffer and ends scm. */
void scm_deliver(struct socket *s, struct msg *m, struct scm *scm);
/* A message dies with its descriptors. */
void scm_destroy_attached(struct unix_msg *msg);
/* Drops the files of a list that is not under way. */
void scm_fds_free(struct scm_fds *fds);
/* In-flight mutex held: the list is not under way any more. */
void scm_unlink_locked(struct scm_fds *fds);
/* The credentials that go with a message from u to `to`, unless it has some. */
static inline void scm_add_creds(struct unix_msg *m, const struct unix_sock *u,
				 const struct unix_sock *to)
{
	if (likely(!socket_flag(&u->s, SOCKET_PASSCRED) &&
		   !socket_flag(&to->s, SOCKET_PASSCRED) && to->s.file))
		return;
	if (m->creds.pid)
		return;
	m->creds = (struct scm_creds){current->process->pid, current->cred->uid, current->cred->gid};
}

/* gc.c */
extern struct mutex unix_inflight_mutex; /* LOCK_RANK_INFLIGHT */
/* Lists for the collector to free, from a thread whose stack is not for nested releases. */
void gc_defer_free(struct scm_fds *fds);
/* A reference to the file went that was not the last. Under RCU, any context. */
void unix_put_told(struct socket *s);
