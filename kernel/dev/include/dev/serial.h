/* The first serial port: the kernel log's way out, and the line under ttyS0. */
#pragma once

#include <lib/types.h>

/* False when there is no port. Once, before the log is used. */
bool serial_init(void);
/* For the log: polls, waits for room as long as the port takes data. Newlines become CR LF. Any
 * context; several writers at once stay whole. */
void serial_write(const char *s, size_t len);

struct serial_receiver {
	void (*receive)(const char *data, size_t len); /* hard-interrupt context */
	void (*room)(void);                            /* the queue got room; the same */
};

/* Interrupts on: from now on the port can be a terminal. Once; process context. 0, -ENODEV or what
 * the interrupt controller says. */
int serial_start(const struct serial_receiver *to) __must_check;
/* Queues bytes for sending and starts; how many fitted. Any context. */
size_t serial_queue(const char *data, size_t len);
/* Bytes that wait, and bytes that serial_queue would take now: hints. */
size_t serial_queued(void);
size_t serial_room(void);
/* Forgets the bytes that wait. */
void serial_discard(void);

struct serial_line {
	u32 baud;          /* 0: DTR and RTS go off, the speed stays */
	u8 data_bits;      /* 5 to 8 */
	bool two_stop_bits, parity, parity_even;
};
void serial_set_line(const struct serial_line *line);
void serial_break(bool on);

/* Modem lines: ours, and those of the other side. */
#define SERIAL_DTR 0x01
#define SERIAL_RTS 0x02
#define SERIAL_CTS 0x10
#define SERIAL_DSR 0x20
#define SERIAL_RI  0x40
#define SERIAL_CD  0x80
/* Takes lines of ours away, then adds; all of them as they are now. */
u8 serial_modem_change(u8 clear, u8 set);
