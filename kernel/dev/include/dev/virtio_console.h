/* The terminal behind virtio-console's port 0, for the tty layer. */
#pragma once

#include <lib/types.h>

struct hvc_receiver {
	/* Input from the host. Hard-interrupt context, or process context with interrupts on. */
	void (*receive)(const char *data, size_t len);
};

/* Claims the console port; false when the machine has none. Process context, after INIT_LATE. */
bool hvc_attach(const struct hvc_receiver *receiver);
/* Starts the terminal on it (dev/tty). 0 also without a console port. */
int hvc_start(void);
/* Sends to the host; sleeps while the host is slow. The bytes taken: fewer only when it broke. */
size_t hvc_write(const char *data, size_t len);
