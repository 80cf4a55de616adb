/*
 * Reading and writing blocks of the journal. Pure; also built on the host. The first tag of each
 * descriptor is followed by the journal's uuid; the others carry SAME_UUID.
 */
#include <lib/string.h>
#include "csum.h"
#include "jformat.h"

#define UUID_SIZE 16u

/* ---- Super block ---- */

static u32 super_csum(const struct jbd_super *s)
{
	const u32 at = offsetof(struct jbd_super, checksum);
	u32 zero = 0, crc = ext4_crc32c(~0u, s, at);

	crc = ext4_crc32c(crc, &zero, sizeof(zero));
	return ext4_crc32c(crc, (const u8 *)s + at + 4, sizeof(*s) - at - 4);
}

static bool has_csum(const struct jbd_super *s)
{
	return be32(s->h.type) == JBD_SUPER_V2 &&
	       be32(s->feature_incompat) & (JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_CSUM_V3);
}

void jbd_seal_super(struct jbd_super *s)
{
	if (has_csum(s))
		s->checksum = be32(super_csum(s));
}

static u32 tag_size(const struct jbd_geometry *g)
{
	u32 size;

	if (g->v3)
		return sizeof(struct jbd_tag3);
	size = sizeof(struct jbd_tag) + (g->csum ? 2 : 0);
	return g->has_64bit ? size : size - 4;
}

static const char *check_features(const struct jbd_super *s, struct jbd_geometry *g)
{
	if (be32(s->h.type) == JBD_SUPER_V1)
		return NULL;
	g->compat = be32(s->feature_compat);
	g->incompat = be32(s->feature_incompat);
	if (g->incompat & ~JBD_INCOMPAT_SUPPORTED || s->feature_ro_compat)
		return "the journal has an unsupported feature";
	g->v3 = g->incompat & JBD_INCOMPAT_CSUM_V3;
	g->csum = g->incompat & (JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_CSUM_V3);
	g->has_64bit = g->incompat & JBD_INCOMPAT_64BIT;
	if (g->v3 && g->incompat & JBD_INCOMPAT_CSUM_V2)
		return "the journal has two kinds of checksums";
	if (g->csum && s->checksum_type != JBD_CHECKSUM_CRC32C)
		return "the journal has an unknown checksum type";
	if (g->csum && be32(s->checksum) != super_csum(s))
		return "wrong checksum of the journal's super block";
	return NULL;
}

const char *jbd_check_super(const struct jbd_super *s, u32 block_size, u32 max_len,
			    struct jbd_geometry *g)
{
	const char *why;

	memset(g, 0, sizeof(*g));
	if (be32(s->h.magic) != JBD_MAGIC ||
	    (be32(s->h.type) != JBD_SUPER_V1 && be32(s->h.type) != JBD_SUPER_V2))
		return "no journal super block";
	why = check_features(s, g);
	if (why)
		return why;
	g->block_size = block_size;
	g->len = be32(s->max_len);
	g->first = be32(s->first);
	g->start = be32(s->start);
	g->sequence = be32(s->sequence);
	g->error = be32(s->error);
	if (be32(s->block_size) != block_size)
		return "wrong block size of the journal";
	if (g->len > max_len || g->len < 256 || !g->first || g->first >= g->len / 2)
		return "wrong size of the journal";
	if (g->start && (g->start < g->first || g->start >= g->len))
		return "the journal starts outside of itself";
	g->seed = ext4_crc32c(~0u, s->uuid, sizeof(s->uuid));
	g->tag_size = tag_size(g);
	return NULL;
}

/* ---- Blocks of the log ---- */

/* Of the whole block, the four bytes at `at` taken as zero. */
static u32 block_csum(const struct jbd_geometry *g, const void *block, u32 at)
{
	u32 zero = 0, crc = ext4_crc32c(g->seed, block, at);

	crc = ext4_crc32c(crc, &zero, sizeof(zero));
	return ext4_crc32c(crc, (const u8 *)block + at + 4, g->block_size - at - 4);
}

static u32 csum_place(const struct jbd_geometry *g, u32 type)
{
	return type == JBD_COMMIT ? (u32)offsetof(struct jbd_commit, checksum)
				  : g->block_size - JBD_TAIL_SIZE;
}

static u32 load32(const void *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return be32(v);
}

static void store32(void *p, u32 v)
{
	v = be32(v);
	memcpy(p, &v, sizeof(v));
}

u32 jbd_block_type(const struct jbd_geometry *g, const void *block, u32 sequence, bool *corrupt)
{
	const struct jbd_header *h = block;
	u32 type = be32(h->type), at;

	*corrupt = false;
	if (be32(h->magic) != JBD_MAGIC || be32(h->sequence) != sequence)
		return 0;
	if (type != JBD_DESCRIPTOR && type != JBD_COMMIT && type != JBD_REVOKE)
		return 0;
	at = csum_place(g, type);
	if (g->csum && load32((const u8 *)block + at) != block_csum(g, block, at)) {
		*corrupt = true;
		return 0;
	}
	return type;
}

void jbd_tags_begin(struct jbd_tags *t, const struct jbd_geometry *g, const void *block)
{
	*t = (struct jbd_tags){.g = g, .block = block, .at = sizeof(struct jbd_header)};
}

static u32 tags_end(const struct jbd_geometry *g)
{
	return g->block_size - (g->csum ? JBD_TAIL_SIZE : 0);
}

static void tag_load(const struct jbd_geometry *g, const u8 *p, struct jbd_tag_info *out)
{
	struct jbd_tag3 t3;
	struct jbd_tag t = {.block_high = 0};

	if (g->v3) {
		memcpy(&t3, p, sizeof(t3));
		*out = (struct jbd_tag_info){be32(t3.block), be32(t3.flags), be32(t3.checksum)};
		if (g->has_64bit)
			out->block |= (u64)be32(t3.block_high) << 32;
		return;
	}
	memcpy(&t, p, g->has_64bit ? sizeof(t) : sizeof(t) - 4);
	*out = (struct jbd_tag_info){be32(t.block), be16(t.flags), be16(t.checksum)};
	out->block |= (u64)be32(t.block_high) << 32;
}

bool jbd_tags_next(struct jbd_tags *t, struct jbd_tag_info *out)
{
	u32 end = tags_end(t->g);

	if (t->last)
		return false;
	if (t->at > end || end - t->at < t->g->tag_size) {
		t->last = true;
		return false;
	}
	tag_load(t->g, t->block + t->at, out);
	t->at += t->g->tag_size;
	if (!(out->flags & TAG_SAME_UUID))
		t->at += UUID_SIZE;
	t->last = out->flags & TAG_LAST;
	return true;
}

static u32 data_csum(const struct jbd_geometry *g, u32 sequence, const void *data)
{
	u32 be = be32(sequence);

	return ext4_crc32c(ext4_crc32c(g->seed, &be, sizeof(be)), data, g->block_size);
}

bool jbd_data_ok(const struct jbd_geometry *g, const struct jbd_tag_info *t, u32 sequence,
		 const void *data)
{
	u32 crc;

	if (!g->csum)
		return true;
	crc = data_csum(g, sequence, data);
	return t->checksum == (g->v3 ? crc : crc & 0xffff);
}

bool jbd_revoke_record(const struct jbd_geometry *g, const void *block, u32 n, u64 *out)
{
	const struct jbd_revoke_header *h = block;
	u32 size = g->has_64bit ? 8 : 4, used = be32(h->count);
	u64 at = sizeof(*h) + (u64)n * size;

	if (used > tags_end(g) || at + size > used)
		return false;
	if (g->has_64bit)
		*out = (u64)load32((const u8 *)block + at) << 32 | load32((const u8 *)block + at + 4);
	else
		*out = load32((const u8 *)block + at);
	return true;
}

/* ---- Writing ---- */

u32 jbd_tags_per_block(const struct jbd_geometry *g)
{
	return (tags_end(g) - (u32)sizeof(struct jbd_header) - UUID_SIZE) / g->tag_size;
}

u32 jbd_revokes_per_block(const struct jbd_geometry *g)
{
	return (tags_end(g) - (u32)sizeof(struct jbd_revoke_header)) / (g->has_64bit ? 8 : 4);
}

void jbd_block_init(const struct jbd_geometry *g, void *block, u32 type, u32 sequence)
{
	struct jbd_header *h = block;

	memset(block, 0, g->block_size);
	h->magic = be32(JBD_MAGIC);
	h->type = be32(type);
	h->sequence = be32(sequence);
	if (type == JBD_REVOKE)
		((struct jbd_revoke_header *)block)->count = be32(sizeof(struct jbd_revoke_header));
}

void jbd_tag_put(const struct jbd_geometry *g, void *block, u32 n, u64 home, u32 flags, u32 sequence,
		 const void *data)
{
	u8 *p = (u8 *)block + sizeof(struct jbd_header) + n * g->tag_size + (n ? UUID_SIZE : 0);
	u32 crc = g->csum ? data_csum(g, sequence, data) : 0;
	struct jbd_tag t;

	flags |= n ? TAG_SAME_UUID : 0;
	if (g->v3) {
		struct jbd_tag3 t3 = {be32((u32)home), be32(flags), be32((u32)(home >> 32)),
				      be32(crc)};

		memcpy(p, &t3, sizeof(t3));
		return;
	}
	t = (struct jbd_tag){be32((u32)home), be16((u16)crc), be16((u16)flags),
			     be32((u32)(home >> 32))};
	memcpy(p, &t, g->has_64bit ? sizeof(t) : sizeof(t) - 4);
}

void jbd_revoke_put(const struct jbd_geometry *g, void *block, u32 n, u64 home)
{
	struct jbd_revoke_header *h = block;
	u32 size = g->has_64bit ? 8 : 4;
	u8 *p = (u8 *)block + sizeof(*h) + n * size;

	if (g->has_64bit) {
		store32(p, (u32)(home >> 32));
		p += 4;
	}
	store32(p, (u32)home);
	h->count = be32((u32)sizeof(*h) + (n + 1) * size);
}

void jbd_block_seal(const struct jbd_geometry *g, void *block)
{
	u32 at = csum_place(g, be32(((struct jbd_header *)block)->type));

	if (g->csum)
		store32((u8 *)block + at, block_csum(g, block, at));
}
