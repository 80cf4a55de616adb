/* The first serial port, polled: the kernel log's way out. */
#pragma once

#include <lib/types.h>

/* False when there is no port. Once, before the log is used. */
bool serial_init(void);
/* Waits for room as long as the port takes data; the caller serialises. Newlines become CR LF. */
void serial_write(const char *s, size_t len);
