/*
 * A guest program: makes the calls whose numbers are given, each without valid arguments, and prints
 * "NUMBER ERRNO". With "clone", "socket" or "personality": the forms that Docker's rules tell apart.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(const char *what, long ret)
{
	printf("%s %d\n", what, ret < 0 ? errno : 0);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "clone") == 0)
			say(argv[i], syscall(SYS_clone, 0x10000000 | 17, 0, 0, 0, 0)); /* CLONE_NEWUSER */
		else if (strcmp(argv[i], "socket") == 0)
			say(argv[i], syscall(SYS_socket, 40, 1, 0)); /* AF_VSOCK */
		else if (strcmp(argv[i], "personality") == 0)
			say(argv[i], syscall(SYS_personality, 0x0040000)); /* ADDR_NO_RANDOMIZE */
		else
			say(argv[i], syscall(atol(argv[i]), -1, -1, -1, -1, -1, -1));
	}
	return 0;
}
