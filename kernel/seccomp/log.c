/*
 * Which verdicts are told to the kernel's log, and how: in the words of Linux's audit records. What a
 * program can cause is limited in rate.
 */
#include <arch/entry.h>
#include <arch/syscall_abi.h>
#include <lib/format.h>
#include <lib/log.h>
#include <lib/string.h>
#include <time/clock.h>
#include "internal.h"

#define AUDIT_SECCOMP_TYPE 1326
#define RATE_MAX           10 /* lines in each interval */
#define RATE_INTERVAL_NS   (5 * NSEC_PER_SEC)

static const struct {
	u32 action;
	const char *name;
} actions[] = { /* in the order of precedence: bit i of `logged` is actions[i] */
	{SECCOMP_RET_KILL_PROCESS, "kill_process"}, {SECCOMP_RET_KILL_THREAD, "kill_thread"},
	{SECCOMP_RET_TRAP, "trap"},                 {SECCOMP_RET_ERRNO, "errno"},
	{SECCOMP_RET_USER_NOTIF, "user_notif"},     {SECCOMP_RET_TRACE, "trace"},
	{SECCOMP_RET_LOG, "log"},                   {SECCOMP_RET_ALLOW, "allow"},
};
#define ALLOW_INDEX (ARRAY_SIZE(actions) - 1)

static u32 logged = BIT(ALLOW_INDEX) - 1; /* torn-free */
static u64 rate_start_ns;                 /* rate_lock */
static u32 rate_count;                    /* rate_lock */
static DEFINE_SPINLOCK(rate_lock, LOCK_RANK_NONE);

bool log_wanted(u32 action, bool requested)
{
	u32 i = 0;

	while (i < ARRAY_SIZE(actions) && actions[i].action != action)
		i++;
	if (i == ARRAY_SIZE(actions))
		i = 0; /* treated as the first, too */
	if (action == SECCOMP_RET_ALLOW)
		return false;
	return requested && (READ_ONCE(logged) & BIT(i));
}

static bool within_rate(void)
{
	u64 now = clock_monotonic();
	bool ok;

	spin_lock(&rate_lock);
	if (now - rate_start_ns > RATE_INTERVAL_NS) {
		rate_start_ns = now;
		rate_count = 0;
	}
	ok = rate_count++ < RATE_MAX;
	spin_unlock(&rate_lock);
	return ok;
}

/* A name that a program has chosen does not get to write lines of its own. */
static void plain_name(char *out, const char *name)
{
	size_t i;

	for (i = 0; name[i] && i < sizeof(current->comm) - 1; i++)
		out[i] = name[i] > ' ' && name[i] < 0x7f && name[i] != '"' ? name[i] : '?';
	out[i] = '\0';
}

void log_verdict(const struct regs *regs, int nr, int sig, u32 action)
{
	char comm[sizeof(current->comm)];

	if (!within_rate())
		return;
	plain_name(comm, current->comm);
	pr_info("audit: type=%d uid=%u gid=%u pid=%d comm=\"%s\" sig=%d arch=%x syscall=%d compat=0 "
		"ip=0x%llx code=0x%x", AUDIT_SECCOMP_TYPE, current->cred->uid, current->cred->gid,
		current->tid, comm, sig, (u32)ARCH_AUDIT, nr, (u64)regs_ip(regs), action);
}

/* ---- /proc/sys/kernel/seccomp ---- */

static void names(char *out, u32 which)
{
	const char *space = "";
	size_t used = 0;

	*out = '\0';
	for (u32 i = 0; i < ARRAY_SIZE(actions); i++) {
		if (!(which & BIT(i)))
			continue;
		used += (size_t)format(out + used, SECCOMP_NAMES_MAX - used, "%s%s", space,
				       actions[i].name);
		space = " ";
	}
}

void seccomp_actions_avail(char *out)
{
	names(out, BIT(ARRAY_SIZE(actions)) - 1);
}

void seccomp_actions_logged(char *out)
{
	names(out, READ_ONCE(logged));
}

static bool bit_of(const char *name, size_t len, u32 *bits)
{
	for (u32 i = 0; i < ALLOW_INDEX; i++)
		if (strlen(actions[i].name) == len && !memcmp(actions[i].name, name, len)) {
			*bits |= (u32)BIT(i);
			return true;
		}
	return false; /* allow cannot be logged */
}

int seccomp_set_actions_logged(const char *text)
{
	u32 bits = 0;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	while (*text) {
		size_t len = 0;

		while (text[len] && text[len] != ' ')
			len++;
		if (len && !bit_of(text, len, &bits))
			return -EINVAL;
		text += len + (text[len] == ' ');
	}
	WRITE_ONCE(logged, bits);
	return 0;
}
