/* Trees: red-black invariants and augmentation, sparse arrays against a plain one. links: lib/rbtree.c lib/xarray.c */
#include "host.h"
#include <lib/errno.h>
#include <lib/rbtree.h>
#include <lib/xarray.h>
#include <string.h>

struct item {
	struct rb_node rb;
	u64 key, sum; /* sum of the subtree's keys */
	bool in;
};

static struct item *item_of(struct rb_node *n)
{
	return n ? container_of(n, struct item, rb) : NULL;
}

static u64 sum_of(struct rb_node *n)
{
	return n ? item_of(n)->sum : 0;
}

static bool update(struct rb_node *n)
{
	u64 before = item_of(n)->sum;

	item_of(n)->sum = item_of(n)->key + sum_of(n->left) + sum_of(n->right);
	return item_of(n)->sum != before;
}

static void insert(struct rb_root *root, struct item *it)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = it->key < item_of(parent)->key ? &parent->left : &parent->right;
	}
	rb_insert(root, &it->rb, parent, link, update);
	it->in = true;
}

/* The black height; checks colours, order, parents and sums on the way. */
static int check(struct rb_node *n, struct rb_node *parent)
{
	if (!n)
		return 1;
	assert_ptr_equal(rb_parent(n), parent);
	if (!(n->parent_color & 1)) {
		assert_true(!n->left || n->left->parent_color & 1);
		assert_true(!n->right || n->right->parent_color & 1);
	}
	assert_true(!n->left || item_of(n->left)->key <= item_of(n)->key);
	assert_true(!n->right || item_of(n->right)->key >= item_of(n)->key);

	int left = check(n->left, n), right = check(n->right, n);

	assert_int_equal(left, right);
	assert_true(item_of(n)->sum == item_of(n)->key + sum_of(n->left) + sum_of(n->right));
	return left + (n->parent_color & 1);
}

static void rbtree_stays_balanced(void **state)
{
	static struct item items[200];
	struct rb_root root = {0};
	u64 seed = 1, nr = 0;

	for (int step = 0; step < 20000; step++) {
		struct item *it = &items[host_random(&seed) % ARRAY_SIZE(items)];

		if (it->in) {
			rb_erase(&root, &it->rb, update);
			it->in = false;
			nr--;
		} else {
			it->key = host_random(&seed) % 1000;
			insert(&root, it);
			nr++;
		}
		check(root.node, NULL);
	}

	u64 seen = 0, last = 0;

	for (struct rb_node *n = rb_first(&root); n; n = rb_next(n), seen++) {
		assert_true(item_of(n)->key >= last);
		last = item_of(n)->key;
	}
	assert_int_equal(seen, nr);
	for (struct rb_node *n = rb_last(&root); n; n = rb_prev(n))
		seen--;
	assert_int_equal(seen, 0);
}

static void rb_replace_keeps_the_place(void **state)
{
	struct item a = {.key = 1}, b = {.key = 2}, c = {.key = 3}, d;
	struct rb_root root = {0};

	insert(&root, &a);
	insert(&root, &b);
	insert(&root, &c);
	d = b;
	rb_replace(&root, &b.rb, &d.rb);
	check(root.node, NULL);
	assert_ptr_equal(rb_next(&a.rb), &d.rb);
	d.key = 2;
	rb_propagate(&d.rb, update);
	assert_int_equal(item_of(root.node)->sum, 6);
}

#define SPAN 5000
static void *model[SPAN];
static bool marked[SPAN];

static void *value(u64 i)
{
	return (void *)((i + 1) * 4);
}

static void compare_with_model(struct xarray *xa, u64 scale)
{
	u64 index, found = 0, expect = 0;
	void *p;

	for (u64 i = 0; i < SPAN; i++) {
		assert_ptr_equal(xa_load(xa, i * scale), model[i]);
		assert_int_equal(xa_get_mark(xa, i * scale, 1), marked[i]);
		expect += model[i] != NULL;
	}
	xa_for_each(xa, index, p) {
		assert_int_equal(index % scale, 0);
		assert_ptr_equal(p, model[index / scale]);
		found++;
	}
	assert_int_equal(found, expect);
	index = 0;
	for (u64 i = 0; i < SPAN; i++) {
		if (!marked[i])
			continue;
		assert_ptr_equal(xa_find_marked(xa, &index, U64_MAX, 1), model[i]);
		assert_true(index == i * scale);
		index++;
	}
	assert_null(xa_find_marked(xa, &index, U64_MAX, 1));
}

static void xarray_equals_plain_array(void **state)
{
	const u64 scales[] = {1, 63, 1ULL << 20, 1ULL << 51};

	for (int s = 0; s < 4; s++) {
		struct xarray xa;
		u64 seed = 7;

		xa_init(&xa);
		memset(model, 0, sizeof(model));
		memset(marked, 0, sizeof(marked));
		for (int step = 0; step < 30000; step++) {
			u64 r = host_random(&seed);
			u64 i = step < 15000 ? r % SPAN : r % 40;

			if (r >> 60 < 8) {
				void *old;

				assert_int_equal(xa_store(&xa, i * scales[s], value(i), &old), 0);
				assert_ptr_equal(old, model[i]);
				model[i] = value(i);
			} else if (r >> 60 < 12) {
				assert_ptr_equal(xa_erase(&xa, i * scales[s]), model[i]);
				model[i] = NULL;
				marked[i] = false;
			} else if (r >> 60 < 15) {
				xa_set_mark(&xa, i * scales[s], 1);
				marked[i] = model[i] != NULL;
			} else {
				xa_clear_mark(&xa, i * scales[s], 1);
				marked[i] = false;
			}
		}
		compare_with_model(&xa, scales[s]);
		for (u64 i = 0; i < SPAN; i++)
			assert_ptr_equal(xa_erase(&xa, i * scales[s]), model[i]);
		assert_null(xa.root);
		assert_int_equal(host_allocs_live, 0);
	}
}

/* Runs against the plain array: aligned, of 1 to 64 entries, among single ones. */
static void xarray_runs_equal_single_stores(void **state)
{
	struct xarray xa;
	u64 seed = 9;

	xa_init(&xa);
	memset(model, 0, sizeof(model));
	memset(marked, 0, sizeof(marked));
	for (int step = 0; step < 30000; step++) {
		u64 r = host_random(&seed);
		u32 nr = 1u << (r >> 20) % 7;
		u64 first = (step < 15000 ? r % (SPAN - 64) : r % 128) / nr * nr;
		bool taken = false;

		for (u32 i = 0; i < nr; i++)
			taken |= model[first + i] != NULL;
		if (r >> 60 < 7) {
			assert_int_equal(xa_store_run(&xa, first, nr, value(first), 4), taken ? -EEXIST : 0);
			for (u32 i = 0; !taken && i < nr; i++)
				model[first + i] = value(first + i);
		} else if (r >> 60 < 10) {
			xa_erase_run(&xa, first, nr);
			for (u32 i = 0; i < nr; i++) {
				model[first + i] = NULL;
				marked[first + i] = false;
			}
		} else if (r >> 60 < 13) {
			assert_ptr_equal(xa_erase(&xa, first), model[first]);
			model[first] = NULL;
			marked[first] = false;
		} else {
			xa_set_mark(&xa, first, 1);
			marked[first] = model[first] != NULL;
		}
	}
	compare_with_model(&xa, 1);
	for (u64 i = 0; i < SPAN / 64 * 64 + 64; i += 64)
		xa_erase_run(&xa, i, 64);
	assert_null(xa.root);
	assert_int_equal(host_allocs_live, 0);
}

/* A run that finds no memory leaves nothing behind. */
static void xarray_run_without_memory(void **state)
{
	for (long fail = 0; fail < 7; fail++) {
		struct xarray xa;
		int err;

		xa_init(&xa);
		assert_int_equal(xa_store(&xa, 0, value(0), NULL), 0);
		host_allocs_left = fail;
		err = xa_store_run(&xa, 1 << 13, 16, value(1), 4);
		host_allocs_left = -1;
		assert_int_equal(err, fail < 5 ? -ENOMEM : 0);
		xa_erase_run(&xa, 1 << 13, 16);
		assert_ptr_equal(xa_erase(&xa, 0), value(0));
		assert_null(xa.root);
		assert_int_equal(host_allocs_live, 0);
	}
}

static void xarray_holds_the_last_index(void **state)
{
	struct xarray xa;
	u64 index = 0;

	xa_init(&xa);
	assert_int_equal(xa_store(&xa, U64_MAX, value(1), NULL), 0);
	assert_ptr_equal(xa_find(&xa, &index, U64_MAX), value(1));
	assert_true(index == U64_MAX);
	assert_int_equal(xa_find_free(&xa, U64_MAX, U64_MAX, &index), -ENOSPC);
	assert_int_equal(xa_find_free(&xa, U64_MAX - 1, U64_MAX, &index), 0);
	assert_true(index == U64_MAX - 1);
	assert_null(xa_load(&xa, 0));
	xa_destroy(&xa);
	assert_int_equal(host_allocs_live, 0);
}

static void xa_find_free_is_the_lowest(void **state)
{
	struct xarray xa;
	u64 index;

	xa_init(&xa);
	for (u64 i = 0; i < SPAN; i++) {
		assert_int_equal(xa_find_free(&xa, 0, U64_MAX, &index), 0);
		assert_int_equal(index, i);
		assert_int_equal(xa_store(&xa, index, value(i), NULL), 0);
	}
	xa_erase(&xa, 4097);
	xa_erase(&xa, 130);
	assert_int_equal(xa_find_free(&xa, 0, U64_MAX, &index), 0);
	assert_int_equal(index, 130);
	assert_int_equal(xa_find_free(&xa, 131, U64_MAX, &index), 0);
	assert_int_equal(index, 4097);
	assert_int_equal(xa_find_free(&xa, 131, 4096, &index), -ENOSPC);
	xa_destroy(&xa);
	assert_int_equal(host_allocs_live, 0);
}

static void xarray_survives_lack_of_memory(void **state)
{
	const u64 where[] = {0, 1, 70, 5000, 1ULL << 40, U64_MAX};

	for (long left = 0; left < 12; left++) {
		for (int i = 0; i < 6; i++) {
			struct xarray xa;

			xa_init(&xa);
			assert_int_equal(xa_store(&xa, 3, value(3), NULL), 0);
			host_allocs_left = left;
			int err = xa_store(&xa, where[i], value(9), NULL);
			host_allocs_left = -1;
			assert_ptr_equal(xa_load(&xa, where[i]), err ? NULL : value(9));
			assert_ptr_equal(xa_load(&xa, 3), value(3));
			if (err)
				assert_int_equal(host_allocs_live, 1);
			assert_int_equal(xa_reserve(&xa, where[i]), 0);
			xa_erase(&xa, where[i]);
			xa_erase(&xa, 3);
			assert_int_equal(host_allocs_live, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rbtree_stays_balanced),
		cmocka_unit_test(rb_replace_keeps_the_place),
		cmocka_unit_test(xarray_equals_plain_array),
		cmocka_unit_test(xarray_runs_equal_single_stores),
		cmocka_unit_test(xarray_run_without_memory),
		cmocka_unit_test(xarray_holds_the_last_index),
		cmocka_unit_test(xa_find_free_is_the_lowest),
		cmocka_unit_test(xarray_survives_lack_of_memory),
	};

	return cmocka_run_group_tests_name("trees", tests, NULL, NULL);
}
