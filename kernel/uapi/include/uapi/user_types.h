/*
 * Handles to the ABI's structures in user memory. The layouts are Debian's linux-libc-dev ones; a
 * mirror stands here only where the original holds a user pointer or clashes with a kernel name.
 */
#pragma once

#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/poll.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/stat.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/times.h>
#include <linux/utime.h>
#include <linux/utsname.h>
#include <mm/user.h>
#include <signal/types.h>
#include <time/clock.h>
#include <vfs/io_iter.h>

struct itimerspec64 {
	struct timespec64 it_interval;
	struct timespec64 it_value;
};

struct sched_param_abi {
	int sched_priority;
};

/* select(2): one set of up to 1024 descriptors; longer ones are read word by word. */
struct fd_set_word {
	u64 bits;
};

/* The sixth argument of pselect6: a signal mask with its size. */
struct sigset_argpack {
	struct user_sigset mask;
	u64 size;
};

DEFINE_USER_PTR(timespec, struct timespec64);
DEFINE_USER_PTR(itimerspec, struct itimerspec64);
DEFINE_USER_PTR(timeval, struct __kernel_old_timeval);
DEFINE_USER_PTR(timezone, struct timezone);
DEFINE_USER_PTR(itimerval, struct __kernel_old_itimerval);
DEFINE_USER_PTR(time, __kernel_old_time_t);
DEFINE_USER_PTR(tms, struct tms);
DEFINE_USER_PTR(utimbuf, struct utimbuf);
DEFINE_USER_PTR(stat, struct stat);
DEFINE_USER_PTR(statx, struct statx);
DEFINE_USER_PTR(statfs, struct statfs);
DEFINE_USER_PTR(epoll_event, struct epoll_event);
DEFINE_USER_PTR(pollfd, struct pollfd);
DEFINE_USER_PTR(fd_set, struct fd_set_word);
DEFINE_USER_PTR(sigset_argpack, struct sigset_argpack);
DEFINE_USER_PTR(rusage, struct rusage);
DEFINE_USER_PTR(rlimit, struct rlimit64);
DEFINE_USER_PTR(utsname, struct new_utsname);
DEFINE_USER_PTR(sysinfo, struct sysinfo);
DEFINE_USER_PTR(cap_header, struct __user_cap_header_struct);
DEFINE_USER_PTR(cap_data, struct __user_cap_data_struct);
DEFINE_USER_PTR(sched_param, struct sched_param_abi);
