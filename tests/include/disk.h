/* The disks that tests/run gives a guest (tests/make-disks). */
#pragma once

#include "test.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

#define DISK_BYTES (64ULL << 20)

/* The path of one of them, or the end of the claim: on a real machine there is no disk to spare. */
static inline const char *disk_path(const char *which)
{
	const char *path = getenv(which);

	if (!path)
		SKIP("no disk to spare");
	return path;
}

static inline int disk_open(int flags)
{
	return CHECK_OK(open(disk_path("TEST_DISK"), flags));
}

/* Memory for O_DIRECT. */
static inline u8 *disk_buffer(size_t size)
{
	u8 *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static inline void disk_fill(u8 *p, size_t n, u32 seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		p[i] = (u8)(seed >> 16);
	}
}
