/* Control and readers of the kernel log; writers use lib/log.h. */
#pragma once

#include <lib/log.h>

/* Opens the console and reads `loglevel=N`, `quiet` and `debug`. boot_info is filled. */
void log_init(void);
/* From now on records carry the time. After clock_init. */
void log_clock_ready(void);

struct log_record {
	u64 seq;     /* counts all records since boot */
	u64 time_ns;
	enum log_level level;
};

/*
 * Copies the text (without newline) of the oldest kept record with number >= *seq, cut to size, and
 * moves *seq behind it. The text's length, or -ENOENT when there is none yet. Any context.
 */
ssize_t log_read(u64 *seq, struct log_record *record, char *buf, size_t size);
/* The range of numbers that are kept: [*first, *next). */
void log_range(u64 *first, u64 *next);
/* Records up to this level go to the console; the former level. */
enum log_level log_set_console_level(enum log_level level);

/* For arch's fatal exceptions: panic with the interrupted context in the report. */
struct regs;
__noreturn void panic_regs(const struct regs *regs, const char *fmt, ...) __printf(2, 3);
bool panic_in_progress(void);

#define KSYM_NAME_LEN 64
/* The function that contains addr; false when the address is not in kernel code. Any context. */
bool ksyms_lookup(uptr addr, char name[KSYM_NAME_LEN], u32 *offset);
