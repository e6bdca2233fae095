/* The record's bytes: what goes in comes out; what is cut or garbled is refused or at least
 * harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "core/private.h"
#include "core/record.h"

#define ROUNDS 3000

static uint64_t random_state = 1;

static uint64_t draw(uint64_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (random_state >> 16) % below;
}

static struct unit *make_unit(void)
{
	static const char text[] = "[Service]\nType=exec\nExecStart=/bin/x\n";
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	_cleanup_(unit_messages_done) struct unit_messages messages = {0};
	struct error error = {0};
	struct unit *unit = NULL;

	assert_int_equal(unit_builder_new("web.service", &builder, &error), 0);
	assert_int_equal(
		unit_builder_add(builder, "test", text, strlen(text), &messages, &error), 0);
	assert_int_equal(unit_builder_finish(builder, &unit, &messages, &error), 0);
	return unit;
}

static void draw_exit(struct exit_info *exit)
{
	*exit = (struct exit_info){(enum exit_kind)draw(EXIT_KIND_UNKNOWN + 1), (int)draw(256),
		(int)draw(20), (int)draw(134)};
}

/* started_wall_us is what a history entry recomputes: end minus duration. */
static void draw_history(struct service *service)
{
	service->n_history = (unsigned)draw(SERVICE_RUNS_KEPT + 1);
	if (service->n_history == 0)
		return;
	assert_int_equal(run_reserve_history(service), 0);
	for (unsigned i = 0; i < service->n_history; i++) {
		struct run *run = &service->history[i];
		uint64_t duration_us = draw(UINT64_C(1) << 45);
		*run = (struct run){.ended_us = duration_us + draw(UINT64_C(1) << 45),
			.ended_wall_us = (UINT64_C(1) << 50) + draw(UINT64_C(1) << 50),
			.main_pid = (int32_t)draw(1 << 22),
			.result = (enum service_result)draw(N_RESULTS),
			.n_left = (uint32_t)draw(256),
			.stopped = draw(2)};
		run->started_us = run->ended_us - duration_us;
		run->started_wall_us = run->ended_wall_us - duration_us;
		if (draw(2) && duration_us > 0)
			run->ready_us =
				run->started_us +
				draw(duration_us < (UINT64_C(1) << 39) ? duration_us : 1000);
		draw_exit(&run->exit);
	}
}

static void draw_requests(struct service_private *p)
{
	p->n_requests = (uint8_t)draw(SERVICE_REQUESTS_KEPT + 1);
	for (unsigned i = 0; i < p->n_requests; i++) {
		for (size_t j = 0; j < sizeof(p->requests[i].id.bytes); j++)
			p->requests[i].id.bytes[j] = (uint8_t)draw(256);
		p->requests[i].verb = (uint8_t)draw(N_VERBS);
		p->requests[i].verdict = (uint8_t)draw(N_VERDICTS);
		p->requests[i].lane = (uint8_t)draw(2);
	}
}

/* Token, run and job as each state may have them; see is_consistent() in core/record.c. */
static void draw_state(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	service->sub = (enum service_sub)draw(N_SUBS);
	bool rests = service->sub == SUB_DEAD || service->sub == SUB_AUTO_RESTART ||
		     service->sub == SUB_FAILED;
	if (!rests) {
		p->run_open = true;
		service->run.id.bytes[3] = 1;
		if (service->sub != SUB_EXITED)
			service_set_token(engine, service, 1 + draw(UINT64_C(1) << 60));
		p->job = (uint8_t)(service_is_stopping(service) ? draw(N_JOBS) : draw(2));
		p->queued = draw(2);
	}
	service->main_pid = service->token > 0 ? (int32_t)draw(1 << 22) : 0;
	p->phase = (uint8_t)draw(N_PHASES);
	p->command = (uint16_t)draw(UINT16_MAX);
	service->transient = draw(2);
	service->wanted_up = draw(2);
	service->wanted_by =
		(const char *const[]){"", "run", "start", "stop", "restart", "shutdown"}[draw(6)];
	service->gave_up = draw(2);
	service->result = (enum service_result)draw(N_RESULTS);
}

static void draw_times(struct service *service)
{
	struct service_private *p = service->private;
	uint64_t *const times[] = {&service->sub_since_us, &service->restart_at_us,
		&service->settle_until_us, &p->timeout_us, &p->runtime_at_us, &p->main_exited_us,
		&p->watchdog_us, &p->limit_begin_us, &service->run.started_us,
		&service->run.ready_us, &service->run.ended_us};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		*times[i] = draw(UINT64_C(1) << 47);
	service->wanted_wall_us = draw(UINT64_C(1) << 55);
	service->sub_since_wall_us = draw(UINT64_C(1) << 55);
	service->run.started_wall_us = draw(UINT64_C(1) << 55);
	service->run.ended_wall_us = draw(UINT64_C(1) << 55);
	p->settle_us = draw(UINT64_C(1) << 39);
	p->queued_settle_us = draw(UINT64_C(1) << 39);
	p->limit_count = (uint16_t)draw(UINT16_MAX);
	p->backoff_step = (uint16_t)draw(UINT16_MAX);
	service->n_restarts = (uint32_t)draw(UINT32_MAX);
	service->status_errno = (int)draw(4096);
}

static struct service *draw_service(struct engine *engine, struct unit *unit)
{
	struct service *service = service_new(engine, unit);

	assert_non_null(service);
	draw_state(engine, service);
	draw_times(service);
	draw_history(service);
	draw_requests(service->private);
	draw_exit(&service->run.exit);
	service->run.result = (enum service_result)draw(N_RESULTS);
	service->run.main_pid = (int32_t)draw(1 << 22);
	service->run.n_left = (uint32_t)draw(UINT16_MAX);
	service->run.stopped = draw(2);
	size_t size = draw(SERVICE_STATUS_MAX + 1);
	memset(service->status_text, 'x', size);
	if (draw(3) == 0) {
		assert_int_equal(takeover_reserve(service), 0);
		service->private->takeover->watch_token = UINT64_C(1) << 55;
		service->private->takeover->watch_pid = 77;
		index_add(&engine->by_token, &service->private->takeover->watch_link,
			UINT64_C(1) << 55, service);
	}
	return service;
}

static void assert_same(const struct service *a, const struct service *b)
{
	assert_int_equal(a->sub, b->sub);
	assert_int_equal(a->token, b->token);
	assert_int_equal(a->main_pid, b->main_pid);
	assert_int_equal(a->wanted_up, b->wanted_up);
	assert_string_equal(a->wanted_by, b->wanted_by);
	assert_int_equal(a->restart_at_us, b->restart_at_us);
	assert_int_equal(a->n_restarts, b->n_restarts);
	assert_string_equal(a->status_text, b->status_text);
	assert_true(id128_equal(a->run.id, b->run.id));
	assert_int_equal(a->run.started_us, b->run.started_us);
	assert_int_equal(a->run.exit.kind, b->run.exit.kind);
	assert_int_equal(a->run.exit.code, b->run.exit.code);
	assert_int_equal(a->run.n_left, b->run.n_left);
	assert_int_equal(a->run.stopped, b->run.stopped);
	assert_int_equal(a->private->timeout_us, b->private->timeout_us);
	assert_int_equal(a->private->job, b->private->job);
	assert_int_equal(a->private->queued, b->private->queued);
	assert_int_equal(a->private->n_requests, b->private->n_requests);
	assert_memory_equal(a->private->requests, b->private->requests,
		a->private->n_requests * sizeof(a->private->requests[0]));
	unsigned n = a->n_history < 4 ? a->n_history : 4; /* the oldest of five is given up */
	assert_int_equal(b->n_history, n);
	if (n > 0)
		assert_memory_equal(a->history, b->history, n * sizeof(a->history[0]));
}

static void test_round_trip(void **state)
{
	_cleanup_(unit_unrefp) struct unit *unit = make_unit();

	for (int i = 0; i < ROUNDS; i++) {
		struct engine *first = NULL, *second = NULL;
		struct service *restored = NULL;
		uint8_t record[RECORD_SIZE_MAX], again[RECORD_SIZE_MAX];
		uint64_t hash = 0;

		assert_int_equal(engine_new(&first), 0);
		assert_int_equal(engine_new(&second), 0);
		struct service *service = draw_service(first, unit);
		size_t size = record_encode(service, record);
		assert_in_range(size, 1, RECORD_SIZE_MAX);
		assert_int_equal(record_peek(record, size, &hash), 0);
		assert_int_equal(hash, unit_text_hash(unit));
		assert_int_equal(engine_restore(second, record, size, unit, &restored), 0);
		assert_same(service, restored);
		assert_int_equal(record_encode(restored, again), size);
		assert_memory_equal(record, again, size);
		engine_free(first);
		engine_free(second);
	}
}

static void test_the_last_run_is_in_the_history_again(void **state)
{
	_cleanup_(unit_unrefp) struct unit *unit = make_unit();
	struct engine *first = NULL, *second = NULL;
	struct service *restored = NULL;
	uint8_t record[RECORD_SIZE_MAX];

	assert_int_equal(engine_new(&first), 0);
	assert_int_equal(engine_new(&second), 0);
	struct service *service = service_new(first, unit);
	assert_int_equal(run_reserve_history(service), 0);
	service->run =
		(struct run){.id = {.bytes = {9}}, .started_us = 5, .ended_us = 8, .main_pid = 4};
	service->history[0] = service->run;
	for (unsigned i = 1; i < SERVICE_RUNS_KEPT; i++)
		service->history[i] = (struct run){.started_us = i,
			.ended_us = 2 * i,
			.started_wall_us = 50,
			.ended_wall_us = 50 + i};
	service->n_history = SERVICE_RUNS_KEPT;
	assert_int_equal(
		engine_restore(second, record, record_encode(service, record), unit, &restored), 0);
	assert_int_equal(restored->n_history, SERVICE_RUNS_KEPT);
	assert_memory_equal(
		restored->history, service->history, SERVICE_RUNS_KEPT * sizeof(struct run));
	engine_free(first);
	engine_free(second);
}

static void test_cut_off(void **state)
{
	_cleanup_(unit_unrefp) struct unit *unit = make_unit();

	for (int i = 0; i < 50; i++) {
		struct engine *first = NULL, *second = NULL;
		uint8_t record[RECORD_SIZE_MAX];

		assert_int_equal(engine_new(&first), 0);
		assert_int_equal(engine_new(&second), 0);
		size_t size = record_encode(draw_service(first, unit), record);
		for (size_t cut = 0; cut < size; cut++)
			assert_int_equal(engine_restore(second, record, cut, unit, NULL), -EBADMSG);
		assert_null(engine_next(second, NULL));
		engine_free(first);
		engine_free(second);
	}
}

/* The store's checksum keeps garbage out; should some come through, it is refused or gives a valid
 * service. */
static void test_garbled(void **state)
{
	_cleanup_(unit_unrefp) struct unit *unit = make_unit();

	for (int i = 0; i < ROUNDS; i++) {
		struct engine *first = NULL, *second = NULL;
		struct effects effects = {0};
		uint8_t record[RECORD_SIZE_MAX], again[RECORD_SIZE_MAX];
		struct service *restored = NULL;

		assert_int_equal(engine_new(&first), 0);
		assert_int_equal(engine_new(&second), 0);
		size_t size = record_encode(draw_service(first, unit), record);
		for (uint64_t n = 1 + draw(8); n > 0; n--)
			record[9 + draw(size - 9)] = (uint8_t)draw(256);
		int r = engine_restore(second, record, size, unit, &restored);
		assert_true(r == 0 || r == -EBADMSG);
		if (r == 0) {
			assert_in_range(record_encode(restored, again), 1, RECORD_SIZE_MAX);
			struct event event = {.type = EVENT_RESTORED, .now_us = 1, .n_restores = 1};
			assert_int_equal(engine_step(second, &event, &effects), 0);
			event = (struct event){.type = EVENT_TIME, .now_us = UINT64_C(1) << 48};
			assert_int_equal(engine_step(second, &event, &effects), 0);
		}
		effects_done(&effects);
		engine_free(first);
		engine_free(second);
	}
}

static void test_other_units_record_is_refused(void **state)
{
	_cleanup_(unit_unrefp) struct unit *unit = make_unit();
	struct engine *engine = NULL;
	uint8_t record[RECORD_SIZE_MAX];
	uint64_t hash;

	assert_int_equal(engine_new(&engine), 0);
	size_t size = record_encode(service_new(engine, unit), record);
	record[1] ^= 1;
	struct engine *second = NULL;
	assert_int_equal(engine_new(&second), 0);
	assert_int_equal(engine_restore(second, record, size, unit, NULL), -EBADMSG);
	record[1] ^= 1;
	assert_int_equal(engine_restore(second, record, size, unit, NULL), 0);
	assert_int_equal(
		engine_restore(second, record, size, unit, NULL), -EBADMSG); /* the name is taken */
	record[0] = RECORD_VERSION + 1;
	assert_int_equal(record_peek(record, size, &hash), -EBADMSG);
	engine_free(engine);
	engine_free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_the_last_run_is_in_the_history_again),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_garbled),
		cmocka_unit_test(test_other_units_record_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
