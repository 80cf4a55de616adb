/*
 * Advisory locks: record locks of processes (fcntl), of open files (OFD) and whole-file flock.
 * Leases: their holders are told before somebody else comes to the file.
 */
#pragma once

#include <vfs/file.h>

struct file_locks;

/* A descriptor was closed: drops the record locks of `owner` (a descriptor table) on the file. */
void locks_release_owner(struct file *f, const void *owner);
/* The last reference is gone: drops flock and OFD locks. */
void locks_release_file(struct file *f);
int lease_break_slow(struct inode *i, u32 flags) __must_check;
/*
 * Before an open or truncation with these O_* flags, after it has been counted in write_count or
 * read_count: 0 once no lease is in the way; -EWOULDBLOCK, -ERESTARTSYS. May sleep.
 */
static inline int lease_break(struct inode *i, u32 flags)
{
	smp_mb(); /* pairs with the grant of a lease */
	return likely(!READ_ONCE(i->locks)) ? 0 : lease_break_slow(i, flags);
}

/* With the inode. No user is left. */
void locks_free(struct file_locks *l);

/* Lines of /proc/locks; number counts from 1. */
int locks_show(void (*emit)(void *ctx, const char *text), void *ctx) __must_check;
