/*
 * devpts: a directory whose entries are the live pseudo-terminals, and ptmx. Each node's inode lives
 * as long as its terminal, so that chmod and chown on it last; names are looked up in an index.
 * table_lock (mutex, leaf) guards the index.
 */
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <lib/xarray.h>
#include <mm/slab.h>
#include <sync/mutex.h>
#include <task/task.h>
#include <vfs/file.h>
#include <vfs/inode.h>
#include "devpts.h"

#define DEVPTS_MAGIC 0x1cd1
#define PTMX_NAME "ptmx"
#define FIRST_INO 3

static DEFINE_MUTEX(table_lock, LOCK_RANK_SLEEP_INNER);
static struct xarray nodes;        /* struct inode by index; table_lock */
static struct super_block *instance;
static struct inode *ptmx_node;
static u32 node_mode = 0620, node_gid = 5; /* Debian's mount options */

static bool name_is(const struct qstr *q, const char *s)
{
	return q->len == strlen(s) && memcmp(q->name, s, q->len) == 0;
}

static int index_parse(const struct qstr *q, u64 *index)
{
	char text[12];

	if (q->len >= sizeof(text) || (q->len > 1 && q->name[0] == '0'))
		return -ENOENT;
	memcpy(text, q->name, q->len);
	text[q->len] = '\0';
	return parse_u64(text, 10, index) ? -ENOENT : 0;
}

/* A reference to the inode that the name stands for now, or NULL. */
static struct inode *node_find(const struct qstr *name)
{
	struct inode *i = NULL;
	u64 index;

	if (name_is(name, PTMX_NAME)) {
		inode_get(ptmx_node);
		return ptmx_node;
	}
	if (index_parse(name, &index))
		return NULL;
	mutex_lock(&table_lock);
	i = xa_load(&nodes, index);
	if (i)
		inode_get(i);
	mutex_unlock(&table_lock);
	return i;
}

/* A cached name is true while it stands for the same terminal. */
static bool devpts_revalidate(struct dentry *d)
{
	struct inode *now, *was = d->inode;

	if (!d->parent || d->parent == d)
		return true;
	now = node_find(&d->name);
	if (now)
		inode_put(now);
	return now == was;
}

static const struct dentry_ops devpts_dentry_ops = {.revalidate = devpts_revalidate};

static int devpts_lookup(struct inode *dir, struct dentry *d)
{
	(void)dir;
	d->ops = &devpts_dentry_ops;
	dentry_add(d, node_find(&d->name));
	return 0;
}

static int devpts_readdir(struct file *f, struct dir_context *ctx)
{
	char name[12];
	u64 index;

	if (!dir_emit_dots(f, ctx))
		return 0;
	if (ctx->pos == 2) {
		if (!dir_emit(ctx, PTMX_NAME, 4, ptmx_node->ino, DT_CHR))
			return 0;
		ctx->pos = 3;
	}
	for (;;) {
		struct inode *i;

		index = (u64)ctx->pos - 3;
		mutex_lock(&table_lock);
		i = xa_find(&nodes, &index, U32_MAX);
		mutex_unlock(&table_lock);
		if (!i)
			return 0;
		ctx->pos = (loff_t)index + 3;
		if (!dir_emit(ctx, name, (u32)format(name, sizeof(name), "%llu", index),
			      index + FIRST_INO, DT_CHR))
			return 0;
		ctx->pos++;
	}
}

static int devpts_setattr(struct dentry *d, struct iattr *attr)
{
	return inode_setattr_simple(d, attr);
}

static int devpts_statfs(struct super_block *sb, struct kstatfs *st)
{
	st->type = DEVPTS_MAGIC;
	st->bsize = st->frsize = sb->blocksize;
	st->namelen = 255;
	return 0;
}

static void devpts_options(struct super_block *sb, char *buf, size_t size)
{
	(void)sb;
	format(buf, size, ",gid=%u,mode=%o,ptmxmode=%03o", node_gid, node_mode,
	       ptmx_node->mode & 0777);
}

static const struct inode_ops dir_ops = {.lookup = devpts_lookup, .setattr = devpts_setattr};
static const struct inode_ops node_ops = {.setattr = devpts_setattr};
static const struct file_ops dir_fops = {
	.name = "devpts",
	.readdir = devpts_readdir,
	.llseek = file_llseek_generic,
};
static const struct super_ops super_ops = {
	.statfs = devpts_statfs,
	.show_options = devpts_options,
};

static struct inode *node_create(u32 mode, u64 rdev)
{
	struct inode *i = inode_alloc(instance, mode);

	if (!i)
		return NULL;
	inode_init_special(i, mode, rdev);
	i->ops = &node_ops;
	i->nlink = 1;
	return i;
}

int devpts_add(u32 index, u64 rdev)
{
	struct inode *i = node_create(S_IFCHR | node_mode, rdev);
	int err;

	if (!i)
		return -ENOMEM;
	i->ino = index + FIRST_INO;
	i->gid = node_gid;
	mutex_lock(&table_lock);
	err = xa_store(&nodes, index, i, NULL);
	mutex_unlock(&table_lock);
	if (err)
		inode_put(i);
	return err;
}

void devpts_remove(u32 index)
{
	struct inode *i;

	mutex_lock(&table_lock);
	i = xa_erase(&nodes, index);
	mutex_unlock(&table_lock);
	if (i)
		inode_put(i);
}

static int option_apply(const char *word)
{
	u64 v;

	if (strncmp(word, "gid=", 4) == 0 && !parse_u64(word + 4, 10, &v))
		node_gid = (u32)v;
	else if (strncmp(word, "mode=", 5) == 0 && !parse_u64(word + 5, 8, &v))
		node_mode = (u32)v & 0777;
	else if (strncmp(word, "ptmxmode=", 9) == 0 && !parse_u64(word + 9, 8, &v))
		ptmx_node->mode = S_IFCHR | ((u32)v & 0777);
	else if (strcmp(word, "newinstance") != 0)
		return -EINVAL;
	return 0;
}

static int options_apply(const char *options)
{
	char word[32];
	int err = 0;

	while (*options && !err) {
		const char *end = strchr(options, ',');
		size_t n = end ? (size_t)(end - options) : strlen(options);

		if (n >= sizeof(word))
			return -EINVAL;
		memcpy(word, options, n);
		word[n] = '\0';
		err = n ? option_apply(word) : 0;
		options += n + (end != NULL);
	}
	return err;
}

static int devpts_mount(const struct fs_type *t, const char *source, u32 flags, const char *options,
			struct super_block **out)
{
	int err = options_apply(options);

	(void)t;
	(void)source;
	(void)flags;
	if (err)
		return err;
	super_get(instance);
	*out = instance;
	return 0;
}

static struct fs_type devpts_type = {
	.name = "devpts",
	.no_device = true,
	.user_mountable = true,
	.mount = devpts_mount,
};

int devpts_init(void)
{
	struct inode *root;

	xa_init(&nodes);
	instance = super_alloc(&devpts_type);
	if (!instance)
		return -ENOMEM;
	instance->ops = &super_ops;
	instance->magic = DEVPTS_MAGIC;
	instance->blocksize = 1024;
	ptmx_node = node_create(S_IFCHR, dev_make(5, 2));
	root = inode_alloc(instance, S_IFDIR | 0755);
	if (!root || !ptmx_node)
		return -ENOMEM;
	ptmx_node->ino = 2;
	root->ino = 1;
	root->ops = &dir_ops;
	root->fops = &dir_fops;
	root->nlink = 2;
	instance->root = dentry_alloc_root(instance, root);
	if (!instance->root)
		return -ENOMEM;
	return fs_register(&devpts_type);
}
