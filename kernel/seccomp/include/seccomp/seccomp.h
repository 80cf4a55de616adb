/*
 * seccomp: what a task may ask of the kernel, decided by programs of its own. Task fields:
 * seccomp_mode and seccomp_filter change under the process's siglock, in one direction only.
 */
#pragma once

#include <lib/types.h>

struct regs;
struct task;

/*
 * At the entry of a call, for a task with WORK_ENTER_SECCOMP: true when the call is to be made.
 * False: it is not, and its result is in the registers, or a signal is on its way. May sleep.
 */
bool seccomp_enter(struct regs *regs) __must_check;

/* Gives a new task that is about to be linked what the current one has. siglock held. */
void seccomp_fork(struct task *t);
/* A dead task has been reaped: it is no user of its filters any more. Process context. */
void seccomp_release(struct task *t);

/* prctl(2) PR_SET_SECCOMP. */
long seccomp_prctl(u64 mode, u64 arg);

/* Filters that t has, for /proc/PID/status. Process context. */
u32 seccomp_count(struct task *t);

/*
 * PTRACE_SECCOMP_GET_METADATA about t: struct seccomp_metadata in user memory at data, size bytes of it.
 * The bytes written, or -EACCES, -EINVAL, -EFAULT, -ENOENT.
 */
long seccomp_get_metadata(struct task *t, u64 size, u64 data);

/* The settings below /proc/sys/kernel/seccomp. Texts of at most SECCOMP_NAMES_MAX bytes. */
#define SECCOMP_NAMES_MAX 80
void seccomp_actions_avail(char *out);
void seccomp_actions_logged(char *out);
/* 0, -EPERM, -EINVAL. */
int seccomp_set_actions_logged(const char *names) __must_check;
