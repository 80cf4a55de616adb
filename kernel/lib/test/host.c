/*
 * The surroundings of lib/ on the host: an allocator that counts, fails on request, and frees at
 * once where the kernel would wait for readers, so that ASan sees every use after free.
 */
#include "host.h"
#include <lib/env.h>

long host_allocs_left = -1;
long host_allocs_live;

void *lib_alloc(size_t size)
{
	if (host_allocs_left == 0)
		return NULL;
	if (host_allocs_left > 0)
		host_allocs_left--;
	host_allocs_live++;
	return calloc(1, size);
}

void lib_free(void *p)
{
	host_allocs_live -= p != NULL;
	free(p);
}

void lib_free_rcu(void *p)
{
	lib_free(p);
}

u64 host_random(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}
