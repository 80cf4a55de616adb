/*
 * Packs a root file system: an archive, single files. Streaming: one buffer, whatever the sizes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "root.h"

static char copy_buffer[1 << 17];

/* Copies `size` bytes; a file that shrinks meanwhile would shift all that follows. */
static void copy_content(struct cpio_writer *writer, int fd, uint64_t size, const char *what)
{
	while (size > 0) {
		size_t want = size < sizeof(copy_buffer) ? (size_t)size : sizeof(copy_buffer);
		ssize_t got = read(fd, copy_buffer, want);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			die("cannot read '%s': %s", what, strerror(errno));
		if (got == 0)
			die("'%s' ended early: it is incomplete, or changed while it was read",
			    what);
		cpio_data(writer, copy_buffer, (size_t)got);
		size -= (uint64_t)got;
	}
}

static void add_content(struct cpio_writer *writer, struct cpio_entry *entry, int fd, uint64_t size,
			const char *what)
{
	if (size > UINT32_MAX)
		die("'%s' is larger than 4 GiB, the most that an initramfs can hold", what);
	entry->size = (uint32_t)size;
	cpio_begin_entry(writer, entry);
	copy_content(writer, fd, size, what);
	cpio_end_entry(writer);
}

/* One field of a newc header: eight hexadecimal digits. */
static bool parse_field(const char *header, unsigned int index, uint32_t *value)
{
	char digits[9];
	char *end;

	memcpy(digits, header + 6 + 8 * index, 8);
	digits[8] = '\0';
	*value = (uint32_t)strtoul(digits, &end, 16);
	return *end == '\0' && digits[0] != '-' && digits[0] != '+' && digits[0] != ' ';
}

static void read_whole(int fd, void *to, size_t len, const char *path)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = read(fd, (char *)to + done, len - done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			die("the root '%s' is no complete cpio archive (newc)", path);
		done += (size_t)got;
	}
}

/* Copies one entry as it stands; false at the trailer. */
static bool copy_entry(struct cpio_writer *writer, int fd, const char *path)
{
	char header[110];
	char name[4096 + 4];
	uint32_t name_len, size, ino;

	read_whole(fd, header, sizeof(header), path);
	if (memcmp(header, "070701", 6) != 0 || !parse_field(header, 11, &name_len) ||
	    !parse_field(header, 6, &size) || !parse_field(header, 0, &ino) || name_len == 0 ||
	    name_len > 4096)
		die("the root '%s' is neither a directory nor a cpio archive (newc, not "
		    "compressed)",
		    path);
	size_t padded = ((sizeof(header) + name_len + 3) & ~3ul) - sizeof(header);
	read_whole(fd, name, padded, path);
	if (name[name_len - 1] == '\0' && strcmp(name, "TRAILER!!!") == 0)
		return false;
	if (ino >= writer->next_ino)
		writer->next_ino = ino + 1;
	cpio_data(writer, header, sizeof(header));
	cpio_data(writer, name, padded);
	copy_content(writer, fd, ((uint64_t)size + 3) & ~3ull, path);
	return true;
}

void root_add_archive(struct cpio_writer *writer, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("cannot read the root '%s': %s", path, strerror(errno));
	while (copy_entry(writer, fd, path))
		;
	close(fd);
}

void root_add_file(struct cpio_writer *writer, const char *path, const char *name, mode_t mode)
{
	struct cpio_entry entry = {.name = name, .mode = S_IFREG | mode, .nr_links = 1};
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		die("cannot read '%s': %s", path, strerror(errno));
	entry.mtime = (uint64_t)st.st_mtime;
	add_content(writer, &entry, fd, (uint64_t)st.st_size, path);
	close(fd);
}
