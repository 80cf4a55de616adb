/*
 * Open files and descriptor tables. A struct file is one open(2); descriptors and mappings hold
 * references. Descriptor look-up takes no lock: RCU, plus a reference unless the table is unshared.
 */
#pragma once

#include <arch/speculation.h>
#include <lib/bits.h>
#include <task/task.h>
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
#define FMODE_ATOMIC_POS BIT(8) /* regular file, directory: sharers take turns at the position */
#define FMODE_CAN_DIRECT BIT(11) /* O_DIRECT works; the open operation says so */
#define FMODE_READER BIT(9) /* read_count of the inode is held */
#define FMODE_TELL_PUT BIT(10) /* set for good by file_tell_puts */

struct file {
	struct ref ref;
	u32 mode;                     /* FMODE_*; const but for FMODE_TELL_PUT: atomic */
	u32 flags;                    /* O_*; spin to change (F_SETFL) */
	const struct file_ops *ops;   /* const */
	struct path path;             /* const: references */
	struct inode *inode;          /* const: path.dentry's at open */
	u32 error_seen;               /* of inode->mapping.write_error; atomic */
	loff_t pos;                   /* pos_lock when the file is shared */
	struct mutex pos_lock;        /* LOCK_RANK_FILE_POS */
	struct spinlock spin;         /* LOCK_RANK_FILE: flags, owner */
	struct cred const *cred;      /* const: the opener's */
	struct file_owner *owner;     /* who gets SIGIO; NULL: never set; spin */
	struct async_entry *async;    /* where it waits to send it; vfs/async.c */
	struct hlist_head watchers;   /* items of epolls that watch it; spin */
	void *private;                /* the implementation's */
	union {
		struct task_work put_work; /* deferred release, once the last reference is gone */
		struct rcu_head rcu;       /* descriptor look-ups may still see it */
	};
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
	/* O_ASYNC goes on or off: async_list_set on the object's lists. 0 or -errno. */
	int (*async)(struct file *f, int fd, bool on);
	int (*flush)(struct file *f);    /* on each close(2) */
	void (*release)(struct file *f); /* last reference */
	/* After file_tell_puts: a reference went that was not the last. Under RCU, any context; the
	 * file may be past its release already. */
	void (*put_told)(struct file *f);
	int (*fsync)(struct file *f, bool data_only);
	long (*fallocate)(struct file *f, int mode, loff_t off, loff_t len);
	void (*show_fdinfo)(struct file *f, void (*emit)(void *ctx, const char *text), void *ctx);
};

extern u64 file_max;    /* fs.file-max: open files that may exist at a time */
u64 files_open(void);   /* those that exist now */

/* Opens. flags O_*, mode for O_CREAT (umask applied inside). */
int file_open_at(int dirfd, const char *name, u32 flags, u32 mode, u32 lookup_flags,
		 struct file **out) __must_check;
int file_open_path(const struct path *p, u32 flags, struct file **out) __must_check;
/* For execve: regular, executable, not noexec; denies writers until file_put_exec. */
int file_open_exec(int dirfd, const char *name, u32 lookup_flags, struct file **out) __must_check;
/* Another user of a running image (fork): one more reference that denies writers. */
void file_get_exec(struct file *f);
/* Lets writers in again and drops the reference. Once per file_open_exec and file_get_exec. */
void file_put_exec(struct file *f);
/* An object without a name in the tree: pipes, eventfd, sockets. class names it: "pipe:[ino]",
 * "anon_inode:[eventfd]". */
int file_create_anon(const char *name, const struct file_ops *ops, void *private, u32 flags,
		     struct file **out) __must_check;
void file_get(struct file *f);
/* From now on put_told hears of each reference that is given back. Any context. */
void file_tell_puts(struct file *f);
/* Drops a reference; the release runs in this task's work before it returns to user mode, or at
 * once in a kernel thread. Any context that may take spinlocks. */
void file_put(struct file *f);
/* As close(2) gives a reference up: flush, record locks of the owner, release at once. Process
 * context, no locks. The flush's result. */
int file_close(struct file *f, const void *lock_owner);

/* The file's fsync operation, and errors of earlier writing that this open file has not heard of.
 * -EINVAL: there is no such operation. May sleep. */
int file_sync(struct file *f, bool data_only) __must_check;
/* Those errors alone: 0 or -errno, each once. */
int file_write_error(struct file *f) __must_check;
/* Kernel-side reads and writes at a position (exec, initramfs). Bytes or -errno. */
ssize_t file_read_kernel(struct file *f, void *buf, size_t len, loff_t pos);
ssize_t file_write_kernel(struct file *f, const void *buf, size_t len, loff_t pos);

/* Generic operations. */
loff_t file_llseek_size(struct file *f, loff_t off, int whence, loff_t max, loff_t eof);
loff_t file_llseek_generic(struct file *f, loff_t off, int whence);
loff_t file_llseek_none(struct file *f, loff_t off, int whence); /* -ESPIPE */
loff_t file_llseek_noop(struct file *f, loff_t off, int whence); /* where it is */
int file_open_nonseekable(struct inode *inode, struct file *f);
/* Page-cache backed regular files. */
ssize_t file_read_cached(struct file *f, struct io_iter *to, loff_t *pos);
ssize_t file_write_cached(struct file *f, struct io_iter *from, loff_t *pos);
/* The first part of writing: *pos for O_APPEND, limits, set-id bits. Inode lock. Bytes (0: none wanted)
 * or -errno. */
ssize_t file_write_begin(struct file *f, struct io_iter *from, loff_t *pos) __must_check;
/* The last: what O_SYNC and O_DSYNC promise. */
int file_write_sync(struct file *f) __must_check;
/* The inner part of writing: n bytes from *pos on, which have been checked. Inode lock. Bytes or -errno. */
ssize_t file_write_pages(struct inode *inode, struct io_iter *from, loff_t *pos, size_t n);
int file_mmap_cached(struct file *f, struct vma *vma);
/* The fault operation of such areas, for owners that add operations of their own. */
int file_fault_cached(struct vma *vma, u64 pgoff, bool write, struct page **page) __must_check;

/*
 * A descriptor table. Look-ups read `slots` under RCU (or without, when the table has one user);
 * everything else holds the lock. A small table lies in the structure itself.
 */
#define FD_INLINE 64
#define FD_ALL    U32_MAX /* no bound for fd_table_copy */

extern u32 nr_open; /* fs.nr_open: descriptors are below it */

struct fd_slots {
	struct rcu_head rcu;
	u32 capacity;       /* const: a power of two, at least FD_INLINE */
	u64 *open;          /* bitmap of descriptors in use or reserved; table lock */
	u64 *cloexec;       /* bitmap; table lock */
	u64 *full;          /* one bit per full word of `open`; table lock */
	struct file **file; /* RCU; table lock to change */
};

struct fd_table {
	struct ref ref;
	struct spinlock lock;     /* LOCK_RANK_FD_TABLE_SPIN */
	u32 next_free;            /* lock: no free descriptor below */
	struct fd_slots *slots;   /* RCU; lock to change */
	struct fd_slots inline_slots;
	u64 inline_bits[3];
	struct file *inline_file[FD_INLINE];
};

struct fd_table *fd_table_create(void); /* empty, one user; NULL: no memory */
/* The descriptors below max_fd. NULL: no memory. */
struct fd_table *fd_table_copy(struct fd_table *from, u32 max_fd);
void fd_table_put(struct fd_table *t); /* closes everything with the last user */
/* For execve, which has made the table private: closes what is marked close-on-exec. */
void fd_table_close_on_exec(void);
/* Gives the current task a table of its own if others use its. 0 or -ENOMEM. */
int fd_table_unshare(void) __must_check;

/*
 * A borrowed file: taken with fd_get, given back with fd_put. `needs_put` is false when the table
 * has one user, so nobody can close the descriptor meanwhile and no reference was taken.
 */
struct fd {
	struct file *file; /* NULL: -EBADF */
	bool needs_put;
	bool pos_locked;
};
struct fd fd_get_shared(int fd, u32 refused_mode);
struct fd fd_lock_pos(struct fd f);
void fd_put_slow(struct fd f);

/*
 * The file at fd without a reference, when that is all right: the table has one user, so only this
 * thread could close it. NULL otherwise, and for descriptors that are not open.
 */
static __always_inline struct file *fd_peek(int fd)
{
	const struct fd_table *t = current->files;
	const struct fd_slots *slots;

	if (unlikely(ref_read(&t->ref) != 1))
		return NULL;
	slots = t->slots;
	if (unlikely((u32)fd >= slots->capacity))
		return NULL;
	return slots->file[index_clamp((u32)fd, slots->capacity)];
}

static inline struct fd fd_get_mode_(int fd, u32 refused_mode)
{
	struct file *f = fd_peek(fd);

	if (unlikely(!f))
		return fd_get_shared(fd, refused_mode);
	if (unlikely(f->mode & refused_mode))
		return (struct fd){.file = NULL};
	return (struct fd){.file = f};
}

/* Refuses O_PATH files. */
static inline struct fd fd_get(int fd)
{
	return fd_get_mode_(fd, FMODE_PATH);
}

/* O_PATH too. */
static inline struct fd fd_get_raw(int fd)
{
	return fd_get_mode_(fd, 0);
}

/* Also locks the position when it is shared. */
static inline struct fd fd_get_pos(int fd)
{
	struct fd f = fd_get(fd);

	if (f.file && f.file->mode & FMODE_ATOMIC_POS && unlikely(ref_read(&f.file->ref) > 1))
		return fd_lock_pos(f);
	return f;
}

static inline void fd_put(struct fd f)
{
	if (unlikely(f.needs_put || f.pos_locked))
		fd_put_slow(f);
}

/* Reserves the lowest free descriptor >= first; then either installs or releases it. -EMFILE. */
int fd_reserve(u32 first, bool cloexec, int *out) __must_check;
void fd_install(int fd, struct file *f); /* consumes the reference */
void fd_release(int fd);
/* A descriptor for a file that was just made; consumes the reference, also on failure. */
long fd_install_new(struct file *f, bool cloexec);
/* Puts a new reference to f at fd, closing what was there. 0, -EMFILE, -ENOMEM, -EBUSY. */
int fd_replace(u32 fd, struct file *f, bool cloexec) __must_check;
/* Closes: flushes, drops record locks and the reference. The flush's error, or -EBADF. */
int fd_close(int fd);
/* Of another table (for /proc/pid/fd and SCM): a reference, or NULL. */
struct file *fd_table_file_get(struct fd_table *t, u32 fd);
/* Descriptors that the table has room for now, for /proc/PID/status. */
u32 fd_table_capacity(struct fd_table *t);
/* First open descriptor >= *fd; false at the end. */
bool fd_table_next(struct fd_table *t, u32 *fd);

/* Directory entry types of getdents64(2): a mode's S_IFMT bits, shifted. */
enum { DT_UNKNOWN = 0, DT_FIFO = 1, DT_CHR = 2, DT_DIR = 4, DT_BLK = 6, DT_REG = 8, DT_LNK = 10,
       DT_SOCK = 12 };

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
