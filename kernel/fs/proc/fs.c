/*
 * procfs: the file-system type, inodes, and the operations that all nodes share. One instance.
 *
 * A directory's names come from constant tables and, behind them, from the entry's own look-up. A
 * cached name about a task is true while the task exists: revalidate asks the pid_entry, which the
 * inode keeps from being reused.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <task/access.h>
#include <task/pidfd.h>
#include <vfs/poll.h>
#include "internal.h"

#define PROC_MAGIC 0x9fa0
#define STORE_MAX  4096

static struct super_block *instance;
static const struct inode_ops dir_iops, file_iops, text_link_iops, magic_link_iops;
static const struct file_ops dir_fops, text_fops, mounts_fops;

static struct proc_inode *proc_of(const struct inode *i)
{
	return i->private;
}

struct task *proc_task_get(const struct inode *i)
{
	struct pid_entry *pid = proc_of(i)->pid;
	struct task *t;

	if (!pid)
		return NULL;
	rcu_read_lock();
	t = rcu_dereference(pid->task);
	if (t && !ref_get_unless_zero(&t->ref))
		t = NULL;
	rcu_read_unlock();
	return t;
}

struct pid_entry *proc_pid_get(s32 nr)
{
	struct pid_entry *p;

	rcu_read_lock();
	p = pid_find(nr);
	if (p && (!rcu_dereference(p->task) || !ref_get_unless_zero(&p->ref)))
		p = NULL;
	rcu_read_unlock();
	return p;
}

/* The rule of ptrace_may_access(PTRACE_MODE_READ_FSCREDS). */
bool proc_may_access(struct task *t)
{
	return task_may_access(t, ACCESS_FS);
}

/* For pidfd_send_signal: the process of an open /proc/PID directory. */
static int process_of_dir(const struct file *f, struct process **out)
{
	struct task *t;

	if (f->ops != &dir_fops || f->inode->sb != instance ||
	    proc_of(f->inode)->entry != &proc_process_entry)
		return -EBADF;
	t = proc_task_get(f->inode);
	if (!t)
		return -ESRCH;
	*out = t->process;
	process_get(*out);
	task_put(t);
	return 0;
}

/* ---- inodes ---- */

/* A node about a task belongs to the task's effective ids, or to root when it is not dumpable. */
static void inode_set_owner(struct inode *i, struct task *t)
{
	const struct cred *c = task_cred_get(t);
	struct mm *mm = task_get_mm(t);
	bool its_own = !mm || mm->dumpable == 1 || i->mode == (S_IFDIR | 0555);

	i->uid = its_own ? c->euid : 0;
	i->gid = its_own ? c->egid : 0;
	if (mm)
		mm_put(mm);
	cred_put(c);
}

static struct inode *inode_make(const struct proc_entry *entry, struct pid_entry *pid, bool group,
				u32 fd)
{
	struct proc_inode *p = kzalloc(sizeof(*p), GFP_KERNEL);
	struct inode *i = p ? inode_alloc(instance, entry->mode) : NULL;
	struct task *t;

	if (!i) {
		kfree(p);
		return NULL;
	}
	*p = (struct proc_inode){.entry = entry, .pid = pid, .group = group, .fd = fd};
	if (pid)
		pid_get(pid);
	i->private = p;
	i->uid = i->gid = 0;
	i->nlink = (entry->mode & S_IFMT) == S_IFDIR ? 2 : 1;
	switch (entry->mode & S_IFMT) {
	case S_IFDIR:
		i->ops = &dir_iops;
		i->fops = &dir_fops;
		break;
	case S_IFLNK:
		i->size = fd == U32_MAX ? 0 : 64; /* what Linux shows for a descriptor */
		i->ops = entry->jump ? &magic_link_iops : &text_link_iops;
		break;
	default:
		i->ops = &file_iops;
		i->fops = entry->fops ? entry->fops : entry->of_mounts ? &mounts_fops : &text_fops;
	}
	t = proc_task_get(i);
	if (t) {
		inode_set_owner(i, t);
		task_put(t);
	}
	return i;
}

static void inode_evict(struct inode *i)
{
	struct proc_inode *p = proc_of(i);

	if (p && p->pid)
		pid_put(p->pid);
	kfree(p);
	i->private = NULL;
}

/* An fd node is true while the descriptor is open; every node about a task while that exists. */
static bool node_alive(struct inode *i)
{
	struct proc_inode *p = proc_of(i);
	struct fd_table *files;
	struct file *f = NULL;
	struct task *t;

	if (!p->pid)
		return true;
	t = proc_task_get(i);
	if (!t)
		return false;
	inode_set_owner(i, t);
	if (p->fd != U32_MAX) {
		files = task_get_files(t);
		if (files) {
			f = fd_table_file_get(files, p->fd);
			fd_table_put(files);
		}
		task_put(t);
		if (!f)
			return false;
		if ((p->entry->mode & S_IFMT) == S_IFLNK)
			i->mode = S_IFLNK | ((f->mode & FMODE_READ) ? 0500 : 0) |
				  ((f->mode & FMODE_WRITE) ? 0300 : 0);
		file_put(f);
		return true;
	}
	task_put(t);
	return true;
}

static bool proc_revalidate(struct dentry *d)
{
	return !d->inode || node_alive(d->inode);
}

static const struct dentry_ops proc_dentry_ops = {.revalidate = proc_revalidate, .no_cache = true};

int proc_bind(struct dentry *d, const struct proc_entry *entry, struct pid_entry *pid, bool group,
	      u32 fd)
{
	struct inode *i = inode_make(entry, pid, group, fd);

	if (!i)
		return -ENOMEM;
	if (!node_alive(i)) {
		inode_put(i);
		return -ENOENT;
	}
	d->ops = &proc_dentry_ops;
	dentry_add(d, i);
	return 0;
}

/* ---- directories ---- */

bool proc_parse_number(const struct qstr *q, u32 *out)
{
	u64 v = 0;

	if (!q->len || q->len > 10 || (q->len > 1 && q->name[0] == '0'))
		return false;
	for (u32 k = 0; k < q->len; k++) {
		if (q->name[k] < '0' || q->name[k] > '9')
			return false;
		v = v * 10 + (u64)(q->name[k] - '0');
	}
	*out = (u32)v;
	return v <= INT_MAX;
}

static const struct proc_entry *find_child(const struct proc_entry *table, const struct qstr *name)
{
	const struct proc_entry *e;

	for (e = table; e && e->name; e++)
		if (strlen(e->name) == name->len && !memcmp(e->name, name->name, name->len))
			return e;
	return NULL;
}

static int dir_lookup(struct inode *dir, struct dentry *d)
{
	struct proc_inode *p = proc_of(dir);
	const struct proc_entry *e = find_child(p->entry->children, &d->name);

	if (!e)
		e = find_child(p->entry->more, &d->name);
	if (e)
		return proc_bind(d, e, p->pid, p->group, U32_MAX);
	return p->entry->lookup ? p->entry->lookup(dir, d) : -ENOENT;
}

/* The table's entries have the positions from *base on, which moves behind them. False: no room. */
static bool list_table(struct dir_context *ctx, const struct proc_entry *table, loff_t *base)
{
	for (const struct proc_entry *e = table; e && e->name; e++, ++*base) {
		if (ctx->pos > *base)
			continue;
		if (!dir_emit(ctx, e->name, (u32)strlen(e->name), (u64)*base + 1, e->mode >> 12))
			return false;
		ctx->pos = *base + 1;
	}
	return true;
}

static int dir_readdir(struct file *f, struct dir_context *ctx)
{
	struct proc_inode *p = proc_of(f->inode);
	loff_t base = 2;

	if (!node_alive(f->inode))
		return -ENOENT;
	if (!dir_emit_dots(f, ctx) || !list_table(ctx, p->entry->children, &base) ||
	    !list_table(ctx, p->entry->more, &base))
		return 0;
	return p->entry->list ? p->entry->list(f->inode, ctx, base) : 0;
}

/* The directory of a process: the mount option hidepid. */
static int process_permission(const struct inode *i)
{
	struct task *t = proc_task_get(i);
	int err;

	if (!t)
		return -ESRCH;
	err = proc_may_enter(t);
	task_put(t);
	return err;
}

static int dir_getattr(const struct path *p, struct kstat *st)
{
	const struct inode *i = p->dentry->inode;
	struct task *t = proc_of(i)->entry == &proc_process_entry ? proc_task_get(i) : NULL;
	bool visible = !t || proc_is_visible(t);

	if (t)
		task_put(t);
	if (!visible)
		return -ENOENT;
	stat_fill(p, st);
	return 0;
}

static int node_permission(struct inode *i, u32 mask)
{
	struct proc_inode *p = proc_of(i);
	struct task *t;
	bool ok;

	if (p->entry->setting)
		return proc_setting_permission(p->entry->mode, mask);
	if (p->entry == &proc_process_entry) {
		int err = process_permission(i);

		return err ? err : inode_permission_generic(i, mask);
	}
	if (!p->entry->guarded)
		return inode_permission_generic(i, mask);
	t = proc_task_get(i);
	if (!t)
		return -ESRCH;
	ok = proc_may_access(t);
	task_put(t);
	if (!ok)
		return -EACCES;
	return (p->entry->mode & S_IFMT) == S_IFDIR ? 0 : inode_permission_generic(i, mask);
}

static int node_setattr(struct dentry *d, struct iattr *attr)
{
	if (attr->valid & (ATTR_MODE | ATTR_UID | ATTR_GID))
		return -EPERM;
	return inode_setattr_simple(d, attr);
}

/* ---- links ---- */

static int target_open(const struct inode *i, struct proc_target *target)
{
	struct proc_inode *p = proc_of(i);

	*target = (struct proc_target){.group = p->group, .fd = p->fd, .entry = p->entry};
	if (!p->pid)
		return 0;
	target->task = proc_task_get(i);
	return target->task ? 0 : -ESRCH;
}

static void target_close(struct proc_target *target)
{
	if (target->task)
		task_put(target->task);
}

static int link_readlink(struct inode *i, char *buf, size_t size)
{
	const struct proc_entry *e = proc_of(i)->entry;
	struct proc_target target;
	int err = target_open(i, &target);

	if (err)
		return err;
	if (e->guarded && !proc_may_access(target.task))
		err = -EACCES;
	else
		err = e->readlink(&target, buf, size);
	target_close(&target);
	return err;
}

/* The text lies in the reading task: it is used up before that task follows another such link. */
static int link_get(struct inode *i, bool may_sleep, const char **target)
{
	int n;

	(void)may_sleep;
	n = proc_of(i)->entry->readlink(NULL, current->proc_link, sizeof(current->proc_link) - 1);
	if (n < 0)
		return n;
	current->proc_link[n] = '\0';
	*target = current->proc_link;
	return 0;
}

static int link_jump(struct inode *i, struct path *out)
{
	const struct proc_entry *e = proc_of(i)->entry;
	struct proc_target target;
	int err = target_open(i, &target);

	if (err)
		return err;
	if (e->guarded && !proc_may_access(target.task))
		err = -EACCES;
	else
		err = e->jump(&target, out);
	target_close(&target);
	return err;
}

/* ---- texts ---- */

struct open_text {
	struct mutex lock; /* LOCK_RANK_PROC_TEXT */
	struct text text;  /* lock: from `base` on */
	u64 base;          /* lock: what comes before has been read and is gone */
	bool made;         /* lock */
	struct mm *mm;     /* immutable: of entries bound to it; a reference to the structure */
	u64 mounts_seen;   /* atomic: the last change of mounts that poll told of, or before opening */
};

/* The address space that a task has now; only the structure is kept. */
static struct mm *mm_of(struct task *t)
{
	struct mm *mm = task_get_mm(t);

	if (mm) {
		mm_ref(mm);
		mm_put(mm);
	}
	return mm;
}

static int text_open(struct inode *inode, struct file *f)
{
	struct open_text *o = kzalloc(sizeof(*o), GFP_KERNEL);
	struct task *t;

	if (!o)
		return -ENOMEM;
	if (proc_of(inode)->entry->of_mm) {
		t = proc_task_get(inode);
		if (!t) {
			kfree(o);
			return -ESRCH;
		}
		o->mm = mm_of(t);
		task_put(t);
	}
	mutex_init(&o->lock, LOCK_RANK_PROC_TEXT);
	o->mounts_seen = READ_ONCE(init_mount_ns.event);
	f->private = o;
	return 0;
}

static void text_release(struct file *f)
{
	struct open_text *o = f->private;

	text_fini(&o->text);
	if (o->mm)
		mm_unref(o->mm);
	kfree(o);
}

static void text_rewind(struct open_text *o)
{
	struct text *t = &o->text;

	t->len = 0;
	t->next = 0;
	t->failed = t->more = false;
	o->base = 0;
}

/* Of a program that the task has left, a file says no more, whoever reads it; asked before and after. */
static bool is_left(const struct open_text *o, const struct proc_target *target)
{
	return target->entry->of_mm && READ_ONCE(target->task->mm) != o->mm;
}

/* As far as `end`, or all there is. */
static int text_make(struct open_text *o, struct inode *i, u64 end)
{
	const struct proc_entry *e = proc_of(i)->entry;
	struct proc_target target;
	int err = target_open(i, &target);

	if (err)
		return err;
	o->text.enough = end - o->base;
	if (e->guarded && !proc_may_access(target.task))
		err = -EACCES;
	else if (!is_left(o, &target))
		err = e->show(&o->text, &target);
	if (is_left(o, &target))
		text_rewind(o);
	target_close(&target);
	if (!err && o->text.failed)
		err = -ENOMEM;
	o->made = !err;
	return err;
}

/* Forgets what lies before pos: a list of any length is read through a small buffer. */
static void text_drop(struct open_text *o, u64 pos)
{
	struct text *t = &o->text;
	size_t n = MIN(pos - o->base, (u64)t->len);

	if (!n)
		return;
	t->len -= n;
	memmove(t->buf, t->buf + n, t->len);
	o->base += n;
}

/*
 * The text is made when reading starts and again after a step back: one read sees one state. Of long
 * lists only what is being read is made, as their readers often look for a line and stop.
 */
static ssize_t text_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct open_text *o = f->private;
	u64 at = (u64)*pos, end = at + io_count(to);
	ssize_t n = 0;
	bool anew;
	int err = 0;

	if (!proc_of(f->inode)->entry->show)
		return -EINVAL;
	mutex_lock(&o->lock);
	anew = at == 0 || !o->made || at < o->base;
	if (anew)
		text_rewind(o);
	if (anew || (o->text.more && o->base + o->text.len < end)) {
		text_drop(o, at);
		err = text_make(o, f->inode, end);
	}
	if (!err && *pos >= 0 && at < o->base + o->text.len) {
		size_t skip = at - o->base, want = MIN((u64)(o->text.len - skip), io_count(to));

		n = (ssize_t)io_copy_to(to, o->text.buf + skip, want);
		if (!n && want)
			err = -EFAULT;
		*pos += n;
	}
	mutex_unlock(&o->lock);
	return err ? err : n;
}

static ssize_t text_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	const struct proc_entry *e = proc_of(f->inode)->entry;
	size_t n = MIN(io_count(from), (u64)STORE_MAX - 1);
	struct proc_target target;
	char *data;
	int err;

	if (!e->store)
		return -EINVAL;
	data = kzalloc(n + 1, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	err = io_copy_from(from, data, n) == n ? target_open(f->inode, &target) : -EFAULT;
	if (!err) {
		target.pos = *pos;
		err = e->store(data, &target);
		target_close(&target);
	}
	kfree(data);
	if (err < 0)
		return err;
	n = err ? (size_t)err : n;
	*pos += (loff_t)n;
	return (ssize_t)n;
}

/* As Linux has it: each change of mounts is told once, to whoever asks first on this open file. */
static u32 mounts_poll(struct file *f, struct poll_table *pt)
{
	struct open_text *o = f->private;
	u64 now;

	poll_wait(f, &init_mount_ns.changed, pt);
	now = READ_ONCE(init_mount_ns.event);
	if (__atomic_exchange_n(&o->mounts_seen, now, __ATOMIC_RELAXED) == now)
		return EPOLLIN | EPOLLRDNORM;
	return EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLPRI;
}

static const struct inode_ops dir_iops = {
	.lookup = dir_lookup,
	.permission = node_permission,
	.getattr = dir_getattr,
	.setattr = node_setattr,
};
static const struct inode_ops file_iops = {
	.permission = node_permission,
	.setattr = node_setattr,
};
static const struct inode_ops text_link_iops = {
	.get_link = link_get,
	.setattr = node_setattr,
};
static const struct inode_ops magic_link_iops = {
	.readlink = link_readlink,
	.jump_link = link_jump,
	.setattr = node_setattr,
};
static const struct file_ops dir_fops = {
	.name = "proc",
	.readdir = dir_readdir,
	.llseek = file_llseek_generic,
};
static const struct file_ops text_fops = {
	.name = "proc",
	.open = text_open,
	.read = text_read,
	.write = text_write,
	.llseek = file_llseek_generic,
	.release = text_release,
};
static const struct file_ops mounts_fops = {
	.name = "proc",
	.open = text_open,
	.read = text_read,
	.llseek = file_llseek_generic,
	.poll = mounts_poll,
	.release = text_release,
};

/* ---- the file system ---- */

static int proc_statfs(struct super_block *sb, struct kstatfs *st)
{
	st->type = PROC_MAGIC;
	st->bsize = st->frsize = sb->blocksize;
	st->namelen = 255;
	return 0;
}

static void show_options(struct super_block *sb, char *buf, size_t size)
{
	proc_show_options(buf, size);
}

static const struct super_ops super_ops = {
	.evict = inode_evict,
	.statfs = proc_statfs,
	.show_options = show_options,
};

static int proc_mount(const struct fs_type *t, const char *source, u32 flags, const char *options,
		      struct super_block **out)
{
	int err = proc_set_options(options);

	if (err)
		return err;
	super_get(instance);
	*out = instance;
	return 0;
}

static int proc_remount(struct super_block *sb, u32 flags, const char *options)
{
	return proc_set_options(options);
}

static struct fs_type proc_type = {
	.name = "proc",
	.no_device = true,
	.user_mountable = true,
	.mount = proc_mount,
	.remount = proc_remount,
};

static const struct proc_entry root_entry = {
	.mode = S_IFDIR | 0555,
	.children = proc_root_children,
	.more = proc_system_children,
	.lookup = proc_root_lookup,
	.list = proc_root_list,
};

static int proc_init(void)
{
	struct inode *root;

	instance = super_alloc(&proc_type);
	if (!instance)
		return -ENOMEM;
	instance->ops = &super_ops;
	instance->magic = PROC_MAGIC;
	instance->blocksize = 1024;
	root = inode_make(&root_entry, NULL, false, U32_MAX);
	if (!root)
		return -ENOMEM;
	instance->root = dentry_alloc_root(instance, root);
	pidfd_of_proc_dir = process_of_dir;
	return instance->root ? fs_register(&proc_type) : -ENOMEM;
}
INIT_CALL(INIT_FS, proc_init);
