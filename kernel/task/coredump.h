/* What the parts of a core dump share. */
#pragma once

#include <arch/core_notes.h>
#include <mm/mm.h>
#include <task/coredump.h>
#include "internal.h"

struct file;

struct core_dump {
	int sig;
	const siginfo_t *info;
	struct mm *mm;             /* the current task's */
	struct task **threads;     /* the others, stopped; a reference each */
	u32 nr_threads;
	u64 limit;                 /* bytes */
	struct file *file;         /* where it goes */
	bool seekable;             /* holes are left out */
	u64 pos, written;
	bool hole_at_end;          /* the last thing was a hole */
};

/* coredump_elf.c: the file's contents. True: the file was begun. */
bool core_write(struct core_dump *d);

/* coredump_name.c */
struct core_name {
	bool pipe;                 /* text is a program and its arguments */
	size_t len, size;
	char *text;                /* owned; a pipe's arguments are separated by NULs */
};
/* From the pattern and the current task. 0, -ENOMEM, or -EINVAL for an empty program. */
int core_name_make(struct core_name *n, const struct core_dump *d);
void core_name_free(struct core_name *n);
