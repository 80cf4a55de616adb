/* kernel.core_pattern: the text, guarded by a mutex of its own. Who dumps core reads it. */
#include <lib/string.h>
#include <sync/mutex.h>
#include <task/coredump.h>

static DEFINE_MUTEX(pattern_lock, LOCK_RANK_SLEEP_INNER);
static char pattern[CORE_PATTERN_MAX] = "core"; /* pattern_lock */
u32 core_uses_pid;
u32 suid_dumpable;

void core_pattern_get(char out[CORE_PATTERN_MAX])
{
	mutex_lock(&pattern_lock);
	memcpy(out, pattern, CORE_PATTERN_MAX);
	mutex_unlock(&pattern_lock);
}

void core_pattern_set(const char *text)
{
	mutex_lock(&pattern_lock);
	(void)str_copy(pattern, text, sizeof(pattern));
	mutex_unlock(&pattern_lock);
}
