/* Shared inside the terminal layer. */
#pragma once

#include <dev/tty.h>

#define CC(t, i) ((t)->termios.cc[i])
#define L(t, flag) ((t)->termios.lflag & (flag))
#define I(t, flag) ((t)->termios.iflag & (flag))
#define O(t, flag) ((t)->termios.oflag & (flag))

/* Line discipline (ldisc.c). tty->lock held unless said otherwise. */
void ldisc_receive(struct tty *t, const char *data, size_t len);
void ldisc_flush_input(struct tty *t);
/* The settings changed from old. */
void ldisc_settings_changed(struct tty *t, u32 old_lflag);
/* True when a read would return now. No lock needed: a hint that is checked again. */
bool ldisc_readable(struct tty *t, bool poll);
u64 ldisc_input_count(struct tty *t);
/* Reads for file f. Takes the lock itself, sleeps. */
ssize_t ldisc_read(struct tty *t, struct file *f, struct io_iter *to);
/* Output with post-processing; out_lock is taken inside. Bytes or -errno. */
ssize_t ldisc_write(struct tty *t, struct file *f, struct io_iter *from);

/* Job control (jobctl.c). */
int jobctl_check_change(struct tty *t) __must_check; /* background writer: SIGTTOU */
int jobctl_check_read(struct tty *t) __must_check;   /* background reader: SIGTTIN */
void jobctl_signal_foreground(struct tty *t, int sig);
void jobctl_open(struct tty *t, struct file *f);
long jobctl_ioctl(struct tty *t, struct file *f, unsigned int cmd, u64 arg);
/* O_ASYNC: the foreground group is the owner unless somebody is named. file_ops.async's rules. */
int jobctl_async(struct tty *t, struct async_list *l, struct file *f, int fd, bool on) __must_check;
void jobctl_release_all(struct tty *t, bool signal);

/* TIOCGSID and TIOCGPGRP through a master: the numbers of the slave's side. */
long jobctl_peer_number(struct tty *t, bool session, u64 arg);
/* TIOCGWINSZ and TIOCSWINSZ (tty.c). */
long tty_window_size(struct tty *t, unsigned int cmd, u64 arg);

/* Settings (termios.c). -ENOIOCTLCMD: not one of its commands. */
long termios_ioctl(struct tty *t, struct tty *real, unsigned int cmd, u64 arg);
void termios_init(struct tty *t);
