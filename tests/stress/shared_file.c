/*
 * One file under many hands. Its pages belong to four processes in turn, so that what a kernel reads ahead,
 * caches or drops in large pieces is changed by all of them: written in part and as a whole, through the cache,
 * a mapping and O_DIRECT, punched out, dropped and read again. Each knows what his pages hold, and of the
 * others' that they hold nothing of another page. Behind them the first process lets the file end here and there,
 * and takes out and puts in blocks. A fifth reads all of it over and over, a sixth fills the cache with
 * something else.
 */
#include <linux/falloc.h>
#include <sys/uio.h>
#include "rnd.h"

#define WORKERS 4
#define PAGES   512u                 /* shared; then comes the tail */
#define OWN     (PAGES / WORKERS)
#define PIECES  8u                   /* of a page */
#define PIECE   (4096u / PIECES)
#define WORDS   (PIECE / 8)
#define TAIL_AT ((u64)PAGES * 4096)
#define TAIL    (160u * 4096)
#define WINDOW  48u                  /* pages read or mapped at once, at most */

static u32 version[OWN][PIECES];     /* of my pages' pieces; 0: zeroes */
static u32 me, last_version;
static u8 *buf;                      /* page aligned, WINDOW pages */
static u8 tail[TAIL];                /* zero behind tail_size */
static u32 tail_size;
static int fd, direct;

static u64 word(u32 page, u32 piece, u32 v)
{
	return v ? (u64)(page * PIECES + piece + 1) << 32 | v : 0;
}

static void check_piece(const u8 *data, u32 page, u32 piece)
{
	u32 own = page % WORKERS == me ? version[page / WORKERS][piece] : 0;
	u64 want = word(page, piece, own), w;

	for (u32 i = 0; i < WORDS; i++) {
		memcpy(&w, data + i * 8, 8);
		if (page % WORKERS == me ? w != want : w && w >> 32 != page * PIECES + piece + 1)
			test_fail(__FILE__, __LINE__, "process %u page %u piece %u word %u: %llx, not %llx", me, page,
				  piece, i, (unsigned long long)w, (unsigned long long)want);
	}
}

static void check_pages(const u8 *data, u32 first, u32 nr)
{
	for (u32 i = 0; i < nr * PIECES; i++)
		check_piece(data + i * PIECE, first + i / PIECES, i % PIECES);
}

static u32 my_page(void)
{
	return rnd(OWN) * WORKERS + me;
}

/* New contents for some pieces of my page, into data, which holds the page. */
static void change(u8 *data, u32 page, u32 first, u32 nr)
{
	for (u32 p = first; p < first + nr; p++) {
		u64 w = word(page, p, ++last_version);

		version[page / WORKERS][p] = last_version;
		for (u32 i = 0; i < WORDS; i++)
			memcpy(data + p * PIECE + i * 8, &w, 8);
	}
}

static void some_pieces(u32 *first, u32 *nr)
{
	*first = rnd(3) ? rnd(PIECES) : 0;
	*nr = *first ? rnd(PIECES - *first) + 1 : PIECES;
}

static u32 some_window(u32 *nr)
{
	*nr = rnd(WINDOW) + 1;
	return rnd(PAGES - *nr + 1);
}

static void step_write(void)
{
	u32 page = my_page(), first, nr;

	some_pieces(&first, &nr);
	change(buf, page, first, nr);
	CHECK_EQ(pwrite(fd, buf + first * PIECE, nr * PIECE, (off_t)page * 4096 + first * PIECE), nr * PIECE);
}

static void step_direct(void)
{
	u32 page = my_page(), nr;

	if (direct < 0)
		return;
	if (rnd(2)) {
		change(buf, page, 0, PIECES);
		CHECK_EQ(pwrite(direct, buf, 4096, (off_t)page * 4096), 4096);
		return;
	}
	page = some_window(&nr);
	CHECK_EQ(pread(direct, buf, nr * 4096, (off_t)page * 4096), nr * 4096);
	check_pages(buf, page, nr);
}

static void step_punch(void)
{
	u32 page = my_page(), first, nr;

	some_pieces(&first, &nr);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)page * 4096 + first * PIECE,
			   nr * PIECE));
	memset(&version[page / WORKERS][first], 0, nr * sizeof(u32));
}

static void step_read(void)
{
	u32 nr, first = some_window(&nr);

	CHECK_EQ(pread(fd, buf, nr * 4096, (off_t)first * 4096), nr * 4096);
	check_pages(buf, first, nr);
}

/* A page of a mapping goes into a pipe, which keeps it whatever becomes of the file's cache. */
static void through_pipe(u8 *at, u32 page)
{
	struct iovec v = {at, 4096};
	int p[2];

	CHECK_OK(pipe(p));
	CHECK_EQ(vmsplice(p[1], &v, 1, 0), 4096);
	CHECK_OK(posix_fadvise(fd, (off_t)page * 4096, 4096, POSIX_FADV_DONTNEED));
	CHECK_EQ(read(p[0], buf, 4096), 4096);
	check_pages(buf, page, 1);
	close(p[0]);
	close(p[1]);
}

static void step_map(void)
{
	u32 nr, first = some_window(&nr), page;
	int flags = rnd(4) ? MAP_SHARED : MAP_PRIVATE;
	u8 *map = mmap(NULL, nr * 4096, PROT_READ | PROT_WRITE, flags, fd, (off_t)first * 4096), seen[WINDOW];

	CHECK(map != MAP_FAILED);
	if (rnd(2))
		check_pages(map, first, nr);
	for (page = first; page < first + nr; page++) {
		u8 *at = map + (page - first) * 4096;
		u32 from, n;

		if (page % WORKERS != me || rnd(2))
			continue;
		some_pieces(&from, &n);
		if (flags == MAP_SHARED)
			change(at, page, from, n);
		else
			memset(at, 0xff, 4096); /* nobody else sees it */
		if (flags == MAP_SHARED && !rnd(4))
			through_pipe(at, page);
	}
	if (flags == MAP_SHARED) {
		CHECK_OK(mincore(map, nr * 4096, seen));
		if (!rnd(4))
			CHECK_OK(msync(map, nr * 4096, MS_SYNC));
		if (!rnd(4))
			CHECK_OK(madvise(map, nr * 4096, MADV_DONTNEED));
		check_pages(map, first, nr);
	}
	CHECK_OK(munmap(map, nr * 4096));
}

static void step_cache(void)
{
	u32 nr, first = some_window(&nr);

	switch (rnd(4)) {
	case 0:
		CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		break;
	case 1:
		CHECK_OK(posix_fadvise(fd, (off_t)first * 4096, nr * 4096, POSIX_FADV_DONTNEED));
		break;
	case 2:
		CHECK_OK(posix_fadvise(fd, (off_t)first * 4096, nr * 4096, POSIX_FADV_WILLNEED));
		break;
	default:
		CHECK_OK(rnd(8) ? fdatasync(fd) : fsync(fd));
	}
}

/* ---- The tail ---- */

static void tail_resize(u32 size)
{
	CHECK_OK(ftruncate(fd, (off_t)(TAIL_AT + size)));
	if (size < tail_size)
		memset(tail + size, 0, tail_size - size);
	tail_size = size;
}

static void tail_write(void)
{
	u32 at = rnd(TAIL), n = rnd(TAIL - at < 9000 ? TAIL - at : 9000) + 1;

	memset(tail + at, (int)rnd(255) + 1, n);
	CHECK_EQ(pwrite(fd, tail + at, n, (off_t)(TAIL_AT + at)), n);
	if (at + n > tail_size)
		tail_size = at + n;
}

/* Blocks out of the middle, or zeroes into it. */
static void tail_shift(void)
{
	u32 pages = tail_size / 4096, at, n;
	bool out = rnd(2);

	if (pages < 8)
		return;
	at = rnd(pages - 4) * 4096;
	n = (rnd(3) + 1) * 4096;
	if (!out && tail_size + n > TAIL)
		return;
	if (fallocate(fd, out ? FALLOC_FL_COLLAPSE_RANGE : FALLOC_FL_INSERT_RANGE, (off_t)(TAIL_AT + at), n)) {
		CHECK(errno == EOPNOTSUPP || errno == EINVAL);
		return;
	}
	if (out) {
		memmove(tail + at, tail + at + n, tail_size - at - n);
		memset(tail + tail_size - n, 0, n);
		tail_size -= n;
	} else {
		memmove(tail + at + n, tail + at, tail_size - at);
		memset(tail + at, 0, n);
		tail_size += n;
	}
}

static void tail_check(void)
{
	static u8 seen[TAIL];
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, TAIL_AT + tail_size);
	CHECK_EQ(pread(fd, seen, TAIL, (off_t)TAIL_AT), tail_size);
	for (u32 i = 0; i < tail_size; i++)
		if (seen[i] != tail[i])
			test_fail(__FILE__, __LINE__, "tail of %u at %u: %u, not %u", tail_size, i, seen[i], tail[i]);
}

static void step_tail(void)
{
	switch (rnd(5)) {
	case 0:
		tail_resize(rnd(TAIL));
		break;
	case 1:
		tail_shift();
		break;
	default:
		tail_write();
	}
	if (!rnd(3))
		tail_check();
}

/* ---- The processes ---- */

static void open_file(void)
{
	fd = open("file", O_RDWR);
	CHECK(fd >= 0);
	direct = open("file", O_RDWR | O_DIRECT);
	CHECK(direct >= 0 || errno == EINVAL);
	buf = aligned_alloc(4096, WINDOW * 4096);
	CHECK(buf != NULL);
}

static void step(void)
{
	static void (*const steps[])(void) = {step_write, step_write, step_direct, step_punch, step_read,
					      step_read, step_map, step_cache};

	if (!me && !rnd(4))
		step_tail();
	steps[rnd(sizeof(steps) / sizeof(*steps))]();
}

static void worker(u32 number, int nr)
{
	me = number;
	seed = 88172645463325252ull + number * 977u;
	open_file();
	while (nr--)
		step();
	for (int again = 0; again < 2; again++) {
		for (u32 page = me; page < PAGES; page += WORKERS) {
			CHECK_EQ(pread(fd, buf, 4096, (off_t)page * 4096), 4096);
			check_pages(buf, page, 1);
		}
		CHECK_OK(fsync(fd));
		CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	}
	if (!me)
		tail_check();
}

static void reader(pid_t parent)
{
	static u8 more[WINDOW * 4096];

	me = WORKERS;
	open_file();
	while (getppid() == parent) {
		for (u32 at = 0; at + WINDOW <= PAGES; at += WINDOW) {
			CHECK_EQ(pread(fd, buf, WINDOW * 4096, (off_t)at * 4096), WINDOW * 4096);
			check_pages(buf, at, WINDOW);
		}
		for (u64 at = TAIL_AT; pread(fd, more, sizeof(more), (off_t)at) > 0;)
			at += sizeof(more);
	}
}

/* Reads holes of the size of all memory, which so gets full of pages that nobody needs again. */
static void crowd(pid_t parent)
{
	u64 size = (u64)sysconf(_SC_PHYS_PAGES) * 4096;
	int f = open("holes", O_RDWR | O_CREAT | O_EXCL, 0644);

	CHECK(f >= 0);
	CHECK_OK(ftruncate(f, (off_t)size));
	buf = malloc(1 << 20);
	for (u64 at = 0; getppid() == parent; at = at + (1 << 20) < size ? at + (1 << 20) : 0) {
		CHECK(pread(f, buf, 1 << 20, (off_t)at) > 0);
		CHECK(!buf[0] && !memcmp(buf, buf + 1, 4095));
	}
}

static void make_file(void)
{
	int f = open("file", O_RDWR | O_CREAT | O_EXCL, 0644);

	CHECK(f >= 0);
	CHECK_OK(ftruncate(f, (off_t)TAIL_AT));
	close(f);
}

TEST_LIMIT(pages_of_a_file_are_everybodys_own, 300)
{
	pid_t pid[WORKERS + 2], parent = getpid();
	int status;

	make_file();
	for (u32 i = 0; i < WORKERS + 2; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (pid[i])
			continue;
		if (i < WORKERS)
			worker(i, SCALE(400, 8000));
		else if (i == WORKERS)
			reader(parent);
		else
			crowd(parent);
		_exit(0);
	}
	for (u32 i = 0; i < WORKERS; i++) {
		CHECK_EQ(waitpid(pid[i], &status, 0), pid[i]);
		CHECK_EQ(status, 0);
	}
	for (u32 i = WORKERS; i < WORKERS + 2; i++) {
		CHECK_EQ(waitpid(pid[i], &status, WNOHANG), 0); /* it has found nothing wrong */
		kill(pid[i], SIGKILL);
		CHECK_EQ(waitpid(pid[i], &status, 0), pid[i]);
	}
}
