/*
 * Mounts, device nodes, kernel modules and the host name: the machine as a program expects it.
 *
 * A file system that the kernel does not have (ENODEV) is left out; every other failure ends the
 * run, because the program would meet it later in a stranger form.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

struct mount_entry {
	const char *type;
	const char *target;
	unsigned long flags;
	const char *options;
	bool if_empty; /* leave the directory alone if the root brought files in it */
};

static const struct mount_entry devices = {"devtmpfs", "/dev", MS_NOSUID, "mode=0755", false};

static const struct mount_entry system_mounts[] = {
	{"proc", "/proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL, false},
	{"sysfs", "/sys", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL, false},
	{"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666", false},
	{"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", false},
	{"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755", true},
	{"tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777", true},
};

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool empty = true;

	while (dir && empty && (entry = readdir(dir)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (dir)
		closedir(dir);
	return empty;
}

static void mount_one(const struct mount_entry *entry)
{
	if (mkdir(entry->target, 0755) < 0 && errno != EEXIST)
		fail(errno, "cannot make %s", entry->target);
	if (entry->if_empty && !is_empty(entry->target))
		return;
	if (mount(entry->type, entry->target, entry->type, entry->flags, entry->options) == 0)
		return;
	/* EBUSY: Linux may have mounted devtmpfs itself. */
	if (errno != ENODEV && errno != EBUSY)
		fail(errno, "cannot mount %s", entry->target);
}

static void link_once(const char *target, const char *path)
{
	if (symlink(target, path) < 0 && errno != EEXIST)
		fail(errno, "cannot make %s", path);
}

void setup_devices(void)
{
	int fd;

	mount_one(&devices);
	/* What the kernel opened lies in the root below: no path of /dev leads to it. */
	fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i <= STDERR_FILENO; i++) {
		if (i != fd)
			dup2(fd, i);
		else
			fcntl(fd, F_SETFD, 0);
	}
	if (fd > STDERR_FILENO)
		close(fd);
}

static void module_insert(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail(errno, "cannot open the module %s", path);
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		fail(errno, "cannot insert the module %s", path);
	close(fd);
	unlink(path);
}

void setup_modules(void)
{
	FILE *list = fopen(MODULE_LIST, "re");
	char line[256];

	if (!list)
		return;
	while (fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		module_insert(line);
	}
	fclose(list);
	unlink(MODULE_LIST);
}

/* The parts of CONTROL_MOUNT. */
struct request {
	unsigned long flags;
	const char *type, *source, *options;
	char *target;
};

static void request_parse(const char *text, struct request *request)
{
	char *part[5] = {strdup(text)};

	if (!part[0])
		fail(ENOMEM, "mount '%s'", text);

	for (int i = 1; i < 5; i++) {
		part[i] = strchr(part[i - 1], ' ');
		if (!part[i])
			fail(0, "malformed mount '%s'", text);
		*part[i]++ = '\0';
	}
	*request = (struct request){.flags = strcmp(part[0], "ro") == 0 ? MS_RDONLY : 0,
				    .type = part[1], .source = part[2],
				    .options = strcmp(part[3], "-") == 0 ? NULL : part[3],
				    .target = part[4]};
}

static void request_mount(const struct request *r, const char *where)
{
	if (mount(r->source, where, r->type, r->flags, r->options) < 0)
		fail(errno, "cannot mount %s (%s) on %s in the guest", r->source, r->type, r->target);
}

/* As switch_root does: it is moved over the initial root, which stays below it, unseen. */
bool setup_root(const struct config *config)
{
	struct request request;

	if (!config->nr_mounts)
		return false;
	request_parse(config->mounts[0], &request);
	if (strcmp(request.target, "/") != 0)
		return false;
	unlink("/init");
	rmdir(BOOT_DIR);
	if (mkdir("/root", 0755) < 0 && errno != EEXIST)
		fail(errno, "cannot make /root");
	request_mount(&request, "/root");
	if (chdir("/root") < 0 || umount2("/dev", MNT_DETACH) < 0 ||
	    mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		fail(errno, "cannot make %s the root", request.source);
	mount_one(&devices);
	return true;
}

static void make_directories(char *path)
{
	for (char *slash = path; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			fail(errno, "cannot make %s in the guest", path);
		if (slash)
			*slash = '/';
	}
}

void setup_volumes(const struct config *config)
{
	for (size_t i = 0; i < config->nr_mounts; i++) {
		struct request request;

		request_parse(config->mounts[i], &request);
		if (strcmp(request.target, "/") == 0)
			continue;
		make_directories(request.target);
		request_mount(&request, request.target);
	}
}

/* What is written is written; file systems on disks are left clean, as after umount. */
void setup_end(void)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	char source[256], target[256];

	sync();
	while (mounts && fscanf(mounts, "%255s %255s%*[^\n]", source, target) == 2) {
		if (strncmp(source, "/dev/", 5) == 0)
			mount(NULL, target, NULL, MS_REMOUNT | MS_RDONLY, NULL);
	}
	if (mounts)
		fclose(mounts);
}

void setup_system(const struct config *config)
{
	for (size_t i = 0; i < sizeof(system_mounts) / sizeof(system_mounts[0]); i++)
		mount_one(&system_mounts[i]);
	link_once("/proc/self/fd", "/dev/fd");
	link_once("/proc/self/fd/0", "/dev/stdin");
	link_once("/proc/self/fd/1", "/dev/stdout");
	link_once("/proc/self/fd/2", "/dev/stderr");
	rmdir(BOOT_DIR);
	if (sethostname(config->hostname, strlen(config->hostname)) < 0)
		fail(errno, "cannot set the host name '%s'", config->hostname);
}
