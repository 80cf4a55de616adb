/* The battery clock, read once at boot. */
#include <arch/timer.h>
#include <x86/io.h>

#define RTC_SECONDS  0
#define RTC_MINUTES  2
#define RTC_HOURS    4
#define RTC_DAY      7
#define RTC_MONTH    8
#define RTC_YEAR     9
#define RTC_STATUS_A 10
#define RTC_STATUS_B 11

#define UPDATE_POLLS 10000

struct rtc_time {
	u32 second, minute, hour, day, month, year;
};

static u8 rtc_read(u8 reg)
{
	outb(0x70, 0x80 | reg); /* NMI stays masked meanwhile */
	return inb(0x71);
}

static u32 from_bcd(u32 v)
{
	return (v >> 4) * 10 + (v & 15);
}

static void read_raw(struct rtc_time *t)
{
	for (u32 i = 0; i < UPDATE_POLLS && (rtc_read(RTC_STATUS_A) & 0x80); i++)
		;
	*t = (struct rtc_time){rtc_read(RTC_SECONDS), rtc_read(RTC_MINUTES), rtc_read(RTC_HOURS),
			       rtc_read(RTC_DAY), rtc_read(RTC_MONTH), rtc_read(RTC_YEAR)};
}

static void decode(struct rtc_time *t)
{
	u8 status = rtc_read(RTC_STATUS_B);
	bool pm = t->hour & 0x80;

	t->hour &= 0x7f;
	if (!(status & 4)) {
		t->second = from_bcd(t->second);
		t->minute = from_bcd(t->minute);
		t->hour = from_bcd(t->hour);
		t->day = from_bcd(t->day);
		t->month = from_bcd(t->month);
		t->year = from_bcd(t->year);
	}
	if (!(status & 2))
		t->hour = t->hour % 12 + (pm ? 12 : 0);
	t->year += 2000;
}

static bool plausible(const struct rtc_time *t)
{
	return t->second < 60 && t->minute < 60 && t->hour < 24 && t->day >= 1 && t->day <= 31 &&
	       t->month >= 1 && t->month <= 12 && t->year < 2100;
}

/* Days since 1970-01-01 of a date after 2000, before 2100. */
static u64 days_since_epoch(const struct rtc_time *t)
{
	static const u16 before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	u32 years = t->year - 1970;
	u32 leap_days = (t->year - 1969) / 4; /* of the years before this one */

	return years * 365ULL + leap_days + before_month[t->month - 1] +
	       (t->month > 2 && t->year % 4 == 0) + t->day - 1;
}

u64 arch_rtc_seconds(void)
{
	struct rtc_time a, b;

	/* Two equal readings were not torn by an update. */
	read_raw(&b);
	for (u32 i = 0; i < 3; i++) {
		a = b;
		read_raw(&b);
		if (a.second == b.second && a.minute == b.minute && a.hour == b.hour)
			break;
	}
	decode(&b);
	if (!plausible(&b))
		return 0;
	return ((days_since_epoch(&b) * 24 + b.hour) * 60 + b.minute) * 60 + b.second;
}
