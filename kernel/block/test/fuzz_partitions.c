/* Partition tables from arbitrary bytes. links: block/partition_table.c */
#include "host.h"
#include <block/partition_table.h>
#include <string.h>

struct image {
	const uint8_t *data;
	size_t size;
};

/* The disk is longer than the data: the rest repeats it. */
static int read_image(void *ctx, u64 pos, void *buf, u32 len)
{
	const struct image *im = ctx;

	if (len > PARTITION_CHUNK)
		abort();
	for (u32 i = 0; i < len; i++)
		((uint8_t *)buf)[i] = im->data[(pos + i) % im->size];
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct partition parts[128];
	struct image im = {data + 1, size - 1};
	struct partition_reader r = {.read = read_image, .ctx = &im, .sectors = 1 << 20};
	int nr;

	if (size < 513)
		return 0;
	r.block_size = data[0] & 1 ? 4096 : 512;
	if (data[0] & 2)
		r.sectors = im.size / 512 & ~7ULL;
	r.chunk = malloc(PARTITION_CHUNK);
	nr = partition_table_read(&r, parts, data[0] >> 2);
	if (nr > data[0] >> 2)
		abort();
	for (int i = 0; i < nr; i++)
		if (!parts[i].number || !parts[i].sectors || parts[i].start >= r.sectors ||
		    parts[i].sectors > r.sectors - parts[i].start)
			abort();
	free(r.chunk);
	return 0;
}
