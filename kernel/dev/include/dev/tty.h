/*
 * Terminals: the line discipline, job control and the file operations that every terminal shares.
 * A driver (virtio console, pty pair) brings output and, for hardware, a source of input.
 *
 * Locks: tty->lock (mutex, LOCK_RANK_TTY) guards settings and the line discipline's input state;
 * tty->out_lock (mutex, LOCK_RANK_TTY_BUFFER) keeps the output of one write together; session and
 * pgrp change under tasklist_lock.
 */
#pragma once

#include <asm/termbits.h>
#include <asm/termios.h>
#include <lib/atomic.h>
#include <sync/mutex.h>
#include <vfs/async.h>
#include <vfs/file.h>

#define TTY_BUF_SIZE 4096

struct tty;
struct pid_entry;
struct process;

DEFINE_USER_PTR(winsize, struct winsize);
DEFINE_USER_PTR(pid, s32);

struct tty_ops {
	/* Sends bytes; may sleep unless nonblock. The number taken, or -errno when nothing was. */
	ssize_t (*write)(struct tty *t, const char *data, size_t len, bool nonblock);
	/* Bytes that write takes without sleeping. */
	size_t (*write_room)(struct tty *t);
	size_t (*pending_output)(struct tty *t);
	/* Waits until everything has left; 0 or -ERESTARTSYS. NULL: nothing is ever queued. */
	int (*drain)(struct tty *t);
	void (*discard_output)(struct tty *t);
	void (*settings_changed)(struct tty *t); /* t->lock held */
	void (*set_break)(struct tty *t, bool on);
	/* Room became free in the input buffer. */
	void (*unthrottle)(struct tty *t);
	long (*ioctl)(struct tty *t, unsigned int cmd, u64 arg); /* -ENOIOCTLCMD: not mine */
	void (*last_close)(struct tty *t);
	void (*freed)(struct tty *t); /* the last reference is gone */
};
#define ENOIOCTLCMD 515

struct tty {
	struct ref ref;
	const struct tty_ops *ops;  /* const */
	u64 rdev;                   /* const */
	char name[16];              /* const: "hvc0", "pts/3" */
	void *private;              /* the driver's */

	struct mutex lock;          /* LOCK_RANK_TTY */
	struct ktermios_abi {       /* struct termios2 of the ABI; lock */
		u32 iflag, oflag, cflag, lflag;
		u8 line, cc[19];
		u32 ispeed, ospeed;
	} termios, locked;          /* locked: bits, and characters not 0, keep their setting */
	struct winsize winsize;     /* lock */

	/* Line discipline; lock. Positions count up for ever, the buffer index is pos % size. */
	char buf[TTY_BUF_SIZE];
	u64 line_end[TTY_BUF_SIZE / 64]; /* bit: a line ends with this character */
	u64 head, canon_head, tail; /* tail <= canon_head <= head */
	u64 echo_column, canon_column;
	bool literal_next, stopped;
	bool exclusive, packet, hung_up;
	u8 packet_status;           /* TIOCPKT_* for the master */

	struct mutex out_lock;      /* LOCK_RANK_TTY_BUFFER */
	u64 column;                 /* out_lock */

	struct wait_queue read_wait, write_wait;
	struct async_list async;    /* told of input */
	struct pid_entry *session, *pgrp; /* tasklist_lock; references */
	u32 opens;                  /* lock */
};
static_assert(sizeof(struct ktermios_abi) == sizeof(struct termios2), "the ABI's layout");

/* A terminal with Linux's initial settings and one reference, or NULL. */
struct tty *tty_create(const char *name, u64 rdev, const struct tty_ops *ops, void *private);
void tty_get(struct tty *t);
void tty_put(struct tty *t);

/* Input from the other side, through the line discipline. Process context; takes the lock. */
void tty_receive(struct tty *t, const char *data, size_t len);
/* How much more raw input tty_receive takes without loss. */
size_t tty_receive_room(struct tty *t);
/* The line is gone: readers get end of file, writers EIO, the session SIGHUP and SIGCONT. */
void tty_hangup(struct tty *t);

/* Opens and closes of a file on t; shared by all drivers. */
int tty_file_open(struct tty *t, struct file *f);
extern const struct file_ops tty_fops;

/* Session leader exits or gives its terminal up: the foreground group gets SIGHUP and SIGCONT. */
void tty_disassociate(struct process *p);
/* st_rdev of the controlling terminal and its foreground group, for /proc/pid/stat. */
void tty_describe(struct process *p, u64 *rdev, s32 *pgrp);

struct tty *hvc_tty(void);  /* NULL without a virtio console */
struct tty *ttys_tty(void); /* NULL without a serial port */
