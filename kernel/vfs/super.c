/*
 * Super blocks and the registry of file-system types.
 *
 * The registry is a short list under a mutex; types are registered during boot and never removed.
 * A super block dies with its last mount: its path cache is emptied, then the type's kill runs.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/page_cache.h>
#include <mm/slab.h>
#include <vfs/notify.h>
#include <vfs/show.h>

#include "dcache_internal.h"
#include "internal.h"

static DEFINE_MUTEX(registry_lock, LOCK_RANK_FS_REGISTRY);
static struct list_head registry = LIST_INIT(registry); /* registry_lock */
static struct atomic next_minor; /* of device 0: super blocks without a block device */

int fs_register(struct fs_type *t)
{
	struct fs_type *other;
	int err = 0;

	mutex_lock(&registry_lock);
	list_for_each(other, &registry, node)
		if (strcmp(other->name, t->name) == 0)
			err = -EBUSY;
	if (!err)
		list_add_tail(&t->node, &registry);
	mutex_unlock(&registry_lock);
	return err;
}

struct fs_type *fs_find(const char *name)
{
	struct fs_type *t, *found = NULL;

	mutex_lock(&registry_lock);
	list_for_each(t, &registry, node)
		if (strcmp(t->name, name) == 0)
			found = t;
	mutex_unlock(&registry_lock);
	return found;
}

void fs_types_show(show_fn emit, void *ctx)
{
	struct fs_type *t;

	mutex_lock(&registry_lock);
	list_for_each(t, &registry, node) {
		emit(ctx, t->no_device ? "nodev\t" : "\t");
		emit(ctx, t->name);
		emit(ctx, "\n");
	}
	mutex_unlock(&registry_lock);
}

/* Cuts the text apart in place. */
static int options_cut(char *s, int (*take)(void *ctx, const char *key, const char *value), void *ctx)
{
	int err = 0;

	while (s && *s && !err) {
		char *next = strchr(s, ','), *value;

		if (next)
			*next++ = '\0';
		value = strchr(s, '=');
		if (value)
			*value++ = '\0';
		if (*s)
			err = take(ctx, s, value);
		s = next;
	}
	return err;
}

int mount_options_each(const char *text,
		       int (*take)(void *ctx, const char *key, const char *value), void *ctx)
{
	char *copy = kstrdup(text, GFP_KERNEL);
	int err = copy ? options_cut(copy, take, ctx) : -ENOMEM;

	kfree(copy);
	return err;
}

struct super_block *super_alloc(const struct fs_type *t)
{
	struct super_block *sb = kzalloc(sizeof(*sb), GFP_KERNEL);

	if (!sb)
		return NULL;
	ref_init(&sb->ref);
	sb->type = t;
	sb->dev = dev_make(0, (u32)atomic_add_return(&next_minor, 1));
	sb->max_bytes = S64_MAX;
	sb->blocksize = 4096;
	mutex_init(&sb->rename_lock, LOCK_RANK_SB_RENAME);
	return sb;
}

void super_get(struct super_block *sb)
{
	ref_get(&sb->ref);
}

static void super_free_rcu(struct rcu_head *head)
{
	kfree(container_of(head, struct super_block, rcu));
}

void super_put(struct super_block *sb)
{
	if (!ref_put(&sb->ref))
		return;
	notify_super(sb); /* watches hold inodes */
	if (sb->root)
		dentry_tree_destroy(sb->root);
	writeback_end(sb);
	if (sb->ops && sb->ops->kill)
		sb->ops->kill(sb);
	/* Path walks look at inode->sb->flags under RCU; inodes are freed by RCU as well, before. */
	rcu_call(&sb->rcu, super_free_rcu);
}
