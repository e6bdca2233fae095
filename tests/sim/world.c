/* Processes, and init as far as the supervisor sees it: rows, tokens, signals. */
#include "sim.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define EXEC_FAILED 203
#define STEP_EXEC 6
#define STEP_FORK 1

struct process *world_process(struct sim *sim, int32_t pid)
{
	for (size_t i = 0; i < PROCESSES_MAX; i++)
		if (sim->processes[i].alive && sim->processes[i].pid == pid)
			return &sim->processes[i];
	return NULL;
}

struct row *world_row(struct sim *sim, uint64_t token)
{
	for (size_t i = 0; i < ROWS_MAX; i++)
		if (sim->rows[i].state != ROW_FREE && sim->rows[i].token == token)
			return &sim->rows[i];
	return NULL;
}

uint32_t world_count(const struct sim *sim, int name, struct id128 run_id)
{
	uint32_t n = 0;

	for (size_t i = 0; i < PROCESSES_MAX; i++) {
		const struct process *p = &sim->processes[i];
		n += p->alive && p->name == name && id128_equal(p->run_id, run_id);
	}
	return n;
}

static struct process *new_process(struct sim *sim, int name, struct id128 run_id)
{
	for (size_t i = 0; i < PROCESSES_MAX; i++) {
		struct process *p = &sim->processes[i];
		if (p->alive)
			continue;
		*p = (struct process){.pid = ++sim->next_pid,
			.name = name,
			.run_id = run_id,
			.alive = true,
			.exec_at = NEVER,
			.exit_at = NEVER,
			.fork_at = NEVER,
			.ready_at = NEVER,
			.ping_at = NEVER};
		return p;
	}
	return NULL;
}

static struct row *new_row(struct sim *sim, int name, uint64_t token)
{
	for (size_t i = 0; i < ROWS_MAX; i++) {
		if (sim->rows[i].state == ROW_FREE) {
			sim->rows[i] =
				(struct row){.token = token, .name = name, .state = ROW_RUNNING};
			return &sim->rows[i];
		}
	}
	sim_fail(sim, "the table is full: rows are not acknowledged");
	return NULL;
}

static void draw_exit(struct sim *sim, struct process *p)
{
	static const struct exit_info exits[] = {
		{EXIT_KIND_EXITED, 0},
		{EXIT_KIND_EXITED, 0},
		{EXIT_KIND_EXITED, 1},
		{EXIT_KIND_EXITED, 3},
		{EXIT_KIND_EXITED, 4},
		{EXIT_KIND_KILLED, SIGSEGV},
		{EXIT_KIND_DUMPED, SIGABRT},
		{EXIT_KIND_KILLED, SIGTERM},
	};
	p->exit = exits[sim_random(sim, sizeof(exits) / sizeof(exits[0]))];
}

/* What the program will do, unless it is stopped before. */
static void draw_life(struct sim *sim, struct process *p)
{
	static const uint64_t lives[] = {50 * MS, 500 * MS, 3 * SECOND, 12 * SECOND, NEVER, NEVER};

	uint64_t life = lives[sim_random(sim, sizeof(lives) / sizeof(lives[0]))];
	if (life != NEVER)
		p->exit_at = sim->now_us + 1 + sim_random(sim, life);
	p->term_delay =
		sim_random(sim, 3) == 0 ? sim_random(sim, 3 * SECOND) : sim_random(sim, 5 * MS);
	if (sim->faults) {
		p->ignores_term = sim_chance(sim, 15);
		if (sim_chance(sim, 4))
			p->stuck_until = sim->now_us + sim_random(sim, 40 * SECOND);
		if (sim_chance(sim, 30))
			p->fork_at = sim->now_us + sim_random(sim, 3 * SECOND);
	}
}

static void draw_main(struct sim *sim, struct process *p)
{
	draw_life(sim, p);
	draw_exit(sim, p);
	p->spawned = true;
	p->exec_at = sim->now_us + sim_random(sim, 3 * MS);
	p->ready_at = sim->now_us + sim_random(sim, sim_chance(sim, 20) ? 5 * SECOND : 200 * MS);
	p->ping_every = sim_chance(sim, 10) ? NEVER : 400 * MS;
	p->takes_over = sim_chance(sim, 15);
	if (sim_chance(sim, 5)) {
		p->exit_at = p->exec_at;
		p->exec_at = NEVER;
		p->exit = (struct exit_info){EXIT_KIND_STEP, EXEC_FAILED, STEP_EXEC, 2};
	}
}

static void check_single(struct sim *sim, int name)
{
	unsigned n = 0;

	for (size_t i = 0; i < PROCESSES_MAX; i++)
		n += sim->processes[i].alive && sim->processes[i].spawned &&
		     sim->processes[i].name == name;
	if (n > 1)
		sim_fail(sim, "%u main processes of %s", n, sim->names[name]);
}

void world_spawn(struct sim *sim, int name, uint64_t token, struct id128 run_id)
{
	if (token <= sim->last_token) {
		sim_fail(sim, "token %llu is not new", (unsigned long long)token);
		return;
	}
	sim->last_token = token;
	sim->sent[token % TOKENS_KEPT] = true;
	sim->n_spawns++;
	struct row *row = new_row(sim, name, token);
	if (!row)
		return;
	struct process *p = sim_chance(sim, 4) ? NULL : new_process(sim, name, run_id);
	if (!p) {
		row->state = ROW_EXITED;
		row->exit = (struct exit_info){EXIT_KIND_STEP, 1, STEP_FORK, 11};
		return;
	}
	p->token = token;
	row->pid = p->pid;
	draw_main(sim, p);
	check_single(sim, name);
	if (!id128_equal(sim->kept[name].run_id, run_id))
		sim_fail(sim, "spawn before its run began");
}

void world_watch(struct sim *sim, int name, uint64_t token, int32_t pid)
{
	struct process *p = world_process(sim, pid);

	if (token <= sim->last_token) {
		sim_fail(sim, "watch token %llu is not new", (unsigned long long)token);
		return;
	}
	sim->last_token = token;
	sim->sent[token % TOKENS_KEPT] = true;
	struct row *row = new_row(sim, name, token);
	if (!row)
		return;
	row->pid = pid;
	row->watched = row->execed = true;
	if (p) {
		/* from now on it is the main process, and the one of before is not */
		for (size_t i = 0; i < PROCESSES_MAX; i++)
			if (id128_equal(sim->processes[i].run_id, p->run_id))
				sim->processes[i].spawned = false;
		p->token = token;
		p->spawned = true;
		return;
	}
	row->state = ROW_EXITED;
	row->exit = (struct exit_info){.kind = EXIT_KIND_UNKNOWN};
}

static void die(struct sim *sim, struct process *p, struct exit_info exit)
{
	struct row *row = p->token > 0 ? world_row(sim, p->token) : NULL;
	struct kept *kept = &sim->kept[p->name];

	sim_log(sim, "  pid %d of %s ends: kind %d code %d", p->pid, sim->names[p->name], exit.kind,
		exit.code);
	p->alive = false;
	if (row) {
		row->state = ROW_EXITED;
		row->exit = exit;
	}
	if (p->spawned && id128_equal(kept->run_id, p->run_id) && !kept->pipe_ready)
		kept->pipe_closed = true;
}

void world_signal(struct sim *sim, struct process *p, int signo)
{
	if (!p || signo == SIGCONT)
		return;
	if (signo == SIGKILL) {
		if (p->stuck_until > sim->now_us)
			p->stuck_killed = true;
		else
			die(sim, p, (struct exit_info){EXIT_KIND_KILLED, SIGKILL});
		return;
	}
	if (p->ignores_term || p->exit.kind == EXIT_KIND_STEP)
		return;
	uint64_t at_us = sim->now_us + (p->execed ? p->term_delay : 0);
	if (at_us < p->exit_at) {
		p->exit_at = at_us;
		p->exit = (struct exit_info){
			signo == SIGABRT ? EXIT_KIND_DUMPED : EXIT_KIND_KILLED, signo};
	}
}

static void send(struct sim *sim, const struct process *p, const char *text)
{
	if (sim->n_messages == MESSAGES_MAX)
		return; /* a full queue: the sender's loss */
	struct message *m = &sim->messages[sim->n_messages++];
	*m = (struct message){.name = p->name, .run_id = p->run_id};
	m->sender = p->token > 0 ? SENDER_MAIN : sim_chance(sim, 5) ? SENDER_UNKNOWN : SENDER_TREE;
	snprintf(m->text, sizeof(m->text), "%s", text);
	sim_log(sim, "  pid %d of %s sends %s", p->pid, sim->names[p->name], text);
}

static void fork_child(struct sim *sim, struct process *parent)
{
	struct process *child = new_process(sim, parent->name, parent->run_id);
	char text[64];

	if (!child)
		return;
	draw_life(sim, child);
	draw_exit(sim, child);
	child->execed = true;
	child->exec_at = NEVER;
	sim_log(sim, "  pid %d forks %d", parent->pid, child->pid);
	if (parent->takes_over && parent->spawned) {
		snprintf(text, sizeof(text), "MAINPID=%d", child->pid);
		send(sim, parent, text);
	}
}

static void become_ready(struct sim *sim, struct process *p)
{
	struct kept *kept = &sim->kept[p->name];

	p->ready_at = NEVER;
	if (p->ping_every != NEVER)
		p->ping_at = sim->now_us + p->ping_every;
	if (id128_equal(kept->run_id, p->run_id)) {
		kept->pipe_ready = !sim_chance(sim, 10);
		kept->pipe_closed = !kept->pipe_ready;
	}
	send(sim, p,
		sim_chance(sim, 10) ? "READY=1\nSTATUS=well\nEXTEND_TIMEOUT_USEC=2000000"
				    : "READY=1");
	if (sim_chance(sim, 20))
		send(sim, p, "READY=1");
	if (sim_chance(sim, 5))
		send(sim, p, "RELOADING=1");
	if (sim_chance(sim, 3))
		send(sim, p, "STOPPING=1");
	if (sim_chance(sim, 3))
		send(sim, p, "WATCHDOG=trigger");
}

static void ping(struct sim *sim, struct process *p)
{
	p->ping_at = sim->now_us + p->ping_every;
	send(sim, p, "WATCHDOG=1");
}

static void live(struct sim *sim, struct process *p)
{
	uint64_t now_us = sim->now_us;

	if (p->stuck_killed && p->stuck_until <= now_us) {
		die(sim, p, (struct exit_info){EXIT_KIND_KILLED, SIGKILL});
		return;
	}
	if (p->exec_at <= now_us) {
		struct row *row = world_row(sim, p->token);
		p->execed = true;
		p->exec_at = NEVER;
		if (row)
			row->execed = true;
	}
	if (p->fork_at <= now_us) {
		p->fork_at = sim_chance(sim, 20) ? now_us + sim_random(sim, SECOND) : NEVER;
		fork_child(sim, p);
	}
	if (p->execed && p->ready_at <= now_us)
		become_ready(sim, p);
	if (p->ping_at <= now_us)
		ping(sim, p);
	if (p->exit_at <= now_us && p->stuck_until <= now_us)
		die(sim, p, p->exit);
}

void world_turn(struct sim *sim)
{
	for (size_t i = 0; i < PROCESSES_MAX; i++)
		if (sim->processes[i].alive)
			live(sim, &sim->processes[i]);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t world_next(const struct sim *sim)
{
	uint64_t next = NEVER;

	for (size_t i = 0; i < PROCESSES_MAX; i++) {
		const struct process *p = &sim->processes[i];
		if (!p->alive)
			continue;
		uint64_t own = earlier(earlier(p->exec_at, p->fork_at),
			earlier(p->execed ? p->ready_at : NEVER, p->ping_at));
		if (p->stuck_killed)
			own = earlier(own, p->stuck_until);
		if (p->exit_at != NEVER)
			own = earlier(
				own, p->exit_at > p->stuck_until ? p->exit_at : p->stuck_until);
		next = earlier(next, own);
	}
	return next;
}
