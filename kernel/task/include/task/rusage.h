/* What threads and processes have used. */
#pragma once

#include <lib/types.h>
#include <linux/resource.h>

#define TICK_NSEC 10000000ULL /* one clock tick as user space counts them (USER_HZ 100) */

struct mm;
struct task;
struct process;

/* An ending thread's figures go to its process. */
void rusage_thread_exit(struct task *t);
/* The address space is about to go: keeps its high-water mark. */
void rusage_note_rss(struct process *p, const struct mm *mm);
/* A reaped child's figures, and those of its children, go to the parent. */
void rusage_child_reaped(struct process *parent, struct process *child);
/* who: RUSAGE_SELF, RUSAGE_CHILDREN, RUSAGE_BOTH. */
void process_rusage(struct process *p, int who, struct rusage *ru);
