/*
 * Every call that takes a pointer, once for each of its pointers, with everything else in order: the
 * pointer is what the call trips over first. Descriptors and identifiers come from pointer_calls_set_up.
 */
#pragma once

#include "attack.h"

#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* Stand for the attacked pointer and for identifiers. */
#define P 0x50505050l
#define SHM_ID 0x50505051l
#define SEM_ID 0x50505052l
#define MSG_ID 0x50505053l
#define TIMER_ID 0x50505054l
#define SELF_PID 0x50505055l

/* Descriptors. */
enum {
	FD_ZERO_DEV = 3, FD_DIR, FD_PIPE_IN, FD_PIPE_OUT, FD_FILE, FD_STREAM, FD_DGRAM, FD_EPOLL,
	FD_TIMER, FD_INOTIFY, FD_MQ, FD_PIDFD, FD_PTMX, FD_SIGNAL, FD_STREAM_PEER, FD_LAST = FD_STREAM_PEER,
};

enum { READ, WRITE };

struct call {
	const char *name;
	u8 direction; /* what the kernel does to the memory */
	bool null_ok; /* NULL has a meaning of its own */
	u8 size;      /* bytes touched; 0 for strings */
	long nr, arg[6];
};

static struct epoll_event some_event = { EPOLLIN, { 0 } };
static struct timespec no_time, some_time = { 0, 1 };
static struct itimerspec no_alarm;
static struct sembuf no_sem = { 0, 0, IPC_NOWAIT };
static struct iovec some_iov;
static char some_bytes[4096];
static int some_len = sizeof(some_bytes);
static u32 capability_header[2] = { 0x20080522, 0 };
static u64 some_mask[16], open_how[3], mount_attr[4] = { 2 /* MOUNT_ATTR_NOSUID */ };

#define A_DIR AT_FDCWD
#define ROOT (long)"/"
#define NAME (long)"x"
#define BYTES (long)some_bytes
#define PEEK (MSG_PEEK | MSG_DONTWAIT)
#define KEEP (MSG_NOSIGNAL | MSG_DONTWAIT)
#define READS(name, size, ...) { #name, READ, false, size, SYS_##name, { __VA_ARGS__ } },
#define READS_OPT(name, size, ...) { #name, READ, true, size, SYS_##name, { __VA_ARGS__ } },
#define WRITES(name, size, ...) { #name, WRITE, false, size, SYS_##name, { __VA_ARGS__ } },
#define WRITES_OPT(name, size, ...) { #name, WRITE, true, size, SYS_##name, { __VA_ARGS__ } },
#define PATH(name, ...) { #name, READ, false, 0, SYS_##name, { __VA_ARGS__ } },
#define PATH_OPT(name, ...) { #name, READ, true, 0, SYS_##name, { __VA_ARGS__ } },

static const struct call calls[] = {
	/* Names. */
	PATH(open, P, O_RDONLY) PATH(creat, P, 0600) PATH(stat, P, BYTES) PATH(lstat, P, BYTES)
	PATH(access, P, 0) PATH(mkdir, P, 0700) PATH(rmdir, P) PATH(unlink, P) PATH(chdir, P)
	PATH(chmod, P, 0) PATH(chown, P, 0, 0) PATH(lchown, P, 0, 0) PATH(truncate, P, 0)
	PATH(readlink, P, BYTES, 1) PATH(symlink, P, NAME) PATH(symlink, NAME, P) PATH(link, P, NAME)
	PATH(link, ROOT, P) PATH(rename, P, NAME) PATH(rename, NAME, P) PATH(mknod, P, S_IFIFO, 0)
	PATH(execve, P, 0, 0) PATH(statfs, P, BYTES) PATH(chroot, P) PATH(utime, P, 0) PATH(utimes, P, 0)
	PATH(openat, A_DIR, P, O_RDONLY) PATH(mkdirat, A_DIR, P, 0700) PATH(mknodat, A_DIR, P, S_IFIFO, 0)
	PATH(fchownat, A_DIR, P, 0, 0, 0) PATH(futimesat, A_DIR, P, 0) PATH(newfstatat, A_DIR, P, BYTES, 0)
	PATH(unlinkat, A_DIR, P, 0) PATH(renameat, A_DIR, P, A_DIR, NAME) PATH(renameat, A_DIR, NAME, A_DIR, P)
	PATH(renameat2, A_DIR, P, A_DIR, NAME, 0) PATH(renameat2, A_DIR, NAME, A_DIR, P, 0)
	PATH(linkat, A_DIR, P, A_DIR, NAME, 0) PATH(linkat, A_DIR, ROOT, A_DIR, P, 0)
	PATH(symlinkat, P, A_DIR, NAME) PATH(symlinkat, NAME, A_DIR, P) PATH(readlinkat, A_DIR, P, BYTES, 1)
	PATH(fchmodat, A_DIR, P, 0) PATH(faccessat, A_DIR, P, 0) PATH(faccessat2, A_DIR, P, 0, 0)
	PATH(utimensat, A_DIR, P, 0, 0) PATH(execveat, A_DIR, P, 0, 0, 0) PATH(statx, A_DIR, P, 0, 0xfff, BYTES)
	PATH(openat2, A_DIR, P, (long)open_how, 24) PATH(name_to_handle_at, A_DIR, P, BYTES, BYTES, 0)
	PATH(setxattr, P, (long)"user.x", BYTES, 1, 0) PATH(lsetxattr, P, (long)"user.x", BYTES, 1, 0)
	PATH(getxattr, P, (long)"user.x", BYTES, 1) PATH(lgetxattr, P, (long)"user.x", BYTES, 1)
	PATH(listxattr, P, BYTES, 1) PATH(llistxattr, P, BYTES, 1) PATH(removexattr, P, (long)"user.x")
	PATH(lremovexattr, P, (long)"user.x") PATH(setxattr, ROOT, P, BYTES, 1, 0)
	PATH(lsetxattr, ROOT, P, BYTES, 1, 0) PATH(fsetxattr, FD_FILE, P, BYTES, 1, 0)
	PATH(getxattr, ROOT, P, 0, 0) PATH(lgetxattr, ROOT, P, 0, 0) PATH(fgetxattr, FD_FILE, P, 0, 0)
	PATH(removexattr, ROOT, P) PATH(lremovexattr, ROOT, P) PATH(fremovexattr, FD_FILE, P)
	PATH(inotify_add_watch, FD_INOTIFY, P, IN_OPEN) PATH(umount2, P, 0) PATH(pivot_root, P, ROOT)
	PATH(mount, NAME, P, (long)"tmpfs", 0, 0) PATH_OPT(mount, P, (long)"/nowhere", (long)"tmpfs", 0, 0)
	PATH_OPT(mount, NAME, (long)"/nowhere", P, 0, 0) PATH(open_tree, A_DIR, P, 0) PATH(fsopen, P, 0)
	PATH(move_mount, A_DIR, P, A_DIR, ROOT, 0) PATH(fspick, A_DIR, P, 0) PATH(memfd_create, P, 0)
	PATH(mount_setattr, A_DIR, P, 0, (long)mount_attr, 32) PATH(mq_open, P, O_RDONLY, 0, 0) PATH(mq_unlink, P)
	PATH(prctl, PR_SET_NAME, P)

	/* Contents of files. */
	READS(setxattr, 8, ROOT, (long)"user.x", P, 8, 0) READS(lsetxattr, 8, ROOT, (long)"user.x", P, 8, 0)
	READS(fsetxattr, 8, FD_FILE, (long)"user.x", P, 8, 0)
	WRITES(read, 64, FD_ZERO_DEV, P, 64) WRITES(pread64, 64, FD_ZERO_DEV, P, 64, 0)
	READS(readv, 16, FD_ZERO_DEV, P, 1) READS(writev, 16, FD_ZERO_DEV, P, 1)
	READS(preadv, 16, FD_ZERO_DEV, P, 1, 0, 0) READS(pwritev, 16, FD_ZERO_DEV, P, 1, 0, 0)
	READS(preadv2, 16, FD_ZERO_DEV, P, 1, 0, 0, 0) READS(pwritev2, 16, FD_ZERO_DEV, P, 1, 0, 0, 0)
	READS(write, 64, FD_PIPE_IN, P, 64) READS(pwrite64, 64, FD_FILE, P, 64, 0)
	WRITES(getdents64, 20, FD_DIR, P, 1000) WRITES(getdents, 20, FD_DIR, P, 1000)
	READS_OPT(sendfile, 8, FD_PIPE_IN, FD_FILE, P, 1) READS_OPT(splice, 8, FD_FILE, P, FD_PIPE_IN, 0, 1, 0)
	READS_OPT(splice, 8, FD_PIPE_OUT, 0, FD_FILE, P, 1, 0) READS(vmsplice, 16, FD_PIPE_IN, P, 1, 0)
	READS_OPT(copy_file_range, 8, FD_FILE, P, FD_FILE, 0, 1, 0)
	READS_OPT(copy_file_range, 8, FD_FILE, 0, FD_FILE, P, 1, 0)
	READS(fcntl, 32, FD_FILE, F_SETLK, P) READS(fcntl, 32, FD_FILE, F_GETLK, P)
	READS(fcntl, 32, FD_FILE, 36 /* F_OFD_GETLK */, P) READS(fcntl, 8, FD_FILE, 15 /* F_SETOWN_EX */, P)
	WRITES(fcntl, 8, FD_FILE, 16 /* F_GETOWN_EX */, P)

	/* What the kernel tells. */
	WRITES(stat, 144, ROOT, P) WRITES(lstat, 144, ROOT, P) WRITES(fstat, 144, 1, P)
	WRITES(newfstatat, 144, A_DIR, ROOT, P, 0) WRITES(statx, 255, A_DIR, ROOT, 0, 0xfff, P)
	WRITES(statfs, 120, ROOT, P) WRITES(fstatfs, 120, FD_FILE, P) WRITES(getcwd, 2, P, 100)
	WRITES(readlink, 1, (long)"/proc/self", P, 1) WRITES(readlinkat, 1, A_DIR, (long)"/proc/self", P, 1)
	WRITES(uname, 255, P) WRITES(sysinfo, 112, P) WRITES_OPT(times, 32, P) WRITES(getrusage, 144, 0, P)
	WRITES(getrandom, 16, P, 16, 0) WRITES_OPT(getcpu, 4, P, 0, 0) WRITES_OPT(getcpu, 4, 0, P, 0)
	WRITES_OPT(syslog, 8, 3, P, 100) WRITES(mincore, 1, 0x400000 /* where static programs lie */, 4096, P)
	WRITES_OPT(get_mempolicy, 4, P, 0, 0, 0, 0)

	/* Descriptors. */
	WRITES(pipe, 8, P) WRITES(pipe2, 8, P, 0) WRITES(socketpair, 8, AF_UNIX, SOCK_STREAM, 0, P)
	READS(poll, 8, P, 1, 0) READS(ppoll, 8, P, 1, (long)&no_time, 0, 8)
	READS_OPT(ppoll, 16, 0, 0, P, 0, 8) READS_OPT(ppoll, 8, 0, 0, (long)&no_time, P, 8)
	READS_OPT(select, 8, 8, P, 0, 0, (long)some_mask) READS_OPT(select, 8, 8, 0, P, 0, (long)some_mask)
	READS_OPT(select, 8, 8, 0, 0, P, (long)some_mask) READS_OPT(select, 16, 0, 0, 0, 0, P)
	READS_OPT(pselect6, 8, 8, P, 0, 0, (long)&no_time, 0) READS_OPT(pselect6, 16, 0, 0, 0, 0, P, 0)
	READS_OPT(pselect6, 16, 0, 0, 0, 0, (long)&no_time, P)
	READS(epoll_ctl, 12, FD_EPOLL, EPOLL_CTL_ADD, FD_PIPE_OUT, P) WRITES(epoll_wait, 12, FD_EPOLL, P, 1, 0)
	WRITES(epoll_pwait, 12, FD_EPOLL, P, 1, 0, 0, 8) READS_OPT(epoll_pwait, 8, FD_EPOLL, BYTES, 1, 0, P, 8)
	READS_OPT(epoll_pwait2, 16, FD_EPOLL, BYTES, 1, P, 0, 8)
	READS(signalfd, 8, -1, P, 8) READS(signalfd4, 8, -1, P, 8, 0)
	READS(timerfd_settime, 32, FD_TIMER, 0, P, 0) WRITES(timerfd_gettime, 16, FD_TIMER, P)
	WRITES_OPT(timerfd_settime, 32, FD_TIMER, 0, (long)&no_alarm, P)
	WRITES(ioctl, 4, FD_PIPE_OUT, 0x541b /* FIONREAD */, P) READS(ioctl, 4, FD_FILE, 0x5421 /* FIONBIO */, P)
	WRITES(ioctl, 36, FD_PTMX, 0x5401 /* TCGETS */, P) READS(ioctl, 36, FD_PTMX, 0x5402 /* TCSETS */, P)
	WRITES(ioctl, 8, FD_PTMX, 0x5413 /* TIOCGWINSZ */, P) READS(ioctl, 8, FD_PTMX, 0x5414 /* TIOCSWINSZ */, P)
	WRITES(ioctl, 4, FD_PTMX, 0x80045430 /* TIOCGPTN */, P) READS(ioctl, 4, FD_PTMX, 0x40045431 /* TIOCSPTLCK */, P)
	READS(openat2, 24, A_DIR, ROOT, P, 24) READS(name_to_handle_at, 8, A_DIR, ROOT, P, BYTES, 0)

	/* Sockets. */
	READS(connect, 16, FD_DGRAM, P, 16) READS(bind, 16, FD_DGRAM, P, 16)
	READS(sendto, 64, FD_STREAM, P, 64, KEEP, 0, 0) READS_OPT(sendto, 16, FD_DGRAM, BYTES, 1, KEEP, P, 16)
	WRITES(recvfrom, 64, FD_STREAM, P, 64, PEEK, 0, 0)
	READS(recvfrom, 4, FD_STREAM, BYTES, 1, PEEK, BYTES, P)
	READS(sendmsg, 56, FD_STREAM, P, KEEP) READS(recvmsg, 56, FD_STREAM, P, PEEK)
	READS(sendmmsg, 56, FD_STREAM, P, 1, KEEP) READS(recvmmsg, 56, FD_STREAM, P, 1, PEEK, 0)
	READS_OPT(recvmmsg, 16, FD_STREAM, BYTES, 1, PEEK, P)
	WRITES(getsockname, 2, FD_STREAM, P, (long)&some_len) READS(getsockname, 4, FD_STREAM, BYTES, P)
	WRITES(getpeername, 2, FD_STREAM, P, (long)&some_len) READS(getpeername, 4, FD_STREAM, BYTES, P)
	READS(setsockopt, 4, FD_STREAM, SOL_SOCKET, SO_SNDBUF, P, 4)
	WRITES(getsockopt, 4, FD_STREAM, SOL_SOCKET, SO_TYPE, P, (long)&some_len)
	READS(getsockopt, 4, FD_STREAM, SOL_SOCKET, SO_TYPE, BYTES, P)

	/* Signals and processes. */
	READS_OPT(rt_sigaction, 32, SIGUSR1, P, 0, 8) WRITES_OPT(rt_sigaction, 32, SIGUSR1, 0, P, 8)
	READS_OPT(rt_sigprocmask, 8, SIG_BLOCK, P, 0, 8) WRITES_OPT(rt_sigprocmask, 8, SIG_BLOCK, 0, P, 8)
	WRITES(rt_sigpending, 8, P, 8) READS(rt_sigtimedwait, 8, P, 0, 0, 8)
	READS_OPT(rt_sigtimedwait, 16, (long)some_mask, 0, P, 8) READS(rt_sigsuspend, 8, P, 8)
	READS(rt_sigqueueinfo, 48, 1, 0, P) READS(rt_tgsigqueueinfo, 48, 1, 1, 0, P)
	READS_OPT(pidfd_send_signal, 48, FD_PIDFD, 0, P, 0)
	READS_OPT(sigaltstack, 24, P, 0) WRITES_OPT(sigaltstack, 24, 0, P)
	READS_OPT(execve, 8, (long)"/bin/true", P, 0) READS_OPT(execve, 8, (long)"/bin/true", 0, P)
	READS_OPT(execveat, 8, A_DIR, (long)"/bin/true", P, 0, 0) READS_OPT(execveat, 8, A_DIR, (long)"/bin/true", 0, P, 0)
	READS(clone3, 64, P, 64) READS(futex, 4, P, FUTEX_WAIT, 1, 0) READS_OPT(futex, 16, BYTES, FUTEX_WAIT, 1, P)
	READS(futex, 4, BYTES, FUTEX_WAKE_OP, 1, 1, P, 0) READS(futex, 4, P, FUTEX_CMP_REQUEUE, 1, 1, BYTES, 1)
	READS_OPT(futex_waitv, 24, P, 1, 0, 0, 0) WRITES(get_robust_list, 8, 0, P, BYTES)
	WRITES(get_robust_list, 8, 0, BYTES, P) WRITES_OPT(waitid, 28, P_ALL, 0, P, WEXITED | WNOHANG, 0)
	WRITES(getrlimit, 16, RLIMIT_CPU, P) READS(setrlimit, 16, RLIMIT_CORE, P)
	READS_OPT(prlimit64, 16, 0, RLIMIT_CORE, P, 0) WRITES_OPT(prlimit64, 16, 0, RLIMIT_CORE, 0, P)
	WRITES(getresuid, 4, P, BYTES, BYTES) WRITES(getresuid, 4, BYTES, P, BYTES) WRITES(getresuid, 4, BYTES, BYTES, P)
	WRITES(getresgid, 4, P, BYTES, BYTES) WRITES(getresgid, 4, BYTES, P, BYTES) WRITES(getresgid, 4, BYTES, BYTES, P)
	READS(setgroups, 4, 1, P) WRITES(getgroups, 4, 10, P) READS(capget, 4, P, BYTES)
	WRITES_OPT(capget, 24, (long)capability_header, P) READS(capset, 4, P, BYTES)
	READS(capset, 24, (long)capability_header, P) WRITES(prctl, 16, PR_GET_NAME, P)
	WRITES(prctl, 4, PR_GET_PDEATHSIG, P)
	WRITES(prctl, 4, PR_GET_TSC, P) WRITES(prctl, 8, PR_GET_TID_ADDRESS, P) WRITES(prctl, 4, PR_GET_CHILD_SUBREAPER, P)
	WRITES(arch_prctl, 8, 0x1003 /* ARCH_GET_FS */, P) WRITES(arch_prctl, 8, 0x1004 /* ARCH_GET_GS */, P)
	READS(process_vm_readv, 16, SELF_PID, P, 1, (long)&some_iov, 1, 0)
	READS(process_vm_readv, 16, SELF_PID, (long)&some_iov, 1, P, 1, 0)
	READS(process_vm_writev, 16, SELF_PID, P, 1, (long)&some_iov, 1, 0)
	READS(process_madvise, 16, FD_PIDFD, P, 1, 20 /* MADV_COLD */, 0)
	READS(seccomp, 16, 1 /* SECCOMP_SET_MODE_FILTER */, 0, P) READS(seccomp, 4, 2, 0, P)
	WRITES(sched_getaffinity, 8, 0, 128, P) READS(sched_setaffinity, 8, 0, 8, P)
	WRITES(sched_rr_get_interval, 16, 0, P) READS_OPT(sched_setparam, 4, 0, P) WRITES_OPT(sched_getparam, 4, 0, P)
	READS_OPT(sched_setscheduler, 4, 0, 0, P) READS_OPT(sched_setattr, 4, 0, P, 0)
	WRITES_OPT(sched_getattr, 48, 0, P, 48, 0) READS(sethostname, 4, P, 4) READS(setdomainname, 4, P, 4)

	/* Time. */
	READS(nanosleep, 16, P, 0) WRITES(clock_gettime, 16, 0, P) WRITES_OPT(clock_getres, 16, 0, P)
	READS(clock_nanosleep, 16, 0, 0, P, 0) WRITES_OPT(gettimeofday, 16, P, 0) WRITES_OPT(gettimeofday, 8, 0, P)
	WRITES_OPT(time, 8, P) READS(clock_settime, 16, 0, P) READS_OPT(settimeofday, 16, P, 0)
	READS_OPT(settimeofday, 8, 0, P) READS(adjtimex, 208, P) READS(clock_adjtime, 208, 0, P)
	WRITES(getitimer, 32, ITIMER_VIRTUAL, P) READS_OPT(setitimer, 32, ITIMER_VIRTUAL, P, 0)
	WRITES_OPT(setitimer, 32, ITIMER_VIRTUAL, (long)&no_alarm, P)
	READS_OPT(timer_create, 64, 1, P, BYTES) WRITES(timer_create, 4, 1, 0, P)
	READS_OPT(timer_settime, 32, TIMER_ID, 0, P, 0) WRITES_OPT(timer_settime, 32, TIMER_ID, 0, (long)&no_alarm, P)
	WRITES(timer_gettime, 32, TIMER_ID, P) READS_OPT(utimensat, 32, A_DIR, (long)"/dev/null", P, 0)
	READS_OPT(utime, 16, (long)"/dev/null", P) READS_OPT(utimes, 32, (long)"/dev/null", P)
	READS_OPT(futimesat, 32, A_DIR, (long)"/dev/null", P)

	/* System V and POSIX messages, semaphores, shared memory. */
	WRITES(shmctl, 112, SHM_ID, IPC_STAT, P) READS(shmctl, 112, SHM_ID, IPC_SET, P)
	WRITES(shmctl, 72, 0, IPC_INFO, P) WRITES(shmctl, 48, 0, SHM_INFO, P)
	WRITES(semctl, 104, SEM_ID, 0, IPC_STAT, P) READS(semctl, 104, SEM_ID, 0, IPC_SET, P)
	WRITES(semctl, 2, SEM_ID, 0, GETALL, P) READS(semctl, 2, SEM_ID, 0, SETALL, P)
	WRITES(semctl, 40, 0, 0, IPC_INFO, P) READS(semop, 6, SEM_ID, P, 1) READS(semtimedop, 6, SEM_ID, P, 1, 0)
	READS_OPT(semtimedop, 16, SEM_ID, (long)&no_sem, 1, P) WRITES(msgctl, 120, MSG_ID, IPC_STAT, P)
	READS(msgctl, 120, MSG_ID, IPC_SET, P) WRITES(msgctl, 32, 0, IPC_INFO, P)
	READS(msgsnd, 16, MSG_ID, P, 8, IPC_NOWAIT) READS_OPT(mq_open, 64, (long)"hp", O_CREAT | O_RDWR, 0600, P)
	READS(mq_timedsend, 64, FD_MQ, P, 64, 0, (long)&some_time) READS_OPT(mq_timedsend, 16, FD_MQ, BYTES, 1, 0, P)
	READS_OPT(mq_timedreceive, 16, FD_MQ, BYTES, 4096, 0, P) READS_OPT(mq_notify, 64, FD_MQ, P)
	READS_OPT(mq_getsetattr, 64, FD_MQ, P, 0) WRITES_OPT(mq_getsetattr, 64, FD_MQ, 0, P)
};

static long shm_id, sem_id, msg_id, timer_id;

static void place(long fd, int number)
{
	CHECK_EQ(dup2((int)CHECK_OK(fd), 100 + number), 100 + number);
}

/* In a process of its own: what the table's numbers stand for. */
static void pointer_calls_set_up(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 4096 };
	int p[2], s[2], timer;
	gid_t group = 0;

	CHECK_OK(pipe2(p, O_NONBLOCK));
	CHECK_EQ(write(p[1], some_bytes, 64), 64);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_EQ(write(s[1], some_bytes, 64), 64);
	place(open("/dev/zero", O_RDWR), FD_ZERO_DEV);
	place(open("/", O_RDONLY), FD_DIR);
	place(p[1], FD_PIPE_IN);
	place(p[0], FD_PIPE_OUT);
	place(open("file", O_RDWR | O_CREAT, 0600), FD_FILE);
	CHECK_EQ(pwrite(100 + FD_FILE, some_bytes, 4096, 0), 4096);
	place(s[0], FD_STREAM);
	place(s[1], FD_STREAM_PEER);
	place(socket(AF_UNIX, SOCK_DGRAM, 0), FD_DGRAM);
	place(epoll_create1(0), FD_EPOLL);
	place(timerfd_create(CLOCK_MONOTONIC, 0), FD_TIMER);
	place(inotify_init(), FD_INOTIFY);
	syscall(SYS_mq_unlink, "hostile");
	place(syscall(SYS_mq_open, "hostile", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr), FD_MQ);
	place(syscall(SYS_pidfd_open, getpid(), 0), FD_PIDFD);
	place(open("/dev/ptmx", O_RDWR | O_NOCTTY), FD_PTMX);
	place(eventfd(1, 0), FD_SIGNAL);
	for (int i = 3; i <= FD_LAST; i++)
		CHECK_EQ(dup2(100 + i, i), i);
	CHECK_OK(epoll_ctl(FD_EPOLL, EPOLL_CTL_ADD, FD_SIGNAL, &some_event));
	shm_id = CHECK_OK(shmget(IPC_PRIVATE, 4096, 0600));
	sem_id = CHECK_OK(semget(IPC_PRIVATE, 1, 0600));
	msg_id = CHECK_OK(msgget(IPC_PRIVATE, 0600));
	CHECK_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer));
	timer_id = timer;
	CHECK_OK(syscall(SYS_setgroups, 1, &group));
	some_iov = (struct iovec){ some_bytes, 8 };
}

static inline void pointer_calls_end(void)
{
	shmctl((int)shm_id, IPC_RMID, NULL);
	semctl((int)sem_id, 0, IPC_RMID);
	msgctl((int)msg_id, IPC_RMID, NULL);
	syscall(SYS_mq_unlink, "hostile");
	syscall(SYS_mq_unlink, "hp");
}

/* The call with the pointer in its place. */
static long pointer_call(const struct call *c, u64 pointer)
{
	long a[6];

	for (int i = 0; i < 6; i++) {
		switch (c->arg[i]) {
		case P: a[i] = (long)pointer; break;
		case SHM_ID: a[i] = shm_id; break;
		case SEM_ID: a[i] = sem_id; break;
		case MSG_ID: a[i] = msg_id; break;
		case TIMER_ID: a[i] = timer_id; break;
		case SELF_PID: a[i] = getpid(); break;
		default: a[i] = c->arg[i];
		}
	}
	some_len = sizeof(some_bytes);
	errno = 0;
	return syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
