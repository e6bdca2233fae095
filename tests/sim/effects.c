/* Effects carried out, with a death before any of them and barriers that fail now and then. */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const effect_names[N_EFFECTS] = {"pin", "save", "load", "spawn", "ack", "signal",
	"watch", "tree-check", "tree-signal", "tree-kill", "run-begin", "run-end", "pid-file",
	"reply", "progress", "log", "remove", "exit"};

static void own_event(struct sim *sim, const struct event *event)
{
	if (sim->n_own < EVENTS_MAX)
		sim->own[sim->n_own++] = *event;
}

static void do_load(struct sim *sim, const struct effect *effect)
{
	int name = sim_name(sim, effect->name);
	struct event event = {.type = EVENT_LOADED, .service = sim->names[name]};

	if (sim_chance(sim, 10))
		event.error = sim_chance(sim, 50) ? -ENOENT : -EBADMSG;
	else
		event.unit = sim->units[name][0];
	own_event(sim, &event);
}

static void do_save(struct sim *sim, int name, const struct effect *effect)
{
	struct kept *kept = &sim->kept[name];

	kept->record_size = record_encode(effect->service, kept->record);
	sim->saved_next_token = engine_next_token(sim->engine);
}

static void ask(struct sim *sim, int name, const struct effect *effect)
{
	sim->questions[name] = (struct question){.open = true,
		.id = effect->id,
		.run_id = effect->run_id,
		.kill = effect->type == EFFECT_TREE_KILL,
		.since_us = sim->now_us};
}

void effects_signal_tree(
	struct sim *sim, int name, struct id128 run_id, bool without_main, int signo)
{
	for (size_t i = 0; i < PROCESSES_MAX && !sim->failed; i++) {
		struct process *p = &sim->processes[i];
		if (p->alive && p->name == name && id128_equal(p->run_id, run_id) &&
			!(without_main && p->token > 0))
			world_signal(sim, p, signo);
	}
}

static void do_signal(struct sim *sim, const struct effect *effect)
{
	const struct row *row = world_row(sim, effect->token);

	if (row && row->state == ROW_RUNNING)
		world_signal(sim, world_process(sim, row->pid), effect->signo);
}

static void do_ack(struct sim *sim, const struct effect *effect)
{
	struct row *row = world_row(sim, effect->token);

	if (!row)
		return;
	if (row->state != ROW_EXITED)
		sim_fail(sim, "token %llu is acknowledged while it runs",
			(unsigned long long)effect->token);
	row->state = ROW_FREE;
}

static void do_run_begin(struct sim *sim, int name, const struct effect *effect)
{
	struct kept *kept = &sim->kept[name];

	if (id128_equal(kept->run_id, effect->run_id))
		return; /* it is there */
	kept->run_id = effect->run_id;
	kept->pipe_ready = kept->pipe_closed = false;
}

static void do_reply(struct sim *sim, const struct effect *effect)
{
	sim_log(sim, "    reply %llu %s %s", (unsigned long long)effect->client,
		verb_name(effect->verb), verdict_name(effect->verdict));
	if (!client_answer(sim, effect->client, effect->verdict))
		sim_fail(sim, "client %llu is answered twice, or is none",
			(unsigned long long)effect->client);
}

static void do_remove(struct sim *sim, int name)
{
	struct kept *kept = &sim->kept[name];

	memset(kept->pinned, 0, sizeof(kept->pinned));
	kept->record_size = 0;
	sim->questions[name].open = false;
}

static void carry_out(struct sim *sim, const struct effect *effect)
{
	int name = effect->service ? sim_name(sim, effect->service->name) : -1;

	check_effect(sim, effect);
	switch (effect->type) {
	case EFFECT_PIN:
		for (int i = 0; i < N_VARIANTS; i++)
			if (sim->units[name][i] == effect->service->unit)
				sim->kept[name].pinned[i] = true;
		break;
	case EFFECT_SAVE:
		do_save(sim, name, effect);
		break;
	case EFFECT_LOAD:
		do_load(sim, effect);
		break;
	case EFFECT_SPAWN:
		world_spawn(sim, name, effect->token, effect->run_id);
		break;
	case EFFECT_ACK:
		do_ack(sim, effect);
		break;
	case EFFECT_SIGNAL:
		do_signal(sim, effect);
		break;
	case EFFECT_WATCH:
		world_watch(sim, name, effect->token, effect->pid);
		break;
	case EFFECT_TREE_SIGNAL:
		effects_signal_tree(sim, name, effect->run_id, effect->without_main, effect->signo);
		ask(sim, name, effect);
		break;
	case EFFECT_TREE_CHECK:
	case EFFECT_TREE_KILL:
		ask(sim, name, effect);
		break;
	case EFFECT_RUN_BEGIN:
		do_run_begin(sim, name, effect);
		break;
	case EFFECT_REPLY:
		do_reply(sim, effect);
		break;
	case EFFECT_REMOVE:
		do_remove(sim, name);
		break;
	case EFFECT_EXIT:
		sim->exited = true;
		break;
	default:
		break;
	}
}

/* The barriers: a PIN, and a first SAVE, may find the disk full. */
static bool barrier_fails(struct sim *sim, const struct effect *effect)
{
	if (effect->type == EFFECT_PIN)
		return sim_chance(sim, 3);
	if (effect->type == EFFECT_SAVE)
		return sim->kept[sim_name(sim, effect->service->name)].record_size == 0 &&
		       sim_chance(sim, 5);
	return false;
}

bool effects_carry_out(struct sim *sim)
{
	const struct service *cancelled = NULL;
	char name[24] = "";

	for (size_t i = 0; i < sim->effects.n && !sim->failed; i++) {
		const struct effect *e = &sim->effects.items[i];
		if (cancelled && e->service == cancelled)
			continue;
		if (sim->faults && sim_random(sim, 400) == 0)
			return false;
		if (e->type != EFFECT_LOG && e->type != EFFECT_PROGRESS)
			sim_log(sim, "    %s %s token %llu id %llu", effect_names[e->type],
				e->service ? e->service->name : "-", (unsigned long long)e->token,
				(unsigned long long)e->id);
		sim->n_effects++;
		if (barrier_fails(sim, e)) {
			cancelled = e->service;
			snprintf(name, sizeof(name), "%s", e->service->name);
			sim_log(sim, "    ... failed");
			continue;
		}
		carry_out(sim, e);
	}
	if (!cancelled || sim->failed)
		return true;
	struct event event = {.type = EVENT_SAVE_FAILED, .service = name, .error = -ENOSPC};
	return driver_handle(sim, &event);
}
