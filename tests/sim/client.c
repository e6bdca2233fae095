/* Clients: they ask, wait, lose patience, and ask again with the same id when the supervisor died.
 */
#include "sim.h"

#include <string.h>

struct client *client_new(struct sim *sim)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (sim->clients[i].used)
			continue;
		struct client *c = &sim->clients[i];
		*c = (struct client){.used = true, .connected = true, .number = ++sim->next_client};
		for (size_t j = 0; j < sizeof(c->id.bytes); j++)
			c->id.bytes[j] = (uint8_t)sim_random(sim, 256);
		c->id.bytes[0] |= 1;
		return c;
	}
	return NULL;
}

static void draw_request(struct sim *sim, struct client *c)
{
	static const enum verb verbs[] = {VERB_START, VERB_START, VERB_START, VERB_START, VERB_STOP,
		VERB_STOP, VERB_RESTART, VERB_RESTART, VERB_RELOAD, VERB_KILL, VERB_WAIT,
		VERB_FORGET};

	c->verb = verbs[sim_random(sim, sizeof(verbs) / sizeof(verbs[0]))];
	c->name = (int)sim_random(sim, N_NAMES);
	if (c->verb == VERB_START && sim_random(sim, 2) == 0) {
		c->variant = 1 + (int)sim_random(sim, N_VARIANTS - 1);
		c->replace = sim_random(sim, 2) == 0;
	}
	c->settle_us = sim_random(sim, 2) * SECOND;
	c->whole_tree = sim_random(sim, 2) == 0;
}

void clients_turn(struct sim *sim)
{
	struct client *c;

	if (sim->faults && sim_random(sim, 3) == 0 &&
		clients_waiting(sim) < CLIENTS_MAX - CLIENTS_KEPT_FREE && (c = client_new(sim))) {
		draw_request(sim, c);
		client_ask(sim, c);
	}
	if (sim_chance(sim, 4)) {
		c = &sim->clients[sim_random(sim, CLIENTS_MAX)];
		if (c->used && !c->answered)
			c->gone = true;
	}
}

bool client_answer(struct sim *sim, uint64_t number, enum verdict verdict)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &sim->clients[i];
		if (!c->used || c->number != number)
			continue;
		if (c->answered)
			return false;
		c->answered = true;
		c->used = false;
		return true;
	}
	/* one that has just gone may still be answered, another may not */
	return false;
}

/* Everybody's connection broke. */
void clients_reconnect(struct sim *sim)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		sim->clients[i].connected = false;
	/* A further death on the way connects all; then none is left for this loop. */
	for (size_t i = 0; i < CLIENTS_MAX && !sim->failed; i++) {
		struct client *c = &sim->clients[i];
		if (!c->used || c->connected)
			continue;
		if (c->gone || sim_chance(sim, 10)) {
			c->used = false;
			continue;
		}
		c->number = ++sim->next_client;
		c->connected = true;
		client_ask(sim, c);
	}
}

size_t clients_waiting(const struct sim *sim)
{
	size_t n = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		n += sim->clients[i].used && !sim->clients[i].answered;
	return n;
}
