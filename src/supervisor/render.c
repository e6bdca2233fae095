/* Members that have no value now are null, so that a reader need not tell 0 from none. */
#include "supervisor/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/spec.h"
#include "supervisor/tree.h"

/* An object being filled; the first failure is kept, and ends in NULL. */
struct filling {
	json_t *object;
	bool failed;
};

/* Takes the value; keys are literals of ours, so they need no check. */
static void put(struct filling *filling, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(filling->object, key, value) < 0)
		filling->failed = true;
}

static struct filling begin(void)
{
	json_t *object = json_object();

	return (struct filling){.object = object, .failed = !object};
}

static json_t *finish(struct filling *filling)
{
	if (!filling->failed)
		return filling->object;
	json_decref(filling->object);
	return NULL;
}

static void put_number(struct filling *filling, const char *key, uint64_t value)
{
	put(filling, key, json_integer((json_int_t)value));
}

static void put_number_or_null(
	struct filling *filling, const char *key, bool is_there, uint64_t value)
{
	put(filling, key, is_there ? json_integer((json_int_t)value) : json_null());
}

static void put_bool(struct filling *filling, const char *key, bool value)
{
	put(filling, key, json_boolean(value));
}

/* A word of ours: ASCII. */
static void put_word(struct filling *filling, const char *key, const char *word)
{
	put(filling, key, word ? json_string_nocheck(word) : json_null());
}

/* Bytes from a unit file or a program may be no UTF-8: those are shown escaped. */
static json_t *text_or_null(const char *text)
{
	_cleanup_(buf_done) struct buf harmless = {0};

	if (!text)
		return json_null();
	json_t *string = json_string(text);
	if (string)
		return string;
	text_append_harmless(&harmless, text, strlen(text));
	return json_string(harmless.data ? harmless.data : "");
}

static void put_text(struct filling *filling, const char *key, const char *text)
{
	put(filling, key, text_or_null(text));
}

static void put_id(struct filling *filling, const char *key, struct id128 id)
{
	char text[ID128_TEXT_SIZE];

	put_word(filling, key, id128_is_null(id) ? NULL : id128_render(id, text));
}

/* Exit status or signal, whichever it was. */
static void put_exit(struct filling *filling, const struct exit_info *exit)
{
	bool exited = exit->kind == EXIT_KIND_EXITED || exit->kind == EXIT_KIND_STEP;
	bool killed = exit->kind == EXIT_KIND_KILLED || exit->kind == EXIT_KIND_DUMPED;

	put_number_or_null(filling, "exit_code", exited, (uint64_t)exit->code);
	put_number_or_null(filling, "exit_signal", killed, (uint64_t)exit->code);
}

static void put_ready(struct filling *filling, const struct run *run)
{
	put_number_or_null(
		filling, "ready_usec", run->ready_us > 0, run->ready_us - run->started_us);
}

static void put_pid(struct filling *filling, int32_t pid)
{
	put_number_or_null(filling, "main_pid", pid > 0, (uint64_t)pid);
}

char *render_command(const struct unit *unit)
{
	_cleanup_(buf_done) struct buf text = {0};
	const struct exec_command *commands;

	if (unit_commands(unit, UNIT_EXEC_START, &commands) > 0) {
		for (size_t i = 0; commands[0].argv[i]; i++) {
			if (i > 0)
				buf_append_char(&text, ' ');
			text_append_shell_quoted(&text, commands[0].argv[i]);
		}
	}
	return buf_take_string(&text);
}

/* --- service --- */

static void put_state(struct filling *filling, const struct service *s)
{
	uint64_t now_us = clock_monotonic_us();
	uint64_t restart_in_us = s->restart_at_us > now_us ? s->restart_at_us - now_us : 0;

	put_word(filling, "state", service_state_name(service_state(s)));
	put_word(filling, "sub", service_sub_name(s->sub));
	put_pid(filling, s->main_pid);
	put_id(filling, "run_id", s->run.id);
	put_word(filling, "wanted", s->wanted_up ? "up" : "down");
	put_word(filling, "wanted_by", s->wanted_by);
	put_number_or_null(filling, "wanted_since_usec", s->wanted_wall_us > 0, s->wanted_wall_us);
	put_number(filling, "n_restarts", s->n_restarts);
	put_word(filling, "result", service_result_name(s->result));
	put_exit(filling, &s->run.exit);
	put_number_or_null(filling, "since_usec", s->sub_since_wall_us > 0, s->sub_since_wall_us);
	put_ready(filling, &s->run);
	put_number_or_null(filling, "restart_in_usec", s->sub == SUB_AUTO_RESTART, restart_in_us);
	put_number_or_null(filling, "deadline_in_usec",
		s->deadline_us != ENGINE_NO_DEADLINE && s->deadline_us > now_us,
		s->deadline_us - now_us);
	put_bool(filling, "gave_up", s->gave_up);
	put_bool(filling, "settling", s->settle_until_us > 0);
	put_text(filling, "status_text", s->status_text[0] ? s->status_text : NULL);
	put_number_or_null(filling, "status_errno", s->status_errno > 0, (uint64_t)s->status_errno);
}

static void put_description(struct driver *driver, struct filling *filling, const struct service *s)
{
	_cleanup_(freep) char *command = render_command(s->unit);
	_cleanup_(buf_done) struct buf log_dir = {0};

	buf_printf(&log_dir, "%s/%s", driver->place.log, log_name(s->name));
	put_word(filling, "name", log_name(s->name));
	put_word(filling, "unit", s->name);
	put_text(filling, "description", unit_string(s->unit, UNIT_DESCRIPTION));
	put_text(filling, "command", command ? command : "");
	put_text(filling, "log_dir", log_dir.data ? log_dir.data : "");
	put_bool(filling, "transient", s->transient);
}

static void put_details(struct driver *driver, struct filling *filling, const struct service *s)
{
	struct tree_id tree = attachment_tree_id(s);
	bool runs = !id128_is_null(s->run.id) && s->run.ended_us == 0;
	int n = runs ? tree_count(driver->trees, &tree) : 0;
	int64_t memory = runs ? tree_memory(driver->trees, &tree) : 0;

	put_number_or_null(filling, "n_processes", n >= 0, (uint64_t)n);
	put_number_or_null(filling, "memory_bytes", memory >= 0, (uint64_t)memory);
}

json_t *render_service(struct driver *driver, const struct service *service, bool details)
{
	struct filling filling = begin();

	put_description(driver, &filling, service);
	put_state(&filling, service);
	if (details)
		put_details(driver, &filling, service);
	return finish(&filling);
}

/* --- runs --- */

static void put_end(struct filling *filling, const struct run *run)
{
	static const char *const kinds[] = {
		[EXIT_KIND_NONE] = "none",
		[EXIT_KIND_EXITED] = "exited",
		[EXIT_KIND_KILLED] = "killed",
		[EXIT_KIND_DUMPED] = "dumped",
		[EXIT_KIND_STEP] = "step",
		[EXIT_KIND_UNKNOWN] = "unknown",
	};
	const struct exit_info *exit = &run->exit;
	bool is_step = exit->kind == EXIT_KIND_STEP;

	put_word(filling, "exit", kinds[exit->kind]);
	put_exit(filling, exit);
	put_word(filling, "step", is_step ? child_step_name((enum child_step)exit->step) : NULL);
	put_number_or_null(filling, "errno", is_step, (uint64_t)exit->error);
	put_word(filling, "result", service_result_name(run->result));
	put_number(filling, "n_left", run->n_left);
	put_bool(filling, "stopped", run->stopped);
}

json_t *render_run(const struct run *run)
{
	struct filling filling;

	if (run->started_us == 0)
		return json_null();
	filling = begin();
	put_id(&filling, "id", run->id);
	put_number(&filling, "started_usec", run->started_wall_us);
	put_number_or_null(
		&filling, "duration_usec", run->ended_us > 0, run->ended_us - run->started_us);
	put_ready(&filling, run);
	put_pid(&filling, run->main_pid);
	put_end(&filling, run);
	return finish(&filling);
}

json_t *render_brief(const struct service *service)
{
	_cleanup_(freep) char *command = render_command(service->unit);
	struct filling filling = begin();

	put_word(&filling, "name", log_name(service->name));
	put_word(&filling, "state", service_state_name(service_state(service)));
	put_word(&filling, "sub", service_sub_name(service->sub));
	put_pid(&filling, service->main_pid);
	put_number(&filling, "since_usec", service->sub_since_wall_us);
	put_number(&filling, "n_restarts", service->n_restarts);
	put_text(&filling, "command", command ? command : "");
	return finish(&filling);
}

json_t *render_history(const struct service *service)
{
	json_t *history = json_array();

	for (unsigned i = 0; history && i < service->n_history; i++) {
		if (json_array_append_new(history, render_run(&service->history[i])) < 0) {
			json_decref(history);
			return NULL;
		}
	}
	return history;
}

json_t *render_job(struct driver *driver, const struct effect *effect)
{
	const struct service *service = effect->service;
	struct filling filling = begin();
	/* Who is left is asked now: the engine knows numbers, not names. */
	_cleanup_(freep) char *left = effect->verdict == VERDICT_UNKILLABLE && service
					      ? tree_describe(driver, service)
					      : NULL;

	put_word(&filling, "verdict", verdict_name(effect->verdict));
	put(&filling, "service", service ? render_service(driver, service, false) : json_null());
	put(&filling, "run", service ? render_run(&service->run) : json_null());
	put_text(&filling, "text", left ? left : effect->text);
	put_number_or_null(&filling, "errno", effect->error < 0, (uint64_t)-effect->error);
	return finish(&filling);
}

/* --- instance --- */

static uint64_t count_services(const struct driver *driver)
{
	uint64_t n = 0;

	for (struct service *s = engine_next(driver->engine, NULL); s;
		s = engine_next(driver->engine, s))
		n++;
	return n;
}

json_t *render_instance(struct driver *driver)
{
	const struct table_header *header = driver->table.header;
	struct filling filling = begin();

	put_word(&filling, "version", HOB_VERSION);
	put_text(&filling, "home", driver->place.home);
	put_text(&filling, "runtime_dir", driver->place.runtime);
	put_text(&filling, "log_dir", driver->place.log);
	put_number(&filling, "init_pid", (uint64_t)header->init_pid);
	put_number(&filling, "supervisor_pid", (uint64_t)getpid());
	put_number(&filling, "logger_pid", (uint64_t)atomic_load(&header->logger_pid));
	put_number(&filling, "n_services", count_services(driver));
	/* The word counts starts of a supervisor in this epoch. */
	put_number(&filling, "n_restores", store_word(driver->store, STORE_N_RESTORES) - 1);
	put_word(&filling, "tree", trees_use_cgroups(driver->trees) ? "cgroup" : "scan");
	put_number(&filling, "started_usec",
		clock_wall_us() - clock_monotonic_us() + header->started_us);
	return finish(&filling);
}
