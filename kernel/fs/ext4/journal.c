/*
 * Handles: starting, write access, stopping; asking for commits and waiting for them. journal.h
 * explains transactions.
 *
 * The journal's spinlock guards lists and states. A handle keeps its transaction open, so that what
 * it finds about its own transaction without the lock stays true.
 */
#include <lib/string.h>
#include <task/task.h>
#include <time/clock.h>
#include "journal.h"

#define LOG_SLACK 48u /* for handles that need more than they said */

u32 ext4_log_need(const struct ext4_journal *j, u32 nr, u32 revokes)
{
	if (!j->has_log)
		return 0;
	return nr + DIV_ROUND_UP(nr, MIN(JOURNAL_BATCH, jbd_tags_per_block(&j->g))) +
	       DIV_ROUND_UP(revokes, jbd_revokes_per_block(&j->g)) + 1;
}

/* ---- Starting ---- */

enum verdict { START_OK, START_ALLOC, START_WAIT, START_COMMIT, START_CHECKPOINT, START_FAIL };

/* What the transaction needs of the log with `credits` more. Journal lock. */
static u32 room_needed(const struct ext4_journal *j, const struct ext4_tx *tx, u32 credits)
{
	return ext4_log_need(j, tx->nr + tx->promised + credits, tx->nr_revokes + credits) + LOG_SLACK;
}

static bool log_has_room(const struct ext4_journal *j, const struct ext4_tx *tx, u32 credits)
{
	return !j->has_log || room_needed(j, tx, credits) <= j->free;
}

static enum verdict try_start(struct ext4_journal *j, struct ext4_handle *h, u32 credits,
			      struct ext4_tx **spare)
{
	struct ext4_tx *tx = j->running;

	if (j->error || j->stopping)
		return START_FAIL;
	if (!tx && !*spare)
		return START_ALLOC;
	if (!tx) {
		tx = *spare;
		*spare = NULL;
		tx->tid = j->next_tid++;
		j->next_tid += !j->next_tid; /* 0 means none */
		j->running = tx;
		wake_up_all(&j->work);
	}
	if (tx->state != TX_RUNNING)
		return START_WAIT;
	if (tx->nr + tx->promised + credits > j->max_tx)
		return START_COMMIT;
	if (!log_has_room(j, tx, credits))
		return START_CHECKPOINT;
	tx->updates++;
	tx->promised += credits;
	*h = (struct ext4_handle){.fs = j->fs, .tx = tx, .credits = credits};
	return START_OK;
}

static struct ext4_tx *tx_make(void)
{
	struct ext4_tx *tx = kzalloc(sizeof(*tx), GFP_KERNEL);

	if (!tx)
		return NULL;
	list_init(&tx->entries);
	list_init(&tx->freed);
	list_init(&tx->node);
	tx->born_ns = clock_monotonic();
	return tx;
}

static void request_commit(struct ext4_journal *j, u32 tid)
{
	spin_lock(&j->lock);
	if (tid_before(j->requested, tid))
		j->requested = tid;
	spin_unlock(&j->lock);
	wake_up_all(&j->work);
}

/* The running transaction is full: it must go before there is another. */
static void push_running(struct ext4_journal *j)
{
	struct ext4_tx *tx;
	u32 tid = 0;

	spin_lock(&j->lock);
	tx = j->running;
	if (tx)
		tid = tx->tid;
	spin_unlock(&j->lock);
	if (!tx)
		return;
	request_commit(j, tid);
	wait_event(&j->changed, READ_ONCE(j->error) || !READ_ONCE(j->running) ||
					!tid_before(READ_ONCE(j->done_tid), tid));
}

static bool may_go_on(struct ext4_journal *j)
{
	bool yes;

	spin_lock(&j->lock);
	yes = j->error || j->stopping || !j->running || j->running->state == TX_RUNNING;
	spin_unlock(&j->lock);
	return yes;
}

/* Makes room for what did not fit and, so that the next ones do, for half of a transaction. */
static int make_room(struct ext4_journal *j, u32 credits)
{
	u32 want = ext4_log_need(j, j->max_tx / 2, 0) + credits;

	spin_lock(&j->lock);
	if (j->running)
		want = MAX(want, room_needed(j, j->running, credits));
	spin_unlock(&j->lock);
	return ext4_checkpoint(j, want);
}

static int wait_for_start(struct ext4_journal *j, enum verdict v, u32 credits, struct ext4_tx **spare)
{
	switch (v) {
	case START_ALLOC:
		*spare = tx_make();
		return *spare ? 0 : -ENOMEM;
	case START_WAIT:
		wait_event(&j->changed, may_go_on(j));
		return 0;
	case START_COMMIT:
		push_running(j);
		return 0;
	case START_CHECKPOINT:
		return make_room(j, credits);
	default:
		return -EROFS;
	}
}

int ext4_start(struct ext4_fs *fs, struct ext4_handle *h, u32 credits)
{
	struct ext4_journal *j = fs->journal;
	struct ext4_tx *spare = NULL;
	enum verdict v;
	int err = 0;

	if (unlikely(!j || fs->ro_feature || READ_ONCE(fs->sb->flags) & MS_RDONLY))
		return -EROFS;
	if (credits > j->max_tx)
		return -ENOSPC;
	do {
		spin_lock(&j->lock);
		v = try_start(j, h, credits, &spare);
		spin_unlock(&j->lock);
		if (v != START_OK)
			err = wait_for_start(j, v, credits, &spare);
	} while (v != START_OK && !err);
	kfree(spare);
	if (!err)
		__atomic_fetch_or(&current->flags, TASK_F_IN_JOURNAL, __ATOMIC_RELAXED);
	return err;
}

void ext4_stop(struct ext4_handle *h)
{
	struct ext4_journal *j = h->fs->journal;
	struct ext4_tx *tx = h->tx;
	bool last;

	spin_lock(&j->lock);
	tx->promised -= h->credits;
	last = --tx->updates == 0 && tx->state == TX_CLOSED;
	spin_unlock(&j->lock);
	__atomic_fetch_and(&current->flags, (u32)~TASK_F_IN_JOURNAL, __ATOMIC_RELAXED);
	if (last)
		wake_up_all(&j->work);
}

u32 ext4_handle_tid(const struct ext4_handle *h)
{
	return h->tx->tid;
}

/* ---- Blocks ---- */

/* Journal lock. The entry `e` becomes the block's in the handle's transaction. */
static void entry_add(struct ext4_handle *h, struct ext4_buf *b, struct ext4_jentry *e)
{
	*e = (struct ext4_jentry){.buf = b, .tx = h->tx};
	ext4_buf_get(b);
	list_add_tail(&e->node, &h->tx->entries);
	b->newest = e;
	h->tx->nr++;
	if (h->credits) {
		h->credits--;
		h->tx->promised--;
	}
}

/* Journal lock. True: done; false: a copy of the block is needed in *copy first. */
static bool access_locked(struct ext4_handle *h, struct ext4_buf *b, struct ext4_jentry **e, u8 **copy)
{
	struct ext4_jentry *old = b->newest;

	if (old && old->tx == h->tx)
		return true;
	if (old && !old->copied && !old->frozen) {
		if (!*copy)
			return false;
		memcpy(*copy, b->data, h->fs->g.block_size);
		old->frozen = *copy;
		*copy = NULL;
	}
	entry_add(h, b, *e);
	*e = NULL;
	return true;
}

int ext4_write_access(struct ext4_handle *h, struct ext4_buf *b)
{
	struct ext4_journal *j = h->fs->journal;
	struct ext4_jentry *e = READ_ONCE(b->newest);
	u8 *copy = NULL;
	bool done;
	int err = 0;

	if (e && READ_ONCE(e->tx) == h->tx)
		return 0;
	e = ext4_alloc(sizeof(*e), GFP_KERNEL);
	if (!e)
		return -ENOMEM;
	for (;;) {
		spin_lock(&j->lock);
		done = access_locked(h, b, &e, &copy);
		spin_unlock(&j->lock);
		if (done)
			break;
		copy = ext4_alloc(h->fs->g.block_size, GFP_KERNEL);
		if (!copy) {
			err = -ENOMEM;
			break;
		}
	}
	kfree(copy);
	kfree(e);
	return err;
}

struct ext4_buf *ext4_entry_remove(struct ext4_jentry *e)
{
	struct ext4_buf *b = e->buf;

	list_del(&e->node);
	e->tx->nr--;
	if (b->newest == e)
		b->newest = NULL;
	if (b->ckpt == e)
		b->ckpt = NULL;
	kfree(e->frozen);
	kfree(e);
	return b;
}

static int revokes_grow(struct ext4_journal *j, struct ext4_tx *tx)
{
	u32 max = tx->max_revokes ? 2 * tx->max_revokes : 64;
	u64 *new, *old = NULL;

	do
		new = kvmalloc(max * sizeof(*new), GFP_KERNEL);
	while (!new && ext4_wait_for_memory());
	if (!new)
		return -ENOMEM;
	spin_lock(&j->lock);
	if (tx->max_revokes < max) {
		old = tx->revokes;
		memcpy(new, old, tx->nr_revokes * sizeof(*new));
		tx->revokes = new;
		tx->max_revokes = max;
		new = NULL;
	}
	spin_unlock(&j->lock);
	kvfree(old);
	kvfree(new);
	return 0;
}

/*
 * The transaction does not log the block; recovery must not restore it from an earlier one. What an
 * earlier one still has to write home it may write until this one is committed, because until then
 * nobody gets the block; the commit takes it away (commit.c).
 */
int ext4_forget(struct ext4_handle *h, u64 block)
{
	struct ext4_journal *j = h->fs->journal;
	struct ext4_tx *tx = h->tx;
	struct ext4_buf *b, *entry = NULL;
	bool full;
	int err;

	do {
		spin_lock(&j->lock);
		full = tx->nr_revokes == tx->max_revokes;
		if (!full)
			tx->revokes[tx->nr_revokes++] = block;
		spin_unlock(&j->lock);
		err = full ? revokes_grow(j, tx) : 0;
	} while (full && !err);
	if (err)
		return err;
	b = ext4_buf_peek(h->fs, block);
	if (!b)
		return 0;
	spin_lock(&j->lock);
	if (b->newest && b->newest->tx == tx)
		entry = ext4_entry_remove(b->newest);
	spin_unlock(&j->lock);
	ext4_buf_put(entry);
	ext4_buf_put(b);
	return 0;
}

int ext4_free_later(struct ext4_handle *h, u64 block, u32 nr)
{
	struct ext4_journal *j = h->fs->journal;
	struct ext4_freed *f = ext4_alloc(sizeof(*f), GFP_KERNEL), *last;

	if (!f)
		return -ENOMEM;
	*f = (struct ext4_freed){.block = block, .nr = nr};
	spin_lock(&j->lock);
	last = list_empty(&h->tx->freed) ? NULL : list_last(&h->tx->freed, struct ext4_freed, node);
	if (last && last->block == block + nr) {
		last->block = block;
		last->nr += nr;
	} else if (last && last->block + last->nr == block) {
		last->nr += nr;
	} else {
		list_add_tail(&f->node, &h->tx->freed);
		f = NULL;
	}
	spin_unlock(&j->lock);
	kfree(f);
	return 0;
}

/* ---- Waiting for commits ---- */

int ext4_sync_tid(struct ext4_fs *fs, u32 tid)
{
	struct ext4_journal *j = fs->journal;

	if (!j)
		return 0;
	if (!tid_before(READ_ONCE(j->done_tid), tid))
		return READ_ONCE(j->error);
	request_commit(j, tid);
	wait_event(&j->changed,
		   READ_ONCE(j->error) || !tid_before(READ_ONCE(j->done_tid), tid));
	return READ_ONCE(j->error);
}

u32 ext4_open_tid(struct ext4_fs *fs)
{
	struct ext4_journal *j = fs->journal;
	u32 tid = 0;

	if (!j)
		return 0;
	spin_lock(&j->lock);
	if (j->running)
		tid = j->running->tid;
	else if (j->committing)
		tid = j->committing->tid;
	spin_unlock(&j->lock);
	return tid;
}

int ext4_sync_all(struct ext4_fs *fs)
{
	u32 tid = ext4_open_tid(fs);

	if (tid)
		return ext4_sync_tid(fs, tid);
	return fs->journal ? READ_ONCE(fs->journal->error) : 0;
}

int ext4_sync_inode(struct inode *i, bool data_only)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	u32 tid = data_only ? READ_ONCE(ext4_i(i)->data_tid) : READ_ONCE(ext4_i(i)->sync_tid);

	if (tid && fs->journal && tid_before(READ_ONCE(fs->journal->done_tid), tid))
		return ext4_sync_tid(fs, tid);
	if (fs->journal && READ_ONCE(fs->journal->error))
		return -EIO;
	return READ_ONCE(fs->o.barrier) ? block_flush(fs->bdev) : 0;
}
