/*
 * The one order of locks. A context may only take a lock whose rank is higher than that of every
 * lock it holds; sleeping locks come first, because no one sleeps under a spinlock. Debug flavours
 * check each acquisition. Two locks of equal rank are taken together only through the functions
 * that define an order between them (lock_pair_* in the owner's file).
 */
#pragma once

enum lock_rank {
	LOCK_RANK_NONE, /* unchecked; for locks that are never held together with another */

	/* Sleeping locks, outermost first. */
	LOCK_RANK_EXEC,          /* process: execve against ptrace attach and credential readers */
	LOCK_RANK_FILE_POS,      /* file: position shared by several descriptors */
	LOCK_RANK_PROC_TEXT,     /* an open procfs file: its text */
	LOCK_RANK_SOCKET_BIND,   /* a socket gets its name (makes an inode) */
	LOCK_RANK_MOUNT_TREE,    /* mount namespace: the tree's shape */
	LOCK_RANK_SB_RENAME,     /* super block: directory renames */
	LOCK_RANK_EPOLL_GRAPH,   /* which epoll watches which */
	LOCK_RANK_EPOLL,         /* items of an epoll; watched files are polled under it */
	LOCK_RANK_BLOCK_OPEN,    /* disk: openers, holders, partitions */
	LOCK_RANK_BLOCK,         /* which block devices there are */
	LOCK_RANK_WRITEBACK,     /* page cache: one round of the writer at a time */
	LOCK_RANK_TTY,           /* tty: settings, then its buffers */
	LOCK_RANK_TTY_BUFFER,
	LOCK_RANK_INODE_DIR,     /* inode of a directory (parent before child) */
	LOCK_RANK_INODE,         /* inode of anything else: size, data and attributes */
	LOCK_RANK_PIPE,
	LOCK_RANK_READERS,       /* readers (or writers) of a socket or a device take turns */
	LOCK_RANK_INFLIGHT,      /* AF_UNIX: descriptors that are under way */
	LOCK_RANK_FD_TABLE,
	LOCK_RANK_MMAP,          /* mm: the area tree (faults take it shared) */
	LOCK_RANK_IPC,           /* table of one kind of System V objects (areas close under MMAP) */
	LOCK_RANK_MAPPING_WRITE, /* page cache: one writer to the store per file */
	LOCK_RANK_MAPPING_MMAP,  /* page cache: list of areas that map the file */
	LOCK_RANK_PAGE,          /* the lock bit of a page-cache page */
	LOCK_RANK_FS_CHECKPOINT, /* ext4: one checkpoint of a journal at a time; waits for commits */
	LOCK_RANK_FS_MAP,        /* ext4: which blocks a file has */
	LOCK_RANK_FS_GROUP,      /* ext4: bitmaps and counts of a group of blocks */
	LOCK_RANK_FS_ORPHAN,     /* ext4: the list of orphans */
	LOCK_RANK_FS_LOAD,       /* ext4: an inode comes from the disk */
	LOCK_RANK_FS_BUFFER,     /* ext4: a metadata block that is being read */
	LOCK_RANK_VMALLOC_MUTEX,
	LOCK_RANK_FS_REGISTRY,   /* file-system types, device numbers */
	LOCK_RANK_SYSFS,         /* the tree of sysfs; attributes are shown under it */
	LOCK_RANK_SLEEP_INNER,   /* leaf mutexes: nothing that sleeps is taken inside */

	/* Spinlocks. */
	LOCK_RANK_SPIN_FIRST,
	LOCK_RANK_IPC_OBJECT,    /* one System V object or message queue */
	LOCK_RANK_IPC_UNDO,      /* a task's list of semaphore adjustments */
	LOCK_RANK_TASKLIST,      /* process tree, groups, sessions */
	LOCK_RANK_SIGHAND,       /* signal state of a process; interrupts disabled */
	LOCK_RANK_SIGACTION,     /* sighand: the table of actions */
	LOCK_RANK_CPU_TIMERS,    /* process: timers on its CPU clocks; interrupts disabled */
	LOCK_RANK_FS_CONTEXT,
	LOCK_RANK_RENAME,        /* dcache: one change of the tree's shape at a time */
	LOCK_RANK_DENTRY,
	LOCK_RANK_DENTRY_HASH,   /* dcache: hash buckets */
	LOCK_RANK_DENTRY_LRU,    /* dcache: unused dentries */
	LOCK_RANK_SB_LISTS,
	LOCK_RANK_FS_INODE,      /* ext4: the inode's place on the disk, what it remembers */
	LOCK_RANK_INODE_SPIN,
	LOCK_RANK_FS_JOURNAL,    /* ext4: transactions */
	LOCK_RANK_FS_CACHE,      /* ext4: metadata blocks, groups by free space */
	LOCK_RANK_NOTIFY,        /* the list of all watches */
	LOCK_RANK_NOTIFY_QUEUE,  /* inotify: its queue and its watches */
	LOCK_RANK_FLOCK_LIST,    /* all inodes that have locks */
	LOCK_RANK_FLOCK,
	LOCK_RANK_FLOCK_GRAPH,   /* who waits for whose record lock */
	LOCK_RANK_FD_TABLE_SPIN,
	LOCK_RANK_SOCKET,        /* a socket: its state and queue */
	LOCK_RANK_SOCKET_TABLE,  /* AF_UNIX: names, list of all sockets */
	LOCK_RANK_FILE,
	LOCK_RANK_PAGE_TABLE,    /* mm: page table entries */
	LOCK_RANK_MAPPING_PAGES, /* page cache: the tree of pages */
	LOCK_RANK_PAGE_LRU,      /* page cache: pages in order of use; dirty files */
	LOCK_RANK_TTY_SPIN,
	LOCK_RANK_TIMERFD_CANCEL, /* timerfds that a setting of the clock cancels; interrupts disabled */
	LOCK_RANK_TIMERFD,       /* one of them; interrupts disabled */
	LOCK_RANK_BLOCK_QUEUE,   /* requests on their way to a disk; interrupts disabled */
	LOCK_RANK_DEVICE,        /* drivers; interrupts disabled */
	LOCK_RANK_WAIT_QUEUE,    /* interrupts disabled */
	LOCK_RANK_EPOLL_READY,   /* epoll: ready list and sleepers; interrupts disabled */
	LOCK_RANK_FUTEX,
	LOCK_RANK_PI,            /* priority inheritance: all chains */
	LOCK_RANK_PID,
	LOCK_RANK_TASK_PI,       /* task: wake-ups, scheduling parameters; interrupts disabled */
	LOCK_RANK_RUN_QUEUE,     /* interrupts disabled */
	LOCK_RANK_CLOCK_TIMERS,  /* timers that move when a clock is set; interrupts disabled */
	LOCK_RANK_TIMER,         /* per-CPU timer queues; interrupts disabled */
	LOCK_RANK_CLOCK,         /* time: the page of time; interrupts disabled */
	LOCK_RANK_RCU,
	LOCK_RANK_VMALLOC,
	LOCK_RANK_SLAB,
	LOCK_RANK_BUDDY,
	LOCK_RANK_RANDOM,
	LOCK_RANK_IRQ,           /* interrupt controllers */
	LOCK_RANK_LOG,
	LOCK_RANK_SERIAL,        /* the log writes to the port */
	LOCK_RANK_LAST,
};
