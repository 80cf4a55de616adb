/*
 * adjtimex and clock_adjtime: the state of the clock discipline. The rate of CLOCK_MONOTONIC, and with
 * it of all clocks but RAW, is that of the hardware, corrected by tick and frequency, plus what a
 * phase offset (ADJ_OFFSET, with STA_PLL) or adjtime(3) still has to be slewed: while there is such
 * a rest, a timer plans the rate once a second. Nothing ticks otherwise: the maximum error, which
 * grows with time, is computed when it is asked for.
 *
 * discipline_lock (interrupts disabled) guards all of it. Left out: leap seconds, PPS, the FLL.
 */
#include <lib/errno.h>
#include <linux/timex.h>
#include <sync/spinlock.h>
#include <syscall/table.h>
#include <task/task.h>
#include <time/timer.h>
#include "internal.h"

#define MODE_ADJTIME  0x8000 /* adjtime(3): with SINGLESHOT, … */
#define MODE_READONLY 0x2000 /* … only asked */

#define SCALE            65536LL /* frequencies: parts of a millionth */
#define FREQ_MAX         (500 * SCALE)
#define FREQ_LIMIT       (S64_MAX / (1000LL << 16)) /* beyond it Linux's arithmetic would wrap */
#define TICK_US          10000 /* USER_HZ is 100 */
#define TICK_MIN_US      9000
#define TICK_MAX_US      11000
#define PHASE_MAX_NS     500000000LL
#define SINGLE_STEP_NS   500000LL /* adjtime(3): at most this much in a second */
#define MAX_ERROR_US     16000000
#define ERROR_GROWTH_US  500 /* each second */
#define CONSTANT_MAX     10LL
#define TAI_MAX          100000

static DEFINE_SPINLOCK(discipline_lock, LOCK_RANK_DEVICE);
static struct {
	int status;
	long long constant;
	long long max_error_us, est_error_us;
	u64 error_since_ns;     /* monotonic: max_error_us was true then */
	long long freq;         /* millionths * SCALE */
	long long tick_us;
	s64 phase_ns;           /* still to be slewed by the PLL */
	s64 single_ns;          /* still to be slewed by adjtime(3) */
	bool slewing;           /* slew_timer is armed */
} d = {.status = STA_UNSYNC, .constant = 2, .max_error_us = MAX_ERROR_US,
       .est_error_us = MAX_ERROR_US, .tick_us = TICK_US}; /* discipline_lock */
static struct timer slew_timer;

static s64 clamp(s64 v, s64 limit)
{
	return MAX(-limit, MIN(v, limit));
}

/* Takes this second's share off the rests. */
static s64 next_second_ns(void)
{
	s64 phase = d.phase_ns / (1LL << (2 + d.constant)), single = clamp(d.single_ns, SINGLE_STEP_NS);

	if (!phase)
		phase = d.phase_ns; /* too small to be divided */
	d.phase_ns -= phase;
	d.single_ns -= single;
	return phase + single;
}

/* discipline_lock held. The rate until something changes, or for the next second. */
static void plan_locked(void)
{
	s64 slew = d.phase_ns || d.single_ns ? next_second_ns() : 0;

	/* A nanosecond in a second is a thousandth of a millionth. */
	clock_set_rate(d.freq + (d.tick_us - TICK_US) * 1000000 / TICK_US * SCALE + slew * SCALE / 1000);
	d.slewing = slew;
	if (slew)
		timer_arm(&slew_timer, clock_monotonic() + NSEC_PER_SEC);
}

static void slew_second(struct timer *t __maybe_unused)
{
	u64 flags = spin_lock_irqsave(&discipline_lock);

	plan_locked();
	spin_unlock_irqrestore(&discipline_lock, flags);
}

/* What has been planned for this second runs on; the new values count from the next. */
static void replan_locked(void)
{
	if (!slew_timer.fn)
		timer_init(&slew_timer, slew_second);
	if (!d.slewing)
		plan_locked();
}

static void age_error_locked(void)
{
	u64 now = clock_monotonic(), seconds = (now - d.error_since_ns) / NSEC_PER_SEC;

	d.error_since_ns += seconds * NSEC_PER_SEC;
	d.max_error_us = (long long)MIN((u64)d.max_error_us + seconds * ERROR_GROWTH_US,
					(u64)MAX_ERROR_US);
	if (d.max_error_us == MAX_ERROR_US && seconds)
		d.status |= STA_UNSYNC;
}

static int modes_check(const struct __kernel_timex *tx)
{
	unsigned int modes = tx->modes;

	if (modes & MODE_ADJTIME) {
		if (!(modes & ADJ_OFFSET))
			return -EINVAL;
		if (!(modes & MODE_READONLY) && !capable(CAP_SYS_TIME))
			return -EPERM;
	} else {
		if (modes && !capable(CAP_SYS_TIME))
			return -EPERM;
		if (modes & ADJ_TICK && (tx->tick < TICK_MIN_US || tx->tick > TICK_MAX_US))
			return -EINVAL;
	}
	if (modes & ADJ_SETOFFSET) {
		if (!capable(CAP_SYS_TIME))
			return -EPERM;
		if (tx->time.tv_usec < 0 ||
		    tx->time.tv_usec >= (modes & ADJ_NANO ? (s64)NSEC_PER_SEC : 1000000))
			return -EINVAL;
	}
	if (modes & ADJ_FREQUENCY && (tx->freq > FREQ_LIMIT || tx->freq < -FREQ_LIMIT))
		return -EINVAL;
	return 0;
}

static int step(const struct __kernel_timex *tx)
{
	s64 sub = tx->time.tv_usec * (tx->modes & ADJ_NANO ? 1 : (s64)NSEC_PER_USEC);
	struct timespec64 now = ns_to_timespec(clock_realtime());

	if (__builtin_add_overflow(now.tv_sec, tx->time.tv_sec, &now.tv_sec))
		return -EINVAL;
	now.tv_nsec += sub;
	if (now.tv_nsec >= (s64)NSEC_PER_SEC) {
		now.tv_nsec -= NSEC_PER_SEC;
		now.tv_sec++;
	}
	return realtime_set_checked(&now);
}

static void set_offset_locked(s64 offset)
{
	if (!(d.status & STA_PLL))
		return;
	if (!(d.status & STA_NANO))
		offset = clamp(offset, PHASE_MAX_NS / 1000) * 1000;
	d.phase_ns = clamp(offset, PHASE_MAX_NS);
}

static void store_locked(const struct __kernel_timex *tx)
{
	if (tx->modes & ADJ_STATUS)
		d.status = (d.status & STA_RONLY) | (tx->status & ~STA_RONLY);
	if (tx->modes & ADJ_NANO)
		d.status |= STA_NANO;
	if (tx->modes & ADJ_MICRO)
		d.status &= ~STA_NANO;
	if (tx->modes & ADJ_FREQUENCY)
		d.freq = clamp(tx->freq, FREQ_MAX);
	if (tx->modes & ADJ_MAXERROR) {
		d.max_error_us = MAX(0LL, MIN(tx->maxerror, (long long)MAX_ERROR_US));
		d.error_since_ns = clock_monotonic();
	}
	if (tx->modes & ADJ_ESTERROR)
		d.est_error_us = tx->esterror;
	if (tx->modes & ADJ_TIMECONST)
		d.constant = MAX(0LL, MIN(tx->constant, CONSTANT_MAX) + (d.status & STA_NANO ? 0 : 4));
	d.constant = MIN(d.constant, CONSTANT_MAX);
	if (tx->modes & ADJ_OFFSET)
		set_offset_locked(tx->offset);
	if (tx->modes & ADJ_TICK)
		d.tick_us = tx->tick;
	if (tx->modes & (ADJ_FREQUENCY | ADJ_OFFSET | ADJ_TICK))
		replan_locked();
}

/* adjtime(3): the old rest is told, a new one takes its place. */
static void single_locked(struct __kernel_timex *tx)
{
	s64 before = d.single_ns;

	if (!(tx->modes & MODE_READONLY)) {
		d.single_ns = clamp(tx->offset, S64_MAX / 1000) * 1000;
		replan_locked();
	}
	tx->offset = before / 1000;
}

/* Every field is written: nothing that the caller passed in is trusted to stay. */
static int fill_locked(struct __kernel_timex *tx)
{
	struct timespec64 now = ns_to_timespec(clock_realtime());
	bool nano = d.status & STA_NANO;
	long long offset = tx->modes & MODE_ADJTIME ? tx->offset : d.phase_ns / (nano ? 1 : 1000);

	*tx = (struct __kernel_timex){.modes = tx->modes, .offset = offset, .freq = d.freq,
				      .maxerror = d.max_error_us, .esterror = d.est_error_us,
				      .status = d.status, .constant = d.constant, .precision = 1,
				      .tolerance = FREQ_MAX, .tick = d.tick_us,
				      .tai = clock_tai_offset()};
	tx->time.tv_sec = now.tv_sec;
	tx->time.tv_usec = nano ? now.tv_nsec : now.tv_nsec / (s64)NSEC_PER_USEC;
	return d.status & (STA_UNSYNC | STA_CLOCKERR) ? TIME_ERROR : TIME_OK;
}

static int adjust(struct __kernel_timex *tx)
{
	bool tai = !(tx->modes & MODE_ADJTIME) && tx->modes & ADJ_TAI;
	int res = modes_check(tx);
	u64 flags;

	if (!res && tx->modes & ADJ_SETOFFSET)
		res = step(tx);
	if (res)
		return res;
	if (tai && tx->constant >= 0 && tx->constant <= TAI_MAX)
		clock_set_tai_offset((s32)tx->constant);
	flags = spin_lock_irqsave(&discipline_lock);
	age_error_locked();
	if (tx->modes & MODE_ADJTIME)
		single_locked(tx);
	else
		store_locked(tx);
	res = fill_locked(tx);
	spin_unlock_irqrestore(&discipline_lock, flags);
	return res;
}

static long adjust_user(struct user_bytes utx)
{
	struct __kernel_timex tx;
	int res;

	if (user_read_bytes(&tx, utx, sizeof(tx)))
		return -EFAULT;
	res = adjust(&tx);
	if (res < 0)
		return res;
	return user_write_bytes(utx, &tx, sizeof(tx)) ? -EFAULT : res;
}

long sys_adjtimex(struct user_bytes tx)
{
	return adjust_user(tx);
}

long sys_clock_adjtime(u32 clock, struct user_bytes utx)
{
	struct __kernel_timex tx;
	int id = (int)clock;

	if (id == CLOCK_REALTIME)
		return adjust_user(utx);
	if (user_read_bytes(&tx, utx, sizeof(tx)))
		return -EFAULT;
	if (id < 0 ? CPU_CLOCK_KIND(id) == CPU_CLOCK_FD : id > CLOCK_TAI || id == CLOCK_SGI_CYCLE)
		return -EINVAL;
	return -EOPNOTSUPP;
}
