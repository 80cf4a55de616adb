/*
 * The kernel log: records in a ring of 64 KiB, the oldest overwritten first, and the console that
 * shows the urgent ones. Each record is a header and its text, padded to 8 bytes; a header never
 * wraps around the end, a text may. log_lock guards everything; writers come from every context,
 * so it is taken with interrupts disabled, and a panic goes on without it.
 */
#include <arch/cpu.h>
#include <boot/boot_info.h>
#include <dev/log.h>
#include <dev/serial.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <sync/spinlock.h>
#include <time/clock.h>

#define RING_SIZE  (64 * 1024u)
#define LINE_MAX   512
#define PANIC_SPIN 1000000

struct record_header {
	u64 time_ns;
	u32 len;
	u32 level;
};

static DEFINE_SPINLOCK(log_lock, LOCK_RANK_LOG);
static u8 ring[RING_SIZE] __aligned(16); /* log_lock */
static u64 ring_head, ring_tail;         /* log_lock: bytes since boot, of next and oldest record */
static u64 seq_head, seq_tail;           /* log_lock: numbers of the same */
static enum log_level console_level = LOG_WARN;
static bool clock_ready;

static u32 record_size(u32 len)
{
	return ALIGN_UP((u32)sizeof(struct record_header) + len, 16);
}

static void ring_put(u64 at, const void *data, u32 len)
{
	u32 first = MIN(len, RING_SIZE - (u32)(at % RING_SIZE));

	memcpy(&ring[at % RING_SIZE], data, first);
	memcpy(ring, (const u8 *)data + first, len - first);
}

static void ring_get(u64 at, void *data, u32 len)
{
	u32 first = MIN(len, RING_SIZE - (u32)(at % RING_SIZE));

	memcpy(data, &ring[at % RING_SIZE], first);
	memcpy((u8 *)data + first, ring, len - first);
}

static void store(const struct record_header *h, const char *text)
{
	u32 size = record_size(h->len);
	struct record_header old;

	while (ring_head + size - ring_tail > RING_SIZE) {
		ring_get(ring_tail, &old, sizeof(old));
		ring_tail += record_size(old.len);
		seq_tail++;
	}
	ring_put(ring_head, h, sizeof(*h));
	ring_put(ring_head + sizeof(*h), text, h->len);
	ring_head += size;
	seq_head++;
}

static void show(const struct record_header *h, const char *text)
{
	char stamp[32];
	int n = format(stamp, sizeof(stamp), "[%5llu.%06llu] ", h->time_ns / NSEC_PER_SEC,
		       h->time_ns % NSEC_PER_SEC / NSEC_PER_USEC);

	serial_write(stamp, (size_t)n);
	serial_write(text, h->len);
	serial_write("\n", 1);
}

/* True when the lock is ours; a panicking CPU goes on without, the owner may be stopped. */
static bool log_lock_take(u64 *flags) NO_THREAD_SAFETY
{
	*flags = arch_irq_save();
	if (!panic_in_progress()) {
		spin_lock(&log_lock);
		return true;
	}
	for (u32 i = 0; i < PANIC_SPIN; i++) {
		if (spin_trylock(&log_lock))
			return true;
		cpu_relax();
	}
	return false;
}

static void log_lock_drop(bool held, u64 flags) NO_THREAD_SAFETY
{
	if (held)
		spin_unlock_irqrestore(&log_lock, flags);
	else
		arch_irq_restore(flags);
}

static void log_text(enum log_level level, const char *text, u32 len)
{
	struct record_header h = {clock_ready ? clock_monotonic() : 0, len, level};
	u64 flags;
	bool held = log_lock_take(&flags);

	store(&h, text);
	if (level <= console_level || panic_in_progress())
		show(&h, text);
	log_lock_drop(held, flags);
}

static void log_vwrite(enum log_level level, const char *fmt, va_list ap) __printf(2, 0);
static void log_vwrite(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX];
	int n = vformat(line, sizeof(line), fmt, ap);
	u32 len = MIN((u32)MAX(n, 0), (u32)sizeof(line) - 1);

	while (len > 0 && line[len - 1] == '\n')
		len--;
	log_text(level, line, len);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vwrite(level, fmt, ap);
	va_end(ap);
}

void log_init(void)
{
	u64 level;

	serial_init();
	if (boot_option("quiet"))
		console_level = LOG_ERR;
	if (boot_option("debug"))
		console_level = LOG_DEBUG;
	if (boot_option_u64("loglevel", &level))
		console_level = level > LOG_DEBUG ? LOG_DEBUG : (enum log_level)level;
}

void log_clock_ready(void)
{
	clock_ready = true;
}

enum log_level log_set_console_level(enum log_level level)
{
	return __atomic_exchange_n(&console_level, level, __ATOMIC_RELAXED);
}

void log_range(u64 *first, u64 *next)
{
	u64 flags = spin_lock_irqsave(&log_lock);

	*first = seq_tail;
	*next = seq_head;
	spin_unlock_irqrestore(&log_lock, flags);
}

/* The record's place, from the oldest on; the ring holds a few thousand at most. */
static u64 position_of(u64 seq)
{
	struct record_header h;
	u64 at = ring_tail;

	for (u64 s = seq_tail; s < seq; s++) {
		ring_get(at, &h, sizeof(h));
		at += record_size(h.len);
	}
	return at;
}

ssize_t log_read(u64 *seq, struct log_record *record, char *buf, size_t size)
{
	u64 flags = spin_lock_irqsave(&log_lock);
	struct record_header h;
	ssize_t ret = -ENOENT;
	u64 at;

	if (*seq < seq_tail)
		*seq = seq_tail;
	if (*seq < seq_head) {
		at = position_of(*seq);
		ring_get(at, &h, sizeof(h));
		*record = (struct log_record){*seq, h.time_ns, (enum log_level)h.level};
		ret = (ssize_t)MIN((size_t)h.len, size);
		ring_get(at + sizeof(h), buf, (u32)ret);
		++*seq;
	}
	spin_unlock_irqrestore(&log_lock, flags);
	return ret;
}
