/*
 * The guest's end of the control channel: frames in and out of the control port.
 *
 * Input is buffered here, so one read of the device delivers many frames. Single-threaded; the
 * buffer and the descriptor are private to this file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

static int port = -1;
static char inbox[16384];
static size_t inbox_start, inbox_end;

int control_fd(void)
{
	return port;
}

static void pause_shortly(void)
{
	struct timespec pause_ns = {.tv_nsec = 250 * 1000};

	nanosleep(&pause_ns, NULL);
}

void port_wait_connected(int fd)
{
	struct pollfd state = {.fd = fd, .events = POLLIN};

	while (poll(&state, 1, 0) == 1 && (state.revents & POLLHUP))
		pause_shortly();
}

int control_open(void)
{
	/* On Linux the node appears some time after the driver's module has been inserted. */
	for (int tries = 0; tries < 8000; tries++) {
		port = open(CONTROL_PORT, O_RDWR | O_CLOEXEC);
		if (port >= 0) {
			port_wait_connected(port);
			return port;
		}
		if (tries > 400 && access(BOOT_DIR, F_OK) != 0)
			return -1; /* no module was to be loaded: there is no such device */
		pause_shortly();
	}
	return -1;
}

static void inbox_fill(void)
{
	ssize_t got;

	do {
		got = read(port, inbox, sizeof(inbox));
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		fail(got < 0 ? errno : 0, "the control channel ended");
	inbox_start = 0;
	inbox_end = (size_t)got;
}

static void inbox_take(void *to, size_t len)
{
	char *out = to;

	while (len > 0) {
		if (inbox_start == inbox_end)
			inbox_fill();
		size_t part = inbox_end - inbox_start;
		if (part > len)
			part = len;
		memcpy(out, inbox + inbox_start, part);
		inbox_start += part;
		out += part;
		len -= part;
	}
}

static void payload_take(const struct control_frame *frame, void *to, size_t len)
{
	if (frame->len != len)
		fail(0, "control frame %u has %u bytes, not %zu", frame->type, frame->len, len);
	inbox_take(to, len);
}

static char *string_take(const struct control_frame *frame)
{
	char *text = malloc(frame->len + 1);

	if (!text)
		fail(ENOMEM, "the command line does not fit into the guest's memory");
	inbox_take(text, frame->len);
	text[frame->len] = '\0';
	return text;
}

/* Appends to a NULL-terminated array, which grows by doubling. */
static char **list_append(char **list, size_t *count, char *item)
{
	if ((*count & (*count + 1)) == 0) {
		list = realloc(list, 2 * (*count + 1) * sizeof(*list));
		if (!list)
			fail(ENOMEM, "the command line does not fit into the guest's memory");
	}
	list[(*count)++] = item;
	list[*count] = NULL;
	return list;
}

static void filter_take(struct config *config, const struct control_frame *frame)
{
	size_t size = frame->len - sizeof(config->filter_flags);

	if (frame->len < sizeof(config->filter_flags) || size % sizeof(*config->filter) ||
	    size / sizeof(*config->filter) > BPF_MAXINSNS)
		fail(0, "a filter of %u bytes", frame->len);
	config->filter = malloc(size);
	if (!config->filter)
		fail(ENOMEM, "the filter does not fit into the guest's memory");
	inbox_take(&config->filter_flags, sizeof(config->filter_flags));
	inbox_take(config->filter, size);
	config->filter_len = (unsigned short)(size / sizeof(*config->filter));
}

static void config_apply(struct config *config, const struct control_frame *frame)
{
	switch (frame->type) {
	case CONTROL_ARG:
		config->argv = list_append(config->argv, &config->nr_args, string_take(frame));
		break;
	case CONTROL_ENV:
		config->envp = list_append(config->envp, &config->nr_env, string_take(frame));
		break;
	case CONTROL_MOUNT:
		config->mounts =
			list_append(config->mounts, &config->nr_mounts, string_take(frame));
		break;
	case CONTROL_WORKDIR:
		config->workdir = string_take(frame);
		break;
	case CONTROL_USER:
		config->user = string_take(frame);
		break;
	case CONTROL_HOSTNAME:
		config->hostname = string_take(frame);
		break;
	case CONTROL_TERMINAL:
		payload_take(frame, &config->terminal, sizeof(config->terminal));
		config->has_terminal = true;
		break;
	case CONTROL_SECCOMP:
		filter_take(config, frame);
		break;
	case CONTROL_TRACE:
		config->trace = string_take(frame);
		break;
	case CONTROL_END_MARK:
		payload_take(frame, config->end_mark, sizeof(config->end_mark));
		break;
	default:
		fail(0, "unknown control frame %u", frame->type);
	}
}

void control_read_config(struct config *config)
{
	struct control_frame frame;

	config->workdir = "/";
	config->hostname = "gatehouse";
	for (;;) {
		inbox_take(&frame, sizeof(frame));
		if (frame.len > CONTROL_MAX_PAYLOAD)
			fail(0, "control frame of %u bytes", frame.len);
		if (frame.type == CONTROL_START)
			break;
		config_apply(config, &frame);
	}
	if (config->nr_args == 0)
		fail(0, "no command in the configuration");
}

static void signal_program(pid_t program, const struct control_signal *request)
{
	kill(request->to_group ? -program : program, (int)request->signo);
}

void control_dispatch(pid_t program)
{
	do {
		struct control_frame frame;
		struct control_signal request;
		struct control_winsize size;

		inbox_take(&frame, sizeof(frame));
		switch (frame.type) {
		case CONTROL_SIGNAL:
			payload_take(&frame, &request, sizeof(request));
			signal_program(program, &request);
			break;
		case CONTROL_WINSIZE:
			payload_take(&frame, &size, sizeof(size));
			program_resize(size);
			break;
		default:
			fail(0, "unexpected control frame %u", frame.type);
		}
	} while (inbox_start != inbox_end);
}

void control_send(enum control_type type, const void *payload, size_t len)
{
	char frame[sizeof(struct control_frame) + 512];
	struct control_frame header = {.type = type, .len = (uint32_t)len};
	size_t sent = 0;

	if (len > sizeof(frame) - sizeof(header))
		len = header.len = sizeof(frame) - sizeof(header);
	memcpy(frame, &header, sizeof(header));
	if (len > 0)
		memcpy(frame + sizeof(header), payload, len);
	while (sent < sizeof(header) + len) {
		ssize_t part = write(port, frame + sent, sizeof(header) + len - sent);
		if (part < 0 && errno != EINTR)
			return;
		if (part > 0)
			sent += (size_t)part;
	}
}
