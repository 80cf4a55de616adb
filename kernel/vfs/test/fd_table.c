/* Descriptor tables: lowest free descriptor, growth, copies, close-on-exec, ranges. */
#include <lib/ktest.h>
#include <task/task.h>
#include <vfs/pipe.h>

#include "../fd_table.h"
#include "../internal_io.h"

static struct fd_table *saved;

/* A table of its own for the test, in place of the thread's. */
static void enter(void)
{
	saved = current->files;
	current->files = fd_table_create();
	EXPECT(current->files);
}

static void leave(void)
{
	struct fd_table *t = current->files;

	current->files = saved;
	fd_table_put(t);
}

static struct file *make_file(void)
{
	struct file *r = NULL, *w = NULL;

	EXPECT(pipe_create(0, &r, &w) == 0);
	file_put(w);
	return r;
}

/* Installs a new reference; the descriptor. */
static int add(struct file *f, u32 first, bool cloexec)
{
	int fd = -1;

	EXPECT(fd_reserve(first, cloexec, &fd) == 0);
	file_get(f);
	fd_install(fd, f);
	return fd;
}

KTEST(fd_table_gives_the_lowest_free_descriptor)
{
	struct file *f = make_file();

	enter();
	for (int i = 0; i < 200; i++)
		EXPECT(add(f, 0, false) == i);
	EXPECT(fd_close(70) == 0);
	EXPECT(fd_close(5) == 0);
	EXPECT(fd_close(5) == -EBADF);
	EXPECT(add(f, 6, false) == 70);
	EXPECT(add(f, 0, false) == 5);
	EXPECT(add(f, 0, false) == 200);
	EXPECT(add(f, 500, false) == 500);
	EXPECT(fd_get(499).file == NULL);
	EXPECT(fd_get(500).file == f);
	EXPECT(fd_get(-1).file == NULL);
	EXPECT(fd_get(INT_MAX).file == NULL);
	leave();
	EXPECT(ref_read(&f->ref) == 1);
	file_put(f);
}

KTEST(fd_table_copy_leaves_out_reserved_descriptors)
{
	struct file *f = make_file();
	struct fd_table *copy;
	u32 fd = 0;
	int reserved;

	enter();
	add(f, 3, true);
	add(f, 100, false);
	EXPECT(fd_reserve(0, false, &reserved) == 0);
	copy = fd_table_copy(current->files, FD_ALL);
	EXPECT(copy && fd_table_next(copy, &fd) && fd == 3);
	fd = 4;
	EXPECT(fd_table_next(copy, &fd) && fd == 100);
	fd = 101;
	EXPECT(!fd_table_next(copy, &fd));
	fd_table_put(copy);
	copy = fd_table_copy(current->files, 100);
	fd = 4;
	EXPECT(copy && !fd_table_next(copy, &fd));
	fd_table_put(copy);
	fd_release(reserved);
	leave();
	EXPECT(ref_read(&f->ref) == 1);
	file_put(f);
}

KTEST(fd_table_closes_marked_and_ranged_descriptors)
{
	struct file *f = make_file();

	enter();
	for (int i = 0; i < 140; i++)
		add(f, 0, i % 2);
	fd_table_close_on_exec();
	EXPECT(fd_get(0).file && !fd_get(1).file && fd_get(138).file && !fd_get(139).file);
	fd_close_range(2, 130);
	EXPECT(fd_get(0).file && !fd_get(2).file && !fd_get(130).file && fd_get(132).file);
	fd_cloexec_range(0, ~0U);
	EXPECT(fd_get_cloexec(0) && fd_get_cloexec(138) && !fd_get_cloexec(1));
	EXPECT(fd_replace(7, f, false) == 0 && fd_get(7).file == f);
	EXPECT(fd_replace(nr_open, f, false) == -EMFILE);
	leave();
	EXPECT(ref_read(&f->ref) == 1);
	file_put(f);
}
