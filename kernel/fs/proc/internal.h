/*
 * procfs inside. A node is described by a struct proc_entry, constant data in the file that knows
 * the contents; an inode adds whom it is about. Nothing is stored: texts are made when they are read.
 */
#pragma once

#include <task/pid.h>
#include <task/task.h>
#include <vfs/file.h>
#include <vfs/inode.h>

/* Where the name of an area begins in maps and smaps. */
#define PROC_NAME_COLUMN 73

/* A text under construction. After a failed allocation it takes nothing more and is discarded. */
struct text {
	char *buf;
	size_t len, capacity;
	bool failed;
	/* A long list may stop when it has `enough` bytes, and is called again to go on at `next`. */
	bool more;
	size_t enough;
	u64 next;
};
void text_printf(struct text *t, const char *fmt, ...) __printf(2, 3);
void text_append(struct text *t, const char *s, size_t n);
/* Appends s with the bytes of `escape` as \ooo, as in /proc/PID/maps and mounts. */
void text_escaped(struct text *t, const char *s, const char *escape);
void text_fini(struct text *t);
/* For the show functions of other modules: void emit(void *ctx, const char *text). */
void text_emit(void *ctx, const char *s);

struct proc_target {
	struct task *task; /* reference held meanwhile; NULL for global files */
	bool group;        /* /proc/PID: about the process; else /proc/PID/task/TID */
	u32 fd;
	const struct proc_entry *entry;
	loff_t pos;        /* store: where in the file */
};

struct proc_entry {
	const char *name;
	u32 mode; /* S_IFREG, S_IFDIR or S_IFLNK and permissions */
	/* S_IFREG: writes the contents. 0 or -errno (open or read fails with it). */
	int (*show)(struct text *t, const struct proc_target *target);
	/* S_IFREG, optional: takes one write; data is terminated. 0: all of it; the bytes that were
	 * taken; or -errno. */
	int (*store)(char *data, const struct proc_target *target);
	/* S_IFDIR: fixed children, ended by a nameless entry; may be NULL. */
	const struct proc_entry *children;
	/* S_IFDIR: a second such table; may be NULL. */
	const struct proc_entry *more;
	/* S_IFDIR: own look-up and listing behind the fixed children. */
	int (*lookup)(struct inode *dir, struct dentry *d);
	int (*list)(struct inode *dir, struct dir_context *ctx, loff_t base);
	/* S_IFLNK: the text, or the object itself. */
	int (*readlink)(const struct proc_target *target, char *buf, size_t size);
	int (*jump)(const struct proc_target *target, struct path *out);
	/* S_IFREG with operations of its own. */
	const struct file_ops *fops;
	/* Only for those who may look into the task (ptrace_may_access's rule). */
	bool guarded;
	/* A text about the address space that the task had when it was opened; guarded. */
	bool of_mm;
	/* A text about mounts: poll tells that they changed. */
	bool of_mounts;
	/* A setting of /proc/sys: what it is about, for show and store; judged by
	 * proc_setting_permission. */
	const void *setting;
};

struct proc_inode {
	const struct proc_entry *entry;
	struct pid_entry *pid; /* reference; NULL: global */
	bool group;
	u32 fd;
};

/* The inode of an entry about pid (may be NULL) bound to d: for look-ups. 0 or -ENOMEM. */
int proc_bind(struct dentry *d, const struct proc_entry *entry, struct pid_entry *pid, bool group,
	      u32 fd);
/* The task of a node with a reference, or NULL when it is gone. */
struct task *proc_task_get(const struct inode *i);
/* A reference to the entry of a thread that exists, or NULL. */
struct pid_entry *proc_pid_get(s32 nr);
/* options.c: hidepid and gid of mount(2). 0, -EINVAL, -ENOMEM; and as /proc/mounts shows them. */
int proc_set_options(const char *options) __must_check;
void proc_show_options(char *buf, size_t size);
/* Does t's process appear to the current task at all? May it be looked into: 0, -EPERM, -ENOENT. */
bool proc_is_visible(struct task *t);
int proc_may_enter(struct task *t) __must_check;
/* May the current task look into t? */
bool proc_may_access(struct task *t);
/* Parses a decimal name without leading zeros. */
bool proc_parse_number(const struct qstr *q, u32 *out);

extern const struct proc_entry proc_root_children[], proc_sys_children[];
extern const struct proc_entry proc_sysvipc_children[], proc_net_children[];
extern const struct proc_entry proc_system_children[], proc_process_more[], proc_thread_more[];
extern const struct proc_entry proc_process_entry, proc_thread_entry;
/* The permission bits alone, by effective ids and without regard to capabilities: as Linux has it
 * for settings. 0 or -EACCES. */
int proc_setting_permission(u32 mode, u32 mask);
int proc_root_lookup(struct inode *dir, struct dentry *d);
int proc_root_list(struct inode *dir, struct dir_context *ctx, loff_t base);
int proc_fd_lookup(struct inode *dir, struct dentry *d);
int proc_fdinfo_lookup(struct inode *dir, struct dentry *d);
int proc_fd_list(struct inode *dir, struct dir_context *ctx, loff_t base);
int proc_task_lookup(struct inode *dir, struct dentry *d);
int proc_task_list(struct inode *dir, struct dir_context *ctx, loff_t base);
/* A table of mounts, as the target sees them, through one of the functions of vfs/show.h. */
struct mount_ns;
int proc_show_mount_table(struct text *t, const struct proc_target *target,
			  void (*show)(struct mount_ns *, const struct path *,
				       void (*emit)(void *ctx, const char *text), void *ctx));
int proc_show_stat(struct text *t, const struct proc_target *target);
int proc_show_status(struct text *t, const struct proc_target *target);
int proc_show_statm(struct text *t, const struct proc_target *target);
/* Each area of the target's address space, with the tree locked; page is a scratch page. */
struct vma;
typedef void (*proc_area_fn)(struct text *t, struct vma *v, const struct path *root, char *page);
int proc_show_areas(struct text *t, const struct proc_target *target, proc_area_fn show);
void proc_show_area(struct text *t, struct vma *v, const struct path *root, char *page);
int proc_show_smaps(struct text *t, const struct proc_target *target);
int proc_show_smaps_rollup(struct text *t, const struct proc_target *target);
int proc_store_clear_refs(char *data, const struct proc_target *target);
/* Files on an address space, which stays the one of the time of opening: file->private. */
int proc_mem_open(struct inode *inode, struct file *f);
void proc_mem_release(struct file *f);
loff_t proc_mem_llseek(struct file *f, loff_t off, int whence);
int proc_show_maps(struct text *t, const struct proc_target *target);
extern const struct file_ops proc_mem_fops, proc_pagemap_fops;
