/* membarrier: commands, registrations, and that it orders what it promises. */
#include "test.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static long membarrier(int cmd, unsigned int flags, int cpu)
{
	return syscall(SYS_membarrier, cmd, flags, cpu);
}

TEST(query_tells_the_commands)
{
	CHECK_EQ(membarrier(MEMBARRIER_CMD_QUERY, 0, 0) & 0x1ff, 0x1ff);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_QUERY, 1, 0), EINVAL);
}

TEST(refusals)
{
	CHECK_ERR(membarrier(1 << 20, 0, 0), EINVAL);
	CHECK_ERR(membarrier(3, 0, 0), EINVAL);
	CHECK_ERR(membarrier(-1, 0, 0), EINVAL);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_GLOBAL, 1, 0), EINVAL);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 1, 0), EINVAL);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 2, 0), EINVAL);
}

TEST(private_needs_registration)
{
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0), EPERM);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0), EPERM);
	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
	CHECK_OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0), EPERM);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	CHECK_OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	CHECK_OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	CHECK_OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, 0));
	CHECK_OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, 4000));
	IN_CHILD
		CHECK_OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	IN_CHILD {
		execl(test_self, test_self, "--helper", "forgotten", NULL);
		FAIL("exec");
	}
}

HELPER(forgotten)
{
	return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != -1 || errno != EPERM;
}

TEST(global)
{
	CHECK_OK(membarrier(MEMBARRIER_CMD_GLOBAL, 0, 0));
	CHECK_OK(membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
	CHECK_OK(membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
}

/* Store buffering: the fast side has no barrier, the slow side calls membarrier. */
static volatile int x, y, seen_y;
static atomic_int turn, done;

static void *fast_side(void *arg)
{
	for (int i = 1; i <= *(int *)arg; i++) {
		while (atomic_load(&turn) < i)
			;
		x = i;
		__asm__ __volatile__("" ::: "memory");
		seen_y = y;
		atomic_store(&done, i);
	}
	return NULL;
}

TEST(orders_against_threads)
{
	int rounds = SCALE(300, 20000);
	pthread_t t;

	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	CHECK_EQ(pthread_create(&t, NULL, fast_side, &rounds), 0);
	for (int i = 1; i <= rounds; i++) {
		int seen_x;

		atomic_store(&turn, i);
		y = i;
		CHECK_OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
		seen_x = x;
		while (atomic_load(&done) < i)
			sched_yield();
		CHECK(seen_x == i || seen_y == i);
	}
	CHECK_EQ(pthread_join(t, NULL), 0);
}
