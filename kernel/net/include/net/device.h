/* Network interfaces, as far as there are any: the loopback device. It is down, and has no address
 * until an IP stack gives it one. */
#pragma once

#include <lib/types.h>

struct net_device {
	const char *name;
	s32 index;
	u16 type;      /* ARPHRD_* */
	u32 flags;     /* IFF_* */
	u32 mtu, tx_queue_len;
	u8 address[6], broadcast[6];
};

/* The device behind index (0: the first), or NULL. */
const struct net_device *net_device_next(s32 index);
const struct net_device *net_device_find(const char *name);
/* ioctls about interfaces, which every socket answers. -ENOTTY: not one of them. */
long net_device_ioctl(u32 cmd, u64 arg);
