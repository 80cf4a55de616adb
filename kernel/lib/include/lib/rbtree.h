/*
 * Red-black trees with optional augmentation. The user writes the descent; the library links and
 * rebalances. An augmented tree keeps in each node a summary of its subtree: `update` recomputes
 * one node's summary from the node itself and its two children, and is called bottom-up wherever
 * the shape changed. No locking: the owner's lock guards the whole tree.
 */
#pragma once

#include <lib/types.h>

struct rb_node {
	uptr parent_color;
	struct rb_node *left, *right;
};

struct rb_root {
	struct rb_node *node;
};

typedef bool (*rb_update_fn)(struct rb_node *node); /* has it changed? */

/* Links node at *link under parent (NULL for the root) and rebalances; update may be NULL. */
void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
	       struct rb_node **link, rb_update_fn update);
void rb_erase(struct rb_root *root, struct rb_node *node, rb_update_fn update);
/* Puts `new` exactly where `old` stands: same key, same summary. */
void rb_replace(struct rb_root *root, struct rb_node *old, struct rb_node *new);
/* Re-runs update from node towards the root, as far as summaries change, after the node's own value
 * changed. */
void rb_propagate(struct rb_node *node, rb_update_fn update);

struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

static inline struct rb_node *rb_parent(const struct rb_node *node)
{
	return (struct rb_node *)(node->parent_color & ~(uptr)3);
}

#define rb_entry(ptr, type, member) container_of(ptr, type, member)
#define rb_entry_or_null(ptr, type, member)                                                        \
	({ struct rb_node *r_ = (ptr); r_ ? container_of(r_, type, member) : NULL; })
