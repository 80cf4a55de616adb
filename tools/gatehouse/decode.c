/*
 * Recorded calls as text, in strace's format: "PID name(arguments) = result". What an argument is comes from
 * the tables in calls.c; what it points to, from the record's captures. A structure that this file does
 * not know is shown by its address. The guest is not trusted: every length is checked here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/time_types.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "calls.h"
#include "decode.h"

#define PID_WIDTH 5

struct line {
	FILE *out;
	const struct trace_record *record;
	const char *captures;
	size_t len;
};

/* One capture: where its bytes lie. */
struct bytes {
	const char *data;
	size_t len;
	bool cut;
};

/*
 * The capture number `skip` of an argument; of one that was taken before and after the call the later
 * one counts. False: there is none.
 */
static bool capture_find(const struct line *l, unsigned int arg, unsigned int skip, bool list,
			 struct bytes *found)
{
	struct trace_capture c;
	bool any = false;

	for (size_t at = 0; at + sizeof(c) <= l->len; at += sizeof(c) + c.len) {
		memcpy(&c, l->captures + at, sizeof(c));
		if (c.len > l->len - at - sizeof(c))
			return any;
		if (c.arg != arg || (list && skip-- > 0))
			continue;
		*found = (struct bytes){l->captures + at + sizeof(c), c.len, c.flags & TRACE_CUT};
		if (list)
			return true;
		any = true;
	}
	return any;
}

/* --- small things ----------------------------------------------------------------------------- */

static void put_char(FILE *out, unsigned char c, bool digit_follows)
{
	static const char plain[] = "\tt\nn\vv\ff\rr\"\"\\\\";

	for (const char *p = plain; *p; p += 2) {
		if ((unsigned char)*p == c) {
			fprintf(out, "\\%c", p[1]);
			return;
		}
	}
	if (c >= ' ' && c < 0x7f)
		fputc(c, out);
	else
		fprintf(out, digit_follows ? "\\%03o" : "\\%o", c);
}

static void put_quoted(FILE *out, const struct bytes *b)
{
	fputc('"', out);
	for (size_t i = 0; i < b->len; i++) {
		bool digit = i + 1 < b->len && b->data[i + 1] >= '0' && b->data[i + 1] <= '7';
		put_char(out, (unsigned char)b->data[i], digit);
	}
	fputs(b->cut ? "\"..." : "\"", out);
}

static void put_address(FILE *out, uint64_t value)
{
	if (value)
		fprintf(out, "%#" PRIx64, value);
	else
		fputs("NULL", out);
}

static void put_signal(FILE *out, int sig)
{
	const char *name = sigabbrev_np(sig);

	if (name)
		fprintf(out, "SIG%s", name);
	else if (sig >= 32 && sig <= 64)
		fprintf(out, sig == 32 ? "SIGRTMIN" : "SIGRT_%d", sig - 32);
	else
		fprintf(out, "%d", sig);
}

static void put_dirfd(FILE *out, int fd)
{
	if (fd == AT_FDCWD)
		fputs("AT_FDCWD", out);
	else
		fprintf(out, "%d", fd);
}

/* --- flags ------------------------------------------------------------------------------------- */

static void put_value(FILE *out, const char *set, uint64_t value)
{
	for (size_t i = 0; i < nr_call_flags; i++) {
		if (call_flags[i].value == value && strcmp(call_flags[i].set, set) == 0) {
			fputs(call_flags[i].name, out);
			return;
		}
	}
	fprintf(out, "%#" PRIx64, value);
}

static unsigned int bits_of(uint64_t v)
{
	return (unsigned int)__builtin_popcountll(v);
}

/* The flag of the set that covers most of what is left. */
static const struct call_flag *widest_flag(const char *set, uint64_t left)
{
	const struct call_flag *best = NULL;

	for (size_t i = 0; i < nr_call_flags; i++) {
		const struct call_flag *f = &call_flags[i];
		if (!f->value || (f->value & ~left) || strcmp(f->set, set) != 0)
			continue;
		if (!best || bits_of(f->value) > bits_of(best->value))
			best = f;
	}
	return best;
}

static void put_flags(FILE *out, const char *set, uint64_t value)
{
	const struct call_flag *f;
	const char *bar = "";

	/* The two lowest bits of open's word are a value, and 0 is one. */
	if (strcmp(set, "open") == 0) {
		put_value(out, set, value & O_ACCMODE);
		value &= ~(uint64_t)O_ACCMODE;
		bar = "|";
	} else if (!value) {
		if (strcmp(set, "prot") == 0)
			fputs("PROT_NONE", out);
		else
			fputc('0', out);
		return;
	}
	while (value && (f = widest_flag(set, value))) {
		fprintf(out, "%s%s", bar, f->name);
		value &= ~f->value;
		bar = "|";
	}
	if (value)
		fprintf(out, "%s%#" PRIx64, bar, value);
}

/* clone's word carries the signal of the child's end, too. */
static void put_clone_flags(FILE *out, uint64_t value)
{
	if (value & ~0xffULL) {
		put_flags(out, "clone", value & ~0xffULL);
		if (value & 0xff)
			fputc('|', out);
	}
	if (value & 0xff || !value)
		put_signal(out, (int)(value & 0xff));
}

/* --- structures -------------------------------------------------------------------------------- */

/* Copies a structure out of a capture that is long enough. */
#define TAKE(b, object, at) \
	((b)->len >= (at) + sizeof(object) && memcpy(&(object), (b)->data + (at), sizeof(object)))

static bool put_timespec(FILE *out, const struct bytes *b, size_t at, const char *fraction)
{
	struct __kernel_timespec t;

	if (!TAKE(b, t, at))
		return false;
	fprintf(out, "{tv_sec=%lld, tv_%s=%lld}", (long long)t.tv_sec, fraction,
		(long long)t.tv_nsec);
	return true;
}

static bool put_interval(FILE *out, const struct bytes *b, const char *fraction)
{
	fputs("{it_interval=", out);
	if (!put_timespec(out, b, 0, fraction))
		return false;
	fputs(", it_value=", out);
	if (!put_timespec(out, b, sizeof(struct __kernel_timespec), fraction))
		return false;
	fputc('}', out);
	return true;
}

static bool put_stat(FILE *out, const struct bytes *b)
{
	static const char *const kinds[16] = {
		[S_IFIFO >> 12] = "S_IFIFO|", [S_IFCHR >> 12] = "S_IFCHR|", [S_IFDIR >> 12] = "S_IFDIR|",
		[S_IFBLK >> 12] = "S_IFBLK|", [S_IFREG >> 12] = "S_IFREG|", [S_IFLNK >> 12] = "S_IFLNK|",
		[S_IFSOCK >> 12] = "S_IFSOCK|",
	};
	struct stat st;

	if (!TAKE(b, st, 0))
		return false;
	const char *kind = kinds[st.st_mode >> 12 & 15];
	fprintf(out, "{st_mode=%s%#o, ", kind ? kind : "", st.st_mode & 07777);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		fprintf(out, "st_rdev=makedev(%#x, %#x), ...}", (unsigned int)(st.st_rdev >> 8 & 0xfff),
			(unsigned int)(st.st_rdev & 0xff));
	else
		fprintf(out, "st_size=%lld, ...}", (long long)st.st_size);
	return true;
}

static void put_limit(FILE *out, uint64_t value)
{
	if (value == RLIM_INFINITY)
		fputs("RLIM64_INFINITY", out);
	else
		fprintf(out, "%" PRIu64, value);
}

static bool put_rlimit(FILE *out, const struct bytes *b)
{
	struct rlimit limit;

	if (!TAKE(b, limit, 0))
		return false;
	fputs("{rlim_cur=", out);
	put_limit(out, limit.rlim_cur);
	fputs(", rlim_max=", out);
	put_limit(out, limit.rlim_max);
	fputc('}', out);
	return true;
}

static bool put_sigset(FILE *out, const struct bytes *b, size_t at)
{
	const char *space = "";
	uint64_t set;

	if (!TAKE(b, set, at))
		return false;
	bool most = bits_of(set) > 32;
	fputs(most ? "~[" : "[", out);
	for (int sig = 1; sig <= 64; sig++) {
		if (!!(set & 1ULL << (sig - 1)) == most)
			continue;
		const char *name = sigabbrev_np(sig);
		if (name)
			fprintf(out, "%s%s", space, name);
		else
			fprintf(out, "%sRT_%d", space, sig - 32);
		space = " ";
	}
	fputc(']', out);
	return true;
}

static bool put_sigaction(FILE *out, const struct bytes *b)
{
	struct {
		uint64_t handler, flags, restorer;
	} a;

	if (!TAKE(b, a, 0) || b->len < sizeof(a) + 8)
		return false;
	fputs("{sa_handler=", out);
	if (a.handler <= 1)
		fputs(a.handler ? "SIG_IGN" : "SIG_DFL", out);
	else
		put_address(out, a.handler);
	fputs(", sa_mask=", out);
	put_sigset(out, b, sizeof(a));
	fprintf(out, ", sa_flags=%#" PRIx64 "}", a.flags);
	return true;
}

static bool put_iovec(FILE *out, const struct bytes *b)
{
	struct iovec v;

	fputc('[', out);
	for (size_t at = 0; TAKE(b, v, at); at += sizeof(v))
		fprintf(out, "%s{iov_base=%p, iov_len=%zu}", at ? ", " : "", v.iov_base, v.iov_len);
	fputs(b->cut ? ", ...]" : "]", out);
	return true;
}

static bool put_pollfd(FILE *out, const struct bytes *b)
{
	struct pollfd p;

	fputc('[', out);
	for (size_t at = 0; TAKE(b, p, at); at += sizeof(p))
		fprintf(out, "%s{fd=%d, events=%#x, revents=%#x}", at ? ", " : "", p.fd,
			(unsigned int)p.events, (unsigned int)p.revents);
	fputs(b->cut ? ", ...]" : "]", out);
	return true;
}

static bool put_number(FILE *out, const char *type, const struct bytes *b)
{
	int32_t narrow;
	int64_t wide;

	if (strcmp(type, "int") == 0 && TAKE(b, narrow, 0)) {
		/* pipe and socketpair give two. */
		fprintf(out, "[%d]", narrow);
		return true;
	}
	if ((strcmp(type, "u32") == 0 || strcmp(type, "uint") == 0) && TAKE(b, narrow, 0)) {
		fprintf(out, "[%u]", (uint32_t)narrow);
		return true;
	}
	if ((strcmp(type, "u64") == 0 || strcmp(type, "loff") == 0 || strcmp(type, "time") == 0) &&
	    TAKE(b, wide, 0)) {
		fprintf(out, "[%" PRId64 "]", wide);
		return true;
	}
	return false;
}

static bool put_utsname(FILE *out, const struct bytes *b)
{
	struct utsname u;

	if (!TAKE(b, u, 0))
		return false;
	u.sysname[sizeof(u.sysname) - 1] = u.nodename[sizeof(u.nodename) - 1] = '\0';
	fputs("{sysname=", out);
	put_quoted(out, &(struct bytes){u.sysname, strlen(u.sysname), false});
	fputs(", nodename=", out);
	put_quoted(out, &(struct bytes){u.nodename, strlen(u.nodename), false});
	fputs(", ...}", out);
	return true;
}

static bool put_known(FILE *out, const char *type, const struct bytes *b)
{
	struct epoll_event e;

	if (strcmp(type, "timespec") == 0)
		return put_timespec(out, b, 0, "nsec");
	if (strcmp(type, "timeval") == 0)
		return put_timespec(out, b, 0, "usec");
	if (strcmp(type, "itimerspec") == 0)
		return put_interval(out, b, "nsec");
	if (strcmp(type, "itimerval") == 0)
		return put_interval(out, b, "usec");
	if (strcmp(type, "stat") == 0)
		return put_stat(out, b);
	if (strcmp(type, "rlimit") == 0)
		return put_rlimit(out, b);
	if (strcmp(type, "sigset") == 0)
		return put_sigset(out, b, 0);
	if (strcmp(type, "sigaction") == 0)
		return put_sigaction(out, b);
	if (strcmp(type, "iovec") == 0)
		return put_iovec(out, b);
	if (strcmp(type, "pollfd") == 0)
		return put_pollfd(out, b);
	if (strcmp(type, "utsname") == 0)
		return put_utsname(out, b);
	if (strcmp(type, "epoll_event") == 0 && TAKE(b, e, 0)) {
		fprintf(out, "{events=%#x, data=%#" PRIx64 "}", e.events, e.data.u64);
		return true;
	}
	return put_number(out, type, b);
}

/* A structure is put together first: half a one must not be seen. */
static void put_struct(FILE *out, const char *type, const struct bytes *b, uint64_t address)
{
	char text[2048];
	FILE *part = fmemopen(text, sizeof(text) - 1, "w");
	bool known;

	memset(text, 0, sizeof(text));
	known = part && put_known(part, type, b);
	if (part)
		fclose(part);
	if (known)
		fputs(text, out);
	else
		put_address(out, address);
}

static void put_list(const struct line *l, unsigned int arg)
{
	struct bytes b;

	fputc('[', l->out);
	for (unsigned int i = 0; capture_find(l, arg, i, true, &b); i++) {
		fputs(i ? ", " : "", l->out);
		put_quoted(l->out, &b);
	}
	fputc(']', l->out);
}

/* What wait4 tells: how the child has changed. */
static void put_wait_status(FILE *out, const struct bytes *b)
{
	int status;

	if (!TAKE(b, status, 0))
		return;
	if (WIFEXITED(status)) {
		fprintf(out, "[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", WEXITSTATUS(status));
	} else if (WIFSIGNALED(status)) {
		fputs("[{WIFSIGNALED(s) && WTERMSIG(s) == ", out);
		put_signal(out, WTERMSIG(status));
		fputs(WCOREDUMP(status) ? " && WCOREDUMP(s)}]" : "}]", out);
	} else {
		fprintf(out, "[%#x]", (unsigned int)status);
	}
}

/* --- the line ----------------------------------------------------------------------------------- */

static bool is_call(const struct line *l, const char *name)
{
	const struct call *call = call_find(l->record->nr);

	return call && strcmp(call->name, name) == 0;
}

static void put_memory(const struct line *l, unsigned int arg, const struct call_arg *a)
{
	uint64_t value = l->record->args[arg];
	struct bytes b;

	if (!value || !capture_find(l, arg, 0, false, &b))
		put_address(l->out, value);
	else if (!a->what)
		put_quoted(l->out, &b);
	else if (strcmp(a->what, "int") == 0 && arg == 1 && is_call(l, "wait4"))
		put_wait_status(l->out, &b);
	else if (strcmp(a->what, "strv") == 0)
		put_list(l, arg);
	else
		put_struct(l->out, a->what, &b, value);
}

static void put_arg(const struct line *l, unsigned int arg, const struct call_arg *a)
{
	uint64_t value = l->record->args[arg];
	FILE *out = l->out;

	switch (a->kind) {
	case ARG_fd:
	case ARG_pid:
	case ARG_uid:
	case ARG_gid:
	case ARG_i32:
		fprintf(out, "%d", (int)value);
		break;
	case ARG_dirfd:
		put_dirfd(out, (int)value);
		break;
	case ARG_sig:
		put_signal(out, (int)value);
		break;
	case ARG_flags:
		put_flags(out, a->what, (uint32_t)value);
		break;
	case ARG_lflags:
		if (strcmp(a->what, "clone") == 0)
			put_clone_flags(out, value);
		else
			put_flags(out, a->what, value);
		break;
	case ARG_value:
		put_value(out, a->what, (uint32_t)value);
		break;
	case ARG_mode:
		fprintf(out, "%#03o", (unsigned int)value & 07777777);
		break;
	case ARG_u32:
		fprintf(out, "%u", (unsigned int)value);
		break;
	case ARG_off:
	case ARG_i64:
		fprintf(out, "%" PRId64, (int64_t)value);
		break;
	case ARG_size:
		fprintf(out, "%" PRIu64, value);
		break;
	case ARG_u64:
		fprintf(out, value > 0xffff ? "%#" PRIx64 : "%" PRIu64, value);
		break;
	case ARG_addr:
		put_address(out, value);
		break;
	default:
		put_memory(l, arg, a);
	}
}

static void put_check(FILE *out, unsigned int check)
{
	static const char *const caps[] = {
		"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID",
		"SETUID", "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN",
		"NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE",
		"SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME",
		"SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
		"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
		"PERFMON", "BPF", "CHECKPOINT_RESTORE",
	};

	if (check == TRACE_CHECK_SECCOMP)
		fputs(" [seccomp filter]", out);
	else if (check == TRACE_CHECK_NO_CALL)
		fputs(" [no such call]", out);
	else if (check == TRACE_CHECK_FILE)
		fputs(" [file permissions]", out);
	else if (check >= TRACE_CHECK_CAP && check - TRACE_CHECK_CAP < sizeof(caps) / sizeof(caps[0]))
		fprintf(out, " [needs CAP_%s]", caps[check - TRACE_CHECK_CAP]);
}

/* What the kernel answers itself with when a signal interrupts a call; programs never see it. */
static const char *restart_name(int err)
{
	switch (err) {
	case 512: return "ERESTARTSYS (To be restarted if SA_RESTART is set)";
	case 513: return "ERESTARTNOINTR (To be restarted)";
	case 514: return "ERESTARTNOHAND (To be restarted if no handler)";
	case 516: return "ERESTART_RESTARTBLOCK (Interrupted by signal)";
	default: return NULL;
	}
}

static bool gives_address(const char *name)
{
	return strcmp(name, "mmap") == 0 || strcmp(name, "brk") == 0 || strcmp(name, "mremap") == 0 ||
	       strcmp(name, "shmat") == 0;
}

static void put_result(const struct line *l, const char *name)
{
	int64_t result = l->record->result;
	FILE *out = l->out;

	if (l->record->flags & TRACE_UNFINISHED) {
		fputs("?", out);
	} else if (result < 0 && result >= -4095) {
		const char *restart = restart_name((int)-result);
		const char *error = strerrorname_np((int)-result);
		if (restart)
			fprintf(out, "? %s", restart);
		else
			fprintf(out, "-1 %s (%s)", error ? error : "?", strerror((int)-result));
		put_check(out, l->record->check);
	} else if (gives_address(name)) {
		fprintf(out, "%#" PRIx64, (uint64_t)result);
	} else {
		fprintf(out, "%" PRId64, result);
	}
}

void decode_call(FILE *out, const struct trace_record *record, const char *captures, size_t len)
{
	const struct line l = {.out = out, .record = record, .captures = captures, .len = len};
	const struct call *call = call_find(record->nr);
	char number[32];

	fprintf(out, "%-*d ", PID_WIDTH, record->pid);
	if (call) {
		fprintf(out, "%s(", call->name);
		for (unsigned int i = 0; i < call->nr_args; i++) {
			fputs(i ? ", " : "", out);
			put_arg(&l, i, &call->arg[i]);
		}
	} else {
		snprintf(number, sizeof(number), "syscall_%#x", record->nr);
		fprintf(out, "%s(", number);
		for (unsigned int i = 0; i < 6; i++)
			fprintf(out, "%s%#" PRIx64, i ? ", " : "", (uint64_t)record->args[i]);
	}
	fputs(") = ", out);
	put_result(&l, call ? call->name : number);
	fputc('\n', out);
}

void decode_death(FILE *out, const struct trace_record *record)
{
	int status = (int)record->result;

	fprintf(out, "%-*d ", PID_WIDTH, record->pid);
	if (WIFSIGNALED(status)) {
		fputs("+++ killed by ", out);
		put_signal(out, WTERMSIG(status));
		fputs(WCOREDUMP(status) ? " (core dumped) +++\n" : " +++\n", out);
	} else {
		fprintf(out, "+++ exited with %d +++\n", WEXITSTATUS(status));
	}
}
