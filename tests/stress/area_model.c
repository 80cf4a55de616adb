/*
 * Threads change areas of one address space at random (mmap, munmap, mprotect, madvise, mremap,
 * fork), each in a region of its own with a model of what every page must hold and allow. The
 * seeds are fixed. What may be read is compared directly and through process_vm_readv.
 */
#include "test.h"

#include <pthread.h>
#include <sys/uio.h>

#define PAGE      4096ul
#define PAGES     256
#define THREADS   4
#define RW        (PROT_READ | PROT_WRITE)
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)

struct model_page {
	int prot;
	u64 value; /* at `slot` of the page; 0: never written */
	u32 slot;
};

struct region {
	char *base;
	u32 seed;
	struct model_page page[PAGES];
};

static const int prots[] = { PROT_NONE, PROT_READ, RW, RW, PROT_READ | PROT_EXEC };

static u32 pick(struct region *r, u32 n)
{
	r->seed = r->seed * 1664525u + 1013904223u;
	return (r->seed >> 8) % n;
}

static u64 *word(struct region *r, u32 i)
{
	return (u64 *)(r->base + i * PAGE) + r->page[i].slot;
}

static void check_page(struct region *r, u32 i)
{
	const struct model_page *p = &r->page[i];
	u64 value = ~0ull;
	struct iovec local = { &value, 8 }, remote = { word(r, i), 8 };
	ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	if (!(p->prot & PROT_READ)) {
		CHECK_EQ(n, -1);
		return;
	}
	CHECK_EQ(n, 8);
	CHECK_EQ(value, p->value);
	CHECK_EQ(*(volatile u64 *)word(r, i), p->value);
}

static void write_page(struct region *r, u32 i)
{
	struct model_page *p = &r->page[i];

	if (p->prot != RW)
		return;
	if (!p->value)
		p->slot = pick(r, PAGE / 8);
	p->value = pick(r, 1u << 20) + 1;
	*(volatile u64 *)word(r, i) = p->value;
}

static void map_fresh(struct region *r, u32 i, u32 n, int prot, int flags)
{
	char *at = r->base + i * PAGE;

	CHECK(mmap(at, n * PAGE, prot, ANON | MAP_FIXED | flags, -1, 0) == at);
	for (u32 j = i; j < i + n; j++)
		r->page[j] = (struct model_page){ .prot = prot };
}

static void move_pages(struct region *r, u32 i, u32 n)
{
	u32 to = pick(r, PAGES);
	char *at = r->base + to * PAGE;

	if (to + n > PAGES || (to < i + n && i < to + n))
		return;
	errno = 0;
	if (mremap(r->base + i * PAGE, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) != at) {
		/* More than one area; the target may be gone already. */
		CHECK_EQ(errno, EFAULT);
		map_fresh(r, to, n, PROT_NONE, 0);
		return;
	}
	memcpy(&r->page[to], &r->page[i], n * sizeof(r->page[0]));
	map_fresh(r, i, n, PROT_NONE, 0);
}

static void fork_and_compare(struct region *r)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		for (u32 i = 0; i < PAGES; i++) {
			check_page(r, i);
			write_page(r, i);
			check_page(r, i);
		}
		_exit(0);
	}
	for (u32 i = 0; i < PAGES; i += 5)
		write_page(r, i);
	CHECK_EXITS(pid, 0);
}

static void step(struct region *r)
{
	u32 i = pick(r, PAGES), n = 1 + pick(r, 12);
	int prot = prots[pick(r, 5)];

	n = i + n > PAGES ? PAGES - i : n;
	switch (pick(r, 16)) {
	case 0:
		map_fresh(r, i, n, prot, 0);
		break;
	case 1:
		map_fresh(r, i, n, prot, MAP_POPULATE);
		break;
	case 2:
		CHECK_OK(munmap(r->base + i * PAGE, n * PAGE));
		map_fresh(r, i, n, PROT_NONE, MAP_NORESERVE);
		break;
	case 3:
	case 4:
		CHECK_OK(mprotect(r->base + i * PAGE, n * PAGE, prot));
		for (u32 j = i; j < i + n; j++)
			r->page[j].prot = prot;
		break;
	case 5:
		CHECK_OK(madvise(r->base + i * PAGE, n * PAGE, MADV_DONTNEED));
		for (u32 j = i; j < i + n; j++)
			r->page[j].value = 0;
		break;
	case 6:
		move_pages(r, i, n);
		break;
	case 7:
		if (!pick(r, 16))
			fork_and_compare(r);
		break;
	default:
		for (u32 j = i; j < i + n; j++) {
			write_page(r, j);
			check_page(r, j);
		}
	}
}

static void *run(void *arg)
{
	struct region *r = arg;

	for (long k = SCALE(150, 50000); k > 0; k--)
		step(r);
	for (u32 i = 0; i < PAGES; i++)
		check_page(r, i);
	return NULL;
}

TEST_LIMIT(areas_match_a_model_under_threads, 120)
{
	static struct region regions[THREADS];
	pthread_t threads[THREADS];

	for (u32 i = 0; i < THREADS; i++) {
		struct region *r = &regions[i];

		r->seed = i * 7919 + 1;
		r->base = mmap(NULL, PAGES * PAGE, PROT_NONE, ANON, -1, 0);
		CHECK(r->base != MAP_FAILED);
	}
	for (u32 i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, run, &regions[i]), 0);
	for (u32 i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}
