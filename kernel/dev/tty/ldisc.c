/*
 * The line discipline N_TTY: what happens to characters between the line and the program. Input is
 * edited (canonical mode) or passed on, echoed, and turned into signals; output is post-processed.
 *
 * The input buffer holds [tail, head); in canonical mode only [tail, canon_head) may be read, and
 * line_end marks the last character of each line. A line ended by VEOF has a zero byte there that
 * reading removes. tty->lock guards all of it.
 */
#include <asm/siginfo.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <signal/signal.h>
#include <task/task.h>
#include <time/clock.h>
#include <vfs/poll.h>
#include "internal.h"

#define DISABLED_CHAR '\0'
#define OUT_CHUNK 256

static bool is_cc(struct tty *t, unsigned int index, unsigned char c)
{
	return CC(t, index) != DISABLED_CHAR && c == CC(t, index);
}

static char *at(struct tty *t, u64 pos)
{
	return &t->buf[pos % TTY_BUF_SIZE];
}

static bool line_ends_at(struct tty *t, u64 pos)
{
	return t->line_end[pos % TTY_BUF_SIZE / 64] & BIT(pos % 64);
}

static void line_end_set(struct tty *t, u64 pos, bool on)
{
	u64 *word = &t->line_end[pos % TTY_BUF_SIZE / 64];

	*word = on ? *word | BIT(pos % 64) : *word & ~BIT(pos % 64);
}

/* ---- output ---- */

/* The form of c on the line, in out (at most 8 bytes); keeps the column. out_lock held. */
static size_t output_char(struct tty *t, unsigned char c, char *out)
{
	switch (O(t, OPOST) ? c : 0) {
	case '\n':
		if (O(t, ONLRET))
			t->column = 0;
		if (O(t, ONLCR)) {
			t->column = 0;
			memcpy(out, "\r\n", 2);
			return 2;
		}
		break;
	case '\r':
		if (O(t, ONOCR) && t->column == 0)
			return 0;
		if (O(t, OCRNL)) {
			c = '\n';
			if (O(t, ONLRET))
				t->column = 0;
		} else {
			t->column = 0;
		}
		break;
	case '\t': {
		size_t spaces = 8 - (t->column & 7);

		t->column += spaces;
		if (O(t, TABDLY) == XTABS) {
			memset(out, ' ', spaces);
			return spaces;
		}
		break;
	}
	case '\b':
		if (t->column > 0)
			t->column--;
		break;
	default:
		if (O(t, OPOST) && O(t, OLCUC) && c >= 'a' && c <= 'z')
			c -= 'a' - 'A';
		if (c >= ' ' && c != 0x7f && (c & 0xc0) != 0x80)
			t->column++;
	}
	out[0] = (char)c;
	return 1;
}

/* Echo never waits: what the line cannot take now is dropped, input is never held up by output. */
static void echo_raw(struct tty *t, const char *s, size_t n)
{
	char out[8];

	mutex_lock(&t->out_lock);
	for (size_t i = 0; i < n; i++) {
		size_t len = output_char(t, (unsigned char)s[i], out);

		(void)t->ops->write(t, out, len, true);
	}
	mutex_unlock(&t->out_lock);
}

static void echo_char(struct tty *t, unsigned char c)
{
	char ctl[2] = {'^', (char)(c ^ 0x40)};
	char plain = (char)c;

	if (L(t, ECHOCTL) && (c < ' ' || c == 0x7f) && c != '\t' && c != '\n')
		echo_raw(t, ctl, 2);
	else
		echo_raw(t, &plain, 1);
}

/* ---- input editing ---- */

static u64 char_width(struct tty *t, unsigned char c)
{
	if (c < ' ' || c == 0x7f)
		return L(t, ECHOCTL) ? 2 : 0;
	return (c & 0xc0) == 0x80 && I(t, IUTF8) ? 0 : 1;
}

/* Columns from the start of the unfinished line to pos; tabs depend on where the line began. */
static u64 column_of(struct tty *t, u64 pos)
{
	u64 col = t->canon_column;

	for (u64 p = t->canon_head; p < pos; p++) {
		unsigned char c = (unsigned char)*at(t, p);

		col = c == '\t' ? (col | 7) + 1 : col + char_width(t, c);
	}
	return col;
}

static void rub_out(struct tty *t, u64 old_column)
{
	u64 now = column_of(t, t->head);

	for (; old_column > now; old_column--)
		echo_raw(t, "\b \b", 3);
}

/* Removes the last character (all bytes of a UTF-8 one). */
static void erase_one(struct tty *t)
{
	u64 before = column_of(t, t->head);

	do {
		t->head--;
	} while (I(t, IUTF8) && t->head > t->canon_head &&
		 ((unsigned char)*at(t, t->head) & 0xc0) == 0x80);
	if (!L(t, ECHO))
		return;
	if (L(t, ECHOE))
		rub_out(t, before);
	else
		echo_char(t, CC(t, VERASE));
}

static bool is_word(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c >= 0x80;
}

static void erase_word(struct tty *t)
{
	bool seen = false;

	while (t->head > t->canon_head) {
		bool word = is_word((unsigned char)*at(t, t->head - 1));

		if (seen && !word)
			return;
		seen = seen || word;
		erase_one(t);
	}
}

static void erase_line(struct tty *t)
{
	if (L(t, ECHO) && L(t, ECHOK) && L(t, ECHOKE) && L(t, ECHOE)) {
		while (t->head > t->canon_head)
			erase_one(t);
		return;
	}
	t->head = t->canon_head;
	if (L(t, ECHO)) {
		echo_char(t, CC(t, VKILL));
		if (L(t, ECHOK))
			echo_raw(t, "\n", 1);
	}
}

static void reprint(struct tty *t, unsigned char c)
{
	if (L(t, ECHO)) {
		echo_char(t, c);
		echo_raw(t, "\n", 1);
	}
	for (u64 p = t->canon_head; p < t->head; p++)
		echo_char(t, (unsigned char)*at(t, p));
}

/* ---- input ---- */

static bool buffer_put(struct tty *t, unsigned char c)
{
	/* One place stays free in canonical mode, so that a line can always be ended. */
	u64 limit = TTY_BUF_SIZE - (L(t, ICANON) ? 1 : 0);

	if (t->head - t->tail >= limit)
		return false;
	line_end_set(t, t->head, false);
	*at(t, t->head++) = (char)c;
	return true;
}

static void end_line(struct tty *t, unsigned char c)
{
	line_end_set(t, t->head, true);
	*at(t, t->head++) = (char)c;
	t->canon_head = t->head;
	wake_up_poll(&t->read_wait, EPOLLIN | EPOLLRDNORM);
	async_notify(&t->async, POLL_IN);
}

static void signal_char(struct tty *t, int sig, unsigned char c)
{
	if (!L(t, NOFLSH))
		ldisc_flush_input(t);
	if (I(t, IXON))
		t->stopped = false;
	if (L(t, ECHO))
		echo_char(t, c);
	jobctl_signal_foreground(t, sig);
	wake_up_all(&t->write_wait);
}

static bool receive_signal_char(struct tty *t, unsigned char c)
{
	if (!L(t, ISIG))
		return false;
	if (is_cc(t, VINTR, c))
		signal_char(t, SIGINT, c);
	else if (is_cc(t, VQUIT, c))
		signal_char(t, SIGQUIT, c);
	else if (is_cc(t, VSUSP, c))
		signal_char(t, SIGTSTP, c);
	else
		return false;
	return true;
}

static bool receive_flow_char(struct tty *t, unsigned char c)
{
	if (!I(t, IXON))
		return false;
	if (is_cc(t, VSTOP, c)) {
		t->stopped = true;
		return true;
	}
	if (is_cc(t, VSTART, c) || (t->stopped && I(t, IXANY) && !is_cc(t, VINTR, c))) {
		t->stopped = false;
		wake_up_all(&t->write_wait);
		return is_cc(t, VSTART, c);
	}
	return false;
}

/* The editing characters of canonical mode; true when c was one. */
static bool receive_editing_char(struct tty *t, unsigned char c)
{
	bool pending = t->head > t->canon_head;

	if (is_cc(t, VERASE, c)) {
		if (pending)
			erase_one(t);
	} else if (is_cc(t, VKILL, c)) {
		if (pending)
			erase_line(t);
	} else if (L(t, IEXTEN) && is_cc(t, VWERASE, c)) {
		if (pending)
			erase_word(t);
	} else if (L(t, IEXTEN) && is_cc(t, VREPRINT, c)) {
		reprint(t, c);
	} else if (L(t, IEXTEN) && is_cc(t, VLNEXT, c)) {
		t->literal_next = true;
		if (L(t, ECHO) && L(t, ECHOCTL))
			echo_raw(t, "^\b", 2);
	} else {
		return false;
	}
	return true;
}

static bool receive_line_end(struct tty *t, unsigned char c)
{
	if (c == '\n') {
		if (L(t, ECHO) || L(t, ECHONL))
			echo_raw(t, "\n", 1);
		end_line(t, c);
	} else if (is_cc(t, VEOF, c)) {
		end_line(t, DISABLED_CHAR);
	} else if (is_cc(t, VEOL, c) || (L(t, IEXTEN) && is_cc(t, VEOL2, c))) {
		if (L(t, ECHO))
			echo_char(t, c);
		end_line(t, c);
	} else {
		return false;
	}
	return true;
}

static void receive_plain(struct tty *t, unsigned char c)
{
	if (L(t, ICANON) && t->head == t->canon_head) {
		mutex_lock(&t->out_lock);
		t->canon_column = t->column;
		mutex_unlock(&t->out_lock);
	}
	if (!buffer_put(t, c)) {
		if (I(t, IMAXBEL))
			echo_raw(t, "\a", 1);
		return;
	}
	if (L(t, ECHO))
		echo_char(t, c);
}

static void receive_char(struct tty *t, unsigned char c)
{
	if (I(t, ISTRIP))
		c &= 0x7f;
	if (I(t, IUCLC) && L(t, IEXTEN) && c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	if (t->literal_next) {
		t->literal_next = false;
		receive_plain(t, c);
		return;
	}
	if (receive_flow_char(t, c) || receive_signal_char(t, c))
		return;
	if (c == '\r') {
		if (I(t, IGNCR))
			return;
		if (I(t, ICRNL))
			c = '\n';
	} else if (c == '\n' && I(t, INLCR)) {
		c = '\r';
	}
	if (L(t, ICANON) && (receive_editing_char(t, c) || receive_line_end(t, c)))
		return;
	receive_plain(t, c);
}

void ldisc_receive(struct tty *t, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		receive_char(t, (unsigned char)data[i]);
	if (!L(t, ICANON) && t->head != t->tail) {
		wake_up_poll(&t->read_wait, EPOLLIN | EPOLLRDNORM);
		async_notify(&t->async, POLL_IN);
	}
}

void ldisc_flush_input(struct tty *t)
{
	t->head = t->canon_head = t->tail;
	t->literal_next = false;
}

/* What has been typed becomes readable when canonical mode is left, and is one line when entered. */
void ldisc_settings_changed(struct tty *t, u32 old_lflag)
{
	if (!((old_lflag ^ t->termios.lflag) & ICANON))
		return;
	if (L(t, ICANON) && t->head != t->tail) {
		line_end_set(t, t->head - 1, true);
		t->canon_head = t->head;
	} else {
		t->canon_head = t->head;
	}
	wake_up_all(&t->read_wait);
}

/* ---- reading ---- */

u64 ldisc_input_count(struct tty *t)
{
	return (L(t, ICANON) ? READ_ONCE(t->canon_head) : READ_ONCE(t->head)) - READ_ONCE(t->tail);
}

bool ldisc_readable(struct tty *t, bool poll)
{
	u64 need = 1;

	if (!L(t, ICANON) && !CC(t, VTIME) && CC(t, VMIN) && poll)
		need = CC(t, VMIN);
	return ldisc_input_count(t) >= need;
}

/* One line, or the part of it that fits; the rest of it stays. Lock held. */
static ssize_t read_canonical(struct tty *t, struct io_iter *to)
{
	ssize_t done = 0;

	while (t->tail < t->canon_head && io_count(to)) {
		bool end = line_ends_at(t, t->tail);
		char c = *at(t, t->tail);

		if (end && c == DISABLED_CHAR) {
			t->tail++;
			return done;
		}
		if (io_copy_to(to, &c, 1) != 1)
			return done ? done : -EFAULT;
		t->tail++;
		done++;
		if (end)
			return done;
	}
	/* A full buffer that ends right before VEOF's mark takes the mark along, as Linux does. */
	if (done && t->tail < t->canon_head && line_ends_at(t, t->tail) &&
	    *at(t, t->tail) == DISABLED_CHAR)
		t->tail++;
	return done;
}

static ssize_t read_raw(struct tty *t, struct io_iter *to)
{
	ssize_t done = 0;

	while (t->tail < t->head && io_count(to)) {
		u64 off = t->tail % TTY_BUF_SIZE;
		u64 n = MIN(MIN(t->head - t->tail, TTY_BUF_SIZE - off), io_count(to));
		size_t copied = io_copy_to(to, t->buf + off, n);

		t->tail += copied;
		t->canon_head = t->head;
		done += (ssize_t)copied;
		if (copied < n)
			return done ? done : -EFAULT;
	}
	return done;
}

struct read_state {
	u64 want;     /* bytes that end the read: VMIN */
	u64 deadline; /* VTIME; U64_MAX: none */
	ssize_t done;
};

static int read_wait_more(struct tty *t, struct file *f, struct read_state *s)
{
	int err;

	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	err = wait_event_deadline(&t->read_wait,
				  ldisc_input_count(t) || READ_ONCE(t->hung_up) ||
					  (L(t, ICANON) && s->deadline != U64_MAX),
				  s->deadline);
	return err == -ETIME ? 1 : err;
}

/* VMIN and VTIME of non-canonical mode: termios(3) describes the four cases. */
static void read_state_init(struct tty *t, struct read_state *s, u64 count)
{
	u64 vtime_ns = CC(t, VTIME) * 100 * NSEC_PER_MSEC;

	*s = (struct read_state){.want = 1, .deadline = U64_MAX};
	if (L(t, ICANON))
		return;
	s->want = MIN((u64)CC(t, VMIN), count);
	if (!CC(t, VMIN))
		s->deadline = clock_monotonic() + vtime_ns;
}

static void read_state_advance(struct tty *t, struct read_state *s)
{
	if (!L(t, ICANON) && CC(t, VMIN) && CC(t, VTIME))
		s->deadline = clock_monotonic() + CC(t, VTIME) * 100 * NSEC_PER_MSEC;
}

ssize_t ldisc_read(struct tty *t, struct file *f, struct io_iter *to)
{
	struct read_state s;
	int err = 0;

	read_state_init(t, &s, io_count(to));
	for (;;) {
		ssize_t n = 0;
		bool ready;

		mutex_lock(&t->lock);
		ready = ldisc_input_count(t);
		if (ready)
			n = L(t, ICANON) ? read_canonical(t, to) : read_raw(t, to);
		mutex_unlock(&t->lock);
		if (n < 0)
			return s.done ? s.done : n;
		s.done += n;
		if (ready && t->ops->unthrottle)
			t->ops->unthrottle(t);
		if (ready && (L(t, ICANON) || (u64)s.done >= s.want || !io_count(to)))
			return s.done;
		if (READ_ONCE(t->hung_up) || !io_count(to))
			return s.done;
		if (n)
			read_state_advance(t, &s);
		err = read_wait_more(t, f, &s);
		if (err)
			return s.done || err > 0 ? s.done : err;
	}
}

/* ---- writing ---- */

static int write_wait_room(struct tty *t, struct file *f)
{
	if (READ_ONCE(t->hung_up))
		return -EIO;
	if (!READ_ONCE(t->stopped))
		return 0;
	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	return wait_event_interruptible(&t->write_wait,
					!READ_ONCE(t->stopped) || READ_ONCE(t->hung_up));
}

/*
 * Post-processes up to a chunk of the user's bytes and sends it. Input bytes used, or -errno. A
 * signal may end it in the middle: what then counts is whose form has begun to leave.
 */
static ssize_t write_chunk(struct tty *t, struct file *f, const char *in, size_t n)
{
	bool nonblock = f->flags & O_NONBLOCK;
	char out[OUT_CHUNK * 8];
	u16 begins[OUT_CHUNK];
	size_t used = 0, len = 0, sent = 0;
	u64 room = nonblock ? t->ops->write_room(t) : sizeof(out);

	while (used < n && len + 8 <= room) {
		begins[used] = (u16)len;
		len += output_char(t, (unsigned char)in[used++], out + len);
	}
	if (!used)
		return -EAGAIN;
	while (sent < len) {
		ssize_t w = t->ops->write(t, out + sent, len - sent, false);

		if (w < 0 && !sent)
			return w;
		while (w < 0 && begins[used - 1] >= sent)
			used--;
		if (w < 0)
			break;
		sent += (size_t)w;
	}
	return (ssize_t)used;
}

static ssize_t write_chunk_alone(struct tty *t, struct file *f, const char *in, size_t len)
{
	ssize_t n;
	int err = mutex_lock_interruptible(&t->out_lock);

	if (err)
		return err;
	n = write_chunk(t, f, in, len);
	mutex_unlock(&t->out_lock);
	return n;
}

ssize_t ldisc_write(struct tty *t, struct file *f, struct io_iter *from)
{
	ssize_t total = 0;
	char in[OUT_CHUNK];

	while (io_count(from)) {
		ssize_t n = write_wait_room(t, f);
		size_t len;

		if (n < 0)
			return total ? total : n;
		len = io_copy_from(from, in, MIN(io_count(from), (u64)sizeof(in)));
		if (!len)
			return total ? total : -EFAULT;
		n = write_chunk_alone(t, f, in, len);
		if (n < 0)
			return total ? total : n;
		total += n;
		if ((size_t)n < len) {
			io_revert(from, len - (size_t)n);
			if (f->flags & O_NONBLOCK)
				return total;
		}
	}
	return total;
}
