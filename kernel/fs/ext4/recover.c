/*
 * Recovery: what the log of the journal holds is brought home at mount.
 *
 *  1. Scan: from the start on, each transaction must be complete: its blocks in sequence, each with
 *     its checksum right, the data blocks too, and a commit block behind them. The first that is not
 *     ends the log. A block that is of the log but corrupt is told in the kernel log; what lies
 *     behind it is never followed.
 *  2. Revoke: the revoke blocks of complete transactions; the latest sequence for each block counts.
 *  3. Replay: blocks go home in order, unless the same or a later transaction revokes them.
 *
 * Then everything is flushed and the log marked empty. Running it again after a power cut in the
 * middle does the same again. At mount nothing else uses the device.
 */
#include <lib/string.h>
#include "journal.h"

struct revoked {
	u64 block;
	u32 tid;
};

struct recovery {
	struct ext4_journal *j;
	u32 block;              /* of the log */
	u32 tid;
	u32 end;                /* first transaction that is not complete */
	void *control, *data;
	struct revoked *table;  /* open addressing; tid 0 with block 0: free */
	u64 nr_revoked, size;   /* size: a power of two or 0 */
	u32 replayed, skipped;
	bool corrupt;
};

static int log_read(struct recovery *r, u32 n, void *data)
{
	return ext4_read_block(r->j->fs, r->j->blocks[n], data);
}

static u32 log_next(const struct recovery *r, u32 n)
{
	return n + 1 == r->j->g.len ? r->j->g.first : n + 1;
}

/* ---- Revoked blocks ---- */

static struct revoked *revoke_slot(struct revoked *table, u64 size, u64 block)
{
	u64 i = (block * 0x9e3779b97f4a7c15ULL >> 20) & (size - 1);

	while (table[i].tid && table[i].block != block)
		i = (i + 1) & (size - 1);
	return &table[i];
}

static int revoke_grow(struct recovery *r)
{
	u64 size = r->size ? 2 * r->size : 1024;
	struct revoked *t = kvmalloc(size * sizeof(*t), GFP_KERNEL | GFP_ZERO);

	if (!t)
		return -ENOMEM;
	for (u64 i = 0; i < r->size; i++)
		if (r->table[i].tid)
			*revoke_slot(t, size, r->table[i].block) = r->table[i];
	kvfree(r->table);
	r->table = t;
	r->size = size;
	return 0;
}

/* Sequence 0 exists, too; one more than the sequence is kept, and compared as such. */
static int revoke_enter(struct recovery *r, u64 block)
{
	struct revoked *slot;
	int err = 2 * r->nr_revoked >= r->size ? revoke_grow(r) : 0;

	if (err)
		return err;
	slot = revoke_slot(r->table, r->size, block);
	r->nr_revoked += !slot->tid;
	*slot = (struct revoked){block, r->tid + 1 ? r->tid + 1 : 1};
	return 0;
}

static bool is_revoked(const struct recovery *r, u64 block)
{
	const struct revoked *slot = r->size ? revoke_slot(r->table, r->size, block) : NULL;

	return slot && slot->tid && !tid_before(slot->tid - 1, r->tid);
}

static int revoke_block(struct recovery *r)
{
	u64 block;
	int err = 0;

	for (u32 n = 0; !err && jbd_revoke_record(&r->j->g, r->control, n, &block); n++)
		err = revoke_enter(r, block);
	return err;
}

/* ---- Descriptors ---- */

enum recovery_pass { PASS_SCAN, PASS_REVOKE, PASS_REPLAY };

static int replay_one(struct recovery *r, const struct jbd_tag_info *t)
{
	u32 magic = be32(JBD_MAGIC);

	if (is_revoked(r, t->block)) {
		r->skipped++;
		return 0;
	}
	if (t->flags & TAG_ESCAPE)
		memcpy(r->data, &magic, sizeof(magic));
	r->replayed++;
	return ext4_write_block(r->j->fs, t->block, r->data, 0);
}

/* One data block. 1: the transaction is not to be trusted. */
static int data_block(struct recovery *r, enum recovery_pass pass, const struct jbd_tag_info *t, u32 n)
{
	int err;

	if (pass == PASS_REVOKE)
		return 0;
	if (t->block >= r->j->fs->g.blocks)
		return 1;
	err = log_read(r, n, r->data);
	if (err)
		return err;
	if (!jbd_data_ok(&r->j->g, t, r->tid, r->data))
		return 1;
	return pass == PASS_REPLAY ? replay_one(r, t) : 0;
}

/* The blocks behind a descriptor in `control`; *n moves behind them, *left counts the log down. */
static int descriptor(struct recovery *r, enum recovery_pass pass, u32 *n, u32 *left)
{
	struct jbd_tag_info t;
	struct jbd_tags tags;
	int err = 0;

	jbd_tags_begin(&tags, &r->j->g, r->control);
	while (!err && jbd_tags_next(&tags, &t)) {
		if (!*left)
			return 1;
		--*left;
		err = data_block(r, pass, &t, *n);
		*n = log_next(r, *n);
	}
	return err;
}

/* One transaction. 0: complete; 1: the log ends here; -errno. */
static int transaction(struct recovery *r, enum recovery_pass pass, u32 *left)
{
	u32 n = r->block, type;
	int err;

	for (;;) {
		if (!*left)
			return 1;
		--*left;
		err = log_read(r, n, r->control);
		if (err)
			return err;
		type = jbd_block_type(&r->j->g, r->control, r->tid, &r->corrupt);
		n = log_next(r, n);
		if (type == JBD_DESCRIPTOR)
			err = descriptor(r, pass, &n, left);
		else if (type == JBD_REVOKE && pass == PASS_REVOKE)
			err = revoke_block(r);
		else if (!type)
			err = 1;
		if (err == 1 && type)
			r->corrupt = true;
		if (err)
			return err;
		if (type == JBD_COMMIT)
			break;
	}
	r->block = n;
	return 0;
}

static int run_pass(struct recovery *r, enum recovery_pass pass)
{
	u32 left = r->j->g.len - r->j->g.first;
	int err = 0;

	r->block = r->j->g.start;
	r->tid = r->j->g.sequence;
	while (!err && (pass == PASS_SCAN || r->tid != r->end)) {
		err = transaction(r, pass, &left);
		if (!err)
			r->tid++;
	}
	if (pass == PASS_SCAN)
		r->end = r->tid;
	return pass == PASS_SCAN && err == 1 ? 0 : err == 1 ? -EUCLEAN : err;
}

static int replay(struct recovery *r)
{
	bool corrupt;
	int err = run_pass(r, PASS_SCAN);

	if (err)
		return err;
	corrupt = r->corrupt;
	err = run_pass(r, PASS_REVOKE);
	if (!err)
		err = run_pass(r, PASS_REPLAY);
	if (!err)
		err = block_flush(r->j->fs->bdev);
	if (err)
		return err;
	pr_info("ext4 (%s): recovered %u transactions, %u blocks, %u revoked\n",
		r->j->fs->bdev->name, r->end - r->j->g.sequence, r->replayed, r->skipped);
	if (corrupt)
		(void)ext4_corrupt(r->j->fs, EXT4_JOURNAL_INO,
				   "the log ends in a corrupt block; what follows it is lost");
	return 0;
}

int ext4_journal_recover(struct ext4_journal *j)
{
	u32 size = j->fs->g.block_size;
	struct recovery r = {.j = j};
	int err;

	if (!j->g.start)
		return 0;
	r.control = kmalloc(size, GFP_KERNEL);
	r.data = kmalloc(size, GFP_KERNEL);
	err = r.control && r.data ? replay(&r) : -ENOMEM;
	kfree(r.control);
	kfree(r.data);
	kvfree(r.table);
	if (err)
		return err;
	j->g.sequence = r.end + 1; /* never one that lies about in the log still */
	return ext4_journal_write_super(j, 0, j->g.sequence);
}
