/*
 * The 16550 at COM1. The kernel log writes to it by polling, from the first line on and in a panic;
 * once serial_start has been called, the terminal ttyS0 receives and sends by interrupts (its
 * settings and its line discipline are dev/tty's). Both share the transmitter: the log waits for
 * room and goes in front of what the terminal has queued.
 *
 * uart_lock guards the registers and the queue, with interrupts disabled; it is the innermost lock,
 * because the log takes it from everywhere. A panic goes on without it. A port that stops taking
 * data loses log text instead of hanging the kernel. Modem status lines are not watched.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/platform.h>
#include <dev/log.h>
#include <dev/serial.h>
#include <lib/errno.h>
#include <sync/spinlock.h>

#define COM1     0x3f8
#define COM1_IRQ 4
#define CLOCK_HZ 1843200

enum { REG_DATA, REG_IER, REG_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };
#define REG_IIR REG_FCR /* when read */

#define IER_RECEIVE  0x01
#define IER_TRANSMIT 0x02
#define IIR_NONE     0x01
#define LCR_STOP2    0x04
#define LCR_PARITY   0x08
#define LCR_EVEN     0x10
#define LCR_BREAK    0x40
#define LCR_DIVISOR  0x80
#define MCR_OUT2     0x08 /* lets interrupts through */
#define LSR_DATA     0x01
#define LSR_EMPTY    0x20
#define FIFO_SIZE    16
#define WAIT_POLLS   1000000
#define QUEUE_SIZE   256
#define IRQ_ROUNDS   256

static bool present __ro_after_init;
static const struct serial_receiver *receiver; /* set once */
static DEFINE_SPINLOCK(uart_lock, LOCK_RANK_SERIAL);
static char queue[QUEUE_SIZE];     /* uart_lock: waits for the transmitter */
static u32 queue_head, queue_tail; /* uart_lock; positions count up, read as hints without it */
static u8 line_control = 0x03;     /* uart_lock: 8N1 */

static void put(u32 reg, u8 v)
{
	arch_port_write(COM1 + reg, v, 1);
}

static u8 get(u32 reg)
{
	return (u8)arch_port_read(COM1 + reg, 1);
}

static void set_divisor(u32 baud)
{
	u32 divisor = CLOCK_HZ / 16 / baud;

	put(REG_LCR, line_control | LCR_DIVISOR);
	put(REG_DATA, (u8)divisor);
	put(REG_IER, (u8)(divisor >> 8));
	put(REG_LCR, line_control);
}

bool serial_init(void)
{
	put(REG_SCRATCH, 0x5a);
	if (get(REG_SCRATCH) != 0x5a)
		return false;
	put(REG_IER, 0);
	set_divisor(115200);
	put(REG_FCR, 0x07); /* FIFOs on and empty */
	put(REG_MCR, SERIAL_DTR | SERIAL_RTS | MCR_OUT2);
	present = true;
	return true;
}

/* ---- the log ---- */

static bool wait_empty(void)
{
	for (u32 i = 0; i < WAIT_POLLS; i++) {
		if (get(REG_LSR) & LSR_EMPTY)
			return true;
		cpu_relax();
	}
	return false;
}

static void write_polled(const char *s, size_t len)
{
	u32 room = 0;

	for (size_t i = 0; i < len; i++) {
		if (room < 2) {
			if (!wait_empty())
				return;
			room = FIFO_SIZE;
		}
		if (s[i] == '\n') {
			put(REG_DATA, '\r');
			room--;
		}
		put(REG_DATA, (u8)s[i]);
		room--;
	}
}

void serial_write(const char *s, size_t len)
{
	u64 flags;

	if (!present)
		return;
	if (panic_in_progress()) {
		write_polled(s, len);
		return;
	}
	flags = spin_lock_irqsave(&uart_lock);
	write_polled(s, len);
	spin_unlock_irqrestore(&uart_lock, flags);
}

/* ---- the terminal ---- */

/* uart_lock held: sends what the transmitter takes, and asks to be told when the rest can go. */
static void pump(void)
{
	while (queue_tail != queue_head && (get(REG_LSR) & LSR_EMPTY)) {
		for (u32 i = 0; i < FIFO_SIZE && queue_tail != queue_head; i++)
			put(REG_DATA, (u8)queue[queue_tail++ % QUEUE_SIZE]);
	}
	put(REG_IER, queue_tail != queue_head ? IER_RECEIVE | IER_TRANSMIT : IER_RECEIVE);
}

size_t serial_queue(const char *data, size_t len)
{
	u64 flags = spin_lock_irqsave(&uart_lock);
	size_t n = 0;

	while (n < len && queue_head - queue_tail < QUEUE_SIZE)
		queue[queue_head++ % QUEUE_SIZE] = data[n++];
	if (n)
		pump();
	spin_unlock_irqrestore(&uart_lock, flags);
	return n;
}

size_t serial_queued(void)
{
	return READ_ONCE(queue_head) - READ_ONCE(queue_tail);
}

size_t serial_room(void)
{
	return QUEUE_SIZE - serial_queued();
}

void serial_discard(void)
{
	u64 flags = spin_lock_irqsave(&uart_lock);

	queue_tail = queue_head;
	spin_unlock_irqrestore(&uart_lock, flags);
}

/* One round: takes what has arrived and sends what waits. The bytes received. */
static size_t exchange(char *in, size_t size, bool *sent)
{
	u64 flags = spin_lock_irqsave(&uart_lock);
	u32 waiting = queue_head - queue_tail;
	size_t n = 0;

	while (n < size && (get(REG_LSR) & LSR_DATA))
		in[n++] = (char)get(REG_DATA);
	if (waiting)
		pump();
	*sent = queue_head - queue_tail < waiting;
	spin_unlock_irqrestore(&uart_lock, flags);
	return n;
}

/* Edge-triggered: a cause that is left would never interrupt again. Bounded all the same. */
static void serial_interrupt(void *unused)
{
	char in[FIFO_SIZE];
	bool sent;

	(void)unused;
	for (u32 i = 0; i < IRQ_ROUNDS && !(get(REG_IIR) & IIR_NONE); i++) {
		size_t n = exchange(in, sizeof(in), &sent);

		if (n)
			receiver->receive(in, n);
		if (sent)
			receiver->room();
	}
}

int serial_start(const struct serial_receiver *to)
{
	u64 flags;
	int err;

	if (!present)
		return -ENODEV;
	receiver = to;
	err = irq_install_isa(COM1_IRQ, serial_interrupt, NULL);
	if (err)
		return err;
	flags = spin_lock_irqsave(&uart_lock);
	put(REG_IER, IER_RECEIVE);
	spin_unlock_irqrestore(&uart_lock, flags);
	return 0;
}

void serial_set_line(const struct serial_line *line)
{
	u64 flags = spin_lock_irqsave(&uart_lock);
	u8 modem = get(REG_MCR);

	line_control = (u8)(line->data_bits - 5) | (line->two_stop_bits ? LCR_STOP2 : 0) |
		       (line->parity ? LCR_PARITY : 0) | (line->parity_even ? LCR_EVEN : 0);
	if (line->baud)
		set_divisor(MIN(MAX(line->baud, 2U), (u32)CLOCK_HZ / 16));
	else
		put(REG_LCR, line_control);
	modem &= (u8)~(SERIAL_DTR | SERIAL_RTS);
	put(REG_MCR, line->baud ? modem | SERIAL_DTR | SERIAL_RTS : modem);
	put(REG_IER, queue_tail != queue_head ? IER_RECEIVE | IER_TRANSMIT : IER_RECEIVE);
	spin_unlock_irqrestore(&uart_lock, flags);
}

void serial_break(bool on)
{
	u64 flags = spin_lock_irqsave(&uart_lock);

	put(REG_LCR, line_control | (on ? LCR_BREAK : 0));
	spin_unlock_irqrestore(&uart_lock, flags);
}

u8 serial_modem_change(u8 clear, u8 set)
{
	u8 ours = SERIAL_DTR | SERIAL_RTS;
	u64 flags = spin_lock_irqsave(&uart_lock);
	u8 now = (u8)((get(REG_MCR) & ~(clear & ours)) | (set & ours));

	if ((clear | set) & ours)
		put(REG_MCR, now);
	now &= ours;
	now |= get(REG_MSR) & (SERIAL_CTS | SERIAL_DSR | SERIAL_RI | SERIAL_CD);
	spin_unlock_irqrestore(&uart_lock, flags);
	return now;
}
