/* What the files of POSIX timers share. */
#pragma once

#include <signal/signal.h>
#include <task/task.h>
#include <time/clock_timer.h>
#include <time/posix_timer.h>
#include "internal.h"

struct posix_timer {
	struct ref ref;            /* the table's, and look-ups in progress */
	struct rcu_head rcu;
	struct process *process;   /* const: whose it is; it lives longer */
	struct task *thread;       /* const: reference; NULL: the signal is for the process */
	struct sigqueue *entry;    /* const while not dead */
	s32 id;                    /* const once in the table */
	s32 clock;                 /* const */
	s32 notify;                /* const: SIGEV_* */
	bool on_cpu_clock;         /* const */
	/* siglock of the process. */
	bool dead;                 /* deleted */
	bool active;               /* armed */
	u32 base;                  /* fixed clock that expires_ns is a time of */
	u32 requeue;               /* odd: the signal of a periodic timer is pending */
	u64 expires_ns, interval_ns;
	s64 overrun;               /* since the last signal that was taken */
	s32 overrun_last;          /* what timer_getoverrun tells */
	union {
		struct clock_timer timer;
		struct cpu_timer cpu;
	};
};

/* By id, of the current process, with a reference. NULL: none. */
struct posix_timer *posix_timer_get(s32 id);
void posix_timer_put(struct posix_timer *t);

/* siglock held in these. */
void posix_timer_start_locked(struct posix_timer *t);
/* -1: the expiry is on its way; drop siglock and try again. */
int posix_timer_try_stop_locked(struct posix_timer *t) __must_check;
void posix_timer_expire_locked(struct posix_timer *t);
/* A periodic timer that waits for its signal to be taken: its next expiry after now. */
void posix_timer_catch_up_locked(struct posix_timer *t, u64 now_ns);
/* The clock's time as far as it is known without other locks. */
u64 posix_timer_counted_now(const struct posix_timer *t);
