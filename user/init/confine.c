/*
 * The program's seccomp filter. It goes in right before execve, as the last thing that pid 1's child
 * does, so it holds from the program's first instruction and the profile need not allow what pid 1
 * has to do. Installing it takes no_new_privs, which would change what the program can do, or
 * CAP_SYS_ADMIN: a child that becomes another user keeps that until execve takes it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

void confine_prepare(const struct config *config, bool loses_caps)
{
	if (config->filter && loses_caps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		fail(errno, "cannot keep the right to install the filter");
}

/* Permitted is not effective: only the one that is needed becomes so. */
static void regain_admin(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	data[0].effective = data[0].permitted = 1u << CAP_SYS_ADMIN;
	if (syscall(SYS_capset, &header, data) < 0)
		fail(errno, "cannot keep the right to install the filter");
}

void confine(const struct config *config, bool lost_caps)
{
	struct sock_fprog program = {.len = config->filter_len, .filter = config->filter};

	if (!config->filter)
		return;
	if (lost_caps)
		regain_admin();
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, config->filter_flags, &program) < 0)
		fail(errno, "the kernel does not take the filter");
}
