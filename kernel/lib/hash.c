/*
 * SipHash-1-3: a keyed hash whose collisions cannot be found without the key, so that names chosen
 * by an attacker spread evenly. Any context.
 */
#include <lib/hash.h>

struct sip {
	u64 v0, v1, v2, v3;
};

static inline u64 rotl(u64 x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static inline void sip_absorb(struct sip *s, u64 m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

u64 hash_bytes(const void *data, size_t len, const u64 key[2])
{
	struct sip s = {
		.v0 = key[0] ^ 0x736f6d6570736575ULL,
		.v1 = key[1] ^ 0x646f72616e646f6dULL,
		.v2 = key[0] ^ 0x6c7967656e657261ULL,
		.v3 = key[1] ^ 0x7465646279746573ULL,
	};
	const u8 *p = data;
	u64 tail = (u64)len << 56;
	u64 m;

	for (size_t n = len / 8; n; n--, p += 8) {
		__builtin_memcpy(&m, p, 8);
		sip_absorb(&s, m);
	}
	for (unsigned int i = 0; i < len % 8; i++)
		tail |= (u64)p[i] << (8 * i);
	sip_absorb(&s, tail);
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
