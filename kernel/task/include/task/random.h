/* The kernel's cryptographic random generator. Never sleeps; any context. */
#pragma once

#include <lib/types.h>

void random_bytes(void *buf, size_t len);
u64 random_u64(void);
/* Mixes what an event tells (a time, a device's bytes) into the generator. Any context. */
void random_add(const void *data, size_t len);
/* First seed, from the CPU's generator and its jitter. Once, early in boot; random_bytes works
 * before it, with less entropy. */
void random_init(void);
