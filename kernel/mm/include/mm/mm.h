/*
 * Address spaces. A struct mm is an ordered tree of areas (struct vma) over page tables. The tree
 * changes under mmap_lock held for writing; faults and look-ups hold it for reading. Page-table
 * entries change under page_table_lock.
 */
#pragma once

#include <arch/mmu.h>
#include <lib/atomic.h>
#include <lib/rbtree.h>
#include <mm/page.h>
#include <sync/mutex.h>
#include <sync/spinlock.h>

struct file;
struct vma;

struct vma_ops {
	/*
	 * Gives the page for a fault at page offset pgoff of the file, with a reference for the
	 * caller; its contents are up to date. mmap_lock held shared; may sleep. 0 or -ENOMEM, or
	 * -EFAULT (SIGBUS), or -EIO.
	 */
	int (*fault)(struct vma *vma, u64 pgoff, bool write, struct page **page);
	/* A page of a shared area that is mapped already is about to be written; may be NULL. As fault. */
	int (*first_write)(struct vma *vma, u64 pgoff);
	void (*open)(struct vma *vma);   /* area copied by fork or split; may be NULL */
	void (*close)(struct vma *vma);
	const char *(*name)(struct vma *vma); /* for /proc/pid/maps when there is no file */
	bool no_merge;                   /* neighbours stay apart: open and close count them */
};

#define VMA_READ     BIT(0)
#define VMA_WRITE    BIT(1)
#define VMA_EXEC     BIT(2)
#define VMA_SHARED   BIT(3)
#define VMA_MAYREAD  BIT(4)
#define VMA_MAYWRITE BIT(5)
#define VMA_MAYEXEC  BIT(6)
#define VMA_GROWSDOWN BIT(7)
#define VMA_LOCKED   BIT(8)
#define VMA_DONTFORK BIT(9)
#define VMA_WIPEONFORK BIT(10)
#define VMA_NORESERVE BIT(11)
#define VMA_ACCOUNT  BIT(12) /* counted against the commit limit */
#define VMA_DONTDUMP BIT(13)
#define VMA_STACK    BIT(14)
#define VMA_HEAP     BIT(15)
#define VMA_SPECIAL  BIT(16) /* vdso and the like: no split, merge, mremap growth */
#define VMA_HUGEPAGE BIT(18) /* MADV_HUGEPAGE */
#define VMA_NOHUGEPAGE BIT(19)
#define VMA_LOCKONFAULT BIT(17) /* mlock2(MLOCK_ONFAULT) */

struct vma {
	u64 start, end;              /* page aligned; mmap_lock */
	struct rb_node node;         /* mmap_lock; augmented with the largest gap */
	u64 gap, max_gap;            /* free bytes below start; the largest of the subtree */
	struct mm *mm;               /* immutable */
	u32 flags;                   /* VMA_*; mmap_lock for writing to change */
	struct file *file;           /* reference held; NULL: anonymous */
	u64 pgoff;                   /* of start, in pages */
	const struct vma_ops *ops;   /* NULL: anonymous */
	struct list_head mapping_node; /* mapping->mmap_list; mapping->mmap_lock */
	void *private;
	bool has_anon;               /* may hold anonymous pages; set by faults, never cleared */
};

/* mm->dumpable, and fs.suid_dumpable for programs with more privilege than their user. */
#define SUID_DUMP_DISABLE 0
#define SUID_DUMP_USER    1
#define SUID_DUMP_ROOT    2

/* What a core file contains, as Linux numbers the bits. */
#define CORE_FILTER_ANON_PRIVATE   BIT(0)
#define CORE_FILTER_ANON_SHARED    BIT(1)
#define CORE_FILTER_MAPPED_PRIVATE BIT(2)
#define CORE_FILTER_MAPPED_SHARED  BIT(3)
#define CORE_FILTER_ELF_HEADERS    BIT(4)
#define CORE_FILTER_HUGE_PRIVATE   BIT(5)
#define CORE_FILTER_HUGE_SHARED    BIT(6)
#define CORE_FILTER_DAX_PRIVATE    BIT(7)
#define CORE_FILTER_DAX_SHARED     BIT(8)
#define CORE_FILTER_ALL            (BIT(9) - 1)
#define CORE_FILTER_DEFAULT                                                                        \
	(CORE_FILTER_ANON_PRIVATE | CORE_FILTER_ANON_SHARED | CORE_FILTER_ELF_HEADERS |            \
	 CORE_FILTER_HUGE_PRIVATE)

struct mm {
	struct arch_mm arch;
	struct rwsem mmap_lock;          /* LOCK_RANK_MMAP */
	struct spinlock page_table_lock; /* LOCK_RANK_PAGE_TABLE */
	struct rb_root vmas;             /* mmap_lock */
	u32 nr_vmas;
	bool reaped;                     /* mmap_lock to set: its private memory is taken, it is dying (oom.c) */
	bool gone;                       /* torn-free: … was taken, or all of it is empty */
	struct ref users;                /* tasks; the last one empties the address space */
	struct ref refs;                 /* users count as one; the last one frees the structure */
	struct cpumask cpus;             /* CPUs whose TLB may hold entries; atomic */
	u64 tlb_gen;                     /* flushes asked for so far; atomic */
	u64 start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
	u64 arg_start, arg_end, env_start, env_end; /* mmap_lock */
	u64 mmap_base;                   /* placement goes down from here (up, when bottom_up) */
	bool bottom_up;
	u64 total_pages, locked_pages, data_pages, stack_pages, exec_pages; /* mmap_lock */
	u64 commit_pages;
	struct atomic64 anon_pages, file_pages, shmem_pages, pt_pages; /* resident */
	u64 peak_rss_pages, peak_total_pages;
	struct file *exe_file;           /* mmap_lock; reference held */
	u64 vdso_base;
	u64 auxv[48];                    /* AT_* pairs as given to the program, for /proc/pid/auxv */
	u32 membarrier;                  /* registrations as MEMBARRIER_CMD_* bits; atomic */
	u32 dumpable;                    /* SUID_DUMP_* */
	u32 dump_filter;                 /* CORE_FILTER_*: /proc/PID/coredump_filter */
	bool no_huge;                    /* PR_SET_THP_DISABLE; torn-free */
	u32 def_flags;                   /* VMA_LOCKED after mlockall(MCL_FUTURE) */
	bool lock_on_fault;              /* … with MCL_ONFAULT: locked, but not populated */
};

/* A fresh address space with one user, or NULL. */
struct mm *mm_create(void);
/* Copy-on-write copy of the current task's address space for fork. 0 or -ENOMEM. */
int mm_fork(struct mm *from, struct mm **out) __must_check;
void mm_get(struct mm *mm);       /* one more user */
void mm_put(struct mm *mm);       /* drops a user; may sleep */
bool mm_get_unless_dead(struct mm *mm) __must_check;
void mm_ref(struct mm *mm);       /* keeps the structure only (lazy TLB, /proc) */
void mm_unref(struct mm *mm);

/* The area that contains addr, or the first one above it; NULL. mmap_lock held. */
struct vma *vma_find(struct mm *mm, u64 addr);
struct vma *vma_next(const struct vma *vma);
struct vma *vma_first(const struct mm *mm);

/*
 * mmap for the kernel's own callers (exec) and the system call: prot PROT_*, flags MAP_*; off in
 * bytes. The address goes to *out. Takes mmap_lock. 0 or the errno of mmap(2).
 */
int mm_map(struct mm *mm, u64 addr, u64 len, u32 prot, u32 flags, struct file *file, u64 off,
	   u64 *out) __must_check;
int mm_unmap(struct mm *mm, u64 addr, u64 len) __must_check;
/*
 * Undoes one mapping of a whole file, placed at addr by its owner, whose areas have these ops:
 * whatever parts of it are still in their place. 0, -EINTR, -ENOMEM, or -EINVAL: there is none.
 */
int mm_detach(struct mm *mm, u64 addr, const struct vma_ops *ops) __must_check;
/* Stack area for exec with its top at `top`, growing down. */
int mm_map_stack(struct mm *mm, u64 top, u64 size, bool executable) __must_check;
/* Establishes the heap: brk starts at addr. */
void mm_set_brk(struct mm *mm, u64 addr);
/*
 * A place for an area of len bytes: at the hint if that is free, else where mmap would put it. The
 * caller is the only one who maps anything (exec). 0 or -ENOMEM.
 */
int mm_find_room(struct mm *mm, u64 hint, u64 len, u64 *addr) __must_check;
/* Kernel-provided pages (vDSO): an area with the given pages, to which writes go to private copies.
 * vma_flags are complete but for VMA_SPECIAL; the pages are never freed. */
int mm_map_special(struct mm *mm, u64 addr, u64 len, u32 vma_flags, struct page **pages,
		   const char *name) __must_check;

/*
 * Reads or writes another address space (or the own, before it is loaded): exec's stack,
 * /proc/pid/mem, ptrace, process_vm_*. force ignores write protection of private areas.
 * The number of bytes done, possibly short.
 */
size_t mm_access_remote(struct mm *mm, u64 addr, void *buf, size_t len, bool write, bool force);

/*
 * The page at addr for a core file, into buf: private memory that was never touched is not made
 * for it. False: nothing is there.
 */
bool mm_core_page(struct mm *mm, u64 addr, void *buf);

/* Faults pages in and pins them (for direct I/O and futex keys). Number of pages or -EFAULT. */
long mm_pin_pages(struct mm *mm, u64 addr, size_t nr, bool write, struct page **pages);

/* When areas get 2 MiB pages (huge.c): /sys/kernel/mm/transparent_hugepage/enabled. Torn-free. */
enum huge_mode { HUGE_NEVER, HUGE_MADVISE, HUGE_ALWAYS };
extern u32 huge_mode;
/* By its name there. 0 or -EINVAL. Any context. */
int huge_mode_set(const char *name) __must_check;
/* Would a huge page fit into the area, and would it get one? mmap_lock held. */
bool vma_takes_huge_pages(const struct vma *v);

/* Gives up what is clean in the page cache, and objects that can be made anew. May sleep. */
void mm_drop_caches(bool pages, bool objects);

/* What an area holds, in bytes; the pss fields are shares, with VMA_USAGE_SHIFT fraction bits. */
#define VMA_USAGE_SHIFT 12
struct vma_usage {
	u64 rss, shared_clean, shared_dirty, private_clean, private_dirty, referenced, anonymous;
	u64 pss, pss_dirty, pss_anon, pss_file, pss_shmem, anon_huge;
};
/* Adds what v holds to *u. mmap_lock held. */
void vma_usage(struct vma *v, struct vma_usage *u);
/* The words of /proc/PID/pagemap for nr pages from addr; frames: with frame numbers. May sleep. */
#define PAGEMAP_PRESENT   BIT(63)
#define PAGEMAP_FILE      BIT(61)
#define PAGEMAP_EXCLUSIVE BIT(56)
void mm_pagemap(struct mm *mm, u64 addr, u32 nr, bool frames, u64 *out);
/* Forgets which pages were used lately, by kind; and the highest resident size. */
void mm_clear_young(struct mm *mm, bool anonymous, bool files);
void mm_reset_peak_rss(struct mm *mm);

/* Resident pages in total. */
u64 mm_rss_pages(const struct mm *mm);

/* Unmaps file pages [first, last] from every area that maps the mapping (truncate, hole punch).
 * even_private: also the private copies. Takes mapping->mmap_lock. */
void mapping_unmap_range(struct mapping *m, u64 first, u64 last, bool even_private);

/* Backs an area (shared, being made) with fresh memory of its size. 0 or -ENOMEM. */
int anon_shared_attach(struct vma *v) __must_check;
