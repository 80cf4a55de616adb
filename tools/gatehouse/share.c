/*
 * Shares: from options to QEMU's devices and to the mounts of the guest's init.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "share.h"

#define MAX_SHARES 16 /* below the number of devices that a microvm has room for */

static struct share list[MAX_SHARES];
static size_t count;

static void check_directory(const char *path, const char *what)
{
	struct stat st;

	if (stat(path, &st) < 0)
		die("cannot read the %s '%s': %s", what, path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		die("the %s '%s' is no directory", what, path);
	if (access(path, R_OK | X_OK) < 0)
		die("cannot read the %s '%s': %s", what, path, strerror(errno));
}

static struct share *share_add(const char *path, const char *guest, bool is_linux)
{
	struct share *share = &list[count];

	if (count == MAX_SHARES)
		die("--volume: no more than %d shares", MAX_SHARES);
	*share = (struct share){.path = path, .guest = guest, .is_linux = is_linux};
	share->privileged = geteuid() == 0;
	snprintf(share->tag, sizeof(share->tag), "gatehouse%zu", count++);
	return share;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	return len > strlen(end) && memcmp(text + len - strlen(end), end, strlen(end)) == 0;
}

/* HOST:GUEST[:ro], cut at the last ":/" so that the host's path may have colons. */
static void volume_add(const char *text, bool is_linux)
{
	size_t len = strlen(text);
	bool read_only = ends_with(text, len, ":ro");

	if (read_only)
		len -= strlen(":ro");
	else if (ends_with(text, len, ":rw"))
		len -= strlen(":rw");
	size_t cut = len;
	while (cut > 0 && !(text[cut] == ':' && cut + 1 < len && text[cut + 1] == '/'))
		cut--;
	if (cut == 0 || cut + 2 == len)
		die("--volume '%s': give HOST:GUEST or HOST:GUEST:ro, GUEST an absolute path below /",
		    text);
	char *host = format_text("%.*s", (int)cut, text);
	char *guest = format_text("%.*s", (int)(len - cut - 1), text + cut + 1);
	check_directory(host, "volume");
	share_add(host, guest, is_linux)->read_only = read_only;
}

size_t shares_choose(const struct share **shares, const struct run_options *options, bool is_linux)
{
	struct stat st;

	if (options->root && stat(options->root, &st) == 0 && S_ISDIR(st.st_mode)) {
		check_directory(options->root, "root");
		share_add(options->root, "/", is_linux);
	}
	for (size_t i = 0; i < options->nr_volumes; i++)
		volume_add(options->volumes[i], is_linux);
	*shares = list;
	return count;
}

/*
 * The guest is taken to be the only writer of its root, which is cached without bounds; a volume is
 * looked at again after a second. Linux has no such bound, but a cache for memory mappings only.
 */
char *share_describe(const struct share *share)
{
	const char *cache = strcmp(share->guest, "/") == 0 ? "loose" : "mmap";
	const char *squash = share->privileged || share->is_linux ? "" : ",squash";

	return format_text("%s 9p %s trans=virtio,version=9p2000.L,msize=524288,cache=%s%s %s",
			   share->read_only ? "ro" : "rw", share->tag, cache, squash, share->guest);
}
