/*
 * Checkpoints: writing committed blocks home, so that the log's space can be used again.
 *
 * A block goes home only while no later transaction has it (it would take uncommitted changes along);
 * it is copied under the journal's lock. Space counts as free only when the blocks are on the medium
 * and the journal's super block, on the medium as well, no longer points to it.
 *
 * One checkpoint at a time (ckpt_lock). It may wait for a commit, so its caller has no handle.
 */
#include <lib/string.h>
#include "journal.h"

struct pass {
	struct ext4_journal *j;
	struct ext4_buf *bufs[JOURNAL_BATCH];
	u32 nr;
	bool blocked;  /* some blocks are in a later transaction: */
	u32 tid;
};

/* Copies blocks of tx that may go home. Journal lock. */
static void collect(struct pass *p, struct ext4_tx *tx)
{
	u32 size = p->j->fs->g.block_size, looked = 0;
	struct ext4_jentry *e;

	p->nr = 0;
	p->blocked = false;
	list_for_each(e, &tx->entries, node) {
		struct ext4_buf *b = e->buf;

		if (p->nr == JOURNAL_BATCH / 4 || ++looked > 4 * JOURNAL_BATCH)
			break;
		if (b->newest) {
			p->blocked = true;
			p->tid = b->newest->tx->tid;
			continue;
		}
		ext4_buf_get(b);
		memcpy(p->j->ckpt_batch[p->nr], b->data, size);
		p->bufs[p->nr++] = b;
	}
}

static int write_home(struct pass *p)
{
	struct ext4_io io;
	int err = 0;

	ext4_io_begin(&io, p->j->fs);
	for (u32 i = 0; i < p->nr && !err; i++)
		err = ext4_io_block(&io, BIO_WRITE, 0, p->bufs[i]->block, p->j->ckpt_batch[i]);
	return ext4_io_end(&io, NULL) ? -EIO : err;
}

/* The blocks are at home, unless a later transaction has taken over what must get there. */
static void forget_written(struct pass *p, const struct ext4_tx *tx)
{
	for (u32 i = 0; i < p->nr; i++) {
		struct ext4_buf *b = p->bufs[i], *drop = NULL;

		spin_lock(&p->j->lock);
		if (b->ckpt && b->ckpt->tx == tx)
			drop = ext4_entry_remove(b->ckpt);
		spin_unlock(&p->j->lock);
		ext4_buf_put(drop);
		ext4_buf_put(b);
	}
}

static void skip_written(struct pass *p)
{
	for (u32 i = 0; i < p->nr; i++)
		ext4_buf_put(p->bufs[i]);
}

/* Some blocks of tx. *empty: none is left. */
static int tx_step(struct pass *p, struct ext4_tx *tx, bool *empty)
{
	struct ext4_journal *j = p->j;
	int err;

	spin_lock(&j->lock);
	err = j->error; /* a commit that failed leaves its changes in blocks that look committed */
	*empty = list_empty(&tx->entries);
	if (!*empty && !err)
		collect(p, tx);
	spin_unlock(&j->lock);
	if (*empty || err)
		return err;
	if (!p->nr && p->blocked)
		return ext4_sync_tid(j->fs, p->tid);
	err = write_home(p);
	if (err)
		skip_written(p);
	else
		forget_written(p, tx);
	return err;
}

/* ---- The log's beginning ---- */

/* Where recovery would have to begin if the first transactions were gone. Journal lock. */
static void log_tail(struct ext4_journal *j, u32 *start, u32 *sequence)
{
	struct ext4_tx *tx = j->committing;

	if (!list_empty(&j->committed))
		tx = list_first(&j->committed, struct ext4_tx, node);
	*start = tx ? tx->log_start : j->head;
	*sequence = tx ? tx->tid : j->running ? j->running->tid : j->next_tid;
}

/* The oldest transactions have nothing left: their space is free. */
static int tail_advance(struct ext4_journal *j, u32 blocks)
{
	u32 start, sequence;
	int err = READ_ONCE(j->fs->o.barrier) ? block_flush(j->fs->bdev) : 0;

	if (err)
		return err;
	spin_lock(&j->lock);
	log_tail(j, &start, &sequence);
	spin_unlock(&j->lock);
	err = ext4_journal_write_super(j, start, sequence);
	if (err)
		return err;
	spin_lock(&j->lock);
	j->free += blocks;
	spin_unlock(&j->lock);
	return 0;
}

/* Takes finished transactions off the front; the blocks of the log that they had. */
static u32 drop_finished(struct ext4_journal *j)
{
	struct ext4_tx *tx;
	u32 blocks = 0;

	for (;;) {
		spin_lock(&j->lock);
		tx = list_empty(&j->committed) ? NULL
					       : list_first(&j->committed, struct ext4_tx, node);
		if (tx && list_empty(&tx->entries))
			list_del(&tx->node);
		else
			tx = NULL;
		spin_unlock(&j->lock);
		if (!tx)
			return blocks;
		blocks += tx->log_blocks;
		kfree(tx);
	}
}

static struct ext4_tx *oldest(struct ext4_journal *j, u32 *busy_tid, bool *busy)
{
	struct ext4_tx *tx = NULL, *later;

	spin_lock(&j->lock);
	if (!list_empty(&j->committed))
		tx = list_first(&j->committed, struct ext4_tx, node);
	later = j->committing ? j->committing : j->running;
	*busy = later;
	if (later)
		*busy_tid = later->tid;
	spin_unlock(&j->lock);
	return tx;
}

static bool enough(struct ext4_journal *j, u32 want, u32 coming)
{
	u32 free;

	spin_lock(&j->lock);
	free = j->free;
	spin_unlock(&j->lock);
	return want && free + coming >= want;
}

static int checkpoint_locked(struct pass *p, u32 want)
{
	struct ext4_journal *j = p->j;
	u32 freed = drop_finished(j), tid;
	bool empty, busy;
	int err = 0;

	while (!err && !enough(j, want, freed)) {
		struct ext4_tx *tx = oldest(j, &tid, &busy);

		if (!tx && !busy)
			break;
		if (!tx) {
			err = ext4_sync_tid(j->fs, tid);
			continue;
		}
		err = tx_step(p, tx, &empty);
		if (!err && empty)
			freed += drop_finished(j);
	}
	if (!err && freed)
		err = tail_advance(j, freed);
	return err;
}

int ext4_checkpoint(struct ext4_journal *j, u32 want)
{
	struct pass *p;
	int err = 0;

	if (!j->has_log)
		return ext4_sync_all(j->fs);
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	p->j = j;
	mutex_lock(&j->ckpt_lock);
	if (!j->error && !(want && enough(j, want, 0)))
		err = checkpoint_locked(p, want);
	mutex_unlock(&j->ckpt_lock);
	kfree(p);
	if (err && err != -ENOMEM)
		ext4_fail(j->fs, err, "writing back from the journal failed");
	return err;
}
