/*
 * Open files and descriptor tables. A struct file is one open(2); descriptors and mappings hold
 * references. Descriptor look-up takes no lock: RCU, plus a reference unless the table is unshared.
 */
#pragma once

#include <vfs/inode.h>
#include <vfs/io_iter.h>
#include <linux/fcntl.h>

struct poll_table;
struct vma;

/* FMODE_*: what the open allows. */
#define FMODE_READ   BIT(0)
#define FMODE_WRITE  BIT(1)
#define FMODE_PREAD  BIT(2) /* positional I/O makes sense */
#define FMODE_SEEK   BIT(3)
#define FMODE_PATH   BIT(4) /* O_PATH */
#define FMODE_EXEC   BIT(5)
#define FMODE_STREAM BIT(6) /* no position at all */
#define FMODE_WROTE  BIT(7) /* write_count of the inode is held */

struct file {
	struct ref ref;
	u32 mode;                     /* FMODE_*; const */
	u32 flags;                    /* O_*; spin to change (F_SETFL) */
	const struct file_ops *ops;   /* const */
	struct path path;             /* const: references */
	struct inode *inode;          /* const: path.dentry's at open */
	loff_t pos;                   /* pos_lock when the file is shared */
	struct mutex pos_lock;        /* LOCK_RANK_FILE_POS */
	struct spinlock spin;         /* LOCK_RANK_FILE: flags, owner */
	struct cred const *cred;      /* const: the opener's */
	s32 owner_pid;                /* F_SETOWN; spin */
	s32 owner_sig;
	struct task_work_file { void *next; } put_link; /* deferred release */
	void *private;                /* the implementation's */
};

struct file_ops {
	const char *name;
	/* May replace file->private and ops. 0 or -errno. Called without locks. */
	int (*open)(struct inode *inode, struct file *file);
	/* Bytes moved, 0 at end of file, or -errno. *pos advances. Sleeps unless O_NONBLOCK. */
	ssize_t (*read)(struct file *f, struct io_iter *to, loff_t *pos);
	ssize_t (*write)(struct file *f, struct io_iter *from, loff_t *pos);
	/* Calls dir_emit for each entry from ctx->pos; inode locked shared. 0 or -errno. */
	int (*readdir)(struct file *f, struct dir_context *ctx);
	loff_t (*llseek)(struct file *f, loff_t off, int whence);
	/* Registers with poll_wait and answers the EPOLL* bits that hold now. */
	u32 (*poll)(struct file *f, struct poll_table *pt);
	long (*ioctl)(struct file *f, unsigned int cmd, u64 arg);
	int (*mmap)(struct file *f, struct vma *vma);
	int (*flush)(struct file *f);    /* on each close(2) */
	void (*release)(struct file *f); /* last reference */
	int (*fsync)(struct file *f, bool data_only);
	long (*fallocate)(struct file *f, int mode, loff_t off, loff_t len);
	void (*show_fdinfo)(struct file *f, void (*emit)(void *ctx, const char *text), void *ctx);
};

/* Opens. flags O_*, mode for O_CREAT (umask applied inside). */
int file_open_at(int dirfd, const char *name, u32 flags, u32 mode, u32 lookup_flags,
		 struct file **out) __must_check;
int file_open_path(const struct path *p, u32 flags, struct file **out) __must_check;
/* For execve: regular, executable, not noexec; denies writers until file_put_exec. */
int file_open_exec(int dirfd, const char *name, u32 lookup_flags, struct file **out) __must_check;
/* Lets writers in again and drops the reference. Once per file_open_exec. */
void file_put_exec(struct file *f);
/* An object without a name in the tree: pipes, eventfd, sockets. class names it: "pipe:[ino]",
 * "anon_inode:[eventfd]". */
int file_create_anon(const char *name, const struct file_ops *ops, void *private, u32 flags,
		     struct file **out) __must_check;
void file_get(struct file *f);
/* Drops a reference; the release runs in this task's work before it returns to user mode, or at
 * once in a kernel thread. Any context that may take spinlocks. */
void file_put(struct file *f);

/* Kernel-side reads and writes at a position (exec, initramfs). Bytes or -errno. */
ssize_t file_read_kernel(struct file *f, void *buf, size_t len, loff_t pos);
ssize_t file_write_kernel(struct file *f, const void *buf, size_t len, loff_t pos);

/* Generic operations. */
loff_t file_llseek_size(struct file *f, loff_t off, int whence, loff_t max, loff_t eof);
loff_t file_llseek_generic(struct file *f, loff_t off, int whence);
loff_t file_llseek_none(struct file *f, loff_t off, int whence); /* -ESPIPE */
int file_open_nonseekable(struct inode *inode, struct file *f);
/* Page-cache backed regular files. */
ssize_t file_read_cached(struct file *f, struct io_iter *to, loff_t *pos);
ssize_t file_write_cached(struct file *f, struct io_iter *from, loff_t *pos);
int file_mmap_cached(struct file *f, struct vma *vma);

/* Descriptors of the current task. */
struct fd_slots {
	struct rcu_head rcu;
	u32 capacity;
	u64 *open;      /* bitmap; table lock */
	u64 *cloexec;   /* bitmap; table lock */
	u64 *full;      /* one bit per full word of `open` */
	struct file **file; /* RCU */
};
struct fd_table {
	struct ref ref;
	struct spinlock lock;     /* LOCK_RANK_FILE - 1 … see fd_table.c */
	u32 next_free;            /* lock: no free descriptor below */
	struct fd_slots *slots;   /* RCU; lock to change */
};
struct fd_table *fd_table_create(void);
struct fd_table *fd_table_copy(struct fd_table *from, u32 max_fd); /* NULL: no memory */
void fd_table_put(struct fd_table *t); /* closes everything with the last user */
void fd_table_close_on_exec(void);     /* makes the table private first if it is shared */

/*
 * A borrowed file: taken with fd_get, given back with fd_put. `needs_put` is false when the table
 * has one user, so nobody can close the descriptor meanwhile and no reference was taken.
 */
struct fd {
	struct file *file; /* NULL: -EBADF */
	bool needs_put;
	bool pos_locked;
};
struct fd fd_get(int fd);      /* refuses O_PATH files */
struct fd fd_get_raw(int fd);  /* O_PATH too */
struct fd fd_get_pos(int fd);  /* also locks the position when it is shared */
static inline void fd_put(struct fd f);
void fd_put_slow(struct fd f);
static inline void fd_put(struct fd f)
{
	if (unlikely(f.needs_put || f.pos_locked))
		fd_put_slow(f);
}

/* Reserves the lowest free descriptor >= first; then either installs or releases it. -EMFILE. */
int fd_reserve(u32 first, bool cloexec, int *out) __must_check;
void fd_install(int fd, struct file *f); /* consumes the reference */
void fd_release(int fd);
int fd_close(int fd);
/* Of another table (for /proc/pid/fd and SCM): a reference, or NULL. */
struct file *fd_table_file_get(struct fd_table *t, u32 fd);
/* First open descriptor >= *fd; false at the end. */
bool fd_table_next(struct fd_table *t, u32 *fd);

struct dir_context {
	loff_t pos;
	/* False: the buffer is full, stop. type DT_*. */
	bool (*emit)(struct dir_context *ctx, const char *name, u32 len, loff_t pos, u64 ino, u32 type);
};
static inline bool dir_emit(struct dir_context *ctx, const char *name, u32 len, u64 ino, u32 type)
{
	return ctx->emit(ctx, name, len, ctx->pos, ino, type);
}
/* "." and ".." at positions 0 and 1; false when the buffer is full. */
bool dir_emit_dots(struct file *f, struct dir_context *ctx);
