/*
 * Moving bytes between host and guest, with flow control on every step and without blocking.
 *
 * A host descriptor is shared with other processes, so it is never switched to non-blocking: a pipe
 * or terminal is opened again through /proc, which makes a description of our own; a socket takes
 * MSG_DONTWAIT; the rest is written in pieces small enough not to block after poll said "ready".
 *
 * The end of an output is an end mark that pid 1 writes after the program has ended, random for
 * each run. The mark is written in one piece, so when it has arrived only in part while the program
 * is still alive, it is not the mark, and nothing of the program's output is ever kept waiting.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "stream.h"

static void sink_open(struct outflow *flow, int fd)
{
	struct stat st;

	flow->to = fd;
	flow->kind = SINK_CAREFUL;
	if (fstat(fd, &st) < 0)
		return;
	if (S_ISREG(st.st_mode)) {
		flow->kind = SINK_FILE;
	} else if (S_ISSOCK(st.st_mode)) {
		flow->kind = SINK_SOCKET;
	} else if (S_ISFIFO(st.st_mode) || isatty(fd)) {
		char *path = format_text("/proc/self/fd/%d", fd);
		int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		free(path);
		if (own >= 0) {
			flow->to = own;
			flow->kind = SINK_NONBLOCKING;
		}
	}
}

void outflow_init(struct outflow *flow, int from, int to, const char *end_mark)
{
	flow->from = from;
	flow->end_mark = end_mark;
	flow->start = flow->end = flow->held = 0;
	flow->program_ended = false;
	flow->finished = from < 0;
	flow->broken = false;
	sink_open(flow, to);
}

static size_t pending(const struct outflow *flow)
{
	return flow->end - flow->held - flow->start;
}

bool outflow_done(const struct outflow *flow)
{
	return flow->finished && pending(flow) == 0;
}

void outflow_want(const struct outflow *flow, struct pollfd *slot)
{
	*slot = (struct pollfd){.fd = -1};
	if (pending(flow) > 0 || (flow->held > 0 && !flow->program_ended))
		*slot = (struct pollfd){.fd = flow->to, .events = POLLOUT};
	else if (flow->from >= 0)
		*slot = (struct pollfd){.fd = flow->from, .events = POLLIN};
}

/* How many of the last bytes could be the beginning of the end mark. */
static size_t partial_mark(const struct outflow *flow)
{
	size_t have = flow->end - flow->start;

	for (size_t len = have < END_MARK_LEN ? have : END_MARK_LEN - 1; len > 0; len--) {
		if (memcmp(flow->buffer + flow->end - len, flow->end_mark, len) == 0)
			return len;
	}
	return 0;
}

static void look_for_mark(struct outflow *flow)
{
	flow->held = 0;
	if (flow->end - flow->start >= END_MARK_LEN &&
	    memcmp(flow->buffer + flow->end - END_MARK_LEN, flow->end_mark, END_MARK_LEN) == 0) {
		flow->end -= END_MARK_LEN;
		flow->finished = true;
	} else {
		flow->held = partial_mark(flow);
	}
}

static void stream_ended(struct outflow *flow)
{
	close(flow->from);
	flow->from = -1;
	flow->held = 0;
	flow->finished = true;
}

/* Reads once. False: nothing was there, or the stream is over. */
static bool fill(struct outflow *flow)
{
	memmove(flow->buffer, flow->buffer + flow->start, flow->end - flow->start);
	flow->end -= flow->start;
	flow->start = 0;
	ssize_t got = read(flow->from, flow->buffer + flow->end, sizeof(flow->buffer) - flow->end);
	if (got > 0) {
		flow->end += (size_t)got;
		look_for_mark(flow);
		return true;
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		stream_ended(flow);
	return false;
}

/* Nobody reads: the guest is told by closing its end, as a pipe would tell a local program. */
static void sink_broken(struct outflow *flow)
{
	flow->broken = true;
	flow->start = flow->end;
	if (flow->from >= 0)
		stream_ended(flow);
}

static void drain(struct outflow *flow)
{
	const char *data = flow->buffer + flow->start;
	size_t len = pending(flow);
	ssize_t put;

	if (flow->kind == SINK_SOCKET) {
		put = send(flow->to, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		if (flow->kind == SINK_CAREFUL && len > PIPE_BUF)
			len = PIPE_BUF;
		put = write(flow->to, data, len);
	}
	if (put > 0)
		flow->start += (size_t)put;
	else if (put < 0 && errno != EAGAIN && errno != EINTR)
		sink_broken(flow);
}

void outflow_run(struct outflow *flow, const struct pollfd *slot)
{
	bool more = true;

	if (slot->fd < 0 || !slot->revents)
		return;
	while (more && pending(flow) == 0 && flow->from >= 0)
		more = fill(flow);
	/* What could be the mark's beginning is just output if the rest is not there as well. */
	while (more && flow->held > 0 && flow->end < sizeof(flow->buffer))
		more = fill(flow);
	if (!more && !flow->program_ended)
		flow->held = 0;
	if (pending(flow) > 0)
		drain(flow);
}

void inflow_init(struct inflow *flow, int from, int to, bool to_is_socket)
{
	flow->from = from;
	flow->to = to;
	flow->to_is_socket = to_is_socket;
	flow->start = flow->end = 0;
}

void inflow_want(const struct inflow *flow, struct pollfd slots[2])
{
	slots[0] = (struct pollfd){.fd = -1, .events = POLLIN};
	slots[1] = (struct pollfd){.fd = -1, .events = POLLOUT};
	if (flow->to < 0)
		return;
	if (flow->start < flow->end)
		slots[1].fd = flow->to;
	else
		slots[0].fd = flow->from;
}

/*
 * The program reads end-of-file once it has read what was sent. Only our sending side is closed:
 * QEMU would drop unread bytes of a socket that is closed both ways.
 */
static void inflow_end(struct inflow *flow)
{
	flow->from = -1;
	if (flow->to_is_socket)
		shutdown(flow->to, SHUT_WR);
}

void inflow_run(struct inflow *flow, const struct pollfd slots[2])
{
	if (slots[0].fd >= 0 && slots[0].revents) {
		ssize_t got = read(flow->from, flow->buffer, sizeof(flow->buffer));
		flow->start = 0;
		flow->end = got > 0 ? (size_t)got : 0;
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			inflow_end(flow);
	}
	if (flow->start < flow->end) {
		ssize_t put = write(flow->to, flow->buffer + flow->start, flow->end - flow->start);
		if (put > 0)
			flow->start += (size_t)put;
		else if (put < 0 && errno != EAGAIN && errno != EINTR)
			flow->to = -1; /* the program reads no more */
	}
}
