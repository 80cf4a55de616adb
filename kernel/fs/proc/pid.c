/* /proc/PID and /proc/PID/task/TID: the table of their files, and the small ones among them. */
#include <arch/mmu.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <linux/limits.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <vfs/show.h>
#include "internal.h"

/* ---- memory of the program: command line, environment, auxv ---- */

static int show_range(struct text *t, struct mm *mm, u64 start, u64 end)
{
	char chunk[256];

	for (; start < end; start += sizeof(chunk)) {
		size_t n = MIN((u64)sizeof(chunk), end - start);
		size_t got = mm_access_remote(mm, start, chunk, n, false, true);

		text_append(t, chunk, got);
		if (got < n)
			break;
	}
	return 0;
}

/*
 * The arguments. A program that has overwritten the last terminator (setproctitle) is shown up to
 * the first zero byte, which may lie in the environment's place.
 */
static int show_cmdline(struct text *t, const struct proc_target *target)
{
	struct mm *mm = task_get_mm(target->task);
	char last = '\0';
	u64 start, end, env_end;

	if (!mm)
		return 0;
	rwsem_read_lock(&mm->mmap_lock);
	start = mm->arg_start;
	end = mm->arg_end;
	env_end = mm->env_end;
	rwsem_read_unlock(&mm->mmap_lock);
	if (end > start && mm_access_remote(mm, end - 1, &last, 1, false, true) == 1 && last) {
		show_range(t, mm, start, env_end);
		if (!t->failed && t->len)
			t->len = strnlen(t->buf, t->len);
	} else {
		show_range(t, mm, start, end);
	}
	mm_put(mm);
	return 0;
}

static int show_environ(struct text *t, const struct proc_target *target)
{
	struct mm *mm = task_get_mm(target->task);
	u64 start, end;

	if (!mm)
		return 0;
	rwsem_read_lock(&mm->mmap_lock);
	start = mm->env_start;
	end = mm->env_end;
	rwsem_read_unlock(&mm->mmap_lock);
	show_range(t, mm, start, end);
	mm_put(mm);
	return 0;
}

static int show_auxv(struct text *t, const struct proc_target *target)
{
	struct mm *mm = task_get_mm(target->task);
	unsigned int n = 0;

	if (!mm)
		return 0;
	do {
		n += 2;
	} while (mm->auxv[n - 2] && n < ARRAY_SIZE(mm->auxv));
	text_append(t, (const char *)mm->auxv, n * sizeof(u64));
	mm_put(mm);
	return 0;
}

/* ---- names and settings ---- */

static int show_comm(struct text *t, const struct proc_target *target)
{
	char comm[TASK_COMM_LEN];

	task_comm_get(target->task, comm);
	text_printf(t, "%s\n", comm);
	return 0;
}

static int store_comm(char *data, const struct proc_target *target)
{
	char *end = strchr(data, '\n');

	if (target->task->process != current->process)
		return -EINVAL;
	if (end)
		*end = '\0';
	task_comm_set(target->task, data);
	return 0;
}

static int show_limits(struct text *t, const struct proc_target *target)
{
	static const struct {
		const char *name, *unit;
	} limits[RLIM_NLIMITS] = {
		[RLIMIT_CPU] = {"Max cpu time", "seconds"},
		[RLIMIT_FSIZE] = {"Max file size", "bytes"},
		[RLIMIT_DATA] = {"Max data size", "bytes"},
		[RLIMIT_STACK] = {"Max stack size", "bytes"},
		[RLIMIT_CORE] = {"Max core file size", "bytes"},
		[RLIMIT_RSS] = {"Max resident set", "bytes"},
		[RLIMIT_NPROC] = {"Max processes", "processes"},
		[RLIMIT_NOFILE] = {"Max open files", "files"},
		[RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
		[RLIMIT_AS] = {"Max address space", "bytes"},
		[RLIMIT_LOCKS] = {"Max file locks", "locks"},
		[RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
		[RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
		[RLIMIT_NICE] = {"Max nice priority", NULL},
		[RLIMIT_RTPRIO] = {"Max realtime priority", NULL},
		[RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
	};

	text_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit64 *r = &target->task->process->rlimits[i];
		u64 cur = READ_ONCE(r->rlim_cur), max = READ_ONCE(r->rlim_max);
		char soft[24], hard[24];

		format(soft, sizeof(soft), "%llu", cur);
		format(hard, sizeof(hard), "%llu", max);
		text_printf(t, "%-25s %-20s %-20s ", limits[i].name,
			    cur == RLIM64_INFINITY ? "unlimited" : soft,
			    max == RLIM64_INFINITY ? "unlimited" : hard);
		text_printf(t, "%-10s\n", limits[i].unit ? limits[i].unit : "");
	}
	return 0;
}

static int show_io(struct text *t, const struct proc_target *target)
{
	u64 rchar = 0, wchar = 0, syscr = 0, syscw = 0;
	struct task *th;

	rcu_read_lock();
	list_for_each(th, &target->task->process->threads, thread_node) {
		if (!target->group && th != target->task)
			continue;
		rchar += READ_ONCE(th->io_read_bytes);
		wchar += READ_ONCE(th->io_write_bytes);
		syscr += READ_ONCE(th->io_read_calls);
		syscw += READ_ONCE(th->io_write_calls);
	}
	rcu_read_unlock();
	text_printf(t, "rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\n", rchar, wchar, syscr,
		    syscw);
	text_printf(t, "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
	return 0;
}

static int show_oom_score_adj(struct text *t, const struct proc_target *target)
{
	text_printf(t, "%d\n", READ_ONCE(target->task->process->oom_score_adj));
	return 0;
}

static int store_oom_score_adj(char *data, const struct proc_target *target)
{
	struct process *p = target->task->process;
	bool negative = *data == '-';
	char *end = strchr(data, '\n');
	u64 v;
	int adj;

	if (end)
		*end = '\0';
	if (parse_u64(data + negative, 10, &v) || v > 1000)
		return -EINVAL;
	adj = negative ? -(int)v : (int)v;
	if (adj < p->oom_score_adj && !capable(CAP_SYS_RESOURCE))
		return -EACCES;
	WRITE_ONCE(p->oom_score_adj, adj);
	return 0;
}

#ifdef CONFIG_DEBUG
static int show_fail_nth(struct text *t, const struct proc_target *target)
{
	text_printf(t, "%u\n", READ_ONCE(target->task->fail_nth));
	return 0;
}

/* Only for itself, as a task counts without a lock; the write itself is not counted. */
static int store_fail_nth(char *data, const struct proc_target *target)
{
	char *end = strchr(data, '\n');
	u64 n;

	if (end)
		*end = '\0';
	if (parse_u64(data, 10, &n) || n > INT_MAX)
		return -EINVAL;
	if (target->task != current)
		return -EPERM;
	WRITE_ONCE(current->fail_nth, (u32)n);
	return 0;
}
#endif

static int show_coredump_filter(struct text *t, const struct proc_target *target)
{
	struct mm *mm = task_get_mm(target->task);

	if (!mm)
		return 0;
	text_printf(t, "%08x\n", READ_ONCE(mm->dump_filter));
	mm_put(mm);
	return 0;
}

static int store_coredump_filter(char *data, const struct proc_target *target)
{
	struct mm *mm;
	char *end = strchr(data, '\n');
	u64 v;

	if (end)
		*end = '\0';
	if (parse_u64(data, 0, &v) || v > U32_MAX)
		return -EINVAL;
	mm = task_get_mm(target->task);
	if (!mm)
		return -ESRCH;
	WRITE_ONCE(mm->dump_filter, (u32)v & (u32)CORE_FILTER_ALL);
	mm_put(mm);
	return 0;
}

static int show_personality(struct text *t, const struct proc_target *target)
{
	text_printf(t, "%08llx\n", target->task->personality);
	return 0;
}

/* ---- mounts ---- */

int proc_show_mount_table(struct text *t, const struct proc_target *target,
			    void (*show)(struct mount_ns *, const struct path *, show_fn, void *))
{
	struct fs_context *fs = task_get_fs(target->task);
	struct path root;

	if (!fs)
		return -EINVAL;
	spin_lock(&fs->lock);
	root = fs->root;
	path_get(&root);
	spin_unlock(&fs->lock);
	fs_context_put(fs);
	show(&init_mount_ns, &root, text_emit, t);
	path_put(&root);
	return 0;
}

static int show_mounts(struct text *t, const struct proc_target *target)
{
	return proc_show_mount_table(t, target, mounts_show);
}

static int show_mountinfo(struct text *t, const struct proc_target *target)
{
	return proc_show_mount_table(t, target, mountinfo_show);
}

/* ---- links to what the task uses ---- */

static int fs_path_get(const struct proc_target *target, bool root, struct path *out)
{
	struct fs_context *fs = task_get_fs(target->task);

	if (!fs)
		return -ENOENT;
	spin_lock(&fs->lock);
	*out = root ? fs->root : fs->cwd;
	path_get(out);
	spin_unlock(&fs->lock);
	fs_context_put(fs);
	return 0;
}

static int jump_cwd(const struct proc_target *target, struct path *out)
{
	return fs_path_get(target, false, out);
}

static int jump_root(const struct proc_target *target, struct path *out)
{
	return fs_path_get(target, true, out);
}

static int jump_exe(const struct proc_target *target, struct path *out)
{
	struct mm *mm = task_get_mm(target->task);
	int err = -ENOENT;

	if (!mm)
		return -ENOENT;
	rwsem_read_lock(&mm->mmap_lock);
	if (mm->exe_file) {
		*out = mm->exe_file->path;
		path_get(out);
		err = 0;
	}
	rwsem_read_unlock(&mm->mmap_lock);
	mm_put(mm);
	return err;
}

static int path_text(const struct path *p, char *buf, size_t size)
{
	char *page = pages_alloc_virt(0, GFP_KERNEL), *name;
	struct path root;
	size_t len;
	int err;

	if (!page)
		return -ENOMEM;
	spin_lock(&current->fs->lock);
	root = current->fs->root;
	path_get(&root);
	spin_unlock(&current->fs->lock);
	err = path_name(p, &root, page, PAGE_SIZE, &name);
	path_put(&root);
	if (!err) {
		len = MIN(strlen(name), size);
		memcpy(buf, name, len);
		err = (int)len;
	}
	pages_free_virt(page, 0);
	return err;
}

#define LINK_TEXT(which)                                                                           \
	static int read_##which(const struct proc_target *target, char *buf, size_t size)          \
	{                                                                                          \
		struct path p;                                                                     \
		int err = jump_##which(target, &p);                                                \
                                                                                                   \
		if (err)                                                                           \
			return err;                                                                \
		err = path_text(&p, buf, size);                                                    \
		path_put(&p);                                                                      \
		return err;                                                                        \
	}

LINK_TEXT(cwd)
LINK_TEXT(root)
LINK_TEXT(exe)

/* ---- descriptors ---- */

static struct file *target_file_get(const struct proc_target *target)
{
	struct fd_table *files = task_get_files(target->task);
	struct file *f = NULL;

	if (files) {
		f = fd_table_file_get(files, target->fd);
		fd_table_put(files);
	}
	return f;
}

static int jump_fd(const struct proc_target *target, struct path *out)
{
	struct file *f = target_file_get(target);

	if (!f)
		return -ENOENT;
	*out = f->path;
	path_get(out);
	file_put(f);
	return 0;
}
LINK_TEXT(fd)

static int show_fdinfo(struct text *t, const struct proc_target *target)
{
	struct file *f = target_file_get(target);

	if (!f)
		return -ENOENT;
	text_printf(t, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n", f->pos, f->flags,
		    f->path.mnt ? f->path.mnt->id : 0, f->inode->ino);
	if (f->ops->show_fdinfo)
		f->ops->show_fdinfo(f, text_emit, t);
	file_put(f);
	return 0;
}

static const struct proc_entry fd_entry = {
	.mode = S_IFLNK | 0700, .readlink = read_fd, .jump = jump_fd, .guarded = true};
static const struct proc_entry fdinfo_entry = {
	.mode = S_IFREG | 0400, .show = show_fdinfo, .guarded = true};

static int fd_bind(struct inode *dir, struct dentry *d, const struct proc_entry *e)
{
	struct proc_inode *p = dir->private;
	u32 fd;

	return proc_parse_number(&d->name, &fd) ? proc_bind(d, e, p->pid, p->group, fd) : -ENOENT;
}

int proc_fd_lookup(struct inode *dir, struct dentry *d)
{
	return fd_bind(dir, d, &fd_entry);
}

int proc_fdinfo_lookup(struct inode *dir, struct dentry *d)
{
	return fd_bind(dir, d, &fdinfo_entry);
}

int proc_fd_list(struct inode *dir, struct dir_context *ctx, loff_t base)
{
	struct task *t = proc_task_get(dir);
	struct fd_table *files;
	char name[12];
	u32 fd;

	if (!t)
		return -ENOENT;
	files = task_get_files(t);
	task_put(t);
	if (!files)
		return 0;
	for (fd = (u32)(ctx->pos - base); fd_table_next(files, &fd); fd++) {
		ctx->pos = base + fd;
		if (!dir_emit(ctx, name, (u32)format(name, sizeof(name), "%u", fd),
			      (u64)fd + 1000, DT_LNK))
			break;
		ctx->pos++;
	}
	fd_table_put(files);
	return 0;
}

/* ---- threads ---- */

int proc_task_lookup(struct inode *dir, struct dentry *d)
{
	struct task *owner = proc_task_get(dir), *t = NULL;
	struct pid_entry *pid;
	int err = -ENOENT;
	u32 nr = 0;

	if (!owner)
		return -ENOENT;
	if (proc_parse_number(&d->name, &nr))
		t = task_find_get((s32)nr);
	pid = t && t->process == owner->process ? proc_pid_get((s32)nr) : NULL;
	if (pid) {
		err = proc_bind(d, &proc_thread_entry, pid, false, U32_MAX);
		pid_put(pid);
	}
	if (t)
		task_put(t);
	task_put(owner);
	return err;
}

/* Positions count threads in the order of their creation. */
int proc_task_list(struct inode *dir, struct dir_context *ctx, loff_t base)
{
	struct task *owner = proc_task_get(dir), *t;
	char name[12];

	if (!owner)
		return -ENOENT;
	for (;;) {
		loff_t n = base;
		s32 tid = 0;

		rcu_read_lock();
		list_for_each(t, &owner->process->threads, thread_node) {
			if (n++ == ctx->pos) {
				tid = t->tid;
				break;
			}
		}
		rcu_read_unlock();
		if (!tid || !dir_emit(ctx, name, (u32)format(name, sizeof(name), "%d", tid),
				      (u64)tid + 1000, DT_DIR))
			break;
		ctx->pos++;
	}
	task_put(owner);
	return 0;
}

#ifdef CONFIG_DEBUG
#define FAIL_NTH_ENTRY                                                                             \
	{.name = "fail-nth", .mode = S_IFREG | 0644, .show = show_fail_nth, .store = store_fail_nth},
#else
#define FAIL_NTH_ENTRY
#endif

#define COMMON_ENTRIES                                                                             \
	{.name = "auxv", .mode = S_IFREG | 0400, .show = show_auxv, .guarded = true, .of_mm = true},              \
		{.name = "cmdline", .mode = S_IFREG | 0444, .show = show_cmdline},                 \
		{.name = "comm", .mode = S_IFREG | 0644, .show = show_comm, .store = store_comm},  \
		{.name = "coredump_filter", .mode = S_IFREG | 0644,                                \
		 .show = show_coredump_filter, .store = store_coredump_filter},                    \
		{.name = "cwd", .mode = S_IFLNK | 0777, .readlink = read_cwd, .jump = jump_cwd,    \
		 .guarded = true},                                                                 \
		{.name = "environ", .mode = S_IFREG | 0400, .show = show_environ,                  \
		 .guarded = true, .of_mm = true},                                                                 \
		{.name = "exe", .mode = S_IFLNK | 0777, .readlink = read_exe, .jump = jump_exe,    \
		 .guarded = true},                                                                 \
		FAIL_NTH_ENTRY                                                                     \
		{.name = "fd", .mode = S_IFDIR | 0500, .lookup = proc_fd_lookup,                   \
		 .list = proc_fd_list, .guarded = true},                                           \
		{.name = "fdinfo", .mode = S_IFDIR | 0555, .lookup = proc_fdinfo_lookup,           \
		 .list = proc_fd_list, .guarded = true},                                           \
		{.name = "io", .mode = S_IFREG | 0400, .show = show_io, .guarded = true},          \
		{.name = "limits", .mode = S_IFREG | 0444, .show = show_limits},                   \
		{.name = "maps", .mode = S_IFREG | 0444, .show = proc_show_maps, .guarded = true, .of_mm = true}, \
		{.name = "mem", .mode = S_IFREG | 0600, .fops = &proc_mem_fops, .guarded = true},  \
		{.name = "mountinfo", .mode = S_IFREG | 0444, .show = show_mountinfo, .of_mounts = true}, \
		{.name = "mounts", .mode = S_IFREG | 0444, .show = show_mounts, .of_mounts = true}, \
		{.name = "net", .mode = S_IFDIR | 0555, .children = proc_net_children},            \
		{.name = "oom_score_adj", .mode = S_IFREG | 0644, .show = show_oom_score_adj,      \
		 .store = store_oom_score_adj},                                                    \
		{.name = "personality", .mode = S_IFREG | 0400, .show = show_personality,          \
		 .guarded = true},                                                                 \
		{.name = "root", .mode = S_IFLNK | 0777, .readlink = read_root, .jump = jump_root, \
		 .guarded = true},                                                                 \
		{.name = "stat", .mode = S_IFREG | 0444, .show = proc_show_stat},                  \
		{.name = "statm", .mode = S_IFREG | 0444, .show = proc_show_statm},                \
		{.name = "status", .mode = S_IFREG | 0444, .show = proc_show_status}

static const struct proc_entry process_children[] = {
	COMMON_ENTRIES,
	{.name = "task", .mode = S_IFDIR | 0555, .lookup = proc_task_lookup,
	 .list = proc_task_list},
	{0},
};

static const struct proc_entry thread_children[] = {COMMON_ENTRIES, {0}};

const struct proc_entry proc_process_entry = {.mode = S_IFDIR | 0555,
					      .children = process_children,
					      .more = proc_process_more};
const struct proc_entry proc_thread_entry = {.mode = S_IFDIR | 0555, .children = thread_children,
					     .more = proc_thread_more};
