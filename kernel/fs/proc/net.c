/* /proc/PID/net: there is one network, so every process shows the same. */
#include <net/device.h>
#include <net/unix.h>
#include "internal.h"

static int show_unix(struct text *t, const struct proc_target *target)
{
	(void)target;
	unix_show(text_emit, t);
	return 0;
}

/* Nothing moves yet: all counters are 0. */
static int show_dev(struct text *t, const struct proc_target *target)
{
	const struct net_device *d;

	(void)target;
	text_printf(t, "Inter-|   Receive                                                |  Transmit\n"
		       " face |bytes    packets errs drop fifo frame compressed multicast|bytes"
		       "    packets errs drop fifo colls carrier compressed\n");
	for (d = net_device_next(0); d; d = net_device_next(d->index))
		text_printf(t, "%6s: %7u %7u %4u %4u %4u %5u %10u %9u %8u %7u %4u %4u %4u %5u %7u %10u\n",
			    d->name, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	return 0;
}

const struct proc_entry proc_net_children[] = {
	{.name = "dev", .mode = S_IFREG | 0444, .show = show_dev},
	{.name = "unix", .mode = S_IFREG | 0444, .show = show_unix},
	{0},
};
