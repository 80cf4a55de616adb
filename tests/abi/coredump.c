/* Core dumps: the status bit, the file's name, limits and permissions, and what is in it. */
#include "test.h"

#include <elf.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define MARK 0x5ca1ab1e0ddba11ULL

static void set_core_limit(rlim_t bytes)
{
	struct rlimit r = { bytes, RLIM_INFINITY };

	CHECK_OK(setrlimit(RLIMIT_CORE, &r));
}

/* The claims are about the kernel's default; elsewhere the pattern belongs to the machine. */
static void want_pattern(const char *pattern)
{
	char now[256];

	if (getenv("TEST_VM")) {
		write_file("/proc/sys/kernel/core_pattern", pattern);
		return;
	}
	now[read_file("/proc/sys/kernel/core_pattern", now, sizeof(now)) - 1] = '\0';
	if (strcmp(now, pattern))
		SKIP("kernel.core_pattern is another one on this machine");
}

static int dump_by(void (*die)(void), rlim_t limit)
{
	pid_t pid = test_fork();

	if (!pid) {
		set_core_limit(limit);
		die();
		_exit(99);
	}
	return test_reap(pid);
}

static void die_abort(void)
{
	abort();
}

static void die_quit(void)
{
	raise(SIGQUIT);
}

static void die_fault(void)
{
	*(volatile int *)16 = 1;
}

static char *load_core(const char *name, size_t *size)
{
	struct stat st;
	int fd = (int)CHECK_OK(open(name, O_RDONLY));
	char *p;

	CHECK_OK(fstat(fd, &st));
	*size = (size_t)st.st_size;
	p = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	close(fd);
	return p;
}

/* Calls fn for each note; the number of notes of the type. */
static int each_note(const char *core, u32 type, void (*fn)(const void *data, u32 size))
{
	const Elf64_Ehdr *h = (const void *)core;
	const Elf64_Phdr *ph = (const void *)(core + h->e_phoff);
	const char *at = core + ph->p_offset, *end = at + ph->p_filesz;
	int n = 0;

	CHECK_EQ(ph->p_type, PT_NOTE);
	while (at < end) {
		const Elf64_Nhdr *nh = (const void *)at;
		const char *data = at + sizeof(*nh) + ((nh->n_namesz + 3) & ~3u);

		if (nh->n_type == type) {
			n++;
			if (fn)
				fn(data, nh->n_descsz);
		}
		at = data + ((nh->n_descsz + 3) & ~3u);
	}
	return n;
}

/* The file's bytes for an address: NULL when it is in no segment, or not in the file. */
static const char *core_at(const char *core, u64 addr)
{
	const Elf64_Ehdr *h = (const void *)core;
	const Elf64_Phdr *ph = (const void *)(core + h->e_phoff);

	for (int i = 0; i < h->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && addr >= ph[i].p_vaddr &&
		    addr < ph[i].p_vaddr + ph[i].p_filesz)
			return core + ph[i].p_offset + (addr - ph[i].p_vaddr);
	return NULL;
}

TEST(bit_tells_of_the_file)
{
	struct stat st;
	int status;

	want_pattern("core");
	status = dump_by(die_abort, RLIM_INFINITY);
	CHECK_EQ(status, SIGABRT | 0x80);
	CHECK_OK(stat("core", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0600);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(dump_by(die_quit, RLIM_INFINITY), SIGQUIT | 0x80);
	CHECK_EQ(dump_by(die_fault, RLIM_INFINITY), SIGSEGV | 0x80);
}

TEST(no_limit_no_file)
{
	struct stat st;

	want_pattern("core");
	CHECK_EQ(dump_by(die_abort, 0), SIGABRT);
	CHECK_EQ(dump_by(die_abort, 4095), SIGABRT);
	CHECK_ERR(stat("core", &st), ENOENT);
}

TEST(limit_cuts_the_file)
{
	struct stat st;

	want_pattern("core");
	CHECK_EQ(dump_by(die_abort, 8192), SIGABRT | 0x80);
	CHECK_OK(stat("core", &st));
	CHECK(st.st_size <= 8192);
}

TEST(waitid_says_dumped)
{
	siginfo_t info;
	pid_t pid;

	want_pattern("core");
	pid = test_fork();
	if (!pid) {
		set_core_limit(RLIM_INFINITY);
		abort();
	}
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
	CHECK_EQ(info.si_code, CLD_DUMPED);
	CHECK_EQ(info.si_status, SIGABRT);
}

static void die_undumpable(void)
{
	CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
	abort();
}

TEST(undumpable_leaves_none)
{
	struct stat st;

	want_pattern("core");
	CHECK_EQ(dump_by(die_undumpable, RLIM_INFINITY), SIGABRT);
	CHECK_ERR(stat("core", &st), ENOENT);
}

TEST(links_are_replaced_not_followed)
{
	struct stat st;

	want_pattern("core");
	write_file("precious", "keep");
	CHECK_OK(symlink("precious", "core"));
	CHECK_EQ(dump_by(die_abort, RLIM_INFINITY), SIGABRT | 0x80);
	CHECK_OK(lstat("core", &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_OK(stat("precious", &st));
	CHECK_EQ(st.st_size, 4);
	CHECK_OK(unlink("core"));
	CHECK_OK(link("precious", "core"));
	CHECK_EQ(dump_by(die_abort, RLIM_INFINITY), SIGABRT | 0x80);
	CHECK_OK(stat("precious", &st));
	CHECK_EQ(st.st_size, 4);
}

TEST(unwritable_directory_none)
{
	pid_t pid;

	want_pattern("core");
	CHECK_OK(chmod(".", 0755));
	pid = test_fork();
	if (!pid) {
		set_core_limit(RLIM_INFINITY);
		become(1234, 1234);
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
		abort();
	}
	CHECK_EQ(test_reap(pid), SIGABRT);
}

static volatile u64 *marked, *hidden, *untouched, *shared;

static void die_with_areas(void)
{
	abort();
}

static volatile u64 *area(int flags)
{
	void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void check_status(const void *data, u32 size)
{
	const u64 *reg = (const u64 *)((const char *)data + 112);

	CHECK_EQ(size, 336);
	CHECK_EQ(*(const int *)data, SIGABRT);
	CHECK_EQ(*(const short *)((const char *)data + 12), SIGABRT);
	CHECK((reg[17] & 3) == 3); /* cs */
	CHECK(reg[16] && reg[19]); /* rip and rsp */
}

static void check_siginfo(const void *data, u32 size)
{
	const siginfo_t *info = data;

	CHECK_EQ(size, 128);
	CHECK_EQ(info->si_signo, SIGABRT);
	CHECK_EQ(info->si_code, SI_TKILL);
}

static void check_file(const void *data, u32 size)
{
	const u64 *table = data;
	const char *names = (const char *)(table + 2 + 3 * table[0]);

	CHECK_EQ(table[1], 4096);
	CHECK(table[0] >= 2);
	CHECK(table[2] < table[3]);
	CHECK_STR(names, test_self);
	CHECK_EQ(((const char *)data)[size - 1], 0);
}

static void check_psinfo(const void *data, u32 size)
{
	CHECK_EQ(size, 136);
	CHECK_EQ(((const char *)data)[1], 'R');
	CHECK(!strncmp((const char *)data + 40, "coredump", 8));
}

TEST(contents)
{
	size_t size;
	char *core;
	const Elf64_Ehdr *h;

	want_pattern("core");
	marked = area(MAP_PRIVATE);
	*marked = MARK;
	hidden = area(MAP_PRIVATE);
	*hidden = MARK;
	CHECK_OK(madvise((void *)hidden, 8192, MADV_DONTDUMP));
	untouched = area(MAP_PRIVATE);
	shared = area(MAP_SHARED);
	*shared = MARK;
	CHECK_EQ(dump_by(die_with_areas, RLIM_INFINITY), SIGABRT | 0x80);
	core = load_core("core", &size);
	h = (void *)core;
	CHECK(!memcmp(core, "\177ELF\2\1\1", 7));
	CHECK_EQ(h->e_type, ET_CORE);
	CHECK_EQ(h->e_machine, EM_X86_64);
	CHECK_EQ(h->e_phoff, 64);
	CHECK_EQ(each_note(core, NT_PRSTATUS, check_status), 1);
	CHECK_EQ(each_note(core, NT_PRPSINFO, check_psinfo), 1);
	CHECK_EQ(each_note(core, NT_SIGINFO, check_siginfo), 1);
	CHECK_EQ(each_note(core, NT_AUXV, NULL), 1);
	CHECK_EQ(each_note(core, NT_FILE, check_file), 1);
	CHECK_EQ(each_note(core, NT_PRFPREG, NULL), 1);
	CHECK_EQ(each_note(core, NT_X86_XSTATE, NULL), 1);
	CHECK(core_at(core, (u64)marked));
	CHECK_EQ(*(const u64 *)core_at(core, (u64)marked), MARK);
	CHECK_EQ(*(const u64 *)core_at(core, (u64)shared), MARK);
	CHECK(!core_at(core, (u64)hidden));
}

TEST(filter_chooses)
{
	char text[32];
	size_t size;
	char *core;
	pid_t pid;

	want_pattern("core");
	CHECK_EQ(read_file("/proc/self/coredump_filter", text, sizeof(text)), 9);
	CHECK_STR(text, "00000033\n");
	marked = area(MAP_PRIVATE);
	*marked = MARK;
	shared = area(MAP_SHARED);
	*shared = MARK;
	write_file("/proc/self/coredump_filter", "0x2");
	pid = test_fork(); /* inherited */
	if (!pid) {
		read_file("/proc/self/coredump_filter", text, sizeof(text));
		CHECK_STR(text, "00000002\n");
		set_core_limit(RLIM_INFINITY);
		abort();
	}
	CHECK_EQ(test_reap(pid), SIGABRT | 0x80);
	core = load_core("core", &size);
	CHECK(!core_at(core, (u64)marked));
	CHECK_EQ(*(const u64 *)core_at(core, (u64)shared), MARK);
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *spinner(void *arg)
{
	for (;;)
		__asm__ __volatile__("pause");
	return arg;
}

static void die_with_threads(void)
{
	pthread_t t;

	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&t, NULL, i % 3 ? sleeper : spinner, NULL), 0);
	sleep_ms(30);
	abort();
}

TEST(every_thread_is_in_it)
{
	size_t size;
	char *core;

	want_pattern("core");
	CHECK_EQ(dump_by(die_with_threads, RLIM_INFINITY), SIGABRT | 0x80);
	core = load_core("core", &size);
	CHECK_EQ(each_note(core, NT_PRSTATUS, check_status), 7);
	CHECK_EQ(each_note(core, NT_PRFPREG, NULL), 7);
	CHECK_EQ(each_note(core, NT_PRPSINFO, NULL), 1);
}

static void need_vm(void)
{
	if (!getenv("TEST_VM"))
		SKIP("kernel.core_pattern belongs to this machine");
}

TEST(pattern_expands)
{
	char name[128];
	struct stat st;
	pid_t pid;

	need_vm();
	want_pattern("c.%e.%p.%i.%u.%g.%s.%%.%q%d.%c");
	pid = test_fork();
	if (!pid) {
		set_core_limit(RLIM_INFINITY);
		CHECK_OK(prctl(PR_SET_NAME, "a/b"));
		abort();
	}
	CHECK_EQ(test_reap(pid), SIGABRT | 0x80);
	snprintf(name, sizeof(name), "c.a!b.%d.%d.0.0.6.%%.1.18446744073709551615", pid, pid);
	CHECK_OK(stat(name, &st));
	want_pattern("x");
	write_file("/proc/sys/kernel/core_uses_pid", "1");
	pid = test_fork();
	if (!pid) {
		set_core_limit(RLIM_INFINITY);
		abort();
	}
	CHECK_EQ(test_reap(pid), SIGABRT | 0x80);
	write_file("/proc/sys/kernel/core_uses_pid", "0");
	want_pattern("core");
	snprintf(name, sizeof(name), "x.%d", pid);
	CHECK_OK(stat(name, &st));
}

/* Run by the kernel: a name to write under, the final name, and what the pattern gave. */
HELPER(save)
{
	int fd = open(argv[0], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	char buf[4096];
	ssize_t n, all = 0;

	dprintf(fd, "%d %s %s uid %d\n", argc, argv[1], argv[2], getuid());
	while ((n = read(0, buf, sizeof(buf))) > 0) {
		if (!all && memcmp(buf, "\177ELF", 4))
			return 1;
		all += n;
	}
	dprintf(fd, "%s\n", all > 8192 ? "whole" : "short");
	close(fd);
	rename(argv[0], argv[1]);
	return 0;
}

TEST(pipe_gets_the_core)
{
	char pattern[512], cwd[128], text[512], want[128];
	pid_t pid;

	need_vm();
	CHECK(getcwd(cwd, sizeof(cwd)));
	/* The test's directory may make it longer than the pattern may be. */
	CHECK_OK(chmod(cwd, 0755));
	unlink("/tmp/t");
	CHECK_OK(symlink(test_self, "/tmp/t"));
	snprintf(pattern, sizeof(pattern), "|/tmp/t  --helper save /tmp/saving /tmp/saved %%p");
	unlink("/tmp/saved");
	want_pattern(pattern);
	pid = test_fork();
	if (!pid) {
		set_core_limit(0); /* a pipe does not care */
		become(1234, 1234);
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
		abort();
	}
	CHECK_EQ(test_reap(pid), SIGABRT | 0x80);
	want_pattern("core");
	for (int i = 0; i < 200 && access("/tmp/saved", F_OK); i++)
		sleep_ms(10);
	text[read_file("/tmp/saved", text, sizeof(text))] = '\0';
	snprintf(want, sizeof(want), "3 /tmp/saved %d uid 0\nwhole\n", pid);
	CHECK_STR(text, want);
}

TEST(missing_helper_no_bit)
{
	need_vm();
	want_pattern("|/nowhere/program %p");
	CHECK_EQ(dump_by(die_abort, RLIM_INFINITY), SIGABRT);
	want_pattern("core");
}

/* A dump of much memory can be cut short by SIGKILL. */
TEST(killable)
{
	u64 start;
	pid_t pid;

	need_vm();
	want_pattern("|/bin/sleep 1000");
	pid = test_fork();
	if (!pid)
		abort(); /* the pipe fills up */
	wait_state(pid, "SD");
	sleep_ms(200);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(test_reap(pid), SIGKILL);
	CHECK(now_ns(CLOCK_MONOTONIC) - start < 5000000000);
	want_pattern("core");
}
