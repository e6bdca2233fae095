/* What must hold, whatever happens. */
#include "sim.h"

#include <string.h>

/* Units whose processes may be left behind on purpose. */
static bool may_leave(const struct unit *unit)
{
	uint64_t mode = unit_u64(unit, UNIT_KILL_MODE);

	return mode == KILL_PROCESS || mode == KILL_NONE ||
	       (mode == KILL_MIXED && !unit_u64(unit, UNIT_SEND_SIGKILL));
}

bool check_may_leave(const struct sim *sim, int name)
{
	for (int i = 0; i < N_VARIANTS; i++)
		if (may_leave(sim->units[name][i]))
			return true;
	return false;
}

/* Units that forbid SIGKILL: a process that ignores the stop signal stays, and the service is
 * failed. */
static bool may_refuse_to_end(const struct sim *sim, int name)
{
	for (int i = 0; i < N_VARIANTS; i++)
		if (!unit_u64(sim->units[name][i], UNIT_SEND_SIGKILL))
			return true;
	return false;
}

/* The record can be read back, and comes out the same. */
static void check_record(struct sim *sim, const struct service *service)
{
	uint8_t first[RECORD_SIZE_MAX], second[RECORD_SIZE_MAX];
	struct engine *engine = NULL;
	struct service *copy = NULL;

	size_t size = record_encode(service, first);
	if (engine_new(&engine) < 0)
		return;
	if (engine_restore(engine, first, size, service->unit, &copy) < 0)
		sim_fail(sim, "%s: its record cannot be decoded (%s)", service->name,
			service_sub_name(service->sub));
	else if (record_encode(copy, second) != size || memcmp(first, second, size) != 0)
		sim_fail(sim, "%s: its record comes back different", service->name);
	engine_free(engine);
}

void check_effect(struct sim *sim, const struct effect *effect)
{
	const struct service *service = effect->service;
	int name = service ? sim_name(sim, service->name) : -1;

	switch (effect->type) {
	case EFFECT_SAVE:
		check_record(sim, service);
		break;
	case EFFECT_SPAWN:
		if (!service->wanted_up)
			sim_fail(sim, "%s is spawned and wanted down", service->name);
		if (sim->shutdown_asked)
			sim_fail(sim, "%s is spawned during the shutdown", service->name);
		if (sim->kept[name].record_size == 0)
			sim_fail(sim, "%s is spawned without a record", service->name);
		break;
	case EFFECT_RUN_END:
		if (world_count(sim, name, effect->run_id) > 0 && !check_may_leave(sim, name))
			sim_fail(sim, "%s: a run ends with processes left", service->name);
		break;
	default:
		break;
	}
}

void check_step(struct sim *sim)
{
	uint64_t first = ENGINE_NO_DEADLINE;

	for (struct service *s = engine_next(sim->engine, NULL); s;
		s = engine_next(sim->engine, s)) {
		if ((s->sub == SUB_DEAD || s->sub == SUB_FAILED) &&
			s->deadline_us != ENGINE_NO_DEADLINE)
			sim_fail(sim, "%s: a deadline at rest", s->name);
		if (s->sub == SUB_DEAD && s->token > 0)
			sim_fail(sim, "%s: dead, and has a main process", s->name);
		if (s->token > 0 && engine_find_token(sim->engine, s->token) != s)
			sim_fail(sim, "%s: not found by its token", s->name);
		if (engine_find(sim->engine, s->name) != s)
			sim_fail(sim, "%s: not found by its name", s->name);
		if (s->n_history > SERVICE_RUNS_KEPT)
			sim_fail(sim, "%s: history of %u", s->name, s->n_history);
		if (s->deadline_us < first)
			first = s->deadline_us;
	}
	uint64_t next = engine_next_deadline(sim->engine);
	if (first != next && next != 0)
		sim_fail(sim, "the next deadline is not the first of all");
}

/* When faults are over and all was stopped. */
void check_rest(struct sim *sim)
{
	for (struct service *s = engine_next(sim->engine, NULL); s;
		s = engine_next(sim->engine, s)) {
		bool rests = s->sub == SUB_DEAD || s->sub == SUB_FAILED;
		if (!rests)
			sim_fail(sim, "%s does not come to rest: %s, token %llu, %u processes",
				s->name, service_sub_name(s->sub), (unsigned long long)s->token,
				world_count(sim, sim_name(sim, s->name), s->run.id));
	}
	if (clients_waiting(sim) > 0)
		sim_fail(sim, "%zu clients were never answered", clients_waiting(sim));
	for (size_t i = 0; i < PROCESSES_MAX; i++) {
		const struct process *p = &sim->processes[i];
		if (!p->alive || check_may_leave(sim, p->name))
			continue;
		const struct service *s = engine_find(sim->engine, sim->names[p->name]);
		if (!s || s->sub != SUB_FAILED ||
			(s->result != RESULT_UNKILLABLE && !may_refuse_to_end(sim, p->name)))
			sim_fail(sim, "pid %d of %s is nobody's", p->pid, sim->names[p->name]);
	}
	for (size_t i = 0; i < ROWS_MAX; i++)
		if (sim->rows[i].state == ROW_EXITED && !sim->exited)
			sim_fail(sim, "token %llu was never acknowledged",
				(unsigned long long)sim->rows[i].token);
}
