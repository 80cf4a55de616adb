/* The ChaCha20 block function, as RFC 8439 describes it. Pure: also tested on the host. */
#include <lib/chacha.h>
#include <lib/string.h>

static u32 rotl(u32 v, unsigned int n)
{
	return v << n | v >> (32 - n);
}

static void quarter_round(u32 x[16], unsigned int a, unsigned int b, unsigned int c, unsigned int d)
{
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 7);
}

static void double_round(u32 x[16])
{
	for (unsigned int i = 0; i < 4; i++)
		quarter_round(x, i, i + 4, i + 8, i + 12);
	for (unsigned int i = 0; i < 4; i++)
		quarter_round(x, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12);
}

void chacha20_block(const u32 key[CHACHA_KEY_WORDS], u64 counter, u64 nonce,
		    u8 out[CHACHA_BLOCK_SIZE])
{
	u32 start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, x[16];

	memcpy(&start[4], key, CHACHA_KEY_WORDS * sizeof(u32));
	start[12] = (u32)counter;
	start[13] = (u32)(counter >> 32);
	start[14] = (u32)nonce;
	start[15] = (u32)(nonce >> 32);
	memcpy(x, start, sizeof(x));
	for (int i = 0; i < 10; i++)
		double_round(x);
	for (int i = 0; i < 16; i++) {
		u32 word = x[i] + start[i];

		memcpy(out + 4 * i, &word, sizeof(word)); /* little endian, like the machine */
	}
}
