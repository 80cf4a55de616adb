/* Executes programs with hostile ELF headers: refused or killed, nothing worse. */
#include "attack.h"

#include <elf.h>
#include <sys/resource.h>
#include "elf_image.h"

static const u8 exit_0[] = { 0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05 };

static int run(const char *path)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		alarm(5);
		if (geteuid() == 0)
			become(1000, 1000);
		execl(path, path, NULL);
		_exit(99);
	}
	return test_reap(pid);
}

static void patch(size_t offset, const void *bytes, size_t len)
{
	int fd;

	CHECK(unlink("e") == 0 || errno == ENOENT);
	elf_write("e", ET_EXEC, 0x400000, exit_0, sizeof(exit_0), NULL);
	fd = CHECK_OK(open("e", O_WRONLY));
	CHECK_EQ(pwrite(fd, bytes, len, offset), len);
	close(fd);
}

static const u64 nasty[] = { 0, 1, 4095, 0x7ffff000, 0x80000000, 0xffffffff, 1ull << 40, 0x7ffffffff000,
			     0x800000000000, 0xffff800000000000, 0xffffffff81000000, INT64_MAX,
			     1ull << 63, -4096ull, ~0ull };

TEST(every_header_field)
{
	static const struct {
		size_t offset, size;
	} fields[] = {
#define EH(f) { offsetof(Elf64_Ehdr, f), sizeof(((Elf64_Ehdr *)0)->f) }
#define PH(f) { sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, f), sizeof(((Elf64_Phdr *)0)->f) }
		EH(e_entry), EH(e_phoff), EH(e_phnum), EH(e_phentsize), EH(e_type), EH(e_machine),
		EH(e_flags), EH(e_ehsize), PH(p_type), PH(p_flags), PH(p_offset), PH(p_vaddr),
		PH(p_filesz), PH(p_memsz), PH(p_align),
	};

	for (size_t f = 0; f < ARRAY_SIZE(fields); f++)
		for (size_t i = 0; i < ARRAY_SIZE(nasty); i++) {
			int status;

			patch(fields[f].offset, &nasty[i], fields[f].size);
			status = run("e");
			/* Exit 99: refused; 0: harmless; else a signal. */
			CHECK(status == 0 || status == 99 << 8 || (status & 0x7f));
		}
}

TEST(segments_over_kernel_and_stack)
{
	static const u64 where[] = { 0xffff800000000000, 0xffffffff80000000, 0x7fffffff0000,
				     0x7ffffffff000, 0x800000000000, -4096ull };

	for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
		Elf64_Phdr ph = { .p_type = PT_LOAD, .p_flags = 7, .p_vaddr = where[i], .p_filesz = 4096,
				  .p_memsz = 1 << 20, .p_align = 4096 };

		patch(sizeof(Elf64_Ehdr), &ph, sizeof(ph));
		CHECK(run("e") != 0);
	}
}

TEST(interpreter_names)
{
	for (u64 len = 0; len < 6000; len += 397) {
		struct {
			Elf64_Phdr ph[2];
		} t = { .ph = { { .p_type = PT_INTERP, .p_offset = 300, .p_filesz = len, .p_memsz = len },
				{ .p_type = PT_LOAD, .p_flags = 5, .p_vaddr = 0x400000, .p_filesz = 4096,
				  .p_memsz = 4096, .p_align = 4096 } } };
		u16 two = 2;
		int fd;

		patch(sizeof(Elf64_Ehdr), &t, sizeof(t));
		fd = CHECK_OK(open("e", O_WRONLY));
		CHECK_EQ(pwrite(fd, &two, 2, offsetof(Elf64_Ehdr, e_phnum)), 2);
		close(fd);
		CHECK(run("e") != 0);
	}
	/* An interpreter that names itself, and one that is a directory. */
	char self[300];
	CHECK(getcwd(self, 200));
	strcat(self, "/loop");
	elf_write("loop", ET_EXEC, 0x400000, exit_0, sizeof(exit_0), self);
	run("loop");
	elf_write("dir", ET_EXEC, 0x400000, exit_0, sizeof(exit_0), "/");
	CHECK_EQ(run("dir"), 99 << 8);
}

TEST_LIMIT(random_headers, 60)
{
	u64 state = 0xabcdef12345;

	for (int i = 0; i < SCALE(100, 5000); i++) {
		u8 bytes[8];
		size_t off = next_random(&state) % 170;
		u64 v = next_random(&state) >> (next_random(&state) % 60);
		int status;

		memcpy(bytes, &v, 8);
		patch(off, bytes, 1 + v % 8);
		status = run("e");
		CHECK(status == 0 || status >> 8 == 99 || (status & 0x7f) || status >> 8 < 256);
	}
}

TEST(file_cut_while_running)
{
	pid_t pid;
	static const u8 pause[] = { 0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7 };

	elf_write("e", ET_EXEC, 0x400000, pause, sizeof(pause), NULL);
	pid = test_fork();
	if (pid == 0) {
		execl("e", "e", NULL);
		_exit(99);
	}
	wait_state(pid, "S");
	CHECK_ERR(truncate("e", 0), ETXTBSY);
	CHECK_OK(unlink("e"));
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}
