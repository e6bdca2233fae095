/*
 * The usual array heap. Nodes know their place (index + 1, so that a zeroed node is in no heap),
 * which makes moving and removing any of them O(log n).
 */
#include "base/heap.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define CAPACITY_MIN 16

static bool is_before(const struct heap_node *a, const struct heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void put(struct heap *heap, size_t place, struct heap_node *node)
{
	heap->nodes[place] = node;
	node->index = place + 1;
}

static void sift_up(struct heap *heap, size_t place)
{
	struct heap_node *node = heap->nodes[place];

	while (place > 0 && is_before(node, heap->nodes[(place - 1) / 2])) {
		put(heap, place, heap->nodes[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(heap, place, node);
}

static void sift_down(struct heap *heap, size_t place)
{
	struct heap_node *node = heap->nodes[place];

	for (;;) {
		size_t child = 2 * place + 1;
		if (child >= heap->n_nodes)
			break;
		if (child + 1 < heap->n_nodes &&
			is_before(heap->nodes[child + 1], heap->nodes[child]))
			child++;
		if (!is_before(heap->nodes[child], node))
			break;
		put(heap, place, heap->nodes[child]);
		place = child;
	}
	put(heap, place, node);
}

static int grow(struct heap *heap)
{
	if (heap->n_nodes < heap->capacity)
		return 0;
	size_t capacity = heap->capacity ? heap->capacity * 2 : CAPACITY_MIN;
	struct heap_node **nodes = reallocarray(heap->nodes, capacity, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	heap->nodes = nodes;
	heap->capacity = capacity;
	return 0;
}

int heap_set(struct heap *heap, struct heap_node *node, uint64_t key)
{
	if (node->index > 0) {
		assert(heap->nodes[node->index - 1] == node);
		if (node->key == key)
			return 0;
		node->key = key;
		node->order = heap->next_order++;
		sift_up(heap, node->index - 1);
		sift_down(heap, node->index - 1);
		return 0;
	}
	int r = grow(heap);
	if (r < 0)
		return r;
	node->key = key;
	node->order = heap->next_order++;
	put(heap, heap->n_nodes, node);
	sift_up(heap, heap->n_nodes++);
	return 0;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	if (node->index == 0)
		return;
	size_t place = node->index - 1;
	assert(heap->nodes[place] == node);
	node->index = 0;

	struct heap_node *last = heap->nodes[--heap->n_nodes];
	if (last == node)
		return;
	put(heap, place, last);
	sift_up(heap, place);
	sift_down(heap, last->index - 1);
}

struct heap_node *heap_first(const struct heap *heap)
{
	return heap->n_nodes > 0 ? heap->nodes[0] : NULL;
}

void heap_done(struct heap *heap)
{
	for (size_t i = 0; i < heap->n_nodes; i++)
		heap->nodes[i]->index = 0;
	free(heap->nodes);
	*heap = (struct heap){0};
}
