/*
 * Host unit tests of the command's pure parts: the end mark of an output, frames from an untrusted
 * guest, the archive writer. Built with ASan and UBSan.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"
#include "cpio.h"
#include "stream.h"

static const char mark[] = "0123456789abcdef0123456789abcdef";

/* An output between two pipes; the guest's end is written to by hand. */
struct fixture {
	struct outflow flow;
	int guest;  /* write here */
	int reader; /* what the host's reader sees */
};

static int make_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int guest[2], host[2];

	assert_non_null(f);
	assert_int_equal(pipe2(guest, O_NONBLOCK), 0);
	assert_int_equal(pipe2(host, O_NONBLOCK), 0);
	outflow_init(&f->flow, guest[0], host[1], mark);
	f->guest = guest[1];
	f->reader = host[0];
	*state = f;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *f = *state;

	close(f->guest);
	close(f->reader);
	if (f->flow.from >= 0)
		close(f->flow.from);
	free(f);
	return 0;
}

static void guest_writes(struct fixture *f, const char *data, size_t len)
{
	assert_int_equal(write(f->guest, data, len), len);
}

/* As the event loop does it, until there is nothing to do. */
static void pump(struct fixture *f)
{
	struct pollfd slot;

	for (;;) {
		outflow_want(&f->flow, &slot);
		if (slot.fd < 0 || poll(&slot, 1, 0) <= 0)
			return;
		outflow_run(&f->flow, &slot);
	}
}

static void reader_gets(struct fixture *f, const char *wanted, size_t len)
{
	char got[4096];
	ssize_t n = read(f->reader, got, sizeof(got));

	assert_int_equal(n < 0 ? 0 : n, len);
	assert_memory_equal(got, wanted, len);
}

static void output_is_passed_on_at_once(void **state)
{
	struct fixture *f = *state;

	guest_writes(f, "prompt> ", 8);
	pump(f);
	reader_gets(f, "prompt> ", 8);
	assert_false(outflow_done(&f->flow));
}

static void end_mark_ends_the_stream_and_is_not_passed_on(void **state)
{
	struct fixture *f = *state;

	guest_writes(f, "last", 4);
	guest_writes(f, mark, END_MARK_LEN);
	pump(f);
	reader_gets(f, "last", 4);
	assert_true(outflow_done(&f->flow));
}

/* A living program's output that begins like the mark must not be kept waiting. */
static void prefix_of_the_mark_is_output_while_the_program_runs(void **state)
{
	struct fixture *f = *state;

	for (size_t len = 1; len < END_MARK_LEN; len++) {
		guest_writes(f, mark, len);
		pump(f);
		reader_gets(f, mark, len);
	}
	assert_false(outflow_done(&f->flow));
}

/* After the end of the program the mark may arrive in pieces. */
static void mark_in_two_pieces_after_the_end(void **state)
{
	struct fixture *f = *state;
	char data[64] = "tail";

	f->flow.program_ended = true;
	memcpy(data + 4, mark, END_MARK_LEN);
	guest_writes(f, data, 4 + 11);
	pump(f);
	reader_gets(f, "tail", 4);
	assert_false(outflow_done(&f->flow));
	guest_writes(f, mark + 11, END_MARK_LEN - 11);
	pump(f);
	reader_gets(f, "", 0);
	assert_true(outflow_done(&f->flow));
}

static void near_misses_of_the_mark_are_output(void **state)
{
	struct fixture *f = *state;
	char data[END_MARK_LEN * 2 + 1];

	snprintf(data, sizeof(data), "%.31s0%s", mark, mark);
	guest_writes(f, data, END_MARK_LEN * 2);
	pump(f);
	reader_gets(f, data, END_MARK_LEN);
	assert_true(outflow_done(&f->flow));
}

static void more_than_the_buffer_arrives_complete(void **state)
{
	struct fixture *f = *state;
	static char block[1024];
	size_t written = 0, received = 0;
	char got[4096];

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = mark[i % 7];
	while (written < 3 * STREAM_BUFFER || received < written) {
		if (written < 3 * STREAM_BUFFER &&
		    write(f->guest, block, sizeof(block)) == (ssize_t)sizeof(block))
			written += sizeof(block);
		pump(f);
		ssize_t n = read(f->reader, got, sizeof(got));
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(got[i], block[(received + (size_t)i) % sizeof(block)]);
		received += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(received, written);
}

static void end_without_a_mark_finishes_too(void **state)
{
	struct fixture *f = *state;

	guest_writes(f, mark, 5);
	close(f->guest);
	f->guest = dup(f->reader);
	pump(f);
	reader_gets(f, mark, 5);
	assert_true(outflow_done(&f->flow));
}

static void reader_that_leaves_breaks_the_stream(void **state)
{
	struct fixture *f = *state;

	close(f->reader);
	f->reader = dup(f->guest);
	guest_writes(f, "data", 4);
	pump(f);
	assert_true(f->flow.broken);
	assert_true(outflow_done(&f->flow));
}

static void make_channel(struct channel *channel, int *guest)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	channel_init(channel, ends[0]);
	*guest = ends[1];
}

static void frames_arrive_byte_by_byte(void **state)
{
	const struct control_frame sent = {.type = CONTROL_EXIT, .len = 4};
	struct control_frame frame;
	struct channel channel;
	char bytes[12], payload[4];
	int guest;

	(void)state;
	make_channel(&channel, &guest);
	memcpy(bytes, &sent, sizeof(sent));
	memcpy(bytes + sizeof(sent), "\7\0\0\0", 4);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_false(channel_next(&channel, &frame, payload, sizeof(payload)));
		assert_int_equal(write(guest, bytes + i, 1), 1);
		channel_fill(&channel);
	}
	assert_true(channel_next(&channel, &frame, payload, sizeof(payload)));
	assert_int_equal(frame.type, CONTROL_EXIT);
	assert_memory_equal(payload, "\7\0\0\0", 4);
	assert_false(channel_next(&channel, &frame, payload, sizeof(payload)));
	close(channel.fd);
	close(guest);
}

static void long_payload_is_cut_and_the_next_frame_found(void **state)
{
	struct control_frame frame = {.type = CONTROL_ERROR, .len = 1000};
	const struct control_frame second = {.type = CONTROL_STARTED};
	struct channel channel;
	char text[1000], payload[16];
	int guest;

	(void)state;
	make_channel(&channel, &guest);
	memset(text, 'x', sizeof(text));
	assert_int_equal(write(guest, &frame, sizeof(frame)), sizeof(frame));
	assert_int_equal(write(guest, text, sizeof(text)), sizeof(text));
	assert_int_equal(write(guest, &second, sizeof(second)), sizeof(second));
	channel_fill(&channel);
	assert_true(channel_next(&channel, &frame, payload, sizeof(payload)));
	assert_int_equal(frame.len, sizeof(payload));
	assert_true(channel_next(&channel, &frame, payload, sizeof(payload)));
	assert_int_equal(frame.type, CONTROL_STARTED);
	close(channel.fd);
	close(guest);
}

static void impossible_frame_closes_the_channel(void **state)
{
	struct control_frame frame = {.type = CONTROL_EXIT, .len = UINT32_MAX};
	struct channel channel;
	char payload[4];
	int guest;

	(void)state;
	make_channel(&channel, &guest);
	assert_int_equal(write(guest, &frame, sizeof(frame)), sizeof(frame));
	channel_fill(&channel);
	assert_false(channel_next(&channel, &frame, payload, sizeof(payload)));
	assert_int_equal(channel.fd, -1);
	close(guest);
}

static void archive_is_aligned_and_exact(void **state)
{
	const struct cpio_entry entry = {.name = "ab",
					 .mode = S_IFREG | 0644,
					 .uid = 1,
					 .gid = 2,
					 .nr_links = 1,
					 .mtime = 3,
					 .size = 5};
	/* clang-format off */
	static const char wanted[] = "070701"
				     "00000001" "000081a4" "00000001" "00000002" "00000001" "00000003"
				     "00000005" "00000000" "00000000" "00000000" "00000000" "00000003"
				     "00000000" "ab\0\0\0\0" "hello\0\0\0" "070701";
	/* clang-format on */
	struct cpio_writer writer;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	cpio_start(&writer, out);
	cpio_add(&writer, &entry, "hello");
	assert_true(cpio_finish(&writer));
	fclose(out);
	assert_int_equal(len, writer.written);
	assert_memory_equal(text, wanted, sizeof(wanted) - 1);
	free(text);
}

static void archive_reports_a_full_disk(void **state)
{
	const struct cpio_entry entry = {.name = "a", .mode = S_IFDIR | 0755, .nr_links = 2};
	struct cpio_writer writer;
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(out);
	cpio_start(&writer, out);
	cpio_add(&writer, &entry, NULL);
	assert_false(cpio_finish(&writer));
	assert_int_equal(errno, ENOSPC);
	fclose(out);
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, make_fixture, free_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(output_is_passed_on_at_once),
		STREAM_TEST(end_mark_ends_the_stream_and_is_not_passed_on),
		STREAM_TEST(prefix_of_the_mark_is_output_while_the_program_runs),
		STREAM_TEST(mark_in_two_pieces_after_the_end),
		STREAM_TEST(near_misses_of_the_mark_are_output),
		STREAM_TEST(more_than_the_buffer_arrives_complete),
		STREAM_TEST(end_without_a_mark_finishes_too),
		STREAM_TEST(reader_that_leaves_breaks_the_stream),
		cmocka_unit_test(frames_arrive_byte_by_byte),
		cmocka_unit_test(long_payload_is_cut_and_the_next_frame_found),
		cmocka_unit_test(impossible_frame_closes_the_channel),
		cmocka_unit_test(archive_is_aligned_and_exact),
		cmocka_unit_test(archive_reports_a_full_disk),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
