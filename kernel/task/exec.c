/*
 * execve and execveat. Two halves: everything that can be refused is done while the old program is
 * intact (path, strings, headers, credentials, a new address space with its stack); then the point
 * of no return, after which a failure kills the process, as it has no program to go back to. The
 * halves follow Linux's order, because which errors are errno and which are fatal is visible.
 */
#include <arch/context.h>
#include <arch/fpu.h>
#include <lib/format.h>
#include <lib/string.h>
#include <linux/personality.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <ptrace/ptrace.h>
#include <syscall/table.h>
#include <task/coredump.h>
#include <task/exec.h>
#include <task/rusage.h>
#include <time/posix_timer.h>
#include <vfs/file.h>
#include "exec.h"
#include "exec_script.h"

/* These do not survive a gain of privilege. */
#define PERSONALITY_UNSAFE                                                                         \
	(READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT | MMAP_PAGE_ZERO)

int exec_open(struct exec *e, int dirfd, const char *name, u32 lookup_flags)
{
	ssize_t len;
	int err = file_open_exec(dirfd, name, lookup_flags, &e->file);

	if (err) {
		e->file = NULL;
		return err;
	}
	memset(e->head, 0, sizeof(e->head));
	len = file_read_kernel(e->file, e->head, sizeof(e->head), 0);
	if (len < 0)
		return (int)len;
	e->head_len = (size_t)len;
	return 0;
}

/* One level of #!: the interpreter becomes the image. */
static int exec_enter_script(struct exec *e, const char *script)
{
	char line[EXEC_HEAD_BYTES + 1] = {0}, *interp, *arg;
	int err;

	/* The interpreter would look for a descriptor that is gone by then. */
	if (e->name_is_cloexec_fd)
		return -ENOENT;
	memcpy(line, e->head, sizeof(e->head));
	err = script_parse(line, sizeof(e->head), &interp, &arg);
	if (!err)
		err = exec_args_interpreter(&e->args, interp, arg, script);
	if (err)
		return err;
	file_put_exec(e->file);
	return exec_open(e, AT_FDCWD, interp, LOOKUP_FOLLOW);
}

static int exec_resolve_scripts(struct exec *e)
{
	for (int depth = 0; e->head[0] == '#' && e->head[1] == '!'; depth++) {
		const struct exec_args *a = &e->args;
		const char *script = e->name;
		int err;

		if (depth > EXEC_SCRIPT_DEPTH)
			return -ELOOP;
		if (a->nr_prefix)
			script = a->prefix[EXEC_PREFIX_MAX - a->nr_prefix];
		err = exec_enter_script(e, script);
		if (err)
			return err;
	}
	return 0;
}

/* The first half. */
static int exec_prepare(struct exec *e)
{
	int err = exec_resolve_scripts(e);

	if (!err)
		err = exec_elf_load(e);
	if (!err)
		err = exec_cred_prepare(e);
	if (err)
		return err;
	e->mm = mm_create();
	if (!e->mm)
		return -ENOMEM;
	return exec_stack_create(e);
}

/* From here on the task runs in the new address space. */
static void exec_switch_mm(struct exec *e)
{
	struct task *me = current;
	struct mm *old = me->mm, *lazy = old ? NULL : me->active_mm;

	file_get_exec(e->file); /* the image is mapped from e->file later */
	e->mm->exe_file = e->file;
	if (old) {
		e->mm->dump_filter = old->dump_filter;
		e->mm->no_huge = old->no_huge;
	}
	if (old) {
		task_mm_release(me);
		rusage_note_rss(me->process, old);
	}
	arch_irq_disable();
	spin_lock(&me->alloc_lock);
	me->mm = me->active_mm = e->mm;
	arch_mm_switch(e->mm);
	spin_unlock(&me->alloc_lock);
	arch_irq_enable();
	e->mm = NULL;
	if (old)
		mm_put(old);
	if (lazy)
		mm_unref(lazy);
}

static void exec_commit_cred(struct exec *e)
{
	struct task *me = current;
	const struct cred *old = me->cred, *new = e->cred;
	bool changed = new->euid != old->euid || new->egid != old->egid ||
		       (new->cap_permitted & ~old->cap_permitted);

	/* Neither does a program show itself that its user may not even read. */
	if (changed || new->euid != new->uid || new->egid != new->gid ||
	    inode_permission(e->file->inode, MAY_READ))
		me->mm->dumpable = READ_ONCE(suid_dumpable);
	else
		me->mm->dumpable = SUID_DUMP_USER;
	if (changed)
		me->pdeath_signal = 0;
	if (e->secure)
		me->personality &= ~(u64)PERSONALITY_UNSAFE;
	cred_commit(e->cred);
}

static void exec_set_comm(const char *name)
{
	const char *slash = strrchr(name, '/');

	task_comm_set(current, slash ? slash + 1 : name);
}

/* What belonged to the old program and does not pass to the new one. */
static void exec_reset_task(struct exec *e)
{
	struct task *me = current;

	me->flags &= ~(u32)TASK_F_FORKNOEXEC;
	me->restart = (struct restart_block){0};
	me->rseq_addr = 0;
	me->robust_list = 0;
	me->clear_child_tid = 0;
	me->process->did_exec = true;
	me->exit_signal = SIGCHLD;
	exec_set_comm(e->name);
	posix_timers_delete_all(me->process);
	signal_exec();
	fd_table_close_on_exec();
}

/* The second half: -errno means that the process cannot live on. */
static int exec_commit(struct exec *e, struct regs *regs)
{
	u64 sp;
	int err = task_unshare_files();

	if (!err)
		err = signal_sighand_unshare();
	if (err)
		return err;
	mutex_lock(&current->process->exec_lock);
	exec_cred_finish(e);
	exec_switch_mm(e);
	exec_reset_task(e);
	err = exec_elf_map(e);
	if (!err)
		err = exec_vdso_map(e);
	if (!err)
		err = exec_stack_fill(e, &sp);
	if (!err) {
		exec_commit_cred(e);
		e->cred = NULL;
		arch_exec_start(regs, e->entry, sp);
	}
	mutex_unlock(&current->process->exec_lock);
	return err;
}

static void exec_free(struct exec *e)
{
	exec_args_free(&e->args);
	exec_elf_free(e);
	if (e->cred)
		cred_abort(e->cred);
	if (e->mm)
		mm_put(e->mm);
	if (e->file)
		file_put_exec(e->file);
	kfree(e);
}

/* With file and arguments in place. 0, or -errno with the old program intact. */
static int exec_run(struct exec *e)
{
	struct regs *regs = task_regs(current);
	long nr = regs_syscall_nr(regs);
	s32 tid = current->tid;
	siginfo_t info;
	int err = exec_prepare(e);

	if (!err)
		err = arch_exec_prepare();
	if (!err)
		err = exec_become_single();
	if (err)
		return err;
	err = exec_commit(e, regs);
	if (err) {
		siginfo_kernel(&info, SIGSEGV);
		signal_force_default(SIGSEGV, &info);
	} else if (unlikely(current->ptrace.flags)) {
		regs_set_syscall_nr(regs, nr); /* a tracer sees in which call it stands */
		regs_set_result(regs, -ENOSYS);
		ptrace_exec(tid);
	}
	return 0;
}

int exec_kernel(const char *path, const char *const argv[], const char *const envp[])
{
	struct exec *e = kzalloc(sizeof(*e), GFP_KERNEL);
	int err;

	if (!e)
		return -ENOMEM;
	e->name = path;
	err = exec_args_from_kernel(&e->args, argv, envp);
	if (!err)
		err = exec_open(e, AT_FDCWD, path, LOOKUP_FOLLOW);
	if (!err)
		err = exec_run(e);
	exec_free(e);
	return err;
}

/* execveat through a descriptor has no path: it gets one under /dev/fd. */
static int exec_name_fd(struct exec *e, int dirfd, const char *name, char *buf, size_t size)
{
	struct fd_slots *slots;

	e->name = name;
	if (dirfd == AT_FDCWD || name[0] == '/')
		return 0;
	if (format(buf, size, name[0] ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, name) >= (int)size)
		return -ENAMETOOLONG;
	e->name = buf;
	rcu_read_lock();
	slots = rcu_dereference(current->files->slots);
	e->name_is_cloexec_fd = dirfd >= 0 && (u32)dirfd < slots->capacity &&
				bitmap_test(slots->cloexec, (u32)dirfd);
	rcu_read_unlock();
	return 0;
}

/* A task whose setuid went beyond RLIMIT_NPROC may run nothing while that is so. */
static int exec_check_nproc(void)
{
	struct task *me = current;

	if (likely(!(me->flags & TASK_F_NPROC)))
		return 0;
	if (user_over_limit(me->cred->user))
		return -EAGAIN;
	me->flags &= ~(u32)TASK_F_NPROC;
	return 0;
}

static long exec_user(int dirfd, struct user_str upath, struct user_strv argv,
		      struct user_strv envp, u32 lookup_flags)
{
	struct exec *e = kzalloc(sizeof(*e), GFP_KERNEL);
	struct filename name;
	char *fd_name = NULL;
	int err;

	if (!e)
		return -ENOMEM;
	err = exec_check_nproc();
	if (err) {
		kfree(e);
		return err;
	}
	err = filename_get(&name, upath, lookup_flags);
	if (err) {
		kfree(e);
		return err;
	}
	if (dirfd != AT_FDCWD) {
		fd_name = kmalloc(PAGE_SIZE, GFP_KERNEL);
		err = fd_name ? 0 : -ENOMEM;
	}
	if (!err)
		err = exec_name_fd(e, dirfd, name.name, fd_name, PAGE_SIZE);
	if (!err)
		err = exec_open(e, dirfd, name.name, lookup_flags);
	if (!err)
		err = exec_args_from_user(&e->args, argv, envp);
	if (!err)
		err = exec_run(e);
	exec_free(e);
	kfree(fd_name);
	filename_put(&name);
	return err;
}

long sys_execve(struct user_str path, struct user_strv argv, struct user_strv envp)
{
	return exec_user(AT_FDCWD, path, argv, envp, LOOKUP_FOLLOW);
}

long sys_execveat(int dirfd, struct user_str path, struct user_strv argv, struct user_strv envp,
		  u32 flags)
{
	u32 lookup_flags = 0;

	if (flags & ~(u32)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	if (!(flags & AT_SYMLINK_NOFOLLOW))
		lookup_flags |= LOOKUP_FOLLOW;
	if (flags & AT_EMPTY_PATH)
		lookup_flags |= LOOKUP_EMPTY;
	return exec_user(dirfd, path, argv, envp, lookup_flags);
}
