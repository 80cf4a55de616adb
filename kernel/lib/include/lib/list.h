/*
 * Intrusive lists. `struct list_head` is a circular doubly linked list; `struct hlist_head` has a
 * one-pointer head for hash tables. The _rcu variants publish with release order, so that readers
 * inside an RCU read section may walk while one writer (with the list's lock) changes it.
 */
#pragma once

#include <lib/types.h>

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_INIT(name) {&(name), &(name)}

static inline void list_init(struct list_head *h)
{
	h->next = h->prev = h;
}

static inline bool list_empty(const struct list_head *h)
{
	return READ_ONCE(h->next) == h;
}

static inline void list_insert_between(struct list_head *n, struct list_head *prev,
				       struct list_head *next)
{
	n->next = next;
	n->prev = prev;
	next->prev = n;
	__atomic_store_n(&prev->next, n, __ATOMIC_RELEASE);
}

static inline void list_add(struct list_head *n, struct list_head *head)
{
	list_insert_between(n, head, head->next);
}

static inline void list_add_tail(struct list_head *n, struct list_head *head)
{
	list_insert_between(n, head->prev, head);
}

/* Unlinks n and leaves it pointing to its old neighbours, so that RCU readers on it can go on. */
static inline void list_del_rcu(struct list_head *n)
{
	n->next->prev = n->prev;
	WRITE_ONCE(n->prev->next, n->next);
}

/* Unlinks n and makes it an empty list; harmless when n is not on a list but initialised. */
static inline void list_del(struct list_head *n)
{
	list_del_rcu(n);
	list_init(n);
}

static inline void list_move_tail(struct list_head *n, struct list_head *head)
{
	list_del(n);
	list_add_tail(n, head);
}

/* Moves all entries of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice_tail(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member) list_entry((head)->prev, type, member)
#define list_next(pos, member) list_entry((pos)->member.next, __typeof__(*(pos)), member)

#define list_for_each(pos, head, member)                                                           \
	for (pos = list_entry(READ_ONCE((head)->next), __typeof__(*pos), member);                  \
	     &pos->member != (head);                                                               \
	     pos = list_entry(READ_ONCE(pos->member.next), __typeof__(*pos), member))

/* The body may unlink and free pos. */
#define list_for_each_safe(pos, tmp, head, member)                                                 \
	for (pos = list_first(head, __typeof__(*pos), member), tmp = list_next(pos, member);       \
	     &pos->member != (head); pos = tmp, tmp = list_next(tmp, member))

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

static inline void hlist_node_init(struct hlist_node *n)
{
	n->next = NULL;
	n->pprev = NULL;
}

static inline bool hlist_unhashed(const struct hlist_node *n)
{
	return !n->pprev;
}

static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	struct hlist_node *first = h->first;

	n->next = first;
	n->pprev = &h->first;
	if (first)
		first->pprev = &n->next;
	__atomic_store_n(&h->first, n, __ATOMIC_RELEASE);
}

/* n->next stays, for readers that stand on n. */
static inline void hlist_del(struct hlist_node *n)
{
	if (!n->pprev)
		return;
	WRITE_ONCE(*n->pprev, n->next);
	if (n->next)
		n->next->pprev = n->pprev;
	n->pprev = NULL;
}

#define hlist_entry_or_null(ptr, type, member)                                                     \
	({ struct hlist_node *p_ = (ptr); p_ ? container_of(p_, type, member) : NULL; })

#define hlist_for_each(pos, head, member)                                                          \
	for (pos = hlist_entry_or_null(READ_ONCE((head)->first), __typeof__(*pos), member); pos;   \
	     pos = hlist_entry_or_null(READ_ONCE(pos->member.next), __typeof__(*pos), member))

#define hlist_for_each_safe(pos, tmp, head, member)                                                \
	for (pos = hlist_entry_or_null((head)->first, __typeof__(*pos), member);                   \
	     pos && ({ tmp = hlist_entry_or_null(pos->member.next, __typeof__(*pos), member); 1; }); \
	     pos = tmp)
