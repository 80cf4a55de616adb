/* What a futex word is, independently of the address it is seen at. */
#pragma once

#include <lib/types.h>

struct futex_key {
	const void *object; /* address space, or what a shared mapping shows */
	u64 offset;         /* address, or byte offset in the file */
	bool shared;        /* object is an inode, with a reference */
};

/* Of an aligned address in the current address space. 0, -EINVAL, -EFAULT. May sleep. */
int futex_key_get(u64 addr, bool shared, struct futex_key *key) __must_check;
void futex_key_put(const struct futex_key *key);

static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->object == b->object && a->offset == b->offset;
}
