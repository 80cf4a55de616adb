/*
 * /proc/sys: the settings that exist, with their true values. A setting is either a number behind a
 * pointer, or a text with a function; only those that take effect can be written.
 */
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/layout.h>
#include <task/random.h>
#include <task/uts.h>
#include <vfs/file.h>
#include <vfs/pipe.h>
#include "internal.h"

static int number(struct text *t, s64 v)
{
	text_printf(t, "%lld\n", v);
	return 0;
}

#define NUMBER(name_, value_)                                                                      \
	static int show_##name_(struct text *t, const struct proc_target *target)                  \
	{                                                                                          \
		(void)target;                                                                      \
		return number(t, (s64)(value_));                                                   \
	}

NUMBER(pid_max, pid_max)
NUMBER(threads_max, max_tasks)
NUMBER(ngroups_max, 65536)
NUMBER(cap_last_cap, CAP_LAST_CAP)
NUMBER(overflow_id, 65534)
NUMBER(overcommit, 0)
NUMBER(overcommit_ratio, 50)
NUMBER(max_map_count, MAX_MAP_COUNT)
NUMBER(mmap_min_addr, MMAP_MIN_ADDR)
NUMBER(file_max, S64_MAX) /* open files are limited by memory alone */
NUMBER(nr_open, FD_MAX)
NUMBER(pipe_max_size, pipe_max_size)
NUMBER(randomize, 2)
NUMBER(protected, 1)

#define UTS(field)                                                                                 \
	static int show_##field(struct text *t, const struct proc_target *target)                  \
	{                                                                                          \
		struct new_utsname u;                                                              \
                                                                                                   \
		(void)target;                                                                      \
		uts_get(&u);                                                                       \
		text_printf(t, "%s\n", u.field);                                                   \
		return 0;                                                                          \
	}

UTS(sysname)
UTS(release)
UTS(version)
UTS(nodename)
UTS(domainname)

static char *line_of(char *data)
{
	char *end = strchr(data, '\n');

	if (end)
		*end = '\0';
	return data;
}

static int store_nodename(char *data, const struct proc_target *target)
{
	(void)target;
	return uts_set_nodename(line_of(data));
}

static int store_domainname(char *data, const struct proc_target *target)
{
	(void)target;
	return uts_set_domainname(line_of(data));
}

static void put_uuid(struct text *t, u8 id[16])
{
	id[6] = (id[6] & 0x0f) | 0x40; /* version 4, RFC 4122 */
	id[8] = (id[8] & 0x3f) | 0x80;
	for (unsigned int i = 0; i < 16; i++)
		text_printf(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id[i]);
	text_append(t, "\n", 1);
}

static int show_uuid(struct text *t, const struct proc_target *target)
{
	u8 id[16];

	(void)target;
	random_bytes(id, sizeof(id));
	put_uuid(t, id);
	return 0;
}

static DEFINE_MUTEX(boot_id_lock, LOCK_RANK_SLEEP_INNER);

static int show_boot_id(struct text *t, const struct proc_target *target)
{
	static u8 boot_id[16]; /* boot_id_lock */
	static bool made;

	(void)target;
	mutex_lock(&boot_id_lock);
	if (!made)
		random_bytes(boot_id, sizeof(boot_id));
	made = true;
	put_uuid(t, boot_id);
	mutex_unlock(&boot_id_lock);
	return 0;
}

NUMBER(entropy, 256)

#define FILE_RO(name_, show_) {.name = name_, .mode = S_IFREG | 0444, .show = show_}

static const struct proc_entry random_children[] = {
	FILE_RO("boot_id", show_boot_id),
	FILE_RO("entropy_avail", show_entropy),
	FILE_RO("poolsize", show_entropy),
	FILE_RO("uuid", show_uuid),
	{0},
};

static const struct proc_entry kernel_children[] = {
	FILE_RO("cap_last_cap", show_cap_last_cap),
	{.name = "domainname", .mode = S_IFREG | 0644, .show = show_domainname,
	 .store = store_domainname},
	{.name = "hostname", .mode = S_IFREG | 0644, .show = show_nodename,
	 .store = store_nodename},
	FILE_RO("ngroups_max", show_ngroups_max),
	FILE_RO("osrelease", show_release),
	FILE_RO("ostype", show_sysname),
	FILE_RO("overflowgid", show_overflow_id),
	FILE_RO("overflowuid", show_overflow_id),
	FILE_RO("pid_max", show_pid_max),
	{.name = "random", .mode = S_IFDIR | 0555, .children = random_children},
	FILE_RO("randomize_va_space", show_randomize),
	FILE_RO("threads-max", show_threads_max),
	FILE_RO("version", show_version),
	{0},
};

static const struct proc_entry vm_children[] = {
	FILE_RO("max_map_count", show_max_map_count),
	FILE_RO("mmap_min_addr", show_mmap_min_addr),
	FILE_RO("overcommit_memory", show_overcommit),
	FILE_RO("overcommit_ratio", show_overcommit_ratio),
	{0},
};

static const struct proc_entry fs_children[] = {
	FILE_RO("file-max", show_file_max),
	FILE_RO("nr_open", show_nr_open),
	FILE_RO("overflowgid", show_overflow_id),
	FILE_RO("overflowuid", show_overflow_id),
	FILE_RO("pipe-max-size", show_pipe_max_size),
	FILE_RO("protected_hardlinks", show_protected),
	FILE_RO("protected_symlinks", show_protected),
	{0},
};

const struct proc_entry proc_sys_children[] = {
	{.name = "fs", .mode = S_IFDIR | 0555, .children = fs_children},
	{.name = "kernel", .mode = S_IFDIR | 0555, .children = kernel_children},
	{.name = "vm", .mode = S_IFDIR | 0555, .children = vm_children},
	{0},
};
