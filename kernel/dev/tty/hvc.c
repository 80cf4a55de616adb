/*
 * The terminal on virtio-console's port 0, and /dev/console, /dev/tty. Input arrives in interrupt
 * context and waits in a small ring; a kernel thread takes it through the line discipline, because
 * that may sleep.
 */
#include <boot/init.h>
#include <dev/tty.h>
#include <dev/virtio_console.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <sync/wait.h>
#include <task/task.h>
#include <task/tty_hooks.h>
#include <vfs/chrdev.h>
#include "internal.h"

#define HVC_MAJOR     229
#define TTYAUX_MAJOR  5
#define RING_SIZE     8192
#define WRITE_ROOM    4096

static struct tty *terminal; /* set once during boot */
static DEFINE_SPINLOCK(ring_lock, LOCK_RANK_TTY_SPIN);
static DEFINE_WAIT_QUEUE(ring_wait);
static char ring[RING_SIZE]; /* ring_lock */
static u64 ring_head, ring_tail;

struct tty *hvc_tty(void)
{
	return terminal;
}

/* What does not fit is lost, as on a serial line whose reader is too slow. */
static void input_interrupt(const char *data, size_t len)
{
	u64 flags = spin_lock_irqsave(&ring_lock);

	for (size_t i = 0; i < len && ring_head - ring_tail < RING_SIZE; i++)
		ring[ring_head++ % RING_SIZE] = data[i];
	spin_unlock_irqrestore(&ring_lock, flags);
	wake_up(&ring_wait);
}

static size_t ring_take(char *out, size_t max)
{
	u64 flags = spin_lock_irqsave(&ring_lock);
	size_t n = 0;

	while (n < max && ring_tail != ring_head)
		out[n++] = ring[ring_tail++ % RING_SIZE];
	spin_unlock_irqrestore(&ring_lock, flags);
	return n;
}

static __noreturn void input_thread(void *unused)
{
	char chunk[64];

	(void)unused;
	for (;;) {
		size_t n = ring_take(chunk, sizeof(chunk));

		if (n)
			tty_receive(terminal, chunk, n);
		else
			wait_event(&ring_wait, READ_ONCE(ring_head) != READ_ONCE(ring_tail));
	}
}

static ssize_t console_write(struct tty *t, const char *data, size_t len, bool nonblock)
{
	(void)t;
	(void)nonblock;
	return (ssize_t)hvc_write(data, len);
}

static size_t console_room(struct tty *t)
{
	(void)t;
	return WRITE_ROOM;
}

static const struct tty_ops console_tty_ops = {
	.write = console_write,
	.write_room = console_room,
};

static int hvc_open(struct inode *inode, struct file *f)
{
	(void)inode;
	return terminal ? tty_file_open(terminal, f) : -ENODEV;
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

static const struct file_ops hvc_open_ops = {.name = "hvc", .open = hvc_open};
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

static const struct hvc_receiver receiver = {.receive = input_interrupt};

static int terminals_init(void)
{
	int err = chrdev_register(TTYAUX_MAJOR, 0, 1, "tty", &current_tty_ops);

	if (!err)
		err = chrdev_register(TTYAUX_MAJOR, 1, 1, "console", &hvc_open_ops);
	if (!err)
		err = devtmpfs_add("tty", 0666, dev_make(TTYAUX_MAJOR, 0));
	if (!err)
		err = devtmpfs_add("console", 0600, dev_make(TTYAUX_MAJOR, 1));
	tty_process_ops = &process_ops;
	return err;
}
INIT_CALL(INIT_FS, terminals_init);

/* After the ports are known. */
int hvc_start(void)
{
	int err;

	terminal = tty_create("hvc0", dev_make(HVC_MAJOR, 0), &console_tty_ops, NULL);
	if (!terminal)
		return -ENOMEM;
	if (!hvc_attach(&receiver)) {
		tty_put(terminal);
		terminal = NULL;
		return 0;
	}
	if (!kthread_create(input_thread, NULL, "hvc0"))
		return -ENOMEM;
	err = chrdev_register(HVC_MAJOR, 0, 1, "hvc", &hvc_open_ops);
	return err ? err : devtmpfs_add("hvc0", 0600, dev_make(HVC_MAJOR, 0));
}
