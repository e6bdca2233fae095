/*
 * The simulation's main program.
 *
 *	sim                                a fixed set of seeds, TAP
 *	sim --seed N [--steps M] [--verbose]   one seed; a failure prints its trace
 */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 200
#define STEPS 2000
#define REST_TURNS 4000	      /* turns in which the world must come to rest */
#define LOG_KEPT (256 * 1024) /* bytes of the trace that a failure prints */

uint64_t sim_random(struct sim *sim, uint64_t below)
{
	uint64_t z = sim->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return below > 0 ? z % below : 0;
}

bool sim_chance(struct sim *sim, unsigned percent)
{
	return sim_random(sim, 100) < percent && sim->faults;
}

void sim_log(struct sim *sim, const char *format, ...)
{
	va_list args;
	char line[512];

	va_start(args, format);
	int n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (sim->verbose)
		printf("# %s\n", line);
	if (n > 0)
		buf_printf(&sim->log, "# %s\n", line);
	if (sim->log.size > 2 * LOG_KEPT)
		buf_consume(&sim->log, sim->log.size - LOG_KEPT);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
	va_list args;
	char line[512];

	if (sim->failed)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	sim_log(sim, "FAILED: %s", line);
	sim->failed = true;
}

int sim_name(const struct sim *sim, const char *unit_name)
{
	for (int i = 0; i < N_NAMES; i++)
		if (strcmp(sim->names[i], unit_name) == 0)
			return i;
	abort();
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* To the next thing that happens, at most a second on; sometimes past it, as a slow machine does.
 */
static void advance(struct sim *sim)
{
	uint64_t next = earlier(world_next(sim), engine_next_deadline(sim->engine));

	if (next > sim->now_us + SECOND)
		next = sim->now_us + sim_random(sim, SECOND);
	if (next > sim->now_us)
		sim->now_us = next;
	if (sim_chance(sim, 10))
		sim->now_us += sim_random(sim, 50 * MS);
}

static void turns(struct sim *sim, size_t n)
{
	for (size_t i = 0; i < n && !sim->failed && !sim->exited; i++) {
		advance(sim);
		world_turn(sim);
		clients_turn(sim);
		driver_turn(sim);
	}
}

/* All is stopped by name, or by the end of the instance. */
static void ask_for_rest(struct sim *sim)
{
	struct client *c;

	uint64_t how = sim_random(sim, 3);
	if (how == 0) {
		driver_sigterm(sim);
		return;
	}
	if (how == 1 && (c = client_new(sim))) {
		c->verb = VERB_SHUTDOWN;
		client_ask(sim, c);
		return;
	}
	for (int i = 0; i < N_NAMES && !sim->failed; i++) {
		if (!(c = client_new(sim)))
			return;
		c->verb = VERB_STOP;
		c->name = i;
		client_ask(sim, c);
	}
}

static bool at_rest(const struct sim *sim)
{
	if (sim->exited)
		return true;
	for (struct service *s = engine_next(sim->engine, NULL); s; s = engine_next(sim->engine, s))
		if (s->sub != SUB_DEAD && s->sub != SUB_FAILED)
			return false;
	return clients_waiting(sim) == 0;
}

static bool run_seed(uint64_t seed, size_t steps, bool verbose, bool print_always)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	if (!sim)
		return false;
	*sim = (struct sim){.seed = seed,
		.random = seed * UINT64_C(0x2545f4914f6cdd1d) + 1,
		.verbose = verbose,
		.faults = true,
		.now_us = SECOND,
		.next_pid = 100};
	if (units_make(sim)) {
		driver_start(sim);
		turns(sim, steps);
		sim->faults = false;
		for (int i = 0; i < 8 && !sim->failed && !sim->exited && (i == 0 || !at_rest(sim));
			i++) {
			sim_log(sim, "=== faults are over ===");
			ask_for_rest(sim);
			turns(sim, REST_TURNS);
		}
		if (!sim->failed)
			check_rest(sim);
	}
	bool failed = sim->failed;
	if (failed && !verbose)
		fputs(sim->log.data, stdout);
	if (print_always)
		printf("# seed %llu: %zu events, %zu effects, %zu spawns, %zu deaths of the "
		       "supervisor, "
		       "%zu steps without memory\n",
			(unsigned long long)seed, sim->n_events, sim->n_effects, sim->n_spawns,
			sim->n_crashes, sim->n_refused);
	driver_stop(sim);
	effects_done(&sim->effects);
	units_free(sim);
	buf_done(&sim->log);
	free(sim);
	return !failed;
}

static int run_fixed(void)
{
	int n_failed = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		bool ok = run_seed(seed, STEPS, false, false);
		n_failed += !ok;
		printf("%s %llu - seed %llu, %d steps\n", ok ? "ok" : "not ok",
			(unsigned long long)seed, (unsigned long long)seed, STEPS);
	}
	printf("1..%d\n", SEEDS);
	return n_failed > 0;
}

int main(int argc, char **argv)
{
	uint64_t seed = 0;
	size_t steps = STEPS;
	bool one = false, verbose = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--verbose") == 0) {
			verbose = true;
		} else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			seed = strtoull(argv[++i], NULL, 10);
			one = true;
		} else if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc) {
			steps = strtoull(argv[++i], NULL, 10);
		} else {
			fprintf(stderr, "usage: sim [--seed N [--steps M] [--verbose]]\n");
			return 2;
		}
	}
	return one ? !run_seed(seed, steps, verbose, true) : run_fixed();
}
