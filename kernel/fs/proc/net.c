/* /proc/PID/net: there is one network, so every process shows the same. */
#include <net/unix.h>
#include "internal.h"

static int show_unix(struct text *t, const struct proc_target *target)
{
	(void)target;
	unix_show(text_emit, t);
	return 0;
}

const struct proc_entry proc_net_children[] = {
	{.name = "unix", .mode = S_IFREG | 0444, .show = show_unix},
	{0},
};
