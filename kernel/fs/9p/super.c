/*
 * Mounting a share: options, the session, the root; statfs and the end.
 *
 *	mount -t 9p -o trans=virtio,version=9p2000.L[,OPTION…] TAG DIR
 *
 * The options of Linux's client that mean something here are honoured (msize, cache); those that
 * choose what this client does anyway (access, posixacl, uname …) are accepted.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <linux/magic.h>
#include <mm/slab.h>
#include "internal.h"

#define BUCKET_BITS 13u
#define CACHE_TIME  (1 * NSEC_PER_SEC) /* without cache=loose */

struct options {
	u32 msize;
	bool loose, squash, virtio;
};

static int parse_one(void *ctx, const char *key, const char *value)
{
	struct options *o = ctx;
	static const char *const accepted[] = {"access", "aname", "uname", "posixacl", "noxattr",
					       "debug", "dfltuid", "dfltgid", "locktimeout",
					       "cachetag", "nodevmap"};
	u64 v;

	if (strcmp(key, "trans") == 0 && value) {
		o->virtio = strcmp(value, "virtio") == 0;
		return o->virtio ? 0 : -EINVAL;
	}
	if (strcmp(key, "version") == 0)
		return value && strcmp(value, "9p2000.L") == 0 ? 0 : -EINVAL;
	if (strcmp(key, "msize") == 0) {
		if (!value || parse_u64(value, 10, &v) || v < 2 * PAGE_SIZE)
			return -EINVAL;
		o->msize = (u32)MIN(v, (u64)P9_MSIZE);
		return 0;
	}
	if (strcmp(key, "cache") == 0) {
		o->loose = value && (strcmp(value, "loose") == 0 || strcmp(value, "fscache") == 0);
		return o->loose || (value && (strcmp(value, "none") == 0 ||
					      strcmp(value, "mmap") == 0))
			       ? 0
			       : -EINVAL;
	}
	if (strcmp(key, "squash") == 0) {
		o->squash = true;
		return 0;
	}
	for (u32 i = 0; i < ARRAY_SIZE(accepted); i++)
		if (strcmp(key, accepted[i]) == 0)
			return 0;
	return -EINVAL;
}

static int parse_options(struct options *o, const char *text)
{
	int err;

	*o = (struct options){.msize = P9_MSIZE};
	err = mount_options_each(text, parse_one, o);
	if (!err && !o->virtio)
		err = -EINVAL;
	return err;
}

/* ---- Super block operations ---- */

static int statfs(struct super_block *sb, struct kstatfs *st)
{
	struct p9_statfs s;
	int err = p9_statfs(p9_sb(sb)->root, &s);

	if (err)
		return err;
	st->type = V9FS_MAGIC;
	st->bsize = st->frsize = s.bsize;
	st->blocks = s.blocks;
	st->bfree = s.bfree;
	st->bavail = s.bavail;
	st->files = s.files;
	st->ffree = s.ffree;
	st->namelen = MIN(s.namelen, P9_NAME_MAX);
	st->fsid = s.fsid;
	return 0;
}

static void kill(struct super_block *sb)
{
	struct p9_super *s = p9_sb(sb);

	p9_fid_put(s->root);
	p9_client_destroy(s->client);
	kvfree(s->buckets);
	kfree(s);
}

static void show_options(struct super_block *sb, char *buf, size_t size)
{
	str_copy(buf, p9_sb(sb)->options, size);
}

static const struct super_ops p9_super_ops = {
	.evict = p9_evict,
	.statfs = statfs,
	.sync = writeback_super,
	.kill = kill,
	.show_options = show_options,
};

/* ---- Mounting ---- */

static struct p9_super *super_make(const struct options *o)
{
	struct p9_super *s = kzalloc(sizeof(*s), GFP_KERNEL);
	size_t bytes = sizeof(*s->buckets) << BUCKET_BITS;

	if (!s)
		return NULL;
	s->buckets = kvmalloc(bytes, GFP_KERNEL | GFP_ZERO);
	if (!s->buckets) {
		kfree(s);
		return NULL;
	}
	s->bits = BUCKET_BITS;
	s->squash = o->squash;
	s->validity_ns = o->loose ? 0 : CACHE_TIME;
	spin_init(&s->lock, LOCK_RANK_SB_LISTS);
	list_init(&s->idle_walk);
	list_init(&s->idle_open);
	return s;
}

static int root_attach(struct p9_super *s)
{
	struct p9_qid qid;
	int err;

	s->root = p9_fid_new(s->client);
	if (!s->root)
		return -ENOMEM;
	err = p9_attach(s->client, s->root, &qid);
	if (!err && !(qid.type & P9_QID_DIR))
		err = -ENOTDIR;
	return err;
}

static int root_inode(struct super_block *sb)
{
	struct p9_attr a;
	struct inode *i;
	int err = p9_getattr(p9_sb(sb)->root, &a);

	if (!err && !S_ISDIR(a.mode))
		err = -ENOTDIR;
	if (!err)
		err = p9_inode_find(sb, &a, NULL, &i);
	if (err)
		return err;
	sb->root = dentry_alloc_root(sb, i);
	return sb->root ? 0 : -ENOMEM;
}

static int session_start(struct p9_super *s, const char *tag, const struct options *o)
{
	int err = p9_client_create(tag, o->msize, &s->client);

	if (err)
		return err;
	err = root_attach(s);
	if (err) {
		p9_fid_put(s->root);
		p9_client_destroy(s->client);
	}
	return err;
}

static int p9_mount(const struct fs_type *t, const char *source, u32 flags, const char *text,
		    struct super_block **out)
{
	struct options o;
	struct super_block *sb;
	struct p9_super *s;
	int err = parse_options(&o, text);

	if (err)
		return err;
	sb = super_alloc(t);
	s = sb ? super_make(&o) : NULL;
	err = s ? writeback_start(sb) : -ENOMEM;
	if (!err)
		err = session_start(s, source ? source : "", &o);
	if (err) {
		if (s)
			kvfree(s->buckets);
		kfree(s);
		if (sb)
			super_put(sb);
		return err;
	}
	format(s->options, sizeof(s->options), ",trans=virtio,msize=%u%s%s", s->client->msize,
	       o.loose ? ",cache=loose" : "", o.squash ? ",squash" : "");
	sb->private = s;
	sb->ops = &p9_super_ops;
	sb->magic = V9FS_MAGIC;
	sb->flags = flags;
	err = root_inode(sb);
	if (err)
		super_put(sb);
	else
		*out = sb;
	return err;
}

static int p9_init(void)
{
	static struct fs_type type = {
		.name = "9p", .no_device = true, .user_mountable = true, .mount = p9_mount,
	};

	return fs_register(&type);
}
INIT_CALL(INIT_FS, p9_init);
