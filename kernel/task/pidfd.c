/*
 * pidfd_open, pidfd_send_signal, pidfd_getfd, and the file behind a pidfd. It holds a reference to
 * the struct process, not to its number: the number can be used again while descriptors of dead
 * processes are kept. A process that has been reaped is told by its exit_state, under
 * tasklist_lock.
 */
#include <lib/format.h>
#include <syscall/table.h>
#include <task/access.h>
#include <task/pidfd.h>
#include <vfs/file.h>
#include <vfs/poll.h>
#include "internal.h"

#define PIDFD_NONBLOCK O_NONBLOCK

int (*pidfd_of_proc_dir)(const struct file *f, struct process **out);

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct process *p = f->private;

	poll_wait(f, &p->exit_wait, pt);
	return READ_ONCE(p->exit_state) != PROCESS_ALIVE ? EPOLLIN | EPOLLRDNORM : 0;
}

static void pidfd_release(struct file *f)
{
	process_put(f->private);
}

static void pidfd_show_fdinfo(struct file *f, void (*emit)(void *ctx, const char *text), void *ctx)
{
	const struct process *p = f->private;
	s32 pid = READ_ONCE(p->exit_state) == PROCESS_REAPED ? -1 : p->pid;
	char line[48];

	format(line, sizeof(line), "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
	emit(ctx, line);
}

static const struct file_ops pidfd_fops = {
	.name = "pidfd",
	.poll = pidfd_poll,
	.release = pidfd_release,
	.show_fdinfo = pidfd_show_fdinfo,
};

int pidfd_create(struct process *p, u32 flags, struct file **out)
{
	int err;

	process_get(p);
	err = file_create_anon("anon_inode:[pidfd]", &pidfd_fops, p, O_RDWR | flags, out);
	if (err)
		process_put(p);
	return err;
}

struct process *pidfd_process_get(int fd, bool *nonblock)
{
	struct fd f = fd_get(fd);
	struct process *p = NULL;

	if (f.file && f.file->ops == &pidfd_fops) {
		p = f.file->private;
		process_get(p);
		if (nonblock)
			*nonblock = f.file->flags & O_NONBLOCK;
	}
	fd_put(f);
	return p;
}

struct task *process_leader_get(struct process *p)
{
	struct task *t = NULL;

	spin_lock_irq(&tasklist_lock);
	if (p->exit_state != PROCESS_REAPED) {
		t = p->leader;
		task_get(t);
	}
	spin_unlock_irq(&tasklist_lock);
	return t;
}

int pidfd_task_get(int fd, struct task **out)
{
	struct process *p = pidfd_process_get(fd, NULL);

	if (!p)
		return -EBADF;
	*out = process_leader_get(p);
	process_put(p);
	return *out ? 0 : -ESRCH;
}

/* The process with the number: *out. -EINVAL when it is a thread's, -ESRCH. */
static int process_by_number(s32 pid, struct process **out)
{
	struct task *t = task_find_get(pid);
	int err = 0;

	if (!t)
		return -ESRCH;
	if (t->process->pid != pid)
		err = -EINVAL;
	else
		process_get(t->process);
	*out = t->process;
	task_put(t);
	return err;
}

long sys_pidfd_open(int pid, u32 flags)
{
	struct process *p;
	struct file *f;
	int err, fd;

	if ((flags & ~(u32)PIDFD_NONBLOCK) || pid <= 0)
		return -EINVAL;
	err = process_by_number(pid, &p);
	if (err)
		return err;
	err = fd_reserve(0, true, &fd);
	if (!err) {
		err = pidfd_create(p, flags & PIDFD_NONBLOCK, &f);
		if (err)
			fd_release(fd);
		else
			fd_install(fd, f);
	}
	process_put(p);
	return err ? err : fd;
}

/* Of a pidfd or an open /proc/PID directory, with a reference. 0, -EBADF, -ESRCH. */
static int signal_target_get(int fd, struct process **out)
{
	struct fd f;
	int err = -EBADF;

	*out = pidfd_process_get(fd, NULL);
	if (*out)
		return 0;
	f = fd_get(fd);
	if (f.file && pidfd_of_proc_dir)
		err = pidfd_of_proc_dir(f.file, out);
	fd_put(f);
	return err;
}

/* As with rt_sigqueueinfo: to others nobody pretends to be the kernel or kill(2). */
static int siginfo_fetch(siginfo_t *info, struct user_siginfo uinfo, const struct process *p, int sig)
{
	if (user_is_null(uinfo)) {
		siginfo_user(info, sig);
		return 0;
	}
	if (user_read(info, uinfo))
		return -EFAULT;
	if (info->si_signo != sig)
		return -EINVAL;
	if (p != current->process && (info->si_code >= 0 || info->si_code == SI_TKILL))
		return -EPERM;
	return 0;
}

long sys_pidfd_send_signal(int pidfd, int sig, struct user_siginfo uinfo, u32 flags)
{
	struct process *p;
	struct task *t;
	siginfo_t info;
	int err;

	if (flags)
		return -EINVAL;
	err = signal_target_get(pidfd, &p);
	if (err)
		return err;
	err = siginfo_fetch(&info, uinfo, p, sig);
	if (!err) {
		t = process_leader_get(p);
		err = t ? signal_kill(t, sig, &info) : -ESRCH;
		if (t)
			task_put(t);
	}
	process_put(p);
	return err;
}

static int take_file(struct task *t, int target, struct file **out)
{
	struct fd_table *files;

	if (!task_may_access(t, ACCESS_REAL | ACCESS_ATTACH))
		return -EPERM;
	files = task_get_files(t);
	if (!files)
		return -ESRCH;
	*out = target < 0 ? NULL : fd_table_file_get(files, (u32)target);
	fd_table_put(files);
	return *out ? 0 : -EBADF;
}

long sys_pidfd_getfd(int pidfd, int target, u32 flags)
{
	struct task *t;
	struct file *f;
	int err, fd;

	if (flags)
		return -EINVAL;
	err = pidfd_task_get(pidfd, &t);
	if (err)
		return err;
	err = take_file(t, target, &f);
	task_put(t);
	if (err)
		return err;
	err = fd_reserve(0, true, &fd);
	if (err)
		file_put(f);
	else
		fd_install(fd, f);
	return err ? err : fd;
}
