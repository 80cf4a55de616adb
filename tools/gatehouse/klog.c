/*
 * A ring with the end of a log: the guest kernel's serial line, QEMU's own messages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "klog.h"

void klog_init(struct klog *log, int from, bool show)
{
	log->from = from;
	log->show = show;
	log->end = 0;
}

static void pass_on(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t put = write(STDERR_FILENO, data, len);
		if (put < 0 && errno != EINTR)
			return;
		if (put > 0) {
			data += put;
			len -= (size_t)put;
		}
	}
}

void klog_read(struct klog *log)
{
	while (log->from >= 0) {
		size_t at = log->end % sizeof(log->buffer);
		ssize_t got = read(log->from, log->buffer + at, sizeof(log->buffer) - at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			close(log->from);
			log->from = -1;
			return;
		}
		if (log->show)
			pass_on(log->buffer + at, (size_t)got);
		log->end += (size_t)got;
	}
}

/* The log as one string without carriage returns; returns its length. */
static size_t unroll(const struct klog *log, char text[sizeof(log->buffer)])
{
	size_t size = sizeof(log->buffer);
	size_t from = log->end > size ? log->end - size : 0;
	size_t len = 0;

	for (size_t i = from; i < log->end; i++) {
		char c = log->buffer[i % size];
		if (c != '\r' && c != '\0')
			text[len++] = c;
	}
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	return len;
}

/* Where the last `lines` lines of a text begin. */
static size_t tail_start(const char *text, size_t len, unsigned int lines)
{
	size_t at = len;

	while (at > 0 && (text[at - 1] != '\n' || --lines > 0))
		at--;
	return at;
}

void klog_print_tail(const struct klog *log, unsigned int lines)
{
	char text[sizeof(log->buffer) + 1];
	size_t len = unroll(log, text);
	size_t at = tail_start(text, len, lines);

	if (len == 0)
		return;
	text[len++] = '\n';
	pass_on(text + at, len - at);
}

bool klog_last_line(const struct klog *log, char *line, size_t size)
{
	char text[sizeof(log->buffer)];
	size_t len = unroll(log, text);
	size_t at = tail_start(text, len, 1);
	size_t part = len - at < size ? len - at : size - 1;

	memcpy(line, text + at, part);
	line[part] = '\0';
	return part > 0;
}
