/*
 * Extended attributes: behind the fields of the inode when there is room, else in one block.
 *
 * A region of attributes (either place) is changed by taking it apart, changing the list, and putting
 * it together again in memory of our own; what does not fit is known before anything has changed. A
 * block is never changed, because other inodes may share it (Linux makes such): the new list gets a new
 * one. Under the inode lock.
 */
#include <lib/string.h>
#include <linux/xattr.h>
#include <vfs/acl.h>
#include "internal.h"

/* ---- Names ---- */

static const struct { const char *prefix; u32 index; } prefixes[] = {
	{XATTR_USER_PREFIX, XATTR_INDEX_USER},
	{XATTR_TRUSTED_PREFIX, XATTR_INDEX_TRUSTED},
	{XATTR_SECURITY_PREFIX, XATTR_INDEX_SECURITY},
};

/* 0, or what Linux says of names that ext4 does not have. */
static int name_split(const char *name, u32 *index, const char **rest)
{
	for (u32 i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t len = strlen(prefixes[i].prefix);

		if (strncmp(name, prefixes[i].prefix, len) != 0)
			continue;
		*index = prefixes[i].index;
		*rest = name + len;
		return name[len] ? 0 : -EINVAL;
	}
	return -EOPNOTSUPP;
}

static const char *prefix_of(u32 index)
{
	for (u32 i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (prefixes[i].index == index)
			return prefixes[i].prefix;
	return NULL;
}

/* ---- Regions ---- */

struct region {
	struct ext4_buf *b;             /* reference; NULL: there is none */
	struct ext4_xattr_entry *first;
	u8 *base, *end;                 /* values are offsets from base */
};

static void region_put(struct region *r)
{
	ext4_buf_put(r->b);
	r->b = NULL;
}

static int inode_region(struct inode *i, struct region *r)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	struct ext4_inode *raw;
	const char *why;
	int err;

	*r = (struct region){0};
	if (!ext4_i(i)->has_xattrs)
		return 0;
	err = ext4_inode_raw(i, &r->b, &raw);
	if (err)
		return err;
	/* Not by what the disk says of the size now: it may have changed behind the cache. */
	r->base = (u8 *)raw + EXT4_GOOD_OLD_INODE_SIZE + ext4_i(i)->extra_isize + sizeof(u32);
	r->first = (void *)r->base;
	r->end = (u8 *)raw + fs->g.inode_size;
	why = ext4_check_xattrs(r->first, r->base, r->end);
	if (!why)
		return 0;
	region_put(r);
	return ext4_corrupt(fs, i->ino, why);
}

static const char *check_block(struct ext4_fs *fs, struct ext4_buf *b, const void *ctx)
{
	return ext4_check_xattr_block(&fs->g, b->block, b->data);
}

static int block_region(struct inode *i, struct region *r)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	u64 block = ext4_i(i)->acl_block;
	int err;

	*r = (struct region){0};
	if (!block)
		return 0;
	err = ext4_buf_read(fs, block, ext4_owner(PART_XATTRS, 0), check_block, NULL, &r->b);
	if (err)
		return err;
	r->base = r->b->data;
	r->first = (void *)(r->base + sizeof(struct ext4_xattr_header));
	r->end = r->base + fs->g.block_size;
	return 0;
}

static const struct ext4_xattr_entry *region_find(const struct region *r, u32 index, const char *name)
{
	size_t len = strlen(name);
	const struct ext4_xattr_entry *e;

	if (!r->b)
		return NULL;
	for (e = r->first; !ext4_xattr_last(e); e = ext4_xattr_next(e))
		if (e->name_index == index && e->name_len == len && memcmp(e->name, name, len) == 0)
			return e;
	return NULL;
}

/* ---- Reading ---- */

static ssize_t value_copy(const struct region *r, const struct ext4_xattr_entry *e, void *value,
			  size_t size)
{
	if (!size)
		return e->value_size;
	if (size < e->value_size)
		return -ERANGE;
	memcpy(value, r->base + e->value_offs, e->value_size);
	return e->value_size;
}

static ssize_t get_in(int err, struct region *r, u32 index, const char *name, void *value, size_t size)
{
	const struct ext4_xattr_entry *e;
	ssize_t ret = -ENODATA;

	if (err)
		return err;
	e = region_find(r, index, name);
	if (e)
		ret = value_copy(r, e, value, size);
	region_put(r);
	return ret;
}

ssize_t ext4_xattr_get(struct inode *i, u32 index, const char *name, void *value, size_t size)
{
	struct region r;
	ssize_t ret = get_in(inode_region(i, &r), &r, index, name, value, size);

	if (ret == -ENODATA)
		ret = get_in(block_region(i, &r), &r, index, name, value, size);
	return ret;
}

ssize_t ext4_getxattr(struct dentry *d, const char *name, void *value, size_t size)
{
	const char *rest;
	u32 index;
	int err;

	if (acl_is_name(name))
		return acl_getxattr(d->inode, name, value, size);
	err = name_split(name, &index, &rest);
	return err ? err : ext4_xattr_get(d->inode, index, rest, value, size);
}

static ssize_t list_region(const struct region *r, char *list, size_t size, size_t used)
{
	const struct ext4_xattr_entry *e;

	for (e = r->first; e && !ext4_xattr_last(e); e = ext4_xattr_next(e)) {
		const char *prefix = prefix_of(e->name_index);
		size_t plen = prefix ? strlen(prefix) : 0;

		if (!prefix)
			continue; /* lists are told by acl_listxattr; others nobody can read */
		if (size && used + plen + e->name_len + 1 > size)
			return -ERANGE;
		if (size) {
			memcpy(list + used, prefix, plen);
			memcpy(list + used + plen, e->name, e->name_len);
			list[used + plen + e->name_len] = '\0';
		}
		used += plen + e->name_len + 1;
	}
	return (ssize_t)used;
}

ssize_t ext4_listxattr(struct dentry *d, char *list, size_t size)
{
	int (*const regions[])(struct inode *, struct region *) = {inode_region, block_region};
	ssize_t used = acl_listxattr(d->inode, list, size);

	for (u32 n = 0; n < ARRAY_SIZE(regions) && used >= 0; n++) {
		struct region r;
		int err = regions[n](d->inode, &r);

		if (err)
			return err;
		used = list_region(&r, list, size, (size_t)used);
		region_put(&r);
	}
	return used;
}

/* ---- Putting regions together ---- */

struct attr {
	u32 index, name_len, size;
	const char *name;
	const void *value;
};

#define ATTRS_MAX 256u /* a block has room for fewer */

struct attrs {
	struct attr a[ATTRS_MAX];
	u32 nr;
};

static s32 attr_compare(const struct attr *a, const struct attr *b)
{
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	if (a->name_len != b->name_len)
		return a->name_len < b->name_len ? -1 : 1;
	return memcmp(a->name, b->name, a->name_len);
}

/* In the order that Linux wants them in. */
static void attrs_insert(struct attrs *l, const struct attr *new)
{
	u32 at = l->nr;

	while (at && attr_compare(&l->a[at - 1], new) > 0) {
		l->a[at] = l->a[at - 1];
		at--;
	}
	l->a[at] = *new;
	l->nr++;
}

/* The region's attributes but the one with that name. */
static void attrs_load(struct attrs *l, const struct region *r, const struct attr *without)
{
	const struct ext4_xattr_entry *e;

	l->nr = 0;
	for (e = r->b ? r->first : NULL; e && !ext4_xattr_last(e); e = ext4_xattr_next(e)) {
		struct attr a = {e->name_index, e->name_len, e->value_size, e->name,
				 r->base + e->value_offs};

		if (attr_compare(&a, without) && l->nr < ATTRS_MAX - 1)
			attrs_insert(l, &a);
	}
}

static u32 attrs_bytes(const struct attrs *l)
{
	u32 bytes = sizeof(u32);

	for (u32 n = 0; n < l->nr; n++)
		bytes += (u32)XATTR_ENTRY_SIZE(l->a[n].name_len) + XATTR_VALUE_SIZE(l->a[n].size);
	return bytes;
}

static u32 entry_hash(const struct ext4_xattr_entry *e, const u8 *value, u32 size)
{
	u32 hash = 0, word;

	for (u32 n = 0; n < e->name_len; n++)
		hash = (hash << 5) ^ (hash >> 27) ^ (u32)(s32)(s8)e->name[n];
	for (u32 n = 0; n < size; n += 4) {
		memcpy(&word, value + n, sizeof(word)); /* padded with zeroes */
		hash = (hash << 16) ^ (hash >> 16) ^ word;
	}
	return hash;
}

/* Writes the list at `first` (offset from base) of a zeroed region of `size` bytes from base. */
static void attrs_put(const struct attrs *l, u8 *base, u32 first, u32 size)
{
	u32 at = first, end = size;

	for (u32 n = 0; n < l->nr; n++) {
		const struct attr *a = &l->a[n];
		struct ext4_xattr_entry *e = (void *)(base + at);

		end -= XATTR_VALUE_SIZE(a->size);
		memcpy(base + end, a->value, a->size);
		*e = (struct ext4_xattr_entry){.name_len = (u8)a->name_len,
					       .name_index = (u8)a->index,
					       .value_offs = (u16)(a->size ? end : 0),
					       .value_size = a->size};
		memcpy(e->name, a->name, a->name_len);
		e->hash = entry_hash(e, base + end, XATTR_VALUE_SIZE(a->size));
		at += XATTR_ENTRY_SIZE(a->name_len);
	}
}

/* ---- Writing ---- */

struct change {
	struct ext4_handle *h;
	struct inode *i;
	struct attr attr;       /* value NULL: it goes */
	struct attrs list;
	u8 space[4096];         /* of the region that is put together */
};

/* Room for attributes behind the fields of the inode. */
static u32 inode_room(const struct inode *i)
{
	const struct ext4_fs *fs = ext4_fs(i->sb);
	u32 fixed = EXT4_GOOD_OLD_INODE_SIZE + ext4_i(i)->extra_isize + (u32)sizeof(u32);

	if (fs->g.inode_size == EXT4_GOOD_OLD_INODE_SIZE || fixed + sizeof(u32) > fs->g.inode_size)
		return 0;
	return fs->g.inode_size - fixed;
}

/* The inode's own region gets the change's list (which points into it: put together elsewhere). */
static int inode_region_store(struct change *c)
{
	struct ext4_ino *ei = ext4_i(c->i);
	u32 room = inode_room(c->i), magic = c->list.nr ? XATTR_MAGIC : 0;
	struct ext4_inode *raw;
	struct ext4_buf *b;
	u8 *place;
	int err = ext4_inode_raw(c->i, &b, &raw);

	if (err)
		return err;
	err = ext4_write_access(c->h, b);
	if (!err) {
		memset(c->space, 0, room);
		attrs_put(&c->list, c->space, 0, room);
		place = (u8 *)raw + EXT4_GOOD_OLD_INODE_SIZE + ei->extra_isize;
		spin_lock(&b->raw_lock);
		memcpy(place, &magic, sizeof(magic));
		memcpy(place + sizeof(magic), c->space, room);
		ext4_inode_seal(&c->h->fs->g, (u32)c->i->ino, raw);
		spin_unlock(&b->raw_lock);
		ei->has_xattrs = magic;
	}
	ext4_buf_put(b);
	return err;
}

static void count_acl_block(struct inode *i, s64 by)
{
	rwsem_write_lock(&ext4_i(i)->map_lock);
	ext4_count_blocks(i, by);
	rwsem_write_unlock(&ext4_i(i)->map_lock);
}

/* One user less. True: it was the last. */
static bool header_leave(struct ext4_buf *b)
{
	struct ext4_xattr_header *hd = (void *)b->data;
	bool last;

	mutex_lock(&b->lock);
	last = hd->refcount <= 1;
	if (!last) {
		hd->refcount--;
		ext4_xattr_block_seal(&b->fs->g, b->block, b->data);
	}
	mutex_unlock(&b->lock);
	return last;
}

/* The inode gives its attribute block up. */
static int block_leave(struct ext4_handle *h, struct inode *i, struct ext4_buf *b)
{
	int err = ext4_write_access(h, b);

	if (!err && header_leave(b))
		err = ext4_blocks_free(h, b->block, 1, true);
	if (err)
		return err;
	WRITE_ONCE(ext4_i(i)->acl_block, 0);
	count_acl_block(i, -1);
	return 0;
}

/* A new block to put the list in, in the place of the old one. */
static int block_replace(struct change *c, struct ext4_buf *old, struct ext4_buf **b)
{
	u64 block;
	int err = ext4_block_meta(c->h, ext4_goal(c->i, 0), &block);

	if (!err && old)
		err = block_leave(c->h, c->i, old);
	if (!err)
		err = ext4_buf_new(c->h, block, ext4_owner(PART_XATTRS, 0), check_block, b);
	if (err)
		return err;
	WRITE_ONCE(ext4_i(c->i)->acl_block, block);
	count_acl_block(c->i, 1);
	return 0;
}

static void block_fill(struct change *c, struct ext4_buf *b)
{
	u32 size = c->h->fs->g.block_size, hash = 0;
	struct ext4_xattr_header *hd = (void *)c->space;
	const struct ext4_xattr_entry *e;

	memset(c->space, 0, size);
	*hd = (struct ext4_xattr_header){.magic = XATTR_MAGIC, .refcount = 1, .blocks = 1};
	attrs_put(&c->list, c->space, sizeof(*hd), size);
	for (e = (void *)(hd + 1); !ext4_xattr_last(e); e = ext4_xattr_next(e)) {
		if (!e->hash) {
			hash = 0;
			break;
		}
		hash = (hash << 16) ^ (hash >> 16) ^ e->hash;
	}
	hd->hash = hash;
	ext4_xattr_block_seal(&c->h->fs->g, b->block, c->space);
	memcpy(b->data, c->space, size);
}

static int block_region_store(struct change *c, struct region *r)
{
	struct ext4_buf *b = NULL;
	int err;

	if (!c->list.nr)
		return r->b ? block_leave(c->h, c->i, r->b) : 0;
	err = block_replace(c, r->b, &b);
	if (!err)
		block_fill(c, b);
	ext4_buf_put(b);
	return err;
}

/* Takes the attribute out of a region that has it, or puts it into one; `add` says which. */
static bool list_prepare(struct change *c, const struct region *r, bool add, u32 room)
{
	attrs_load(&c->list, r, &c->attr);
	if (add)
		attrs_insert(&c->list, &c->attr);
	return attrs_bytes(&c->list) <= room;
}

static u32 block_room(const struct change *c)
{
	return c->h->fs->g.block_size - (u32)sizeof(struct ext4_xattr_header);
}

/* What is left of a list fits, unless the image lets attributes share bytes of their values. */
static int shares_values(const struct change *c)
{
	return ext4_corrupt(c->h->fs, c->i->ino, "attributes share their values");
}

static int remove_from_inode(struct change *c, const struct region *in)
{
	return list_prepare(c, in, false, inode_room(c->i)) ? inode_region_store(c) : shares_values(c);
}

static int remove_from_block(struct change *c, struct region *out)
{
	return list_prepare(c, out, false, block_room(c)) ? block_region_store(c, out) : shares_values(c);
}

static int change_apply(struct change *c, struct region *in, struct region *out)
{
	bool was_in = region_find(in, c->attr.index, c->attr.name);
	bool was_out = region_find(out, c->attr.index, c->attr.name);
	int err;

	if (!c->attr.value)
		return was_in ? remove_from_inode(c, in) : remove_from_block(c, out);
	if (inode_room(c->i) && list_prepare(c, in, true, inode_room(c->i))) {
		err = inode_region_store(c);
		return err || !was_out ? err : remove_from_block(c, out);
	}
	if (!list_prepare(c, out, true, block_room(c)))
		return -ENOSPC;
	err = block_region_store(c, out);
	return err || !was_in ? err : remove_from_inode(c, in);
}

static int flags_check(bool exists, bool removes, int flags)
{
	if (flags & XATTR_CREATE && exists)
		return -EEXIST;
	return (flags & XATTR_REPLACE || removes) && !exists ? -ENODATA : 0;
}

static int change_run(struct change *c, int flags)
{
	struct region in = {0}, out = {0};
	bool exists;
	int err = inode_region(c->i, &in);

	if (!err)
		err = block_region(c->i, &out);
	if (!err) {
		exists = region_find(&in, c->attr.index, c->attr.name) ||
			 region_find(&out, c->attr.index, c->attr.name);
		err = flags_check(exists, !c->attr.value, flags);
	}
	if (!err)
		err = change_apply(c, &in, &out);
	region_put(&in);
	region_put(&out);
	if (err)
		return err;
	inode_touch(c->i, ATTR_CTIME);
	return ext4_inode_store(c->h, c->i);
}

int ext4_xattr_set(struct ext4_handle *h, struct inode *i, u32 index, const char *name,
		   const void *value, size_t size, int flags)
{
	struct change *c;
	int err;

	if (strlen(name) > 255)
		return -ERANGE;
	if (size > h->fs->g.block_size)
		return -ENOSPC;
	c = kmalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return -ENOMEM;
	c->h = h;
	c->i = i;
	c->attr = (struct attr){index, (u32)strlen(name), (u32)size, name, value};
	err = change_run(c, flags);
	kfree(c);
	return err;
}

static int set_acl(struct ext4_handle *h, struct inode *i, const char *name, const void *value,
		   size_t size)
{
	int err = acl_setxattr(i, name, value, size);

	if (!err)
		err = ext4_acl_store(h, i);
	return err ? err : ext4_inode_store(h, i);
}

int ext4_setxattr(struct dentry *d, const char *name, const void *value, size_t size, int flags)
{
	struct inode *i = d->inode;
	const char *rest = NULL;
	struct ext4_handle h;
	u32 index = 0;
	int err = acl_is_name(name) ? 0 : name_split(name, &index, &rest);

	if (!err)
		err = ext4_start(ext4_fs(i->sb), &h, CREDITS_XATTR + CREDITS_INODE);
	if (err)
		return err;
	err = rest ? ext4_xattr_set(&h, i, index, rest, value, size, flags)
		   : set_acl(&h, i, name, value, size);
	ext4_stop(&h);
	return err;
}

int ext4_xattrs_free(struct ext4_handle *h, struct inode *i)
{
	struct region r;
	int err = block_region(i, &r);

	if (!err && r.b)
		err = block_leave(h, i, r.b);
	region_put(&r);
	return err;
}
