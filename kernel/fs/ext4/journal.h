/*
 * Transactions, compatible with Linux's JBD2 on the disk.
 *
 * A handle is one operation's share of the running transaction: it declares how many blocks it may
 * change, gets write access to each before changing it, and stops. A thread commits the running
 * transaction when somebody wants it on stable storage, when it is old or big:
 *
 *  1. It is closed: new handles wait, the commit waits for those that are under way.
 *  2. It becomes the committing one, and the next may begin at once. Its blocks are copied out in
 *     batches and written to the log. A block that the next transaction wants to change before it is
 *     copied gets a frozen copy first (ext4_write_access), so nobody ever waits for the log's I/O.
 *  3. The commit block is written with a flush before (data of files that the transaction makes
 *     visible is on the disk already: see file.c) and through to the medium. That is the commit.
 *  4. Blocks freed by it become free in memory; its entries wait to be written home.
 *
 * Space in the log comes back by checkpoints: the blocks of the oldest transactions are written home
 * as last committed. One that a later transaction has changed again waits for that one's commit and
 * passes to it. Who starts a handle and finds the log too full does it; nobody needs a handle for it.
 * Until then the blocks stay in memory, so no more of a log is used than memory has room for.
 *
 * A file system without a journal uses the same machinery: its commit writes the blocks home.
 */
#pragma once

#include "internal.h"
#include "jformat.h"

enum ext4_tx_state { TX_RUNNING, TX_CLOSED, TX_COMMITTING, TX_COMMITTED };

struct ext4_jentry { /* a block in a transaction; journal lock */
	struct ext4_buf *buf;   /* reference */
	struct ext4_tx *tx;
	struct list_head node;  /* tx->entries */
	u8 *frozen;             /* the block as it was when the next transaction first changed it */
	bool copied;            /* the committer has what it needs */
};

struct ext4_tx {
	u32 tid;
	enum ext4_tx_state state;    /* journal lock */
	u32 updates;                 /* journal lock: handles under way */
	u32 nr, promised;            /* journal lock: entries; credits that handles still have */
	struct list_head entries;    /* journal lock */
	struct list_head freed;      /* journal lock: struct ext4_freed */
	u64 *revokes;                /* journal lock */
	u32 nr_revokes, max_revokes; /* journal lock */
	u32 log_start;               /* first block of the log that it takes */
	u32 log_blocks;              /* how many */
	u64 born_ns;
	struct list_head node;       /* journal lock: journal->committed */
};

#define JOURNAL_BATCH 64u

struct ext4_writer { /* one batch of the commit thread */
	struct ext4_tx *tx;
	struct ext4_jentry *list[JOURNAL_BATCH];
	u32 nr;
};

struct ext4_journal {
	struct ext4_fs *fs;
	struct spinlock lock;           /* LOCK_RANK_FS_JOURNAL */
	bool has_log;                   /* const; false: no journal, commits write home */
	struct jbd_geometry g;          /* const but for start and sequence */
	u64 *blocks;                    /* const: where the n-th block of the journal lies */
	struct jbd_super *super;        /* commit thread and checkpointer, by ckpt_lock */
	struct inode *inode;            /* const: the journal's file */

	struct ext4_tx *running;        /* lock */
	struct ext4_tx *committing;     /* lock */
	struct list_head committed;     /* lock: oldest first; waiting for their checkpoint */
	u32 next_tid;                   /* lock */
	u32 requested;                  /* lock: commit up to this one */
	u32 done_tid;                   /* lock; torn-free: committed up to this one */
	u32 head;                       /* commit thread: next free block of the log */
	u32 free;                       /* lock: blocks of the log that are free */
	u32 max_tx;                     /* const: entries of one transaction */
	int error;                      /* lock; torn-free: why it has stopped; 0: it has not */
	bool started;                   /* const: the thread exists */
	bool stopping, stopped;         /* lock */
	struct wait_queue work;         /* of the thread */
	struct wait_queue changed;      /* a transaction was closed, switched or committed */
	struct mutex ckpt_lock;         /* LOCK_RANK_FS_CHECKPOINT: one checkpoint at a time */
	void *batch[JOURNAL_BATCH];     /* commit thread: blocks for copies */
	void *ckpt_batch[JOURNAL_BATCH]; /* ckpt_lock */
	struct ext4_writer writer;      /* commit thread */
	void *control;                  /* commit thread: descriptor, revoke, commit block */
};

/* Makes the journal of a file system that will be written; the log is empty. */
int ext4_journal_start(struct ext4_fs *fs) __must_check;
/* Commits and writes everything home, ends the thread. May be called after a failed start. */
void ext4_journal_stop(struct ext4_fs *fs);
/* Reads the journal's super block and map; *out is freed by ext4_journal_free. */
int ext4_journal_load(struct ext4_fs *fs, u32 ino, struct ext4_journal **out) __must_check;
void ext4_journal_free(struct ext4_journal *j);
/* Replays what the log holds and empties it (unless read-only: then it only must be empty). */
int ext4_journal_recover(struct ext4_journal *j) __must_check;
/* Start and sequence of the log into the journal's super block, on the medium. */
int ext4_journal_write_super(struct ext4_journal *j, u32 start, u32 sequence) __must_check;
/* Frees at least `want` blocks of the log, or all if 0. No handle. */
int ext4_checkpoint(struct ext4_journal *j, u32 want) __must_check;
/* Drops an entry whose block is safe otherwise. Journal lock; the reference is the caller's then. */
struct ext4_buf *ext4_entry_remove(struct ext4_jentry *e);
/* Blocks of the log that so many entries and revokes take. */
u32 ext4_log_need(const struct ext4_journal *j, u32 nr, u32 revokes);
void ext4_commit_thread(void *journal);
static inline bool tid_before(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}
