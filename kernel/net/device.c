/* Network interfaces: the table and the ioctls on it. The loopback device alone, and constant. */
#include <lib/errno.h>
#include <lib/string.h>
#include <net/abi.h>
#include <net/device.h>
#include <task/cred.h>

#define IFNAME_SIZE    16
#define ARPHRD_LOOPBACK 772
#define IFF_LOOPBACK   8

/* struct ifreq of the ABI. */
struct ifreq_abi {
	char name[IFNAME_SIZE];
	union {
		s32 number;
		s16 flags;
		struct {
			u16 family;
			u8 data[14];
		} address;
		u8 size[24];
	};
};
DEFINE_USER_PTR(ifreq, struct ifreq_abi);

struct ifconf_abi {
	s32 len, pad;
	u64 buf;
};
DEFINE_USER_PTR(ifconf, struct ifconf_abi);

static const struct net_device loopback = {
	.name = "lo",
	.index = 1,
	.type = ARPHRD_LOOPBACK,
	.flags = IFF_LOOPBACK,
	.mtu = 65536,
	.tx_queue_len = 1000,
};

const struct net_device *net_device_next(s32 index)
{
	return index < loopback.index ? &loopback : NULL;
}

const struct net_device *net_device_find(const char *name)
{
	return strcmp(name, loopback.name) ? NULL : &loopback;
}

/* SIOCGIFCONF lists addresses, and there are none. */
static long no_addresses(u64 arg)
{
	struct ifconf_abi c;

	if (user_read(&c, user_handle(ifconf, arg)))
		return -EFAULT;
	c.len = 0;
	return user_write(user_handle(ifconf, arg), &c);
}

static long name_of_index(u64 arg, struct ifreq_abi *r)
{
	const struct net_device *d = net_device_next(r->number - 1);

	if (r->number <= 0 || !d || d->index != r->number)
		return -ENODEV;
	memset(r->name, 0, sizeof(r->name));
	str_copy(r->name, d->name, sizeof(r->name));
	return user_write(user_handle(ifreq, arg), r);
}

static int fill(struct ifreq_abi *r, u32 cmd, const struct net_device *d)
{
	switch (cmd) {
	case SIOCGIFINDEX: r->number = d->index; return 0;
	case SIOCGIFFLAGS: r->flags = (s16)d->flags; return 0;
	case SIOCGIFMTU: r->number = (s32)d->mtu; return 0;
	case SIOCGIFTXQLEN: r->number = (s32)d->tx_queue_len; return 0;
	case SIOCGIFMETRIC: r->number = 0; return 0;
	case SIOCGIFHWADDR:
		memset(&r->address, 0, sizeof(r->address));
		r->address.family = d->type;
		memcpy(r->address.data, d->address, sizeof(d->address));
		return 0;
	default:
		return -ENOTTY;
	}
}

long net_device_ioctl(u32 cmd, u64 arg)
{
	const struct net_device *d;
	struct ifreq_abi r;
	int err;

	if (cmd == SIOCGIFCONF)
		return no_addresses(arg);
	if (cmd != SIOCGIFNAME && fill(&r, cmd, &loopback))
		return -ENOTTY;
	if (user_read(&r, user_handle(ifreq, arg)))
		return -EFAULT;
	if (cmd == SIOCGIFNAME)
		return name_of_index(arg, &r);
	r.name[IFNAME_SIZE - 1] = '\0';
	d = net_device_find(r.name);
	if (!d)
		return -ENODEV;
	err = fill(&r, cmd, d);
	return err ? err : user_write(user_handle(ifreq, arg), &r);
}
