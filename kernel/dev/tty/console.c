/*
 * /dev/console and /dev/tty: names for terminals that others own. The console is the terminal of
 * the last `console=` word, and without one (or when that terminal does not exist) hvc0, else
 * ttyS0. The kernel log does not follow it: the log goes to the serial port.
 */
#include <boot/boot_info.h>
#include <boot/init.h>
#include <dev/tty.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <task/task.h>
#include <task/tty_hooks.h>
#include <vfs/chrdev.h>
#include "internal.h"

#define TTYAUX_MAJOR 5

/* The terminal that `console=NAME[,settings]` names, or NULL. */
static struct tty *console_asked_for(void)
{
	struct tty *known[] = {hvc_tty(), ttys_tty()};
	char word[64];

	if (boot_option_copy("console", word, sizeof(word)) <= 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		size_t len = known[i] ? strlen(known[i]->name) : 0;

		if (len && !strncmp(word, known[i]->name, len) && (!word[len] || word[len] == ','))
			return known[i];
	}
	return NULL;
}

static struct tty *console_tty(void)
{
	struct tty *t = console_asked_for();

	if (!t)
		t = hvc_tty();
	return t ? t : ttys_tty();
}

/* Never becomes the caller's controlling terminal by itself. */
static int console_open(struct inode *inode, struct file *f)
{
	struct tty *t = console_tty();

	(void)inode;
	f->flags |= O_NOCTTY;
	return t ? tty_file_open(t, f) : -ENODEV;
}

/* /dev/tty: the caller's own controlling terminal. */
static int current_tty_open(struct inode *inode, struct file *f)
{
	struct tty *t;
	u64 flags = spin_lock_irqsave(&tasklist_lock);
	int err;

	(void)inode;
	t = current->process->tty;
	if (t)
		tty_get(t);
	spin_unlock_irqrestore(&tasklist_lock, flags);
	if (!t)
		return -ENXIO;
	err = tty_file_open(t, f);
	tty_put(t);
	return err;
}

static const struct file_ops console_ops = {.name = "console", .open = console_open};
static const struct file_ops current_tty_ops = {.name = "tty", .open = current_tty_open};

static void process_fork(struct process *child, struct process *parent)
{
	child->tty = parent->tty;
	if (child->tty)
		tty_get(child->tty);
}

static const struct tty_process_ops process_ops = {
	.fork = process_fork,
	.leave = tty_disassociate,
};

static int console_init(void)
{
	int err = chrdev_register(TTYAUX_MAJOR, 0, 1, "/dev/tty", &current_tty_ops);

	if (!err)
		err = chrdev_register(TTYAUX_MAJOR, 1, 1, "/dev/console", &console_ops);
	if (!err)
		err = devtmpfs_add("tty", 0666, dev_make(TTYAUX_MAJOR, 0));
	if (!err)
		err = devtmpfs_add("console", 0600, dev_make(TTYAUX_MAJOR, 1));
	tty_process_ops = &process_ops;
	return err;
}
INIT_CALL(INIT_FS, console_init);
