/*
 * A binary min-heap of intrusive nodes ordered by (key, order): ties are broken by insertion, so
 * that the sequence never depends on addresses.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t key;	/* the deadline */
	uint64_t order; /* set by heap_insert */
	size_t index;	/* place in the heap plus 1; 0 = not in a heap */
};

struct heap {
	struct heap_node **nodes;
	size_t n_nodes, capacity;
	uint64_t next_order;
};

/* Inserts, or moves when it is in already. 0 or -ENOMEM (only when not in already). */
int heap_set(struct heap *heap, struct heap_node *node, uint64_t key);
void heap_remove(struct heap *heap, struct heap_node *node); /* no-op when not in it */
struct heap_node *heap_first(const struct heap *heap);	     /* NULL when empty */
void heap_done(struct heap *heap);
