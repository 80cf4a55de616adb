/*
 * Filters out of arbitrary bytes: what the check lets through must run to its end inside its bounds,
 * and as the plain interpreter says. links: lib/cbpf.c
 */
#include "host.h"
#include "cbpf_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Half of the inputs are programs as they are, half are bent towards valid ones. */
static void bend(struct sock_filter *prog, u32 len)
{
	static const u16 codes[] = {
		0x06, 0x16, 0x20, 0x80, 0x00, 0x60, 0x81, 0x01, 0x61, 0x02, 0x03, 0x07, 0x87, 0x04, 0x0c,
		0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84,
		0xa4, 0xac, 0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d,
	};

	for (u32 i = 0; i < len; i++) {
		struct sock_filter *f = &prog[i];

		f->code = codes[f->code % (sizeof(codes) / sizeof(codes[0]))];
		f->jt %= 8;
		f->jf %= 8;
		if (f->code == 0x20)
			f->k = f->k % REF_WORDS * 4;
		else if (BPF_CLASS(f->code) == BPF_ST || BPF_CLASS(f->code) == BPF_STX)
			f->k %= 16;
		else if (BPF_MODE(f->code) == BPF_MEM && BPF_CLASS(f->code) <= BPF_LDX)
			f->k %= 16;
		else if (f->code == 0x64 || f->code == 0x74)
			f->k %= 32;
		else if (f->code == 0x05)
			f->k %= 8;
	}
	if (len)
		prog[len - 1].code = 0x06;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u32 words[REF_WORDS], len;
	struct sock_filter *prog;
	u16 *scratch;

	if (size < 1 + sizeof(words))
		return 0;
	memcpy(words, data + 1, sizeof(words));
	len = (u32)((size - 1 - sizeof(words)) / sizeof(*prog));
	prog = malloc(len * sizeof(*prog) + 1);
	scratch = malloc(len * sizeof(*scratch) + 1);
	memcpy(prog, data + 1 + sizeof(words), len * sizeof(*prog));
	if (data[0] & 1)
		bend(prog, len);
	if (!cbpf_check(prog, len, REF_WORDS, scratch))
		ref_compare(prog, len, words);
	free(prog);
	free(scratch);
	return 0;
}
