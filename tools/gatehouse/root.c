/*
 * Packs a root file system: a directory tree, an archive, single files.
 *
 * Streaming: one file's buffer at a time, whatever the size of the tree. Entries of a directory
 * are sorted, so one tree gives one archive. Names are resolved relative to directory descriptors:
 * paths of any depth work. What lies on procfs or sysfs is left out, because those are views of
 * this host's kernel and not files.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "error.h"
#include "root.h"

/* Inodes with several names, already written: (device, inode) to the archive's number. */
struct link_entry {
	dev_t dev;
	ino_t ino;
	uint32_t archive_ino; /* 0: free slot */
};

struct packer {
	struct cpio_writer *writer;
	const char *root;	  /* for messages */
	struct link_entry *links; /* open hash table, nr_slots a power of two */
	size_t nr_slots;
	size_t nr_links;
};

static char copy_buffer[1 << 17];

static struct link_entry *link_slot(const struct packer *packer, dev_t dev, ino_t ino)
{
	size_t i = (size_t)((ino * 0x9e3779b97f4a7c15u) ^ dev) & (packer->nr_slots - 1);

	while (packer->links[i].archive_ino &&
	       (packer->links[i].dev != dev || packer->links[i].ino != ino))
		i = (i + 1) & (packer->nr_slots - 1);
	return &packer->links[i];
}

static void links_grow(struct packer *packer)
{
	struct packer old = *packer;

	packer->nr_slots = old.nr_slots ? old.nr_slots * 2 : 256;
	packer->links = xmalloc(packer->nr_slots * sizeof(*packer->links));
	memset(packer->links, 0, packer->nr_slots * sizeof(*packer->links));
	for (size_t i = 0; i < old.nr_slots; i++) {
		if (old.links[i].archive_ino)
			*link_slot(packer, old.links[i].dev, old.links[i].ino) = old.links[i];
	}
	free(old.links);
}

/* The archive's number for a file with several names; true when it has been written before. */
static bool link_known(struct packer *packer, const struct stat *st, uint32_t *archive_ino)
{
	if (2 * packer->nr_links >= packer->nr_slots)
		links_grow(packer);
	struct link_entry *slot = link_slot(packer, st->st_dev, st->st_ino);
	bool known = slot->archive_ino != 0;
	if (!known) {
		*slot = (struct link_entry){st->st_dev, st->st_ino, cpio_new_ino(packer->writer)};
		packer->nr_links++;
	}
	*archive_ino = slot->archive_ino;
	return known;
}

static struct cpio_entry entry_from_stat(const char *name, const struct stat *st)
{
	struct cpio_entry entry = {
		.name = name,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.nr_links = (unsigned int)st->st_nlink,
		.mtime = st->st_mtime > 0 ? (uint64_t)st->st_mtime : 0,
	};

	if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode))
		entry.rdev = st->st_rdev;
	return entry;
}

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

static void add_regular(struct packer *packer, int dir, const char *base, struct cpio_entry *entry,
			const struct stat *st)
{
	if (st->st_nlink > 1 && link_known(packer, st, &entry->ino)) {
		cpio_add(packer->writer, entry, NULL);
		return;
	}
	int fd = openat(dir, base, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		die("cannot read '%s/%s': %s", packer->root, entry->name, strerror(errno));
	add_content(packer->writer, entry, fd, (uint64_t)st->st_size, entry->name);
	close(fd);
}

static void add_symlink(struct packer *packer, int dir, const char *base, struct cpio_entry *entry)
{
	char target[4096];
	ssize_t len = readlinkat(dir, base, target, sizeof(target));

	if (len < 0)
		die("cannot read the link '%s/%s': %s", packer->root, entry->name, strerror(errno));
	entry->size = (uint32_t)len;
	cpio_add(packer->writer, entry, target);
}

static void add_tree(struct packer *packer, int dir, const char *prefix);

static void add_one(struct packer *packer, int dir, const char *prefix, const char *base)
{
	char *name = *prefix ? format_text("%s/%s", prefix, base) : format_text("%s", base);
	struct stat st;

	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		die("cannot read '%s/%s': %s", packer->root, name, strerror(errno));
	struct cpio_entry entry = entry_from_stat(name, &st);
	if (S_ISREG(st.st_mode)) {
		add_regular(packer, dir, base, &entry, &st);
	} else if (S_ISLNK(st.st_mode)) {
		add_symlink(packer, dir, base, &entry);
	} else {
		cpio_add(packer->writer, &entry, NULL);
		if (S_ISDIR(st.st_mode)) {
			int sub =
				openat(dir, base, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			if (sub < 0)
				die("cannot read '%s/%s': %s", packer->root, name, strerror(errno));
			add_tree(packer, sub, name);
		}
	}
	free(name);
}

static bool is_kernel_view(int dir)
{
	struct statfs fs;

	return fstatfs(dir, &fs) == 0 &&
	       (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The sorted names in a directory, without . and ..; the caller frees them. */
static char **list_names(const struct packer *packer, DIR *stream, size_t *count)
{
	char **names = NULL;
	const struct dirent *entry;

	*count = 0;
	while (errno = 0, (entry = readdir(stream)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if ((*count & (*count - 1)) == 0)
			names = xrealloc(names, (*count ? 2 * *count : 1) * sizeof(*names));
		names[(*count)++] = format_text("%s", entry->d_name);
	}
	if (errno)
		die("cannot read '%s': %s", packer->root, strerror(errno));
	if (*count)
		qsort(names, *count, sizeof(*names), by_name);
	return names;
}

/* Adds what is in `dir`, which it closes. */
static void add_tree(struct packer *packer, int dir, const char *prefix)
{
	size_t count;

	if (is_kernel_view(dir)) {
		close(dir);
		return;
	}
	DIR *stream = fdopendir(dir);
	if (!stream)
		die("cannot read '%s': %s", packer->root, strerror(errno));
	char **names = list_names(packer, stream, &count);
	for (size_t i = 0; i < count; i++) {
		add_one(packer, dirfd(stream), prefix, names[i]);
		free(names[i]);
	}
	free(names);
	closedir(stream);
}

void root_add_directory(struct cpio_writer *writer, const char *path)
{
	struct packer packer = {.writer = writer, .root = path};
	struct stat st;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || fstat(dir, &st) < 0)
		die("cannot read the root '%s': %s", path, strerror(errno));
	struct cpio_entry top = entry_from_stat(".", &st);
	cpio_add(writer, &top, NULL);
	add_tree(&packer, dir, "");
	free(packer.links);
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
