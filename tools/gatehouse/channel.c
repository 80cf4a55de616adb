/*
 * Frames to and from the guest's pid 1, queued on the way out, bounded on the way in.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "error.h"

void channel_init(struct channel *channel, int fd)
{
	*channel = (struct channel){.fd = fd};
}

static void append(struct channel *channel, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (channel->out_end + len > channel->out_size) {
		channel->out_size = 2 * (channel->out_end + len);
		channel->out = xrealloc(channel->out, channel->out_size);
	}
	memcpy(channel->out + channel->out_end, data, len);
	channel->out_end += len;
}

void channel_send(struct channel *channel, enum control_type type, const void *data, size_t len)
{
	struct control_frame frame = {.type = type, .len = (uint32_t)len};

	append(channel, &frame, sizeof(frame));
	append(channel, data, len);
}

void channel_send_text(struct channel *channel, enum control_type type, const char *text)
{
	size_t len = strlen(text);

	if (len > CONTROL_MAX_PAYLOAD)
		die("a word of %zu bytes is too long for a command line", len);
	channel_send(channel, type, text, len);
}

bool channel_has_output(const struct channel *channel)
{
	return channel->fd >= 0 && channel->out_start < channel->out_end;
}

void channel_flush(struct channel *channel)
{
	while (channel_has_output(channel)) {
		ssize_t put = write(channel->fd, channel->out + channel->out_start,
				    channel->out_end - channel->out_start);
		if (put < 0)
			return; /* no room yet, or QEMU is gone, which its own end will tell */
		channel->out_start += (size_t)put;
	}
	channel->out_start = channel->out_end = 0;
}

static void channel_close(struct channel *channel)
{
	close(channel->fd);
	channel->fd = -1;
}

void channel_fill(struct channel *channel)
{
	if (channel->fd < 0)
		return;
	ssize_t got = read(channel->fd, channel->in + channel->in_end,
			   sizeof(channel->in) - channel->in_end);
	if (got > 0)
		channel->in_end += (size_t)got;
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		channel_close(channel);
}

bool channel_next(struct channel *channel, struct control_frame *frame, void *payload, size_t size)
{
	if (channel->in_end < sizeof(*frame))
		return false;
	memcpy(frame, channel->in, sizeof(*frame));
	if (frame->len > sizeof(channel->in) - sizeof(*frame)) {
		channel->in_end = 0;
		if (channel->fd >= 0)
			channel_close(channel);
		return false;
	}
	size_t whole = sizeof(*frame) + frame->len;
	if (channel->in_end < whole)
		return false;
	if (frame->len > size)
		frame->len = (uint32_t)size;
	memcpy(payload, channel->in + sizeof(*frame), frame->len);
	channel->in_end -= whole;
	memmove(channel->in, channel->in + whole, channel->in_end);
	return true;
}
