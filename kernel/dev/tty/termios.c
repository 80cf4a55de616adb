/* Terminal settings: the three ABI structures (termios, termios2, termio) and their commands. */
#include <lib/errno.h>
#include <lib/string.h>
#include <task/task.h>
#include "internal.h"

DEFINE_USER_PTR(termios, struct termios);
DEFINE_USER_PTR(termios2, struct termios2);
DEFINE_USER_PTR(termio, struct termio);

/* Linux's tty_std_termios: what getty finds. */
void termios_init(struct tty *t)
{
	static const u8 cc[19] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0};

	t->termios.iflag = ICRNL | IXON;
	t->termios.oflag = OPOST | ONLCR;
	t->termios.cflag = B38400 | CS8 | CREAD | HUPCL;
	t->termios.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
	memcpy(t->termios.cc, cc, sizeof(cc));
	t->termios.ispeed = t->termios.ospeed = 38400;
}

static u32 baud_of(u32 cflag, u32 other)
{
	static const u32 rates[] = {0,	  50,	75,   110,  134,  150,	200,  300,
				    600,  1200, 1800, 2400, 4800, 9600, 19200, 38400};
	static const u32 high[] = {0,	    57600,   115200,  230400,  460800,	500000,	 576000, 921600,
				   1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};
	u32 code = cflag & CBAUD;

	if (code == BOTHER)
		return other;
	return code & CBAUDEX ? high[code & 15] : rates[code & 15];
}

static u32 keep(u32 old, u32 new, u32 locked)
{
	return (old & locked) | (new & ~locked);
}

/* What TIOCSLCKTRMIOS has locked stays as it is, without an error. */
static void keep_locked(const struct tty *t, struct ktermios_abi *new)
{
	const struct ktermios_abi *old = &t->termios, *locked = &t->locked;
	size_t i;

	new->iflag = keep(old->iflag, new->iflag, locked->iflag);
	new->oflag = keep(old->oflag, new->oflag, locked->oflag);
	new->cflag = keep(old->cflag, new->cflag, locked->cflag);
	new->lflag = keep(old->lflag, new->lflag, locked->lflag);
	if (locked->line)
		new->line = old->line;
	for (i = 0; i < sizeof(new->cc); i++)
		if (locked->cc[i])
			new->cc[i] = old->cc[i];
}

static void apply(struct tty *t, struct ktermios_abi *new, bool flush_input)
{
	u32 old_lflag;

	mutex_lock(&t->lock);
	if (flush_input)
		ldisc_flush_input(t);
	old_lflag = t->termios.lflag;
	keep_locked(t, new);
	t->termios = *new;
	t->termios.ospeed = baud_of(new->cflag, new->ospeed);
	t->termios.ispeed = (new->cflag >> IBSHIFT) & CBAUD
				    ? baud_of(new->cflag >> IBSHIFT, new->ispeed)
				    : t->termios.ospeed;
	ldisc_settings_changed(t, old_lflag);
	if (t->ops->settings_changed)
		t->ops->settings_changed(t);
	mutex_unlock(&t->lock);
}

static void snapshot(struct tty *t, struct ktermios_abi *out)
{
	mutex_lock(&t->lock);
	*out = t->termios;
	mutex_unlock(&t->lock);
}

static long get_termios(struct tty *t, u64 arg)
{
	struct ktermios_abi k;
	struct termios out;

	snapshot(t, &k);
	memcpy(&out, &k, sizeof(out)); /* termios is termios2 without the speeds */
	return user_write(((struct user_termios){.uaddr = arg}), &out);
}

static long get_termios2(struct tty *t, u64 arg)
{
	struct ktermios_abi k;
	struct termios2 out;

	snapshot(t, &k);
	memcpy(&out, &k, sizeof(out));
	return user_write(((struct user_termios2){.uaddr = arg}), &out);
}

static long get_termio(struct tty *t, u64 arg)
{
	struct ktermios_abi k;
	struct termio out = {0};

	snapshot(t, &k);
	out.c_iflag = (u16)k.iflag;
	out.c_oflag = (u16)k.oflag;
	out.c_cflag = (u16)k.cflag;
	out.c_lflag = (u16)k.lflag;
	out.c_line = k.line;
	memcpy(out.c_cc, k.cc, NCC);
	return user_write(((struct user_termio){.uaddr = arg}), &out);
}

static_assert(TCSETSF - TCSETS == 2 && TCSETSF2 - TCSETS2 == 2 && TCSETAF - TCSETA == 2,
	      "each family is: now, drained, flushed");

enum format { FORMAT_TERMIOS, FORMAT_TERMIOS2, FORMAT_TERMIO };

static int fetch(struct tty *t, enum format format, u64 arg, struct ktermios_abi *k)
{
	struct termios one;
	struct termios2 two;
	struct termio old;
	int err;

	snapshot(t, k);
	switch (format) {
	case FORMAT_TERMIOS:
		err = user_read(&one, ((struct user_termios){.uaddr = arg}));
		if (!err)
			memcpy(k, &one, sizeof(one));
		return err;
	case FORMAT_TERMIOS2:
		err = user_read(&two, ((struct user_termios2){.uaddr = arg}));
		if (!err)
			memcpy(k, &two, sizeof(two));
		return err;
	default:
		err = user_read(&old, ((struct user_termio){.uaddr = arg}));
		if (err)
			return err;
		k->iflag = (k->iflag & 0xffff0000) | old.c_iflag;
		k->oflag = (k->oflag & 0xffff0000) | old.c_oflag;
		k->cflag = (k->cflag & 0xffff0000) | old.c_cflag;
		k->lflag = (k->lflag & 0xffff0000) | old.c_lflag;
		memcpy(k->cc, old.c_cc, NCC);
		return 0;
	}
}

enum when { SET_NOW, SET_DRAINED, SET_FLUSHED };

static long set(struct tty *t, struct tty *real, enum format format, u64 arg, enum when when)
{
	struct ktermios_abi k;
	int err = jobctl_check_change(t);

	if (!err)
		err = fetch(real, format, arg, &k);
	if (!err && when != SET_NOW && real->ops->drain)
		err = real->ops->drain(real);
	if (!err)
		apply(real, &k, when == SET_FLUSHED);
	return err;
}

static long get_locked(struct tty *t, u64 arg)
{
	struct termios out;

	mutex_lock(&t->lock);
	memcpy(&out, &t->locked, sizeof(out));
	mutex_unlock(&t->lock);
	return user_write(((struct user_termios){.uaddr = arg}), &out);
}

static long set_locked(struct tty *t, u64 arg)
{
	struct termios in;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = user_read(&in, ((struct user_termios){.uaddr = arg}));
	if (err)
		return err;
	mutex_lock(&t->lock);
	memcpy(&t->locked, &in, sizeof(in));
	mutex_unlock(&t->lock);
	return 0;
}

long termios_ioctl(struct tty *t, struct tty *real, unsigned int cmd, u64 arg)
{
	switch (cmd) {
	case TCGETS:
		return get_termios(real, arg);
	case TCGETS2:
		return get_termios2(real, arg);
	case TCGETA:
		return get_termio(real, arg);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set(t, real, FORMAT_TERMIOS, arg, (enum when)(cmd - TCSETS));
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return set(t, real, FORMAT_TERMIOS2, arg, (enum when)(cmd - TCSETS2));
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		return set(t, real, FORMAT_TERMIO, arg, (enum when)(cmd - TCSETA));
	case TIOCGLCKTRMIOS:
		return get_locked(real, arg);
	case TIOCSLCKTRMIOS:
		return set_locked(real, arg);
	default:
		return -ENOIOCTLCMD;
	}
}
