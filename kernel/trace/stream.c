/*
 * The stream to the host: a ring that traced tasks fill and one kernel thread empties into a virtio port.
 * ring_lock guards the ring's positions; the thread alone moves `tail`, and writes to the port without the
 * lock, since nobody touches what lies between tail and head. Nothing is dropped: who finds no room waits.
 * The thread lets records gather for a moment, so that the host is told of many at a time.
 *
 * /sys/kernel/gatehouse/trace starts it: "calls" or "counts" traces the writer from now on, and
 * "flush" returns when the host has been given everything.
 */
#include <boot/init.h>
#include <fs/sysfs.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <sched/sched.h>
#include <sync/mutex.h>
#include <sync/wait.h>
#include <time/clock.h>
#include <vfs/file.h>
#include "internal.h"

#define RING_SIZE  (512U << 10)
#define BATCH      (64U << 10)             /* enough to wake the thread at once */
#define GATHER_NS  (5 * NSEC_PER_MSEC)

bool trace_captures;

static DEFINE_MUTEX(start_lock, LOCK_RANK_EXEC);
static struct file *port;      /* start_lock; the thread's from its start on */
static u8 *ring;               /* set before the thread starts */
static DEFINE_SPINLOCK(ring_lock, LOCK_RANK_NONE);
static u64 head, tail;         /* ring_lock: bytes put in, bytes taken out */
static bool gone;              /* the host takes nothing more: what comes is dropped */
static struct atomic lost;
static DEFINE_WAIT_QUEUE(data);  /* the thread */
static DEFINE_WAIT_QUEUE(space); /* who waits for room, or for the ring to be empty */

static u64 fill(void)
{
	return READ_ONCE(head) - READ_ONCE(tail);
}

/* ring_lock held. */
static void copy_in(const void *from, u32 len)
{
	u32 at = (u32)(head % RING_SIZE), first = MIN(len, RING_SIZE - at);

	memcpy(ring + at, from, first);
	memcpy(ring, (const u8 *)from + first, len - first);
	WRITE_ONCE(head, head + len);
}

/* False: there is no room. */
static bool try_put(const struct trace_record *r)
{
	bool fits;
	u64 before;

	spin_lock(&ring_lock);
	before = head - tail;
	fits = before + r->len <= RING_SIZE;
	if (fits && !gone)
		copy_in(r, r->len);
	spin_unlock(&ring_lock);
	if (fits && (!before || (before < BATCH && before + r->len >= BATCH)))
		wake_up(&data);
	return fits;
}

void trace_stream_put(const struct trace_record *r)
{
	while (!try_put(r))
		wait_event(&space, fill() + r->len <= RING_SIZE);
}

void trace_stream_lost(void)
{
	atomic_inc(&lost);
}

/* The longest piece that lies in one. */
static void empty_some(void)
{
	u32 at = (u32)(tail % RING_SIZE);
	u32 n = (u32)MIN(fill(), (u64)(RING_SIZE - at));

	n = MIN(n, BATCH);
	if (!gone && file_write_kernel(port, ring + at, n, 0) < (ssize_t)n)
		WRITE_ONCE(gone, true);
	spin_lock(&ring_lock);
	WRITE_ONCE(tail, tail + n);
	spin_unlock(&ring_lock);
	wake_up_all(&space);
}

static void streamer(void *unused)
{
	for (;;) {
		(void)!wait_event_interruptible(&data, fill() > 0);
		(void)!wait_event_deadline(&data, fill() >= BATCH, clock_monotonic() + GATHER_NS);
		while (fill())
			empty_some();
	}
}

static int start_locked(void)
{
	int err;

	if (port)
		return 0;
	if (!ring)
		ring = vmalloc(RING_SIZE, GFP_KERNEL);
	if (!ring)
		return -ENOMEM;
	err = file_open_at(AT_FDCWD, TRACE_PORT, O_WRONLY, 0, LOOKUP_FOLLOW, &port);
	if (err) {
		port = NULL;
		return err;
	}
	if (!kthread_create(streamer, NULL, "trace")) {
		file_put(port);
		port = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int start(bool captures)
{
	int err;

	mutex_lock(&start_lock);
	err = start_locked();
	mutex_unlock(&start_lock);
	if (err)
		return err;
	trace_captures = captures;
	task_set_work(current, WORK_ENTER_TRACE);
	return 0;
}

static int flush(void)
{
	const struct trace_record end = {
		.len = sizeof(end), .type = TRACE_END, .result = atomic_read(&lost),
	};

	if (!READ_ONCE(port))
		return -EINVAL;
	trace_stream_put(&end);
	return wait_event_interruptible(&space, !fill());
}

static int store(void *object, const char *text)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!strcmp(text, "calls"))
		return start(true);
	if (!strcmp(text, "counts"))
		return start(false);
	return !strcmp(text, "flush") ? flush() : -EINVAL;
}

static const struct sys_attr attrs[] = {
	{.name = "trace", .mode = 0200, .store = store},
	{0},
};

static int trace_init(void)
{
	return sys_add_attrs(sys_dir(&sys_root, "kernel/gatehouse"), attrs, NULL);
}
INIT_CALL(INIT_FS, trace_init);
