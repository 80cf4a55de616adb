/*
 * The accelerator: what was asked for, or KVM when it works and TCG otherwise.
 *
 * A failed probe costs its whole deadline, so the verdict "KVM does not work here" is kept in the
 * user's cache directory for a while, tied to this boot. A probe that succeeds takes about a
 * millisecond and is repeated each time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "accel.h"
#include "error.h"

#define VERDICT_LIFETIME_S 3600

/* The file with the verdict, or NULL when there is no home for it; the caller frees it. */
static char *verdict_path(void)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	char *dir;

	if (cache && cache[0] == '/')
		dir = format_text("%s/gatehouse", cache);
	else if (home && home[0] == '/')
		dir = format_text("%s/.cache/gatehouse", home);
	else
		return NULL;
	char *path = format_text("%s/kvm-fails", dir);
	for (char *slash = dir + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		mkdir(dir, 0755);
		*slash = '/';
	}
	mkdir(dir, 0755);
	free(dir);
	return path;
}

static size_t read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len > 0 ? (size_t)len : 0;
}

static bool failed_lately(const char *path, const char *boot_id)
{
	char text[64];
	struct stat st;

	if (stat(path, &st) < 0 || time(NULL) - st.st_mtime > VERDICT_LIFETIME_S)
		return false;
	return read_text(path, text, sizeof(text)) > 0 && strcmp(text, boot_id) == 0;
}

static void remember_failure(const char *path, const char *boot_id)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return; /* without a cache each start probes again */
	if (write(fd, boot_id, strlen(boot_id)) < 0)
		unlink(path);
	close(fd);
}

static bool kvm_works(void)
{
	char boot_id[64];

	if (access("/dev/kvm", R_OK | W_OK) < 0)
		return false;
	if (!read_text("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id)))
		return kvm_probe();
	char *path = verdict_path();
	bool works = !(path && failed_lately(path, boot_id));
	if (works) {
		works = kvm_probe();
		if (!works && path)
			remember_failure(path, boot_id);
	}
	free(path);
	return works;
}

enum accel_choice accel_choose(const struct run_options *options)
{
	if (options->icount)
		return ACCEL_TCG;
	if (options->accel != ACCEL_AUTO)
		return options->accel;
	return kvm_works() ? ACCEL_KVM : ACCEL_TCG;
}
