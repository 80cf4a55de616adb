/* CRC-32C, eight bytes at a time by tables, and CRC-16. Pure; also built on the host. */
#include "csum.h"

#define POLY32 0x82f63b78u
#define POLY16 0xa001u

static u32 table[8][256]; /* written once, by ext4_csum_init */

void ext4_csum_init(void)
{
	for (u32 i = 0; i < 256; i++) {
		u32 crc = i;

		for (u32 bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLY32 : 0);
		table[0][i] = crc;
	}
	for (u32 i = 0; i < 256; i++)
		for (u32 t = 1; t < 8; t++)
			table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 0xff];
}

static u32 step8(u32 crc, const u8 *p)
{
	u64 v;

	__builtin_memcpy(&v, p, sizeof(v));
	v ^= crc;
	return table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^ table[5][v >> 16 & 0xff] ^
	       table[4][v >> 24 & 0xff] ^ table[3][v >> 32 & 0xff] ^ table[2][v >> 40 & 0xff] ^
	       table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
}

u32 ext4_crc32c(u32 crc, const void *data, size_t len)
{
	const u8 *p = data;

	for (; len >= 8; len -= 8, p += 8)
		crc = step8(crc, p);
	while (len--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

u16 ext4_crc16(u16 crc, const void *data, size_t len)
{
	const u8 *p = data;

	while (len--) {
		crc ^= *p++;
		for (u32 bit = 0; bit < 8; bit++)
			crc = (u16)(crc >> 1 ^ (crc & 1 ? POLY16 : 0));
	}
	return crc;
}
