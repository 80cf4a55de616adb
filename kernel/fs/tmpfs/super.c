/*
 * tmpfs instances: mount options, limits, the registered types.
 *
 * Defaults are Linux's: half of the memory for data, one inode for every two pages of memory.
 */
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <linux/magic.h>
#include <mm/slab.h>

#include "internal.h"

#define TMPFS_MODE 01777

extern const struct super_ops tmpfs_super_ops;
void tmpfs_show_options(struct super_block *sb, char *buf, size_t size);

/* Options as given; U64_MAX and U32_MAX: not given. */
struct tmpfs_options {
	u64 max_pages, max_inodes;
	u32 mode, uid, gid;
};

static u64 default_limit(void)
{
	struct mem_stats mem;

	mem_stats(&mem);
	return mem.total_pages / 2;
}

/* "10", "10k", "10m", "10g", "10%" (of memory, in bytes). */
static int parse_size(const char *s, u64 *out)
{
	size_t len = strlen(s);
	char digits[24];
	u64 unit = 1, v;
	int err;

	if (!len || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, s, len + 1);
	switch (digits[len - 1] | 0x20) {
	case 'k':
		unit = 1ULL << 10;
		break;
	case 'm':
		unit = 1ULL << 20;
		break;
	case 'g':
		unit = 1ULL << 30;
		break;
	}
	if (unit > 1 || digits[len - 1] == '%')
		digits[len - 1] = '\0';
	err = parse_u64(digits, 0, &v);
	if (err)
		return -EINVAL;
	if (s[len - 1] == '%') {
		if (v > 100)
			v = 100;
		*out = v * 2 * default_limit() / 100 * PAGE_SIZE;
		return 0;
	}
	return __builtin_mul_overflow(v, unit, out) ? -EINVAL : 0;
}

static int parse_u32(const char *s, unsigned int base, u32 *out)
{
	u64 v;

	if (parse_u64(s, base, &v) || v >= U32_MAX)
		return -EINVAL;
	*out = (u32)v;
	return 0;
}

static int parse_one(void *ctx, const char *key, const char *value)
{
	struct tmpfs_options *o = ctx;
	u64 v;

	if (strcmp(key, "inode64") == 0 || strcmp(key, "inode32") == 0 || strcmp(key, "huge") == 0)
		return 0; /* inode numbers stay below 2^32 long enough; huge pages are advice */
	if (!value)
		return -EINVAL;
	if (strcmp(key, "mode") == 0) {
		if (parse_u32(value, 8, &o->mode))
			return -EINVAL;
		o->mode &= 07777;
		return 0;
	}
	if (strcmp(key, "uid") == 0)
		return parse_u32(value, 10, &o->uid);
	if (strcmp(key, "gid") == 0)
		return parse_u32(value, 10, &o->gid);
	if (parse_size(value, &v))
		return -EINVAL;
	if (strcmp(key, "size") == 0)
		o->max_pages = DIV_ROUND_UP(v, PAGE_SIZE);
	else if (strcmp(key, "nr_blocks") == 0)
		o->max_pages = v;
	else if (strcmp(key, "nr_inodes") == 0)
		o->max_inodes = v;
	else
		return -EINVAL;
	return 0;
}

static int parse_options(struct tmpfs_options *o, const char *options)
{
	int err;

	*o = (struct tmpfs_options){U64_MAX, U64_MAX, U32_MAX, U32_MAX, U32_MAX};
	err = mount_options_each(options, parse_one, o);
	if (o->max_inodes != U64_MAX && o->max_inodes > (u64)S64_MAX / INODE_COST)
		err = -EINVAL;
	return err;
}

static void apply(struct tmpfs_super *ts, const struct tmpfs_options *o)
{
	if (o->mode != U32_MAX)
		ts->mode = o->mode;
	if (o->uid != U32_MAX)
		ts->uid = o->uid;
	if (o->gid != U32_MAX)
		ts->gid = o->gid;
	if (ts->ramfs)
		return;
	if (o->max_pages != U64_MAX)
		WRITE_ONCE(ts->max_pages, o->max_pages);
	if (o->max_inodes != U64_MAX)
		WRITE_ONCE(ts->max_inodes, o->max_inodes);
}

static struct tmpfs_super *tmpfs_super_new(u32 root_mode, bool ramfs)
{
	struct tmpfs_super *ts = kzalloc(sizeof(*ts), GFP_KERNEL);

	if (!ts)
		return NULL;
	ts->mode = ts->default_mode = root_mode;
	ts->ramfs = ramfs;
	if (!ramfs)
		ts->max_pages = ts->max_inodes = default_limit();
	return ts;
}

static int make_root(struct super_block *sb, const struct tmpfs_super *ts)
{
	struct inode *root;
	int err = tmpfs_inode_new(sb, NULL, S_IFDIR | ts->mode, 0, NULL, &root);

	if (err)
		return err;
	root->uid = ts->uid;
	root->gid = ts->gid;
	sb->root = dentry_alloc_root(sb, root);
	return sb->root ? 0 : -ENOMEM;
}

static int instance_create(const struct fs_type *t, u32 flags, u32 root_mode, bool ramfs,
			   const char *options, struct super_block **out)
{
	struct tmpfs_options o;
	int err = parse_options(&o, options);
	struct tmpfs_super *ts;
	struct super_block *sb;

	if (err)
		return err;
	ts = tmpfs_super_new(root_mode, ramfs);
	sb = ts ? super_alloc(t) : NULL;
	if (!sb) {
		kfree(ts);
		return -ENOMEM;
	}
	apply(ts, &o);
	sb->private = ts;
	sb->ops = &tmpfs_super_ops;
	sb->magic = ramfs ? RAMFS_MAGIC : TMPFS_MAGIC;
	sb->flags = flags;
	err = make_root(sb, ts);
	if (err) {
		super_put(sb);
		return err;
	}
	*out = sb;
	return 0;
}

int tmpfs_super_create(const struct fs_type *t, u32 flags, u32 root_mode, const char *options,
		       struct super_block **out)
{
	int err = instance_create(t, flags, root_mode, false, options, out);

	/* Shown in /proc/mounts like any mode that differs from tmpfs's own. */
	if (!err)
		tmpfs_sb(*out)->default_mode = TMPFS_MODE;
	return err;
}

int tmpfs_remount(struct super_block *sb, u32 flags, const char *options)
{
	struct tmpfs_super *ts = tmpfs_sb(sb);
	struct tmpfs_options o;
	int err = parse_options(&o, options);

	if (err)
		return err;
	/* A limit cannot go below what is in use, nor come where there was none. */
	if (o.max_pages != U64_MAX && o.max_pages &&
	    (!ts->max_pages || o.max_pages < (u64)atomic64_read(&ts->used_pages)))
		return -EINVAL;
	if (o.max_inodes != U64_MAX && o.max_inodes &&
	    (!ts->max_inodes || o.max_inodes * INODE_COST < (u64)atomic64_read(&ts->used_ispace)))
		return -EINVAL;
	apply(ts, &o);
	return 0;
}

/* Appends to the text in buf, as far as it fits. */
static void append(char *buf, size_t size, const char *fmt, u64 v)
{
	size_t len = strlen(buf);

	format(buf + len, size - len, fmt, v);
}

void tmpfs_show_options(struct super_block *sb, char *buf, size_t size)
{
	const struct tmpfs_super *ts = tmpfs_sb(sb);
	u64 limit = default_limit();

	if (!ts->ramfs && ts->max_pages != limit)
		append(buf, size, ",size=%lluk", ts->max_pages * (PAGE_SIZE / 1024));
	if (!ts->ramfs && ts->max_inodes != limit)
		append(buf, size, ",nr_inodes=%llu", ts->max_inodes);
	if (ts->mode != ts->default_mode)
		append(buf, size, ",mode=%03llo", ts->mode);
	if (ts->uid)
		append(buf, size, ",uid=%llu", ts->uid);
	if (ts->gid)
		append(buf, size, ",gid=%llu", ts->gid);
	if (!ts->ramfs)
		append(buf, size, ",inode%llu", 64);
}

static int tmpfs_mount(const struct fs_type *t, const char *source, u32 flags,
		       const char *options, struct super_block **out)
{
	return instance_create(t, flags, TMPFS_MODE, false, options, out);
}

static int rootfs_mount(const struct fs_type *t, const char *source, u32 flags,
			const char *options, struct super_block **out)
{
	return instance_create(t, flags, 0755, false, options, out);
}

static int ramfs_mount(const struct fs_type *t, const char *source, u32 flags,
		       const char *options, struct super_block **out)
{
	return instance_create(t, flags, 0755, true, options, out);
}

struct fs_type rootfs_type = {
	.name = "rootfs", .no_device = true, .mount = rootfs_mount, .remount = tmpfs_remount,
};

int tmpfs_register(void)
{
	static struct fs_type tmpfs_type = {
		.name = "tmpfs", .no_device = true, .user_mountable = true,
		.mount = tmpfs_mount, .remount = tmpfs_remount,
	};
	static struct fs_type ramfs_type = {
		.name = "ramfs", .no_device = true, .user_mountable = true, .mount = ramfs_mount,
	};
	int err = fs_register(&tmpfs_type);

	return err ? err : fs_register(&ramfs_type);
}
