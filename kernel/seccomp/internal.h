/* What the files of seccomp/ share. */
#pragma once

#include <lib/bits.h>
#include <lib/cbpf.h>
#include <lib/errno.h>
#include <linux/seccomp.h>
#include <seccomp/seccomp.h>
#include <sync/mutex.h>
#include <sync/wait.h>
#include <syscall/nr.h>
#include <task/task.h>

#define SECCOMP_WORDS (sizeof(struct seccomp_data) / sizeof(u32))

/*
 * One filter. It holds a reference to the one that was there before it, so filters form a tree that
 * grows at its leaves: what a task runs is the way from its leaf to the root.
 */
struct seccomp_filter {
	struct ref refs;             /* tasks, younger filters, the listener's file */
	struct ref users;            /* tasks that run it, through younger ones too */
	struct seccomp_filter *prev; /* const once attached: reference */
	u32 len;                     /* const */
	u32 total;                   /* const once attached: instructions up to the root, with penalties */
	u32 nr_filters;              /* const once attached: filters up to the root */
	bool log;                    /* const: SECCOMP_FILTER_FLAG_LOG */
	bool wait_killable;          /* const */

	struct mutex notify_lock;    /* LOCK_RANK_SLEEP_INNER: listener and its notifications */
	struct seccomp_listener *listener; /* notify_lock; NULL: none, or it is gone */
	struct wait_queue poll_wait; /* pollers of the listener */

	/* Numbers that every filter from here to the root allows whatever the arguments are. */
	u64 allowed[BITS_TO_WORDS(NR_SYSCALLS)]; /* const once attached */
	/* For each number: this filter's verdict if `constant`, else where to begin. const */
	u64 constant[BITS_TO_WORDS(NR_SYSCALLS)];
	u32 known[NR_SYSCALLS];
	struct cbpf_op op[];
};

/* filter.c */
/* Checks and builds a filter out of a program in user memory. 0, -EINVAL, -EFAULT, -EACCES, -ENOMEM. */
int filter_create(u64 uprog, struct seccomp_filter **out) __must_check;
void filter_get(struct seccomp_filter *f);
/* A task gives its reference up; it no longer runs the filter. NULL is allowed. */
void filter_put_user(struct seccomp_filter *f);
/* Any other reference. */
void filter_put(struct seccomp_filter *f);
/* False: the way from f over prev would be too long. */
bool filter_fits(const struct seccomp_filter *f, const struct seccomp_filter *prev);
/* Puts f in front of prev (NULL: none), whose reference it takes over. */
void filter_attach(struct seccomp_filter *f, struct seccomp_filter *prev);
/* The verdict that counts, and the filter that gave it (the youngest of equals). */
u32 filter_run(struct seccomp_filter *f, const struct seccomp_data *sd,
	       struct seccomp_filter **match);

/* notify.c */
/* A listener's file for a filter that is not attached yet. 0 or -errno. */
int listener_create(struct seccomp_filter *f, struct file **out) __must_check;
/* The file is not wanted after all. */
void listener_detach(struct seccomp_filter *f);
/* Asks the listener of match; the call waits meanwhile. True: make the call. False: the result is in regs. */
bool notify_ask(struct regs *regs, struct seccomp_filter *match, const struct seccomp_data *sd);

/* log.c */
bool log_wanted(u32 action, bool requested);
void log_verdict(const struct regs *regs, int nr, int sig, u32 action);
