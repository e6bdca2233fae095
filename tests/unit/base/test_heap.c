/* The heap against a list that is searched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include "base/heap.h"

#define N_NODES 200

static uint32_t random_state = 12345;

static uint32_t next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

static const struct heap_node *find_least(const struct heap_node *nodes)
{
	const struct heap_node *least = NULL;

	for (size_t i = 0; i < N_NODES; i++)
		if (nodes[i].index > 0 &&
			(!least || nodes[i].key < least->key ||
				(nodes[i].key == least->key && nodes[i].order < least->order)))
			least = &nodes[i];
	return least;
}

static void test_against_a_list(void **state)
{
	struct heap heap = {0};
	struct heap_node nodes[N_NODES] = {0};

	for (int step = 0; step < 20000; step++) {
		struct heap_node *node = &nodes[next_random() % N_NODES];
		if (next_random() % 3 == 0)
			heap_remove(&heap, node);
		else
			assert_int_equal(heap_set(&heap, node, next_random() % 50), 0);
		assert_ptr_equal(heap_first(&heap), find_least(nodes));
	}
	heap_done(&heap);
	for (size_t i = 0; i < N_NODES; i++)
		assert_int_equal(nodes[i].index, 0);
}

static void test_ties_keep_the_order_of_insertion(void **state)
{
	struct heap heap = {0};
	struct heap_node nodes[20] = {0};

	assert_null(heap_first(&heap));
	for (size_t i = 20; i-- > 0;)
		assert_int_equal(heap_set(&heap, &nodes[i], 7), 0);
	assert_int_equal(heap_set(&heap, &nodes[19], 7), 0); /* again: nothing changes */
	for (size_t i = 20; i-- > 0;) {
		assert_ptr_equal(heap_first(&heap), &nodes[i]);
		heap_remove(&heap, &nodes[i]);
		heap_remove(&heap, &nodes[i]);
	}
	assert_null(heap_first(&heap));
	heap_done(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_list),
		cmocka_unit_test(test_ties_keep_the_order_of_insertion),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
