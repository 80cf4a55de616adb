/*
 * Command-line options of `gatehouse run`: one table, one parser, strict values.
 *
 * Written out instead of getopt_long, which accepts abbreviations: `--mem` today would become
 * ambiguous with the next option tomorrow.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "options.h"

const char options_help[] =
	"usage: gatehouse run [OPTIONS] [--] [CMD [ARG...]]\n"
	"\n"
	"Runs CMD, an ordinary Linux program, on the Gatehouse kernel in a virtual machine.\n"
	"Without CMD: a shell. Standard input, output and error are the program's own.\n"
	"\n"
	"  --root DIR|IMAGE|CPIO  root file system: a directory, shared live; an ext4 image, as a\n"
	"                       disk (IMAGE:ro: not to be changed); or a cpio archive (newc),\n"
	"                       unpacked into memory;\n"
	"                       default: a small root with busybox\n"
	"  --volume HOST:GUEST[:ro]  share a host directory (may be repeated)\n"
	"  --disk IMAGE[:ro]    a disk (/dev/vda, vdb ...) with the contents of a file, or of a\n"
	"                       block device; ro: it cannot be changed (may be repeated)\n"
	"  --env NAME=VALUE     set an environment variable (may be repeated)\n"
	"  --workdir DIR        directory in the guest to start in (default /)\n"
	"  --user USER[:GROUP]  names or numbers in the guest (default root)\n"
	"  --hostname NAME      default gatehouse\n"
	"  --cpus N             virtual CPUs (default 1)\n"
	"  --memory SIZE        e.g. 512M or 2G (default 256M, more if the root needs it)\n"
	"  --timeout SECONDS    end the run after that time, with status 124\n"
	"  --machine TYPE       microvm (default) or q35\n"
	"  --accel KIND         auto (default), kvm or tcg; auto uses KVM if it proves to work\n"
	"  --icount             one CPU, one instruction per nanosecond: repeatable figures\n"
	"  --seccomp FILE       a filter for the program, in the OCI and Docker JSON format\n"
	"  --learn FILE         write such a profile of what the program has called\n"
	"  --trace[=FILE]       write each system call of the program and its children, decoded, to\n"
	"                       FILE or standard error; --trace=summary: count them, a table at the end\n"
	"  --kernel FILE        another kernel: an ELF image with a PVH note, or a Linux bzImage\n"
	"  --append WORDS       more words for the kernel command line (may be repeated)\n"
	"  --help               this text\n"
	"\n"
	"Exit status: the program's; 128+N if signal N killed it; 124 --timeout expired;\n"
	"125 error of Gatehouse itself; 126 CMD cannot be executed; 127 CMD not found.\n";

struct option {
	const char *name;
	void (*take)(struct run_options *options, const char *value);
	bool has_value;
	bool value_is_optional; /* only as --name=VALUE */
};

static void list_add(const char ***list, size_t *count, const char *item)
{
	*list = xrealloc(*list, (*count + 1) * sizeof(**list));
	(*list)[(*count)++] = item;
}

static void take_root(struct run_options *options, const char *value)
{
	options->root = value;
}

static void take_volume(struct run_options *options, const char *value)
{
	list_add(&options->volumes, &options->nr_volumes, value);
}

static void take_disk(struct run_options *options, const char *value)
{
	list_add(&options->disks, &options->nr_disks, value);
}

static void take_env(struct run_options *options, const char *value)
{
	const char *equals = strchr(value, '=');

	if (!equals || equals == value)
		die("--env '%s': give it as NAME=VALUE", value);
	/* A program's getenv finds the first of two: the last one given replaces the others. */
	size_t name_len = (size_t)(equals - value) + 1;
	for (size_t i = 0; i < options->nr_env; i++) {
		if (strncmp(options->env[i], value, name_len) == 0) {
			options->env[i] = value;
			return;
		}
	}
	list_add(&options->env, &options->nr_env, value);
}

static void take_workdir(struct run_options *options, const char *value)
{
	if (value[0] != '/')
		die("--workdir '%s': give an absolute path in the guest", value);
	options->workdir = value;
}

static void take_user(struct run_options *options, const char *value)
{
	if (value[0] == '\0' || value[0] == ':' || value[strlen(value) - 1] == ':')
		die("--user '%s': give USER or USER:GROUP, names or numbers", value);
	options->user = value;
}

static void take_hostname(struct run_options *options, const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || len > 64)
		die("--hostname '%s': give 1 to 64 characters", value);
	options->hostname = value;
}

static void take_cpus(struct run_options *options, const char *value)
{
	char *end;
	unsigned long count = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || count < 1 || count > 255)
		die("--cpus '%s': give a number from 1 to 255", value);
	options->nr_cpus = (unsigned int)count;
}

static unsigned int suffix_shift(char suffix)
{
	switch (suffix) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	default:
		return 0;
	}
}

static void take_memory(struct run_options *options, const char *value)
{
	char *end;
	errno = 0;
	unsigned long long size = strtoull(value, &end, 10);
	unsigned int shift = suffix_shift(*end);

	if (*value < '0' || *value > '9' || errno || end[shift ? 1 : 0] ||
	    size > UINT64_MAX >> shift)
		die("--memory '%s': give a size such as 512M or 2G", value);
	size <<= shift;
	if (size < 16u << 20)
		die("--memory '%s': give at least 16M (sizes need a suffix K, M or G)", value);
	options->memory_bytes = size;
}

static void take_timeout(struct run_options *options, const char *value)
{
	char *end;
	double seconds = strtod(value, &end);

	if (end == value || *end || !isfinite(seconds) || seconds <= 0 || seconds > 1e9)
		die("--timeout '%s': give a positive number of seconds", value);
	options->timeout_ns = (uint64_t)(seconds * 1e9) + 1;
}

static void take_machine(struct run_options *options, const char *value)
{
	if (strcmp(value, "microvm") == 0)
		options->machine = MACHINE_MICROVM;
	else if (strcmp(value, "q35") == 0)
		options->machine = MACHINE_Q35;
	else
		die("--machine '%s': give microvm or q35", value);
}

static void take_accel(struct run_options *options, const char *value)
{
	if (strcmp(value, "auto") == 0)
		options->accel = ACCEL_AUTO;
	else if (strcmp(value, "kvm") == 0)
		options->accel = ACCEL_KVM;
	else if (strcmp(value, "tcg") == 0)
		options->accel = ACCEL_TCG;
	else
		die("--accel '%s': give auto, kvm or tcg", value);
}

static void take_icount(struct run_options *options, const char *value)
{
	(void)value;
	options->icount = true;
}

static void take_kernel(struct run_options *options, const char *value)
{
	options->kernel = value;
}

static void take_seccomp(struct run_options *options, const char *value)
{
	options->seccomp = value;
}

static void take_learn(struct run_options *options, const char *value)
{
	options->learn = value;
}

static void take_trace(struct run_options *options, const char *value)
{
	options->trace = value ? value : "";
}

static void take_append(struct run_options *options, const char *value)
{
	list_add(&options->append, &options->nr_append, value);
}

static void take_help(struct run_options *options, const char *value)
{
	(void)value;
	options->help = true;
}

/* clang-format off */
static const struct option option_table[] = {
	{ "root", take_root, true, false },       { "env", take_env, true, false },
	{ "volume", take_volume, true, false },   { "disk", take_disk, true, false },
	{ "workdir", take_workdir, true, false }, { "user", take_user, true, false },
	{ "hostname", take_hostname, true, false }, { "cpus", take_cpus, true, false },
	{ "memory", take_memory, true, false },   { "timeout", take_timeout, true, false },
	{ "machine", take_machine, true, false }, { "accel", take_accel, true, false },
	{ "icount", take_icount, false, false },  { "kernel", take_kernel, true, false },
	{ "seccomp", take_seccomp, true, false },
	{ "learn", take_learn, true, false },     { "trace", take_trace, false, true },
	{ "append", take_append, true, false },   { "help", take_help, false, false },
};
/* clang-format on */

static const struct option *option_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(option_table) / sizeof(option_table[0]); i++) {
		const struct option *option = &option_table[i];
		if (strlen(option->name) == len && memcmp(option->name, name, len) == 0)
			return option;
	}
	return NULL;
}

/* Takes one option, written --name=VALUE or --name VALUE; returns the next unread word. */
static char **option_take(struct run_options *options, char **argv)
{
	const char *name = *argv + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option *option = option_find(name, len);
	const char *value = equals ? equals + 1 : NULL;

	if (!option)
		die("unknown option '--%.*s': see gatehouse run --help", (int)len, name);
	if (!option->has_value && !option->value_is_optional && value)
		die("--%s takes no value", option->name);
	if (option->has_value && !value) {
		value = *++argv;
		if (!value)
			die("--%s needs a value: see gatehouse run --help", option->name);
	}
	option->take(options, value);
	return argv + 1;
}

static void check_combination(const struct run_options *options)
{
	if (options->icount && options->nr_cpus > 1)
		die("--icount counts the instructions of one CPU: leave --cpus out");
	if (options->icount && options->accel == ACCEL_KVM)
		die("--icount needs --accel tcg: KVM does not count instructions");
}

void options_parse(struct run_options *options, char **argv)
{
	static char *const shell[] = {"sh", "-l", NULL};

	*options = (struct run_options){.workdir = "/", .nr_cpus = 1};
	while (*argv && argv[0][0] == '-' && argv[0][1] != '\0') {
		if (strcmp(*argv, "--") == 0) {
			argv++;
			break;
		}
		if (argv[0][1] != '-')
			die("unknown option '%s': see gatehouse run --help", *argv);
		argv = option_take(options, argv);
	}
	check_combination(options);
	options->argv = *argv ? argv : shell;
}
