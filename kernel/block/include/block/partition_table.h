/*
 * Partition tables: GPT and MBR with logical partitions. Pure: reads through a callback, trusts nothing.
 */
#pragma once

#include <lib/types.h>

struct partition {
	u32 number;          /* from 1 */
	u64 start, sectors;  /* 512-byte units; inside the disk, not empty */
	u8 uuid[16];         /* GPT: as on the disk; MBR: zeroes */
};

struct partition_reader {
	/* len bytes at pos, both multiples of block_size, len at most PARTITION_CHUNK. 0 or -errno. */
	int (*read)(void *ctx, u64 pos, void *buf, u32 len);
	void *ctx;
	u32 block_size;      /* logical blocks: 512 to PARTITION_CHUNK, a power of two */
	u64 sectors;         /* the disk's, in 512-byte units */
	void *chunk;         /* PARTITION_CHUNK bytes of scratch memory */
};
#define PARTITION_CHUNK 4096u

/* Fills parts with at most max partitions, numbers rising. Their number (0: no table), or -errno. */
int partition_table_read(const struct partition_reader *r, struct partition *parts, u32 max)
	__must_check;
