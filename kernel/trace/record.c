/*
 * One record for each call: begun at the entry with what the call is given, finished on the way out with
 * what it gave, and put into the stream then. A call that never returns is recorded when its task ends.
 * The record belongs to the task alone, so nothing here locks. What is copied is what lay there when
 * the trace looked; the call itself looks again.
 */
#include <arch/entry.h>
#include <arch/speculation.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <mm/user.h>
#include <syscall/dispatch.h>
#include <time/clock.h>
#include "internal.h"

#define MANY_MAX 8 /* structures of an array */

/* Room for a capture of n bytes, or NULL. */
static u8 *capture_begin(struct trace_call *c, u32 n)
{
	u32 used = c->record.len - (u32)sizeof(c->record);

	return used + sizeof(struct trace_capture) + n <= sizeof(c->captures) ?
		       c->captures + used + sizeof(struct trace_capture) : NULL;
}

static void capture_end(struct trace_call *c, u32 arg, u32 n, u32 flags)
{
	struct trace_capture h = {.len = (u16)n, .arg = (u8)arg, .flags = (u8)flags};

	memcpy(c->captures + (c->record.len - sizeof(c->record)), &h, sizeof(h));
	c->record.len += (u32)(sizeof(h) + n);
}

static void capture_bytes(struct trace_call *c, u32 arg, u64 addr, u64 len, u32 max, u32 flags)
{
	u32 n = (u32)MIN(len, (u64)max);
	u8 *to = capture_begin(c, n);

	if (!addr || !to || user_read_bytes(to, user_handle(bytes, addr), n))
		return;
	capture_end(c, arg, n, flags | (len > n ? TRACE_CUT : 0));
}

static void capture_str(struct trace_call *c, u32 arg, u64 addr, u32 max)
{
	char *to = (char *)capture_begin(c, max + 1);
	ssize_t n;

	if (!addr || !to)
		return;
	n = user_read_str(to, user_handle(str, addr), max + 1);
	if (n == -ENAMETOOLONG)
		capture_bytes(c, arg, addr, (u64)max + 1, max, 0);
	else if (n >= 0)
		capture_end(c, arg, (u32)n, 0);
}

static void capture_list(struct trace_call *c, u32 arg, u64 addr)
{
	u64 item;

	for (u32 i = 0; addr && i < TRACE_LIST_MAX; i++) {
		if (user_read(&item, user_handle(u64, addr + i * sizeof(item))) || !item)
			return;
		capture_str(c, arg, item, TRACE_BYTES_MAX);
	}
}

static u64 next_arg(const struct trace_call *c, u32 arg)
{
	return arg + 1 < TRACE_ARGS ? c->record.args[arg + 1] : 0;
}

static void capture_struct(struct trace_call *c, u32 arg, const struct trace_arg *a, u32 flags)
{
	u64 n = a->what & CAP_MANY ? MIN(next_arg(c, arg), (u64)MANY_MAX) : 1;

	capture_bytes(c, arg, c->record.args[arg], n * a->size, TRACE_RECORD_MAX, flags);
}

static void capture_inputs(struct trace_call *c, const struct trace_arg *a)
{
	bool list = false;

	for (u32 i = 0; i < TRACE_ARGS; i++, a++) {
		u64 value = c->record.args[i];

		if (a->what & CAP_STR) {
			capture_str(c, i, value, TRACE_STR_MAX);
		} else if (a->what & CAP_STRV) {
			if (!list) /* the arguments, not the environment */
				capture_list(c, i, value);
			list = true;
		} else if ((a->what & (CAP_IN | CAP_BYTES)) == (CAP_IN | CAP_BYTES)) {
			capture_bytes(c, i, value, next_arg(c, i), TRACE_BYTES_MAX, 0);
		} else if (a->what & CAP_IN) {
			capture_struct(c, i, a, 0);
		}
	}
}

static void capture_outputs(struct trace_call *c, const struct trace_arg *a)
{
	for (u32 i = 0; i < TRACE_ARGS; i++, a++) {
		if (!(a->what & CAP_OUT))
			continue;
		if (a->what & CAP_BYTES)
			capture_bytes(c, i, c->record.args[i],
				      MIN(next_arg(c, i), (u64)c->record.result), TRACE_BYTES_MAX,
				      TRACE_OUT);
		else
			capture_struct(c, i, a, TRACE_OUT);
	}
}

void trace_enter(struct regs *regs, enum trace_check check)
{
	struct task *me = current;
	struct trace_call *c = me->trace;
	const struct trace_arg *a;

	if (!c)
		c = me->trace = kmalloc(sizeof(*c), GFP_KERNEL);
	if (!c) {
		trace_stream_lost();
		return;
	}
	c->record = (struct trace_record){
		.len = sizeof(c->record), .type = TRACE_CALL, .check = (u16)check,
		.nr = (u32)regs_syscall_nr(regs), .flags = TRACE_UNFINISHED, .pid = me->tid,
		.start_ns = clock_monotonic(),
	};
	for (u32 i = 0; i < TRACE_ARGS; i++)
		c->record.args[i] = regs_arg(regs, i);
	a = trace_args(c->record.nr);
	if (!check && (!a || syscall_table[index_clamp(c->record.nr, NR_SYSCALLS)] == sys_unimplemented))
		c->record.check = TRACE_CHECK_NO_CALL;
	if (a && trace_captures)
		capture_inputs(c, a);
	task_set_work(me, WORK_EXIT_TRACE);
}

void trace_result(struct regs *regs)
{
	struct trace_call *c = current->trace;
	const struct trace_arg *a = trace_args(c->record.nr);

	task_clear_work(current, WORK_EXIT_TRACE);
	c->record.duration_ns = clock_monotonic() - c->record.start_ns;
	c->record.result = regs_result(regs);
	c->record.flags &= ~TRACE_UNFINISHED;
	if (a && trace_captures && c->record.result >= 0)
		capture_outputs(c, a);
	trace_stream_put(&c->record);
}

void trace_note_slow(u32 check)
{
	current->trace->record.check = (u16)check;
}

void trace_fork(struct task *t)
{
	if (READ_ONCE(current->work) & WORK_ENTER_TRACE)
		task_set_work(t, WORK_ENTER_TRACE);
}

void trace_task_exit(s32 code)
{
	struct task *me = current;
	struct trace_call *c = me->trace;

	if (!c)
		return;
	if (READ_ONCE(me->work) & WORK_EXIT_TRACE) {
		task_clear_work(me, WORK_EXIT_TRACE);
		trace_stream_put(&c->record);
	}
	c->record = (struct trace_record){
		.len = sizeof(c->record), .type = TRACE_DIED, .pid = me->tid, .result = code,
		.start_ns = clock_monotonic(),
	};
	trace_stream_put(&c->record);
	me->trace = NULL;
	kfree(c);
}
