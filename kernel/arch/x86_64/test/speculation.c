/* Clamped indices. */
#include <arch/speculation.h>
#include <lib/ktest.h>

/* Behind a bounds check that was passed by mistake an index may be anything, sign-extended garbage
 * included. */
KTEST(index_clamp_knows_every_index)
{
	static const u64 sizes[] = {1, 5, 451, 1ULL << 31, 1ULL << 32};

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 size = sizes[i];
		const u64 out[] = {size,       size + 1,
				   1ULL << 63, (1ULL << 63) + size,
				   ~0ULL,      (u64)(s64)(s32)0x80000000};

		EXPECT(index_clamp(0, size) == 0);
		EXPECT(index_clamp(size - 1, size) == size - 1);
		for (u32 j = 0; j < ARRAY_SIZE(out); j++)
			EXPECT(index_clamp(out[j], size) == 0);
	}
}
