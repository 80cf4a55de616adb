/*
 * Hands bad pointers to every pointer argument of every call: null, unmapped, kernel, non-canonical,
 * straddling the end of a mapping, read-only. Exactly EFAULT, and no harm.
 */
#include "pointer_calls.h"

static char *rw_end, *ro_end, *unmapped;

static void set_up(void)
{
	char *m = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(m != MAP_FAILED);
	memset(m, 'A', 8 * 4096);
	CHECK_OK(munmap(m + 4096, 4096));
	CHECK_OK(munmap(m + 3 * 4096, 4096));
	CHECK_OK(mprotect(m + 2 * 4096, 4096, PROT_READ));
	rw_end = m + 4096;
	ro_end = m + 3 * 4096;
	unmapped = m + 4096 + 8;
	pointer_calls_set_up();
}

static void attack(const struct call *c, u64 pointer, const char *what)
{
	long ret;

	memset(rw_end - 4096, 'A', 4096);
	ret = pointer_call(c, pointer);
	if (ret == -1 && (errno == ENOSYS || (errno == EINVAL && c->nr == SYS_futex && pointer % 4)))
		return;
	/* A stream of bytes is served up to the bad one. */
	if (ret > 0 && ret == c->size - 1 && !strcmp(what, "a straddling"))
		return;
	if (ret == 0 && c->nr == SYS_syslog)
		return; /* an empty log */
	if (ret != -1 || errno != EFAULT)
		FAIL("%s with %s pointer: %ld, errno %d", c->name, what, ret, errno);
}

#define EACH_CALL                                                                                  \
	set_up();                                                                                  \
	for (const struct call *c = calls; c < calls + ARRAY_SIZE(calls); c++)

TEST(null)
{
	EACH_CALL
	if (!c->null_ok)
		attack(c, 0, "a null");
}

TEST(unmapped_and_low)
{
	EACH_CALL {
		attack(c, (u64)unmapped, "an unmapped");
		attack(c, 8, "a low");
	}
}

TEST(kernel)
{
	static const u64 where[] = { 0xffff800000000000, 0xffff888000001000, 0xffffffff81000000,
				     0xfffffffffffff000, ~0ull };

	EACH_CALL
	for (size_t i = 0; i < ARRAY_SIZE(where); i++)
		attack(c, where[i], "a kernel");
}

TEST(non_canonical_and_edge)
{
	static const u64 where[] = { 0x0000800000000000, 0x8000000000000000, 0x4141414141414141,
				     0x00007ffffffff000, 0x00007fffffffffff };

	EACH_CALL
	for (size_t i = 0; i < ARRAY_SIZE(where); i++)
		attack(c, where[i], "a non-canonical");
}

/* All but the last byte are accessible; strings find no end. */
TEST(page_straddling)
{
	EACH_CALL
	attack(c, (u64)rw_end - (c->size > 1 ? c->size - 1 : c->size ? 0 : 3), "a straddling");
}

TEST(read_only_result)
{
	EACH_CALL
	if (c->direction == WRITE)
		attack(c, (u64)ro_end - 4096, "a read-only");
}

TEST(write_only_does_not_exist_but_no_access_does)
{
	char *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EACH_CALL
	attack(c, (u64)none, "an inaccessible");
}

/* A failed result store must not have done the deed half-way: no descriptors leak. */
TEST(failed_pipe_leaks_no_descriptor)
{
	int before = CHECK_OK(dup(1));

	close(before);
	for (int i = 0; i < 100; i++)
		CHECK_ERR(syscall(SYS_pipe, 8), EFAULT);
	CHECK_EQ(dup(1), before);
}
