/*
 * ttyS0: the first serial port as a terminal. The port itself, its registers and its queue are
 * dev/serial; the kernel log goes out over the same line. The line counts as local: modem lines can
 * be read and set, but carrier and CTS stop nothing.
 */
#include <boot/init.h>
#include <dev/serial.h>
#include <dev/tty.h>
#include <lib/errno.h>
#include <sync/wait.h>
#include <vfs/chrdev.h>
#include <vfs/poll.h>
#include "input.h"
#include "internal.h"

#define TTY_MAJOR   4
#define TTYS0_MINOR 64

static struct tty *terminal; /* set once during boot */
static char input_ring[TTY_INPUT_SIZE];
static struct tty_input input = TTY_INPUT_INIT(input, input_ring);

struct tty *ttys_tty(void)
{
	return terminal;
}

static void receive(const char *data, size_t len)
{
	tty_input_put(&input, data, len);
}

static void room(void)
{
	wake_up_poll(&terminal->write_wait, EPOLLOUT | EPOLLWRNORM);
}

static const struct serial_receiver receiver = {.receive = receive, .room = room};

static ssize_t ttys_write(struct tty *t, const char *data, size_t len, bool nonblock)
{
	size_t done = serial_queue(data, len);

	while (done < len && !nonblock) {
		int err = wait_event_interruptible(&t->write_wait, serial_room());

		if (err)
			return done ? (ssize_t)done : err;
		done += serial_queue(data + done, len - done);
	}
	return done ? (ssize_t)done : -EAGAIN;
}

static size_t ttys_room(struct tty *t)
{
	(void)t;
	return serial_room();
}

static size_t ttys_pending(struct tty *t)
{
	(void)t;
	return serial_queued();
}

static int ttys_drain(struct tty *t)
{
	return wait_event_interruptible(&t->write_wait, !serial_queued());
}

static void ttys_discard(struct tty *t)
{
	serial_discard();
	wake_up_all(&t->write_wait);
}

static void ttys_settings_changed(struct tty *t)
{
	u32 cflag = t->termios.cflag;

	serial_set_line(&(struct serial_line){
		.baud = t->termios.ospeed,
		.data_bits = (u8)(5 + (cflag & CSIZE) / CS6),
		.two_stop_bits = cflag & CSTOPB,
		.parity = cflag & PARENB,
		.parity_even = !(cflag & PARODD),
	});
}

static void ttys_break(struct tty *t, bool on)
{
	(void)t;
	serial_break(on);
}

static const struct {
	u8 line;
	int tiocm;
} modem_lines[] = {{SERIAL_DTR, TIOCM_DTR}, {SERIAL_RTS, TIOCM_RTS}, {SERIAL_CTS, TIOCM_CTS},
		   {SERIAL_DSR, TIOCM_DSR}, {SERIAL_RI, TIOCM_RNG},  {SERIAL_CD, TIOCM_CAR}};

static u8 to_lines(int tiocm)
{
	u8 lines = 0;

	for (size_t i = 0; i < ARRAY_SIZE(modem_lines); i++)
		lines |= tiocm & modem_lines[i].tiocm ? modem_lines[i].line : 0;
	return lines;
}

static int from_lines(u8 lines)
{
	int tiocm = 0;

	for (size_t i = 0; i < ARRAY_SIZE(modem_lines); i++)
		tiocm |= lines & modem_lines[i].line ? modem_lines[i].tiocm : 0;
	return tiocm;
}

static long ttys_ioctl(struct tty *t, unsigned int cmd, u64 arg)
{
	struct user_int user = {.uaddr = arg};
	int bits;
	long err;

	(void)t;
	switch (cmd) {
	case TIOCMGET:
		bits = from_lines(serial_modem_change(0, 0));
		return user_write(user, &bits);
	case TIOCMSET:
	case TIOCMBIS:
	case TIOCMBIC:
		err = user_read(&bits, user);
		if (err)
			return err;
		serial_modem_change(cmd == TIOCMBIS ? 0 : cmd == TIOCMSET ? 0xff : to_lines(bits),
				    cmd == TIOCMBIC ? 0 : to_lines(bits));
		return 0;
	default:
		return -ENOIOCTLCMD;
	}
}

static const struct tty_ops ttys_ops = {
	.write = ttys_write,
	.write_room = ttys_room,
	.pending_output = ttys_pending,
	.drain = ttys_drain,
	.discard_output = ttys_discard,
	.settings_changed = ttys_settings_changed,
	.set_break = ttys_break,
	.ioctl = ttys_ioctl,
};

static int ttys_open(struct inode *inode, struct file *f)
{
	(void)inode;
	return tty_file_open(terminal, f);
}

static const struct file_ops ttys_open_ops = {.name = "ttyS", .open = ttys_open};

static int ttys_start(void)
{
	u64 rdev = dev_make(TTY_MAJOR, TTYS0_MINOR);
	struct tty *t = tty_create("ttyS0", rdev, &ttys_ops, NULL);
	int err;

	if (!t)
		return -ENOMEM;
	t->termios.cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL;
	t->termios.ispeed = t->termios.ospeed = 115200;
	terminal = t;
	err = serial_start(&receiver);
	if (err) {
		terminal = NULL;
		tty_put(t);
		return err == -ENODEV ? 0 : err;
	}
	err = tty_input_start(&input, t);
	if (!err)
		err = chrdev_register(TTY_MAJOR, TTYS0_MINOR, 1, "ttyS", &ttys_open_ops);
	return err ? err : devtmpfs_add("ttyS0", 0600, rdev);
}
INIT_CALL(INIT_DEVICE, ttys_start);
