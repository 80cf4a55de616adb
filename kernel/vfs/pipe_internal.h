/* Private to kernel/vfs: a pipe's ring, for pipe.c, fifo.c and splice.c. */
#pragma once

#include <sync/mutex.h>
#include <vfs/async.h>
#include <vfs/pipe.h>

#define PIPE_DEFAULT_SLOTS 16
#define PIPE_SPARES        2
#define PIPE_READABLE (EPOLLIN | EPOLLRDNORM)
#define PIPE_WRITABLE (EPOLLOUT | EPOLLWRNORM)

#define BUF_PACKET BIT(0) /* one O_DIRECT write: read as a whole or not at all */
#define BUF_MERGE  BIT(1) /* a later write may append: nobody else has the page */

struct pipe_buf {
	struct page *page;
	u32 offset, len;
	u32 flags;
};

struct pipe {
	struct mutex lock;                  /* LOCK_RANK_PIPE */
	u32 head, tail;                     /* lock; slots ever filled, ever emptied; torn-free reads */
	u32 nr_slots;                       /* lock: a power of two */
	u32 reserved;                       /* lock: slots promised to splices under way */
	struct pipe_buf *bufs;              /* lock */
	u32 readers, writers;               /* lock: open files */
	u32 nr_opened_read, nr_opened_write; /* lock: ever, for FIFO opens that wait for a partner */
	u32 files;                          /* inode->spin: open files and opens under way */
	u32 nr_spare;                       /* lock */
	struct page *spare[PIPE_SPARES];    /* lock: pages kept to save allocations */
	bool polled;                        /* lock: somebody waits by edges; tell him of every write */
	struct wait_queue read_wait, write_wait;
	struct async_list read_async, write_async;
};

static inline bool pipe_empty(const struct pipe *p)
{
	return READ_ONCE(p->head) == READ_ONCE(p->tail);
}

static inline bool pipe_full(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail) + READ_ONCE(p->reserved) >=
	       READ_ONCE(p->nr_slots);
}

static inline struct pipe_buf *pipe_slot(struct pipe *p, u32 position)
{
	return &p->bufs[position & (p->nr_slots - 1)];
}

static inline bool pipe_can_read(const struct pipe *p)
{
	return !pipe_empty(p) || !READ_ONCE(p->writers);
}

static inline bool pipe_can_write(const struct pipe *p)
{
	return !pipe_full(p) || !READ_ONCE(p->readers);
}

extern const struct file_ops pipe_fops;

struct pipe *pipe_alloc(void);
/* Nobody has it open. */
void pipe_free(struct pipe *p);
/* Drops one of p->files; frees the pipe with the last. */
void pipe_put(struct inode *inode, struct pipe *p);
/* The pipe of an open file, or NULL when it is none. */
struct pipe *pipe_of(const struct file *f);
/* Gives the oldest slot's page up. Lock held. */
void pipe_drop_oldest(struct pipe *p);
/* A page for a new slot, or NULL. Lock held. */
struct page *pipe_take_page(struct pipe *p);
void pipe_keep_page(struct pipe *p, struct page *page);
/* SIGPIPE to the current task; -EPIPE. */
int pipe_broken(void);
