/* The runner of in-kernel tests: debug flavours only. Runs in the init thread, before pid 1. */
#include <lib/ktest.h>

extern const struct ktest __ktests_start[], __ktests_end[];

static u32 failures; /* of the running case; atomic, a case may use threads */

void ktest_fail(const char *file, int line, const char *what)
{
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	log_write(LOG_WARN, "ktest: %s:%d: not true: %s", file, line, what);
}

unsigned int ktest_run_all(void)
{
	u32 passed = 0, failed = 0;

	for (const struct ktest *t = __ktests_start; t < __ktests_end; t++) {
		failures = 0;
		t->fn();
		log_write(LOG_WARN, "ktest: %s %s", failures ? "FAIL" : "ok", t->name);
		if (failures)
			failed++;
		else
			passed++;
	}
	log_write(LOG_WARN, "ktest: %u passed, %u failed", passed, failed);
	return failed;
}
