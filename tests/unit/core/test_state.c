/* The state machine's table: every cell is defined, and each can be entered from a service in that
 * state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "core/private.h"
#include "core/record.h"

static struct unit *make_unit(void)
{
	static const char text[] =
		"[Service]\nType=notify\nExecStart=/bin/x\nRestart=always\nWatchdogSec=5\n"
		"RuntimeMaxSec=60\n[X-Hob]\nWritePIDFile=/run/x.pid\n";
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

static bool has_main(enum service_sub sub)
{
	return sub == SUB_START || sub == SUB_RUNNING || sub == SUB_RELOAD ||
	       sub == SUB_STOP_WATCHDOG || sub == SUB_STOP_SIGTERM || sub == SUB_STOP_SIGKILL;
}

/* As a service stands in that state, with whatever deadline it may have already come. */
static void put_in(struct engine *engine, struct service *service, enum service_sub sub)
{
	struct service_private *p = service->private;

	service_enter(engine, service, sub);
	service->wanted_up = true;
	service->wanted_by = "start";
	p->pinned = p->saved = true;
	if (sub == SUB_DEAD || sub == SUB_FAILED || sub == SUB_AUTO_RESTART) {
		service->restart_at_us = sub == SUB_AUTO_RESTART ? engine->now_us : 0;
		return;
	}
	p->run_open = true;
	service->run.id.bytes[0] = 1;
	service->run.started_us = 1;
	p->tree_id = 7;
	if (sub != SUB_EXITED)
		p->timeout_us = engine->now_us;
	if (has_main(sub))
		service_set_token(engine, service, 3);
}

static void each_cell(void (*visit)(enum service_sub sub, enum state_event event))
{
	for (int sub = 0; sub < N_SUBS; sub++)
		for (int event = 0; event < N_STATE_EVENTS; event++)
			visit((enum service_sub)sub, (enum state_event)event);
}

static void cell_is_defined(enum service_sub sub, enum state_event event)
{
	if (!state_cell(sub, event))
		fail_msg("state %s has no cell for event %d", service_sub_name(sub), event);
}

static void test_every_cell_is_defined(void **state)
{
	each_cell(cell_is_defined);
}

/* After any event in any state the record is one that a successor takes, and rest has no deadline.
 */
static void cell_leaves_order(enum service_sub sub, enum state_event state_event)
{
	struct engine *engine = NULL;
	struct effects effects = {0};
	struct unit *unit = make_unit();
	struct event event = {.type = EVENT_TIME,
		.token = 3,
		.pid = 50,
		.now_us = 1000000,
		.exit = {EXIT_KIND_KILLED, 9},
		.id = 7};
	struct change change;
	uint8_t record[RECORD_SIZE_MAX];
	struct engine *successor = NULL;

	assert_int_equal(engine_new(&engine), 0);
	engine->event = &event;
	engine->effects = &effects;
	engine->now_us = event.now_us;
	engine->n_steps = 1;
	engine_set_next_token(engine, 4);
	struct service *service = service_new(engine, unit);
	assert_non_null(service);
	put_in(engine, service, sub);
	assert_int_equal(run_reserve_history(service), 0);
	assert_int_equal(change_begin(engine, service, 0, &change), 0);
	state_step(engine, service, state_event);
	change_end(engine, &change);

	if (service_is_at_rest(service) && service->sub != SUB_AUTO_RESTART)
		assert_int_equal(service->deadline_us, ENGINE_NO_DEADLINE);
	assert_true(service->deadline_us >= event.now_us);
	assert_int_equal(engine_next_deadline(engine), service->deadline_us);
	size_t size = record_encode(service, record);
	assert_int_equal(engine_new(&successor), 0);
	if (engine_restore(successor, record, size, service->unit, NULL) != 0)
		fail_msg("state %s, event %d: no successor could take the record",
			service_sub_name(sub), state_event);
	engine_free(successor);
	engine_free(engine);
	effects_done(&effects);
	unit_unref(unit);
}

static void test_every_cell_leaves_order(void **state)
{
	each_cell(cell_leaves_order);
}

static void test_every_merge_is_defined(void **state)
{
	for (int ask = 0; ask < N_ASKS; ask++)
		for (int situation = 0; situation < N_SITUATIONS; situation++)
			assert_in_range(job_action((enum ask)ask, (enum situation)situation),
				ACT_BEGIN, N_ACTIONS - 1);
}

static void test_names(void **state)
{
	for (int i = 0; i < N_VERDICTS; i++)
		assert_int_equal(verdict_find(verdict_name((enum verdict)i)), i);
	assert_int_equal(verdict_find("nonsense"), VERDICT_NONE);
	for (int i = 0; i < N_VERBS; i++)
		assert_string_not_equal(verb_name((enum verb)i), "unknown");
	for (int i = 0; i < N_LOG_TYPES; i++)
		assert_non_null(log_type_name((enum log_type)i));
	for (int i = 0; i < N_SUBS; i++)
		assert_non_null(service_sub_name((enum service_sub)i));
	for (int i = 0; i < N_RESULTS; i++)
		assert_non_null(service_result_name((enum service_result)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell_is_defined),
		cmocka_unit_test(test_every_cell_leaves_order),
		cmocka_unit_test(test_every_merge_is_defined),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
