/* /proc/mounts and /proc/self/mountinfo: one line per mount that the reader's root can reach. */
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <vfs/show.h>

#include "internal.h"
#include "mount_internal.h"

#define OPTIONS_SIZE 256

/* Blanks and backslashes as \ooo, so that fields stay apart. */
static void emit_escaped(show_fn emit, void *ctx, const char *s)
{
	char text[8] = {0};

	for (; *s; s++) {
		if (strchr(" \t\n\\", *s))
			format(text, sizeof(text), "\\%03o", (unsigned char)*s);
		else
			format(text, sizeof(text), "%c", *s);
		emit(ctx, text);
	}
}

static void emit_mount_options(const struct mount *m, show_fn emit, void *ctx)
{
	static const struct { u32 flag; const char *text; } map[] = {
		{MNT_NOSUID, ",nosuid"}, {MNT_NODEV, ",nodev"}, {MNT_NOEXEC, ",noexec"},
		{MNT_NOATIME, ",noatime"}, {MNT_NODIRATIME, ",nodiratime"},
		{MNT_RELATIME, ",relatime"}, {MNT_NOSYMFOLLOW, ",nosymfollow"},
	};

	for (u32 i = 0; i < ARRAY_SIZE(map); i++)
		if (m->flags & map[i].flag)
			emit(ctx, map[i].text);
}

static void emit_super_options(const struct super_block *sb, show_fn emit, void *ctx)
{
	if (sb->flags & MS_SYNCHRONOUS)
		emit(ctx, ",sync");
	if (sb->flags & MS_DIRSYNC)
		emit(ctx, ",dirsync");
	if (sb->flags & MS_LAZYTIME)
		emit(ctx, ",lazytime");
}

static void emit_fs_options(struct super_block *sb, char *buf, show_fn emit, void *ctx)
{
	if (!sb->ops || !sb->ops->show_options)
		return;
	buf[0] = '\0';
	sb->ops->show_options(sb, buf, OPTIONS_SIZE);
	emit(ctx, buf);
}

/* buf: PATH_MAX bytes. NULL: not visible from root. */
static char *mount_name(struct mount *m, const struct path *root, char *buf)
{
	struct path p = {.mnt = m, .dentry = m->root};
	bool reachable;
	char *text;

	if (path_name_from(&p, root, buf, PATH_MAX, &text, &reachable) || !reachable)
		return NULL;
	return text;
}

static void mounts_line(struct mount *m, const char *name, const struct path *root,
			char *buf, show_fn emit, void *ctx)
{
	bool ro = (m->flags & MNT_RDONLY) || (m->sb->flags & MS_RDONLY);

	emit_escaped(emit, ctx, m->source && *m->source ? m->source : "none");
	emit(ctx, " ");
	emit_escaped(emit, ctx, name);
	emit(ctx, " ");
	emit(ctx, m->sb->type->name);
	emit(ctx, ro ? " ro" : " rw");
	emit_super_options(m->sb, emit, ctx);
	emit_mount_options(m, emit, ctx);
	emit_fs_options(m->sb, buf, emit, ctx);
	emit(ctx, " 0 0\n");
}

/* The root of the mount inside its file system. */
static const char *mount_root_name(struct mount *m, char *buf)
{
	struct mount detached = {.root = m->sb->root};
	struct path p = {.mnt = &detached, .dentry = m->root};
	struct path root = {.mnt = &detached, .dentry = m->sb->root};
	bool reachable;
	char *text;

	if (path_name_from(&p, &root, buf, PATH_MAX - 16, &text, &reachable))
		return "/";
	if (!dentry_hashed(m->root) && !dentry_is_root(m->root))
		memcpy(buf + PATH_MAX - 17, "//deleted", 10); /* where the text ended */
	return text;
}

static void emit_number(const char *tag, u32 n, show_fn emit, void *ctx)
{
	char text[32];

	format(text, sizeof(text), " %s:%u", tag, n);
	emit(ctx, text);
}

/* The optional fields of mountinfo. */
static void emit_propagation(const struct mount *m, const struct path *root, show_fn emit,
			     void *ctx)
{
	if (m->shared)
		emit_number("shared", m->group, emit, ctx);
	if (m->master) {
		u32 from = mount_dominating_group(m, root);

		emit_number("master", m->master->group, emit, ctx);
		if (from && from != m->master->group)
			emit_number("propagate_from", from, emit, ctx);
	}
	if (m->unbindable)
		emit(ctx, " unbindable");
}

static void mountinfo_line(struct mount *m, const char *name, const struct path *root,
			   char *buf, show_fn emit, void *ctx)
{
	char text[64];

	format(text, sizeof(text), "%d %d %u:%u ", m->id, m->parent ? m->parent->id : m->id,
	       (u32)(m->sb->dev >> 20), (u32)m->sb->dev & 0xfffff);
	emit(ctx, text);
	emit_escaped(emit, ctx, mount_root_name(m, buf));
	emit(ctx, " ");
	emit_escaped(emit, ctx, name);
	emit(ctx, m->flags & MNT_RDONLY ? " ro" : " rw");
	emit_mount_options(m, emit, ctx);
	emit_propagation(m, root, emit, ctx);
	emit(ctx, " - ");
	emit(ctx, m->sb->type->name);
	emit(ctx, " ");
	emit_escaped(emit, ctx, m->source && *m->source ? m->source : "none");
	emit(ctx, m->sb->flags & MS_RDONLY ? " ro" : " rw");
	emit_super_options(m->sb, emit, ctx);
	emit_fs_options(m->sb, buf, emit, ctx);
	emit(ctx, "\n");
}

static void mountstats_line(struct mount *m, const char *name, const struct path *root,
			    char *buf, show_fn emit, void *ctx)
{
	if (m->source && *m->source) {
		emit(ctx, "device ");
		emit_escaped(emit, ctx, m->source);
	} else {
		emit(ctx, "no device");
	}
	emit(ctx, " mounted on ");
	emit_escaped(emit, ctx, name);
	emit(ctx, " with fstype ");
	emit(ctx, m->sb->type->name);
	emit(ctx, "\n");
}

typedef void (*line_fn)(struct mount *m, const char *name, const struct path *root, char *buf,
			show_fn emit, void *ctx);

static void show_all(struct mount_ns *ns, const struct path *root, line_fn line, show_fn emit,
		     void *ctx)
{
	char *buf = kmalloc(2 * PATH_MAX, GFP_KERNEL);
	struct mount *m;
	const char *name;

	if (!buf)
		return;
	mutex_lock(&ns->lock);
	list_for_each(m, &ns->mounts, ns_node) {
		name = mount_name(m, root, buf);
		if (name)
			line(m, name, root, buf + PATH_MAX, emit, ctx);
	}
	mutex_unlock(&ns->lock);
	kfree(buf);
}

void mounts_show(struct mount_ns *ns, const struct path *root, show_fn emit, void *ctx)
{
	show_all(ns, root, mounts_line, emit, ctx);
}

void mountinfo_show(struct mount_ns *ns, const struct path *root, show_fn emit, void *ctx)
{
	show_all(ns, root, mountinfo_line, emit, ctx);
}

void mountstats_show(struct mount_ns *ns, const struct path *root, show_fn emit, void *ctx)
{
	show_all(ns, root, mountstats_line, emit, ctx);
}
