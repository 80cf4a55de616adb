/* Who may look into another process. */
#pragma once

#include <lib/types.h>

struct task;

/*
 * ptrace(2)'s rule: the same process, or the same user and group throughout with no more
 * capabilities and a dumpable memory, or CAP_SYS_PTRACE. fs_ids: judged by the caller's
 * file-system ids (procfs), else by the real ones. May sleep.
 */
bool task_may_access(struct task *t, bool fs_ids);
