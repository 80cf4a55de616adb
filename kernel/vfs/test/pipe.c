/* Pipes from the kernel's side: capacity, merging, packets, resizing, ends that go away. */
#include <lib/ktest.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <vfs/poll.h>

#include "../internal_io.h"
#include "../pipe_internal.h"

static ssize_t put(struct file *w, const void *data, size_t n)
{
	return file_write_kernel(w, data, n, 0);
}

static ssize_t get(struct file *r, void *data, size_t n)
{
	return file_read_kernel(r, data, n, 0);
}

KTEST(pipe_keeps_order_and_bounds)
{
	struct file *r = NULL, *w = NULL;
	char *block = kzalloc(4096, GFP_KERNEL), buf[8];
	u32 full = 0;

	EXPECT(block && pipe_create(O_NONBLOCK, &r, &w) == 0);
	EXPECT(get(r, buf, 8) == -EAGAIN);
	EXPECT(put(w, "ab", 2) == 2 && put(w, "cd", 2) == 2);
	EXPECT(pipe_of(r)->head - pipe_of(r)->tail == 1); /* merged */
	EXPECT(get(r, buf, 3) == 3 && memcmp(buf, "abc", 3) == 0);
	EXPECT(get(r, buf, 8) == 1 && buf[0] == 'd');
	while (put(w, block, 4096) == 4096)
		full++;
	EXPECT(full == PIPE_DEFAULT_SLOTS);
	EXPECT(w->ops->poll(w, NULL) == 0);
	EXPECT(get(r, block, 4096) == 4096);
	EXPECT(w->ops->poll(w, NULL) & EPOLLOUT);
	kfree(block);
	file_put(w);
	file_put(r);
}

KTEST(pipe_packets_stay_apart)
{
	struct file *r = NULL, *w = NULL;
	char buf[8];

	EXPECT(pipe_create(O_NONBLOCK | O_DIRECT, &r, &w) == 0);
	EXPECT(put(w, "abcd", 4) == 4 && put(w, "ef", 2) == 2);
	EXPECT(get(r, buf, 2) == 2 && memcmp(buf, "ab", 2) == 0); /* the rest is lost */
	EXPECT(get(r, buf, 8) == 2 && memcmp(buf, "ef", 2) == 0);
	file_put(w);
	EXPECT(get(r, buf, 8) == 0);
	file_put(r);
}

KTEST(pipe_resizes_around_its_contents)
{
	struct file *r = NULL, *w = NULL;
	char buf[8];

	EXPECT(pipe_create(O_NONBLOCK | O_DIRECT, &r, &w) == 0);
	for (char c = 'a'; c < 'g'; c++)
		EXPECT(put(w, &c, 1) == 1);
	EXPECT(get(r, buf, 1) == 1 && get(r, buf, 1) == 1);
	EXPECT(pipe_set_size(w, 2 * PAGE_SIZE) == -EBUSY);
	EXPECT(pipe_set_size(w, 3 * PAGE_SIZE) == 4 * (long)PAGE_SIZE);
	EXPECT(pipe_get_size(r) == 4 * (long)PAGE_SIZE);
	EXPECT(put(w, "x", 1) == -EAGAIN);
	for (char c = 'c'; c < 'g'; c++)
		EXPECT(get(r, buf, 1) == 1 && buf[0] == c);
	EXPECT(pipe_set_size(w, (1ULL << 31) + 1) == -EINVAL);
	EXPECT(r->ops->poll(r, NULL) == 0);
	file_put(w);
	EXPECT(r->ops->poll(r, NULL) == EPOLLHUP);
	file_put(r);
}
