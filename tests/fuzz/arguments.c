/* Values for arguments, by their kinds. */
#include "arguments.h"
#include "jail.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

u8 *arena;

u64 interesting(u64 *s)
{
	static const u64 numbers[] = {
		0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 63, 64, 100, 127, 128, 255, 256, 511, 512, 1000, 1024,
		4095, 4096, 4097, 8192, 65535, 65536, 1 << 20, 1 << 30, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000000, 0x7fffffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull, -2ull, -4096ull,
		-100ull, 0xffff800000000000, 0xffffffff80000000,
	};

	switch (rnd(s, 8)) {
	case 0:
		return rnd64(s) >> rnd(s, 64);
	case 1:
		return 1ull << rnd(s, 64);
	default:
		return numbers[rnd(s, rnd(s, 2) ? 12 : ARRAY_SIZE(numbers))];
	}
}

u64 arena_address(u64 *s)
{
	u64 at = (u64)arena;

	switch (rnd(s, 16)) {
	case 0:
		return at + ARENA_PAGES * PAGE - rnd(s, 64); /* runs over the end */
	case 1:
		return at + 12 * PAGE + rnd(s, PAGE);
	case 2:
		return at + 14 * PAGE - rnd(s, 32);
	case 3:
		return at + rnd(s, ARENA_PAGES * PAGE);
	case 4:
		return at + (u64)rnd(s, ARENA_PAGES) * PAGE;
	default:
		return at + rnd(s, 11 * PAGE / 64) * 64;
	}
}

static u64 bad_address(u64 *s)
{
	static const u64 bad[] = { 0, 1, 0x1000, 0x7ffffffff000, 0x800000000000, 0xffff800000000000,
				   0xffffffff80000000, ~0ull, -4096ull };

	return bad[rnd(s, ARRAY_SIZE(bad))];
}

struct pool fds, pids, ids, addresses;

void pool_add(struct pool *p, u64 v)
{
	p->value[p->next++ % POOL] = v;
}

static u64 pool_pick(const struct pool *p, u64 *s)
{
	u32 n = p->next < POOL ? p->next : POOL;

	return n ? p->value[rnd(s, n)] : rnd(s, 4);
}

static const char *const paths[] = {
	"f0", "f1", "f2", "d0", "d0/f3", "d1/d2", "link", "loop", "fifo", "s0", ".", "..", "", "/", "f0/x",
	"/proc/self/fd/3", "/proc/self/fd", "/proc/self/maps", "/proc/self/mem", "/proc/self/status",
	"/proc/self/environ", "/proc/self/task", "/proc/self/oom_score_adj", "/proc/self/timers",
	"/proc/self/pagemap", "/proc/self/clear_refs", "/proc/thread-self/comm", "/proc/1/status",
	"/proc/meminfo", "/proc/locks", "/proc/sys/kernel/hostname", "/proc/self/root", "/proc/self/cwd",
	"/proc/self/exe", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/ptmx", "/dev/tty",
	"/dev/shm/sysfuzz", "/dev/kmsg", "/dev/mqueue", "/sys/kernel", "/sys/class", "/q0", "user.x",
	"system.posix_acl_access", "security.capability", "tmpfs", "proc",
};

/* Of use to those who may mount. */
static const char *const jail_paths[] = {
	"/dev/vda", "/disk", "/disk/f0", "/disk/d0", "/disk/d0/f1", "/disk/lost+found", "/w", "/w/d0", "/w/d1", "/w/f0",
	"/dev/pts", "/dev/shm", "/proc", "/sys", "/proc/self/mounts", "/proc/self/mountinfo", "ext4", "ext2", "tmpfs", "proc",
	"sysfs", "devpts", "mqueue", "9p", "size=64k", "errors=remount-ro", "noload", "user_xattr,acl", "trusted.x", "security.x",
};

static const char *some_path(u64 *s)
{
	if (privileged && rnd(s, 2))
		return jail_paths[rnd(s, ARRAY_SIZE(jail_paths))];
	return paths[rnd(s, rnd(s, 3) ? 12 : ARRAY_SIZE(paths))];
}

static u64 path_argument(u64 *s)
{
	char *to = (char *)(arena + rnd(s, 8 * PAGE / 64) * 64);
	const char *path = some_path(s);

	switch (rnd(s, 24)) {
	case 0:
		memset(arena + 4 * PAGE, 'a' + (int)rnd(s, 3), 2 * PAGE);
		return (u64)arena + 4 * PAGE;
	case 1:
		return bad_address(s);
	case 2:
		return arena_address(s);
	default:
		strcpy(to, path);
		return (u64)to;
	}
}

static u64 flag_set(u64 *s, const char *set, bool many)
{
	u64 value = 0;
	int first = 0, n = 0;

	while (first < nr_flags && strcmp(flags[first].set, set))
		first++;
	while (first + n < nr_flags && !strcmp(flags[first + n].set, set))
		n++;
	if (!n || !rnd(s, 12))
		return interesting(s);
	if (!many)
		return flags[first + (int)rnd(s, (u32)n)].value;
	for (u32 k = rnd(s, 5); k; k--)
		value |= flags[first + (int)rnd(s, (u32)n)].value;
	return value;
}

static u64 ioctl_command(u64 *s)
{
	static const u32 commands[] = {
		0x5401, 0x5402, 0x5403, 0x5409, 0x540b, 0x540e, 0x540f, 0x5410, 0x5411, 0x5412, 0x5413,
		0x5414, 0x541b, 0x5420, 0x5421, 0x5422, 0x5423, 0x5424, 0x5428, 0x5429, 0x5450, 0x5451, 0x5452,
		0x80045430, 0x40045431, 0x5441, 0x8901, 0x8902, 0x8903, 0x8904, 0x8906, 0x8910, 0x8912, 0x8913,
		0x80086601, 0x40086602, 0xc020660b, 0x40049409, 0x80081272, 0x1260, 0x40045436,
	};

	static const u32 disk_commands[] = {
		0x125d, 0x125f, 0x1260, 0x1261, 0x1268, 0x1277, 0x127f, 0x40081271, 0x80081270, 0xc0185879, 0xc0045877,
		0xc0045878, 0x40086602, 0x401c5820, 0x801c581f,
	};

	if (privileged && rnd(s, 2))
		return disk_commands[rnd(s, ARRAY_SIZE(disk_commands))];
	return rnd(s, 8) ? commands[rnd(s, ARRAY_SIZE(commands))] : interesting(s);
}

/* Sockets, control data, vectors: nested pointers stay in the arena. */
static void fill_message(u64 *w, u64 *s)
{
	u64 *control = (u64 *)(arena + 2 * PAGE), *vec = (u64 *)(arena + 3 * PAGE);

	for (int i = 0; i < 4; i++) {
		vec[2 * i] = arena_address(s);
		vec[2 * i + 1] = interesting(s) & 0xffff;
	}
	control[0] = 16 + 4 * rnd(s, 6);
	control[1] = 1 | (u64)(1 + rnd(s, 3)) << 32; /* SOL_SOCKET, SCM_RIGHTS or CREDENTIALS */
	for (int i = 2; i < 6; i++)
		control[i] = pool_pick(&fds, s) | pool_pick(&fds, s) << 32;
	w[0] = rnd(s, 2) ? arena_address(s) : 0;
	w[1] = rnd(s, 128);
	w[2] = (u64)vec;
	w[3] = rnd(s, 5);
	w[4] = (u64)control;
	w[5] = rnd(s, 4) ? control[0] : interesting(s);
	w[6] = 0;
}

static u64 structure(u64 *s, const struct arg *a)
{
	u64 at = (u64)arena + rnd(s, 8 * PAGE / 256) * 256, *w = (u64 *)at;

	if (!rnd(s, 14))
		return rnd(s, 2) ? 0 : bad_address(s);
	if (!rnd(s, 14))
		return arena_address(s);
	if (a->kind == K_OUT)
		return at;
	for (int i = 0; i < 16; i++) {
		static struct pool *const pools[] = { &fds, &pids, &ids, &addresses };

		switch (rnd(s, 5)) {
		case 0:
			w[i] = pool_pick(pools[rnd(s, 4)], s);
			break;
		case 1:
			w[i] = arena_address(s);
			break;
		case 2:
			w[i] = rnd(s, 8) | (u64)rnd(s, 8) << 32;
			break;
		default:
			w[i] = interesting(s);
		}
	}
	if (strstr(a->name, "time") || strstr(a->name, "itimer")) /* soon over */
		for (int i = 0; i < 4; i++)
			w[i] = i & 1 && rnd(s, 8) ? rnd(s, 5000000) : rnd(s, 16) ? 0 : interesting(s);
	else if (!strcmp(a->name, "iovec"))
		for (int i = 0; i < 8; i += 2)
			w[i] = arena_address(s), w[i + 1] = interesting(s) & 0xffff;
	else if (!strcmp(a->name, "pollfd"))
		for (int i = 0; i < 8; i++)
			w[i] = (u32)pool_pick(&fds, s) | (u64)rnd(s, 256) << 32;
	else if (!strcmp(a->name, "sigaction"))
		w[0] = rnd(s, 2), w[2] = (u64)arena;
	else if (strstr(a->text, "msg"))
		fill_message(w, s);
	else if (strstr(a->text, "addr"))
		memcpy(w, "\1\0s0\0\0\0\0", 8);
	return at;
}

u64 argument(u64 *s, const struct arg *a)
{
	if (!rnd(s, 40))
		return rnd(s, 2) ? interesting(s) : rnd64(s);
	switch (a->kind) {
	case K_FD:
		return rnd(s, 10) ? pool_pick(&fds, s) : interesting(s);
	case K_DIRFD:
		return rnd(s, 4) ? (u64)AT_FDCWD : pool_pick(&fds, s);
	case K_PID:
		return rnd(s, 3) ? (u64[]){ 0, (u64)getpid(), 1, (u64)gettid() }[rnd(s, 4)] : pool_pick(&pids, s);
	case K_UID:
	case K_GID:
		return rnd(s, 2) ? USER : interesting(s);
	case K_SIG:
		return rnd(s, 66);
	case K_PATH:
	case K_STR:
		return path_argument(s);
	case K_SIZE:
		return rnd(s, 3) ? rnd(s, 3 * PAGE) : interesting(s);
	case K_FLAGS:
		return flag_set(s, a->name, true);
	case K_VALUE:
		return !strcmp(a->name, "ioctl") ? ioctl_command(s) : flag_set(s, a->name, false);
	case K_MODE:
		return rnd(s, 2) ? 0755 : rnd(s, 010000);
	case K_I32:
	case K_U32:
	case K_I64:
		return rnd(s, 2) ? rnd(s, 16) : rnd(s, 2) ? pool_pick(&ids, s) : interesting(s);
	case K_OFF:
		return interesting(s);
	case K_U64:
		return rnd(s, 2) ? arena_address(s) : interesting(s);
	case K_ADDR:
		return rnd(s, 4) ? ((u64)arena + (u64)rnd(s, ARENA_PAGES) * PAGE) : pool_pick(&addresses, s);
	default:
		return structure(s, a);
	}
}
