/* execve and execveat: what the new image finds, what it inherits, and every way to be refused. */
#include "test.h"

#include <elf.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include "elf_image.h"

static int exec_status(char *const argv[], char *const envp[])
{
	pid_t pid = test_fork();

	if (pid == 0) {
		execve(argv[0], argv, envp);
		_exit(100 + errno);
	}
	return test_reap(pid);
}

/* Exec a helper of this program and require status 0. */
#define CHECK_HELPER(...)                                                                          \
	CHECK_EQ(exec_status((char *[]){ test_self, "--helper", __VA_ARGS__, NULL }, environ), 0)

HELPER(check_args)
{
	static const char *want[] = { "", "two words", "\xff\n" };

	if (argc != 3)
		return 2;
	for (int i = 0; i < 3; i++)
		if (strcmp(argv[i], want[i]))
			return 3 + i;
	if (argv[3])
		return 9;
	return !getenv("K") || strcmp(getenv("K"), "V") || environ[1];
}

TEST(arguments_and_environment_arrive)
{
	char *argv[] = { test_self, "--helper", "check_args", "", "two words", "\xff\n", NULL };
	char *envp[] = { "K=V", NULL };

	CHECK_EQ(exec_status(argv, envp), 0);
}

HELPER(check_auxv)
{
	unsigned long phdr = getauxval(AT_PHDR), entry = getauxval(AT_ENTRY);
	unsigned char *random = (void *)getauxval(AT_RANDOM);
	const char *execfn = (void *)getauxval(AT_EXECFN), *platform = (void *)getauxval(AT_PLATFORM);
	Elf64_Phdr *ph = (void *)phdr;
	unsigned char bits = 0;
	bool load = false;

	if (getauxval(AT_PAGESZ) != 4096 || getauxval(AT_PHENT) != sizeof(*ph) ||
	    getauxval(AT_CLKTCK) != 100)
		return 1;
	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
		load |= ph[i].p_type == PT_LOAD;
	if (!load || !entry || getauxval(AT_BASE))
		return 2;
	for (int i = 0; i < 16; i++)
		bits |= random[i];
	if (!bits)
		return 3;
	if (strcmp(execfn, argv[0]))
		return 4;
	if (strcmp(platform, "x86_64"))
		return 5;
	if (getauxval(AT_UID) != getuid() || getauxval(AT_EUID) != geteuid() ||
	    getauxval(AT_GID) != getgid() || getauxval(AT_EGID) != getegid() ||
	    getauxval(AT_SECURE))
		return 6;
	return 0;
}

TEST(auxv_is_complete)
{
	CHECK_HELPER("check_auxv", test_self);
}

/* The System V start of a process: sp aligned to 16, argc, argv, NULL, envp, NULL, auxv. */
TEST(initial_stack_is_aligned)
{
	static const u8 code[] = {
		0x48, 0x89, 0xe7,		/* mov %rsp,%rdi */
		0x83, 0xe7, 0x0f,		/* and $15,%edi */
		0x83, 0x3c, 0x24, 0x01,		/* cmpl $1,(%rsp) */
		0x74, 0x05,			/* je 1f */
		0xbf, 0x40, 0, 0, 0,		/* mov $0x40,%edi */
		0xb8, 0xe7, 0, 0, 0,		/* 1: mov $231,%eax */
		0x0f, 0x05,			/* syscall */
	};

	elf_write("prog", ET_EXEC, 0x400000, code, sizeof(code), NULL);
	CHECK_EQ(exec_status((char *[]){ "./prog", NULL }, environ), 0);
}

TEST(registers_are_clear_at_start)
{
	static const u8 code[] = {
		0x48, 0x09, 0xd8, 0x48, 0x09, 0xc8, /* or rbx,rcx into rax */
		0x48, 0x09, 0xd0, 0x48, 0x09, 0xf0, /* rdx, rsi */
		0x48, 0x09, 0xf8, 0x48, 0x09, 0xe8, /* rdi, rbp */
		0x4c, 0x09, 0xc0, 0x4c, 0x09, 0xd0, /* r8, r10 */
		0x4c, 0x09, 0xe0, 0x4c, 0x09, 0xf8, /* r12, r15 */
		0x31, 0xff,			    /* xor %edi,%edi */
		0x48, 0x85, 0xc0,		    /* test %rax,%rax */
		0x40, 0x0f, 0x95, 0xc7,		    /* setne %dil */
		0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05,    /* exit */
	};

	elf_write("prog", ET_EXEC, 0x400000, code, sizeof(code), NULL);
	CHECK_EQ(exec_status((char *[]){ "./prog", NULL }, environ), 0);
}

TEST(pie_and_interpreter)
{
	static const u8 exit_5[] = { 0xbf, 5, 0, 0, 0, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05 };
	static const u8 exit_6[] = { 0xbf, 6, 0, 0, 0, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05 };
	char interp[300];

	elf_write("pie", ET_DYN, 0, exit_5, sizeof(exit_5), NULL);
	CHECK_EQ(exec_status((char *[]){ "./pie", NULL }, environ), 5 << 8);

	elf_write("interp", ET_DYN, 0, exit_6, sizeof(exit_6), NULL);
	CHECK(realpath("interp", interp));
	elf_write("static", ET_EXEC, 0x400000, exit_5, sizeof(exit_5), interp);
	CHECK_EQ(exec_status((char *[]){ "./static", NULL }, environ), 6 << 8);
	elf_write("dynamic", ET_DYN, 0, exit_5, sizeof(exit_5), interp);
	CHECK_EQ(exec_status((char *[]){ "./dynamic", NULL }, environ), 6 << 8);

	elf_write("missing", ET_EXEC, 0x400000, exit_5, sizeof(exit_5), "/no/such/interpreter");
	CHECK_EQ(exec_status((char *[]){ "./missing", NULL }, environ), (100 + ENOENT) << 8);
	write_file("text", "not an ELF file, though long enough to hold the header of one ......");
	chmod("text", 0755);
	CHECK(realpath("text", interp));
	elf_write("badinterp", ET_EXEC, 0x400000, exit_5, sizeof(exit_5), interp);
	CHECK_EQ(exec_status((char *[]){ "./badinterp", NULL }, environ), (100 + ELIBBAD) << 8);
}

TEST(malformed_images_are_refused)
{
	static const u8 code[] = { 0xbf, 0, 0, 0, 0, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05 };
	static const struct {
		size_t offset;
		u8 value;
	} patches[] = {
		{ 1, 'X' },						 /* magic */
		{ offsetof(Elf64_Ehdr, e_machine), EM_ARM },
		{ offsetof(Elf64_Ehdr, e_type), ET_REL },
		{ offsetof(Elf64_Ehdr, e_type), ET_CORE },
		{ offsetof(Elf64_Ehdr, e_phentsize), 55 },
		{ offsetof(Elf64_Ehdr, e_phnum), 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
		int fd;

		elf_write("bad", ET_EXEC, 0x400000, code, sizeof(code), NULL);
		fd = CHECK_OK(open("bad", O_WRONLY));
		CHECK_EQ(pwrite(fd, &patches[i].value, 1, patches[i].offset), 1);
		close(fd);
		CHECK_EQ(exec_status((char *[]){ "./bad", NULL }, environ), (100 + ENOEXEC) << 8);
	}
	write_file("short", "\177ELF");
	CHECK_OK(chmod("short", 0755));
	CHECK_EQ(exec_status((char *[]){ "./short", NULL }, environ), (100 + ENOEXEC) << 8);
	write_file("empty", "");
	CHECK_OK(chmod("empty", 0755));
	CHECK_EQ(exec_status((char *[]){ "./empty", NULL }, environ), (100 + ENOEXEC) << 8);
}

/* Run a #! script whose interpreter is a small ELF that exits with its argument count. */
static void write_script(const char *name, const char *line)
{
	write_file(name, line);
	CHECK_OK(chmod(name, 0755));
}

TEST(scripts_pass_interpreter_argument_and_path)
{
	static const u8 exit_argc[] = { 0x8b, 0x3c, 0x24, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05 };
	static const struct {
		const char *line;
		int argc;
	} t[] = {
		{ "#!./argc\n", 2 },	     { "#! \t./argc  \n", 2 },
		{ "#!./argc one\n", 3 },     { "#!./argc one two three\n", 3 },
		{ "#!./argc", 2 },
	};

	elf_write("argc", ET_EXEC, 0x400000, exit_argc, sizeof(exit_argc), NULL);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		write_script("s", t[i].line);
		CHECK_EQ(exec_status((char *[]){ "./s", NULL }, environ), t[i].argc << 8);
		CHECK_EQ(exec_status((char *[]){ "./s", "a", "b", NULL }, environ),
			 (t[i].argc + 2) << 8);
	}
}

TEST(nested_and_broken_scripts)
{
	char line[400];

	write_script("s0", "#!./s0\n");
	CHECK_EQ(exec_status((char *[]){ "./s0", NULL }, environ), (100 + ELOOP) << 8);
	write_script("s1", "#!/no/such/program\n");
	CHECK_EQ(exec_status((char *[]){ "./s1", NULL }, environ), (100 + ENOENT) << 8);
	write_script("s2", "#!\n");
	CHECK_EQ(exec_status((char *[]){ "./s2", NULL }, environ), (100 + ENOEXEC) << 8);
	write_script("s3", "#!/tmp\n");
	CHECK_EQ(exec_status((char *[]){ "./s3", NULL }, environ), (100 + EACCES) << 8);
	memset(line, 'x', sizeof(line));
	memcpy(line, "#!/", 3);
	line[sizeof(line) - 1] = 0;
	write_script("s4", line);
	CHECK_EQ(exec_status((char *[]){ "./s4", NULL }, environ), (100 + ENOEXEC) << 8);
}

TEST(refused_paths)
{
	char *argv[] = { "x", NULL }, name[300];

	CHECK_ERR(execve("missing", argv, environ), ENOENT);
	CHECK_ERR(execve("", argv, environ), ENOENT);
	CHECK_ERR(execve(".", argv, environ), EACCES);
	write_file("plain", "x");
	CHECK_ERR(execve("plain", argv, environ), EACCES);
	CHECK_ERR(execve("plain/x", argv, environ), ENOTDIR);
	CHECK_ERR(execve((char *)8, argv, environ), EFAULT);
	CHECK_ERR(execve(test_self, (char **)8, environ), EFAULT);
	CHECK_ERR(execve(test_self, (char *[]){ (char *)8, NULL }, environ), EFAULT);
	CHECK_ERR(execve(test_self, argv, (char **)8), EFAULT);
	CHECK_OK(symlink("loop", "loop"));
	CHECK_ERR(execve("loop", argv, environ), ELOOP);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	CHECK_ERR(execve(name, argv, environ), ENAMETOOLONG);
	CHECK_ERR(execve("/dev/null", argv, environ), EACCES);
}

TEST(too_long_arguments)
{
	size_t len = 32 * 4096;
	char *big = malloc(len + 1);
	char *argv[] = { test_self, big, NULL };

	CHECK(big);
	memset(big, 'a', len);
	big[len] = 0;
	CHECK_ERR(execve(test_self, argv, environ), E2BIG);

	/* Each string fits, the sum is over a quarter of the stack limit. */
	enum { N = 1000 };
	static char *many[N + 1];

	big[4000] = 0;
	for (int i = 0; i < N; i++)
		many[i] = big;
	many[0] = test_self;
	CHECK_OK(setrlimit(RLIMIT_STACK, &(struct rlimit){ 1 << 20, RLIM_INFINITY }));
	CHECK_ERR(execve(test_self, many, environ), E2BIG);
}

TEST(large_arguments_arrive)
{
	enum { N = 200, LEN = 5000 };
	static char *argv[N + 4], big[LEN + 1];

	memset(big, 'b', LEN);
	argv[0] = test_self;
	argv[1] = "--helper";
	argv[2] = "check_many";
	for (int i = 0; i < N; i++)
		argv[3 + i] = big;
	CHECK_EQ(exec_status(argv, environ), 0);
}

HELPER(check_many)
{
	for (int i = 0; i < argc; i++)
		if (strlen(argv[i]) != 5000 || argv[i][4999] != 'b')
			return 1;
	return argc != 200;
}

HELPER(check_closed)
{
	return fcntl(atoi(argv[0]), F_GETFD) >= 0 || errno != EBADF || fcntl(atoi(argv[1]), F_GETFD) != 0;
}

TEST(cloexec_closes_others_stay)
{
	char a[8], b[8];
	int closed = CHECK_OK(open("/", O_RDONLY | O_CLOEXEC)), kept = CHECK_OK(open("/", O_RDONLY));

	snprintf(a, sizeof(a), "%d", closed);
	snprintf(b, sizeof(b), "%d", kept);
	CHECK_HELPER("check_closed", a, b);
	CHECK_OK(fcntl(closed, F_GETFD));
}

static void handler(int sig)
{
	(void)sig;
}

HELPER(check_signals)
{
	struct sigaction act;
	sigset_t set;
	stack_t ss;

	sigaction(SIGUSR1, NULL, &act);
	if (act.sa_handler != SIG_DFL)
		return 1;
	sigaction(SIGUSR2, NULL, &act);
	if (act.sa_handler != SIG_IGN)
		return 2;
	sigprocmask(SIG_BLOCK, NULL, &set);
	if (!sigismember(&set, SIGHUP))
		return 3;
	sigpending(&set);
	if (!sigismember(&set, SIGHUP))
		return 4;
	sigaltstack(NULL, &ss);
	return ss.ss_flags == SS_DISABLE ? 0 : 5;
}

TEST(signals_across_exec)
{
	static char stack[16384];
	sigset_t set;

	signal(SIGUSR1, handler);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_OK(sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof(stack) }, NULL));
	IN_CHILD {
		raise(SIGHUP);
		execl(test_self, test_self, "--helper", "check_signals", NULL);
		FAIL("exec");
	}
}

HELPER(check_pid)
{
	return getpid() != atoi(argv[0]) || getppid() != atoi(argv[1]);
}

TEST(exec_keeps_the_pid)
{
	IN_CHILD {
		char a[12], b[12];

		snprintf(a, sizeof(a), "%d", getpid());
		snprintf(b, sizeof(b), "%d", getppid());
		execl(test_self, test_self, "--helper", "check_pid", a, b, NULL);
		FAIL("exec");
	}
}

static void *exec_thread(void *arg)
{
	char pid[12], ppid[12];

	(void)arg;
	snprintf(pid, sizeof(pid), "%d", getpid());
	snprintf(ppid, sizeof(ppid), "%d", getppid());
	execl(test_self, test_self, "--helper", "check_pid", pid, ppid, NULL);
	_exit(1);
}

static void *pause_thread(void *arg)
{
	for (;;)
		pause();
	return arg;
}

TEST(exec_from_a_thread_takes_the_leader_pid_and_kills_the_rest)
{
	IN_CHILD {
		pthread_t t;

		pthread_create(&t, NULL, pause_thread, NULL);
		pthread_create(&t, NULL, exec_thread, NULL);
		for (;;)
			pause();
	}
}

HELPER(exit_ok)
{
	return 0;
}

TEST(execveat_by_descriptor_and_directory)
{
	char *argv[] = { test_self, "--helper", "exit_ok", NULL };
	char dir[4096];
	int fd;

	IN_CHILD {
		fd = CHECK_OK(open(test_self, O_PATH | O_CLOEXEC));
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		FAIL("errno %d", errno);
	}
	strcpy(dir, test_self);
	*strrchr(dir, '/') = 0;
	IN_CHILD {
		fd = CHECK_OK(open(dir, O_RDONLY | O_DIRECTORY));
		syscall(SYS_execveat, fd, strrchr(test_self, '/') + 1, argv, environ, 0);
		FAIL("errno %d", errno);
	}
	fd = CHECK_OK(open(test_self, O_PATH));
	CHECK_ERR(syscall(SYS_execveat, fd, "", argv, environ, 0), ENOENT);
	CHECK_ERR(syscall(SYS_execveat, fd, "x", argv, environ, 0), ENOTDIR);
	CHECK_ERR(syscall(SYS_execveat, -1, "x", argv, environ, 0), EBADF);
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "x", argv, environ, 0x4), EINVAL);
	CHECK_OK(symlink(test_self, "link"));
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "link", argv, environ, AT_SYMLINK_NOFOLLOW), ELOOP);
}

TEST(set_id_bits_raise_the_effective_ids)
{
	static const u8 exit_euid[] = { 0xb8, 0x6b, 0, 0, 0, 0x0f, 0x05, /* geteuid */
					0x89, 0xc7, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05 };

	if (geteuid())
		SKIP("needs root");
	/* The claim's directory may lie on a mount without set-id programs. */
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "mode=0755"));
	CHECK_OK(chdir("m"));
	elf_write("suid", ET_EXEC, 0x400000, exit_euid, sizeof(exit_euid), NULL);
	CHECK_OK(chown("suid", 77, 88));
	CHECK_OK(chmod("suid", 04755));
	IN_CHILD {
		become(1000, 1000);
		CHECK_EQ(exec_status((char *[]){ "./suid", NULL }, environ), 77 << 8);
	}
	CHECK_OK(chmod("suid", 0755));
	IN_CHILD {
		become(100, 100);
		CHECK_EQ(exec_status((char *[]){ "./suid", NULL }, environ), 100 << 8);
	}
	CHECK_OK(chdir(".."));
	CHECK_OK(umount2("m", MNT_DETACH));
}

TEST(written_text_is_busy_and_running_text_cannot_be_written)
{
	static const u8 code[] = { 0xb8, 0x22, 0, 0, 0, 0x0f, 0x05 }; /* pause */
	char *argv[] = { "./prog", NULL };
	pid_t pid;
	int fd;

	elf_write("prog", ET_EXEC, 0x400000, code, sizeof(code), NULL);
	fd = CHECK_OK(open("prog", O_WRONLY));
	CHECK_EQ(exec_status(argv, environ), (100 + ETXTBSY) << 8);
	close(fd);
	pid = test_fork();
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(1);
	}
	wait_state(pid, "S");
	CHECK_ERR(open("prog", O_WRONLY), ETXTBSY);
	CHECK_ERR(truncate("prog", 0), ETXTBSY);
	CHECK_OK(unlink("prog"));
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}

TEST(empty_argv_becomes_one_empty_string)
{
	static const u8 exit_argc[] = { 0x8b, 0x3c, 0x24, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05 };

	elf_write("argc", ET_EXEC, 0x400000, exit_argc, sizeof(exit_argc), NULL);
	IN_CHILD {
		IN_CHILD {
			pid_t pid = test_fork();

			if (pid == 0) {
				execve("./argc", (char *[]){ NULL }, environ);
				_exit(100);
			}
			CHECK_EXITS(pid, 1);
		}
	}
}
