/*
 * The same work as data_model.c on an ext4 disk of which every so manieth request fails. A reader that was
 * told of an error tries again, a writer begins with a new file; nobody may read what was not written.
 * Errors that strike the journal end all changes (EROFS): the file system is mounted anew without errors,
 * and what the last fsync before had promised must be there. The host's e2fsck looks at the disk afterwards.
 */
#include "data_model.h"

#include <sys/mount.h>
#include <sys/wait.h>

#define AT "/data-errors"

enum { WORKERS = 3 };

static const char *disk;
static char rule[64];
static struct file_model *kept[WORKERS]; /* each worker's models, shared with it */
static u64 *done;

static void fail_every(u32 reads, u32 writes, u32 flushes)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %u %u\n", reads, writes, flushes);
	write_file(rule, text);
}

static void worker_dir(int i, char *dir, size_t size)
{
	snprintf(dir, size, AT "/w%d", i);
}

/* Until the file system gives up or the steps are done. */
_Noreturn static void work(int i, u64 seed, u32 steps)
{
	char dir[32];

	worker_dir(i, dir, sizeof(dir));
	models = kept[i];
	CHECK_OK(chdir(dir));
	model_begin(seed);
	model_errors = true;
	for (u32 step = 0; step < steps; step++) {
		if (model_step() == MODEL_GIVEN_UP)
			_exit(0);
		__atomic_add_fetch(done, 1, __ATOMIC_RELAXED);
	}
	_exit(0);
}

/* What the last fsync promised, byte for byte where nothing has touched the file since. */
static void check_promise(struct file_model *m)
{
	static u8 bytes[MODEL_MAX];
	struct stat st;
	ssize_t n;
	int fd;

	if (!m->synced)
		return;
	fd = CHECK_OK(open(model_name(m), O_RDONLY));
	CHECK_OK(fstat(fd, &st));
	if (!m->resized)
		CHECK_EQ(st.st_size, m->synced_size);
	n = CHECK_OK(read(fd, bytes, MODEL_MAX));
	for (u32 k = 0; k < m->synced_size; k++) {
		if (m->touched[k])
			continue;
		if (k >= n || bytes[k] != m->data[k])
			FAIL("%s, byte %u of %u (%zd read): %u, not %u as promised", model_name(m), k,
			     m->synced_size, n, bytes[k], m->data[k]);
	}
	close(fd);
}

/* Mounted without errors: promises first, then everything goes. */
static void recover(void)
{
	char dir[32];

	fail_every(0, 0, 0);
	umount(AT); /* tells an error of the journal, which is not news */
	CHECK_OK(mount(disk, AT, "ext4", 0, "commit=1"));
	for (int i = 0; i < WORKERS; i++) {
		worker_dir(i, dir, sizeof(dir));
		CHECK_OK(chdir(dir));
		models = kept[i];
		for (int k = 0; k < MODEL_FILES; k++) {
			check_promise(&models[k]);
			models[k].synced = false;
			unlink(model_name(&models[k]));
		}
	}
	CHECK_OK(chdir("/"));
	sync();
}

static void one_round(u32 round)
{
	/* Reads, writes, flushes: each kind alone, and all together. */
	static const u32 rates[][3] = { { 37, 0, 0 }, { 0, 409, 0 }, { 0, 0, 61 }, { 101, 1009, 307 } };
	const u32 *r = rates[round % ARRAY_SIZE(rates)];
	pid_t pid[WORKERS];

	fail_every(r[0], r[1], r[2]);
	for (int i = 0; i < WORKERS; i++) {
		pid[i] = test_fork();
		if (!pid[i])
			work(i, round * WORKERS + (u32)i, SCALE(300, 3000));
	}
	for (int i = 0; i < WORKERS; i++)
		CHECK_EXITS(pid[i], 0);
	recover();
}

TEST_LIMIT(errors_are_told_and_promises_kept, 7200)
{
	char dir[32];
	u64 rounds = 0;

	disk = getenv("TEST_DISK_EXT4");
	if (!disk)
		SKIP("no ext4 disk to spare");
	snprintf(rule, sizeof(rule), "/sys/block/%s/fail_every", disk + strlen("/dev/"));
	if (access(rule, W_OK))
		SKIP("requests cannot be made to fail: a debug flavour can");
	done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(done != MAP_FAILED);
	mkdir(AT, 0755);
	CHECK_OK(mount(disk, AT, "ext4", 0, "commit=1"));
	for (int i = 0; i < WORKERS; i++) {
		worker_dir(i, dir, sizeof(dir));
		CHECK_OK(mkdir(dir, 0755));
		models = NULL;
		model_begin(0);
		kept[i] = models;
	}
	sync();
	while (*done < SCALE(3000, 1000000))
		one_round((u32)rounds++);
	fail_every(0, 0, 0);
	CHECK_OK(umount(AT));
	printf("%lu operations, mounted %lu times\n", (unsigned long)*done, (unsigned long)rounds + 1);
}
