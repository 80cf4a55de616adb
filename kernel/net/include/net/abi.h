/*
 * The socket ABI: numbers and structures that Linux's exported headers leave to the C library, and
 * mirrors of those that hold user pointers.
 */
#pragma once

#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/socket.h>
#include <linux/sockios.h>
#include <linux/un.h>
#include <mm/user.h>

/* Address families. */
#define AF_UNSPEC  0
#define AF_UNIX    1
#define AF_INET    2
#define AF_INET6   10
#define AF_NETLINK 16
#define AF_PACKET  17
#define AF_MAX     46

enum { SOCK_STREAM = 1, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET, SOCK_DCCP, SOCK_PACKET = 10 };
#define SOCK_TYPE_MAX  11
#define SOCK_TYPE_MASK 0xf
#define SOCK_CLOEXEC   O_CLOEXEC
#define SOCK_NONBLOCK  O_NONBLOCK

#define MSG_OOB          0x1
#define MSG_PEEK         0x2
#define MSG_CTRUNC       0x8
#define MSG_TRUNC        0x20
#define MSG_DONTWAIT     0x40
#define MSG_EOR          0x80
#define MSG_WAITALL      0x100
#define MSG_ERRQUEUE     0x2000
#define MSG_NOSIGNAL     0x4000
#define MSG_WAITFORONE   0x10000
#define MSG_CMSG_CLOEXEC 0x40000000
#define MSG_CMSG_COMPAT  0x80000000

#define SOL_NETLINK 270

#define SCM_RIGHTS      1
#define SCM_CREDENTIALS 2
#define SCM_MAX_FD      253

enum { SHUT_RD, SHUT_WR, SHUT_RDWR };

#define SOMAXCONN      4096 /* net.core.somaxconn */
#define UIO_MAXIOV     1024
#define OPTMEM_MAX     20480  /* net.core.optmem_max: control bytes that one call may bring */
#define SOCKBUF_MAX    212992 /* net.core.[rw]mem_max, and the default */
#define SOCK_MIN_SNDBUF 4608
#define SOCK_MIN_RCVBUF 2304

struct msghdr_abi {
	u64 name;
	s32 namelen;
	u32 pad0;
	u64 iov;
	u64 iovlen;
	u64 control;
	u64 controllen;
	u32 flags;
	u32 pad1;
};

struct mmsghdr_abi {
	struct msghdr_abi hdr;
	u32 len;
	u32 pad;
};

struct cmsghdr_abi {
	u64 len; /* header included */
	s32 level, type;
};
#define CMSG_LEN(n)   (sizeof(struct cmsghdr_abi) + (n))
#define CMSG_SPACE(n) (sizeof(struct cmsghdr_abi) + ALIGN_UP((u64)(n), 8))

struct ucred_abi {
	s32 pid;
	u32 uid, gid;
};

struct linger_abi {
	s32 onoff, linger;
};

DEFINE_USER_PTR(msghdr, struct msghdr_abi);
DEFINE_USER_PTR(mmsghdr, struct mmsghdr_abi);
