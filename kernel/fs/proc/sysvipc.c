/* /proc/sysvipc: the tables of System V objects. */
#include <ipc/ipc.h>
#include "internal.h"

#define TABLE(kind)                                                                                \
	static int show_##kind(struct text *t, const struct proc_target *target)                   \
	{                                                                                          \
		kind##_show(ipc_ns_current(), text_emit, t);                                       \
		return 0;                                                                          \
	}

TABLE(msg)
TABLE(sem)
TABLE(shm)

const struct proc_entry proc_sysvipc_children[] = {
	{.name = "msg", .mode = S_IFREG | 0444, .show = show_msg},
	{.name = "sem", .mode = S_IFREG | 0444, .show = show_sem},
	{.name = "shm", .mode = S_IFREG | 0444, .show = show_shm},
	{0},
};
