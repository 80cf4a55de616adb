/*
 * Images in which one block is used twice: two directories have a leaf in common, two files a node of their extent
 * trees, two groups an inode table, two attributes a value; a directory's index leads to itself; the bitmaps say that
 * blocks of metadata are free. Each structure is well-formed, so no check of it alone can find that. Several
 * processes use the image at the same time, under the locks of one owner and of the other; with every second image
 * the disk changes meanwhile.
 *
 *	alias DEVICE FIRST COUNT    seeds FIRST … FIRST + COUNT - 1, on a file system that is fresh
 */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "image.h"

#define DIRS 6
#define FILES 8
#define NAMES 260     /* in each directory: some leaves and an index */
#define ATTRS 7
#define PIECES 140    /* runs of a file: more than the inode has room for */
#define WORKERS 4
#define STEPS 160
#define MEDDLES 40
#define FIELDS_MAX 4000

enum kind { MAP, LEAF, ATTRIBUTES, TABLES, INDEX, VALUE, KINDS };

struct field { /* a block's number in the image; VALUE: an attribute's entry; INDEX: one of a directory's index */
	size_t at;
	enum kind kind;
};

static uint8_t *base, *image;
static size_t size;
static uint32_t block_size, first_block, blocks_per_group;
static struct field fields[FIELDS_MAX];
static uint32_t nr_fields;
static char data[1 << 16];

static uint32_t get32(size_t at)
{
	uint32_t v;

	memcpy(&v, image + at, sizeof(v));
	return v;
}

static uint16_t get16(size_t at)
{
	uint16_t v;

	memcpy(&v, image + at, sizeof(v));
	return v;
}

static void put32(size_t at, uint32_t v)
{
	memcpy(image + at, &v, sizeof(v));
}

/* ---- The image ---- */

static long statfs_block(void)
{
	struct statfs s;

	return statfs(WHERE, &s) ? 0 : s.f_bsize;
}

static void populate(const char *device)
{
	char path[300];
	int fd;

	if (mount(device, WHERE, "ext4", 0, ""))
		die("mount");
	for (int d = 0; d < DIRS; d++) {
		snprintf(path, sizeof(path), WHERE "/d%d", d);
		mkdir(path, 0755);
		for (int n = 0; n < NAMES; n++) {
			snprintf(path, sizeof(path), WHERE "/d%d/a-name-that-takes-some-room-%d", d, n);
			if (mknod(path, S_IFIFO | 0644, 0))
				die(path);
		}
	}
	for (int f = 0; f < FILES; f++) {
		snprintf(path, sizeof(path), WHERE "/f%d", f);
		fd = open(path, O_RDWR | O_CREAT, 0644);
		for (int n = 0; n < PIECES; n++)
			if (pwrite(fd, "piece", 5, (off_t)n * 8192) != 5)
				die(path);
		if (fsetxattr(fd, "user.long", data, statfs_block() > 1024 ? 1500 : 400, 0))
			die(path);
		for (int n = 0; n < ATTRS; n++) {
			snprintf(path, sizeof(path), "user.attribute-%d", n);
			if (fsetxattr(fd, path, data, 40, 0))
				die(path);
		}
		close(fd);
	}
	if (umount(WHERE))
		die("umount");
}

/* ---- Where it names its own blocks ---- */

static void field_add(size_t at, enum kind kind)
{
	if (nr_fields < FIELDS_MAX && at + 4 <= size)
		fields[nr_fields++] = (struct field){at, kind};
}

static void index_fields(uint32_t block)
{
	size_t at = (size_t)block * block_size + 32;

	if ((size_t)block * block_size + block_size > size)
		return;
	for (uint32_t i = 0; i < get16(at + 2) && i < block_size / 8 - 5; i++)
		field_add(at + 8 * i + 4, INDEX);
}

/* A node of an extent tree, and below. */
static void extent_fields(size_t node, int is_dir, int indexed)
{
	uint32_t depth = get16(node + 6);

	if (get16(node) != 0xf30a)
		return;
	for (uint32_t i = 0; i < get16(node + 2) && i < block_size / 12 - 1; i++) {
		size_t e = node + 12 + (size_t)12 * i;

		if (depth) {
			field_add(e + 4, MAP);
			extent_fields((size_t)get32(e + 4) * block_size, is_dir, indexed);
		} else if (is_dir) {
			field_add(e + 8, LEAF);
			if (indexed && !get32(e))
				index_fields(get32(e + 8));
		}
	}
}

/* The entries of a list of attributes. */
static void value_fields(size_t at, size_t end)
{
	while (at + 16 <= end && end <= size && get32(at)) {
		field_add(at, VALUE);
		at += 16 + (image[at] + 3u) / 4 * 4;
	}
}

static void inode_fields(size_t at)
{
	size_t own = at + 128 + get16(at + 128);
	int is_dir = S_ISDIR(get16(at));
	uint32_t flags = get32(at + 32);

	if (!get16(at + 26))
		return;
	if (get32(at + 104)) {
		field_add(at + 104, ATTRIBUTES);
		value_fields((size_t)get32(at + 104) * block_size + 32, (size_t)(get32(at + 104) + 1) * block_size);
	}
	if (get16(1024 + 88) > 128 && get32(own) == 0xea020000)
		value_fields(own + 4, at + get16(1024 + 88));
	if (!is_dir && !S_ISREG(get16(at)))
		return;
	if (flags & 0x80000) {
		extent_fields(at + 40, is_dir, flags & 0x1000);
		return;
	}
	for (size_t n = is_dir ? 0 : 12; n < 15; n++)
		if (get32(at + 40 + 4 * n))
			field_add(at + 40 + 4 * n, n < 12 ? LEAF : MAP);
	if (is_dir && flags & 0x1000)
		index_fields(get32(at + 40));
}

static size_t descriptor(uint32_t group)
{
	uint32_t bytes = get32(1024 + 96) & 0x80 ? get16(1024 + 254) : 32;

	return (size_t)(first_block + 1) * block_size + (size_t)group * bytes;
}

static void find_fields(void)
{
	uint32_t per_group = get32(1024 + 40), inode_size = get16(1024 + 88);

	block_size = 1024u << get32(1024 + 24);
	first_block = get32(1024 + 20);
	blocks_per_group = get32(1024 + 32);
	for (uint32_t g = 0; first_block + (size_t)g * blocks_per_group < size / block_size; g++) {
		size_t table = (size_t)get32(descriptor(g) + 8) * block_size;

		for (size_t n = 0; n < 3; n++)
			field_add(descriptor(g) + 4 * n, TABLES);
		for (uint32_t n = g ? 0 : 10; n < per_group; n++)
			inode_fields(table + (size_t)n * inode_size);
	}
}

/* ---- Damage ---- */

static const struct field *field_any(uint64_t *seed, enum kind kind)
{
	for (int tries = 0; tries < 1000; tries++) {
		const struct field *f = &fields[random_next(seed) % nr_fields];

		if (kind == KINDS ? f->kind < INDEX : f->kind == kind)
			return f;
	}
	return NULL;
}

/* The attributes of one list all get the place of its longest value. */
static void share_value(uint64_t *seed)
{
	const struct field *a = field_any(seed, VALUE), *longest = a;

	for (uint32_t i = 0; i < nr_fields; i++)
		if (fields[i].kind == VALUE && fields[i].at / block_size == a->at / block_size &&
		    get32(fields[i].at + 8) > get32(longest->at + 8))
			longest = &fields[i];
	for (uint32_t i = 0; i < nr_fields; i++)
		if (fields[i].kind == VALUE && fields[i].at / block_size == a->at / block_size) {
			memcpy(image + fields[i].at + 2, image + longest->at + 2, 2);
			memcpy(image + fields[i].at + 8, image + longest->at + 8, 4);
		}
}

/* One block gets a second owner, mostly one of the same kind. */
static void share(uint64_t *seed)
{
	enum kind kind = random_next(seed) % KINDS;
	const struct field *a, *b;

	if (kind == TABLES && random_next(seed) % 8) /* few of them: most of those cannot be mounted */
		kind = INDEX;
	a = field_any(seed, kind);
	if (a && kind == VALUE)
		share_value(seed);
	if (!a || kind == VALUE)
		return;
	b = field_any(seed, a->kind == INDEX || random_next(seed) % 4 ? a->kind : KINDS);
	if (b)
		put32(a->at, a->kind == INDEX && random_next(seed) & 1 ? 0 : get32(b->at));
}

/* The block that a field names looks free; the counts fit. */
static void set_free(uint32_t block)
{
	uint32_t group = (block - first_block) / blocks_per_group;
	uint32_t bit = (block - first_block) % blocks_per_group;
	size_t desc = descriptor(group), map = (size_t)get32(desc) * block_size + bit / 8;
	uint16_t count = get16(desc + 12);

	if (block < first_block || map >= size || !(image[map] & 1 << bit % 8))
		return;
	image[map] &= (uint8_t)~(1 << bit % 8);
	count++;
	memcpy(image + desc + 12, &count, sizeof(count));
}

static void free_some(uint64_t *seed)
{
	enum kind kind = random_next(seed) % INDEX;

	for (uint32_t i = 0; i < nr_fields; i++)
		if (fields[i].kind == kind && random_next(seed) % 2)
			set_free(get32(fields[i].at));
}

static void damage(uint64_t seed)
{
	uint64_t nr = 1 + random_next(&seed) % 12;

	memcpy(image, base, size);
	while (nr--) {
		if (random_next(&seed) % 6)
			share(&seed);
		else
			free_some(&seed);
	}
}

/* ---- Use ---- */

static void use_file(const char *path, uint64_t *seed)
{
	int fd = open(path, O_RDWR);
	off_t at = (off_t)(random_next(seed) % (4 * PIECES)) * 4096;
	size_t len = random_next(seed) % 900;
	char name[40];

	if (fd < 0)
		return;
	switch (random_next(seed) % 8) {
	case 0:
		(void)!ftruncate(fd, at);
		break;
	case 1:
		(void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, 8192);
		break;
	case 2:
		(void)!fallocate(fd, 0, at, 4096);
		break;
	case 3:
		(void)!fsetxattr(fd, random_next(seed) & 1 ? "user.long" : "user.other", data, len, 0);
		break;
	case 4:
		snprintf(name, sizeof(name), "user.attribute-%d", (int)(random_next(seed) % ATTRS));
		(void)!fremovexattr(fd, name);
		break;
	case 5:
		(void)!fgetxattr(fd, "user.long", data, sizeof(data));
		(void)!flistxattr(fd, data, sizeof(data));
		break;
	case 6:
		for (int i = 0; i < 20; i++)
			(void)!pread(fd, data, 100, at + 8192 * i);
		break;
	default:
		for (int i = 0; i < 20; i++)
			(void)!pwrite(fd, "more", 4, at + 8192 * i);
		(void)!fdatasync(fd);
	}
	close(fd);
}

static void list(const char *path)
{
	DIR *d = opendir(path);

	for (int n = 0; d && n < 1000 && readdir(d); n++)
		continue;
	if (d)
		closedir(d);
}

static void use_names(uint64_t *seed)
{
	char path[300], other[300];
	int dir = (int)(random_next(seed) % DIRS), to = (int)(random_next(seed) % DIRS);
	struct stat st;

	snprintf(path, sizeof(path), WHERE "/d%d/a-name-that-takes-some-room-%d", dir,
		 (int)(random_next(seed) % (2 * NAMES)));
	snprintf(other, sizeof(other), WHERE "/d%d/another-name-%d", to, (int)(random_next(seed) % NAMES));
	switch (random_next(seed) % 7) {
	case 0:
		(void)!unlink(path);
		break;
	case 1:
		(void)!rename(path, other);
		break;
	case 2:
		(void)!mkdir(other, 0755);
		break;
	case 3:
		(void)!rmdir(other);
		break;
	case 4:
		(void)!symlink(data, other);
		(void)!readlink(other, data + 2000, 2000);
		break;
	case 5:
		(void)!stat(path, &st);
		other[sizeof(WHERE "/d0") - 1] = '\0';
		list(other);
		break;
	default:
		for (int i = 0; i < 12; i++) {
			snprintf(path, sizeof(path), WHERE "/d%d/one-of-many-names-%llu", dir,
				 (unsigned long long)random_next(seed));
			(void)!mknod(path, S_IFIFO | 0644, 0);
		}
	}
}

static void work(uint64_t seed)
{
	char path[300];

	for (int i = 0; i < STEPS; i++) {
		snprintf(path, sizeof(path), WHERE "/f%d", (int)(random_next(&seed) % FILES));
		if (random_next(&seed) & 1)
			use_file(path, &seed);
		else
			use_names(&seed);
	}
	_exit(0);
}

/* The disk changes behind the file system, which comes to see it when the caches are dropped. */
static void meddle(const char *device, uint64_t seed)
{
	int fd = open(device, O_RDWR), caches = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd < 0 || caches < 0)
		die("meddle");
	for (int i = 0; i < MEDDLES; i++) {
		const struct field *f = &fields[random_next(&seed) % nr_fields];
		size_t at = random_next(&seed) & 1 ? f->at : (f->at & ~1023ULL) + random_next(&seed) % 1020;
		uint32_t value = random_next(&seed) & 1 ? get32(fields[random_next(&seed) % nr_fields].at)
							 : (uint32_t)random_next(&seed);

		(void)!pwrite(fd, &value, sizeof(value), (off_t)at);
		(void)!fdatasync(fd);
		(void)!write(caches, "2", 1);
		usleep(5000);
	}
	_exit(0);
}

static void use(const char *device, uint64_t seed)
{
	if (seed % 2 && !fork())
		meddle(device, seed);
	for (uint64_t n = 0; n < WORKERS; n++)
		if (!fork())
			work(seed * WORKERS + n);
	while (wait(NULL) > 0 || errno == EINTR)
		continue;
	sync();
}

int main(int argc, char **argv)
{
	unsigned long first, count, mounted = 0;

	if (argc != 4)
		return 2;
	first = strtoul(argv[2], NULL, 0);
	count = strtoul(argv[3], NULL, 0);
	memset(data, 'x', 300);
	mkdir(WHERE, 0755);
	populate(argv[1]);
	base = image_load(argv[1], &size);
	image = image_load(argv[1], &size);
	find_fields();
	for (unsigned long seed = first; seed < first + count; seed++) {
		if (getenv("VERBOSE"))
			fprintf(stderr, "seed %lu\n", seed);
		damage(seed);
		image_store(argv[1], image, size);
		if (mount(argv[1], WHERE, "ext4", 0, ""))
			continue;
		mounted++;
		use(argv[1], seed);
		if (umount(WHERE))
			die("umount");
	}
	printf("%u fields; %lu of %lu could be mounted\n", nr_fields, mounted, count);
	return 0;
}
