/*
 * Requests: what a person asks for becomes a job, or is answered at once; and the end of all.
 *
 * A name nobody knows is loaded first; all who ask for it meanwhile wait with the load.
 */
#include "core/private.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* --- requests without a service --- */

/* Answers at once; the waiter is freed. */
static int refuse(struct engine *engine, struct waiter *waiter, enum verdict verdict, int error)
{
	if (effects_reserve(engine->effects, 1) < 0) {
		waiter_free(engine, waiter);
		return -ENOMEM;
	}
	waiter_answer(engine, NULL, waiter, verdict, error, NULL);
	return 0;
}

static void append(struct waiter **list, struct waiter *waiter)
{
	while (*list)
		list = &(*list)->next;
	*list = waiter;
	waiter->next = NULL;
}

static struct load *find_load(struct engine *engine, const char *name)
{
	struct load *load;

	DL_FOREACH(engine->loads, load) {
		if (strcmp(load->name, name) == 0)
			return load;
	}
	return NULL;
}

/* Joins the load of that name or begins one. */
static int load_unit(struct engine *engine, struct waiter *waiter, const char *name)
{
	struct load *load = find_load(engine, name);
	struct waiter *same = load ? waiter_find_id(load->waiters, waiter->id) : NULL;

	if (same) {
		if (waiter->client != 0)
			same->client = waiter->client;
		waiter_free(engine, waiter);
		return 0;
	}
	if (load) {
		append(&load->waiters, waiter);
		return 0;
	}
	if (engine->n_loads >= LOADS_MAX)
		return refuse(engine, waiter, VERDICT_NO_RESOURCES, -EMFILE);
	size_t size = strlen(name) + 1;
	load = calloc(1, sizeof(*load) + size);
	if (!load || effects_reserve(engine->effects, 1) < 0) {
		free(load);
		waiter_free(engine, waiter);
		return -ENOMEM;
	}
	memcpy(load->name, name, size);
	append(&load->waiters, waiter);
	DL_APPEND(engine->loads, load);
	engine->n_loads++;
	effect_add(engine, EFFECT_LOAD, NULL)->name = load->name;
	return 0;
}

static void load_free(struct engine *engine, struct load *load)
{
	DL_DELETE(engine->loads, load);
	engine->n_loads--;
	free(load);
}

/* --- verbs on a service that is known --- */

static void ask_start(struct engine *engine, struct service *service, struct waiter *waiter)
{
	const struct request *request = &engine->event->request;
	bool run = engine->event->type == EVENT_REQUEST && request->unit;
	enum ask ask = !run ? ASK_START : request->replace ? ASK_REPLACE : ASK_RUN;

	job_ask(engine, service, ask, waiter, run ? "run" : "start", run ? request->unit : NULL,
		request->transient);
}

static void ask_stop(struct engine *engine, struct service *service, struct waiter *waiter)
{
	job_ask(engine, service, ASK_STOP, waiter, "stop", NULL, false);
}

static void ask_restart(struct engine *engine, struct service *service, struct waiter *waiter)
{
	job_ask(engine, service, ASK_RESTART, waiter, "restart", NULL, false);
}

/* ExecReload= is not run yet: what has none gets SIGHUP, the old way to say it. */
static void ask_reload(struct engine *engine, struct service *service, struct waiter *waiter)
{
	bool active =
		(service->sub == SUB_RUNNING || service->sub == SUB_RELOAD) && service->token > 0;

	if (active) {
		struct effect *effect = effect_add(engine, EFFECT_SIGNAL, service);
		effect->token = service->token;
		effect->signo = SIGHUP;
		effect_log(engine, LOG_RELOADED, service);
	}
	waiter_answer(engine, service, waiter, active ? VERDICT_DONE : VERDICT_NOT_ACTIVE, 0, NULL);
}

static void ask_kill(struct engine *engine, struct service *service, struct waiter *waiter)
{
	const struct request *request = &engine->event->request;
	bool whole = request->whole_tree && service->private->run_open;

	if (!whole && service->token == 0) {
		waiter_answer(engine, service, waiter, VERDICT_NOT_ACTIVE, 0, NULL);
		return;
	}
	int signo = request->signo > 0 ? request->signo : SIGTERM;
	if (whole && service_is_stopping(service)) {
		/* The question it takes the place of is still open: its answer counts. */
		stop_ask_tree(engine, service, EFFECT_TREE_SIGNAL, signo);
	} else {
		struct effect *effect =
			effect_add(engine, whole ? EFFECT_TREE_SIGNAL : EFFECT_SIGNAL, service);
		effect->signo = signo;
		effect->token = whole ? 0 : service->token;
		effect->run_id = service->run.id;
		effect->id = whole ? ++engine->next_id : 0; /* nobody waits for its answer */
	}
	waiter_answer(engine, service, waiter, VERDICT_DONE, 0, NULL);
}

static void ask_wait(struct engine *engine, struct service *service, struct waiter *waiter)
{
	waiter_attach(service, waiter, LANE_REST); /* change_end() answers what is at rest */
}

static void ask_forget(struct engine *engine, struct service *service, struct waiter *waiter)
{
	if (!service_is_at_rest(service) || service->private->run_open) {
		waiter_answer(engine, service, waiter, VERDICT_BUSY, 0, NULL);
		return;
	}
	if (!service->transient) {
		waiter_answer(engine, service, waiter, VERDICT_FAILED, -EPERM,
			"it has a unit file: remove that, it was not made by hob run");
		return;
	}
	effect_log(engine, LOG_FORGOTTEN, service);
	effect_add(engine, EFFECT_REMOVE, service)->remove_logs =
		engine->event->request.remove_logs;
	service->private->removed = true;
	waiter_answer(engine, service, waiter, VERDICT_DONE, 0, NULL);
}

static const struct {
	void (*ask)(struct engine *engine, struct service *service, struct waiter *waiter);
	bool loads;  /* a name that is not known is looked for on disk */
	bool starts; /* refused while the instance ends */
	bool logged; /* it changes something: said in the events log */
} verbs[N_VERBS] = {
	[VERB_START] = {ask_start, .loads = true, .starts = true, .logged = true},
	[VERB_STOP] = {ask_stop, .logged = true},
	[VERB_RESTART] = {ask_restart, .loads = true, .starts = true, .logged = true},
	[VERB_RELOAD] = {ask_reload, .logged = true},
	[VERB_KILL] = {ask_kill, .logged = true},
	[VERB_WAIT] = {ask_wait},
	[VERB_FORGET] = {ask_forget},
	[VERB_SHUTDOWN] = {NULL},
};

static void log_request(struct engine *engine, struct service *service, const struct waiter *waiter)
{
	if (!verbs[waiter->verb].logged)
		return;
	struct effect *effect = effect_log(engine, LOG_REQUEST, service);
	effect->verb = waiter->verb;
	effect->request_id = waiter->id;
}

/* The same request again: whoever asks now, and wants an answer, is the one who waits. */
static bool repeated(struct engine *engine, struct service *service, struct waiter *waiter)
{
	struct remembered *known = remembered_find(service, waiter->id);
	struct waiter *same = waiter_find_id(service->private->waiters, waiter->id);

	if (known && known->verdict != VERDICT_NONE) {
		waiter_answer(engine, service, waiter, (enum verdict)known->verdict, 0, NULL);
	} else if (same) {
		if (waiter->client != 0)
			same->client = waiter->client;
		waiter_free(engine, waiter);
	} else if (known) {
		waiter_attach(service, waiter, (enum lane)known->lane);
	} else {
		return false;
	}
	return true;
}

static int ask_service(struct engine *engine, struct service *service, struct waiter *waiter)
{
	struct change change;

	/* one more who waits: a reply and a progress report */
	if (change_begin(engine, service, 2, &change) < 0) {
		waiter_free(engine, waiter);
		return -ENOMEM;
	}
	if (!repeated(engine, service, waiter)) {
		if (engine->shutting_down && verbs[waiter->verb].starts) {
			waiter_answer(engine, service, waiter, VERDICT_SHUTTING_DOWN, 0, NULL);
		} else {
			log_request(engine, service, waiter);
			verbs[waiter->verb].ask(engine, service, waiter);
		}
	}
	change_end(engine, &change);
	return 0;
}

static int run_new(struct engine *engine, struct waiter *waiter)
{
	const struct request *request = &engine->event->request;

	if (engine->n_services >= SERVICES_MAX)
		return refuse(engine, waiter, VERDICT_NO_RESOURCES, -ENOSPC);
	struct service *service = service_new(engine, request->unit);
	if (!service) {
		waiter_free(engine, waiter);
		return -ENOMEM;
	}
	service->transient = request->transient;
	int r = ask_service(engine, service, waiter);
	if (r < 0)
		service_unlink(engine, service);
	return r;
}

int request_step(struct engine *engine)
{
	const struct request *request = &engine->event->request;

	if ((unsigned)request->verb >= N_VERBS)
		return -EINVAL;
	struct waiter *waiter = waiter_new(engine, request);
	if (!waiter)
		return -ENOMEM;
	if (engine->n_waiters > WAITERS_MAX)
		return refuse(engine, waiter, VERDICT_NO_RESOURCES, -EMFILE);
	if (request->verb == VERB_SHUTDOWN)
		return shutdown_begin(engine, waiter, request->leave);
	struct service *service = engine_find(engine, request->unit_name);
	if (service)
		return ask_service(engine, service, waiter);
	if (engine->shutting_down && verbs[request->verb].starts)
		return refuse(engine, waiter, VERDICT_SHUTTING_DOWN, 0);
	if (request->unit)
		return run_new(engine, waiter);
	if (!verbs[request->verb].loads)
		return refuse(engine, waiter, VERDICT_NO_SUCH_UNIT, 0);
	return load_unit(engine, waiter, request->unit_name);
}

/* --- EVENT_LOADED --- */

static size_t count(const struct waiter *list)
{
	size_t n = 0;

	for (; list; list = list->next)
		n++;
	return n;
}

static int load_failed(struct engine *engine, struct load *load)
{
	const struct event *event = engine->event;
	enum verdict verdict = engine->shutting_down			? VERDICT_SHUTTING_DOWN
			       : event->unit || event->error == -ENOMEM ? VERDICT_NO_RESOURCES
			       : event->error == -ENOENT		? VERDICT_NO_SUCH_UNIT
									: VERDICT_BAD_UNIT;

	if (effects_reserve(engine->effects, count(load->waiters)) < 0)
		return -ENOMEM;
	const char *text = effect_text(engine, event->text);
	while (load->waiters) {
		struct waiter *waiter = load->waiters;
		load->waiters = waiter->next;
		waiter_answer(engine, NULL, waiter, verdict, event->error, text);
	}
	load_free(engine, load);
	return 0;
}

int request_loaded(struct engine *engine)
{
	const struct event *event = engine->event;
	struct load *load = find_load(engine, event->service);

	if (!load)
		return 0; /* stale */
	struct service *service = engine_find(engine, load->name);
	bool fresh = !service;
	if (fresh && (!event->unit || engine->shutting_down || engine->n_services >= SERVICES_MAX))
		return load_failed(engine, load);
	if (fresh)
		service = service_new(engine, event->unit);
	if (!service)
		return -ENOMEM;
	struct change change;
	int r = change_begin(engine, service, 4 * count(load->waiters), &change);
	if (r < 0) {
		if (fresh)
			service_unlink(engine, service);
		return r;
	}
	while (load->waiters) {
		struct waiter *waiter = load->waiters;
		load->waiters = waiter->next;
		log_request(engine, service, waiter);
		verbs[waiter->verb].ask(engine, service, waiter);
	}
	change_end(engine, &change);
	load_free(engine, load);
	return 0;
}
