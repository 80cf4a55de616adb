/*
 * Red-black trees. The owner's lock guards a tree; any context.
 *
 * The colour lies in bit 0 of parent_color (1: black); NULL children count as black. Invariants:
 *   (1) a red node has no red child;
 *   (2) every path from a node down to NULL passes the same number of black nodes.
 * Augmentation: a rotation keeps the set of nodes below the rotated pair, so only the pair's own
 * summaries change; a link or unlink may change every ancestor's, and is propagated before rebalancing
 * starts. An ancestor's summary depends on its child's only, so the first one that does not change ends
 * it.
 */
#include <lib/rbtree.h>

#define BLACK 1

static bool is_red(const struct rb_node *n)
{
	return n && !(n->parent_color & BLACK);
}

static void set_parent(struct rb_node *n, struct rb_node *parent)
{
	n->parent_color = (uptr)parent | (n->parent_color & BLACK);
}

static void set_black(struct rb_node *n)
{
	n->parent_color |= BLACK;
}

static void set_red(struct rb_node *n)
{
	n->parent_color &= ~(uptr)BLACK;
}

/* Lets whoever pointed to old (a child of parent, or the root) point to new. */
static void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old,
			  struct rb_node *new)
{
	if (!parent)
		WRITE_ONCE(root->node, new);
	else if (parent->left == old)
		WRITE_ONCE(parent->left, new);
	else
		WRITE_ONCE(parent->right, new);
}

/* node's child on the given side takes its place, node becomes that child's other child. */
static void rotate(struct rb_root *root, struct rb_node *node, bool left, rb_update_fn update)
{
	struct rb_node *up = left ? node->right : node->left;
	struct rb_node *moved = left ? up->left : up->right;
	struct rb_node *parent = rb_parent(node);

	if (left) {
		node->right = moved;
		up->left = node;
	} else {
		node->left = moved;
		up->right = node;
	}
	if (moved)
		set_parent(moved, node);
	set_parent(up, parent);
	set_parent(node, up);
	replace_child(root, parent, node, up);
	if (update) {
		update(node);
		update(up);
	}
}

void rb_propagate(struct rb_node *node, rb_update_fn update)
{
	while (node && update(node))
		node = rb_parent(node);
}

/* node is red; repairs (1) between it and its parent. */
static void insert_fixup(struct rb_root *root, struct rb_node *node, rb_update_fn update)
{
	struct rb_node *parent, *grand, *uncle;

	while (is_red(parent = rb_parent(node))) {
		grand = rb_parent(parent); /* exists: the root is black */
		bool left = parent == grand->left;

		uncle = left ? grand->right : grand->left;
		if (is_red(uncle)) {
			set_black(parent);
			set_black(uncle);
			set_red(grand);
			node = grand;
			continue;
		}
		if (node == (left ? parent->right : parent->left)) {
			rotate(root, parent, left, update);
			parent = node;
		}
		set_black(parent);
		set_red(grand);
		rotate(root, grand, !left, update);
		break;
	}
	set_black(root->node);
}

static __noinline void insert_below(struct rb_root *root, struct rb_node *node, rb_update_fn update)
{
	if (update) {
		update(node);
		rb_propagate(rb_parent(node), update);
	}
	insert_fixup(root, node, update);
}

/* Queues of one are what schedulers and timers mostly have: the first node goes a short way. */
void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
	       struct rb_node **link, rb_update_fn update)
{
	node->parent_color = (uptr)parent | (parent ? 0 : BLACK);
	node->left = node->right = NULL;
	WRITE_ONCE(*link, node);
	if (parent)
		insert_below(root, node, update);
	else if (update)
		update(node);
}

/* Paths through `node` (may be NULL), a child of parent, lack one black node; repairs (2). */
static void erase_fixup(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
			rb_update_fn update)
{
	while (parent && !is_red(node)) {
		bool left = node == parent->left;
		struct rb_node *sibling = left ? parent->right : parent->left; /* not NULL by (2) */

		if (is_red(sibling)) {
			set_black(sibling);
			set_red(parent);
			rotate(root, parent, left, update);
			sibling = left ? parent->right : parent->left;
		}

		struct rb_node *near = left ? sibling->left : sibling->right;
		struct rb_node *far = left ? sibling->right : sibling->left;

		if (!is_red(near) && !is_red(far)) {
			set_red(sibling);
			node = parent;
			parent = rb_parent(node);
			continue;
		}
		if (!is_red(far)) {
			set_black(near);
			set_red(sibling);
			rotate(root, sibling, !left, update);
			far = sibling;
			sibling = near;
		}
		if (is_red(parent))
			set_red(sibling);
		else
			set_black(sibling);
		set_black(parent);
		set_black(far);
		rotate(root, parent, left, update);
		return;
	}
	if (node)
		set_black(node);
}

/* next, the smallest node right of node, takes node's place, colour and children. */
static void take_place(struct rb_root *root, struct rb_node *node, struct rb_node *next)
{
	next->parent_color = node->parent_color;
	next->left = node->left;
	set_parent(next->left, next);
	next->right = node->right;
	if (next->right)
		set_parent(next->right, next);
	replace_child(root, rb_parent(node), node, next);
}

static __noinline void erase_among(struct rb_root *root, struct rb_node *node, rb_update_fn update)
{
	struct rb_node *parent = rb_parent(node);
	struct rb_node *child, *next = NULL;
	bool removed_black;

	if (node->left && node->right) {
		next = node->right;
		while (next->left)
			next = next->left;
		child = next->right;
		parent = rb_parent(next);
		removed_black = !is_red(next);
		replace_child(root, parent, next, child);
		if (child)
			set_parent(child, parent);
		if (parent == node)
			parent = next;
		take_place(root, node, next);
	} else {
		child = node->left ? node->left : node->right;
		removed_black = !is_red(node);
		replace_child(root, parent, node, child);
		if (child)
			set_parent(child, parent);
	}
	if (update)
		rb_propagate(parent, update);
	if (update && next) {
		update(next); /* it has taken node's place, and its own summary with it */
		rb_propagate(rb_parent(next), update);
	}
	if (removed_black)
		erase_fixup(root, child, parent, update);
}

void rb_erase(struct rb_root *root, struct rb_node *node, rb_update_fn update)
{
	if (root->node == node && !node->left && !node->right)
		WRITE_ONCE(root->node, NULL); /* the last of all */
	else
		erase_among(root, node, update);
}

void rb_replace(struct rb_root *root, struct rb_node *old, struct rb_node *new)
{
	*new = *old;
	if (new->left)
		set_parent(new->left, new);
	if (new->right)
		set_parent(new->right, new);
	replace_child(root, rb_parent(old), old, new);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	struct rb_node *n = node->right;

	if (n) {
		while (n->left)
			n = n->left;
		return n;
	}
	for (n = rb_parent(node); n && node == n->right; n = rb_parent(n))
		node = n;
	return n;
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	struct rb_node *n = node->left;

	if (n) {
		while (n->right)
			n = n->right;
		return n;
	}
	for (n = rb_parent(node); n && node == n->left; n = rb_parent(n))
		node = n;
	return n;
}
