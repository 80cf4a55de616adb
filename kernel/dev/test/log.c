/* The log's ring: order, cutting, and the loss of the oldest records only. */
#include <dev/log.h>
#include <lib/errno.h>
#include <lib/ktest.h>
#include <lib/string.h>

KTEST(log_keeps_records_in_order)
{
	struct log_record r;
	char buf[64];
	u64 first, next, seq;

	log_range(&first, &next);
	seq = next;
	log_write(LOG_DEBUG, "one %d\n", 1);
	log_write(LOG_INFO, "two");
	EXPECT(log_read(&seq, &r, buf, sizeof(buf)) == 5);
	EXPECT(!memcmp(buf, "one 1", 5) && r.level == LOG_DEBUG && r.seq == next);
	EXPECT(log_read(&seq, &r, buf, 2) == 2);
	EXPECT(!memcmp(buf, "tw", 2) && r.seq == next + 1);
	EXPECT(log_read(&seq, &r, buf, sizeof(buf)) == -ENOENT);
	EXPECT(seq == next + 2);
}

KTEST(a_full_log_loses_its_oldest_records)
{
	u64 first, next, seq = 0, start;
	struct log_record r;
	char buf[256];
	u32 n = 0;

	log_range(&first, &start);
	for (u32 i = 0; i < 3000; i++)
		log_write(LOG_DEBUG, "record %u %.*s", i, (int)(i % 50),
			  "..................................................");
	log_range(&first, &next);
	EXPECT(next == start + 3000 && first > start && next - first > 500);
	while (log_read(&seq, &r, buf, sizeof(buf)) > 0) {
		EXPECT(r.seq == first + n);
		n++;
	}
	EXPECT(n == next - first);
}
