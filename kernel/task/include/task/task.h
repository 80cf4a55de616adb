/*
 * Threads and processes. struct task is one thread of execution; struct process is a thread group
 * with what its threads share by definition. Lock legend: tasklist = tasklist_lock (spinlock,
 * RCU for readers), sighand = process->siglock, own = only the task itself, const = immutable
 * after creation.
 */
#pragma once

#include <arch/context.h>
#include <lib/atomic.h>
#include <lib/list.h>
#include <linux/resource.h>
#include <sched/sched.h>
#include <ptrace/types.h>
#include <signal/types.h>
#include <sync/mutex.h>
#include <sync/rcu.h>
#include <sync/spinlock.h>
#include <task/cred.h>
#include <time/cpu_timer.h>
#include <time/timer.h>

struct mm;
struct fd_table;
struct fs_context;
struct mount_ns;
struct tty;
struct file;
struct sem_undo_list;
struct seccomp_filter;
struct trace_call;

/* task->work: reasons to leave the gate's fast path. Exit work in the low half, entry in the high. */
#define WORK_SIGNAL      BIT(0)   /* signal_pending: something to deliver, or a stop to take */
#define WORK_RESCHED     BIT(1)   /* reschedule before user mode */
#define WORK_NOTIFY      BIT(2)   /* task_work callbacks (deferred file puts …) */
#define WORK_RESTORE_MASK BIT(3)  /* sigsuspend and friends: put saved_blocked back */
#define WORK_EXIT_TRACE  BIT(4)   /* the call is recorded: its result is missing */
#define WORK_IRET        BIT(5)   /* leave through IRET: regs were changed as a whole */
#define WORK_RSEQ        BIT(6)   /* rseq: abort a section, tell the CPU */
#define WORK_EXIT_PTRACE BIT(7)   /* ptrace: a stop behind the system call */
#define WORK_EXIT_STEP   BIT(8)   /* ptrace: a single step over it ends behind it */
#define WORK_EXIT_SYSCALL_MASK (WORK_EXIT_TRACE | WORK_EXIT_PTRACE | WORK_EXIT_STEP)
#define WORK_EXIT_MASK   0x0000ffffU
/* In the order in which syscall/enter.c asks for them, which is Linux's. */
#define WORK_ENTER_PTRACE  BIT(16) /* the tracer's stop, which may change the call */
#define WORK_ENTER_SECCOMP BIT(17) /* a filter, or strict mode; never goes away again */
#define WORK_ENTER_TRACE   BIT(18) /* the call is recorded for the host */
#define WORK_ENTER_EMULATE BIT(19) /* the tracer's stop, and the call is not made (PTRACE_SYSEMU) */
#define WORK_ENTER_MASK  0xffff0000U

struct pid_entry;

#define TASK_COMM_LEN 16 /* with the NUL */

struct task {
	/* Read on every crossing; offsets used by assembly, asserted in arch. */
	u32 work;                        /* atomic WORK_* */
	u32 state;                       /* TASK_*; sched rules */
	uptr kernel_stack;               /* const: lowest address */
	struct arch_task arch;           /* own, and arch_switch */

	/* Scheduler. */
	struct sched_entity se;
	struct sched_params sched;       /* run-queue lock of its CPU: what it runs with */
	struct sched_params sched_base;  /* same: what was asked for, without inheritance */
	u8 pi_priority;                  /* same: inherited real-time priority, 0: none */
	struct pi_waiter *pi_waiting;    /* pi_spin */
	struct list_head pi_owned;       /* pi_spin: struct pi_lock */
	struct cpumask cpus_allowed;     /* run-queue lock */
	u32 cpu;                         /* run-queue lock */
	bool preempting;                 /* own: in preempt_schedule_irq */
	u32 on_cpu;                      /* 1 while running or switching; acquire/release */
	struct spinlock wake_lock;       /* LOCK_RANK_TASK_PI: serialises wake-ups */

	struct ref ref;
	struct rcu_head rcu;
	struct process *process;         /* const (changes only in exec's leader takeover) */
	s32 tid;                         /* tasklist */
	struct pid_entry *pid;           /* tasklist: the number's entry, with a reference */
	struct list_head thread_node;    /* process->threads; tasklist, RCU */
	struct task *next_dead;          /* exit: chain of those that are to be released */
	u32 flags;                       /* own: TASK_F_* */
	char comm[TASK_COMM_LEN] __aligned(8); /* by task_comm_set, task_comm_get; always terminated */

	struct mm *mm;                   /* own; NULL: kernel thread. Others: task_get_mm() */
	struct mm *active_mm;            /* sched: address space that is loaded */
	struct fd_table *files;          /* own; others under alloc_lock */
	struct fs_context *fs;           /* own; others under alloc_lock */
	struct mount_ns *mount_ns;       /* own; others under alloc_lock */
	const struct cred *cred;         /* RCU; own writes */
	bool no_new_privs;               /* set only: own, and seccomp's TSYNC under sighand */
	u8 seccomp_mode;                 /* sighand to write: SECCOMP_MODE_* */
	struct seccomp_filter *seccomp_filter; /* sighand to write, acquire to read own: reference */
	struct spinlock alloc_lock;      /* mm, files, fs, mount_ns against other tasks */

	struct ptrace_link ptrace;

	/* Signals. */
	struct sigset blocked;           /* own writes under siglock */
	struct sigset saved_blocked;     /* own */
	struct sigset real_blocked;      /* sighand: the mask that sigtimedwait has lifted, else 0 */
	struct signal_queue pending;     /* sighand: thread-directed */
	u32 jobctl;                      /* sighand: JOBCTL_* of signal/jobctl.h */
	struct sigaltstack_state altstack; /* own */
	struct restart_block restart;    /* own */
	u64 set_child_tid, clear_child_tid; /* own: user addresses */
	u64 robust_list;                 /* own: user address */
	u64 rseq_addr;                   /* own: user address; 0 none */
	u32 rseq_len, rseq_sig;
	u32 rseq_cpu;                    /* own, and run-queue lock: what the program was told */
	s32 exit_signal;                 /* tasklist: to the parent; -1: thread */
	s32 exit_code;                   /* wait(2) status word */
	s32 pdeath_signal;               /* own */
	u64 personality;                 /* own */
	u32 pagefault_disabled;          /* own: nesting */
	u16 ioprio;                      /* torn-free; 0: never set */
	u64 timer_slack_ns;              /* own */
	u64 start_time_ns;               /* const: monotonic */
	struct cpu_clock_queue cpu_queue[NR_CPU_TIMES]; /* process->cpu_timers.lock */
	u64 utime_ns, stime_ns;          /* wake_lock: last answer of sched_task_times */
	u64 minor_faults, major_faults;  /* own */
	u64 io_read_bytes, io_write_bytes, io_read_calls, io_write_calls; /* own */
	struct trace_call *trace;        /* own: the record of its call; NULL: none yet */
	struct sem_undo_list *sem_undos; /* own: reference; NULL: none yet */
	struct task_work *works;         /* atomic stack: run before user mode */
	struct completion *vfork_done;   /* alloc_lock: parent waits for exec or exit */
	u32 link_depth;                  /* own: symlinks followed in this look-up */
	char proc_link[32];              /* own: text of the /proc/self link being followed */
#ifdef CONFIG_DEBUG
	struct { const void *lock; u16 rank; } held[16]; /* own: sleeping locks */
	u32 nr_held;
	u32 fail_nth;                    /* own (and /proc/PID/fail-nth): see mm/inject.h; 0: nothing fails */
#endif
};

#define TASK_F_KTHREAD   BIT(0)
#define TASK_F_EXITING   BIT(1)
#define TASK_F_FORKNOEXEC BIT(2)
#define TASK_F_SIGNALED  BIT(3)  /* killed by a signal */
#define TASK_F_DUMPCORE  BIT(4)  /* held by, or writing, its process's core dump */
#define TASK_F_VFORK     BIT(5)
#define TASK_F_OOM_VICTIM BIT(6) /* may use the page reserve */
#define TASK_F_FORKED    BIT(7)  /* has made a child: its exit looks for children to hand over */
#define TASK_F_EXITED    BIT(8)  /* tasklist: has passed exit_notify */
#define TASK_F_COUNTED   BIT(9)  /* sighand: its times are in the process's sums */
#define TASK_F_FUTEX_DEAD BIT(10) /* owns no futex any more, and will not again */
#define TASK_F_NPROC     BIT(11) /* took a user id that had too many tasks: execve looks again */
#define TASK_F_IN_JOURNAL BIT(12) /* others wait for it to end its part of a transaction */

/* process->exit_state */
enum { PROCESS_ALIVE, PROCESS_ZOMBIE, PROCESS_REAPED };

struct process {
	struct ref ref;
	struct rcu_head rcu;
	s32 pid;                         /* const: tgid */
	struct task *leader;             /* tasklist */
	struct list_head threads;        /* tasklist, RCU */
	u32 nr_threads;                  /* tasklist: not yet released */
	struct atomic nr_live;           /* threads that have not begun to exit */
	u8 exit_state;                   /* tasklist: PROCESS_* */

	struct process *parent;          /* tasklist, RCU */
	s32 parent_tid;                  /* tasklist: the thread of parent that counts as its maker */
	struct list_head children;       /* tasklist */
	struct list_head sibling;        /* tasklist */
	struct list_head all_node;       /* all_processes; tasklist, RCU */
	struct pid_entry *pgrp, *session; /* tasklist; see task/pid.h */
	struct hlist_node pgrp_node, session_node; /* tasklist */
	struct tty *tty;                 /* sighand: controlling terminal, reference */
	u64 kill_mark;                   /* tasklist: the last kill(2) of many that has reached it */
	bool session_leader, did_exec, is_subreaper, has_subreaper;

	/* Signals. */
	struct spinlock siglock;         /* LOCK_RANK_SIGHAND; interrupts disabled */
	struct sighand *sighand;         /* actions; shared by CLONE_SIGHAND; sighand */
	struct signal_queue shared_pending; /* sighand */
	struct signal_wait *signal_wait; /* sighand to set, once: reference; for signalfd */
	u32 signal_flags;                /* sighand: SIGNAL_* */
	s32 group_exit_code;             /* sighand */
	s32 stop_signal;                 /* sighand: group stop in progress or done */
	u32 nr_to_stop;                  /* sighand */
	struct core_state *core;         /* sighand: a core dump is being written */
	struct task *exec_task;          /* sighand: execve waits for the others to go */
	struct wait_queue exit_wait;     /* pollers of pidfds: woken when the process has ended */
	struct wait_queue child_wait;    /* wait4 of this process's threads */
	u32 nr_tracees;                  /* tasklist: of all its threads */
	struct pid_entry *yama_tracer;   /* tasklist: PR_SET_PTRACER; a reference, or NULL */
	bool yama_any;                   /* tasklist: PR_SET_PTRACER_ANY */
	struct mutex exec_lock;          /* LOCK_RANK_EXEC */

	struct rlimit64 rlimits[RLIM_NLIMITS]; /* sighand to write; torn-free reads */
	struct timer real_timer;         /* ITIMER_REAL and alarm */
	u64 real_interval_ns;            /* sighand */
	struct cpu_timers cpu_timers;    /* timers and limits on CPU time */
	struct posix_timers *posix_timers; /* atomic: NULL until the first one is made */

	/* Sums of exited threads, and of waited-for children. */
	u64 utime_ns, stime_ns, child_utime_ns, child_stime_ns;   /* sighand */
	u64 min_faults, maj_faults, child_min_faults, child_maj_faults;
	u64 vol_switches, invol_switches, child_vol_switches, child_invol_switches;
	u64 max_rss_pages, child_max_rss_pages;
	s32 oom_score_adj;
};

DECLARE_PER_CPU(struct task *, current_task);

static inline struct task *current_get(void)
{
	return this_cpu_read_stable(current_task);
}
#define current current_get()

static inline struct regs *task_regs(const struct task *t)
{
	return (struct regs *)(t->kernel_stack + KERNEL_STACK_SIZE) - 1;
}

extern struct spinlock tasklist_lock; /* LOCK_RANK_TASKLIST; interrupts disabled */
extern struct list_head all_processes;
extern struct task init_idle_task;    /* CPU 0 before and as its idle task */
extern struct process init_process;   /* of the idle tasks: process 0, parent of kernel threads */
extern struct process *init_user_process; /* pid 1, from its start on */
extern u32 max_tasks; /* most threads that may exist; from the amount of memory */
/* Threads that exist, and processes and threads ever made, for /proc and sysinfo. */
extern struct atomic nr_tasks;
extern struct atomic64 nr_forks;

void task_get(struct task *t);
void task_put(struct task *t);
void process_get(struct process *p);
void process_put(struct process *p);

/* The address where t's credentials can be read until task_cred_put: never NULL. */
const struct cred *task_cred_get(struct task *t);

/* By thread id; with a reference, or NULL. */
struct task *task_find_get(s32 tid);
/* By process id; with a reference, or NULL. */
struct process *process_find_get(s32 pid);
/* Next process in pid order at or after *pid (moved to it), with a reference: for /proc. */
struct process *process_next_get(s32 *pid);

/* The name of a task: set cut to its size, got as a copy, which may be a mix of two names. Any context. */
void task_comm_set(struct task *t, const char *name);
void task_comm_get(const struct task *t, char out[TASK_COMM_LEN]);
/* The task's address space with a user reference (mm_put), or NULL. */
struct mm *task_get_mm(struct task *t);
struct fd_table *task_get_files(struct task *t); /* fd_table_put */
struct fs_context *task_get_fs(struct task *t);  /* fs_context_put */

static inline void task_set_work(struct task *t, u32 bits)
{
	__atomic_fetch_or(&t->work, bits, __ATOMIC_SEQ_CST);
}
static inline void task_clear_work(struct task *t, u32 bits)
{
	__atomic_fetch_and(&t->work, ~bits, __ATOMIC_SEQ_CST);
}
static inline bool signal_pending(const struct task *t)
{
	return READ_ONCE(t->work) & WORK_SIGNAL;
}
/* A signal is pending that will kill it: what TASK_KILLABLE reacts to. */
bool fatal_signal_pending(const struct task *t);

/* Deferred work that the task runs itself, in process context, before it returns to user mode. */
struct task_work {
	struct task_work *next;
	void (*fn)(struct task_work *);
};
/* 0, or -ESRCH when the task is past the point where it would run it. */
int task_work_add(struct task *t, struct task_work *w) __must_check;
void task_work_run(void);

/* Ends the calling thread (code: wait status word). */
__noreturn void task_exit(s32 code);
/* Ends the whole process. */
__noreturn void process_exit(s32 code);
__noreturn void task_exit_kernel(void);

/* Starts pid 1 from boot option init= (default /init); called once by kernel_main, on a kernel
 * thread, which ends. Panics when no program can be started. */
__noreturn void task_run_init(void *unused);
/* Boot-time set-up of caches, init process and pid tables. */
void task_init(void);
/* An idle task for a secondary CPU. NULL: out of memory. */
struct task *task_create_idle(u32 cpu);

/* The current process's soft limit. */
static inline u64 rlimit(unsigned int which)
{
	return READ_ONCE(current->process->rlimits[which].rlim_cur);
}
