/*
 * Sparse arrays of pointers: radix trees of 64-way nodes. The owner's lock serialises changes;
 * loads and searches run under RCU.
 *
 * An array that holds index 0 only keeps that entry in the root pointer itself, without a node:
 * most files are one page long. Otherwise the root is a node (bit 1 of the pointer set), and the
 * node says how many index bits lie below it, so that a reader needs nothing but the one pointer.
 *
 * Why readers are safe: a node is filled before it is published (release stores), is unlinked
 * before it is freed after a grace period, and its shift never changes. When the tree grows, the
 * old root becomes slot 0 of the new one; when it shrinks, slot 0 becomes the root and the old
 * root keeps pointing to it. A reader with either root reaches the same entries.
 *
 * Each node has three kinds of summary, one bit per slot: `used` (there is something), `full`
 * (no index is free below: an entry at the leaf) and the marks (some entry below carries it).
 */
#include <lib/bits.h>
#include <lib/env.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <lib/xarray.h>

#define XA_BITS   6
#define XA_SLOTS  (1u << XA_BITS)
#define XA_LEVELS 11 /* 64 index bits in steps of 6 */
#define NODE_TAG  2UL

struct xa_node {
	void *free_link[2]; /* lib_free_rcu's */
	u8 shift;           /* const: index bits below one slot */
	u64 used, full, marks[XA_MARKS];
	void *slot[XA_SLOTS];
};

static struct xa_node *as_node(void *p)
{
	return (uptr)p & NODE_TAG ? (struct xa_node *)((uptr)p & ~NODE_TAG) : NULL;
}

static void *tagged(struct xa_node *n)
{
	return (void *)((uptr)n | NODE_TAG);
}

static void *root_load(const struct xarray *xa)
{
	return __atomic_load_n(&xa->root, __ATOMIC_CONSUME);
}

static void *slot_load(const struct xa_node *n, unsigned int i)
{
	return __atomic_load_n(&n->slot[i], __ATOMIC_CONSUME);
}

static void slot_store(struct xa_node *n, unsigned int i, void *p)
{
	__atomic_store_n(&n->slot[i], p, __ATOMIC_RELEASE);
}

static unsigned int slot_of(const struct xa_node *n, u64 index)
{
	return (index >> n->shift) % XA_SLOTS;
}

/* The highest index that a tree with this root node can hold. */
static u64 node_max(const struct xa_node *n)
{
	unsigned int bits = n->shift + XA_BITS;

	return bits >= 64 ? U64_MAX : BIT(bits) - 1;
}

static void set_bit_to(u64 *word, unsigned int i, bool on)
{
	WRITE_ONCE(*word, on ? *word | BIT(i) : *word & ~BIT(i));
}

void *xa_load(const struct xarray *xa, u64 index)
{
	void *p = root_load(xa);
	struct xa_node *n = as_node(p);

	if (!n)
		return index ? NULL : p;
	if (index > node_max(n))
		return NULL;
	for (;;) {
		p = slot_load(n, slot_of(n, index));
		if (!n->shift)
			return p;
		if (!p)
			return NULL;
		n = p;
	}
}

/* The nodes from the root to the leaf of an index. Owner's lock. */
struct xa_path {
	struct xa_node *node[XA_LEVELS];
	unsigned int nr;
};

/* False when the index has no leaf node. */
static bool path_find(const struct xarray *xa, u64 index, struct xa_path *path)
{
	struct xa_node *n = as_node(xa->root);

	path->nr = 0;
	if (!n || index > node_max(n))
		return false;
	while (n) {
		path->node[path->nr++] = n;
		if (!n->shift)
			return true;
		n = n->slot[slot_of(n, index)];
	}
	return false;
}

/* Recomputes the summaries of the path's nodes, from the leaf (already right) upwards. */
static void path_summarise(const struct xa_path *path, u64 index)
{
	for (unsigned int level = path->nr - 1; level > 0; level--) {
		const struct xa_node *child = path->node[level];
		struct xa_node *n = path->node[level - 1];
		unsigned int i = slot_of(n, index);

		set_bit_to(&n->full, i, child->full == ~0ULL);
		for (unsigned int m = 0; m < XA_MARKS; m++)
			set_bit_to(&n->marks[m], i, child->marks[m] != 0);
	}
}

/* Unlinks and frees the nodes of the path that have become empty. */
static void path_prune(struct xarray *xa, const struct xa_path *path, u64 index)
{
	for (unsigned int level = path->nr; level-- > 0;) {
		struct xa_node *n = path->node[level];

		if (n->used)
			return;
		if (level) {
			struct xa_node *parent = path->node[level - 1];
			unsigned int i = slot_of(parent, index);

			slot_store(parent, i, NULL);
			set_bit_to(&parent->used, i, false);
		} else {
			__atomic_store_n(&xa->root, NULL, __ATOMIC_RELEASE);
		}
		lib_free_rcu(n);
	}
}

/* While the root has nothing but slot 0 (or nothing at all), that becomes the root. */
static void shrink(struct xarray *xa)
{
	struct xa_node *n;

	while ((n = as_node(xa->root)) && !(n->used & ~BIT(0))) {
		u32 marks = 0;

		for (unsigned int m = 0; m < XA_MARKS; m++)
			marks |= (n->marks[m] & 1) << m;
		xa->root_marks = n->shift ? 0 : marks;
		__atomic_store_n(&xa->root,
				 n->shift && n->slot[0] ? tagged(n->slot[0]) : n->slot[0],
				 __ATOMIC_RELEASE);
		lib_free_rcu(n);
	}
}

static unsigned int shift_for(u64 index)
{
	return index ? bit_highest(index) / XA_BITS * XA_BITS : 0;
}

/* A new root that reaches index, above the present content, which becomes its slot 0. */
static int grow(struct xarray *xa, u64 index)
{
	struct xa_node *old = as_node(xa->root);
	struct xa_node *n = lib_alloc(sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->shift = old ? old->shift + XA_BITS : xa->root ? 0 : shift_for(index);
	n->slot[0] = old ? (void *)old : xa->root;
	n->used = xa->root ? BIT(0) : 0;
	n->full = (old ? old->full == ~0ULL : xa->root != NULL) ? BIT(0) : 0;
	for (unsigned int m = 0; m < XA_MARKS; m++)
		n->marks[m] = old ? old->marks[m] != 0 : (xa->root_marks >> m) & 1;
	__atomic_store_n(&xa->root, tagged(n), __ATOMIC_RELEASE);
	xa->root_marks = 0;
	return 0;
}

int xa_reserve(struct xarray *xa, u64 index)
{
	struct xa_node *n = as_node(xa->root), *child;

	if (!n && !index)
		return 0;
	while (!n || index > node_max(n)) {
		if (grow(xa, index))
			goto no_memory;
		n = as_node(xa->root);
	}
	while (n->shift) {
		unsigned int i = slot_of(n, index);

		child = n->slot[i];
		if (!child) {
			child = lib_alloc(sizeof(*child));
			if (!child)
				goto no_memory;
			child->shift = n->shift - XA_BITS;
			slot_store(n, i, child);
			set_bit_to(&n->used, i, true);
		}
		n = child;
	}
	return 0;
no_memory:
	/* What was made so far must not stay behind as empty nodes. */
	xa_erase(xa, index);
	return -ENOMEM;
}

int xa_store(struct xarray *xa, u64 index, void *entry, void **old)
{
	struct xa_path path;
	struct xa_node *leaf;
	unsigned int i;
	void *before;
	int err;

	if (!entry) {
		before = xa_erase(xa, index);
		goto out;
	}
	err = xa_reserve(xa, index);
	if (err)
		return err;
	if (!path_find(xa, index, &path)) {
		before = xa->root;
		__atomic_store_n(&xa->root, entry, __ATOMIC_RELEASE);
		goto out;
	}
	leaf = path.node[path.nr - 1];
	i = slot_of(leaf, index);
	before = leaf->slot[i];
	slot_store(leaf, i, entry);
	if (!before) {
		set_bit_to(&leaf->used, i, true);
		set_bit_to(&leaf->full, i, true);
		if (leaf->full == ~0ULL)
			path_summarise(&path, index);
	}
out:
	if (old)
		*old = before;
	return 0;
}

void *xa_erase(struct xarray *xa, u64 index)
{
	struct xa_path path;
	struct xa_node *leaf;
	unsigned int i;
	void *before;

	if (!as_node(xa->root)) {
		before = index ? NULL : xa->root;
		if (before) {
			__atomic_store_n(&xa->root, NULL, __ATOMIC_RELEASE);
			xa->root_marks = 0;
		}
		return before;
	}
	if (!path_find(xa, index, &path)) {
		if (path.nr)
			path_prune(xa, &path, index);
		shrink(xa);
		return NULL;
	}
	leaf = path.node[path.nr - 1];
	i = slot_of(leaf, index);
	before = leaf->slot[i];
	slot_store(leaf, i, NULL);
	set_bit_to(&leaf->used, i, false);
	set_bit_to(&leaf->full, i, false);
	for (unsigned int m = 0; m < XA_MARKS; m++)
		set_bit_to(&leaf->marks[m], i, false);
	path_summarise(&path, index);
	path_prune(xa, &path, index);
	shrink(xa);
	return before;
}

/* The slots of a leaf from first on. */
static u64 run_bits(u64 first, u32 nr)
{
	return (nr < 64 ? BIT(nr) - 1 : ~0ULL) << first % XA_SLOTS;
}

int xa_store_run(struct xarray *xa, u64 first, u32 nr, void *entry, size_t step)
{
	u64 bits = run_bits(first, nr);
	struct xa_path path;
	struct xa_node *leaf;
	int err = xa_reserve(xa, first + nr - 1);

	if (err)
		return err;
	if (!path_find(xa, first, &path))
		return xa->root ? -EEXIST : xa_store(xa, first, entry, NULL); /* index 0 alone */
	leaf = path.node[path.nr - 1];
	if (leaf->used & bits)
		return -EEXIST;
	for (u32 i = 0; i < nr; i++)
		slot_store(leaf, (unsigned int)(first % XA_SLOTS) + i, (char *)entry + i * step);
	WRITE_ONCE(leaf->used, leaf->used | bits);
	WRITE_ONCE(leaf->full, leaf->full | bits);
	if (leaf->full == ~0ULL)
		path_summarise(&path, first);
	return 0;
}

void xa_erase_run(struct xarray *xa, u64 first, u32 nr)
{
	u64 bits = run_bits(first, nr);
	struct xa_path path;
	struct xa_node *leaf;

	if (!path_find(xa, first, &path)) {
		xa_erase(xa, first);
		return;
	}
	leaf = path.node[path.nr - 1];
	for (u32 i = 0; i < nr; i++)
		slot_store(leaf, (unsigned int)(first % XA_SLOTS) + i, NULL);
	WRITE_ONCE(leaf->used, leaf->used & ~bits);
	WRITE_ONCE(leaf->full, leaf->full & ~bits);
	for (unsigned int m = 0; m < XA_MARKS; m++)
		WRITE_ONCE(leaf->marks[m], leaf->marks[m] & ~bits);
	path_summarise(&path, first);
	path_prune(xa, &path, first);
	shrink(xa);
}

/* Searches one subtree from *index on; recursion is at most XA_LEVELS deep. mark < 0: any entry. */
static void *find_below(const struct xa_node *n, u64 *index, u64 last, int mark)
{
	u64 base = *index & ~node_max(n);
	u64 bits = READ_ONCE(*(mark < 0 ? &n->used : &n->marks[mark]));

	bits &= ~0ULL << slot_of(n, *index);
	for (; bits; bits &= bits - 1) {
		unsigned int i = bit_lowest(bits);
		u64 first = base | (u64)i << n->shift;
		void *p = slot_load(n, i);

		if (first > *index)
			*index = first;
		if (*index > last)
			return NULL;
		if (p && n->shift)
			p = find_below(p, index, last, mark);
		if (p || *index > last)
			return p;
	}
	return NULL;
}

static void *find(const struct xarray *xa, u64 *index, u64 last, int mark)
{
	void *p = root_load(xa);
	const struct xa_node *n = as_node(p);

	if (*index > last)
		return NULL;
	if (n)
		return *index > node_max(n) ? NULL : find_below(n, index, last, mark);
	if (*index || (mark >= 0 && !(READ_ONCE(xa->root_marks) & BIT(mark))))
		return NULL;
	return p;
}

void *xa_find(const struct xarray *xa, u64 *index, u64 last)
{
	return find(xa, index, last, -1);
}

void *xa_find_marked(const struct xarray *xa, u64 *index, u64 last, unsigned int mark)
{
	return find(xa, index, last, (int)mark);
}

static void set_mark_to(struct xarray *xa, u64 index, unsigned int mark, bool on)
{
	struct xa_path path;
	struct xa_node *leaf;
	unsigned int i;

	if (path_find(xa, index, &path)) {
		leaf = path.node[path.nr - 1];
		i = slot_of(leaf, index);
		if (!leaf->slot[i])
			return;
		set_bit_to(&leaf->marks[mark], i, on);
		path_summarise(&path, index);
	} else if (!index && xa->root && !as_node(xa->root)) {
		WRITE_ONCE(xa->root_marks,
			   on ? xa->root_marks | BIT(mark) : xa->root_marks & ~BIT(mark));
	}
}

void xa_set_mark(struct xarray *xa, u64 index, unsigned int mark)
{
	set_mark_to(xa, index, mark, true);
}

void xa_clear_mark(struct xarray *xa, u64 index, unsigned int mark)
{
	set_mark_to(xa, index, mark, false);
}

bool xa_get_mark(const struct xarray *xa, u64 index, unsigned int mark)
{
	struct xa_path path;
	const struct xa_node *leaf;

	if (!path_find(xa, index, &path))
		return !index && xa->root && !as_node(xa->root) && xa->root_marks & BIT(mark);
	leaf = path.node[path.nr - 1];
	return leaf->marks[mark] & BIT(slot_of(leaf, index));
}

/* The first free index at or after *index below n; false when there is none. */
static bool find_free_below(const struct xa_node *n, u64 *index)
{
	u64 base = *index & ~node_max(n);
	u64 bits = ~n->full & ~0ULL << slot_of(n, *index);

	for (; bits; bits &= bits - 1) {
		unsigned int i = bit_lowest(bits);
		u64 first = base | (u64)i << n->shift;

		if (n->shift + XA_BITS > 64 && i >> (64 - n->shift))
			return false; /* the top node has fewer than 64 slots */
		if (first > *index)
			*index = first;
		if (!n->shift || !n->slot[i] || find_free_below(n->slot[i], index))
			return true;
	}
	return false;
}

int xa_find_free(const struct xarray *xa, u64 first, u64 last, u64 *index)
{
	const struct xa_node *n = as_node(xa->root);
	u64 at = first;

	if (!n) {
		if (!at && xa->root)
			at = 1;
	} else if (at <= node_max(n) && !find_free_below(n, &at)) {
		if (node_max(n) == U64_MAX)
			return -ENOSPC;
		at = node_max(n) + 1;
	}
	if (at > last || at < first)
		return -ENOSPC;
	*index = at;
	return 0;
}

static void free_below(struct xa_node *n)
{
	for (u64 bits = n->shift ? n->used : 0; bits; bits &= bits - 1)
		free_below(n->slot[bit_lowest(bits)]);
	lib_free(n);
}

void xa_destroy(struct xarray *xa)
{
	struct xa_node *n = as_node(xa->root);

	if (n)
		free_below(n);
	xa_init(xa);
}
