/*
 * The tree of sysfs: registration and removal. One mutex guards its shape; it is also held while an
 * attribute is shown or stored, so a node that sys_remove has taken out is in nobody's hands.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include "internal.h"

DEFINE_MUTEX(sys_lock, LOCK_RANK_SYSFS);
static u32 last_ino = 1; /* sys_lock */

static char root_name[] = "";
struct sys_node sys_root = {
	.ref = {1},
	.name = root_name,
	.mode = S_IFDIR | 0555,
	.ino = 1,
	.children = LIST_INIT(sys_root.children),
	.sibling = LIST_INIT(sys_root.sibling),
};

void sys_put(struct sys_node *n)
{
	if (!ref_put(&n->ref))
		return;
	if (n->target)
		sys_put(n->target);
	kfree(n->name);
	kfree(n);
}

struct sys_node *sys_find(const struct sys_node *dir, const char *name, size_t len)
{
	struct sys_node *n;

	list_for_each(n, &dir->children, sibling)
		if (strlen(n->name) == len && !memcmp(n->name, name, len))
			return n;
	return NULL;
}

static struct sys_node *node_alloc(struct sys_node *dir, const char *name, size_t len, u32 mode)
{
	struct sys_node *n = kzalloc(sizeof(*n), GFP_KERNEL);
	char *copy = kmalloc(len + 1, GFP_KERNEL);

	if (!n || !copy) {
		kfree(n);
		kfree(copy);
		return NULL;
	}
	memcpy(copy, name, len);
	copy[len] = '\0';
	ref_init(&n->ref);
	n->name = copy;
	n->parent = dir;
	n->mode = mode;
	list_init(&n->children);
	return n;
}

/* Into its directory; frees it when the name is taken. */
static int node_link(struct sys_node *n)
{
	int err = 0;

	mutex_lock(&sys_lock);
	if (sys_find(n->parent, n->name, strlen(n->name))) {
		err = -EEXIST;
	} else {
		n->ino = ++last_ino;
		list_add_tail(&n->sibling, &n->parent->children);
	}
	mutex_unlock(&sys_lock);
	if (err)
		sys_put(n);
	return err;
}

static struct sys_node *child_dir(struct sys_node *dir, const char *name, size_t len)
{
	struct sys_node *n;

	mutex_lock(&sys_lock);
	n = sys_find(dir, name, len);
	mutex_unlock(&sys_lock);
	if (n)
		return S_ISDIR(n->mode) ? n : NULL;
	n = node_alloc(dir, name, len, S_IFDIR | 0755);
	return n && !node_link(n) ? n : NULL;
}

struct sys_node *sys_dir(struct sys_node *dir, const char *path)
{
	while (dir && *path) {
		const char *slash = strchr(path, '/');
		size_t len = slash ? (size_t)(slash - path) : strlen(path);

		dir = child_dir(dir, path, len);
		path += len + (slash != NULL);
	}
	return dir;
}

int sys_add_attrs(struct sys_node *dir, const struct sys_attr *attrs, void *object)
{
	int err = dir ? 0 : -ENOMEM;

	for (const struct sys_attr *a = attrs; !err && a->name; a++) {
		struct sys_node *n = node_alloc(dir, a->name, strlen(a->name), S_IFREG | a->mode);

		if (!n)
			return -ENOMEM;
		n->attr = a;
		n->object = object;
		err = node_link(n);
	}
	return err;
}

int sys_add_link(struct sys_node *dir, const char *name, struct sys_node *target)
{
	struct sys_node *n;

	if (!dir || !target)
		return -ENOMEM;
	n = node_alloc(dir, name, strlen(name), S_IFLNK | 0777);
	if (!n)
		return -ENOMEM;
	sys_get(target);
	n->target = target;
	return node_link(n);
}

/* Children before parents; the tree's references go to the list. sys_lock held. */
static void take_out(struct sys_node *n, struct list_head *gone)
{
	struct sys_node *top = n;

	for (;;) {
		while (!list_empty(&n->children))
			n = list_first(&n->children, struct sys_node, sibling);
		n->dead = true;
		list_move_tail(&n->sibling, gone);
		if (n == top)
			return;
		n = n->parent;
	}
}

static void put_all(struct list_head *gone)
{
	struct sys_node *n, *next;

	list_for_each_safe(n, next, gone, sibling) {
		list_del(&n->sibling);
		sys_put(n);
	}
}

void sys_remove(struct sys_node *node)
{
	struct list_head gone = LIST_INIT(gone);

	mutex_lock(&sys_lock);
	take_out(node, &gone);
	mutex_unlock(&sys_lock);
	put_all(&gone);
}

void sys_remove_link(struct sys_node *dir, const char *name)
{
	struct list_head gone = LIST_INIT(gone);
	struct sys_node *n;

	mutex_lock(&sys_lock);
	n = sys_find(dir, name, strlen(name));
	if (n && n->target)
		take_out(n, &gone);
	mutex_unlock(&sys_lock);
	put_all(&gone);
}

/* ---- links ---- */

static u32 depth_of(const struct sys_node *n)
{
	u32 depth = 0;

	for (; n->parent; n = n->parent)
		depth++;
	return depth;
}

int sys_link_text(const struct sys_node *link, char *buf, size_t size)
{
	const struct sys_node *a = link->parent, *b = link->target, *n;
	u32 depth_a = depth_of(a), depth_b = depth_of(b);
	size_t len = 0, end;

	for (n = b; depth_b > depth_a; depth_b--)
		n = n->parent;
	for (; depth_a > depth_b; depth_a--, a = a->parent)
		len += 3;
	for (; a != n; a = a->parent, n = n->parent)
		len += 3;
	end = len;
	for (n = b; n != a; n = n->parent)
		end += strlen(n->name) + 1;
	if (end > size || !end)
		return -ENAMETOOLONG;
	for (size_t i = 0; i < len; i += 3)
		memcpy(buf + i, "../", 3);
	buf[--end] = '\0'; /* no slash behind the last name */
	len = end;
	for (n = b; n != a; n = n->parent) {
		size_t part = strlen(n->name);

		end -= part;
		memcpy(buf + end, n->name, part);
		if (n->parent != a)
			buf[--end] = '/';
	}
	return (int)len;
}
