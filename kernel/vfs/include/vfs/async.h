/*
 * Signal-driven I/O. An object that can tell of readiness has an async_list next to its wait queue;
 * O_ASYNC puts open files on it through file_ops.async, and async_notify sends SIGIO (or what
 * F_SETSIG chose) to the owners that F_SETOWN named.
 */
#pragma once

#include <lib/list.h>
#include <vfs/file.h>

struct pid_entry;

struct async_list {
	struct hlist_head entries; /* struct async_entry; async_lock to change, RCU to read */
};

/* Puts f, known to its user as fd, on the list, or takes it off. 0 or -ENOMEM. May sleep. */
int async_list_set(struct async_list *l, struct file *f, int fd, bool on) __must_check;
/* All owners are told; reason POLL_IN, POLL_OUT … (siginfo). Process context, no spinlocks. */
void async_notify_all(struct async_list *l, int reason);
/* The last reference to f is gone: takes it off every list. */
void async_release(struct file *f);

static inline void async_notify(struct async_list *l, int reason)
{
	if (unlikely(READ_ONCE(l->entries.first)))
		async_notify_all(l, reason);
}

/* One signal to f's owner, if there is one and it may be signalled. Same context. */
void file_signal(struct file *f, int fd, int reason);
/*
 * Who gets f's signals: the number (NULL: nobody) as a thread, process or group (F_OWNER_*). force:
 * in place of one who is set already. 0 or -ENOMEM. May sleep.
 */
int file_owner_set(struct file *f, struct pid_entry *pid, u32 type, bool force) __must_check;
/* Back to nobody and SIGIO. */
void file_owner_clear(struct file *f);
/* A file that nobody uses any more; any context. */
void file_owner_free(struct file *f);

/* SIGURG to f's owner; false: nobody is set. Same context. */
bool file_signal_urgent(struct file *f);

/* fcntl's commands. A number below 0 names a process group. */
long file_set_owner_number(struct file *f, s32 number);
s32 file_get_owner_number(struct file *f);
long file_set_owner(struct file *f, s32 pid, u32 type);
void file_get_owner(struct file *f, struct f_owner_ex *out);
long file_set_signal(struct file *f, u64 sig);
int file_get_signal(struct file *f);
