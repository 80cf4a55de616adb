/*
 * The commit thread: takes the running transaction, writes it to the log, and makes it count. See
 * journal.h. The thread never waits for a handle other than those of the transaction it has closed,
 * never for a checkpoint; blocks for copies it has from the beginning (io.c waits for the rest).
 */
#include <lib/string.h>
#include <sched/sched.h>
#include <task/task.h>
#include <time/clock.h>
#include "journal.h"

#define CHUNK 64u /* entries that are dealt with under the lock at a time */

static u64 log_block(struct ext4_journal *j)
{
	u64 block = j->blocks[j->head];

	if (++j->head == j->g.len)
		j->head = j->g.first;
	return block;
}

/* ---- Closing and switching ---- */

/* What the running transaction's age or somebody's wish says. Journal lock not needed: a hint. */
static bool commit_wanted(struct ext4_journal *j, u64 *deadline)
{
	struct ext4_tx *tx;
	bool wanted = false;

	*deadline = U64_MAX;
	spin_lock(&j->lock);
	tx = j->running;
	if (tx) {
		*deadline = tx->born_ns + READ_ONCE(j->fs->o.commit_s) * NSEC_PER_SEC;
		wanted = !tid_before(j->requested, tx->tid) || clock_monotonic() >= *deadline ||
			 j->stopping;
	}
	wanted |= j->stopping;
	spin_unlock(&j->lock);
	return wanted;
}

static bool work_to_do(struct ext4_journal *j)
{
	u64 unused;

	return commit_wanted(j, &unused);
}

static struct ext4_tx *close_running(struct ext4_journal *j)
{
	struct ext4_tx *tx;

	spin_lock(&j->lock);
	tx = j->running;
	if (tx)
		tx->state = TX_CLOSED;
	spin_unlock(&j->lock);
	if (tx)
		wait_event(&j->work, !READ_ONCE(tx->updates));
	return tx;
}

/* The super block's counters belong to every transaction. */
static int fold_super(struct ext4_journal *j, struct ext4_tx *tx)
{
	struct ext4_handle h = {.fs = j->fs, .tx = tx};

	return ext4_super_fold(&h);
}

static void switch_running(struct ext4_journal *j, struct ext4_tx *tx)
{
	spin_lock(&j->lock);
	tx->state = TX_COMMITTING;
	tx->log_blocks = ext4_log_need(j, tx->nr, tx->nr_revokes);
	tx->log_start = j->head;
	j->free -= MIN(j->free, tx->log_blocks);
	j->committing = tx;
	j->running = NULL;
	spin_unlock(&j->lock);
	wake_up_all(&j->changed);
}

/* ---- Writing ---- */

/* The next entries, copied into the batch. Entries of a committing transaction stay on its list. */
static void copy_batch(struct ext4_journal *j, struct list_head *at)
{
	struct ext4_writer *w = &j->writer;
	u32 size = j->fs->g.block_size, max = JOURNAL_BATCH;
	struct list_head *p = at->next;

	if (j->has_log)
		max = MIN(max, jbd_tags_per_block(&j->g));
	for (w->nr = 0; w->nr < max && p != &w->tx->entries; w->nr++, p = p->next) {
		struct ext4_jentry *e = list_entry(p, struct ext4_jentry, node);

		spin_lock(&j->lock);
		memcpy(j->batch[w->nr], e->frozen ? e->frozen : e->buf->data, size);
		e->copied = true;
		spin_unlock(&j->lock);
		w->list[w->nr] = e;
	}
}

/* A block that begins like one of the journal's own is written with its first word cleared. */
static u32 escape(void *data)
{
	u32 magic = be32(JBD_MAGIC);

	if (memcmp(data, &magic, sizeof(magic)) != 0)
		return 0;
	memset(data, 0, sizeof(magic));
	return TAG_ESCAPE;
}

static int write_batch_log(struct ext4_journal *j)
{
	struct ext4_writer *w = &j->writer;
	struct ext4_io io;
	int err;

	jbd_block_init(&j->g, j->control, JBD_DESCRIPTOR, w->tx->tid);
	for (u32 i = 0; i < w->nr; i++) {
		u32 flags = escape(j->batch[i]) | (i + 1 == w->nr ? TAG_LAST : 0);

		jbd_tag_put(&j->g, j->control, i, w->list[i]->buf->block, flags, w->tx->tid,
			    j->batch[i]);
	}
	jbd_block_seal(&j->g, j->control);
	ext4_io_begin(&io, j->fs);
	err = ext4_io_block(&io, BIO_WRITE, 0, log_block(j), j->control);
	for (u32 i = 0; i < w->nr && !err; i++)
		err = ext4_io_block(&io, BIO_WRITE, 0, log_block(j), j->batch[i]);
	return ext4_io_end(&io, NULL) ? -EIO : err;
}

static int write_batch_home(struct ext4_journal *j)
{
	struct ext4_writer *w = &j->writer;
	struct ext4_io io;
	int err = 0;

	ext4_io_begin(&io, j->fs);
	for (u32 i = 0; i < w->nr && !err; i++)
		err = ext4_io_block(&io, BIO_WRITE, 0, w->list[i]->buf->block, j->batch[i]);
	return ext4_io_end(&io, NULL) ? -EIO : err;
}

static int write_entries(struct ext4_journal *j, struct ext4_tx *tx)
{
	struct ext4_writer *w = &j->writer;
	struct list_head *at = &tx->entries;
	int err = 0;

	w->tx = tx;
	while (!err && at->next != &tx->entries) {
		copy_batch(j, at);
		err = j->has_log ? write_batch_log(j) : write_batch_home(j);
		at = &w->list[w->nr - 1]->node;
	}
	return err;
}

static int write_revokes(struct ext4_journal *j, struct ext4_tx *tx)
{
	u32 per_block = jbd_revokes_per_block(&j->g), n = 0;
	int err = 0;

	while (n < tx->nr_revokes && !err) {
		jbd_block_init(&j->g, j->control, JBD_REVOKE, tx->tid);
		for (u32 i = 0; i < per_block && n < tx->nr_revokes; i++, n++)
			jbd_revoke_put(&j->g, j->control, i, tx->revokes[n]);
		jbd_block_seal(&j->g, j->control);
		err = ext4_write_block(j->fs, log_block(j), j->control, 0);
	}
	return err;
}

static int write_commit(struct ext4_journal *j, struct ext4_tx *tx)
{
	u32 flags = READ_ONCE(j->fs->o.barrier) ? BIO_PREFLUSH | BIO_FUA : 0;
	struct jbd_commit *c = j->control;
	struct timespec64 now = clock_inode_time();

	jbd_block_init(&j->g, c, JBD_COMMIT, tx->tid);
	c->sec = be64((u64)now.tv_sec);
	c->nsec = be32((u32)now.tv_nsec);
	jbd_block_seal(&j->g, c);
	return ext4_write_block(j->fs, log_block(j), c, flags);
}

static int write_log(struct ext4_journal *j, struct ext4_tx *tx)
{
	int err = write_revokes(j, tx);

	if (!err)
		err = write_entries(j, tx);
	return err ? err : write_commit(j, tx);
}

static int write_home(struct ext4_journal *j, struct ext4_tx *tx)
{
	int err = write_entries(j, tx);

	if (!err && READ_ONCE(j->fs->o.barrier))
		err = block_flush(j->fs->bdev);
	return err;
}

/* ---- After the commit ---- */

/*
 * The entry's block is committed: it waits for its checkpoint, in the place of an older state. Or the
 * commit has failed: then the older state, which counts, stays.
 */
static struct ext4_buf *entry_committed(struct ext4_journal *j, struct ext4_jentry *e)
{
	struct ext4_buf *b = e->buf, *drop = NULL;

	if (b->newest == e)
		b->newest = NULL;
	kfree(e->frozen);
	e->frozen = NULL;
	if (!j->has_log || j->error)
		return ext4_entry_remove(e);
	if (b->ckpt)
		drop = ext4_entry_remove(b->ckpt);
	b->ckpt = e;
	return drop;
}

static void settle_entries(struct ext4_journal *j, struct ext4_tx *tx)
{
	struct ext4_buf *put[CHUNK];
	struct list_head seen = LIST_INIT(seen);

	while (!list_empty(&tx->entries)) {
		u32 n = 0, i = 0;

		spin_lock(&j->lock);
		for (; i < CHUNK && !list_empty(&tx->entries); i++) {
			struct ext4_jentry *e = list_first(&tx->entries, struct ext4_jentry, node);
			struct ext4_buf *b;

			list_move_tail(&e->node, &seen);
			b = entry_committed(j, e);
			if (b)
				put[n++] = b;
		}
		spin_unlock(&j->lock);
		while (n)
			ext4_buf_put(put[--n]);
	}
	spin_lock(&j->lock);
	list_splice_tail(&seen, &tx->entries);
	spin_unlock(&j->lock);
}

/* Freed metadata must not be written home any more: the next owner may have written there. */
static void drop_revoked(struct ext4_journal *j, struct ext4_tx *tx)
{
	for (u32 i = 0; i < tx->nr_revokes; i++) {
		struct ext4_buf *b = ext4_buf_peek(j->fs, tx->revokes[i]), *drop = NULL;
		bool changed;

		if (!b)
			continue;
		spin_lock(&j->lock);
		changed = b->newest; /* by a later transaction, of an image that names it twice */
		if (b->ckpt && !changed)
			drop = ext4_entry_remove(b->ckpt);
		spin_unlock(&j->lock);
		ext4_buf_put(drop);
		if (changed)
			ext4_buf_put(b);
		else
			ext4_buf_retire(b);
	}
}

static void release_freed(struct ext4_journal *j, struct ext4_tx *tx, bool usable)
{
	while (!list_empty(&tx->freed)) {
		struct ext4_freed *f = list_first(&tx->freed, struct ext4_freed, node);

		list_del(&f->node);
		atomic64_add(&j->fs->freed, -(s64)f->nr);
		if (usable)
			ext4_blocks_release(j->fs, f->block, f->nr);
		kfree(f);
	}
}

static void finish(struct ext4_journal *j, struct ext4_tx *tx, int err)
{
	bool keep;

	if (err)
		ext4_fail(j->fs, err, "a commit failed");
	settle_entries(j, tx);
	drop_revoked(j, tx);
	if (!err)
		ext4_discard_freed(j->fs, &tx->freed);
	release_freed(j, tx, !err);
	kvfree(tx->revokes);
	tx->revokes = NULL;
	tx->nr_revokes = 0;
	spin_lock(&j->lock);
	tx->state = TX_COMMITTED;
	j->committing = NULL;
	keep = j->has_log && !err;
	if (keep)
		list_add_tail(&tx->node, &j->committed);
	WRITE_ONCE(j->done_tid, tx->tid);
	spin_unlock(&j->lock);
	if (!keep)
		kfree(tx);
	wake_up_all(&j->changed);
}

static void commit_one(struct ext4_journal *j)
{
	struct ext4_tx *tx = close_running(j);
	int err;

	if (!tx)
		return;
	err = fold_super(j, tx);
	switch_running(j, tx);
	if (!err)
		err = j->error;
	if (!err)
		err = j->has_log ? write_log(j, tx) : write_home(j, tx);
	finish(j, tx, err);
}

/* The last touch of the journal is the release of the queue's lock; ext4_journal_stop takes it, too. */
static void say_stopped(struct ext4_journal *j)
{
	u64 flags = spin_lock_irqsave(&j->changed.lock);

	WRITE_ONCE(j->stopped, true);
	wake_up_locked(&j->changed, ~0u, 0);
	spin_unlock_irqrestore(&j->changed.lock, flags);
}

void ext4_commit_thread(void *journal)
{
	struct ext4_journal *j = journal;
	u64 deadline;
	bool stop;

	do {
		while (!commit_wanted(j, &deadline))
			(void)!wait_event_state_(&j->work, work_to_do(j), TASK_UNINTERRUPTIBLE,
						 deadline, false);
		commit_one(j);
		spin_lock(&j->lock);
		stop = j->stopping && !j->running;
		spin_unlock(&j->lock);
	} while (!stop);
	say_stopped(j);
	task_exit_kernel();
}
