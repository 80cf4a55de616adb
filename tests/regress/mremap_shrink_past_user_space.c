/*
 * mremap with an old length that reaches past user space unmapped, and freed, page tables of the
 * kernel's half: the next page that those tables mapped panicked the kernel.
 */
#include "test.h"

TEST(mremap_shrink_past_user_space)
{
	static const u64 lengths[] = { 1ull << 57, 1ull << 63, INT64_MAX, -8192ull };
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	*p = 5;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		CHECK_ERR(syscall(SYS_mremap, p, lengths[i], 4096, MREMAP_MAYMOVE), EINVAL);
		CHECK_ERR(syscall(SYS_mremap, p, lengths[i], 4096, 0), EINVAL);
	}
	CHECK_EQ(*p, 5);
}
