/*
 * syslog(2): the kernel log as text, and the console's level. Places and the saved level are the
 * system's own and guarded by syslog_lock; the log itself is lib/log.h's. Linux 6.1 with
 * dmesg_restrict=0: who may read all needs no capability, everything else CAP_SYSLOG.
 */
#include <dev/log.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <linux/capability.h>
#include <mm/slab.h>
#include <mm/user.h>
#include <sched/sched.h>
#include <sync/mutex.h>
#include <sync/wait.h>
#include <syscall/table.h>
#include <task/cred.h>
#include <time/clock.h>

enum syslog_action {
	SYSLOG_CLOSE, SYSLOG_OPEN, SYSLOG_READ, SYSLOG_READ_ALL, SYSLOG_READ_CLEAR, SYSLOG_CLEAR,
	SYSLOG_CONSOLE_OFF, SYSLOG_CONSOLE_ON, SYSLOG_CONSOLE_LEVEL, SYSLOG_SIZE_UNREAD,
	SYSLOG_SIZE_BUFFER,
};

#define LINE_SIZE     768
#define TEXT_SIZE     640
#define RING_BYTES    (64 * 1024)
#define LOOK_AGAIN_NS (50 * NSEC_PER_MSEC)

/* Held over copies to user memory: outside the address-space locks, as a file position is. */
static DEFINE_MUTEX(syslog_lock, LOCK_RANK_FILE_POS);
static u64 read_seq;      /* syslog_lock: next record of SYSLOG_READ */
static size_t read_done;  /* syslog_lock: bytes of it that have been read */
static u64 clear_seq;     /* syslog_lock: SYSLOG_READ_ALL begins here */
static int saved_level = -1; /* syslog_lock: what SYSLOG_CONSOLE_ON restores */

struct line {
	char text[TEXT_SIZE], out[LINE_SIZE];
};

/* The record at *seq as a line of text in l->out; its length, 0 when there is none. Moves *seq. */
static size_t next_line(u64 *seq, struct line *l)
{
	struct log_record rec;
	ssize_t n = log_read(seq, &rec, l->text, sizeof(l->text));

	if (n < 0)
		return 0;
	return (size_t)format(l->out, sizeof(l->out), "<%u>[%5llu.%06llu] %.*s\n", rec.level,
			      rec.time_ns / NSEC_PER_SEC,
			      rec.time_ns % NSEC_PER_SEC / NSEC_PER_USEC, (int)n, l->text);
}

static u64 text_size(u64 seq, struct line *l)
{
	u64 total = 0;
	size_t n;

	while ((n = next_line(&seq, l)))
		total += n;
	return total;
}

/* As many of the latest lines as fit. */
static long read_all(struct user_bytes buf, size_t len, struct line *l)
{
	u64 seq = clear_seq, left = text_size(seq, l);
	size_t n, done = 0;

	while ((n = next_line(&seq, l))) {
		if (left > len) {
			left -= MIN(left, (u64)n);
			continue;
		}
		if (n > len - done)
			break; /* written meanwhile */
		if (user_write_bytes(user_at(buf, done), l->out, n))
			return -EFAULT;
		done += n;
	}
	return (long)done;
}

/* What has not been read yet, up to len bytes; a line may be split between two calls. */
static long read_next(struct user_bytes buf, size_t len, struct line *l)
{
	size_t n, done = 0;

	while (done < len) {
		u64 seq = read_seq;

		n = next_line(&seq, l);
		if (!n)
			break;
		if (seq != read_seq + 1)
			read_done = 0; /* the record begun was overwritten */
		n = MIN(n - MIN(n, read_done), len - done);
		if (user_write_bytes(user_at(buf, done), l->out + read_done, n))
			return done ? (long)done : -EFAULT;
		done += n;
		read_done += n;
		if (l->out[read_done - 1] == '\n') {
			read_seq = seq;
			read_done = 0;
		}
	}
	return (long)done;
}

static long read_wait(struct user_bytes buf, size_t len, struct line *l)
{
	for (;;) {
		long n;

		mutex_lock(&syslog_lock);
		n = read_next(buf, len, l);
		mutex_unlock(&syslog_lock);
		if (n || !len)
			return n;
		/* The log's writers wake nobody: they may hold any lock. */
		sched_set_state(TASK_INTERRUPTIBLE);
		n = wait_sleep(TASK_INTERRUPTIBLE, clock_monotonic() + LOOK_AGAIN_NS);
		sched_set_state(TASK_RUNNING);
		if (n == -ERESTARTSYS)
			return n;
	}
}

static long read_text(int type, struct user_bytes buf, int len)
{
	struct line *l;
	long n;
	u64 first;

	if (user_is_null(buf) || len < 0)
		return -EINVAL;
	if (!len)
		return 0;
	l = kmalloc(sizeof(*l), GFP_KERNEL);
	if (!l)
		return -ENOMEM;
	if (type == SYSLOG_READ) {
		n = read_wait(buf, (size_t)len, l);
	} else {
		mutex_lock(&syslog_lock);
		n = read_all(buf, (size_t)len, l);
		if (type == SYSLOG_READ_CLEAR && n >= 0)
			log_range(&first, &clear_seq);
		mutex_unlock(&syslog_lock);
	}
	kfree(l);
	return n;
}

static long set_level(int type, int level)
{
	long err = 0;

	mutex_lock(&syslog_lock);
	if (type == SYSLOG_CONSOLE_OFF) {
		int old = log_set_console_level(LOG_EMERG);

		if (saved_level < 0)
			saved_level = old;
	} else if (type == SYSLOG_CONSOLE_ON) {
		if (saved_level >= 0)
			log_set_console_level((enum log_level)saved_level);
		saved_level = -1;
	} else if (level < 1 || level > 8) {
		err = -EINVAL;
	} else {
		log_set_console_level((enum log_level)(level - 1));
		saved_level = -1;
	}
	mutex_unlock(&syslog_lock);
	return err;
}

static long size_unread(void)
{
	struct line *l = kmalloc(sizeof(*l), GFP_KERNEL);
	u64 n;

	if (!l)
		return -ENOMEM;
	mutex_lock(&syslog_lock);
	n = text_size(read_seq, l) - read_done;
	mutex_unlock(&syslog_lock);
	kfree(l);
	return (long)n;
}

static long clear(void)
{
	u64 first;

	mutex_lock(&syslog_lock);
	log_range(&first, &clear_seq);
	mutex_unlock(&syslog_lock);
	return 0;
}

long sys_syslog(s32 type, struct user_bytes buf, s32 len)
{
	if (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER && !capable(CAP_SYSLOG) &&
	    !capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (type) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN:
		return 0;
	case SYSLOG_READ:
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		return read_text(type, buf, len);
	case SYSLOG_CLEAR:
		return clear();
	case SYSLOG_CONSOLE_OFF:
	case SYSLOG_CONSOLE_ON:
	case SYSLOG_CONSOLE_LEVEL:
		return set_level(type, len);
	case SYSLOG_SIZE_UNREAD:
		return size_unread();
	case SYSLOG_SIZE_BUFFER:
		return RING_BYTES;
	default:
		return -EINVAL;
	}
}
