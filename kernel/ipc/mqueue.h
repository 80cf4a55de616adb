/* Private to POSIX message queues. */
#pragma once

#include <lib/rbtree.h>
#include <linux/mqueue.h>
#include <signal/types.h>
#include <vfs/file.h>
#include "ids.h"

#define MQ_HARD_MSGS 65536
#define MQ_HARD_SIZE (16u * 1024 * 1024)

DEFINE_USER_PTR(mq_attr, struct mq_attr);

struct mq_message {
	struct rb_node node;
	u32 priority;
	size_t size;
	u8 data[];
};

struct mqueue {
	struct spinlock lock;           /* LOCK_RANK_IPC_OBJECT */
	u64 max_messages, max_size;     /* const */
	struct user_account *user;      /* const: who pays; reference */
	u64 cost;                       /* const: bytes against RLIMIT_MSGQUEUE */
	struct dentry *dentry;          /* directory's inode lock: its name; NULL: unlinked */
	struct list_head node;          /* in the directory; its inode lock */
	u64 order;                      /* place in the directory; same */
	/* lock guards the rest. */
	struct rb_root messages;        /* highest priority last; within one, the oldest */
	u64 count, bytes;
	struct list_head receivers, senders; /* mq_waiter, highest priority first */
	struct process *notify_owner;   /* reference; NULL: nobody */
	int notify_how, notify_signal;
	sigval_t notify_value;
	struct wait_queue poll;
};

/* A queue for an inode; counted against the limits. 0, -EINVAL, -EOVERFLOW, -EMFILE, -ENOMEM. */
int mqueue_create(const struct mq_attr *attr, struct mqueue **out) __must_check;
void mqueue_destroy(struct mqueue *q);
/* The queue of an open file, or NULL when it is none. */
struct mqueue *mqueue_of(const struct file *f);
/* The current process wants no notification any more. */
void mqueue_forget_notify(struct mqueue *q);

extern const struct file_ops mqueue_fops;
