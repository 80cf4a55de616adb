/*
 * Core dumps: whether one is written, by whom and where to. The thread that takes the signal kills
 * the others, which then wait in their exit (coredump_hold_locked) with registers and memory
 * intact until the core is written. SIGKILL ends the dump: it is the only signal that still reaches
 * a process that is going (signal_send_locked).
 *
 * process->core and what it points to are guarded by siglock; no lock is held while writing.
 */
#include <lib/string.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <vfs/file.h>
#include <vfs/path.h>
#include <vfs/pipe.h>
#include "coredump.h"
#include "user_helper.h"

#define CORE_MIN_BYTES PAGE_SIZE /* a limit below this means: none */
#define CORE_MAX_ARGS  64

/* --- stopping the other threads --- */

void coredump_hold_locked(struct process *p) NO_THREAD_SAFETY
{
	struct task *me = current;
	struct core_state *core = p->core;

	ASSERT_HELD(&p->siglock);
	if (core->dumper == me)
		return;
	me->flags |= TASK_F_DUMPCORE;
	if (!--core->nr_running)
		sched_wake(core->dumper, TASK_UNINTERRUPTIBLE);
	while (p->core == core) {
		sched_set_state(TASK_UNINTERRUPTIBLE);
		spin_unlock_irq(&p->siglock);
		schedule();
		spin_lock_irq(&p->siglock);
	}
	sched_set_state(TASK_RUNNING);
	me->flags &= ~(u32)TASK_F_DUMPCORE;
}

/* False: the process is ending, or another thread is about to execve. */
static bool threads_kill(struct process *p, struct core_state *core, int sig)
{
	struct task *t;

	spin_lock_irq(&p->siglock);
	if ((p->signal_flags & SIGNAL_GROUP_EXIT) || p->exec_task) {
		spin_unlock_irq(&p->siglock);
		return false;
	}
	p->signal_flags |= SIGNAL_GROUP_EXIT;
	p->group_exit_code = sig;
	p->core = core;
	list_for_each(t, &p->threads, thread_node)
		if (t != current && !(t->flags & TASK_F_EXITING))
			core->nr_running++;
	signal_kill_others_locked();
	/* What else is pending must not disturb the writing. */
	task_clear_work(current, WORK_SIGNAL);
	current->flags |= TASK_F_DUMPCORE;
	spin_unlock_irq(&p->siglock);
	return true;
}

static void threads_wait(struct process *p, const struct core_state *core)
{
	spin_lock_irq(&p->siglock);
	while (core->nr_running) {
		sched_set_state(TASK_UNINTERRUPTIBLE);
		spin_unlock_irq(&p->siglock);
		schedule();
		spin_lock_irq(&p->siglock);
	}
	sched_set_state(TASK_RUNNING);
	spin_unlock_irq(&p->siglock);
}

/* The stopped threads, once their registers are saved. 0 or -ENOMEM. */
static int threads_collect(struct process *p, struct core_dump *d)
{
	u32 room = READ_ONCE(p->nr_threads);
	struct task *t;

	d->threads = kvmalloc((size_t)room * sizeof(struct task *), GFP_KERNEL);
	if (!d->threads)
		return -ENOMEM;
	spin_lock_irq(&p->siglock);
	list_for_each(t, &p->threads, thread_node) {
		if (t == current || !(t->flags & TASK_F_DUMPCORE) || d->nr_threads == room)
			continue;
		task_get(t);
		d->threads[d->nr_threads++] = t;
	}
	spin_unlock_irq(&p->siglock);
	for (u32 i = 0; i < d->nr_threads; i++)
		sched_wait_inactive(d->threads[i]);
	return 0;
}

static void threads_release(struct process *p, struct core_dump *d, bool dumped)
{
	struct task *t;

	for (u32 i = 0; i < d->nr_threads; i++)
		task_put(d->threads[i]);
	kvfree(d->threads);
	spin_lock_irq(&p->siglock);
	if (dumped && !fatal_signal_pending(current))
		p->group_exit_code |= 0x80;
	p->core = NULL;
	list_for_each(t, &p->threads, thread_node)
		if (t != current && (t->flags & TASK_F_DUMPCORE))
			sched_wake(t, TASK_UNINTERRUPTIBLE);
	spin_unlock_irq(&p->siglock);
}

/* --- where to --- */

/* What the file must be, so that nobody is tricked into overwriting, or handed, secrets. */
static bool target_is_safe(const struct file *f)
{
	const struct inode *i = f->inode;

	return inode_is_reg(i) && READ_ONCE(i->nlink) == 1 && i->uid == current->cred->fsuid &&
	       (READ_ONCE(i->mode) & 0677) == 0600 && f->ops->write;
}

static int open_file(const char *name, struct file **out)
{
	int err;

	/* What is there already may be a link, or somebody's; O_EXCL makes the file ours. */
	(void)!kernel_unlink(name);
	err = file_open_at(AT_FDCWD, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_LARGEFILE,
			   0600, 0, out);
	if (!err && !target_is_safe(*out)) {
		file_close(*out, NULL);
		err = -EPERM;
	}
	return err;
}

/*
 * A program with more privilege than its user dumps as root, to an absolute path below the initial
 * root, and never over anything (fs.suid_dumpable = 2).
 */
static int open_file_as_root(const char *name, struct file **out)
{
	const struct cred *mine = current->cred;
	struct fs_context *fs = current->fs;
	struct cred *root = cred_prepare();
	int err;

	if (name[0] != '/' || !root) {
		if (root)
			cred_abort(root);
		return name[0] != '/' ? -EPERM : -ENOMEM;
	}
	root->fsuid = 0;
	root->cap_effective |= BIT(CAP_DAC_OVERRIDE);
	rcu_assign(current->cred, (const struct cred *)root);
	spin_lock(&current->alloc_lock);
	current->fs = &init_fs_context;
	spin_unlock(&current->alloc_lock);
	err = file_open_at(AT_FDCWD, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_LARGEFILE,
			   0600, 0, out);
	if (!err && !target_is_safe(*out)) {
		file_close(*out, NULL);
		err = -EPERM;
	}
	spin_lock(&current->alloc_lock);
	current->fs = fs;
	spin_unlock(&current->alloc_lock);
	rcu_assign(current->cred, mine);
	cred_put(root);
	return err;
}

/* The writing end of a pipe to a program that runs. */
static int open_pipe(const struct core_name *name, struct file **out)
{
	const char *argv[CORE_MAX_ARGS + 1];
	struct file *in;
	size_t n = 0;
	int err;

	for (const char *s = name->text; s < name->text + name->len && n < CORE_MAX_ARGS;
	     s += strlen(s) + 1)
		argv[n++] = s;
	argv[n] = NULL;
	err = pipe_create(0, &in, out);
	if (err)
		return err;
	err = user_helper_start(argv, in);
	file_close(in, NULL);
	if (err)
		file_close(*out, NULL);
	return err;
}

static int open_target(struct core_dump *d, const struct core_name *name)
{
	if (name->pipe) {
		if (d->limit == 1)
			return -EPERM; /* a helper's own crash */
		d->limit = U64_MAX;
		return open_pipe(name, &d->file);
	}
	if (d->limit < CORE_MIN_BYTES)
		return -EFBIG;
	d->seekable = true;
	if (d->mm->dumpable == SUID_DUMP_ROOT)
		return open_file_as_root(name->text, &d->file);
	return open_file(name->text, &d->file);
}

static bool dump_to_target(struct core_dump *d)
{
	struct core_name name;
	bool dumped;
	int err = core_name_make(&name, d);

	if (err)
		return false;
	err = open_target(d, &name);
	core_name_free(&name);
	if (err)
		return false;
	dumped = core_write(d);
	file_close(d->file, NULL);
	return dumped;
}

void coredump(int sig, const siginfo_t *info)
{
	struct process *p = current->process;
	struct core_state core = {.dumper = current};
	struct core_dump d = {
		.sig = sig, .info = info, .mm = current->mm, .limit = rlimit(RLIMIT_CORE),
	};
	bool dumped = false;

	if (READ_ONCE(d.mm->dumpable) == SUID_DUMP_DISABLE || !threads_kill(p, &core, sig))
		return;
	threads_wait(p, &core);
	if (!threads_collect(p, &d))
		dumped = dump_to_target(&d);
	threads_release(p, &d, dumped);
}
