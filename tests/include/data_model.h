/*
 * Two files under every way to read and change a file's data, beside what must be in them: write, O_DIRECT,
 * O_DSYNC, shared and private mappings, truncation, all modes of fallocate, copies within the kernel,
 * caches dropped, fsync. For a single thread; both files belong to nobody else.
 *
 * When requests to the disk fail, a call that says EIO leaves a reader where it was; what a writer has
 * changed is not known any more, so the file begins anew. What the last successful fsync promised is
 * remembered byte by byte, for a check after the file system had to be mounted again (model_check).
 */
#pragma once

#include "rnd.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define MODEL_FILES 2
#define MODEL_MAX   (512u * 1024)
#define MODEL_BLOCK 4096u /* what collapse and insert range are aligned to, and O_DIRECT */

struct file_model {
	int fd, direct; /* direct: -1 where there is no O_DIRECT */
	u32 size;
	u8 data[MODEL_MAX];
	/* The promise of the last fsync: size, and the bytes that nothing has touched since. */
	bool synced, resized;
	u32 synced_size;
	u8 touched[MODEL_MAX];
};

static struct file_model *models; /* MODEL_FILES */
static u8 *model_buf;             /* MODEL_MAX, aligned to pages */
static bool model_errors;         /* requests fail */
static sigjmp_buf model_again;    /* where an operation goes that met with an error */

enum { MODEL_READER = 1, MODEL_WRITER, MODEL_GIVEN_UP };

/* A file system that cannot go on (EROFS) ends everything; EIO ends the operation. */
static void met_error(int who, int error, int line)
{
	if (!model_errors || (error != EIO && error != EROFS && error != ENODATA))
		test_fail("data_model.h", line, "errno %d", error);
	siglongjmp(model_again, error == EROFS ? MODEL_GIVEN_UP : who);
}

static long must(int who, long ret, int line)
{
	if (ret < 0)
		met_error(who, errno, line);
	return ret;
}
#define READER(call) must(MODEL_READER, call, __LINE__)
#define WRITER(call) must(MODEL_WRITER, call, __LINE__)

/* Before a call that may change these bytes; to MODEL_MAX when it may make the file shorter. */
static void model_touch(struct file_model *m, u32 from, u32 to)
{
	memset(m->touched + from, 1, to - from);
	m->resized |= to > m->size || to == MODEL_MAX;
}

static void model_resize(struct file_model *m, u32 size)
{
	if (size < m->size)
		memset(m->data + size, 0, m->size - size);
	m->size = size;
}

/* The kernel wrote these bytes. */
static void model_put(struct file_model *m, u32 at, const u8 *bytes, u32 n)
{
	memcpy(m->data + at, bytes, n);
	if (at + n > m->size)
		model_resize(m, at + n);
}

/* Without errors these bytes can only be equal; with them, pages that could not be written may have gone. */
static void model_same(struct file_model *m, u32 at, const u8 *bytes, u32 n, int line)
{
	if (!memcmp(m->data + at, bytes, n))
		return;
	if (model_errors && fsync(m->fd) < 0)
		met_error(MODEL_WRITER, errno, line);
	for (u32 i = 0; i < n; i++) {
		if (m->data[at + i] != bytes[i])
			test_fail("data_model.h", line, "byte %u is %u, not %u", at + i, bytes[i], m->data[at + i]);
	}
}

static u32 some_length(u32 at)
{
	static const u32 limits[] = { 1, 300, 5000, 9000, 70000, MODEL_MAX };
	u32 n = rnd(limits[rnd(ARRAY_SIZE(limits))]) + 1;

	return n < MODEL_MAX - at ? n : MODEL_MAX - at;
}

static u32 some_offset(void)
{
	return rnd(4) ? rnd(MODEL_MAX) : rnd(MODEL_MAX / MODEL_BLOCK) * MODEL_BLOCK;
}

static u32 some_bytes_for(u32 at)
{
	u32 n = some_length(at), v = rnd(1u << 30);

	for (u32 i = 0; i < n; i++, v += v >> 7 | 1)
		model_buf[i] = (u8)(v >> 3);
	return n;
}

static void op_write(struct file_model *m)
{
	u32 at = some_offset(), n = some_bytes_for(at), half = rnd(n);
	struct iovec v[2] = { { model_buf, half }, { model_buf + half, n - half } };
	long done;

	model_touch(m, at, at + n);
	done = WRITER(syscall(SYS_pwritev2, m->fd, v, 2, (long)at, 0L, rnd(8) ? 0L : (long)RWF_DSYNC));
	if (model_errors && done < n)
		met_error(MODEL_WRITER, EIO, __LINE__);
	CHECK_EQ(done, n);
	model_put(m, at, model_buf, n);
}

static void op_write_direct(struct file_model *m)
{
	u32 at = some_offset() / MODEL_BLOCK * MODEL_BLOCK, n = some_bytes_for(at) / MODEL_BLOCK * MODEL_BLOCK;
	long done;

	if (m->direct < 0 || !n)
		return;
	model_touch(m, at, at + n);
	done = WRITER(pwrite(m->direct, model_buf, n, at));
	if (model_errors && done < n)
		met_error(MODEL_WRITER, EIO, __LINE__);
	CHECK_EQ(done, n);
	model_put(m, at, model_buf, n);
}

/* The one mapping that an operation may have; an error leaves it behind. */
static u8 *model_map;

static void model_unmap(void)
{
	if (model_map)
		CHECK_OK(munmap(model_map, MODEL_MAX));
	model_map = NULL;
}

static u8 *model_mmap(struct file_model *m, int flags)
{
	model_unmap();
	model_map = mmap(NULL, MODEL_MAX, PROT_READ | PROT_WRITE, flags, m->fd, 0);
	CHECK(model_map != MAP_FAILED);
	return model_map;
}

static void op_write_mapped(struct file_model *m)
{
	u32 at = some_offset(), n;
	u8 *map;

	if (at >= m->size)
		return;
	map = model_mmap(m, MAP_SHARED);
	n = some_bytes_for(at);
	n = n < m->size - at ? n : m->size - at;
	model_touch(m, at, at + n);
	memcpy(map + at, model_buf, n);
	model_put(m, at, model_buf, n);
	if (!rnd(4))
		WRITER(msync(map, MODEL_MAX, rnd(2) ? MS_SYNC : MS_ASYNC));
	if (rnd(2))
		model_unmap();
}

/* What is written to a private mapping is nobody else's. */
static void op_read_mapped(struct file_model *m)
{
	u32 at = some_offset(), n;
	u8 *map, kept;

	if (at >= m->size)
		return;
	map = model_mmap(m, rnd(2) ? MAP_SHARED : MAP_PRIVATE);
	n = some_length(at);
	n = n < m->size - at ? n : m->size - at;
	model_same(m, at, map + at, n, __LINE__);
	map = model_mmap(m, MAP_PRIVATE);
	kept = map[at];
	map[at] = (u8)~kept;
	CHECK_EQ(map[at], (u8)~kept);
	CHECK_OK(madvise(map, MODEL_MAX, MADV_DONTNEED));
	CHECK_EQ(map[at], kept);
	model_unmap();
}

static void op_truncate(struct file_model *m)
{
	u32 size = some_offset();

	model_touch(m, size < m->size ? size : m->size, MODEL_MAX);
	WRITER(ftruncate(m->fd, size));
	model_resize(m, size);
}

/* Modes that the file system has not give EOPNOTSUPP. */
static bool allocated(struct file_model *m, int mode, u32 at, u32 n)
{
	if (fallocate(m->fd, mode, at, n) == 0)
		return true;
	if (errno == EOPNOTSUPP)
		return false;
	met_error(MODEL_WRITER, errno, __LINE__);
	return false;
}

static void op_fallocate(struct file_model *m)
{
	int mode = rnd(4) ? FALLOC_FL_KEEP_SIZE : 0;
	u32 at = some_offset(), n = some_length(at);

	model_touch(m, m->size, at + n > m->size ? at + n : m->size);
	if (allocated(m, mode, at, n) && !mode && at + n > m->size)
		model_resize(m, at + n);
}

static void op_zero(struct file_model *m)
{
	static const int modes[] = { FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	int mode = modes[rnd(ARRAY_SIZE(modes))];
	u32 at = some_offset(), n = some_length(at);

	model_touch(m, at, at + n);
	if (!allocated(m, mode, at, n))
		return;
	if (mode == FALLOC_FL_ZERO_RANGE && at + n > m->size)
		model_resize(m, at + n);
	if (at < m->size)
		memset(m->data + at, 0, n < m->size - at ? n : m->size - at);
}

static void op_collapse(struct file_model *m)
{
	u32 blocks = m->size / MODEL_BLOCK, at, n;

	if (blocks < 3)
		return;
	at = rnd(blocks - 1) * MODEL_BLOCK;
	n = (rnd((m->size - at - 1) / MODEL_BLOCK) + 1) * MODEL_BLOCK;
	if (at + n >= m->size)
		return;
	model_touch(m, at, MODEL_MAX);
	if (!allocated(m, FALLOC_FL_COLLAPSE_RANGE, at, n))
		return;
	memmove(m->data + at, m->data + at + n, m->size - at - n);
	model_resize(m, m->size - n);
}

static void op_insert(struct file_model *m)
{
	u32 blocks = m->size / MODEL_BLOCK, room = (MODEL_MAX - m->size) / MODEL_BLOCK, at, n;

	if (blocks < 2 || !room)
		return;
	at = rnd(blocks) * MODEL_BLOCK;
	n = (rnd(room) + 1) * MODEL_BLOCK;
	if (at >= m->size)
		return;
	model_touch(m, at, MODEL_MAX);
	if (!allocated(m, FALLOC_FL_INSERT_RANGE, at, n))
		return;
	memmove(m->data + at + n, m->data + at, m->size - at);
	memset(m->data + at, 0, n);
	model_resize(m, m->size + n);
}

/* From one file to the other; what the kernel says it has copied counts. */
static void op_copy(struct file_model *from)
{
	struct file_model *to = &models[from == models];
	u32 at = some_offset(), to_at = some_offset(), n = some_length(at > to_at ? at : to_at);
	off_t in = at, out = to_at;
	long done;

	if (to->fd < 0)
		return; /* it could not be made */
	model_touch(to, to_at, to_at + n);
	if (rnd(2)) {
		done = WRITER(copy_file_range(from->fd, &in, to->fd, &out, n, 0));
	} else {
		CHECK_EQ(lseek(to->fd, to_at, SEEK_SET), to_at);
		done = WRITER(sendfile(to->fd, from->fd, &in, n));
	}
	if (model_errors && at + done < from->size && done < n)
		met_error(MODEL_WRITER, EIO, __LINE__);
	CHECK_EQ(done, at >= from->size ? 0 : n < from->size - at ? n : from->size - at);
	if (done)
		model_put(to, to_at, from->data + at, (u32)done);
}

static void op_read(struct file_model *m)
{
	u32 at = some_offset(), n = some_length(at);
	bool direct = m->direct >= 0 && !rnd(3);
	long want;

	if (direct) {
		at = at / MODEL_BLOCK * MODEL_BLOCK;
		n = (n + MODEL_BLOCK - 1) / MODEL_BLOCK * MODEL_BLOCK;
		n = n < MODEL_MAX - at ? n : MODEL_MAX - at;
	}
	want = READER(pread(direct ? m->direct : m->fd, model_buf, n, at));
	if (model_errors && at + want < m->size && want < n)
		met_error(MODEL_READER, EIO, __LINE__);
	CHECK_EQ(want, at >= m->size ? 0 : n < m->size - at ? n : m->size - at);
	model_same(m, at, model_buf, (u32)want, __LINE__);
}

static void op_splice(struct file_model *m)
{
	u32 at = some_offset(), n = some_length(at);
	off_t from = at;
	int p[2];
	long got, i = 0;

	if (at >= m->size)
		return;
	CHECK_OK(pipe(p));
	got = splice(m->fd, &from, p[1], NULL, n, 0);
	/* Bytes that are changed while they are in the pipe are changed there, too. */
	while (i < got)
		i += CHECK_OK(read(p[0], model_buf + i, (size_t)(got - i)));
	close(p[0]);
	close(p[1]);
	READER(got);
	CHECK(got > 0 && got <= n);
	model_same(m, at, model_buf, (u32)got, __LINE__);
}

static void op_sync(struct file_model *m)
{
	struct stat st;

	READER(fstat(m->fd, &st));
	CHECK_EQ(st.st_size, m->size);
	if (!rnd(3)) {
		WRITER(sync_file_range(m->fd, some_offset(), some_length(0), rnd(8)));
		return;
	}
	WRITER(rnd(2) ? fsync(m->fd) : fdatasync(m->fd));
	m->synced = true;
	m->resized = false;
	m->synced_size = m->size;
	memset(m->touched, 0, MODEL_MAX);
}

static void op_forget(struct file_model *m)
{
	static const int advice[] = { POSIX_FADV_DONTNEED, POSIX_FADV_DONTNEED, POSIX_FADV_WILLNEED,
				      POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM, POSIX_FADV_NORMAL };

	CHECK_EQ(posix_fadvise(m->fd, some_offset(), some_length(0), advice[rnd(ARRAY_SIZE(advice))]), 0);
}

static const char *model_name(const struct file_model *m)
{
	return m == models ? "first" : "second";
}

static void model_open(struct file_model *m, int flags)
{
	m->fd = open(model_name(m), O_RDWR | flags, 0600);
	WRITER(m->fd);
	m->direct = open(model_name(m), O_RDWR | O_DIRECT);
	if (m->direct < 0 && errno != EINVAL)
		WRITER(m->direct);
}

static void model_close(struct file_model *m)
{
	if (m->fd >= 0)
		close(m->fd);
	if (m->direct >= 0)
		close(m->direct);
	m->fd = m->direct = -1;
}

/* The file begins anew: under its name, or with another file there. */
static void op_recreate(struct file_model *m)
{
	model_unmap();
	model_close(m);
	m->synced = false;
	if (unlink(model_name(m)) < 0 && errno != ENOENT)
		WRITER(-1);
	model_open(m, O_CREAT | O_EXCL);
	memset(m->data, 0, MODEL_MAX);
	m->size = 0;
}

/* An error that nobody has heard of waits for who opens the file next, unless the inode was forgotten. */
static void op_reopen(struct file_model *m)
{
	if (model_errors)
		WRITER(fsync(m->fd));
	model_close(m);
	model_open(m, 0);
}

static void (*const model_ops[])(struct file_model *) = {
	op_write, op_write, op_write, op_write_direct, op_write_direct, op_write_mapped, op_write_mapped,
	op_read, op_read, op_read, op_read_mapped, op_splice, op_truncate, op_fallocate, op_zero, op_zero,
	op_collapse, op_insert, op_copy, op_copy, op_sync, op_sync, op_forget, op_forget,
};

/* One operation; MODEL_GIVEN_UP when the file system takes no more changes. */
static int model_step(void)
{
	static struct file_model *volatile m;
	int met = sigsetjmp(model_again, 1);

	if (met == MODEL_GIVEN_UP)
		return met;
	if (met == MODEL_READER)
		return 0;
	if (met == MODEL_WRITER) {
		/* A copy may have changed the other file. */
		models[0].synced = models[1].synced = false;
		op_recreate(&models[0]);
		op_recreate(&models[1]);
		return 0;
	}
	m = &models[rnd(MODEL_FILES)];
	if (m->fd < 0)
		op_recreate(m);
	else if (!rnd(400))
		op_recreate(m);
	else if (!rnd(100))
		op_reopen(m);
	else
		model_ops[rnd(ARRAY_SIZE(model_ops))](m);
	return 0;
}

/* A page of a mapping that could not be read. */
static void model_on_bus(int sig)
{
	(void)sig;
	met_error(MODEL_WRITER, EIO, __LINE__);
}

/* In the directory where the files shall be. */
static void model_begin(u64 number)
{
	struct sigaction act = { .sa_handler = model_on_bus, .sa_flags = SA_NODEFER };

	seed = 88172645463325252ull + number * 977;
	CHECK_OK(sigaction(SIGBUS, &act, NULL));
	if (!models) {
		models = mmap(NULL, MODEL_FILES * sizeof(*models) + MODEL_MAX, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		CHECK(models != MAP_FAILED);
		model_buf = mmap(NULL, MODEL_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(model_buf != MAP_FAILED);
	}
	for (int i = 0; i < MODEL_FILES; i++) {
		models[i].fd = models[i].direct = -1;
		models[i].synced = false;
	}
}
