/* Private to message queues. */
#pragma once

#include <linux/msg.h>
#include "ids.h"

struct message {
	struct list_head node;  /* queue's lock, while queued */
	long type;
	size_t size;
	u8 data[];
};

struct msg_queue {
	struct ipc_object object;
	/* The object's lock guards the rest. */
	s64 stime, rtime, ctime;
	u64 bytes, max_bytes;
	u64 count;
	s32 send_pid, receive_pid;
	struct list_head messages;  /* oldest first */
	struct list_head receivers; /* msg_receiver */
	struct list_head senders;   /* ipc_waiter: for room */
};

static inline struct msg_queue *msg_queue_of(struct ipc_object *o)
{
	return container_of(o, struct msg_queue, object);
}

/* Those who wait look again: the queue's limits or permissions have changed. Queue locked. */
void msg_wake_all(struct msg_queue *q, int result);
/* IPC_RMID. 0, -EINVAL, -EIDRM, -EPERM. */
long msg_remove(struct ipc_ns *ns, s32 id);
