/*
 * The gatehouse command: picks the subcommand.
 */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "run.h"

#define VERSION "0.1"

static const char usage[] =
	"usage: gatehouse run [OPTIONS] [--] [CMD [ARG...]]\n"
	"       gatehouse --help | --version\n"
	"\n"
	"Runs an ordinary Linux program on the Gatehouse kernel in a virtual machine;\n"
	"without CMD, a shell. `gatehouse run --help` lists the options.\n";

static int print(const char *text)
{
	fputs(text, stdout);
	return fflush(stdout) == 0 ? 0 : STATUS_OWN_ERROR;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		die("say what to do: gatehouse run [OPTIONS] [--] [CMD [ARG...]]");
	if (strcmp(argv[1], "run") == 0)
		return run_command(argv + 2);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return print(usage);
	if (strcmp(argv[1], "--version") == 0)
		return print("gatehouse " VERSION "\n");
	die("unknown command '%s': see gatehouse --help", argv[1]);
}
