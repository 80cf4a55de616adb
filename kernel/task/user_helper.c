/*
 * From a kernel thread to a program: pid 1, and the helpers that the kernel starts (a core_pattern
 * with a pipe). A helper is a child of process 0 that reaps itself.
 */
#include <lib/string.h>
#include <sync/wait.h>
#include <task/exec.h>
#include <vfs/file.h>
#include <vfs/path.h>
#include "internal.h"
#include "user_helper.h"

struct user_helper {
	const char *const *argv;
	struct file *in;
	int err;                   /* valid once started */
	struct completion started;
};

int kernel_become_process(void)
{
	struct task *me = current;
	struct process *p = me->process;
	struct sighand *actions = signal_sighand_create(), *old = p->sighand;
	struct fs_context *fs = fs_context_copy(me->fs);
	struct fd_table *files = fd_table_create();

	if (!actions || !fs || !files) {
		signal_sighand_put(actions);
		if (fs)
			fs_context_put(fs);
		if (files)
			fd_table_put(files);
		return -ENOMEM;
	}
	fs_context_put(me->fs);
	me->fs = fs;
	me->files = files;
	spin_lock_irq(&p->siglock);
	p->sighand = actions;
	spin_unlock_irq(&p->siglock);
	signal_sighand_put(old);
	me->flags &= ~(u32)TASK_F_KTHREAD;
	return 0;
}

static int helper_exec(const struct user_helper *h)
{
	static const char *const envp[] = {NULL};
	struct process *p = current->process;
	int err = kernel_become_process(), fd;

	if (!err)
		err = fd_reserve(0, false, &fd);
	if (err)
		return err;
	file_get(h->in);
	fd_install(fd, h->in);
	spin_lock_irq(&p->siglock);
	p->signal_flags &= ~(u32)SIGNAL_UNKILLABLE;
	/* A core dump of 1 byte: the mark of a helper, whose own crash starts no other one. */
	p->rlimits[RLIMIT_CORE] = (struct rlimit64){1, 1};
	spin_unlock_irq(&p->siglock);
	return exec_kernel(h->argv[0], h->argv, envp);
}

static void helper_main(void *arg)
{
	struct user_helper *h = arg;
	int err = helper_exec(h);

	current->exit_signal = -1; /* execve made it SIGCHLD, but nobody waits */
	h->err = err;
	complete(&h->started); /* h is gone from here on */
	if (err)
		task_exit_kernel();
}

int user_helper_start(const char *const argv[], struct file *in)
{
	struct user_helper h = {.argv = argv, .in = in};

	completion_init(&h.started);
	if (!kthread_create(helper_main, &h, "helper"))
		return -ENOMEM;
	wait_for_completion(&h.started);
	return h.err;
}
