/* x86-64 paging: four levels of 512 entries. */
#pragma once

#include <lib/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ULL
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define HUGE_PAGE_SHIFT 21
#define HUGE_PAGE_SIZE  (1ULL << HUGE_PAGE_SHIFT)
#define PT_LEVELS  4
#define PT_ENTRIES 512

#define USER_TOP             0x7ffffffff000ULL
#define DIRECT_MAP_DEFAULT     0xffff888000000000UL
#define KERNEL_VMALLOC_DEFAULT 0xffffc90000000000UL
#define KERNEL_VMALLOC_END     (KERNEL_VMALLOC_START + (1UL << 39)) /* one root entry */
#define KERNEL_IMAGE_START     0xffffffff80000000UL /* as it is linked; it lies kernel_slide above */

/* Chosen at boot, see kaslr.c. */
extern u64 kernel_slide;
#ifdef CONFIG_KASAN
/* The shadow of an address is at this plus an eighth of it (mk/kernel.mk tells the compiler). */
#define KASAN_SHADOW_OFFSET  0xdffffc0000000000UL
static inline uptr kasan_shadow_of(uptr addr)
{
	return (addr >> 3) + KASAN_SHADOW_OFFSET;
}
#define DIRECT_MAP_START     DIRECT_MAP_DEFAULT
#define KERNEL_VMALLOC_START KERNEL_VMALLOC_DEFAULT
#else
extern uptr direct_map_start, kernel_vmalloc_start;
#define DIRECT_MAP_START     direct_map_start
#define KERNEL_VMALLOC_START kernel_vmalloc_start
#endif

/* Direct-map addresses only; kernel image symbols go through kernel_image_paddr. */
static inline void *phys_to_virt(struct paddr pa)
{
	return (void *)(DIRECT_MAP_START + pa.v);
}
static inline struct paddr virt_to_phys(const void *p)
{
	return PADDR((uptr)p - DIRECT_MAP_START);
}

/* Where a symbol of the kernel image lies in memory. */
static inline struct paddr kernel_image_paddr(uptr va)
{
	return PADDR(va - KERNEL_IMAGE_START - kernel_slide);
}

struct pte {
	u64 v;
};

struct ldt;

struct arch_mm {
	struct pte *root; /* direct-map address */
	struct pte *user_root; /* the same for user mode, see pti.c; NULL: root serves both */
	u64 tlb_gen;      /* atomic: bumped by each flush */
	struct ldt *ldt;  /* reference, mm->page_table_lock, atomic to read; NULL: none */
};

#define X86_PTE_P    BIT(0)
#define X86_PTE_W    BIT(1)
#define X86_PTE_U    BIT(2)
#define X86_PTE_PWT  BIT(3)
#define X86_PTE_PCD  BIT(4)
#define X86_PTE_A    BIT(5)
#define X86_PTE_D    BIT(6)
#define X86_PTE_PS   BIT(7)
#define X86_PTE_G    BIT(8)
#define X86_PTE_NX   BIT(63)
#define X86_PTE_ADDR 0x000ffffffffff000ULL

#define PTE_READ    BIT(0)
#define PTE_WRITE   BIT(1)
#define PTE_EXEC    BIT(2)
#define PTE_USER    BIT(3)
#define PTE_DIRTY   BIT(4)
#define PTE_YOUNG   BIT(5)
#define PTE_NOCACHE BIT(6)
#define PTE_GLOBAL  BIT(7)

static inline unsigned int pt_index(u64 addr, unsigned int level)
{
	return (addr >> (PAGE_SHIFT + 9 * level)) & (PT_ENTRIES - 1);
}
static inline u64 pt_level_size(unsigned int level)
{
	return 1ULL << (PAGE_SHIFT + 9 * level);
}

static inline bool pte_none(struct pte e) { return e.v == 0; }
/* A PROT_NONE leaf keeps its frame without X86_PTE_P, and counts as present to mm/. */
#define X86_PTE_PROTNONE BIT(9)
static inline bool pte_present(struct pte e) { return e.v & (X86_PTE_P | X86_PTE_PROTNONE); }
static inline bool pte_leaf(struct pte e, unsigned int level)
{
	return level == 0 || (e.v & X86_PTE_PS);
}
static inline bool pte_writable(struct pte e) { return e.v & X86_PTE_W; }
static inline bool pte_dirty(struct pte e) { return e.v & X86_PTE_D; }
static inline bool pte_young(struct pte e) { return e.v & X86_PTE_A; }
static inline bool pte_exec(struct pte e) { return !(e.v & X86_PTE_NX); }

/*
 * An entry without X86_PTE_P has its frame number inverted: on a CPU with L1TF a speculative load
 * through it would read whatever the cache holds of that frame, and beyond all memory there is none.
 */
static inline u64 x86_pte_inversion(u64 v)
{
	return v & X86_PTE_P ? 0 : X86_PTE_ADDR;
}
static inline struct paddr pte_paddr(struct pte e)
{
	return PADDR((e.v ^ x86_pte_inversion(e.v)) & X86_PTE_ADDR);
}

static inline u64 x86_pte_bits(unsigned int prot)
{
	u64 v = 0;

	v |= (prot & (PTE_READ | PTE_WRITE | PTE_EXEC)) ? X86_PTE_P : X86_PTE_PROTNONE;
	v |= (prot & PTE_WRITE) ? X86_PTE_W : 0;
	v |= (prot & PTE_EXEC) ? 0 : X86_PTE_NX;
	v |= (prot & PTE_USER) ? X86_PTE_U : 0;
	v |= (prot & PTE_DIRTY) ? X86_PTE_D : 0;
	v |= (prot & PTE_YOUNG) ? X86_PTE_A : 0;
	v |= (prot & PTE_NOCACHE) ? X86_PTE_PCD | X86_PTE_PWT : 0;
	v |= (prot & PTE_GLOBAL) ? X86_PTE_G : 0;
	return v;
}
static inline struct pte pte_make(struct paddr pa, unsigned int prot)
{
	u64 bits = x86_pte_bits(prot);

	return (struct pte){(pa.v ^ x86_pte_inversion(bits)) | bits};
}
static inline struct pte pte_make_huge(struct paddr pa, unsigned int prot)
{
	return (struct pte){pte_make(pa, prot).v | X86_PTE_PS};
}
static inline struct pte pte_make_table(struct paddr pa)
{
	return (struct pte){pa.v | X86_PTE_P | X86_PTE_W | X86_PTE_U | X86_PTE_A};
}
static inline struct pte pte_with_prot(struct pte e, unsigned int prot)
{
	return (struct pte){pte_make(pte_paddr(e), prot).v | (e.v & (X86_PTE_A | X86_PTE_D | X86_PTE_PS))};
}
/* An entry of level 1: one page, or a table. Neither: nothing is there. */
static inline bool pte_huge(struct pte e) { return e.v & X86_PTE_PS; }
static inline bool pte_is_table(struct pte e)
{
	return (e.v & (X86_PTE_P | X86_PTE_PS)) == X86_PTE_P;
}
/* Where the table of an entry is. */
static inline struct paddr pte_table_paddr(struct pte e) { return PADDR(e.v & X86_PTE_ADDR); }
/* The entry for the small page at pa, a part of the huge page of e. */
static inline struct pte pte_small(struct pte e, struct paddr pa)
{
	u64 bits = e.v & ~(X86_PTE_ADDR | X86_PTE_PS);

	return (struct pte){(pa.v ^ x86_pte_inversion(bits)) | bits};
}
static inline struct pte pte_wrprotect(struct pte e) { return (struct pte){e.v & ~X86_PTE_W}; }
static inline struct pte pte_clear_dirty(struct pte e) { return (struct pte){e.v & ~X86_PTE_D}; }
static inline struct pte pte_mkyoung(struct pte e) { return (struct pte){e.v | X86_PTE_A}; }
static inline struct pte pte_mkold(struct pte e) { return (struct pte){e.v & ~X86_PTE_A}; }

static inline struct pte pte_get(const struct pte *p) { return (struct pte){READ_ONCE(p->v)}; }
static inline void pte_set(struct pte *p, struct pte e) { WRITE_ONCE(p->v, e.v); }
static inline struct pte pte_xchg(struct pte *p, struct pte e)
{
	return (struct pte){__atomic_exchange_n(&p->v, e.v, __ATOMIC_SEQ_CST)};
}
static inline bool pte_cmpxchg(struct pte *p, struct pte *old, struct pte new)
{
	return __atomic_compare_exchange_n(&p->v, &old->v, new.v, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

/* A whole page at once. rep string instructions: what current processors do fastest. */
static inline void arch_clear_page(void *page)
{
	u64 words = PAGE_SIZE / 8;

	__asm__ __volatile__("rep stosq" : "+D"(page), "+c"(words) : "a"(0) : "memory");
}
static inline void arch_copy_page(void *dst, const void *src)
{
	u64 words = PAGE_SIZE / 8;

	__asm__ __volatile__("rep movsq" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
}
