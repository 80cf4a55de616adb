/* What the CPU does ahead of a bounds check, kept in bounds. */
#pragma once

#include <lib/types.h>

#include <arch_impl/speculation.h> /* u64 arch_index_mask(index, size): all ones if index < size, else 0; no branch */

/*
 * index when it is below size, else 0, computed without a branch: what the CPU speculates past a
 * bounds check stays in bounds, too. Any values: a compiler that knows of the check may have
 * widened a smaller index with whatever is right below size.
 */
static inline u64 index_clamp(u64 index, u64 size)
{
	return index & arch_index_mask(index, size);
}
