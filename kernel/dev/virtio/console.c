/*
 * virtio-console with several ports (virtio 1.2, section 5.3). Port 0 may be a console: it becomes
 * the terminal hvc0. Every other port is a byte stream, the character device vport0pN.
 *
 * A port's lock serialises its two queues and its small state; interrupts are disabled under it.
 * Reading and writing sleep outside of it. Data goes through buffers of the port's own, because
 * user memory cannot be touched under the lock. A write is over when the device has taken the data,
 * so that nothing is lost when the machine ends right behind it.
 */
#include <boot/init.h>
#include <dev/virtio.h>
#include <dev/virtio_console.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/log.h>
#include <lib/string.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <sync/mutex.h>
#include <task/task.h>
#include <time/clock.h>
#include <vfs/chrdev.h>
#include <vfs/poll.h>

#define VPORT_MAJOR  243
#define MAX_PORTS    16
#define RX_BUFFERS   32 /* how far the host gets ahead of a reader */
#define RX_ORDER     0  /* QEMU fills 4 KiB at a time, whatever fits */
#define RX_SIZE      (PAGE_SIZE << RX_ORDER)
#define TX_ORDER     4
#define TX_SIZE      (PAGE_SIZE << TX_ORDER)
#define CONTROL_BUFFERS 32

struct rx_buffer {
	char *data;
	u32 len, read; /* filled by the device, consumed by the reader */
	struct rx_buffer *next;
};

struct vport {
	u32 id;                      /* const */
	bool present, is_console;    /* set during the control dialogue */
	bool host_open;              /* lock */
	bool host_left;              /* lock: the host closed what it had opened, for good */
	bool guest_open;             /* lock */
	struct spinlock lock;        /* LOCK_RANK_DEVICE */
	struct virtqueue *rx, *tx;   /* lock */
	struct rx_buffer *first, *last; /* lock: filled, in order */
	struct mutex read_lock;      /* LOCK_RANK_READERS: one reader at a time */
	struct mutex write_lock;     /* LOCK_RANK_READERS: tx_data and the one write in flight */
	char *tx_data;
	bool tx_busy;                /* lock */
	struct wait_queue readable, writable;
};

struct vconsole {
	struct virtio_device *dev;
	struct spinlock control_lock; /* LOCK_RANK_DEVICE */
	struct virtqueue *control_rx, *control_tx;
	u32 control_busy;             /* control_lock: bits of said[] that the host has not taken yet */
	u32 control_handled;          /* control_lock: messages being handled */
	struct vport ports[MAX_PORTS];
	u32 nr_ports;
	struct virtio_console_control said[CONTROL_BUFFERS];
};
static_assert(CONTROL_BUFFERS == 32, "control_busy has a bit for each");

static struct vconsole *the_console; /* set once */
static const struct hvc_receiver *hvc;

static struct virtio_buf buf_of(const void *p, size_t len)
{
	return (struct virtio_buf){virt_to_phys(p), (u32)len};
}

/* ---- control messages ---- */

/* control_lock held: takes back the messages that the host has taken. */
static void control_reap(struct vconsole *c)
{
	const struct virtio_console_control *done;
	u32 written;

	while ((done = virtqueue_get(c->control_tx, &written)))
		c->control_busy &= ~(1u << (done - c->said));
}

/* Any context: the interrupt answers what the host says, so nothing is allocated here. */
static void control_send(struct vconsole *c, u32 id, u16 event, u16 value)
{
	u64 flags = spin_lock_irqsave(&c->control_lock);
	struct virtio_console_control *m;
	struct virtio_buf b;

	control_reap(c);
	if (~c->control_busy) {
		m = &c->said[__builtin_ctz(~c->control_busy)];
		*m = (struct virtio_console_control){.id = id, .event = event, .value = value};
		b = buf_of(m, sizeof(*m));
		if (!virtqueue_add(c->control_tx, &b, 1, 0, m)) {
			c->control_busy |= 1u << (m - c->said);
			virtqueue_kick(c->control_tx);
		}
	}
	spin_unlock_irqrestore(&c->control_lock, flags);
}

/*
 * True when the host has taken all that was said and everything it answered has been handled: it
 * puts its answers into the queue before it gives a message back.
 */
static bool control_settled(struct vconsole *c)
{
	u64 flags = spin_lock_irqsave(&c->control_lock);
	bool settled;

	control_reap(c);
	settled = !c->control_busy && !c->control_handled && !virtqueue_has_used(c->control_rx);
	spin_unlock_irqrestore(&c->control_lock, flags);
	return settled;
}

static void port_host_open(struct vport *p, bool open)
{
	u64 flags = spin_lock_irqsave(&p->lock);

	p->host_left = p->host_left || (p->host_open && !open);
	p->host_open = open;
	spin_unlock_irqrestore(&p->lock, flags);
	wake_up_all(&p->readable);
	wake_up_all(&p->writable);
}

static struct vport *port_by_id(struct vconsole *c, u32 id)
{
	return id < c->nr_ports ? &c->ports[id] : NULL;
}

static void control_handle(struct vconsole *c, const struct virtio_console_control *m, u32 len)
{
	struct vport *p = len >= sizeof(*m) ? port_by_id(c, m->id) : NULL;

	if (!p || (!p->present && m->event != VIRTIO_CONSOLE_PORT_ADD))
		return;
	switch (m->event) {
	case VIRTIO_CONSOLE_PORT_ADD:
		p->present = true;
		control_send(c, p->id, VIRTIO_CONSOLE_PORT_READY, 1);
		break;
	case VIRTIO_CONSOLE_CONSOLE_PORT:
		p->is_console = true;
		control_send(c, p->id, VIRTIO_CONSOLE_PORT_OPEN, 1);
		break;
	case VIRTIO_CONSOLE_PORT_OPEN:
		port_host_open(p, m->value);
		break;
	default:
		break;
	}
}

static struct virtio_console_control *control_next(struct vconsole *c, u32 *len)
{
	struct virtio_console_control *m;
	u64 flags = spin_lock_irqsave(&c->control_lock);

	m = virtqueue_get(c->control_rx, len);
	if (m)
		c->control_handled++;
	spin_unlock_irqrestore(&c->control_lock, flags);
	return m;
}

static void control_return(struct vconsole *c, struct virtio_console_control *m)
{
	struct virtio_buf b = buf_of(m, PAGE_SIZE / CONTROL_BUFFERS);
	u64 flags = spin_lock_irqsave(&c->control_lock);

	c->control_handled--;
	if (!virtqueue_add(c->control_rx, &b, 0, 1, m))
		virtqueue_kick(c->control_rx);
	spin_unlock_irqrestore(&c->control_lock, flags);
}

static void control_interrupt(struct virtqueue *vq)
{
	struct vconsole *c = virtqueue_ctx(vq);
	struct virtio_console_control *m;
	u32 len;

	while ((m = control_next(c, &len))) {
		control_handle(c, m, len);
		control_return(c, m);
	}
}

/* ---- receiving ---- */

static bool rx_post(struct vport *p, struct rx_buffer *b)
{
	struct virtio_buf vb = buf_of(b->data, RX_SIZE);

	b->len = b->read = 0;
	b->next = NULL;
	return virtqueue_add(p->rx, &vb, 0, 1, b) == 0;
}

/* Port lock held: moves what the device has filled to the port's list. */
static void rx_collect(struct vport *p)
{
	struct rx_buffer *b;
	u32 len;

	while ((b = virtqueue_get(p->rx, &len))) {
		b->len = MIN(len, (u32)RX_SIZE);
		if (p->last)
			p->last->next = b;
		else
			p->first = b;
		p->last = b;
	}
}

static void hvc_receive(struct vport *p)
{
	for (;;) {
		u64 flags = spin_lock_irqsave(&p->lock);
		struct rx_buffer *b = p->first;

		if (b) {
			p->first = b->next;
			if (!p->first)
				p->last = NULL;
		}
		spin_unlock_irqrestore(&p->lock, flags);
		if (!b)
			return;
		hvc->receive(b->data, b->len);
		flags = spin_lock_irqsave(&p->lock);
		if (rx_post(p, b))
			virtqueue_kick(p->rx);
		spin_unlock_irqrestore(&p->lock, flags);
	}
}

static void rx_interrupt(struct virtqueue *vq)
{
	struct vport *p = virtqueue_ctx(vq);
	u64 flags = spin_lock_irqsave(&p->lock);

	rx_collect(p);
	if (p->first && !p->is_console)
		virtqueue_disable_interrupt(p->rx); /* until a reader finds nothing more */
	spin_unlock_irqrestore(&p->lock, flags);
	if (p->is_console && hvc)
		hvc_receive(p);
	else
		wake_up_poll(&p->readable, EPOLLIN | EPOLLRDNORM);
}

/* Is there data? When there is none, the next to come interrupts. */
static bool rx_has_data(struct vport *p)
{
	bool any;
	u64 flags;

	if (READ_ONCE(p->first))
		return true;
	flags = spin_lock_irqsave(&p->lock);
	rx_collect(p);
	if (!p->first && virtqueue_enable_interrupt(p->rx))
		rx_collect(p);
	any = p->first;
	spin_unlock_irqrestore(&p->lock, flags);
	return any;
}

static bool rx_ready(struct vport *p)
{
	return rx_has_data(p) || !READ_ONCE(p->host_open);
}

/* Copies out of the oldest buffer, which only the holder of read_lock may take off the list. */
static ssize_t rx_copy(struct vport *p, struct io_iter *to)
{
	struct rx_buffer *b = READ_ONCE(p->first);
	size_t done;
	u64 flags;

	if (!b)
		return 0;
	done = io_copy_to(to, b->data + b->read, MIN(io_count(to), (u64)(b->len - b->read)));
	b->read += (u32)done;
	if (b->read < b->len)
		return done ? (ssize_t)done : -EFAULT;
	flags = spin_lock_irqsave(&p->lock);
	p->first = b->next;
	if (!p->first)
		p->last = NULL;
	if (rx_post(p, b))
		virtqueue_kick(p->rx);
	spin_unlock_irqrestore(&p->lock, flags);
	return (ssize_t)done;
}

/* read_lock held: as many buffers as there are and fit. */
static ssize_t rx_copy_all(struct vport *p, struct io_iter *to)
{
	ssize_t total = 0, n;

	do {
		n = rx_copy(p, to);
		if (n < 0)
			return total ? total : n;
		total += n;
	} while (n && io_count(to) && rx_has_data(p));
	return total;
}

static ssize_t vport_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct vport *p = f->private;
	ssize_t done;
	int err;

	(void)pos;
	if (!io_count(to))
		return 0;
	for (;;) {
		/* Looked at first: what was sent before the end has arrived then. */
		bool open = __atomic_load_n(&p->host_open, __ATOMIC_ACQUIRE);

		if (!rx_has_data(p)) {
			if (!open)
				return 0;
			if (f->flags & O_NONBLOCK)
				return -EAGAIN;
			err = wait_event_interruptible(&p->readable, rx_ready(p));
			if (err)
				return err;
			continue;
		}
		err = mutex_lock_interruptible(&p->read_lock);
		if (err)
			return err;
		done = rx_copy_all(p, to);
		mutex_unlock(&p->read_lock);
		if (done)
			return done;
	}
}

/* ---- sending ---- */

/* Port lock held. */
static void tx_collect(struct vport *p)
{
	u32 written;

	if (virtqueue_get(p->tx, &written))
		p->tx_busy = false;
}

static bool tx_done(struct vport *p)
{
	u64 flags = spin_lock_irqsave(&p->lock);
	bool done;

	tx_collect(p);
	if (p->tx_busy && virtqueue_enable_interrupt(p->tx))
		tx_collect(p);
	done = !p->tx_busy;
	spin_unlock_irqrestore(&p->lock, flags);
	return done;
}

static void tx_interrupt(struct virtqueue *vq)
{
	struct vport *p = virtqueue_ctx(vq);

	wake_up_poll(&p->writable, EPOLLOUT | EPOLLWRNORM);
}

/* write_lock held, nothing in flight: hands len bytes of tx_data over. */
static int tx_start(struct vport *p, size_t len)
{
	struct virtio_buf b = buf_of(p->tx_data, len);
	u64 flags = spin_lock_irqsave(&p->lock);
	int err = virtqueue_add(p->tx, &b, 1, 0, p);

	if (!err) {
		p->tx_busy = true;
		virtqueue_disable_interrupt(p->tx);
		virtqueue_kick(p->tx);
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return err;
}

/*
 * The device usually takes the data while it is being told; else this sleeps until it has. A host
 * that left takes nothing more: QEMU then keeps the buffer in flight for ever.
 */
static bool tx_over(struct vport *p)
{
	return tx_done(p) || READ_ONCE(p->host_left);
}

static int tx_wait(struct vport *p, bool nonblock)
{
	if (tx_over(p))
		return 0;
	return nonblock ? -EAGAIN : wait_event_interruptible(&p->writable, tx_over(p));
}

/* As a pipe without a reader: the signal, and the error for who ignores it. */
static ssize_t vport_hung_up(void)
{
	siginfo_t info;

	siginfo_user(&info, SIGPIPE);
	signal_send_task(current, SIGPIPE, &info);
	return -EPIPE;
}

static ssize_t tx_send_locked(struct vport *p, struct io_iter *from, bool nonblock)
{
	size_t n;
	int err = tx_wait(p, nonblock);

	if (err)
		return err;
	if (READ_ONCE(p->host_left))
		return vport_hung_up();
	n = io_copy_from(from, p->tx_data, MIN(io_count(from), (u64)TX_SIZE));
	if (!n)
		return -EFAULT;
	err = tx_start(p, n);
	if (err)
		return err;
	/* The bytes are on their way: a signal ends the wait, not the write. */
	if (!nonblock)
		(void)tx_wait(p, false);
	return (ssize_t)n;
}

static ssize_t vport_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	struct vport *p = f->private;
	bool nonblock = f->flags & O_NONBLOCK;
	ssize_t total = 0, n;
	int err;

	(void)pos;
	while (io_count(from)) {
		err = mutex_lock_interruptible(&p->write_lock);
		if (err)
			return total ? total : err;
		n = tx_send_locked(p, from, nonblock);
		mutex_unlock(&p->write_lock);
		if (n < 0)
			return total ? total : n;
		total += n;
	}
	return total;
}

static u32 vport_poll(struct file *f, struct poll_table *pt)
{
	struct vport *p = f->private;
	u32 events = 0;

	poll_wait(f, &p->readable, pt);
	poll_wait(f, &p->writable, pt);
	if (rx_has_data(p))
		events |= EPOLLIN | EPOLLRDNORM;
	if (tx_done(p))
		events |= EPOLLOUT | EPOLLWRNORM;
	if (!READ_ONCE(p->host_open))
		events |= EPOLLHUP;
	if (READ_ONCE(p->host_left))
		events |= EPOLLERR;
	return events;
}

static int vport_open(struct inode *inode, struct file *f)
{
	struct vport *p = port_by_id(the_console, (u32)(inode->rdev & 0xfffff));
	u64 flags;
	bool busy;

	if (!p || !p->present)
		return -ENXIO;
	flags = spin_lock_irqsave(&p->lock);
	busy = p->guest_open;
	p->guest_open = true;
	spin_unlock_irqrestore(&p->lock, flags);
	if (busy)
		return -EBUSY;
	f->private = p;
	control_send(the_console, p->id, VIRTIO_CONSOLE_PORT_OPEN, 1);
	return file_open_nonseekable(inode, f);
}

static void vport_release(struct file *f)
{
	struct vport *p = f->private;
	u64 flags;

	control_send(the_console, p->id, VIRTIO_CONSOLE_PORT_OPEN, 0);
	flags = spin_lock_irqsave(&p->lock);
	p->guest_open = false;
	spin_unlock_irqrestore(&p->lock, flags);
}

static const struct file_ops vport_ops = {
	.name = "vport",
	.open = vport_open,
	.read = vport_read,
	.write = vport_write,
	.poll = vport_poll,
	.llseek = file_llseek_none,
	.release = vport_release,
};

/* ---- the terminal on port 0 ---- */

size_t hvc_write(const char *data, size_t len)
{
	struct vport *p = &the_console->ports[0];
	size_t done = 0;

	mutex_lock(&p->write_lock);
	while (done < len) {
		size_t n = MIN(len - done, (size_t)TX_SIZE);

		wait_event(&p->writable, tx_done(p));
		memcpy(p->tx_data, data + done, n);
		if (tx_start(p, n))
			break;
		done += n;
	}
	mutex_unlock(&p->write_lock);
	return done;
}

bool hvc_attach(const struct hvc_receiver *receiver)
{
	struct vport *p = the_console ? &the_console->ports[0] : NULL;

	if (!p || !p->is_console)
		return false;
	hvc = receiver;
	hvc_receive(p);
	return true;
}

/* ---- set-up ---- */

static int port_set_up(struct vconsole *c, u32 id)
{
	struct vport *p = &c->ports[id];
	u32 first = id == 0 ? 0 : 2 + 2 * id; /* queues 2 and 3 are the control queues */

	p->id = id;
	spin_init(&p->lock, LOCK_RANK_DEVICE);
	mutex_init(&p->read_lock, LOCK_RANK_READERS);
	mutex_init(&p->write_lock, LOCK_RANK_READERS);
	wait_queue_init(&p->readable);
	wait_queue_init(&p->writable);
	p->rx = virtqueue_create(c->dev, first, RX_BUFFERS, rx_interrupt, p);
	p->tx = virtqueue_create(c->dev, first + 1, 4, tx_interrupt, p);
	return p->rx && p->tx ? 0 : -ENOMEM;
}

/* Buffers cost memory: only ports that the host really has get them. */
static int port_start(struct vport *p)
{
	p->tx_data = pages_alloc_virt(TX_ORDER, GFP_KERNEL);
	if (!p->tx_data)
		return -ENOMEM;
	for (u32 i = 0; i < RX_BUFFERS; i++) {
		struct rx_buffer *b = kzalloc(sizeof(*b), GFP_KERNEL);
		u64 flags;
		bool posted;

		if (!b || !(b->data = pages_alloc_virt(RX_ORDER, GFP_KERNEL)))
			return -ENOMEM;
		flags = spin_lock_irqsave(&p->lock);
		posted = rx_post(p, b);
		spin_unlock_irqrestore(&p->lock, flags);
		if (!posted)
			break;
	}
	virtqueue_kick(p->rx);
	return 0;
}

static int control_set_up(struct vconsole *c)
{
	char *page = pages_alloc_virt(0, GFP_KERNEL | GFP_ZERO);
	u32 step = PAGE_SIZE / CONTROL_BUFFERS;

	spin_init(&c->control_lock, LOCK_RANK_DEVICE);
	c->control_rx = virtqueue_create(c->dev, 2, CONTROL_BUFFERS, control_interrupt, c);
	c->control_tx = virtqueue_create(c->dev, 3, CONTROL_BUFFERS, NULL, c);
	if (!page || !c->control_rx || !c->control_tx)
		return -ENOMEM;
	for (u32 i = 0; i < CONTROL_BUFFERS; i++) {
		struct virtio_buf b = buf_of(page + i * step, step);

		if (virtqueue_add(c->control_rx, &b, 0, 1, page + i * step))
			break;
	}
	return 0;
}

static int console_probe(struct virtio_device *d)
{
	struct vconsole *c = kzalloc(sizeof(*c), GFP_KERNEL);
	struct virtio_console_config cfg;
	int err;

	if (the_console)
		return -EBUSY;
	if (!c)
		return -ENOMEM;
	if (!(d->features & BIT(VIRTIO_CONSOLE_F_MULTIPORT)))
		return -ENODEV;
	d->ops->config(d, 0, &cfg, sizeof(cfg));
	c->dev = d;
	c->nr_ports = MIN(cfg.max_nr_ports, (u32)MAX_PORTS);
	err = control_set_up(c);
	for (u32 i = 0; !err && i < c->nr_ports; i++)
		err = port_set_up(c, i);
	if (err)
		return err;
	the_console = c;
	virtio_device_ready(d);
	virtqueue_kick(c->control_rx);
	control_send(c, VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	return 0;
}

static const struct virtio_driver console_driver = {
	.device_id = VIRTIO_ID_CONSOLE,
	.features = BIT(VIRTIO_CONSOLE_F_MULTIPORT),
	.probe = console_probe,
};

static int virtio_console_init(void)
{
	virtio_driver_register(&console_driver);
	return 0;
}
INIT_CALL(INIT_FS, virtio_console_init);

/* The host names its ports when the device starts. One that never answers does not hold boot up. */
static void control_wait(struct vconsole *c)
{
	u64 deadline = clock_monotonic() + NSEC_PER_SEC;

	while (!control_settled(c) && clock_monotonic() < deadline) {
		sched_set_state(TASK_UNINTERRUPTIBLE);
		(void)schedule_until(clock_monotonic() + 100 * NSEC_PER_USEC);
	}
}

static int virtio_console_publish(void)
{
	struct vconsole *c = the_console;
	char name[32];
	int err;

	if (!c)
		return 0;
	control_wait(c);
	err = chrdev_register(VPORT_MAJOR, 0, MAX_PORTS, "virtio-portsdev", &vport_ops);
	for (u32 i = 0; !err && i < c->nr_ports; i++) {
		struct vport *p = &c->ports[i];

		if (!p->present)
			continue;
		err = port_start(p);
		format(name, sizeof(name), "vport0p%u", i);
		if (!err && !p->is_console)
			err = devtmpfs_add(name, 0600, dev_make(VPORT_MAJOR, i));
	}
	return err ? err : hvc_start();
}
INIT_CALL(INIT_LATE, virtio_console_publish);
