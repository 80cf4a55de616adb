/* Input of a hardware line on its way from the interrupt to the line discipline, which may sleep. */
#pragma once

#include <dev/tty.h>
#include <sync/wait.h>

#define TTY_INPUT_SIZE 8192

struct tty_input {
	struct tty *tty;          /* const after tty_input_start */
	struct spinlock lock;     /* LOCK_RANK_TTY_SPIN; interrupts disabled */
	u64 head, tail;           /* lock; head is read as a hint without it */
	struct wait_queue wait;
	char *ring;               /* of TTY_INPUT_SIZE; its contents: lock */
};

/* buffer is apart, so that the image does not hold its zeros. */
#define TTY_INPUT_INIT(name, buffer)                                                               \
	{.lock = SPINLOCK_INIT(LOCK_RANK_TTY_SPIN), .wait = WAIT_QUEUE_INIT((name).wait), .ring = (buffer)}

/* Hard-interrupt context. What does not fit is lost, as on a line whose reader is too slow. */
void tty_input_put(struct tty_input *in, const char *data, size_t len);
/* Starts the thread that hands the input to t. Process context. 0 or -ENOMEM. */
int tty_input_start(struct tty_input *in, struct tty *t) __must_check;
