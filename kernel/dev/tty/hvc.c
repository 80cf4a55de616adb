/* hvc0: the terminal on virtio-console's port 0. */
#include <dev/tty.h>
#include <dev/virtio_console.h>
#include <lib/errno.h>
#include <vfs/chrdev.h>
#include "input.h"
#include "internal.h"

#define HVC_MAJOR  229
#define WRITE_ROOM 4096

static struct tty *terminal; /* set once during boot */
static char input_ring[TTY_INPUT_SIZE];
static struct tty_input input = TTY_INPUT_INIT(input, input_ring);

struct tty *hvc_tty(void)
{
	return terminal;
}

static void receive(const char *data, size_t len)
{
	tty_input_put(&input, data, len);
}

static ssize_t hvc_tty_write(struct tty *t, const char *data, size_t len, bool nonblock)
{
	(void)t;
	(void)nonblock;
	return (ssize_t)hvc_write(data, len);
}

static size_t hvc_tty_room(struct tty *t)
{
	(void)t;
	return WRITE_ROOM;
}

static const struct tty_ops hvc_tty_ops = {
	.write = hvc_tty_write,
	.write_room = hvc_tty_room,
};

static int hvc_open(struct inode *inode, struct file *f)
{
	(void)inode;
	return tty_file_open(terminal, f);
}

static const struct file_ops hvc_open_ops = {.name = "hvc", .open = hvc_open};
static const struct hvc_receiver receiver = {.receive = receive};

/* After the ports are known. */
int hvc_start(void)
{
	struct tty *t = tty_create("hvc0", dev_make(HVC_MAJOR, 0), &hvc_tty_ops, NULL);
	int err;

	if (!t)
		return -ENOMEM;
	if (!hvc_attach(&receiver)) {
		tty_put(t);
		return 0;
	}
	terminal = t;
	err = tty_input_start(&input, t);
	if (!err)
		err = chrdev_register(HVC_MAJOR, 0, 1, "hvc", &hvc_open_ops);
	return err ? err : devtmpfs_add("hvc0", 0600, dev_make(HVC_MAJOR, 0));
}
