/*
 * The journal's blocks: pure functions over bytes, also built on the host. A block of the log is
 * believed when its magic, its sequence and (with checksums) its checksum are right.
 */
#pragma once

#include "format.h"

struct jbd_geometry {
	u32 block_size;
	u32 len;         /* blocks of the journal */
	u32 first;       /* first block of the log; [first, len) is a ring */
	u32 start;       /* of the oldest transaction; 0: the log is empty */
	u32 sequence;    /* that transaction's, or the next one's */
	u32 incompat, compat;
	u32 seed;        /* of checksums */
	u32 error;       /* what an earlier user left behind */
	bool csum, v3, has_64bit;
	u32 tag_size;
};

/* max_len: blocks that the journal's file has. NULL or what is wrong. */
const char *jbd_check_super(const struct jbd_super *s, u32 block_size, u32 max_len,
			    struct jbd_geometry *g) __must_check;
void jbd_seal_super(struct jbd_super *s);

/* JBD_DESCRIPTOR …, or 0: not a block of that transaction (or a corrupt one: *corrupt). */
u32 jbd_block_type(const struct jbd_geometry *g, const void *block, u32 sequence, bool *corrupt)
	__must_check;

struct jbd_tags {
	const struct jbd_geometry *g;
	const u8 *block;
	u32 at;
	bool last, bad;
};
struct jbd_tag_info {
	u64 block;
	u32 flags, checksum;
};
void jbd_tags_begin(struct jbd_tags *t, const struct jbd_geometry *g, const void *block);
/* False at the end (bad: the block was nonsense). */
bool jbd_tags_next(struct jbd_tags *t, struct jbd_tag_info *out) __must_check;
/* Is this the block that the tag speaks of? */
bool jbd_data_ok(const struct jbd_geometry *g, const struct jbd_tag_info *t, u32 sequence,
		 const void *data) __must_check;
/* The n-th record of a revoke block; false: there are fewer. */
bool jbd_revoke_record(const struct jbd_geometry *g, const void *block, u32 n, u64 *out) __must_check;

/* ---- Writing ---- */

/* How many tags (records) a descriptor (revoke) block of ours holds. */
u32 jbd_tags_per_block(const struct jbd_geometry *g);
u32 jbd_revokes_per_block(const struct jbd_geometry *g);
void jbd_block_init(const struct jbd_geometry *g, void *block, u32 type, u32 sequence);
/* The n-th tag; data: what is written to the log. */
void jbd_tag_put(const struct jbd_geometry *g, void *block, u32 n, u64 home, u32 flags, u32 sequence,
		 const void *data);
void jbd_revoke_put(const struct jbd_geometry *g, void *block, u32 n, u64 home);
/* Checksums of a finished descriptor, revoke or commit block. */
void jbd_block_seal(const struct jbd_geometry *g, void *block);
