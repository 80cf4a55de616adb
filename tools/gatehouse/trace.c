/*
 * The trace on the host: takes the stream of records apart and makes of it what was asked for: lines in
 * strace's format, a table like `strace -c`, a seccomp profile of the calls that were made.
 *
 * pid 1's child switches the recording on for itself right before it executes the program; what it does
 * in between is not the program's, so everything before the first execve is left out. The guest is
 * not trusted: a record that cannot be one ends the stream.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "decode.h"
#include "error.h"
#include "trace.h"

#define STREAM_BUFFER_SIZE (1u << 18)
#define OTHER_MAX 1 /* calls that the table does not name are counted together */

struct count {
	uint64_t calls, errors, ns;
};

static struct {
	FILE *lines;   /* NULL: no lines */
	FILE *learn;   /* NULL: no profile */
	bool summary;
	int from;      /* -1: ended */
	bool ended;    /* the last record was seen */
	bool begun;    /* the program was executed */
	uint64_t lost;
	struct count *counts; /* call_limit() + OTHER_MAX */
	char buffer[STREAM_BUFFER_SIZE];
	size_t len;
} trace = {.from = -1};

static FILE *create(const char *option, const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		die("%s '%s': %s", option, path, strerror(errno));
	return file;
}

void trace_open(const struct run_options *options)
{
	const char *to = options->trace;

	if (to && strcmp(to, "summary") == 0)
		trace.summary = true;
	else if (to)
		trace.lines = *to ? create("--trace", to) : stderr;
	if (options->learn)
		trace.learn = create("--learn", options->learn);
	if (!trace_mode())
		return;
	trace.counts = calloc(call_limit() + OTHER_MAX, sizeof(*trace.counts));
	if (!trace.counts)
		die("out of memory");
}

const char *trace_mode(void)
{
	if (trace.lines)
		return "calls";
	return trace.summary || trace.learn ? "counts" : NULL;
}

void trace_attach(int fd)
{
	trace.from = fd;
}

void trace_want(struct pollfd *slot)
{
	*slot = (struct pollfd){.fd = trace.from, .events = POLLIN};
}

bool trace_done(void)
{
	return trace.from < 0 || trace.ended;
}

/* --- records ---------------------------------------------------------------------------------- */

static bool is_execve(const struct trace_record *record)
{
	const struct call *call = call_find(record->nr);

	return call && strcmp(call->name, "execve") == 0;
}

static void count(const struct trace_record *record)
{
	uint32_t nr = call_find(record->nr) ? record->nr : call_limit();
	struct count *c = &trace.counts[nr];

	c->calls++;
	c->ns += record->duration_ns;
	if (!(record->flags & TRACE_UNFINISHED) && record->result < 0 && record->result >= -4095)
		c->errors++;
}

static void on_record(const struct trace_record *record, const char *captures, size_t len)
{
	switch (record->type) {
	case TRACE_CALL:
		trace.begun = trace.begun || is_execve(record);
		if (!trace.begun)
			return;
		count(record);
		if (trace.lines)
			decode_call(trace.lines, record, captures, len);
		break;
	case TRACE_DIED:
		if (trace.lines && trace.begun)
			decode_death(trace.lines, record);
		break;
	case TRACE_END:
		trace.ended = true;
		trace.lost = (uint64_t)record->result;
		break;
	default:
		break;
	}
}

/* All whole records in the buffer. False: this is no stream of records. */
static bool take_records(void)
{
	struct trace_record record;
	size_t at = 0;

	while (trace.len - at >= sizeof(record)) {
		memcpy(&record, trace.buffer + at, sizeof(record));
		if (record.len < sizeof(record) || record.len > TRACE_RECORD_MAX)
			return false;
		if (record.len > trace.len - at)
			break;
		on_record(&record, trace.buffer + at + sizeof(record), record.len - sizeof(record));
		at += record.len;
	}
	trace.len -= at;
	memmove(trace.buffer, trace.buffer + at, trace.len);
	return true;
}

static bool read_some(void)
{
	ssize_t got = read(trace.from, trace.buffer + trace.len, sizeof(trace.buffer) - trace.len);

	if (got > 0) {
		trace.len += (size_t)got;
		if (take_records())
			return true;
		complain("the trace is not what this command understands: it ends here");
	} else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		return false;
	}
	close(trace.from);
	trace.from = -1;
	return false;
}

void trace_run(const struct pollfd *slot)
{
	if (trace.from >= 0 && slot->revents)
		read_some();
}

/* --- the end ----------------------------------------------------------------------------------- */

static int by_time(const void *left, const void *right)
{
	const struct count *a = &trace.counts[*(const uint32_t *)left];
	const struct count *b = &trace.counts[*(const uint32_t *)right];

	if (a->ns != b->ns)
		return a->ns < b->ns ? 1 : -1;
	return a->calls < b->calls ? 1 : a->calls > b->calls ? -1 : 0;
}

static void put_count(const struct count *c, double total_ns, const char *name)
{
	char errors[24] = "";

	if (c->errors)
		snprintf(errors, sizeof(errors), "%" PRIu64, c->errors);
	fprintf(stderr, "%6.2f %11.6f %11" PRIu64 " %9" PRIu64 " %9s %s\n",
		total_ns > 0 ? 100.0 * (double)c->ns / total_ns : 0.0, (double)c->ns / 1e9,
		c->calls ? c->ns / c->calls / 1000 : 0, c->calls, errors, name);
}

/* As `strace -c` has it: time is the time between entry and return. */
static void put_summary(void)
{
	uint32_t *order = xmalloc((call_limit() + OTHER_MAX) * sizeof(*order));
	struct count total = {0};
	size_t used = 0;

	for (uint32_t nr = 0; nr < call_limit() + OTHER_MAX; nr++) {
		const struct count *c = &trace.counts[nr];
		if (!c->calls)
			continue;
		order[used++] = nr;
		total.calls += c->calls;
		total.errors += c->errors;
		total.ns += c->ns;
	}
	qsort(order, used, sizeof(*order), by_time);
	fputs("% time     seconds  usecs/call     calls    errors syscall\n"
	      "------ ----------- ----------- --------- --------- ----------------\n", stderr);
	for (size_t i = 0; i < used; i++) {
		const struct call *call = call_find(order[i]);
		put_count(&trace.counts[order[i]], (double)total.ns, call ? call->name : "(unknown)");
	}
	fputs("------ ----------- ----------- --------- --------- ----------------\n", stderr);
	put_count(&total, (double)total.ns, "total");
	free(order);
}

static int by_name(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* What signals need of the kernel comes and goes with time: it is always in the profile. */
static bool always_needed(const char *name)
{
	return strcmp(name, "execve") == 0 || strcmp(name, "exit_group") == 0 ||
	       strcmp(name, "rt_sigreturn") == 0 || strcmp(name, "restart_syscall") == 0;
}

static void put_profile(void)
{
	const char **names = xmalloc(call_limit() * sizeof(*names));
	size_t used = 0;

	for (uint32_t nr = 0; nr < call_limit(); nr++) {
		const struct call *call = call_find(nr);
		if (call && (trace.counts[nr].calls || always_needed(call->name)))
			names[used++] = call->name;
	}
	qsort(names, used, sizeof(*names), by_name);
	fputs("{\n\t\"defaultAction\": \"SCMP_ACT_ERRNO\",\n\t\"defaultErrnoRet\": 1,\n"
	      "\t\"architectures\": [\"SCMP_ARCH_X86_64\"],\n\t\"syscalls\": [\n\t\t{\n"
	      "\t\t\t\"names\": [\n", trace.learn);
	for (size_t i = 0; i < used; i++)
		fprintf(trace.learn, "\t\t\t\t\"%s\"%s\n", names[i], i + 1 < used ? "," : "");
	fputs("\t\t\t],\n\t\t\t\"action\": \"SCMP_ACT_ALLOW\"\n\t\t}\n\t]\n}\n", trace.learn);
	free(names);
}

void trace_finish(void)
{
	if (!trace_mode())
		return;
	while (trace.from >= 0 && !trace.ended && read_some())
		;
	if (trace.lost)
		complain("the guest had no memory to record %" PRIu64 " calls", trace.lost);
	if (trace.summary)
		put_summary();
	if (trace.learn) {
		put_profile();
		if (fclose(trace.learn) != 0)
			complain("--learn: %s", strerror(errno));
	}
	if (trace.lines && fflush(trace.lines) != 0)
		complain("--trace: %s", strerror(errno));
}
