/*
 * libFuzzer target: whatever a server answers, every decoder stays in the reply. The first bytes choose
 * the request and how much of the reply lies in the buffer (data goes to pages). links: fs/9p/proto.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <lib/types.h>
#include "../proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct p9_reader *r, unsigned int which)
{
	struct p9_statfs statfs;
	struct p9_dirent entry;
	struct p9_attr attr;
	struct p9_qid qid;
	const char *s;
	u32 len;

	switch (which % 6) {
	case 0:
		p9_get_attr(r, &attr);
		break;
	case 1:
		p9_get_statfs(r, &statfs);
		break;
	case 2:
		for (u32 n = p9_get16(r); n && !r->bad; n--)
			p9_get_qid(r, &qid);
		break;
	case 3:
		s = p9_get_string(r, &len);
		if (s && len)
			(void)p9_name_valid(s, len);
		break;
	case 4:
		while (p9_get_dirent(r, &entry))
			if (!p9_name_valid(entry.name, entry.len))
				abort();
		break;
	default:
		p9_get64(r);
		p9_get32(r);
		p9_get8(r);
	}
	if (r->pos > r->size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct p9_reader r;
	uint8_t *copy;
	u32 inlined;

	if (size < 3)
		return 0;
	copy = malloc(size - 2);
	memcpy(copy, data + 2, size - 2);
	inlined = (u32)(size - 2) - data[1] % (u32)(size - 2);
	if (!p9_reply(&r, copy, inlined, (u32)(size - 2), (enum p9_type)(data[0] & 126),
		      P9_NOTAG))
		decode(&r, data[0]);
	r = (struct p9_reader){.data = copy, .size = (u32)(size - 2)};
	decode(&r, data[0]);
	free(copy);
	return 0;
}
