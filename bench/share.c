/*
 * Wall time of operations on a directory that is shared over 9p: share DIR FILES. DIR holds FILES
 * files f0, f1 … and one large file "big". Prints "NAME NANOSECONDS" for each operation.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "measure.h"

static char buffer[1 << 20];
static int nr_files;

/* Runs the operation n times and prints the time of one. */
static void measure(const char *name, int n, void (*op)(int))
{
	uint64_t start = now_ns();

	for (int i = 0; i < n; i++)
		op(i);
	tell(name, (now_ns() - start) / (uint64_t)n);
}

static const char *file_name(int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "f%d", i % nr_files);
	return name;
}

static void op_stat(int i)
{
	struct stat st;

	must(stat(file_name(i), &st) == 0, "stat");
}

static void op_stat_missing(int i)
{
	struct stat st;
	char name[32];

	snprintf(name, sizeof(name), "none%d", i);
	must(stat(name, &st) < 0, "stat of nothing");
}

static void op_open(int i)
{
	int fd = open(file_name(i), O_RDONLY);

	must(fd >= 0 && close(fd) == 0, "open");
}

static void op_read_file(int i)
{
	int fd = open(file_name(i), O_RDONLY);

	must(fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0 && close(fd) == 0, "read");
}

static void op_readdir(int i)
{
	DIR *dir = opendir(".");

	(void)i;
	must(dir != NULL, "opendir");
	while (readdir(dir))
		;
	closedir(dir);
}

static void op_read_big(int i)
{
	int fd = open("big", O_RDONLY);
	ssize_t n;

	(void)i;
	must(fd >= 0, "open");
	while ((n = read(fd, buffer, 65536)) > 0)
		;
	must(n == 0 && close(fd) == 0, "read");
}

static void op_create(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "new%d", i);
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	must(fd >= 0 && write(fd, buffer, 4096) == 4096 && close(fd) == 0, "create");
}

static void op_remove(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "new%d", i);
	must(unlink(name) == 0, "unlink");
}

static void op_exec(int i)
{
	pid_t pid = vfork();
	int status;

	(void)i;
	if (pid == 0) {
		execl("./program", "program", (char *)0);
		_exit(127);
	}
	must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "exec");
}

int main(int argc, char **argv)
{
	must(argc == 3 && chdir(argv[1]) == 0, "usage: share DIR FILES");
	nr_files = atoi(argv[2]);
	measure("stat_first", nr_files, op_stat);
	measure("stat_again", 10 * nr_files, op_stat);
	measure("stat_missing_first", nr_files, op_stat_missing);
	measure("open_close_first", nr_files, op_open);
	measure("open_close_again", 10 * nr_files, op_open);
	measure("read_small_first", nr_files, op_read_file);
	measure("readdir", 20, op_readdir);
	measure("read_big_first", 1, op_read_big);
	measure("read_big_again", 3, op_read_big);
	measure("create_4k", nr_files, op_create);
	measure("remove", nr_files, op_remove);
	measure("exec_first", 1, op_exec);
	measure("exec_again", 50, op_exec);
	return 0;
}
