/* The borrow of index - size, spread. */
#pragma once

static inline u64 arch_index_mask(u64 index, u64 size)
{
	u64 mask;

	__asm__("cmp %2, %1\n\tsbb %0, %0" : "=r"(mask) : "r"(index), "re"(size) : "cc");
	return mask;
}
