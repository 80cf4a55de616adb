/* Boot-time set-up of tasks, and the start of pid 1. */
#include <boot/boot_info.h>
#include <ipc/futex.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <task/exec.h>
#include <task/random.h>
#include <vfs/file.h>
#include "kthread.h"
#include "user_helper.h"

struct process *init_user_process = &init_process;

void task_init(void)
{
	random_init();
	task_cache_init();
	signal_init();
	futex_init();
	rlimits_init(init_process.rlimits);
}

/* Standard input, output and error of pid 1, if there is a console. */
static void open_console(void)
{
	struct file *f;
	int fd;

	if (file_open_at(AT_FDCWD, "/dev/console", O_RDWR, 0, LOOKUP_FOLLOW, &f)) {
		pr_warn("/dev/console cannot be opened: init starts without descriptors");
		return;
	}
	for (int i = 0; i < 3; i++) {
		if (fd_reserve(0, false, &fd))
			break;
		file_get(f);
		fd_install(fd, f);
	}
	file_put(f);
}

/* Runs as pid 1; returns into the program. */
static void init_main(void *unused)
{
	static const char *const fallback[] = {"/init", "/sbin/init", "/etc/init", "/bin/init",
					       "/bin/sh"};
	static const char *const envp[] = {"HOME=/", "TERM=linux", NULL};
	static char wanted[256]; /* outlives the call: /proc shows it */
	bool asked = boot_option_copy("init", wanted, sizeof(wanted)) > 0;
	int err = kernel_become_process();

	if (err)
		panic("no memory for init");
	open_console();
	for (size_t i = 0; i < (asked ? 1 : ARRAY_SIZE(fallback)); i++) {
		const char *path = asked ? wanted : fallback[i];
		const char *const argv[] = {path, NULL};

		err = exec_kernel(path, argv, envp);
		if (!err)
			return;
		if (asked || err != -ENOENT)
			pr_err("%s cannot be started: error %d", path, -err);
	}
	panic("no program to run as init");
}

__noreturn void task_run_init(void *unused)
{
	if (!kthread_create_init(init_main))
		panic("no memory for init");
	task_exit_kernel();
}
