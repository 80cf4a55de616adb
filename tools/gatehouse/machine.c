/*
 * QEMU as a child process: its command line, its descriptors.
 *
 * The machine is kept to what the guest needs, which is what makes it start fast: no default
 * devices, no monitor, no option ROM beyond the boot loader, the least of firmware. One
 * virtio-serial device carries everything: port 0 the terminal, port 1 the control channel, ports
 * 2 to 4 the standard streams, port 5 the trace. Streams are sockets, which give flow control both ways and tell the
 * guest when an end is closed; the terminal and the serial line, where QEMU drops what does not fit
 * at once, are pipes, which hold far more.
 *
 * QEMU is in a session of its own, so that the terminal's signals reach only this process, and dies
 * with it (PR_SET_PDEATHSIG).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accel.h"
#include "error.h"
#include "machine.h"
#include "tsc.h"

#define QEMU_NAME "qemu-system-x86_64"
#define PIPE_SIZE (1 << 20)
#define SOCKET_BUFFER (1 << 20)
#define MIB (1ull << 20)

/* A NULL-terminated argument list under construction. */
struct words {
	char *word[320];
	size_t count;
};

/* QEMU's ends of the channels, inherited under these numbers. */
struct qemu_ends {
	int control, in, out, err, trace, serial, log;
};

static void add(struct words *words, char *word)
{
	if (words->count + 1 >= sizeof(words->word) / sizeof(words->word[0]))
		die("too many words for QEMU's command line");
	words->word[words->count++] = word;
	words->word[words->count] = NULL;
}

#define ADD(words, ...) add(words, format_text(__VA_ARGS__))

static char *find_in_path(const char *name)
{
	const char *path = getenv("PATH");

	for (const char *at = path ? path : ""; *at;) {
		size_t len = strcspn(at, ":");
		char *candidate = format_text("%.*s/%s", (int)len, at, name);
		if (access(candidate, X_OK) == 0)
			return candidate;
		free(candidate);
		at += len + (at[len] == ':');
	}
	die("%s is not in PATH: install the package qemu-system-x86", name);
}

static void add_accelerator(struct words *words, const struct run_options *options,
			    enum accel_choice accel)
{
	ADD(words, "-accel");
	if (accel == ACCEL_KVM) {
		ADD(words, "kvm");
		ADD(words, "-cpu");
		ADD(words, "host");
		return;
	}
	/* With one CPU, translated code need not be atomic towards others: it is shorter. */
	ADD(words, "tcg,thread=%s,tb-size=256", options->nr_cpus > 1 ? "multi" : "single");
	ADD(words, "-cpu");
	ADD(words, "max");
	if (options->icount) {
		ADD(words, "-icount");
		ADD(words, "shift=0,sleep=off");
	}
}

static void add_board(struct words *words, const struct run_options *options)
{
	ADD(words, "-machine");
	if (options->machine == MACHINE_MICROVM) {
		ADD(words, "microvm,acpi=on,pit=on,pic=on,rtc=on,isa-serial=on,pcie=off,usb=off,"
			   "x-option-roms=off,auto-kernel-cmdline=off,graphics=off,"
			   "dump-guest-core=off");
		ADD(words, "-global");
		ADD(words, "virtio-mmio.force-legacy=false");
		ADD(words, "-global");
		ADD(words, "virtio-mmio.ioeventfd=off");
		return;
	}
	ADD(words, "q35,usb=off,sata=off,smbus=off,vmport=off,smm=off,i8042=off,graphics=off,"
		   "dump-guest-core=off");
	ADD(words, "-boot");
	ADD(words, "menu=off,strict=on");
}

/* Enough for the root to be unpacked next to its archive. */
static uint64_t memory_mib(const struct run_options *options, const struct boot_files *files)
{
	uint64_t need = 2 * files->initrd_size / MIB;

	if (!options->memory_bytes)
		return need > 64 ? 256 + need : 256;
	if (options->memory_bytes / MIB < need)
		die("--memory: this root needs at least %lluM to be unpacked",
		    (unsigned long long)need + 64);
	return options->memory_bytes / MIB;
}

static void add_resources(struct words *words, const struct run_options *options,
			  const struct boot_files *files)
{
	ADD(words, "-m");
	ADD(words, "%llu", (unsigned long long)memory_mib(options, files));
	ADD(words, "-smp");
	ADD(words, "%u", options->nr_cpus);
}

/* Appends a word to a line that it takes over. */
static char *line_add(char *line, const char *word)
{
	char *longer = format_text("%s%s%s", line, *line && *word ? " " : "", word);

	free(line);
	return longer;
}

/* What Linux needs to log to the serial line only when asked, and to end when it panics. */
static char *linux_line(const struct run_options *options, enum accel_choice accel)
{
	char *line = format_text("console=ttyS0 panic=-1");
	bool debug = false;

	for (size_t i = 0; i < options->nr_append; i++)
		debug = debug || strstr(options->append[i], "debug");
	if (!debug)
		line = line_add(line, "quiet");
	unsigned long khz = accel == ACCEL_TCG ? tsc_guest_khz(options) : 0;
	if (khz) {
		char *word = format_text("tsc_early_khz=%lu", khz);
		line = line_add(line, word);
		free(word);
	}
	return line;
}

static char *command_line(const struct run_options *options, const struct boot_files *files,
			  enum accel_choice accel)
{
	char *line = files->is_linux ? linux_line(options, accel) : format_text("%s", "");

	for (size_t i = 0; i < options->nr_append; i++)
		line = line_add(line, options->append[i]);
	return line;
}

static void add_boot(struct words *words, const struct run_options *options,
		     const struct boot_files *files, enum accel_choice accel)
{
	char *line = command_line(options, files, accel);

	ADD(words, "-kernel");
	ADD(words, "%s", files->kernel);
	if (files->initrd >= 0) {
		ADD(words, "-initrd");
		ADD(words, "/proc/self/fd/%d", files->initrd);
	}
	if (*line) {
		ADD(words, "-append");
		ADD(words, "%s", line);
	}
	free(line);
}

static void add_port(struct words *words, int nr, const char *name, int fd)
{
	ADD(words, "-chardev");
	ADD(words, "socket,id=%s,fd=%d", name, fd);
	ADD(words, "-device");
	ADD(words, "virtserialport,nr=%d,name=org.gatehouse.%s,chardev=%s", nr, name, name);
}

/* The host's random numbers, for the guest's generator. */
static void add_random(struct words *words, const struct run_options *options)
{
	ADD(words, "-device");
	ADD(words, options->machine == MACHINE_MICROVM
			   ? "virtio-rng-device"
			   : "virtio-rng-pci,disable-legacy=on,ioeventfd=off");
}

static void add_channels(struct words *words, const struct run_options *options,
			 const struct machine_streams *streams, const struct qemu_ends *ends)
{
	ADD(words, "-add-fd");
	ADD(words, "fd=%d,set=1", ends->serial);
	ADD(words, "-chardev");
	ADD(words, "file,id=serial,path=/dev/fdset/1,append=on");
	ADD(words, "-serial");
	ADD(words, "chardev:serial");
	ADD(words, "-device");
	ADD(words, options->machine == MACHINE_MICROVM
			   ? "virtio-serial-device,max_ports=6"
			   : "virtio-serial-pci,disable-legacy=on,ioeventfd=off,max_ports=6");
	if (streams->terminal) {
		ADD(words, "-chardev");
		ADD(words, "stdio,id=terminal,signal=off");
		ADD(words, "-device");
		ADD(words, "virtconsole,nr=0,chardev=terminal");
	}
	add_port(words, 1, "control", ends->control);
	if (!streams->terminal) {
		add_port(words, 2, "stdin", ends->in);
		add_port(words, 3, "stdout", ends->out);
	}
	if (!streams->terminal || streams->separate_stderr)
		add_port(words, 4, "stderr", ends->err);
	if (ends->trace >= 0)
		add_port(words, 5, "trace", ends->trace);
}

/* QEMU takes a comma in a value when it is doubled. */
static char *escape_commas(const char *text)
{
	char *escaped = xmalloc(2 * strlen(text) + 1);
	char *to = escaped;

	for (; *text; text++) {
		*to++ = *text;
		if (*text == ',')
			*to++ = ',';
	}
	*to = '\0';
	return escaped;
}

/*
 * Owners, modes and special files are the host's own. Without privilege QEMU cannot give files away:
 * "none" ignores that, so that what the guest makes belongs to whoever runs the command.
 */
static void add_shares(struct words *words, const struct run_options *options,
		       const struct boot_files *files)
{
	for (size_t i = 0; i < files->nr_shares; i++) {
		const struct share *share = &files->shares[i];
		char *path = escape_commas(share->path);

		ADD(words, "-fsdev");
		ADD(words, "local,id=share%zu,path=%s,security_model=%s,multidevs=remap%s", i, path,
		    share->privileged ? "passthrough" : "none",
		    share->read_only ? ",readonly=on" : "");
		ADD(words, "-device");
		ADD(words, "%s,fsdev=share%zu,mount_tag=%s",
		    options->machine == MACHINE_MICROVM
			    ? "virtio-9p-device"
			    : "virtio-9p-pci,disable-legacy=on,ioeventfd=off",
		    i, share->tag);
		free(path);
	}
}

/* The file behind a disk, with what watches it or makes it fail; *node: the name of the topmost part. */
static void add_disk_file(struct words *words, const struct disk *disk, size_t i, char **node)
{
	const char *ro = disk->read_only ? ",read-only=on,auto-read-only=off" : "";
	char *path = escape_commas(disk->path);

	ADD(words, "-blockdev");
	ADD(words, "driver=%s,node-name=file%zu,filename=%s,discard=unmap%s",
	    disk->is_device ? "host_device" : "file", i, path, ro);
	*node = format_text("file%zu", i);
	free(path);
	if (disk->faults) {
		path = escape_commas(disk->faults);
		ADD(words, "-blockdev");
		ADD(words, "driver=blkdebug,node-name=faults%zu,image=%s,config=%s,discard=unmap%s", i,
		    *node, path, ro);
		free(*node);
		free(path);
		*node = format_text("faults%zu", i);
	}
	if (disk->log) {
		path = escape_commas(disk->log);
		ADD(words, "-blockdev");
		ADD(words, "driver=file,node-name=logfile%zu,filename=%s", i, path);
		ADD(words, "-blockdev");
		ADD(words, "driver=blklogwrites,node-name=log%zu,file=%s,log=logfile%zu,discard=unmap",
		    i, *node, i);
		free(*node);
		free(path);
		*node = format_text("log%zu", i);
	}
}

/*
 * Images are raw: a format that QEMU would guess from the contents is one that the guest could write.
 * What the guest has flushed is on the host's disk (the file is synced); the rest is in its cache.
 */
static void add_disks(struct words *words, const struct run_options *options,
		      const struct boot_files *files)
{
	for (size_t i = 0; i < files->nr_disks; i++) {
		const struct disk *disk = &files->disks[i];
		char *node;

		add_disk_file(words, disk, i, &node);
		ADD(words, "-blockdev");
		ADD(words, "driver=raw,node-name=disk%zu,file=%s,discard=unmap%s", i, node,
		    disk->read_only ? ",read-only=on" : "");
		ADD(words, "-device");
		ADD(words, "%s,drive=disk%zu,write-cache=on,num-queues=%u,serial=disk%zu",
		    options->machine == MACHINE_MICROVM
			    ? "virtio-blk-device"
			    : "virtio-blk-pci,disable-legacy=on,ioeventfd=off",
		    i, options->nr_cpus < 8 ? options->nr_cpus : 8, i);
		free(node);
	}
}

static void build_command(struct words *words, const struct run_options *options,
			  const struct boot_files *files, const struct machine_streams *streams,
			  const struct qemu_ends *ends)
{
	add(words, find_in_path(QEMU_NAME));
	enum accel_choice accel = accel_choose(options);
	ADD(words, "-nodefaults");
	ADD(words, "-no-user-config");
	ADD(words, "-no-reboot");
	ADD(words, "-display");
	ADD(words, "none");
	ADD(words, "-monitor");
	ADD(words, "none");
	ADD(words, "-parallel");
	ADD(words, "none");
	/* A guest that takes over QEMU finds little to do with it; costs no measurable time. */
	ADD(words, "-sandbox");
	ADD(words, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	add_accelerator(words, options, accel);
	add_board(words, options);
	add_resources(words, options, files);
	add_boot(words, options, files, accel);
	add_channels(words, options, streams, ends);
	add_random(words, options);
	add_shares(words, options, files);
	add_disks(words, options, files);
}

/* An end of ours never blocks and is not inherited; an end of QEMU's never is number 0, 1 or 2. */
static int keep_end(int fd, bool ours)
{
	int kept = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (kept < 0 || (ours && fcntl(kept, F_SETFL, O_NONBLOCK) < 0))
		die("cannot make a channel to the machine: %s", strerror(errno));
	close(fd);
	return kept;
}

static void make_socket(int *ours, int *theirs)
{
	int ends[2];
	int size = SOCKET_BUFFER;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		die("cannot make a channel to the machine: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		/* A wish: the system's limits apply without privilege. */
		if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	*ours = keep_end(ends[0], true);
	*theirs = keep_end(ends[1], false);
}

static void make_pipe(int *reader, bool reader_is_ours, int *writer)
{
	int ends[2];

	if (pipe(ends) < 0)
		die("cannot make a channel to the machine: %s", strerror(errno));
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
	*reader = keep_end(ends[0], reader_is_ours);
	*writer = keep_end(ends[1], !reader_is_ours);
}

static void make_channels(struct machine *machine, const struct machine_streams *streams,
			  struct qemu_ends *ends)
{
	machine->in = machine->out = machine->err = machine->trace = -1;
	machine->in_is_socket = !streams->terminal;
	*ends = (struct qemu_ends){.in = -1, .out = -1, .err = -1, .trace = -1};
	make_socket(&machine->control, &ends->control);
	make_pipe(&machine->serial, true, &ends->serial);
	make_pipe(&machine->qemu, true, &ends->log);
	if (streams->terminal) {
		make_pipe(&ends->in, false, &machine->in);
		make_pipe(&machine->out, true, &ends->out);
	} else {
		make_socket(&machine->in, &ends->in);
		make_socket(&machine->out, &ends->out);
	}
	if (!streams->terminal || streams->separate_stderr)
		make_socket(&machine->err, &ends->err);
	if (streams->trace)
		make_socket(&machine->trace, &ends->trace);
}

static void inherit(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

/* QEMU keeps a descriptor for every file that the guest has open on a share. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static _Noreturn void become_qemu(const struct words *words, const struct boot_files *files,
				  const struct machine_streams *streams,
				  const struct qemu_ends *ends, pid_t parent)
{
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	setsid();
	raise_file_limit();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(streams->terminal ? ends->in : nowhere, STDIN_FILENO);
	dup2(streams->terminal ? ends->out : nowhere, STDOUT_FILENO);
	dup2(ends->log, STDERR_FILENO);
	inherit(ends->control);
	inherit(ends->serial);
	inherit(ends->err);
	inherit(ends->trace);
	inherit(files->initrd);
	if (!streams->terminal) {
		inherit(ends->in);
		inherit(ends->out);
	}
	execv(words->word[0], words->word);
	_exit(127);
}

static void close_ends(const struct qemu_ends *ends)
{
	const int all[] = {ends->control, ends->in,     ends->out, ends->err,
			   ends->trace,	  ends->serial, ends->log};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i] >= 0)
			close(all[i]);
	}
}

void machine_start(struct machine *machine, const struct run_options *options,
		   const struct boot_files *files, const struct machine_streams *streams)
{
	struct words words = {.count = 0};
	struct qemu_ends ends;
	pid_t parent = getpid();

	make_channels(machine, streams, &ends);
	build_command(&words, options, files, streams, &ends);
	machine->pid = fork();
	if (machine->pid < 0)
		die("cannot start QEMU: %s", strerror(errno));
	if (machine->pid == 0)
		become_qemu(&words, files, streams, &ends, parent);
	close_ends(&ends);
	if (files->initrd >= 0)
		close(files->initrd);
}
