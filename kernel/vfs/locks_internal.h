/* Private to kernel/vfs: lock structures shared by fcntl's record locks and flock. */
#pragma once

#include <lib/rbtree.h>
#include <sync/wait.h>
#include <vfs/locks.h>

#define OFFSET_MAX ((u64)S64_MAX)

struct record_lock {
	struct rb_node node;
	u64 start, end;      /* inclusive; end OFFSET_MAX: to the end of the file */
	u64 max_end;         /* of the subtree */
	const void *owner;   /* fd_table of a process, or the file of an OFD lock */
	s32 pid;             /* for F_GETLK; -1: OFD */
	short type;          /* F_RDLCK, F_WRLCK; F_UNLCK in requests */
	bool ofd;
	struct record_lock *next_free;
};

struct flock_entry {
	struct list_head node;
	const struct file *file;
	bool exclusive;
	s32 pid;             /* const: who took it, for /proc/locks */
};

struct file_locks {
	struct spinlock lock;     /* LOCK_RANK_FLOCK */
	struct rb_root records;   /* lock */
	struct list_head flocks;  /* lock: struct flock_entry */
	struct list_head leases;  /* lock: struct lease */
	u64 release_count;        /* lock to change: bumped whenever somebody may pass */
	struct wait_queue wait;
	struct list_head all;     /* locks_show.c: all_lock */
	const struct inode *inode; /* const */
};

/* Into and out of the list of all, for /proc/locks. */
void locks_list_add(struct file_locks *l);
void locks_list_remove(struct file_locks *l);
/* The inode's locks, made when missing; NULL: no memory. */
struct file_locks *locks_of(struct inode *inode);
/* 0, -EAGAIN, -ENOLCK, -EDEADLK, -ERESTARTSYS. */
int record_lock_set(struct inode *inode, const struct record_lock *request, bool wait) __must_check;
/* True: *found would be in the way. */
bool record_lock_test(struct inode *inode, const struct record_lock *request,
		      struct record_lock *found);
void flock_release(struct file_locks *l, const struct file *f);
void lease_release(struct file_locks *l, const struct file *f);
/* F_SETLEASE and F_GETLEASE. */
long lease_set(struct file *f, int fd, u64 type);
long lease_get(struct file *f);
