/*
 * The journal as a file: loading its super block and where its blocks lie, writing that super
 * block, and the journal's beginning and end.
 */
#include <lib/string.h>
#include "journal.h"

#define MAX_JOURNAL_BLOCKS (1u << 22)

static int map_all(struct ext4_journal *j, u32 nr)
{
	struct ext4_map m = {.lblk = 0};
	u32 at = 0;
	int err;

	j->blocks = kvmalloc((size_t)nr * sizeof(*j->blocks), GFP_KERNEL);
	if (!j->blocks)
		return -ENOMEM;
	while (at < nr) {
		m = (struct ext4_map){.lblk = at, .len = nr - at};
		err = ext4_map_block(j->inode, &m);
		if (err)
			return err;
		if (!m.pblk || m.unwritten)
			return ext4_corrupt(j->fs, EXT4_JOURNAL_INO, "hole in the journal");
		for (u32 i = 0; i < m.len; i++)
			j->blocks[at++] = m.pblk + i;
	}
	return 0;
}

static int load_super(struct ext4_journal *j, u32 nr)
{
	void *block = kzalloc(j->fs->g.block_size, GFP_KERNEL);
	const char *why;
	int err;

	if (!block)
		return -ENOMEM;
	j->super = block;
	err = ext4_read_block(j->fs, j->blocks[0], block);
	if (err)
		return err;
	why = jbd_check_super(j->super, j->fs->g.block_size, nr, &j->g);
	if (!why && j->g.first + ext4_log_need(j, 64, 64) > j->g.len)
		why = "the journal is too small";
	if (!why)
		return 0;
	pr_err("ext4 (%s): %s\n", j->fs->bdev->name, why);
	return -EUCLEAN;
}

static struct ext4_journal *journal_make(struct ext4_fs *fs)
{
	struct ext4_journal *j = kzalloc(sizeof(*j), GFP_KERNEL);

	if (!j)
		return NULL;
	j->fs = fs;
	spin_init(&j->lock, LOCK_RANK_FS_JOURNAL);
	mutex_init(&j->ckpt_lock, LOCK_RANK_FS_CHECKPOINT);
	wait_queue_init(&j->work);
	wait_queue_init(&j->changed);
	list_init(&j->committed);
	return j;
}

int ext4_journal_load(struct ext4_fs *fs, u32 ino, struct ext4_journal **out)
{
	struct ext4_journal *j = journal_make(fs);
	u64 nr;
	int err;

	if (!j)
		return -ENOMEM;
	j->has_log = true;
	err = ext4_iget(fs->sb, ino, &j->inode);
	if (!err && (!inode_is_reg(j->inode) || !j->inode->nlink))
		err = ext4_corrupt(fs, ino, "the journal is no file");
	nr = err ? 0 : j->inode->size >> fs->g.block_bits;
	if (!err && (nr < 256 || nr > MAX_JOURNAL_BLOCKS))
		err = ext4_corrupt(fs, ino, "bad size of the journal");
	if (!err)
		err = map_all(j, (u32)nr);
	if (!err)
		err = load_super(j, (u32)nr);
	if (err)
		ext4_journal_free(j);
	else
		*out = j;
	return err;
}

static void batch_free(void **batch)
{
	for (u32 i = 0; i < JOURNAL_BATCH; i++)
		kfree(batch[i]);
}

/* After a failure, what could not be written home is given up. */
static void drop_committed(struct ext4_journal *j)
{
	while (!list_empty(&j->committed)) {
		struct ext4_tx *tx = list_first(&j->committed, struct ext4_tx, node);

		while (!list_empty(&tx->entries))
			ext4_buf_put(ext4_entry_remove(
				list_first(&tx->entries, struct ext4_jentry, node)));
		list_del(&tx->node);
		kfree(tx);
	}
}

void ext4_journal_free(struct ext4_journal *j)
{
	if (!j)
		return;
	drop_committed(j);
	batch_free(j->batch);
	batch_free(j->ckpt_batch);
	kfree(j->control);
	kfree(j->super);
	kvfree(j->blocks);
	if (j->inode)
		inode_put(j->inode);
	kfree(j);
}

int ext4_journal_write_super(struct ext4_journal *j, u32 start, u32 sequence)
{
	u32 flags = READ_ONCE(j->fs->o.barrier) ? BIO_FUA | BIO_PREFLUSH : 0;

	j->g.start = start;
	j->super->start = be32(start);
	j->super->sequence = be32(sequence);
	j->super->error = 0;
	jbd_seal_super(j->super);
	return ext4_write_block(j->fs, j->blocks[0], j->super, flags);
}

/* ---- Running ---- */

static int batch_make(const struct ext4_fs *fs, void **batch)
{
	for (u32 i = 0; i < JOURNAL_BATCH; i++) {
		if (!batch[i])
			batch[i] = kmalloc(fs->g.block_size, GFP_KERNEL);
		if (!batch[i])
			return -ENOMEM;
	}
	return 0;
}

/*
 * How many blocks may wait in memory until they are written home, which their buffers do. A log can
 * be larger than memory: only so much of it is in use at a time then.
 */
static u32 memory_limit(const struct ext4_fs *fs)
{
	struct mem_stats mem;

	mem_stats(&mem);
	return (u32)MIN(
		MAX(mem.total_pages / 8 << (PAGE_SHIFT - fs->g.block_bits), (u64)JBD_MIN_BLOCKS),
		(u64)U32_MAX);
}

static int start_log(struct ext4_journal *j)
{
	bool wide = j->fs->g.has_64bit && !j->g.has_64bit;

	/* Features that our log needs: revoke records, and block numbers that are wide enough. */
	if (be32(j->super->h.type) == JBD_SUPER_V2) {
		j->g.incompat |= JBD_INCOMPAT_REVOKE | (wide ? JBD_INCOMPAT_64BIT : 0);
		j->super->feature_incompat = be32(j->g.incompat);
		if (wide)
			j->g.tag_size += j->g.v3 ? 0 : 4;
		j->g.has_64bit |= wide;
	} else {
		pr_err("ext4 (%s): the journal's version is too old to write\n", j->fs->bdev->name);
		return -EROFS;
	}
	j->head = j->g.first;
	j->free = MIN(j->g.len - j->g.first - 1, memory_limit(j->fs));
	j->max_tx = MIN(j->free / 4, 32768u);
	return ext4_journal_write_super(j, j->head, j->g.sequence);
}

int ext4_journal_start(struct ext4_fs *fs)
{
	struct ext4_journal *j = fs->journal;
	int err;

	if (!j)
		fs->journal = j = journal_make(fs);
	if (!j)
		return -ENOMEM;
	if (!j->control)
		j->control = kmalloc(fs->g.block_size, GFP_KERNEL);
	err = j->control ? batch_make(fs, j->batch) : -ENOMEM;
	if (!err)
		err = batch_make(fs, j->ckpt_batch);
	if (err)
		return err;
	j->max_tx = MIN(8192u, memory_limit(fs) / 4);
	if (j->has_log)
		err = start_log(j);
	if (err)
		return err;
	j->next_tid = j->has_log ? j->g.sequence : 1;
	j->requested = j->done_tid = j->next_tid - 1;
	j->stopping = j->stopped = false;
	j->started = kthread_create(ext4_commit_thread, j, "ext4-commit");
	return j->started ? 0 : -ENOMEM;
}

void ext4_journal_stop(struct ext4_fs *fs)
{
	struct ext4_journal *j = fs->journal;
	u64 flags;

	if (!j || !j->started)
		return;
	if (j->has_log && !j->error && !ext4_sync_all(fs))
		(void)!ext4_checkpoint(j, 0);
	spin_lock(&j->lock);
	j->stopping = true;
	spin_unlock(&j->lock);
	wake_up_all(&j->work);
	wait_event(&j->changed, READ_ONCE(j->stopped));
	flags = spin_lock_irqsave(&j->changed.lock); /* the thread has left it */
	spin_unlock_irqrestore(&j->changed.lock, flags);
	j->started = false;
	j->g.sequence = j->next_tid;
}
