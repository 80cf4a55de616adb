/*
 * Disks: from options to QEMU's devices.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "error.h"

#define MAX_DISKS 12 /* with the shares, below the number of devices that a microvm has room for */
#define EXT_MAGIC_AT (1024 + 56)

static struct disk list[MAX_DISKS];
static size_t count;

/* Cuts "…:WORD" or "…:WORD=VALUE" off the end of text; the value ("" without one), or NULL. */
static const char *cut_option(char *text, const char *word)
{
	char *colon = strrchr(text, ':');
	size_t len = strlen(word);

	if (!colon || strncmp(colon + 1, word, len) != 0)
		return NULL;
	if (colon[1 + len] != '\0' && colon[1 + len] != '=')
		return NULL;
	*colon = '\0';
	return colon[1 + len] == '=' ? colon + 2 + len : "";
}

/* An image whose name ends like an option is taken for what it is. */
static void parse(struct disk *disk, const char *text)
{
	char *path = format_text("%s", text);

	*disk = (struct disk){.path = path};
	while (access(path, F_OK) < 0) {
		const char *value;

		if ((value = cut_option(path, "ro")))
			disk->read_only = true;
		else if ((value = cut_option(path, "log")) && *value)
			disk->log = value;
		else if ((value = cut_option(path, "faults")) && *value)
			disk->faults = value;
		else
			break;
	}
}

static void check_file(struct disk *disk, const char *what)
{
	struct stat st;

	if (stat(disk->path, &st) < 0)
		die("cannot use the %s '%s': %s", what, disk->path, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		die("the %s '%s' is neither a file nor a block device", what, disk->path);
	if (access(disk->path, R_OK | (disk->read_only ? 0 : W_OK)) < 0)
		die("cannot use the %s '%s': %s%s", what, disk->path, strerror(errno),
		    disk->read_only ? "" : " (append :ro to use it read-only)");
	disk->is_device = S_ISBLK(st.st_mode);
}

static void add(const char *text, bool is_root)
{
	struct disk *disk = &list[count];

	if (count++ == MAX_DISKS)
		die("--disk: no more than %d disks", MAX_DISKS);
	parse(disk, text);
	check_file(disk, is_root ? "root" : "disk");
	disk->is_root = is_root;
	if (disk->log && access(disk->log, W_OK) < 0)
		die("cannot use the log '%s': %s", disk->log, strerror(errno));
	if (disk->faults && access(disk->faults, R_OK) < 0)
		die("cannot read the faults '%s': %s", disk->faults, strerror(errno));
}

bool disk_is_root_image(const char *root)
{
	struct disk disk;
	uint8_t magic[2] = {0};

	parse(&disk, root);
	int fd = open(disk.path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool is_ext = pread(fd, magic, 2, EXT_MAGIC_AT) == 2 && magic[0] == 0x53 && magic[1] == 0xef;
	close(fd);
	return is_ext;
}

size_t disks_choose(const struct disk **disks, const struct run_options *options)
{
	if (options->root && disk_is_root_image(options->root))
		add(options->root, true);
	for (size_t i = 0; i < options->nr_disks; i++)
		add(options->disks[i], false);
	*disks = list;
	return count;
}

char *disk_describe_root(const struct disk *disk)
{
	return format_text("%s ext4 /dev/vda - /", disk->read_only ? "ro" : "rw");
}
