/* Core files: what a process leaves behind when a signal with that default action ends it. */
#pragma once

#include <signal/types.h>

struct process;
struct task;

/* Of one dump, while it lasts; siglock of the process. */
struct core_state {
	struct task *dumper;
	u32 nr_running; /* other threads that have not stopped yet */
};

/*
 * The current thread ends its process through sig: kills the other threads, holds them while the
 * core is written, and notes in the process's exit code whether it was. Process context, before
 * process_exit; without effect when the process is ending already.
 */
void coredump(int sig, const siginfo_t *info);
/* siglock held, dropped meanwhile: an exiting thread waits until its process's core is written. */
void coredump_hold_locked(struct process *p);

#define CORE_PATTERN_MAX 128 /* with the terminator */

extern u32 core_uses_pid; /* a pattern without %p gets ".PID" behind it; torn-free */
extern u32 suid_dumpable; /* mm->dumpable of programs with more privilege than their user; torn-free */
/* kernel.core_pattern. Process context. */
void core_pattern_get(char out[CORE_PATTERN_MAX]);
void core_pattern_set(const char *pattern);
