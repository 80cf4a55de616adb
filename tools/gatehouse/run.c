/*
 * `gatehouse run`: finds the kernel, packs the root, starts the machine, runs the session.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpio.h"
#include "disk.h"
#include "error.h"
#include "linux.h"
#include "machine.h"
#include "options.h"
#include "root.h"
#include "run.h"
#include "session.h"
#include "terminal.h"
#include "trace.h"

/* A file of ours: beside the executable (build tree), or in ../lib/gatehouse (installed). */
static char *own_file(const char *name)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (len <= 0)
		die("cannot find out where this command lies: %s", strerror(errno));
	exe[len] = '\0';
	*strrchr(exe, '/') = '\0';
	char *beside = format_text("%s/%s", exe, name);
	if (access(beside, R_OK) == 0)
		return beside;
	char *installed = format_text("%s/../lib/gatehouse/%s", exe, name);
	if (access(installed, R_OK) == 0) {
		free(beside);
		return installed;
	}
	die("%s is missing: run make", beside);
}

static void add_root(struct cpio_writer *writer, const char *root)
{
	struct stat st;

	if (!root) {
		root_add_archive(writer, own_file("root.cpio"));
		return;
	}
	if (!disk_is_root_image(root)) {
		if (stat(root, &st) < 0)
			die("cannot read the root '%s': %s", root, strerror(errno));
		if (!S_ISDIR(st.st_mode))
			root_add_archive(writer, root);
	}
	root_add_file(writer, own_file("init"), "init", 0755);
}

/* The image lives in memory only, under a descriptor that QEMU inherits. */
static void pack_initrd(struct boot_files *files, const struct run_options *options)
{
	struct cpio_writer writer;
	int fd = memfd_create("gatehouse-root", MFD_CLOEXEC);
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	FILE *out = copy < 0 ? NULL : fdopen(copy, "w");

	if (!out)
		die("cannot make the root image: %s", strerror(errno));
	setvbuf(out, NULL, _IOFBF, 1 << 18);
	cpio_start(&writer, out);
	add_root(&writer, options->root);
	if (files->is_linux)
		linux_add_modules(&writer, files->kernel, options->machine,
				  files->nr_shares > 0, files->nr_disks > 0);
	if (!cpio_finish(&writer))
		die("cannot make the root image: %s", strerror(errno));
	fclose(out);
	files->initrd = fd;
	files->initrd_size = writer.written;
}

static void choose_files(struct boot_files *files, const struct run_options *options)
{
	*files = (struct boot_files){.initrd = -1};
	files->kernel = options->kernel ? options->kernel : own_file("gatehouse.elf");
	files->is_linux = kernel_identify(files->kernel) == KERNEL_LINUX;
	files->nr_shares = shares_choose(&files->shares, options, files->is_linux);
	files->nr_disks = disks_choose(&files->disks, options);
	if (files->is_linux || options->root)
		pack_initrd(files, options);
}

/* A command may be started with descriptors 0 to 2 closed; a channel must not get such a number. */
static void fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int run_command(char **argv)
{
	struct run_options options;
	struct boot_files files;
	struct machine machine;
	struct machine_streams streams;
	struct profile profile;

	options_parse(&options, argv);
	if (options.help) {
		fputs(options_help, stdout);
		return fflush(stdout) == 0 ? 0 : STATUS_OWN_ERROR;
	}
	fill_standard_descriptors();
	profile_load(&profile, &options);
	trace_open(&options);
	choose_files(&files, &options);
	streams.terminal = terminal_present();
	streams.separate_stderr = !isatty(STDERR_FILENO);
	streams.trace = trace_mode();
	session_block_signals();
	machine_start(&machine, &options, &files, &streams);
	return session_run(&machine, &options, &files, &streams, &profile);
}
