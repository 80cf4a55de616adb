/*
 * The host's end of the control channel.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "control.h"

struct channel {
	int fd;	   /* non-blocking; -1: closed */
	char *out; /* frames not sent yet */
	size_t out_start, out_end, out_size;
	char in[8192];
	size_t in_end;
};

void channel_init(struct channel *channel, int fd);
/* Queues a frame; it leaves with the next channel_flush that finds room. */
void channel_send(struct channel *channel, enum control_type type, const void *data, size_t len);
void channel_send_text(struct channel *channel, enum control_type type, const char *text);
bool channel_has_output(const struct channel *channel);
void channel_flush(struct channel *channel);
/* Reads what has arrived. */
void channel_fill(struct channel *channel);
/*
 * Takes the next complete frame; `payload` has room for `size` bytes, a longer payload is cut.
 * False when there is none. The guest is not trusted: an impossible frame closes the channel.
 */
bool channel_next(struct channel *channel, struct control_frame *frame, void *payload, size_t size);
