/*
 * More directories than memory has room for their blocks, on an ext4 file system whose journal's log is larger than
 * memory. Broke once: blocks stay in memory until they are written home, which began only when the log was
 * half full; the OOM killer took processes long before. Wants TEST_MEMORY=64M and MKE2FS="-t ext4 -J size=128".
 */
#include "exhaust.h"

#define DIRECTORIES 12000

TEST_LIMIT(metadata_does_not_fill_memory, 120)
{
	char name[32];

	VM_ONLY;
	for (int i = 0; i < DIRECTORIES; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		CHECK_OK(mkdir(name, 0755));
	}
	for (int i = 0; i < DIRECTORIES; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		CHECK_OK(rmdir(name));
	}
	check_alive();
}
