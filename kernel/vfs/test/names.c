/* In-kernel tests of the path walk, the path cache, renames under load, and mounts. */
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/ktest.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <mm/slab.h>
#include <sched/sched.h>
#include <sync/wait.h>
#include <task/task.h>
#include <vfs/file.h>

#include "../dcache_internal.h"
#include "../internal.h"
#include "../mount_internal.h"
#include "../walk.h"

#define TOP "/ktest"

static int look(const char *name, u32 flags, u64 *ino)
{
	struct path p;
	int err = kernel_path(name, flags, &p);

	if (err)
		return err;
	if (ino)
		*ino = p.dentry->inode->ino;
	path_put(&p);
	return 0;
}

static int make_file(const char *name)
{
	struct file *f;
	int err = file_open_at(AT_FDCWD, name, O_CREAT | O_EXCL | O_WRONLY, 0644, 0, &f);

	if (!err)
		file_put(f);
	return err;
}

static void remove_path(const char *name, bool is_dir)
{
	struct last_component last;
	struct path parent;
	struct name_op op;

	if (path_parent(AT_FDCWD, name, 0, &parent, &last) ||
	    name_begin_remove(&op, &parent, &last))
		return;
	if (op.d->inode) {
		int err = is_dir ? op.dir->ops->rmdir(op.dir, op.d) : op.dir->ops->unlink(op.dir, op.d);

		EXPECT(err == 0);
		if (is_dir)
			dentry_prune_children(op.d);
		if (!err)
			dentry_delete(op.d);
	}
	name_end(&op);
}

static void start(void)
{
	EXPECT(vfs_mkdir_at(AT_FDCWD, TOP, 0755) == 0);
}

static void finish(void)
{
	remove_path(TOP, true);
	EXPECT(look(TOP, 0, NULL) == -ENOENT);
}

KTEST(walk_resolves_names_dots_and_slashes)
{
	u64 dir, a, b;

	start();
	EXPECT(look(TOP, 0, &dir) == 0);
	EXPECT(make_file(TOP "/a") == 0);
	EXPECT(look(TOP "/a", 0, &a) == 0);
	EXPECT(look("//ktest/.//../ktest/./a", 0, &b) == 0 && a == b);
	EXPECT(look("/../../ktest", 0, &b) == 0 && b == dir);
	EXPECT(look(TOP "/a/", 0, NULL) == -ENOTDIR);
	EXPECT(look(TOP "/a/b", 0, NULL) == -ENOTDIR);
	EXPECT(look(TOP "/a/..", 0, NULL) == -ENOTDIR);
	EXPECT(look(TOP "/none", 0, NULL) == -ENOENT);
	EXPECT(look(TOP "/none/x", 0, NULL) == -ENOENT);
	remove_path(TOP "/a", false);
	EXPECT(look(TOP "/a", 0, NULL) == -ENOENT);
	finish();
}

KTEST(walk_follows_links_forty_deep_and_no_deeper)
{
	char from[32], to[32];

	start();
	EXPECT(make_file(TOP "/l0") == 0);
	for (int i = 1; i <= 41; i++) {
		format(to, sizeof(to), "l%d", i - 1);
		format(from, sizeof(from), TOP "/l%d", i);
		EXPECT(vfs_symlink_at(to, AT_FDCWD, from) == 0);
	}
	EXPECT(look(TOP "/l40", LOOKUP_FOLLOW, NULL) == 0);
	EXPECT(look(TOP "/l41", LOOKUP_FOLLOW, NULL) == -ELOOP);
	EXPECT(look(TOP "/l41", 0, NULL) == 0);
	EXPECT(look(TOP "/l40/", 0, NULL) == -ENOTDIR);
	for (int i = 41; i >= 0; i--) {
		format(from, sizeof(from), TOP "/l%d", i);
		remove_path(from, false);
	}
	finish();
}

KTEST(walk_links_in_the_middle_and_absolute)
{
	u64 a, b;

	start();
	EXPECT(vfs_mkdir_at(AT_FDCWD, TOP "/d", 0755) == 0);
	EXPECT(make_file(TOP "/d/f") == 0);
	EXPECT(vfs_symlink_at("/ktest/d/", AT_FDCWD, TOP "/abs") == 0);
	EXPECT(vfs_symlink_at("abs/../d", AT_FDCWD, TOP "/rel") == 0);
	EXPECT(look(TOP "/d/f", 0, &a) == 0);
	EXPECT(look(TOP "/abs/f", 0, &b) == 0 && a == b);
	EXPECT(look(TOP "/rel/f", 0, &b) == 0 && a == b);
	EXPECT(look(TOP "/rel/../abs/./f", 0, &b) == 0 && a == b);
	remove_path(TOP "/rel", false);
	remove_path(TOP "/abs", false);
	remove_path(TOP "/d/f", false);
	remove_path(TOP "/d", true);
	finish();
}

KTEST(create_through_a_dangling_link_makes_its_target)
{
	struct file *f;

	start();
	EXPECT(vfs_symlink_at("target", AT_FDCWD, TOP "/link") == 0);
	EXPECT(file_open_at(AT_FDCWD, TOP "/link", O_CREAT | O_EXCL | O_RDWR, 0600, 0, &f) == -EEXIST);
	EXPECT(file_open_at(AT_FDCWD, TOP "/link", O_CREAT | O_NOFOLLOW | O_RDWR, 0600, 0, &f) ==
	       -ELOOP);
	EXPECT(file_open_at(AT_FDCWD, TOP "/link", O_CREAT | O_RDWR, 0600, 0, &f) == 0);
	file_put(f);
	EXPECT(look(TOP "/target", 0, NULL) == 0);
	remove_path(TOP "/link", false);
	remove_path(TOP "/target", false);
	finish();
}

/* ---- Renames under load ---- */

#define RACERS 3

struct race {
	struct dentry *dirs[2];
	bool stop;
	u32 running;
	struct wait_queue done;
	u64 walks;
};

/* A file moves between two directories all the time; whoever looks finds it in one of them or not. */
static void race_walker(void *arg)
{
	struct race *r = arg;
	u64 n = 0;

	while (!READ_ONCE(r->stop)) {
		int a = look(TOP "/a/moving-name-that-is-longer-than-what-fits-inline", 0, NULL);
		int b = look(TOP "/b/moving", 0, NULL);

		EXPECT((a == 0 || a == -ENOENT) && (b == 0 || b == -ENOENT));
		EXPECT(look(TOP "/a/fixed", 0, NULL) == 0);
		n++;
	}
	__atomic_fetch_add(&r->walks, n, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&r->running, 1, __ATOMIC_SEQ_CST);
	wake_up_all(&r->done);
	task_exit_kernel();
}

static void race_move(struct dentry *from, const char *old, struct dentry *to, const char *new)
{
	struct qstr q = qstr_make(old, (u32)strlen(old)), t = qstr_make(new, (u32)strlen(new));
	struct dentry *d, *target;
	struct dentry_move m;

	rwsem_write_lock(&from->inode->lock);
	rwsem_write_lock_nested(&to->inode->lock);
	EXPECT(child_lookup_locked(from, &q, &d) == 0 && d->inode);
	EXPECT(child_lookup_locked(to, &t, &target) == 0 && !target->inode);
	EXPECT(dentry_move_prepare(&m, d, target, false) == 0);
	EXPECT(from->inode->ops->rename(from->inode, d, to->inode, target, 0) == 0);
	dentry_move_commit(&m);
	rwsem_write_unlock(&to->inode->lock);
	rwsem_write_unlock(&from->inode->lock);
	dentry_put(target);
	dentry_put(d);
}

KTEST(renames_never_hide_other_names_from_walks)
{
	static struct race r;
	struct path a, b;

	r = (struct race){.running = RACERS};
	wait_queue_init(&r.done);
	start();
	EXPECT(vfs_mkdir_at(AT_FDCWD, TOP "/a", 0755) == 0);
	EXPECT(vfs_mkdir_at(AT_FDCWD, TOP "/b", 0755) == 0);
	EXPECT(make_file(TOP "/a/fixed") == 0);
	EXPECT(make_file(TOP "/b/moving") == 0);
	EXPECT(kernel_path(TOP "/a", 0, &a) == 0 && kernel_path(TOP "/b", 0, &b) == 0);
	for (int i = 0; i < RACERS; i++)
		EXPECT(kthread_create(race_walker, &r, "walker"));
	for (int i = 0; i < 2000; i++) {
		race_move(b.dentry, "moving", a.dentry,
			  "moving-name-that-is-longer-than-what-fits-inline");
		race_move(a.dentry, "moving-name-that-is-longer-than-what-fits-inline", b.dentry,
			  "moving");
	}
	WRITE_ONCE(r.stop, true);
	wait_event(&r.done, __atomic_load_n(&r.running, __ATOMIC_SEQ_CST) == 0);
	path_put(&a);
	path_put(&b);
	remove_path(TOP "/b/moving", false);
	remove_path(TOP "/a/fixed", false);
	remove_path(TOP "/a", true);
	remove_path(TOP "/b", true);
	finish();
}

KTEST(cache_of_missing_names_is_bounded)
{
	char name[48];

	start();
	for (int i = 0; i < 30000; i++) {
		format(name, sizeof(name), TOP "/missing-%d", i);
		EXPECT(look(name, 0, NULL) == -ENOENT);
	}
	finish();
}

KTEST(deep_trees_come_and_go)
{
	struct path dir[2];
	int depth = 2000;

	start();
	EXPECT(kernel_path(TOP, 0, &dir[0]) == 0);
	for (int i = 0; i < depth; i++) {
		struct qstr q = qstr_make("d", 1);
		struct dentry *d;
		struct dentry *p = dir[0].dentry;

		rwsem_write_lock(&p->inode->lock);
		EXPECT(child_lookup_locked(p, &q, &d) == 0);
		EXPECT(p->inode->ops->mkdir(p->inode, d, S_IFDIR | 0755) == 0);
		rwsem_write_unlock(&p->inode->lock);
		dentry_put(p);
		dir[0].dentry = d;
	}
	for (int i = 0; i < depth; i++) {
		struct dentry *d = dir[0].dentry, *p = dentry_parent_get(d);

		rwsem_write_lock(&p->inode->lock);
		EXPECT(p->inode->ops->rmdir(p->inode, d) == 0);
		dentry_delete(d);
		rwsem_write_unlock(&p->inode->lock);
		dentry_put(d);
		dir[0].dentry = p;
	}
	path_put(&dir[0]);
	finish();
}

/* ---- Mounts ---- */

static int umount_path(const char *name)
{
	struct path p;
	int err = kernel_path(name, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	err = mount_remove(&p, 0);
	path_put(&p);
	return err;
}

KTEST(mounts_cover_their_place_and_give_it_back)
{
	struct file *f;
	u64 before, inside, again;

	start();
	EXPECT(vfs_mkdir_at(AT_FDCWD, TOP "/m", 0755) == 0);
	EXPECT(make_file(TOP "/m/under") == 0);
	EXPECT(look(TOP "/m", 0, &before) == 0);
	EXPECT(kernel_mount("tmpfs", "none", TOP "/m", 0, "size=64k") == 0);
	EXPECT(look(TOP "/m/under", 0, NULL) == -ENOENT);
	EXPECT(look(TOP "/m", 0, &inside) == 0);
	EXPECT(look(TOP "/m/..", 0, &again) == 0);
	EXPECT(file_open_at(AT_FDCWD, TOP "/m/file", O_CREAT | O_RDWR, 0644, 0, &f) == 0);
	EXPECT(umount_path(TOP "/m") == -EBUSY);
	file_put(f);
	EXPECT(umount_path(TOP "/m") == 0);
	EXPECT(look(TOP "/m/under", 0, NULL) == 0);
	EXPECT(look(TOP "/m", 0, &again) == 0 && again == before);
	EXPECT(umount_path(TOP "/m") == -EINVAL);
	remove_path(TOP "/m/under", false);
	remove_path(TOP "/m", true);
	finish();
}

KTEST(tmpfs_size_limit_is_enforced)
{
	struct file *f;
	char *page = kzalloc(PAGE_SIZE, GFP_KERNEL);
	loff_t pos = 0;
	ssize_t n = 0;

	start();
	EXPECT(page && kernel_mount("tmpfs", "none", TOP, 0, "size=64k,nr_inodes=4") == 0);
	EXPECT(file_open_at(AT_FDCWD, TOP "/f", O_CREAT | O_RDWR, 0644, 0, &f) == 0);
	for (; pos < (64 << 10) && n >= 0; pos += n)
		n = file_write_kernel(f, page, PAGE_SIZE, pos);
	EXPECT(pos == 64 << 10);
	EXPECT(file_write_kernel(f, page, PAGE_SIZE, pos) == -ENOSPC);
	EXPECT(make_file(TOP "/g") == 0 && make_file(TOP "/h") == 0);
	EXPECT(make_file(TOP "/i") == -ENOSPC);
	file_put(f);
	EXPECT(umount_path(TOP) == 0);
	kfree(page);
	finish();
}
