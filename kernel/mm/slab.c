/*
 * Slab caches. A slab is a block of 2^order pages cut into objects of one size; the free ones are
 * linked through a pointer inside them, with the head in struct page. In front of the slabs each
 * CPU keeps a list of free objects per cache.
 *
 * A CPU's list is touched by that CPU alone with interrupts disabled: no lock on the hot paths.
 * The cache lock guards the slabs and is taken once per batch. Works in any context (interrupts
 * included) with GFP_ATOMIC; freeing never sleeps.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/percpu.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/inject.h>
#include "slab.h"

struct slab_cpu {
	void *free;  /* linked objects */
	u64 count;
};

struct slab_cpus {
	struct slab_cpu cache[MAX_CACHES];
};
static DEFINE_PER_CPU(struct slab_cpus, slab_cpus);

static struct kmem_cache caches[MAX_CACHES];
static u32 nr_caches;
static DEFINE_SPINLOCK(caches_lock, LOCK_RANK_SLAB);

/* Empty slabs a cache keeps instead of returning them. */
#define KEEP_EMPTY 2

static struct slab_cpu *cpu_list(const struct kmem_cache *c)
{
	return &this_cpu_ptr(slab_cpus)->cache[c->id];
}

/* The slab's head page: tail pages store their distance. */
static struct page *slab_of(const void *obj)
{
	struct page *p = page_of(obj);

	return p - p->index;
}

static void account(const struct kmem_cache *c, s64 pages)
{
	mem_stat_add(STAT_SLAB, pages);
	if (c->reclaimable)
		mem_stat_add(STAT_SLAB_RECLAIMABLE, pages);
}

static struct page *slab_create(struct kmem_cache *c, unsigned int gfp)
{
	struct page *s = page_alloc(c->order, gfp & GFP_ATOMIC);
	char *va;

	if (!s)
		return NULL;
	for (u32 i = 0; i < 1U << c->order; i++) {
		s[i].private = c;
		s[i].index = i;
		s[i].flags |= BIT(PG_SLAB);
	}
	va = page_address(s);
	s->slab_free = NULL;
	s->slab_inuse = 0;
	for (u32 i = c->per_slab; i-- > 0;) {
		void *obj = va + i * c->stride;

		slab_debug_new(c, obj);
		slab_set_next(c, obj, s->slab_free);
		s->slab_free = obj;
	}
	kasan_poison(va, PAGE_SIZE << c->order, KASAN_FREE_SLAB);
	account(c, 1LL << c->order);
	return s;
}

/* The slab is off every list. */
static void slab_destroy(struct kmem_cache *c, struct page *s)
{
	for (u32 i = 0; i < 1U << c->order; i++) {
		s[i].private = NULL;
		s[i].index = 0;
		s[i].flags &= ~BIT(PG_SLAB);
	}
	account(c, -(1LL << c->order));
	page_put(s);
}

/* A slab with free objects, or NULL. */
static struct page *slab_with_room(struct kmem_cache *c)
{
	if (!list_empty(&c->partial))
		return list_first(&c->partial, struct page, lru);
	if (!list_empty(&c->empty)) {
		struct page *s = list_first(&c->empty, struct page, lru);

		c->nr_empty--;
		list_move_tail(&s->lru, &c->partial);
		return s;
	}
	return NULL;
}

/* Moves up to want free objects to the front of *list; the number. */
static u32 take_objects(struct kmem_cache *c, void **list, u32 want)
{
	struct page *s;
	u32 n = 0;

	ASSERT_HELD(&c->lock);
	while (n < want && (s = slab_with_room(c))) {
		while (n < want && s->slab_free) {
			void *obj = s->slab_free;

			s->slab_free = slab_next(c, obj);
			slab_set_next(c, obj, *list);
			*list = obj;
			s->slab_inuse++;
			n++;
		}
		if (!s->slab_free)
			list_del(&s->lru);
	}
	return n;
}

/* Returns an object to its slab. A slab that should be destroyed is put on *dead. */
static void give_object(struct kmem_cache *c, void *obj, struct list_head *dead)
{
	struct page *s = slab_of(obj);

	ASSERT_HELD(&c->lock);
	BUG_ON(s->private != c || !s->slab_inuse || obj == s->slab_free);
	if (!s->slab_free)
		list_add(&s->lru, &c->partial);
	slab_set_next(c, obj, s->slab_free);
	s->slab_free = obj;
	if (--s->slab_inuse)
		return;
	if (c->nr_empty < KEEP_EMPTY) {
		list_move_tail(&s->lru, &c->empty);
		c->nr_empty++;
	} else {
		list_move_tail(&s->lru, dead);
		c->nr_slabs--;
	}
}

static void destroy_slabs(struct kmem_cache *c, struct list_head *dead)
{
	struct page *s, *next;

	list_for_each_safe(s, next, dead, lru) {
		list_del(&s->lru);
		slab_destroy(c, s);
	}
}

/* Interrupts disabled. One object for the caller, the rest of a batch for the CPU's list. */
static void *refill(struct kmem_cache *c)
{
	struct slab_cpu *cpu = cpu_list(c);
	void *obj;

	spin_lock(&c->lock);
	cpu->count += take_objects(c, &cpu->free, c->cpu_limit / 2);
	spin_unlock_no_resched(&c->lock);
	obj = cpu->free;
	if (obj) {
		cpu->free = slab_next(c, obj);
		cpu->count--;
	}
	return obj;
}

static __noinline void *alloc_slow(struct kmem_cache *c, unsigned int gfp)
{
	u64 flags = arch_irq_save();
	void *obj = refill(c);
	struct page *s;

	arch_irq_restore(flags);
	if (obj)
		return obj;
	s = slab_create(c, gfp); /* may sleep: nothing is held */
	if (!s)
		return NULL;
	flags = spin_lock_irqsave(&c->lock);
	c->nr_slabs++;
	c->nr_empty++;
	list_add(&s->lru, &c->empty);
	take_objects(c, &obj, 1);
	spin_unlock_irqrestore(&c->lock, flags);
	return obj;
}

void *slab_alloc_sized(struct kmem_cache *c, size_t size, unsigned int gfp)
{
	struct slab_cpu *cpu;
	void *obj;
	u64 flags;

	if (inject_failure())
		return NULL;
	flags = arch_irq_save();
	cpu = cpu_list(c);
	obj = cpu->free;
	if (likely(obj)) {
		cpu->free = slab_next(c, obj);
		cpu->count--;
	}
	arch_irq_restore(flags);
	if (unlikely(!obj)) {
		obj = alloc_slow(c, gfp);
		if (!obj)
			return NULL;
	}
	kasan_unpoison(obj, size);
	slab_debug_alloc(c, obj);
	if ((gfp | gfp_always) & GFP_ZERO)
		memset(obj, 0, size);
	return obj;
}

void *kmem_cache_alloc(struct kmem_cache *c, unsigned int gfp)
{
	return slab_alloc_sized(c, c->size, gfp);
}

/* Half of the CPU's list, or all of it, goes back to the slabs. Interrupts disabled. */
static void cpu_flush(struct kmem_cache *c, struct slab_cpu *cpu, u32 keep)
{
	struct list_head dead = LIST_INIT(dead);

	spin_lock(&c->lock);
	while (cpu->count > keep) {
		void *obj = cpu->free;

		cpu->free = slab_next(c, obj);
		cpu->count--;
		give_object(c, obj, &dead);
	}
	spin_unlock_no_resched(&c->lock);
	destroy_slabs(c, &dead);
}

static void slab_free(struct kmem_cache *c, void *obj)
{
	u64 flags = arch_irq_save();
	struct slab_cpu *cpu = cpu_list(c);

	BUG_ON(obj == cpu->free); /* freed twice in a row */
	slab_set_next(c, obj, cpu->free);
	cpu->free = obj;
	if (unlikely(++cpu->count > c->cpu_limit))
		cpu_flush(c, cpu, c->cpu_limit / 2);
	arch_irq_restore(flags);
}

void kmem_cache_free(struct kmem_cache *c, void *obj)
{
	if (!obj)
		return;
	BUG_ON(!page_test(page_of(obj), PG_SLAB) || page_of(obj)->private != c);
#ifdef CONFIG_KASAN
	BUG_ON(kasan_is_poisoned(obj));
#endif
	slab_debug_free(c, obj);
	kasan_poison(obj, c->stride, KASAN_FREE_SLAB);
#ifdef CONFIG_KASAN
	obj = kasan_quarantine(obj);
	if (!obj)
		return;
	c = slab_of(obj)->private;
#endif
	slab_free(c, obj);
}

/* Small slabs waste the tail of a page; grow the slab until at most 1/8 is lost. */
static u32 slab_order(u32 stride)
{
	for (u32 order = 0; order < 3; order++) {
		u32 bytes = (u32)PAGE_SIZE << order;

		if (bytes >= stride * 4 && bytes % stride <= bytes / 8)
			return order;
	}
	return 3;
}

static void cache_layout(struct kmem_cache *c, size_t size, size_t align)
{
	c->size = size;
	c->link = 0;
	c->stride = ALIGN_UP(MAX(size, sizeof(void *)), align);
#ifdef CONFIG_DEBUG
	slab_debug_layout(c, align);
#endif
	c->order = slab_order(c->stride);
	c->per_slab = ((u32)PAGE_SIZE << c->order) / c->stride;
	c->cpu_limit = c->stride <= 256 ? 64 : c->stride <= 1024 ? 32 : c->stride <= 4096 ? 8 : 4;
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	struct kmem_cache *c;
	u64 flags;

	align = MAX(align, sizeof(void *));
	BUG_ON(!size || size > 16384 || (align & (align - 1)) || align > PAGE_SIZE);
	flags = spin_lock_irqsave(&caches_lock);
	BUG_ON(nr_caches == MAX_CACHES);
	c = &caches[nr_caches];
	c->name = name;
	c->id = nr_caches;
	if (arch_random(&c->secret, sizeof(c->secret)) < sizeof(c->secret))
		c->secret = arch_cycles() * 0x9e3779b97f4a7c15ULL;
	cache_layout(c, size, align);
	spin_init(&c->lock, LOCK_RANK_SLAB);
	list_init(&c->partial);
	list_init(&c->empty);
	smp_store_release(&nr_caches, nr_caches + 1);
	spin_unlock_irqrestore(&caches_lock, flags);
	return c;
}

void kmem_cache_set_reclaimable(struct kmem_cache *c)
{
	c->reclaimable = true;
}

static u64 reclaim_cache(struct kmem_cache *c)
{
	struct list_head dead = LIST_INIT(dead);
	u64 flags = arch_irq_save();
	u64 pages;

	cpu_flush(c, cpu_list(c), 0);
	spin_lock(&c->lock);
	list_splice_tail(&c->empty, &dead);
	pages = (u64)c->nr_empty << c->order;
	c->nr_slabs -= c->nr_empty;
	c->nr_empty = 0;
	spin_unlock_no_resched(&c->lock);
	arch_irq_restore(flags);
	destroy_slabs(c, &dead);
	return pages;
}

bool slab_span_ok(const struct page *p, const void *start, size_t n)
{
	const struct page *s = p - p->index;
	const struct kmem_cache *c = p->private;
	u64 offset = (u64)((const char *)start - (const char *)page_address(s)) % c->stride;

	return offset <= c->size && n <= c->size - offset;
}

u64 slab_reclaim(void)
{
	u32 n = smp_load_acquire(&nr_caches);
	u64 pages = 0;

	for (u32 i = 0; i < n; i++)
		pages += reclaim_cache(&caches[i]);
	return pages;
}

void slab_init(void)
{
	kmalloc_init();
}

bool slab_info(u32 index, struct slab_info *info)
{
	struct kmem_cache *c = &caches[index];
	const struct page *p;
	u64 flags, unused;

	if (index >= READ_ONCE(nr_caches))
		return false;
	flags = spin_lock_irqsave(&c->lock);
	unused = (u64)c->nr_empty * c->per_slab;
	list_for_each(p, &c->partial, lru)
		unused += c->per_slab - p->slab_inuse;
	*info = (struct slab_info){
		.name = c->name, .slabs = c->nr_slabs, .objects = c->nr_slabs * c->per_slab,
		.active = c->nr_slabs * c->per_slab - unused, .size = c->stride,
		.per_slab = c->per_slab, .order = c->order,
	};
	spin_unlock_irqrestore(&c->lock, flags);
	return true;
}
