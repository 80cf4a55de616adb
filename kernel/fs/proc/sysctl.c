/*
 * /proc/sys: the settings that exist, with their true values. Each is a line of a table: a number is
 * a word somewhere in the kernel with its bounds, a text a pair of functions. Who owns a number
 * reads it with READ_ONCE whenever it matters. Settings that nothing here obeys are read-only.
 *
 * Linux's rules for writing: the permission bits count by effective ids, capabilities do not; it is
 * asked again at each write. A number is taken from a write at position 0, later ones are ignored.
 */
#include <event/epoll.h>
#include <event/inotify.h>
#include <ipc/ipc.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/layout.h>
#include <task/coredump.h>
#include <task/exec.h>
#include <net/abi.h>
#include <net/settings.h>
#include <net/unix.h>
#include <ptrace/ptrace.h>
#include <mm/mm.h>
#include <sched/sched.h>
#include <seccomp/seccomp.h>
#include <task/random.h>
#include <task/uts.h>
#include <vfs/file.h>
#include <vfs/limits.h>
#include <vfs/pipe.h>
#include "internal.h"

int proc_setting_permission(u32 mode, u32 mask)
{
	const struct cred *c = current->cred;

	if (c->euid == 0)
		mode >>= 6;
	else if (c->egid == 0 || cred_in_group(c, 0))
		mode >>= 3;
	return mask & (MAY_READ | MAY_WRITE | MAY_EXEC) & ~mode ? -EACCES : 0;
}

/* ---- Numbers ---- */

struct number {
	void *word;   /* READ_ONCE; 32 bits unless wide */
	bool wide;
	s64 min, max; /* of the written value; min < 0: the word is signed */
	u64 (*round)(u64 value); /* optional: what is stored; 0: out of range */
};

static s64 number_get(const struct number *n)
{
	if (n->wide)
		return (s64)READ_ONCE(*(u64 *)n->word);
	return n->min < 0 ? (s64)READ_ONCE(*(s32 *)n->word) : (s64)READ_ONCE(*(u32 *)n->word);
}

static void number_set(const struct number *n, s64 v)
{
	if (n->wide)
		WRITE_ONCE(*(u64 *)n->word, (u64)v);
	else
		WRITE_ONCE(*(u32 *)n->word, (u32)v);
}

static int show_number(struct text *t, const struct proc_target *target)
{
	const struct number *n = target->entry->setting;

	text_printf(t, n->wide && n->min >= 0 ? "%llu\n" : "%lld\n", number_get(n));
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static char *skip_spaces(char *s)
{
	while (is_space(*s))
		s++;
	return s;
}

/* A decimal, octal or hexadecimal number that white space or the end follows; *end is behind it. */
static int parse_number(char *s, s64 *out, char **end)
{
	bool negative = *s == '-';
	char *stop = s;
	u64 v;
	int err;

	while (*stop && !is_space(*stop))
		stop++;
	*end = *stop ? skip_spaces(stop) : stop;
	*stop = '\0';
	err = parse_u64(s + negative, 0, &v);
	if (err || v > S64_MAX)
		return -EINVAL;
	*out = negative ? -(s64)v : (s64)v;
	return 0;
}

static int store_number(char *data, const struct proc_target *target)
{
	const struct number *n = target->entry->setting;
	char *end;
	s64 v;
	int err;

	if (proc_setting_permission(target->entry->mode, MAY_WRITE))
		return -EPERM;
	if (target->pos || !*data)
		return 0;
	err = parse_number(skip_spaces(data), &v, &end);
	if (err)
		return err;
	if (v < n->min || v > n->max)
		return -EINVAL;
	if (n->round) {
		v = (s64)n->round((u64)v);
		if (!v)
			return -EINVAL;
	}
	number_set(n, v);
	return (int)(end - data);
}

#define NUMBER(name_, mode_, ...)                                                                  \
	{.name = name_, .mode = S_IFREG | (mode_), .show = show_number, .store = store_number,     \
	 .setting = &(const struct number){__VA_ARGS__}}
#define NUMBER_IN(name_, mode_, word_, min_, max_)                                                 \
	NUMBER(name_, mode_, .word = &(word_), .min = (min_), .max = (max_))
#define INTEGER(name_, word_) NUMBER_IN(name_, 0644, word_, INT_MIN, INT_MAX)
/* What cannot be changed. */
#define CONSTANT(name_, value_)                                                                    \
	NUMBER(name_, 0444, .word = &(u64){value_}, .wide = true)

/* ---- The limits of System V objects that are no single signed number ---- */

/* 64 bits without a sign. */
static int store_unsigned(char *data, const struct proc_target *target)
{
	const struct number *n = target->entry->setting;
	char *s = skip_spaces(data), *stop = s, *end;
	u64 v;

	if (proc_setting_permission(target->entry->mode, MAY_WRITE))
		return -EPERM;
	if (target->pos || !*data)
		return 0;
	while (*stop && !is_space(*stop))
		stop++;
	end = skip_spaces(stop);
	*stop = '\0';
	if (parse_u64(s, 0, &v))
		return -EINVAL;
	number_set(n, (s64)v);
	return (int)(end - data);
}

#define UNSIGNED(name_, word_)                                                                     \
	{.name = name_, .mode = S_IFREG | 0644, .show = show_number, .store = store_unsigned,      \
	 .setting = &(const struct number){.word = &(word_), .wide = true}}

static u32 *const sem_words[] = {&init_ipc_limits.semmsl, &init_ipc_limits.semmns,
				 &init_ipc_limits.semopm, &init_ipc_limits.semmni};

static int show_sem_limits(struct text *t, const struct proc_target *target)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(sem_words); i++)
		text_printf(t, "%s%u", i ? "\t" : "", READ_ONCE(*sem_words[i]));
	text_append(t, "\n", 1);
	return 0;
}

/* As many as are given, from the first on. */
static int store_sem_limits(char *data, const struct proc_target *target)
{
	char *s = skip_spaces(data), *end = s;
	s64 v;

	if (proc_setting_permission(target->entry->mode, MAY_WRITE))
		return -EPERM;
	if (target->pos)
		return 0;
	for (unsigned int i = 0; *s && i < ARRAY_SIZE(sem_words); i++, s = end) {
		if (parse_number(s, &v, &end) || v < 0 || v > INT_MAX)
			return -EINVAL;
		if (sem_words[i] == &init_ipc_limits.semmni && v > IPC_OBJECTS_MAX)
			return -EINVAL;
		WRITE_ONCE(*sem_words[i], (u32)v);
	}
	return (int)(end - data);
}

/* ---- Texts ---- */

#define TEXT_MAX 256

struct setting_text {
	u32 size;                 /* with the terminator; at most TEXT_MAX */
	void (*get)(char *out);   /* out has TEXT_MAX bytes */
	void (*set)(const char *text);
};

static int show_text(struct text *t, const struct proc_target *target)
{
	const struct setting_text *s = target->entry->setting;
	char now[TEXT_MAX];

	s->get(now);
	text_printf(t, "%s\n", now);
	return 0;
}

/* Up to the end of the line; from a position within the present text on, that part is kept. */
static int store_text(char *data, const struct proc_target *target)
{
	const struct setting_text *s = target->entry->setting;
	char now[TEXT_MAX];
	size_t len = (size_t)target->pos;

	if (proc_setting_permission(target->entry->mode, MAY_WRITE))
		return -EPERM;
	s->get(now);
	if (target->pos < 0 || len > strlen(now) || len >= s->size)
		return 0;
	while (len < s->size - 1 && *data && *data != '\n')
		now[len++] = *data++;
	now[len] = '\0';
	s->set(now);
	return 0;
}

#define TEXT(name_, mode_, size_, get_, set_)                                                      \
	{.name = name_, .mode = S_IFREG | (mode_), .show = show_text, .store = store_text,         \
	 .setting = &(const struct setting_text){.size = size_, .get = get_, .set = set_}}

#define UTS(field)                                                                                 \
	static void get_##field(char *out)                                                         \
	{                                                                                          \
		struct new_utsname u;                                                              \
                                                                                                   \
		uts_get(&u);                                                                       \
		memcpy(out, u.field, sizeof(u.field));                                             \
	}

UTS(sysname)
UTS(release)
UTS(version)
UTS(nodename)
UTS(domainname)
#define UTS_SIZE (__NEW_UTS_LEN + 1)

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

/* A text that is made anew and cannot be set. */
#define SHOWN(name_, show_)                                                                        \
	{.name = name_, .mode = S_IFREG | 0444, .show = show_, .setting = show_}

static int show_file_nr(struct text *t, const struct proc_target *target)
{
	(void)target;
	text_printf(t, "%llu\t0\t%llu\n", files_open(), READ_ONCE(file_max));
	return 0;
}

static u64 round_pipe_size(u64 size)
{
	return pipe_round_size(size);
}

static int show_actions_avail(struct text *t, const struct proc_target *target)
{
	char names[SECCOMP_NAMES_MAX];

	(void)target;
	seccomp_actions_avail(names);
	text_printf(t, "%s\n", names);
	return 0;
}

static int show_actions_logged(struct text *t, const struct proc_target *target)
{
	char names[SECCOMP_NAMES_MAX];

	(void)target;
	seccomp_actions_logged(names);
	text_printf(t, "%s\n", names);
	return 0;
}

static int store_actions_logged(char *data, const struct proc_target *target)
{
	char *end = data;

	if (proc_setting_permission(target->entry->mode, MAY_WRITE))
		return -EPERM;
	while (*end && *end != '\n')
		end++;
	*end = '\0';
	return target->pos ? 0 : seccomp_set_actions_logged(data);
}

/* ---- The tables ---- */

#define PID_MAX_MIN     301       /* a few numbers more than the reserved ones */
#define THREADS_MAX_MAX 0x3fffffff /* what a futex word can name */
#define NR_OPEN_MIN     64
#define NR_OPEN_MAX     0x7fffffc0
#define OVERFLOW_ID     65534
#define NGROUPS_MAX     65536
#define ENTROPY_BITS    256

static const struct proc_entry random_children[] = {
	SHOWN("boot_id", show_boot_id),
	CONSTANT("entropy_avail", ENTROPY_BITS),
	CONSTANT("poolsize", ENTROPY_BITS),
	SHOWN("uuid", show_uuid),
	{0},
};

static const struct proc_entry seccomp_children[] = {
	SHOWN("actions_avail", show_actions_avail),
	{.name = "actions_logged", .mode = S_IFREG | 0644, .show = show_actions_logged,
	 .store = store_actions_logged},
	{0},
};

/* Yama's rules: not even root may write without the capability; the last one is for good. */
static int store_ptrace_scope(char *data, const struct proc_target *target)
{
	if (!capable(CAP_SYS_PTRACE))
		return -EPERM;
	if (READ_ONCE(yama_ptrace_scope) == YAMA_SCOPE_MAX)
		return target->pos || !*data || *skip_spaces(data) == '0' + YAMA_SCOPE_MAX
			       ? store_number(data, target)
			       : -EINVAL;
	return store_number(data, target);
}

static const struct proc_entry yama_children[] = {
	{.name = "ptrace_scope", .mode = S_IFREG | 0644, .show = show_number,
	 .store = store_ptrace_scope,
	 .setting = &(const struct number){.word = &yama_ptrace_scope, .max = YAMA_SCOPE_MAX}},
	{0},
};

static const struct proc_entry kernel_children[] = {
	CONSTANT("cap_last_cap", CAP_LAST_CAP),
	TEXT("core_pattern", 0644, CORE_PATTERN_MAX, core_pattern_get, core_pattern_set),
	INTEGER("core_uses_pid", core_uses_pid),
	TEXT("domainname", 0644, UTS_SIZE, get_domainname, uts_set_domainname),
	TEXT("hostname", 0644, UTS_SIZE, get_nodename, uts_set_nodename),
	NUMBER_IN("msgmax", 0644, init_ipc_limits.msgmax, 0, INT_MAX),
	NUMBER_IN("msgmnb", 0644, init_ipc_limits.msgmnb, 0, INT_MAX),
	NUMBER_IN("msgmni", 0644, init_ipc_limits.msgmni, 0, IPC_OBJECTS_MAX),
	CONSTANT("ngroups_max", NGROUPS_MAX),
	TEXT("osrelease", 0444, UTS_SIZE, get_release, NULL),
	TEXT("ostype", 0444, UTS_SIZE, get_sysname, NULL),
	CONSTANT("overflowgid", OVERFLOW_ID),
	CONSTANT("overflowuid", OVERFLOW_ID),
	NUMBER_IN("pid_max", 0644, pid_max, PID_MAX_MIN, PID_LIMIT),
	{.name = "random", .mode = S_IFDIR | 0555, .children = random_children},
	INTEGER("randomize_va_space", randomize_va_space),
	CONSTANT("sched_rt_period_us", SCHED_RT_PERIOD_US),
	NUMBER_IN("sched_rt_runtime_us", 0644, sched_rt_runtime_us, -1, SCHED_RT_PERIOD_US),
	{.name = "seccomp", .mode = S_IFDIR | 0555, .children = seccomp_children},
	{.name = "sem", .mode = S_IFREG | 0644, .show = show_sem_limits,
	 .store = store_sem_limits},
	UNSIGNED("shmall", init_ipc_limits.shmall),
	UNSIGNED("shmmax", init_ipc_limits.shmmax),
	NUMBER_IN("shmmni", 0644, init_ipc_limits.shmmni, 0, IPC_OBJECTS_MAX),
	NUMBER_IN("threads-max", 0644, max_tasks, 1, THREADS_MAX_MAX),
	TEXT("version", 0444, UTS_SIZE, get_version, NULL),
	{.name = "yama", .mode = S_IFDIR | 0555, .children = yama_children},
	{0},
};

/* Reads as what was written last. */
static u32 drop_caches;

static int store_drop_caches(char *data, const struct proc_target *target)
{
	int n = store_number(data, target);

	if (n > 0)
		mm_drop_caches(READ_ONCE(drop_caches) & 1, READ_ONCE(drop_caches) & 2);
	return n;
}

static const struct proc_entry vm_children[] = {
	{.name = "drop_caches", .mode = S_IFREG | 0200, .show = show_number, .store = store_drop_caches,
	 .setting = &(const struct number){.word = &drop_caches, .min = 1, .max = 4}},
	NUMBER_IN("max_map_count", 0644, max_map_count, 0, INT_MAX),
	CONSTANT("mmap_min_addr", MMAP_MIN_ADDR),
	NUMBER_IN("overcommit_memory", 0644, overcommit_memory, OVERCOMMIT_GUESS,
		  OVERCOMMIT_NEVER),
	NUMBER_IN("overcommit_ratio", 0644, overcommit_ratio, 0, INT_MAX),
	{0},
};

static const struct proc_entry epoll_children[] = {
	NUMBER("max_user_watches", 0644, .word = &epoll_max_user_watches, .wide = true,
	       .max = S64_MAX),
	{0},
};

static const struct proc_entry mqueue_children[] = {
	NUMBER_IN("msg_default", 0644, init_ipc_limits.mq_msg_default, 1, 65536),
	NUMBER_IN("msg_max", 0644, init_ipc_limits.mq_msg_max, 1, 65536),
	NUMBER_IN("msgsize_default", 0644, init_ipc_limits.mq_msgsize_default, 128, 16777216),
	NUMBER_IN("msgsize_max", 0644, init_ipc_limits.mq_msgsize_max, 128, 16777216),
	NUMBER_IN("queues_max", 0644, init_ipc_limits.mq_queues_max, 0, INT_MAX),
	{0},
};

static const struct proc_entry inotify_children[] = {
	NUMBER_IN("max_queued_events", 0644, inotify_max_queued_events, 0, INT_MAX),
	NUMBER_IN("max_user_instances", 0644, inotify_max_user_instances, 0, INT_MAX),
	NUMBER_IN("max_user_watches", 0644, inotify_max_user_watches, 0, INT_MAX),
	{0},
};

static const struct proc_entry fs_children[] = {
	INTEGER("dir-notify-enable", dir_notify_enable),
	{.name = "epoll", .mode = S_IFDIR | 0555, .children = epoll_children},
	NUMBER("file-max", 0644, .word = &file_max, .wide = true, .max = S64_MAX),
	SHOWN("file-nr", show_file_nr),
	{.name = "inotify", .mode = S_IFDIR | 0555, .children = inotify_children},
	INTEGER("lease-break-time", lease_break_time),
	INTEGER("leases-enable", leases_enable),
	{.name = "mqueue", .mode = S_IFDIR | 0555, .children = mqueue_children},
	NUMBER_IN("nr_open", 0644, nr_open, NR_OPEN_MIN, NR_OPEN_MAX),
	CONSTANT("overflowgid", OVERFLOW_ID),
	CONSTANT("overflowuid", OVERFLOW_ID),
	NUMBER("pipe-max-size", 0644, .word = &pipe_max_size, .max = U32_MAX,
	       .round = round_pipe_size),
	NUMBER_IN("protected_fifos", 0644, protected_fifos, 0, 2),
	NUMBER_IN("protected_hardlinks", 0644, protected_hardlinks, 0, 1),
	NUMBER_IN("protected_regular", 0644, protected_regular, 0, 2),
	NUMBER_IN("protected_symlinks", 0644, protected_symlinks, 0, 1),
	NUMBER_IN("suid_dumpable", 0644, suid_dumpable, 0, 2),
	{0},
};

static const struct proc_entry net_core_children[] = {
	CONSTANT("optmem_max", OPTMEM_MAX),
	CONSTANT("rmem_default", SOCKBUF_MAX),
	CONSTANT("rmem_max", SOCKBUF_MAX),
	NUMBER_IN("somaxconn", 0644, net_somaxconn, 0, INT_MAX),
	CONSTANT("wmem_default", SOCKBUF_MAX),
	CONSTANT("wmem_max", SOCKBUF_MAX),
	{0},
};

static const struct proc_entry net_unix_children[] = {
	NUMBER_IN("max_dgram_qlen", 0644, unix_max_dgram_qlen, 0, INT_MAX),
	{0},
};

static const struct proc_entry net_children[] = {
	{.name = "core", .mode = S_IFDIR | 0555, .children = net_core_children},
	{.name = "unix", .mode = S_IFDIR | 0555, .children = net_unix_children},
	{0},
};

const struct proc_entry proc_sys_children[] = {
	{.name = "fs", .mode = S_IFDIR | 0555, .children = fs_children},
	{.name = "kernel", .mode = S_IFDIR | 0555, .children = kernel_children},
	{.name = "net", .mode = S_IFDIR | 0555, .children = net_children},
	{.name = "vm", .mode = S_IFDIR | 0555, .children = vm_children},
	{0},
};
