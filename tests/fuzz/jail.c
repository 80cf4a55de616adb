/*
 * Programs with privileges (sysfuzz -a): an unprivileged user with all capabilities but those by which a program
 * may rightfully end the supervisor or the machine. Its root is a mount of its own, with /proc, /sys, a few
 * devices, and the disk /dev/vda with an ext4 file system at /disk, or as the working directory /w, which it can
 * mount, damage and mount again: the supervisor writes DISK_IMAGE to it when it is past mounting, and now and then.
 */
#include "jail.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "arguments.h"

#define DISK_IMAGE "/tests/disk.img"
#define DISK       "/dev/vda"

enum { RENEW_DISK = 32 };

bool privileged;

static int mounts_at_first;

/* How many mounts there are; the last one's place goes to last. */
static int count_mounts(char last[256])
{
	char line[1024];
	int n = 0;
	FILE *f = fopen("/proc/self/mounts", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %255s", last) == 1)
			n++;
	}
	if (f)
		fclose(f);
	return n;
}

static void write_disk(void)
{
	static char block[1 << 16];
	int from = open(DISK_IMAGE, O_RDONLY | O_CLOEXEC), to = open(DISK, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	while (from >= 0 && to >= 0 && (n = read(from, block, sizeof(block))) > 0)
		if (write(to, block, (size_t)n) != n)
			break;
	close(from);
	close(to);
}

static void mount_disk(void)
{
	static unsigned int programs;
	const char *where = programs & 1 ? "w" : "disk";

	if (access(DISK, F_OK))
		return;
	if (programs++ % RENEW_DISK == 0)
		write_disk();
	if (mount(DISK, where, "ext4", 0, "") == 0)
		return;
	write_disk();
	if (mount(DISK, where, "ext4", 0, ""))
		perror("sysfuzz: " DISK);
}

static void make_node(const char *name, dev_t device)
{
	char path[64];

	snprintf(path, sizeof(path), "dev/%s", name);
	mknod(path, S_IFCHR | 0666, device);
	chmod(path, 0666);
}

static void make_devices(void)
{
	struct stat st;

	mkdir("dev/pts", 0755);
	mkdir("dev/shm", 01777);
	make_node("null", makedev(1, 3));
	make_node("zero", makedev(1, 5));
	make_node("full", makedev(1, 7));
	make_node("random", makedev(1, 8));
	make_node("tty", makedev(5, 0));
	make_node("ptmx", makedev(5, 2));
	mount("devpts", "dev/pts", "devpts", 0, "");
	if (stat(DISK, &st) == 0 && mknod("dev/vda", S_IFBLK | 0660, st.st_rdev) == 0 && chown("dev/vda", USER, USER))
		perror("sysfuzz: chown");
}

bool jail_make(const char *dir)
{
	static const char *const directories[] = { "proc", "sys", "dev", "disk", "w" };
	char last[256];

	if (!mounts_at_first)
		mounts_at_first = count_mounts(last);
	if (mount("sysfuzz", dir, "tmpfs", 0, "size=16m") || chdir(dir))
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(directories); i++)
		if (mkdir(directories[i], 0755) || chown(directories[i], USER, USER))
			return false;
	if (mount("proc", "proc", "proc", 0, "") || mount("sysfs", "sys", "sysfs", 0, ""))
		return false;
	make_devices();
	mount_disk();
	return chdir("/") == 0;
}

void jail_enter(const char *dir)
{
	if (chroot(dir) || chdir("/w"))
		_exit(2);
}

void jail_take_capabilities(void)
{
	/* CHROOT leads out of a chroot; the others end, stop, outvote or become the supervisor, or end the machine. */
	static const int withheld[] = {
		CAP_KILL, CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_SYS_PTRACE, CAP_SYS_CHROOT, CAP_SYS_BOOT,
		CAP_SYS_RESOURCE, CAP_SYS_NICE, CAP_SYS_TTY_CONFIG,
	};
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];
	uint64_t all;

	if (syscall(SYS_capget, &h, d))
		_exit(2);
	all = d[0].permitted | (uint64_t)d[1].permitted << 32;
	for (unsigned int i = 0; i < ARRAY_SIZE(withheld); i++)
		all &= ~(1ull << withheld[i]);
	d[0].permitted = d[0].effective = d[0].inheritable = (uint32_t)all;
	d[1].permitted = d[1].effective = d[1].inheritable = (uint32_t)(all >> 32);
	if (syscall(SYS_capset, &h, d))
		_exit(2);
}

void jail_remove(void)
{
	char last[256];

	/* New ones stand at the end. */
	for (int tries = 0; count_mounts(last) > mounts_at_first && tries < 1000; tries++)
		if (umount2(last, MNT_DETACH)) {
			fprintf(stderr, "sysfuzz: %s: ", last);
			perror("umount");
			return;
		}
}
