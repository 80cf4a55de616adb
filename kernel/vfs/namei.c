/* Look-ups for everybody: file names from user space, paths to objects, paths to parents. */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <task/task.h>
#include <vfs/file.h>

#include "internal.h"
#include "mount_internal.h"
#include "walk.h"

/* What did not fit inline: the rest is fetched behind it, each byte once. */
static ssize_t filename_get_long(struct filename *f, struct user_str s)
{
	const size_t have = sizeof(f->inline_name);
	struct user_str rest = {.uaddr = s.uaddr + have};
	ssize_t len;
	char *name = kmalloc(PATH_MAX, GFP_KERNEL);

	if (!name)
		return -ENOMEM;
	f->name = name;
	memcpy(name, f->inline_name, have);
	len = user_read_str(name + have, rest, PATH_MAX - have);
	return len < 0 ? len : len + (ssize_t)have;
}

int filename_get(struct filename *f, struct user_str s, u32 lookup_flags)
{
	ssize_t len = user_read_str(f->inline_name, s, sizeof(f->inline_name));

	f->name = f->inline_name;
	if (unlikely(len == -ENAMETOOLONG))
		len = filename_get_long(f, s);
	if (len == 0 && !(lookup_flags & LOOKUP_EMPTY))
		len = -ENOENT;
	if (len < 0) {
		filename_put(f);
		return (int)len;
	}
	f->len = (u32)len;
	return 0;
}

void filename_put(struct filename *f)
{
	if (unlikely(f->name != f->inline_name))
		kfree(f->name);
}

int path_lookup(int dirfd, const char *name, u32 lookup_flags, struct path *out)
{
	struct walk w __uninit;
	int err = walk_path(&w, dirfd, name, lookup_flags & ~(u32)LOOKUP_PARENT);

	if (err)
		return err;
	walk_end(&w, true);
	*out = w.path;
	return 0;
}

int user_path(int dirfd, struct user_str name, u32 lookup_flags, struct path *out)
{
	struct filename f __uninit;
	int err = filename_get(&f, name, lookup_flags);

	if (err)
		return err;
	err = path_lookup(dirfd, f.name, lookup_flags, out);
	filename_put(&f);
	return err;
}

int kernel_path(const char *name, u32 lookup_flags, struct path *out)
{
	return path_lookup(AT_FDCWD, name, lookup_flags, out);
}

int path_parent(int dirfd, const char *name, u32 lookup_flags, struct path *parent,
		struct last_component *last)
{
	struct walk w __uninit;
	int err = walk_path(&w, dirfd, name, lookup_flags | LOOKUP_PARENT);

	if (err)
		return err;
	*last = w.last;
	walk_end(&w, true);
	*parent = w.path;
	return 0;
}

int at_lookup_flags(u32 at_flags, u32 allowed, u32 *lookup)
{
	if (at_flags & ~allowed)
		return -EINVAL;
	*lookup = at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	if (at_flags & AT_SYMLINK_FOLLOW)
		*lookup = LOOKUP_FOLLOW;
	if (at_flags & AT_EMPTY_PATH)
		*lookup |= LOOKUP_EMPTY;
	return 0;
}
