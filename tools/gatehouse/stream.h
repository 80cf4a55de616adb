/*
 * Byte streams between this process's descriptors and the guest's.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "control.h"

#define STREAM_BUFFER (1u << 17)

/* How a host descriptor is written without blocking the command. */
enum sink_kind {
	SINK_NONBLOCKING, /* our own description of a pipe or terminal */
	SINK_SOCKET,	  /* sends with MSG_DONTWAIT */
	SINK_FILE,	  /* regular file: does not block for long */
	SINK_CAREFUL,	  /* anything else: a small piece after poll said that one fits */
};

/* From the guest to one of our descriptors. */
struct outflow {
	int from; /* -1: no such stream, or it has ended */
	int to;
	enum sink_kind kind;
	const char *end_mark; /* END_MARK_LEN bytes; not passed on */
	size_t start, end;    /* what has been read and not written */
	size_t held;	      /* of that, the last bytes may be the beginning of the end mark */
	bool program_ended;   /* set by the owner: the end mark is on its way */
	bool finished;	      /* the end mark was seen, or the stream has ended */
	bool broken;	      /* nobody reads `to` any more */
	char buffer[STREAM_BUFFER];
};

/* From one of our descriptors to the guest. */
struct inflow {
	int from; /* -1: ended */
	int to;
	bool to_is_socket;
	size_t start, end;
	char buffer[STREAM_BUFFER];
};

/* `from` may be -1 (a stream that is not there is a finished one). */
void outflow_init(struct outflow *flow, int from, int to, const char *end_mark);
/* What to wait for; *slot gets fd -1 when there is nothing. */
void outflow_want(const struct outflow *flow, struct pollfd *slot);
/* Moves what can be moved after poll has filled *slot. */
void outflow_run(struct outflow *flow, const struct pollfd *slot);
/* True when every byte has been written (or nobody wants it). */
bool outflow_done(const struct outflow *flow);

void inflow_init(struct inflow *flow, int from, int to, bool to_is_socket);
void inflow_want(const struct inflow *flow, struct pollfd slots[2]);
void inflow_run(struct inflow *flow, const struct pollfd slots[2]);
