/* The loop: ranks decide the order of a turn, removal inside a callback is safe, deadlines fire. */
#include "os/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"

struct probe {
	int fd;
	struct loop_source *source;
	unsigned *order, *n_served; /* shared: who was served when */
	unsigned number;
	struct probe *removes;
};

static void on_probe(void *data, uint32_t events)
{
	struct probe *probe = data;

	assert_true(events & EPOLLIN);
	probe->order[(*probe->n_served)++] = probe->number;
	if (probe->removes) {
		loop_remove(probe->removes->source);
		probe->removes->source = NULL;
	}
}

static struct loop *new_loop(void)
{
	struct loop *loop = NULL;

	assert_int_equal(loop_new(&loop), 0);
	return loop;
}

static void add(struct loop *loop, struct probe *probe, unsigned rank)
{
	probe->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(probe->fd >= 0);
	assert_int_equal(
		loop_add(loop, probe->fd, EPOLLIN, rank, on_probe, probe, &probe->source), 0);
}

static void test_lower_rank_is_served_first(void **state)
{
	struct loop *loop = new_loop();
	unsigned order[3] = {0}, n = 0;
	struct probe late = {.order = order, .n_served = &n, .number = 3};
	struct probe first = {.order = order, .n_served = &n, .number = 1};
	struct probe middle = {.order = order, .n_served = &n, .number = 2};

	add(loop, &late, 5);
	add(loop, &first, 0);
	add(loop, &middle, 2);
	assert_int_equal(loop_turn(loop, 1), 0);
	assert_int_equal(n, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(order[i], i + 1);
	loop_remove(late.source);
	loop_remove(first.source);
	loop_remove(middle.source);
	loop_free(loop);
	close(late.fd);
	close(first.fd);
	close(middle.fd);
}

static void test_removed_source_is_not_served_in_the_same_turn(void **state)
{
	struct loop *loop = new_loop();
	unsigned order[2] = {0}, n = 0;
	struct probe victim = {.order = order, .n_served = &n, .number = 2};
	struct probe remover = {.order = order, .n_served = &n, .number = 1, .removes = &victim};

	add(loop, &victim, 3);
	add(loop, &remover, 1);
	assert_int_equal(loop_turn(loop, 1), 0);
	assert_int_equal(n, 1);
	assert_int_equal(order[0], 1);
	loop_remove(remover.source);
	loop_free(loop);
	close(victim.fd);
	close(remover.fd);
}

static void test_a_source_may_remove_itself(void **state)
{
	struct loop *loop = new_loop();
	unsigned order[4] = {0}, n = 0;
	struct probe probe = {.order = order, .n_served = &n, .number = 1};

	probe.removes = &probe;
	add(loop, &probe, 1);
	assert_int_equal(loop_turn(loop, 1), 0);
	assert_int_equal(loop_turn(loop, 1), 0);
	assert_int_equal(n, 1);
	loop_free(loop);
	close(probe.fd);
}

static void test_deadline_wakes_the_loop_and_not_before(void **state)
{
	struct loop *loop = new_loop();
	uint64_t deadline_us = clock_monotonic_us() + 20000;

	assert_int_equal(loop_set_deadline(loop, deadline_us), 0);
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_true(loop_now_us(loop) >= deadline_us);
	loop_free(loop);
}

static void test_a_deadline_in_the_past_fires_at_once(void **state)
{
	struct loop *loop = new_loop();

	assert_int_equal(loop_set_deadline(loop, 1), 0);
	assert_int_equal(loop_turn(loop, 0), 0); /* hangs here if it does not */
	assert_int_equal(loop_set_deadline(loop, 0), 0);
	assert_int_equal(loop_turn(loop, 0), 0);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lower_rank_is_served_first),
		cmocka_unit_test(test_removed_source_is_not_served_in_the_same_turn),
		cmocka_unit_test(test_a_source_may_remove_itself),
		cmocka_unit_test(test_deadline_wakes_the_loop_and_not_before),
		cmocka_unit_test(test_a_deadline_in_the_past_fires_at_once),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
