/* AF_NETLINK, as far as interfaces are concerned; and the ioctls on them. */
#include "sockets.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

static int nl_socket(void)
{
	return (int)CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
}

struct request {
	struct nlmsghdr h;
	union {
		struct rtgenmsg gen;
		struct ifinfomsg link;
	};
	struct rtattr attr;
	char text[16];
};

static ssize_t ask(int fd, struct request *r, int type, int flags, size_t body)
{
	r->h.nlmsg_len = (u32)(NLMSG_HDRLEN + body);
	r->h.nlmsg_type = (u16)type;
	r->h.nlmsg_flags = (u16)(NLM_F_REQUEST | flags);
	r->h.nlmsg_seq = 77;
	return send(fd, r, r->h.nlmsg_len, 0);
}

TEST(kinds_of_netlink_sockets)
{
	CHECK_ERR(socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_NETLINK, SOCK_RAW, 32), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_NETLINK, SOCK_RAW, -1), EPROTONOSUPPORT);
	CHECK_ERR(socketpair(AF_NETLINK, SOCK_RAW, 0, (int[2]){ 0 }), EOPNOTSUPP);
	CHECK_EQ(get_option(nl_socket(), SO_DOMAIN), AF_NETLINK);
	CHECK_ERR(listen(nl_socket(), 1), EOPNOTSUPP);
}

TEST(ports)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(a);
	int fd = nl_socket(), other = nl_socket();

	CHECK_OK(getsockname(fd, (void *)&a, &len));
	CHECK(len == sizeof(a) && a.nl_family == AF_NETLINK && a.nl_pid == 0);
	CHECK_OK(bind(fd, (void *)&a, sizeof(a)));
	CHECK_OK(getsockname(fd, (void *)&a, &len));
	CHECK_EQ(a.nl_pid, getpid());
	CHECK_ERR(bind(other, (void *)&a, sizeof(a)), EADDRINUSE);
	CHECK_ERR(bind(other, (void *)&a, 11), EINVAL);
	a.nl_pid = 0;
	CHECK_OK(bind(other, (void *)&a, sizeof(a)));
	CHECK_OK(getsockname(other, (void *)&a, &len));
	CHECK((int)a.nl_pid < 0);
	a.nl_pid++;
	CHECK_ERR(bind(other, (void *)&a, sizeof(a)), EINVAL);
	a.nl_family = AF_UNIX;
	CHECK_ERR(bind(other, (void *)&a, sizeof(a)), EINVAL);
	CHECK_OK(getpeername(fd, (void *)&a, &len));
	CHECK(a.nl_pid == 0 && len == sizeof(a));
}

TEST(links_are_listed)
{
	struct request r = { .gen.rtgen_family = AF_UNSPEC };
	static char buf[32768] __attribute__((aligned(4)));
	struct sockaddr_nl from;
	socklen_t len = sizeof(from);
	bool lo = false, done = false;
	int fd = nl_socket();
	ssize_t n;

	CHECK_EQ(ask(fd, &r, RTM_GETLINK, NLM_F_DUMP, sizeof(r.gen)), NLMSG_HDRLEN + 1);
	CHECK_EQ(poll_now(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
	CHECK(recv(fd, buf, 1, MSG_PEEK | MSG_TRUNC) > 100);
	while (!done) {
		n = CHECK_OK(recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &len));
		CHECK(len == sizeof(from) && from.nl_pid == 0);
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			struct ifinfomsg *i = NLMSG_DATA(h);
			struct rtattr *a = IFLA_RTA(i);

			CHECK_EQ(h->nlmsg_seq, 77);
			CHECK_EQ(h->nlmsg_pid, getpid());
			CHECK(h->nlmsg_flags & NLM_F_MULTI);
			done |= h->nlmsg_type == NLMSG_DONE;
			if (h->nlmsg_type != RTM_NEWLINK || i->ifi_index != 1)
				continue;
			CHECK_EQ(i->ifi_type, 772);
			CHECK(i->ifi_flags & IFF_LOOPBACK);
			for (int left = IFLA_PAYLOAD(h); RTA_OK(a, left); a = RTA_NEXT(a, left))
				if (a->rta_type == IFLA_IFNAME)
					lo = !strcmp(RTA_DATA(a), "lo");
		}
	}
	CHECK(lo);
	CHECK_ERR(recv(fd, buf, 1, MSG_DONTWAIT), EAGAIN);
}

/* The type of the answer; *err the code of an error. */
static int answer(int fd, int *err)
{
	static char buf[32768] __attribute__((aligned(4)));
	struct nlmsghdr *h = (void *)buf;

	CHECK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= NLMSG_HDRLEN);
	*err = h->nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)NLMSG_DATA(h))->error : 0;
	return h->nlmsg_type;
}

TEST(single_questions)
{
	struct request r = { .link.ifi_index = 1 };
	int fd = nl_socket(), err;

	ask(fd, &r, RTM_GETLINK, 0, sizeof(r.link));
	CHECK_EQ(answer(fd, &err), RTM_NEWLINK);
	r.link.ifi_index = 99999;
	ask(fd, &r, RTM_GETLINK, NLM_F_ACK, sizeof(r.link));
	CHECK_EQ(answer(fd, &err), NLMSG_ERROR);
	CHECK_EQ(err, -ENODEV);
	r.link.ifi_index = 0;
	r.attr = (struct rtattr){ sizeof(r.attr) + 3, IFLA_IFNAME };
	strcpy(r.text, "lo");
	ask(fd, &r, RTM_GETLINK, NLM_F_ACK, sizeof(r.link) + sizeof(r.attr) + 4);
	CHECK_EQ(answer(fd, &err), RTM_NEWLINK);
	CHECK_EQ(answer(fd, &err), NLMSG_ERROR); /* the acknowledgement */
	CHECK_EQ(err, 0);
	ask(fd, &r, 9999, 0, sizeof(r.link));
	CHECK_EQ(answer(fd, &err), NLMSG_ERROR);
	CHECK_EQ(err, -EOPNOTSUPP);
	ask(fd, &r, NLMSG_NOOP, NLM_F_ACK, sizeof(r.link));
	CHECK_EQ(answer(fd, &err), NLMSG_ERROR);
	CHECK_EQ(err, 0);
	if (!geteuid()) {
		IN_CHILD {
			become(7, 7);
			ask(fd, &r, RTM_NEWLINK, 0, sizeof(r.link));
			CHECK_EQ(answer(fd, &err), NLMSG_ERROR);
			CHECK_EQ(err, -EPERM);
		}
	}
}

TEST(malformed_requests_are_ignored)
{
	struct request r = { .link.ifi_index = 1 };
	int fd = nl_socket();
	char c;

	r.h = (struct nlmsghdr){ .nlmsg_len = 15, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = 1 };
	CHECK_EQ(send(fd, &r, sizeof(r), 0), sizeof(r));
	r.h.nlmsg_len = 5000;
	CHECK_EQ(send(fd, &r, sizeof(r), 0), sizeof(r));
	r.h.nlmsg_len = (u32)-1;
	CHECK_EQ(send(fd, &r, sizeof(r), 0), sizeof(r));
	CHECK_EQ(send(fd, &r, 3, 0), 3);
	CHECK_ERR(send(fd, &r, 0, 0), ENODATA);
	CHECK_ERR(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(send(fd, (void *)8, 20, 0), EFAULT);
}

TEST(the_c_library_finds_the_interface)
{
	struct ifaddrs *all, *a;
	char name[IF_NAMESIZE];
	bool lo = false;

	CHECK_EQ(if_nametoindex("lo"), 1);
	CHECK(if_indextoname(1, name));
	CHECK_STR(name, "lo");
	CHECK_EQ(if_nametoindex("none-such"), 0);
	CHECK_EQ(errno, ENODEV);
	CHECK_OK(getifaddrs(&all));
	for (a = all; a; a = a->ifa_next)
		lo |= !strcmp(a->ifa_name, "lo");
	CHECK(lo);
}

TEST(interface_ioctls)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = unix_socket(SOCK_DGRAM);

	CHECK_OK(ioctl(fd, SIOCGIFINDEX, &r));
	CHECK_EQ(r.ifr_ifindex, 1);
	CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &r));
	CHECK(r.ifr_flags & IFF_LOOPBACK);
	CHECK_OK(ioctl(fd, SIOCGIFMTU, &r));
	CHECK_EQ(r.ifr_mtu, 65536);
	CHECK_OK(ioctl(fd, SIOCGIFHWADDR, &r));
	CHECK_EQ(r.ifr_hwaddr.sa_family, 772);
	strcpy(r.ifr_name, "nope");
	CHECK_ERR(ioctl(fd, SIOCGIFINDEX, &r), ENODEV);
	r.ifr_ifindex = 4711;
	CHECK_ERR(ioctl(fd, SIOCGIFNAME, &r), ENODEV);
	CHECK_ERR(ioctl(fd, SIOCGIFMTU, (void *)8), EFAULT);
}
