/*
 * NETLINK_ROUTE: what there is to say of interfaces. Links can be listed and asked for; addresses
 * can be listed, and there are none. Nothing can be changed: EOPNOTSUPP, as for a message type that
 * no part of the kernel handles.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/device.h>
#include <task/cred.h>

#include "netlink.h"

#define LINK_SPACE   1024
#define OPER_DOWN    2 /* IF_OPER_DOWN */
#define KIND_GET     2 /* of the four message types in a group: new, delete, get, set */
#define IFNAME_SIZE  16

static void put_u32(struct nl_message *m, u16 type, u32 value)
{
	nl_attr(m, type, &value, sizeof(value));
}

static void put_u8(struct nl_message *m, u16 type, u8 value)
{
	nl_attr(m, type, &value, sizeof(value));
}

static void put_string(struct nl_message *m, u16 type, const char *s)
{
	nl_attr(m, type, s, (u32)strlen(s) + 1);
}

static struct nl_message *link_message(const struct nl_request *r, const struct net_device *d,
				       u16 flags)
{
	struct nl_message *m = nl_alloc(LINK_SPACE);
	struct ifinfomsg *i = nl_begin(m, r, RTM_NEWLINK, flags, sizeof(*i));
	struct rtnl_link_stats64 none = {0};

	if (!i)
		return m;
	i->ifi_type = d->type;
	i->ifi_index = d->index;
	i->ifi_flags = d->flags;
	put_string(m, IFLA_IFNAME, d->name);
	put_u32(m, IFLA_TXQLEN, d->tx_queue_len);
	put_u8(m, IFLA_OPERSTATE, OPER_DOWN);
	put_u8(m, IFLA_LINKMODE, 0);
	put_u32(m, IFLA_MTU, d->mtu);
	put_u32(m, IFLA_GROUP, 0);
	put_u32(m, IFLA_PROMISCUITY, 0);
	put_u32(m, IFLA_NUM_TX_QUEUES, 1);
	put_u32(m, IFLA_NUM_RX_QUEUES, 1);
	put_u8(m, IFLA_CARRIER, 1);
	put_string(m, IFLA_QDISC, "noop");
	nl_attr(m, IFLA_ADDRESS, d->address, sizeof(d->address));
	nl_attr(m, IFLA_BROADCAST, d->broadcast, sizeof(d->broadcast));
	nl_attr(m, IFLA_STATS64, &none, sizeof(none));
	nl_end(m, i);
	return m;
}

/* The end of a listing, a datagram of its own. */
static int done(const struct nl_request *r)
{
	struct nl_message *m = nl_alloc(NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(int)));

	return nl_begin(m, r, NLMSG_DONE, NLM_F_MULTI, sizeof(int)) ? nl_reply(r->from, m) : -ENOBUFS;
}

static int list_links(const struct nl_request *r)
{
	int err = 0;

	for (const struct net_device *d = net_device_next(0); d && !err; d = net_device_next(d->index))
		err = nl_reply(r->from, link_message(r, d, NLM_F_MULTI));
	return err ? err : done(r);
}

/* The name in an IFLA_IFNAME attribute; false: there is none, or it is not a name. */
static bool find_name(const u8 *at, u32 left, char name[IFNAME_SIZE])
{
	struct nlattr a;

	while (left >= sizeof(a)) {
		memcpy(&a, at, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > left)
			return false;
		if (a.nla_type == IFLA_IFNAME) {
			u32 len = a.nla_len - (u32)sizeof(a);

			if (len > IFNAME_SIZE)
				return false;
			memset(name, 0, IFNAME_SIZE);
			memcpy(name, at + sizeof(a), len);
			return !name[IFNAME_SIZE - 1];
		}
		if (NLA_ALIGN((u32)a.nla_len) >= left)
			return false;
		at += NLA_ALIGN(a.nla_len);
		left -= NLA_ALIGN((u32)a.nla_len);
	}
	return false;
}

static int get_link(const struct nl_request *r)
{
	const struct net_device *d;
	char name[IFNAME_SIZE];
	struct ifinfomsg i;

	if (r->len < sizeof(i))
		return -EINVAL;
	memcpy(&i, r->body, sizeof(i));
	if (i.ifi_index > 0) {
		d = net_device_next(i.ifi_index - 1);
		if (d && d->index != i.ifi_index)
			d = NULL;
	} else {
		if (!find_name(r->body + sizeof(i), r->len - (u32)sizeof(i), name))
			return -EINVAL;
		d = net_device_find(name);
	}
	return d ? nl_reply(r->from, link_message(r, d, 0)) : -ENODEV;
}

int route_request(const struct nl_request *r)
{
	u16 type = r->hdr->nlmsg_type;
	bool dump = r->hdr->nlmsg_flags & NLM_F_DUMP;

	if (type > RTM_MAX)
		return -EOPNOTSUPP;
	if (!r->len) /* not even a family */
		return 0;
	if ((type & 3) != KIND_GET && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (type == RTM_GETLINK)
		return dump ? list_links(r) : get_link(r);
	if (type == RTM_GETADDR && dump)
		return done(r);
	return -EOPNOTSUPP;
}
