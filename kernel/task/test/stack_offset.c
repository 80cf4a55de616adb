/*
 * randomize_kstack_offset: how far down its kernel stack a program waits in one and the same system call.
 * Without the word it is always equally far; with it (mitigations=full turns it on) it changes.
 */
#include <arch/entry.h>
#include <boot/boot_info.h>
#include <lib/ktest.h>
#include <lib/string.h>
#include <time/clock.h>
#include <vfs/pipe.h>
#include "../internal.h"
#include "../user_helper.h"

#define PROGRAMS 24

static bool option_is(const char *name, const char *value)
{
	char text[16];

	return boot_option_copy(name, text, sizeof(text)) > 0 && !strcmp(text, value);
}

static bool expected_to_change(void)
{
	if (option_is("randomize_kstack_offset", "off"))
		return false;
	return option_is("randomize_kstack_offset", "on") || option_is("mitigations", "full");
}

/* The depths of all programs that wait in read(0); their number. */
static size_t depths(u64 depth[PROGRAMS])
{
	struct process *p;
	size_t n = 0;

	spin_lock_irq(&tasklist_lock);
	list_for_each(p, &all_processes, all_node) {
		struct task *t = p->leader;

		if (n < PROGRAMS && !strcmp(t->comm, "cat") && READ_ONCE(t->state) != TASK_RUNNING &&
		    regs_syscall_nr(task_regs(t)) == 0)
			depth[n++] = (u64)task_regs(t) - t->arch.sp;
	}
	spin_unlock_irq(&tasklist_lock);
	return n;
}

KTEST(a_system_calls_place_on_the_stack_changes_when_asked_for)
{
	static const char *const argv[] = {"/bin/cat", NULL};
	struct file *in, *out;
	u64 depth[PROGRAMS];
	size_t n = 0, different = 0;
	u64 until;

	if (pipe_create(0, &in, &out)) {
		EXPECT(!"pipe");
		return;
	}
	for (u32 i = 0; i < PROGRAMS; i++)
		EXPECT(!user_helper_start(argv, in));
	until = clock_monotonic() + 20 * NSEC_PER_SEC;
	while (n < PROGRAMS && clock_monotonic() < until) {
		n = depths(depth);
		sched_set_state(TASK_UNINTERRUPTIBLE);
		(void)schedule_until(clock_monotonic() + NSEC_PER_MSEC);
	}
	file_close(in, NULL);
	file_close(out, NULL); /* the end of the file for all of them */
	EXPECT(n == PROGRAMS);
	for (size_t i = 1; i < n; i++)
		different += depth[i] != depth[0];
	EXPECT(expected_to_change() ? different > PROGRAMS / 2 : different == 0);
}
