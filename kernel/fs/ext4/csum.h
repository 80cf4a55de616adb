/* The two checksums of the disk format. Pure; also built on the host. */
#pragma once

#include <lib/types.h>

/* Once, before anything else here. */
void ext4_csum_init(void);
/* Castagnoli's CRC as the format uses it: no inversion at either end. */
u32 ext4_crc32c(u32 crc, const void *data, size_t len);
/* The CRC-16 of group descriptors without metadata checksums. */
u16 ext4_crc16(u16 crc, const void *data, size_t len);
