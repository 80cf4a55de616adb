/*
 * From the interrupt to the line discipline: a ring that interrupts fill, and a kernel thread for
 * each line that empties it.
 */
#include <lib/errno.h>
#include <task/task.h>
#include "input.h"

void tty_input_put(struct tty_input *in, const char *data, size_t len)
{
	u64 flags = spin_lock_irqsave(&in->lock);

	for (size_t i = 0; i < len && in->head - in->tail < TTY_INPUT_SIZE; i++)
		in->ring[in->head++ % TTY_INPUT_SIZE] = data[i];
	spin_unlock_irqrestore(&in->lock, flags);
	wake_up(&in->wait);
}

static size_t take(struct tty_input *in, char *out, size_t max)
{
	u64 flags = spin_lock_irqsave(&in->lock);
	size_t n = 0;

	while (n < max && in->tail != in->head)
		out[n++] = in->ring[in->tail++ % TTY_INPUT_SIZE];
	spin_unlock_irqrestore(&in->lock, flags);
	return n;
}

static __noreturn void input_thread(void *arg)
{
	struct tty_input *in = arg;
	char chunk[64];

	for (;;) {
		size_t n = take(in, chunk, sizeof(chunk));

		if (n)
			tty_receive(in->tty, chunk, n);
		else
			wait_event(&in->wait, READ_ONCE(in->head) != READ_ONCE(in->tail));
	}
}

int tty_input_start(struct tty_input *in, struct tty *t)
{
	in->tty = t;
	return kthread_create(input_thread, in, t->name) ? 0 : -ENOMEM;
}
