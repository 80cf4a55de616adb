/*
 * Private to kernel/net/netlink. A netlink socket talks to the kernel only: a request is answered
 * within the send call, and the answers wait in the socket's own queue.
 */
#pragma once

#include <linux/netlink.h>
#include <net/socket.h>

/* One datagram to user space. */
struct nl_message {
	struct list_head node;
	u32 len, capacity;
	u8 data[];
};

struct netlink_sock {
	struct socket s;          /* first */
	u32 port;                 /* port table's lock: nl_pid, 0: not bound */
	u32 groups;               /* torn-free: what it wants to hear of; nothing ever happens yet */
	u32 peer_port;            /* torn-free: set by connect; 0 is the kernel */
	bool cap_ack;             /* NETLINK_CAP_ACK: acknowledgements without the request's body */
	struct list_head queue;   /* s.lock: struct nl_message */
	u32 queued_bytes;         /* s.lock */
	struct hlist_node node;   /* port table's lock */
};

/* A request, complete and inside its bounds; aligned for its structures. */
struct nl_request {
	struct netlink_sock *from;
	const struct nlmsghdr *hdr;
	const u8 *body;
	u32 len; /* of the body */
};

/* An empty datagram. NULL: no memory. */
struct nl_message *nl_alloc(u32 capacity);
/* Opens a message of body_len bytes, zeroed; NULL: does not fit. nl_end closes it. */
void *nl_begin(struct nl_message *m, const struct nl_request *r, u16 type, u16 flags, u32 body_len);
void nl_attr(struct nl_message *m, u16 type, const void *data, u32 len);
void nl_end(struct nl_message *m, void *body);
/* Queues the datagram, which is consumed; NULL is an allocation that failed. 0 or -ENOBUFS. */
int nl_reply(struct netlink_sock *to, struct nl_message *m) __must_check;

/* route.c: NETLINK_ROUTE. 0, or the errno that the sender is told in an acknowledgement. */
int route_request(const struct nl_request *r) __must_check;
