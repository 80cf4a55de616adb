/* Notifications as notify.c and addfd.c share them. */
#pragma once

#include "internal.h"

struct file;

enum notice_state { NOTICE_INIT, NOTICE_SENT, NOTICE_REPLIED };

/*
 * A call that waits for its answer; on the stack of the task that makes it. All fields are guarded
 * by the filter's notify_lock.
 */
struct notice {
	struct list_head node;       /* listener->notices */
	u64 id;
	struct task *task;
	const struct seccomp_data *data;
	enum notice_state state;
	long val;
	int error;
	u32 flags;
	struct list_head addfds;     /* struct addfd: descriptors to be put into this task */
	struct completion ready;     /* something of the above has changed for the task */
};

struct seccomp_listener {
	struct list_head notices;    /* notify_lock */
	u64 next_id;                 /* notify_lock */
	struct atomic pending;       /* receives that will find, or would have found, something */
	struct wait_queue receivers;
};

struct notice *notice_find(struct seccomp_filter *f, u64 id) REQUIRES(f->notify_lock);

/* addfd.c */
/* SECCOMP_IOCTL_NOTIF_ADDFD with an argument of size bytes: the descriptor or -errno. */
long notify_addfd(struct seccomp_filter *f, struct user_bytes arg, u32 size);
/* In the target task: carries out what waits on n->addfds. notify_lock is dropped meanwhile. */
void addfd_run(struct seccomp_filter *f, struct notice *n);
/* In the target task, which leaves: what still waits fails. notify_lock held. */
void addfd_fail(struct notice *n);
