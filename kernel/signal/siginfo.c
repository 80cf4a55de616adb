/* The usual siginfo contents. */
#include <lib/string.h>
#include "internal.h"

static void siginfo_init(siginfo_t *info, int sig, int code)
{
	memset(info, 0, sizeof(*info)); /* goes to user space whole */
	info->si_signo = sig;
	info->si_code = code;
}

void siginfo_user(siginfo_t *info, int sig)
{
	siginfo_init(info, sig, SI_USER);
	info->si_pid = current->process->pid;
	info->si_uid = current->cred->uid;
}

void siginfo_kernel(siginfo_t *info, int sig)
{
	siginfo_init(info, sig, SI_KERNEL);
}
