/*
 * Shared anonymous memory: mmap(MAP_SHARED | MAP_ANONYMOUS). A mapping without a file, owned by the
 * areas that show it; Linux lists it as "/dev/zero (deleted)". Its size is fixed when it is made:
 * an area that mremap enlarged beyond it gets SIGBUS there, as on Linux.
 */
#include <lib/errno.h>
#include <mm/slab.h>
#include "vma.h"

struct anon_shared {
	struct ref ref;
	u64 nr_pages; /* const */
	struct mapping mapping;
};

static const struct mapping_ops memory_ops = {.memory_backed = true};

static int anon_shared_fault(struct vma *v, u64 pgoff, bool write __maybe_unused,
			     struct page **page)
{
	struct anon_shared *s = v->private;

	if (pgoff >= s->nr_pages)
		return -EFAULT;
	return page_cache_get(&s->mapping, pgoff, page);
}

static void anon_shared_open(struct vma *v)
{
	struct anon_shared *s = v->private;

	ref_get(&s->ref);
}

static void anon_shared_close(struct vma *v)
{
	struct anon_shared *s = v->private;

	if (!ref_put(&s->ref))
		return;
	mapping_fini(&s->mapping);
	kfree(s);
}

static const char *anon_shared_name(struct vma *v __maybe_unused)
{
	return "/dev/zero (deleted)";
}

static const struct vma_ops anon_shared_ops = {
	.fault = anon_shared_fault,
	.open = anon_shared_open,
	.close = anon_shared_close,
	.name = anon_shared_name,
};

int anon_shared_attach(struct vma *v)
{
	struct anon_shared *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	ref_init(&s->ref);
	s->nr_pages = vma_pages(v);
	mapping_init(&s->mapping, NULL, &memory_ops);
	v->private = s;
	v->ops = &anon_shared_ops;
	return 0;
}

struct mapping *anon_shared_mapping(const struct vma *v)
{
	return v->ops == &anon_shared_ops ? &((struct anon_shared *)v->private)->mapping : NULL;
}
