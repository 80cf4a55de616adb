/*
 * Files under random work against a model in memory: four processes, each in a directory of its own,
 * write, cut, extend, map, rename, link, remove and reopen files, and compare all they read. Two more
 * read and write a file that does not fit into the cache's share of memory, so that pages leave and come
 * back. `tests/run -s` puts all of it on a 9p share.
 */
#include <dirent.h>
#include "rnd.h"

#define FILES    6
#define MAX_SIZE (300 * 1024)
#define WORKERS  4

struct model {
	bool exists;
	u32 size;
	u8 *data; /* MAX_SIZE bytes, zero behind size */
};

static struct model files[FILES];

static const char *name_of(int i)
{
	static char name[4][32];
	static int turn;
	char *s = name[turn++ & 3];

	snprintf(s, 32, "file%d", i);
	return s;
}

static int open_file(int i, int flags)
{
	int fd = open(name_of(i), flags, 0644);

	CHECK(fd >= 0);
	return fd;
}

static void compare(int fd, const struct model *m)
{
	static u8 buf[MAX_SIZE + 1];
	u32 at = m->size ? rnd(m->size) : 0, len = rnd(MAX_SIZE) + 1, want;
	struct stat st;
	ssize_t n;

	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, m->size);
	n = pread(fd, buf, len, at);
	want = m->size - at < len ? m->size - at : len;
	CHECK_EQ(n, want);
	CHECK(memcmp(buf, m->data + at, (size_t)n) == 0);
}

static void step_write(struct model *m, int fd)
{
	static u8 buf[MAX_SIZE];
	u32 at = rnd(MAX_SIZE), len = rnd(rnd(4) ? 5000 : MAX_SIZE) + 1;

	if (len > MAX_SIZE - at)
		len = MAX_SIZE - at;
	memset(buf, (int)rnd(255) + 1, len);
	CHECK_EQ(pwrite(fd, buf, len, at), len);
	memcpy(m->data + at, buf, len);
	if (at + len > m->size)
		m->size = at + len;
}

static void step_truncate(struct model *m, int fd)
{
	u32 size = rnd(MAX_SIZE);

	CHECK_OK(ftruncate(fd, size));
	if (size < m->size)
		memset(m->data + size, 0, m->size - size);
	m->size = size;
}

static void step_map(struct model *m, int fd)
{
	u32 at, len;
	u8 *map;

	if (!m->size)
		return;
	map = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK(memcmp(map, m->data, m->size) == 0);
	for (int i = 0; i < 3; i++) {
		at = rnd(m->size);
		len = rnd(m->size - at) + 1;
		memset(map + at, 7 + i, len);
		memset(m->data + at, 7 + i, len);
		if (!rnd(3))
			CHECK_OK(msync(map, m->size, MS_SYNC));
	}
	CHECK_OK(munmap(map, m->size));
}

static void step_data(int i)
{
	struct model *m = &files[i];
	int fd = open_file(i, O_RDWR);

	switch (rnd(5)) {
	case 0:
	case 1:
		step_write(m, fd);
		break;
	case 2:
		step_truncate(m, fd);
		break;
	case 3:
		step_map(m, fd);
		break;
	default:
		CHECK_OK(fsync(fd));
	}
	compare(fd, m);
	close(fd);
}

static void forget(struct model *m)
{
	m->exists = false;
	memset(m->data, 0, m->size);
	m->size = 0;
}

static void step_create(int i)
{
	struct model *m = &files[i];
	int fd = open_file(i, O_RDWR | O_CREAT | O_EXCL);

	m->exists = true;
	step_write(m, fd);
	close(fd);
}

/* Work on a file without a name: its data stays, grows and shrinks. */
static void step_remove(int i)
{
	struct model *m = &files[i];
	int fd = open_file(i, O_RDWR);

	CHECK_OK(unlink(name_of(i)));
	compare(fd, m);
	step_write(m, fd);
	compare(fd, m);
	step_truncate(m, fd);
	if (rnd(2))
		CHECK_OK(fsync(fd));
	step_write(m, fd);
	compare(fd, m);
	close(fd);
	forget(m);
}

static void step_rename(int from, int to)
{
	struct model swap = files[to];

	CHECK_OK(rename(name_of(from), name_of(to)));
	files[to] = files[from];
	files[from] = swap;
	forget(&files[from]);
}

static void step_link(int from)
{
	struct stat a, b;

	CHECK_OK(link(name_of(from), "second"));
	CHECK_OK(stat("second", &a));
	CHECK_OK(stat(name_of(from), &b));
	CHECK(a.st_ino == b.st_ino && a.st_nlink == 2 && b.st_nlink == 2);
	CHECK_OK(rnd(2) ? unlink("second") : rename("second", name_of(from)));
	unlink("second"); /* renaming two names of one file does nothing */
	CHECK_OK(stat(name_of(from), &b));
	CHECK_EQ(b.st_nlink, 1);
}

static void step(void)
{
	int i = (int)rnd(FILES), j = (int)rnd(FILES);

	if (!files[i].exists)
		step_create(i);
	else if (rnd(10) < 6)
		step_data(i);
	else if (rnd(3) == 0)
		step_remove(i);
	else if (rnd(2) && i != j)
		step_rename(i, j);
	else
		step_link(i);
}

/* What readdir lists is what exists. */
static void check_names(void)
{
	DIR *dir = opendir(".");
	const struct dirent *e;
	int seen = 0, expected = 0;

	CHECK(dir != NULL);
	while ((e = readdir(dir)))
		seen += e->d_name[0] != '.';
	closedir(dir);
	for (int i = 0; i < FILES; i++)
		expected += files[i].exists;
	CHECK_EQ(seen, expected);
}

static void worker(int number, int steps)
{
	char dir[16];

	seed = 88172645463325252ull + (u64)number * 977;
	snprintf(dir, sizeof(dir), "w%d", number);
	CHECK_OK(mkdir(dir, 0755));
	CHECK_OK(chdir(dir));
	for (int i = 0; i < FILES; i++) {
		files[i].data = calloc(1, MAX_SIZE);
		CHECK(files[i].data != NULL);
	}
	for (int i = 0; i < steps; i++) {
		step();
		if (i % 50 == 0)
			check_names();
	}
}

/* A file of 24 MiB (on a share: more than a machine of 64 MiB likes to keep), page by page its number. */
static void stream(int number)
{
	u32 pages = getenv("TEST_SHARE") || getenv("TEST_EXT4") ? 6144 : 512, page[1024];
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "big%d", number);
	fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
	CHECK(fd >= 0);
	for (u32 i = 0; i < pages; i++) {
		for (u32 k = 0; k < 1024; k++)
			page[k] = i * 1024 + k;
		CHECK_EQ(write(fd, page, sizeof(page)), sizeof(page));
	}
	for (u32 i = 0; i < pages; i++) {
		CHECK_EQ(pread(fd, page, sizeof(page), (off_t)(i * sizeof(page))), sizeof(page));
		for (u32 k = 0; k < 1024; k++)
			CHECK_EQ(page[k], i * 1024 + k);
	}
	close(fd);
}

TEST_LIMIT(files_hold_what_was_written, 120)
{
	pid_t pid[WORKERS + 2];

	for (int i = 0; i < WORKERS + 2; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (!pid[i]) {
			if (i < WORKERS)
				worker(i, SCALE(400, 4000));
			else
				stream(i);
			_exit(0);
		}
	}
	for (int i = 0; i < WORKERS + 2; i++) {
		int status;

		CHECK_EQ(waitpid(pid[i], &status, 0), pid[i]);
		CHECK_EQ(status, 0);
	}
}
