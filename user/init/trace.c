/*
 * The kernel's trace of the program: switched on by pid 1's child for itself, right before execve, and
 * brought to its end by pid 1. Only Gatehouse's kernel has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <trace/abi.h>
#include <unistd.h>

#include "init.h"

static int trace_write(const char *word)
{
	int fd = open(TRACE_CONTROL, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, word, strlen(word)) < 0)
		err = errno;
	close(fd);
	return err;
}

void trace_check(const struct config *config)
{
	if (config->trace && access(TRACE_CONTROL, W_OK) != 0)
		fail(0, "this kernel does not record calls: leave --trace and --learn out");
}

void trace_begin(const struct config *config)
{
	int err = config->trace ? trace_write(config->trace) : 0;

	if (err)
		fail(err, "cannot record calls");
}

void trace_end(const struct config *config)
{
	if (config->trace)
		trace_write("flush");
}
