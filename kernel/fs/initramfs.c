/*
 * Unpacking the initial archive into the root file system.
 *
 * The archive is not trusted: cpio_next bounds every access, and whatever it asks for goes through
 * the same file-system operations as a program's request. File data is copied once, a page at a
 * time, from the archive into the page cache.
 *
 * Hard links are entries with the same device and inode number; which of them carries the data
 * depends on the packer. Directories get their times last, after everything was put into them.
 */
#include <fs/initramfs.h>
#include <lib/cpio.h>
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/log.h>
#include <lib/string.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <vfs/inode.h>

#define LINK_BITS 8

/* An object that may get more names. */
struct known_link {
	struct hlist_node node;
	u32 ino, dev_major, dev_minor;
	struct path path;
};

struct dir_time {
	struct list_head node;
	struct path path;
	u32 mtime;
};

struct unpack {
	struct hlist_head links[1 << LINK_BITS];
	struct list_head dirs;
};

static struct hlist_head *link_slot(struct unpack *u, const struct cpio_entry *e)
{
	return &u->links[hash_u64(e->ino ^ (u64)e->dev_major << 40 ^ (u64)e->dev_minor << 32,
				  LINK_BITS)];
}

static struct known_link *link_find(struct unpack *u, const struct cpio_entry *e)
{
	struct known_link *l;

	hlist_for_each(l, link_slot(u, e), node)
		if (l->ino == e->ino && l->dev_major == e->dev_major &&
		    l->dev_minor == e->dev_minor)
			return l;
	return NULL;
}

static int link_remember(struct unpack *u, const struct cpio_entry *e, const struct path *p)
{
	struct known_link *l = kmalloc(sizeof(*l), GFP_KERNEL);

	if (!l)
		return -ENOMEM;
	*l = (struct known_link){.ino = e->ino, .dev_major = e->dev_major,
				 .dev_minor = e->dev_minor, .path = *p};
	path_get(p);
	hlist_add_head(&l->node, link_slot(u, e));
	return 0;
}

static void links_forget(struct unpack *u)
{
	struct known_link *l, *tmp;

	for (u32 i = 0; i < ARRAY_SIZE(u->links); i++) {
		hlist_for_each_safe(l, tmp, &u->links[i], node) {
			hlist_del(&l->node);
			path_put(&l->path);
			kfree(l);
		}
	}
}

static void set_time(struct inode *i, u32 mtime)
{
	struct timespec64 t = {.tv_sec = mtime};

	spin_lock(&i->spin);
	i->atime = i->mtime = t;
	spin_unlock(&i->spin);
}

static int dir_time_later(struct unpack *u, const struct path *p, u32 mtime)
{
	struct dir_time *d = kmalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return -ENOMEM;
	d->path = *p;
	d->mtime = mtime;
	path_get(p);
	list_add_tail(&d->node, &u->dirs);
	return 0;
}

static void dir_times_set(struct unpack *u)
{
	while (!list_empty(&u->dirs)) {
		struct dir_time *d = list_first(&u->dirs, struct dir_time, node);

		set_time(d->path.dentry->inode, d->mtime);
		list_del(&d->node);
		path_put(&d->path);
		kfree(d);
	}
}

/* The file's contents become exactly these bytes. Its mapping is memory-backed (the root's tmpfs). */
static int write_data(struct inode *i, const char *data, size_t size)
{
	struct page *page;
	int err = 0;

	if (!i->mapping.ops || !i->mapping.ops->memory_backed)
		return -EINVAL;
	rwsem_write_lock(&i->lock);
	inode_truncate(i, 0);
	for (size_t done = 0; done < size && !err; done += PAGE_SIZE) {
		err = page_cache_get(&i->mapping, done / PAGE_SIZE, &page);
		if (err)
			break;
		memcpy(page_address(page), data + done, MIN(size - done, (size_t)PAGE_SIZE));
		page_put(page);
	}
	if (!err)
		WRITE_ONCE(i->size, size);
	rwsem_write_unlock(&i->lock);
	return err;
}

/* A symlink's text is not terminated in the archive. */
static int place_symlink(const struct cpio_entry *e, struct place *p, struct path *out)
{
	char *target;
	int err;

	if (!e->size || e->size >= PATH_MAX)
		return -EINVAL;
	target = kmalloc(e->size + 1, GFP_KERNEL);
	if (!target)
		return -ENOMEM;
	memcpy(target, e->data, e->size);
	target[e->size] = '\0';
	p->target = target;
	err = vfs_place(e->name, p, out);
	kfree(target);
	return err;
}

static int place_entry(struct unpack *u, const struct cpio_entry *e, struct path *out)
{
	struct place p = {.mode = e->mode, .uid = e->uid, .gid = e->gid,
			  .rdev = dev_make(e->rdev_major & 0xfff, e->rdev_minor & 0xfffff)};
	bool linked = e->nr_links > 1 && !S_ISDIR(e->mode);
	struct known_link *known = linked ? link_find(u, e) : NULL;
	int err;

	if (known && S_ISREG(e->mode))
		p.link = known->path.dentry;
	if (S_ISLNK(e->mode))
		return place_symlink(e, &p, out);
	err = vfs_place(e->name, &p, out);
	if (!err && linked && !known && S_ISREG(e->mode)) {
		err = link_remember(u, e, out);
		if (err)
			path_put(out);
	}
	return err;
}

static int unpack_entry(struct unpack *u, const struct cpio_entry *e)
{
	struct path path;
	struct inode *i;
	int err = place_entry(u, e, &path);

	if (err)
		return err;
	i = path.dentry->inode;
	/* Of several names of a file only one brings the data; the others are empty. */
	if (S_ISREG(e->mode) && (e->size || i->nlink == 1))
		err = write_data(i, e->data, e->size);
	if (!err && S_ISDIR(e->mode))
		err = dir_time_later(u, &path, e->mtime);
	else if (!err)
		set_time(i, e->mtime);
	path_put(&path);
	return err;
}

/* Goes on after an entry that cannot be made, as Linux does; the first such error is reported. */
int initramfs_unpack(const void *data, size_t len)
{
	struct cpio_reader r = {.data = data, .len = len};
	struct unpack *u = kzalloc(sizeof(*u), GFP_KERNEL);
	struct cpio_entry e;
	int first = 0, err;

	if (!u)
		return -ENOMEM;
	list_init(&u->dirs);
	while (cpio_next(&r, &e, &err)) {
		if (e.trailer) {
			links_forget(u);
			continue;
		}
		err = unpack_entry(u, &e);
		if (err && !first) {
			pr_warn("initramfs: %s: error %d", e.name, -err);
			first = err;
		}
	}
	links_forget(u);
	dir_times_set(u);
	kfree(u);
	return err ? err : first;
}
