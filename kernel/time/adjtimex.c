/*
 * adjtimex and clock_adjtime: the state of the clock discipline, and stepping the clock. Changing
 * the rate (ADJ_OFFSET, ADJ_FREQUENCY, ADJ_TICK) is left out on purpose: it answers EOPNOTSUPP
 * instead of pretending; the host's clock is disciplined already.
 *
 * The few words that can be set are guarded by one spinlock.
 */
#include <lib/errno.h>
#include <linux/timex.h>
#include <sync/spinlock.h>
#include <syscall/table.h>
#include <task/task.h>
#include "internal.h"

#define MODES_STORED (ADJ_MAXERROR | ADJ_ESTERROR | ADJ_STATUS | ADJ_TIMECONST)
#define MODES_KNOWN  (MODES_STORED | ADJ_SETOFFSET | ADJ_NANO | ADJ_MICRO)
#define TICK_US      10000 /* USER_HZ is 100 */
#define MAX_ERROR_US 16000000

static DEFINE_SPINLOCK(discipline_lock, LOCK_RANK_DEVICE);
static struct {
	int status;
	__kernel_long_t constant;
	long long max_error_us, est_error_us;
} discipline = {STA_UNSYNC, 2, MAX_ERROR_US, MAX_ERROR_US}; /* discipline_lock */

static int modes_check(unsigned int modes)
{
	if (modes == ADJ_OFFSET_SS_READ)
		return 0;
	if (modes && !capable(CAP_SYS_TIME))
		return -EPERM;
	return modes & ~MODES_KNOWN ? -EOPNOTSUPP : 0;
}

static int step(const struct __kernel_timex *tx)
{
	s64 sub = tx->time.tv_usec;
	struct timespec64 now;

	if (!(tx->modes & ADJ_NANO))
		sub = sub >= 0 && sub < 1000000 ? sub * (s64)NSEC_PER_USEC : -1;
	if (sub < 0 || sub >= (s64)NSEC_PER_SEC)
		return -EINVAL;
	now = ns_to_timespec(clock_realtime());
	if (__builtin_add_overflow(now.tv_sec, tx->time.tv_sec, &now.tv_sec))
		return -EINVAL;
	now.tv_nsec += sub;
	if (now.tv_nsec >= (s64)NSEC_PER_SEC) {
		now.tv_nsec -= NSEC_PER_SEC;
		now.tv_sec++;
	}
	return realtime_set_checked(&now);
}

static void store_locked(const struct __kernel_timex *tx)
{
	if (tx->modes & ADJ_STATUS)
		discipline.status = (discipline.status & STA_RONLY) | (tx->status & ~STA_RONLY);
	if (tx->modes & ADJ_NANO)
		discipline.status |= STA_NANO;
	if (tx->modes & ADJ_MICRO)
		discipline.status &= ~STA_NANO;
	if (tx->modes & ADJ_MAXERROR)
		discipline.max_error_us = tx->maxerror;
	if (tx->modes & ADJ_ESTERROR)
		discipline.est_error_us = tx->esterror;
	if (tx->modes & ADJ_TIMECONST)
		discipline.constant = MIN(MAX(tx->constant, 0LL), 10LL);
}

/* Every field is written: nothing that the caller passed in is trusted to stay. */
static int fill_locked(struct __kernel_timex *tx)
{
	struct timespec64 now = ns_to_timespec(clock_realtime());
	bool nano = discipline.status & STA_NANO;

	*tx = (struct __kernel_timex){.modes = tx->modes, .status = discipline.status};
	tx->constant = discipline.constant;
	tx->maxerror = discipline.max_error_us;
	tx->esterror = discipline.est_error_us;
	tx->precision = 1;
	tx->tolerance = 500LL << 16;
	tx->tick = TICK_US;
	tx->time.tv_sec = now.tv_sec;
	tx->time.tv_usec = nano ? now.tv_nsec : now.tv_nsec / (s64)NSEC_PER_USEC;
	return discipline.status & STA_UNSYNC ? TIME_ERROR : TIME_OK;
}

static long adjust(struct user_bytes utx)
{
	struct __kernel_timex tx;
	u64 flags;
	int res;

	if (user_read_bytes(&tx, utx, sizeof(tx)))
		return -EFAULT;
	res = modes_check(tx.modes);
	if (!res && tx.modes != ADJ_OFFSET_SS_READ && (tx.modes & ADJ_SETOFFSET))
		res = step(&tx);
	if (res)
		return res;
	flags = spin_lock_irqsave(&discipline_lock);
	if (tx.modes != ADJ_OFFSET_SS_READ)
		store_locked(&tx);
	res = fill_locked(&tx);
	spin_unlock_irqrestore(&discipline_lock, flags);
	return user_write_bytes(utx, &tx, sizeof(tx)) ? -EFAULT : res;
}

long sys_adjtimex(struct user_bytes tx)
{
	return adjust(tx);
}

long sys_clock_adjtime(u32 clock, struct user_bytes tx)
{
	u64 ns;

	if (clock == CLOCK_REALTIME)
		return adjust(tx);
	if ((int)clock < 0)
		return cpu_clock_read((int)clock, &ns) ? -EINVAL : -EOPNOTSUPP;
	return clock <= CLOCK_BOOTTIME || clock == CLOCK_TAI ? -EOPNOTSUPP : -EINVAL;
}
