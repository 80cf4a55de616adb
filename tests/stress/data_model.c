/*
 * Files under random work of every kind against a model in memory (data_model.h): four processes, each
 * with two files of its own, on whatever the directory lies; the same while another process wants all memory.
 */
#include "data_model.h"

#include <sys/prctl.h>

enum { WORKERS = 4 };

static void work(int steps)
{
	u64 seed = getenv("TEST_SEED") ? strtoull(getenv("TEST_SEED"), NULL, 0) : 0;
	pid_t pid[WORKERS];

	for (int i = 0; i < WORKERS; i++) {
		char dir[16];

		pid[i] = test_fork();
		if (pid[i])
			continue;
		snprintf(dir, sizeof(dir), "w%d", i);
		CHECK_OK(mkdir(dir, 0755));
		CHECK_OK(chdir(dir));
		model_begin(seed + (u64)i);
		for (int step = 0; step < steps; step++)
			CHECK_EQ(model_step(), 0);
		_exit(0);
	}
	for (int i = 0; i < WORKERS; i++)
		CHECK_EXITS(pid[i], 0);
}

TEST_LIMIT(every_way_to_change_a_file_agrees, 3600)
{
	work(SCALE(1000, 250000));
}

/* Takes memory, page by page, until it is the one that is killed; again and again. */
static void want_all_memory(void)
{
	CHECK_OK(chdir("/"));
	for (;;) {
		pid_t pid = test_fork();

		if (!pid) {
			CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
			write_file("/proc/self/oom_score_adj", "1000");
			for (;;) {
				char *p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

				if (p == MAP_FAILED)
					_exit(0);
				memset(p, 1, 1 << 16);
			}
		}
		test_reap(pid);
	}
}

TEST_LIMIT(the_same_with_no_memory_left, 3600)
{
	pid_t hog;

	if (!getenv("TEST_EXT4"))
		SKIP("memory is where these files are");
	hog = test_fork();
	if (!hog)
		want_all_memory();
	work(SCALE(500, 250000));
	CHECK_OK(kill(hog, SIGKILL));
	test_reap(hog);
}
