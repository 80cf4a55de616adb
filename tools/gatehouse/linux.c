/*
 * Linux as a guest: recognising a bzImage, finding its modules, ordering them.
 *
 * A Debian kernel package is unpacked, not installed, so modules.dep does not exist: the tree
 * lib/modules/VERSION next to the image is indexed by walking it, and dependencies come from the
 * `depends=` line that every module carries. The walk costs a few milliseconds and happens for a
 * bzImage only.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "error.h"
#include "linux.h"
#include "root.h"

struct module {
	char *name; /* with underscores, as depends= has it */
	char *path;
	bool chosen;
};

/* nftw has no argument of its own, hence file scope. Indexed once, never freed. */
static struct module *modules;
static size_t nr_modules;

/* The chosen modules' paths in the guest, in loading order, one per line. */
static char *module_list;

enum kernel_kind kernel_identify(const char *path)
{
	unsigned char head[0x208] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("cannot read the kernel '%s': %s", path, strerror(errno));
	ssize_t got = read(fd, head, sizeof(head));
	if (got < 0)
		die("cannot read the kernel '%s': %s", path, strerror(errno));
	close(fd);
	if (memcmp(head, ELFMAG, SELFMAG) == 0 && head[EI_CLASS] == ELFCLASS64)
		return KERNEL_ELF;
	if (memcmp(head + 0x202, "HdrS", 4) == 0)
		return KERNEL_LINUX;
	die("'%s' is no kernel: give an ELF64 image with a PVH note, or a Linux bzImage", path);
}

/* The release that a bzImage names in its header, such as 6.1.0-56-cloud-amd64. */
static void linux_release(const char *path, char *release, size_t size)
{
	uint16_t offset;
	FILE *image = fopen(path, "re");

	if (!image || fseek(image, 0x20e, SEEK_SET) < 0 || fread(&offset, 2, 1, image) != 1 ||
	    fseek(image, 0x200 + offset, SEEK_SET) < 0 || !fgets(release, (int)size, image))
		die("cannot read the release of the Linux kernel '%s'", path);
	fclose(image);
	release[strcspn(release, " \n")] = '\0';
}

static int index_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	const char *base = path + walk->base;
	size_t len = strlen(base);

	(void)st;
	if (type != FTW_F || len < 4 || strcmp(base + len - 3, ".ko") != 0)
		return 0;
	if ((nr_modules & (nr_modules - 1)) == 0)
		modules = xrealloc(modules, (nr_modules ? 2 * nr_modules : 1) * sizeof(*modules));
	char *name = format_text("%.*s", (int)len - 3, base);
	for (char *c = name; *c; c++) {
		if (*c == '-')
			*c = '_';
	}
	modules[nr_modules++] = (struct module){.name = name, .path = format_text("%s", path)};
	return 0;
}

/* Looks beside the image (DIR/../lib/modules and DIR/lib/modules), then in the running system. */
static void index_modules(const char *kernel, const char *release)
{
	char real[PATH_MAX];

	if (!realpath(kernel, real))
		die("cannot read the kernel '%s': %s", kernel, strerror(errno));
	*strrchr(real, '/') = '\0';
	char *candidates[] = {
		format_text("%s/../lib/modules/%s", real, release),
		format_text("%s/lib/modules/%s", real, release),
		format_text("/lib/modules/%s", release),
	};
	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]) && !nr_modules; i++) {
		if (access(candidates[i], R_OK) == 0)
			nftw(candidates[i], index_one, 16, FTW_PHYS);
	}
	if (!nr_modules)
		die("no modules of Linux %s: unpack its package so that lib/modules/%s lies beside "
		    "boot/",
		    release, release);
	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++)
		free(candidates[i]);
}

static struct module *module_find(const char *name, size_t len)
{
	for (size_t i = 0; i < nr_modules; i++) {
		if (strlen(modules[i].name) == len && memcmp(modules[i].name, name, len) == 0)
			return &modules[i];
	}
	return NULL;
}

/* The comma-separated `depends=` of a module; the caller frees it. */
static char *module_depends(const char *path)
{
	static const char key[] = "\0depends=";
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		die("cannot read the module '%s': %s", path, strerror(errno));
	size_t size = (size_t)st.st_size;
	const char *image = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED)
		die("cannot read the module '%s': %s", path, strerror(errno));
	close(fd);
	const char *hit = memmem(image, size, key, sizeof(key) - 1);
	const char *text = hit ? hit + sizeof(key) - 1 : NULL;
	char *depends =
		text ? format_text("%.*s", (int)strnlen(text, size - (size_t)(text - image)), text)
		     : format_text("%s", "");
	munmap((void *)image, size);
	return depends;
}

/* Adds a module after those it depends on. A driver that is built in has no file. */
static void module_add(struct cpio_writer *writer, const char *name, size_t len)
{
	struct module *module = module_find(name, len);

	if (!module || module->chosen)
		return;
	module->chosen = true;
	char *depends = module_depends(module->path);
	for (const char *at = depends; *at;) {
		size_t part = strcspn(at, ",");
		module_add(writer, at, part);
		at += part + (at[part] == ',');
	}
	free(depends);

	char *guest_path = format_text(BOOT_DIR "/%s.ko", module->name);
	root_add_file(writer, module->path, guest_path + 1, 0600);
	char *longer = format_text("%s%s\n", module_list ? module_list : "", guest_path);
	free(module_list);
	free(guest_path);
	module_list = longer;
}

void linux_add_modules(struct cpio_writer *writer, const char *kernel, enum machine_type machine,
		       bool shares, bool disks)
{
	static const char *const wanted[][2] = {
		[MACHINE_MICROVM] = {"virtio_mmio", "virtio_console"},
		[MACHINE_Q35] = {"virtio_pci", "virtio_console"},
	};
	struct cpio_entry dir = {.name = &BOOT_DIR[1], .mode = S_IFDIR | 0700, .nr_links = 2};
	struct cpio_entry list = {.name = &MODULE_LIST[1], .mode = S_IFREG | 0600, .nr_links = 1};
	char release[128];

	linux_release(kernel, release, sizeof(release));
	index_modules(kernel, release);
	cpio_add(writer, &dir, NULL);
	for (size_t i = 0; i < 2; i++)
		module_add(writer, wanted[machine][i], strlen(wanted[machine][i]));
	if (shares && !module_find("9p", 2))
		die("this Linux kernel has no 9p for --root DIR and --volume: take Debian's "
		    "linux-image-amd64 (tools/fetch-linux full)");
	if (shares) {
		module_add(writer, "9pnet_virtio", strlen("9pnet_virtio"));
		module_add(writer, "9p", strlen("9p"));
	}
	if (disks) {
		module_add(writer, "virtio_blk", strlen("virtio_blk"));
		module_add(writer, "crc32c_intel", strlen("crc32c_intel"));
		module_add(writer, "crc32c_generic", strlen("crc32c_generic"));
		module_add(writer, "ext4", strlen("ext4"));
	}
	if (!module_list)
		return;
	list.size = (uint32_t)strlen(module_list);
	cpio_add(writer, &list, module_list);
}
