/*
 * The record's layout, version 1: fixed-width little-endian fields one after the other, then four
 * lists with their lengths. Times are cut to the bytes they need: 6 for the monotonic clock (8.9
 * years of uptime in microseconds), 7 for the wall clock; what does not fit is stored as the
 * largest.
 *
 * The room is small (464 bytes), so what can be recomputed is not there: the last run stands once,
 * and is in the history too when a flag says so; of the history at most four more are kept, with
 * their start recomputed from their end and duration. Watchdog deadlines and the wishes of those
 * who wait are not there: the former start anew, the latter come again with the same request id.
 */
#include "core/record.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "core/private.h"

#define HISTORY_RECORDED 4
#define REQUEST_SIZE 17
#define HISTORY_SIZE 34
#define FIXED_SIZE 172 /* checked at encoding */
#define TAKEOVER_SIZE 18
_Static_assert(FIXED_SIZE + TAKEOVER_SIZE + 1 + SERVICE_STATUS_MAX + 1 +
			       REQUEST_SIZE * SERVICE_REQUESTS_KEPT + 1 +
			       HISTORY_SIZE * HISTORY_RECORDED <=
		       RECORD_SIZE_MAX,
	"the largest record fits");

enum {
	FLAG_TRANSIENT = 1 << 0,
	FLAG_WANTED_UP = 1 << 1,
	FLAG_GAVE_UP = 1 << 2,
	FLAG_RUN_OPEN = 1 << 3,
	FLAG_QUEUED = 1 << 4,
	FLAG_SHUTDOWN = 1 << 5,
	FLAG_STOP_BY_ITSELF = 1 << 6,
	FLAG_STOPPED = 1 << 7,
	FLAG_REFUSAL_LOGGED = 1 << 8,
	FLAG_RUN_IN_HISTORY = 1 << 9,
	FLAG_TAKEOVER = 1 << 10,
	FLAGS_ALL = (1 << 11) - 1,
};

/* A request's verb, lane and verdict share a byte. */
_Static_assert(N_VERBS <= 8 && LANE_REST <= 2 && N_VERDICTS <= 16, "3, 1 and 4 bits");

/* The words of wanted_by, numbered for ever. */
static const char *const wanted_words[] = {"", "run", "start", "stop", "restart", "shutdown"};

/* --- writing --- */

struct writer {
	uint8_t *data;
	size_t size;
};

static void put(struct writer *w, uint64_t value, unsigned n_bytes)
{
	if (n_bytes < 8 && value >> (8 * n_bytes) != 0)
		value = (UINT64_C(1) << (8 * n_bytes)) - 1;
	for (unsigned i = 0; i < n_bytes; i++)
		w->data[w->size++] = (uint8_t)(value >> (8 * i));
}

static void put_bytes(struct writer *w, const void *bytes, size_t size)
{
	memcpy(w->data + w->size, bytes, size);
	w->size += size;
}

static unsigned wanted_word(const char *by)
{
	for (unsigned i = 0; i < ARRAY_SIZE(wanted_words); i++)
		if (strcmp(wanted_words[i], by) == 0)
			return i;
	return 0;
}

static bool run_is_in_history(const struct service *service)
{
	return service->n_history > 0 && !id128_is_null(service->run.id) &&
	       id128_equal(service->history[0].id, service->run.id);
}

static uint16_t flags_of(const struct service *service)
{
	const struct service_private *p = service->private;

	return (uint16_t)((service->transient ? FLAG_TRANSIENT : 0) |
			  (service->wanted_up ? FLAG_WANTED_UP : 0) |
			  (service->gave_up ? FLAG_GAVE_UP : 0) |
			  (p->run_open ? FLAG_RUN_OPEN : 0) | (p->queued ? FLAG_QUEUED : 0) |
			  (p->shutdown ? FLAG_SHUTDOWN : 0) |
			  (p->stop_by_itself ? FLAG_STOP_BY_ITSELF : 0) |
			  (service->run.stopped ? FLAG_STOPPED : 0) |
			  (p->refusal_logged ? FLAG_REFUSAL_LOGGED : 0) |
			  (run_is_in_history(service) ? FLAG_RUN_IN_HISTORY : 0) |
			  (p->takeover ? FLAG_TAKEOVER : 0));
}

static void put_exit(struct writer *w, const struct exit_info *exit)
{
	put(w, (uint64_t)exit->kind, 1);
	put(w, (uint64_t)(exit->code < 0 ? 0 : exit->code), 1);
	put(w, (uint64_t)(exit->step < 0 ? 0 : exit->step), 1);
	put(w, (uint64_t)(exit->error < 0 ? 0 : exit->error), 2);
}

static void put_run(struct writer *w, const struct run *run)
{
	put_bytes(w, run->id.bytes, sizeof(run->id.bytes));
	put(w, run->started_us, 6);
	put(w, run->ready_us, 6);
	put(w, run->ended_us, 6);
	put(w, run->started_wall_us, 7);
	put(w, run->ended_wall_us, 7);
	put(w, (uint32_t)run->main_pid, 4);
	put_exit(w, &run->exit);
	put(w, (uint64_t)run->result, 1);
	put(w, run->n_left, 2);
}

static void put_state(struct writer *w, const struct service *service)
{
	const struct service_private *p = service->private;

	put(w, RECORD_VERSION, 1);
	put(w, unit_text_hash(service->unit), 8); /* record_peek() reads it here */
	put(w, flags_of(service), 2);
	put(w, (uint64_t)service->sub, 1);
	put(w, (uint64_t)service->result, 1);
	put(w, wanted_word(service->wanted_by), 1);
	put(w, p->job, 1);
	put(w, p->phase, 1);
	put(w, p->command, 2);
	put(w, service->wanted_wall_us, 7);
	put(w, service->sub_since_us, 6);
	put(w, service->sub_since_wall_us, 7);
	put(w, service->token, 8);
	put(w, (uint32_t)service->main_pid, 4);
}

static void put_times(struct writer *w, const struct service *service)
{
	const struct service_private *p = service->private;

	put(w, service->restart_at_us, 6);
	put(w, service->settle_until_us, 6);
	put(w, p->timeout_us, 6);
	put(w, p->runtime_at_us, 6);
	put(w, p->main_exited_us, 6);
	put(w, p->watchdog_us, 6);
	put(w, p->limit_begin_us, 6);
	put(w, p->limit_count, 2);
	put(w, p->backoff_step, 2);
	put(w, p->settle_us, 5);
	put(w, p->queued_settle_us, 5);
	put(w, service->n_restarts, 4);
	put(w, (uint64_t)service->status_errno, 2);
}

static void put_history(struct writer *w, const struct run *run)
{
	put(w, run->ended_wall_us, 7);
	put(w, run->ended_us, 6);
	put(w, run->ended_us - run->started_us, 6);
	put(w, run->ready_us > 0 ? run->ready_us - run->started_us + 1 : 0, 5); /* 0 = never was */
	put(w, (uint32_t)run->main_pid, 3);
	put(w, (uint64_t)run->exit.kind | (run->stopped ? 0x80 : 0), 1);
	put(w, (uint64_t)run->exit.code, 1);
	put(w, (uint64_t)run->exit.step, 1);
	put(w, (uint64_t)run->exit.error, 2);
	put(w, (uint64_t)run->result, 1);
	put(w, run->n_left, 1);
}

static void put_lists(struct writer *w, const struct service *service)
{
	const struct service_private *p = service->private;
	size_t status_size = strlen(service->status_text);
	unsigned first = run_is_in_history(service) ? 1 : 0;
	unsigned n_history = service->n_history - first;

	if (p->takeover) {
		put(w, p->takeover->watch_token, 7);
		put(w, (uint32_t)p->takeover->watch_pid, 4);
		put(w, p->takeover->former_token, 7);
	}
	put(w, status_size, 1);
	put_bytes(w, service->status_text, status_size);
	put(w, p->n_requests, 1);
	for (unsigned i = 0; i < p->n_requests; i++) {
		put_bytes(w, p->requests[i].id.bytes, sizeof(p->requests[i].id.bytes));
		put(w,
			p->requests[i].verb | (unsigned)p->requests[i].lane << 3 |
				(unsigned)p->requests[i].verdict << 4,
			1);
	}
	if (n_history > HISTORY_RECORDED)
		n_history = HISTORY_RECORDED;
	put(w, n_history, 1);
	for (unsigned i = 0; i < n_history; i++)
		put_history(w, &service->history[first + i]);
}

size_t record_encode(const struct service *service, uint8_t data[static RECORD_SIZE_MAX])
{
	struct writer w = {.data = data};

	put_state(&w, service);
	put_run(&w, &service->run);
	put_times(&w, service);
	assert(w.size == FIXED_SIZE);
	put_lists(&w, service);
	return w.size;
}

/* --- reading --- */

/* After the first thing that is wrong everything reads as 0 and `bad` stays. */
struct reader {
	const uint8_t *data;
	size_t size, at;
	bool bad;
};

static uint64_t get(struct reader *r, unsigned n_bytes)
{
	uint64_t value = 0;

	if (r->bad || r->size - r->at < n_bytes) {
		r->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < n_bytes; i++)
		value |= (uint64_t)r->data[r->at++] << (8 * i);
	return value;
}

/* A number that must be below limit. */
static unsigned get_below(struct reader *r, unsigned n_bytes, unsigned limit)
{
	uint64_t value = get(r, n_bytes);

	if (value >= limit)
		r->bad = true;
	return r->bad ? 0 : (unsigned)value;
}

static void get_bytes(struct reader *r, void *bytes, size_t size)
{
	if (r->bad || r->size - r->at < size) {
		r->bad = true;
		return;
	}
	memcpy(bytes, r->data + r->at, size);
	r->at += size;
}

static int32_t get_pid(struct reader *r, unsigned n_bytes)
{
	return (int32_t)get_below(r, n_bytes, INT32_MAX);
}

static struct exit_info get_exit(struct reader *r)
{
	struct exit_info exit = {.kind = (enum exit_kind)get_below(r, 1, EXIT_KIND_UNKNOWN + 1)};

	exit.code = (int)get(r, 1);
	exit.step = (int)get(r, 1);
	exit.error = (int)get(r, 2);
	return exit;
}

static void get_run(struct reader *r, struct run *run)
{
	get_bytes(r, run->id.bytes, sizeof(run->id.bytes));
	run->started_us = get(r, 6);
	run->ready_us = get(r, 6);
	run->ended_us = get(r, 6);
	run->started_wall_us = get(r, 7);
	run->ended_wall_us = get(r, 7);
	run->main_pid = get_pid(r, 4);
	run->exit = get_exit(r);
	run->result = (enum service_result)get_below(r, 1, N_RESULTS);
	run->n_left = (uint32_t)get(r, 2);
}

static void set_flags(struct service *service, unsigned flags)
{
	struct service_private *p = service->private;

	service->transient = flags & FLAG_TRANSIENT;
	service->wanted_up = flags & FLAG_WANTED_UP;
	service->gave_up = flags & FLAG_GAVE_UP;
	service->run.stopped = flags & FLAG_STOPPED;
	p->run_open = flags & FLAG_RUN_OPEN;
	p->queued = flags & FLAG_QUEUED;
	p->shutdown = flags & FLAG_SHUTDOWN;
	p->stop_by_itself = flags & FLAG_STOP_BY_ITSELF;
	p->refusal_logged = flags & FLAG_REFUSAL_LOGGED;
}

static unsigned get_state(struct reader *r, struct service *service)
{
	struct service_private *p = service->private;

	if (get(r, 1) != RECORD_VERSION)
		r->bad = true;
	get(r, 8);
	unsigned flags = get_below(r, 2, FLAGS_ALL + 1);
	service->sub = (enum service_sub)get_below(r, 1, N_SUBS);
	service->result = (enum service_result)get_below(r, 1, N_RESULTS);
	service->wanted_by = wanted_words[get_below(r, 1, ARRAY_SIZE(wanted_words))];
	p->job = (uint8_t)get_below(r, 1, N_JOBS);
	p->phase = (uint8_t)get_below(r, 1, N_PHASES);
	p->command = (uint16_t)get(r, 2);
	service->wanted_wall_us = get(r, 7);
	service->sub_since_us = get(r, 6);
	service->sub_since_wall_us = get(r, 7);
	service->token = get(r, 8);
	service->main_pid = get_pid(r, 4);
	return flags;
}

static void get_times(struct reader *r, struct service *service)
{
	struct service_private *p = service->private;

	service->restart_at_us = get(r, 6);
	service->settle_until_us = get(r, 6);
	p->timeout_us = get(r, 6);
	p->runtime_at_us = get(r, 6);
	p->main_exited_us = get(r, 6);
	p->watchdog_us = get(r, 6);
	p->limit_begin_us = get(r, 6);
	p->limit_count = (uint16_t)get(r, 2);
	p->backoff_step = (uint16_t)get(r, 2);
	p->settle_us = get(r, 5);
	p->queued_settle_us = get(r, 5);
	service->n_restarts = (uint32_t)get(r, 4);
	service->status_errno = (int)get(r, 2);
}

static int get_takeover(struct reader *r, struct service *service)
{
	if (takeover_reserve(service) < 0)
		return -ENOMEM;
	struct takeover *t = service->private->takeover;
	t->watch_token = get(r, 7);
	t->watch_pid = get_pid(r, 4);
	t->former_token = get(r, 7);
	return 0;
}

static void get_requests(struct reader *r, struct service *service)
{
	struct service_private *p = service->private;

	p->n_requests = (uint8_t)get_below(r, 1, SERVICE_REQUESTS_KEPT + 1);
	for (unsigned i = 0; i < p->n_requests; i++) {
		get_bytes(r, p->requests[i].id.bytes, sizeof(p->requests[i].id.bytes));
		unsigned what = (unsigned)get(r, 1);
		p->requests[i].verb = what & 0x7;
		p->requests[i].lane = what >> 3 & 0x1;
		p->requests[i].verdict = (uint8_t)(what >> 4);
		if (p->requests[i].verdict >= N_VERDICTS)
			r->bad = true;
	}
}

static void get_history_run(struct reader *r, struct run *run)
{
	run->ended_wall_us = get(r, 7);
	run->ended_us = get(r, 6);
	uint64_t duration_us = get(r, 6), ready_us = get(r, 5);
	run->main_pid = get_pid(r, 3);
	unsigned kind = (unsigned)get(r, 1);
	run->stopped = kind & 0x80;
	run->exit.kind = (enum exit_kind)(kind & 0x7f);
	run->exit.code = (int)get(r, 1);
	run->exit.step = (int)get(r, 1);
	run->exit.error = (int)get(r, 2);
	run->result = (enum service_result)get_below(r, 1, N_RESULTS);
	run->n_left = (uint32_t)get(r, 1);
	if (run->exit.kind > EXIT_KIND_UNKNOWN || duration_us > run->ended_us)
		r->bad = true;
	run->started_us = run->ended_us - duration_us;
	run->started_wall_us =
		run->ended_wall_us > duration_us ? run->ended_wall_us - duration_us : 0;
	run->ready_us = ready_us > 0 ? run->started_us + ready_us - 1 : 0;
}

static int get_history(struct reader *r, struct service *service, bool with_last)
{
	unsigned n = get_below(r, 1, HISTORY_RECORDED + 1);

	if (n == 0 && !with_last)
		return 0;
	if (run_reserve_history(service) < 0)
		return -ENOMEM;
	unsigned first = with_last ? 1 : 0;
	if (with_last)
		service->history[0] = service->run;
	for (unsigned i = 0; i < n; i++)
		get_history_run(r, &service->history[first + i]);
	service->n_history = first + n;
	return 0;
}

/* What the state machine relies on; a record that says otherwise is none of ours. */
static bool is_consistent(const struct service *service)
{
	const struct service_private *p = service->private;
	bool has_run = !id128_is_null(service->run.id);
	bool rests = service->sub == SUB_DEAD || service->sub == SUB_AUTO_RESTART;

	if (p->run_open && !has_run)
		return false;
	if (rests)
		return !p->run_open && service->token == 0 && p->job == JOB_NONE && !p->queued;
	if (service->sub == SUB_FAILED)
		return (p->run_open || service->token == 0) && p->job == JOB_NONE && !p->queued;
	if (service->sub == SUB_START || service->sub == SUB_RUNNING || service->sub == SUB_RELOAD)
		return p->run_open && service->token > 0 && p->job != JOB_STOP;
	return p->run_open;
}

int record_decode(struct service *service, const void *data, size_t size)
{
	struct reader r = {.data = data, .size = size};

	unsigned flags = get_state(&r, service);
	get_run(&r, &service->run);
	get_times(&r, service);
	set_flags(service, flags);
	if ((flags & FLAG_TAKEOVER) && get_takeover(&r, service) < 0)
		return -ENOMEM;
	size_t status_size = get_below(&r, 1, SERVICE_STATUS_MAX + 1);
	get_bytes(&r, service->status_text, status_size);
	get_requests(&r, service);
	if (get_history(&r, service, flags & FLAG_RUN_IN_HISTORY) < 0)
		return -ENOMEM;
	return r.bad || r.at != r.size || !is_consistent(service) ? -EBADMSG : 0;
}

int record_peek(const void *data, size_t size, uint64_t *ret_text_hash)
{
	struct reader r = {.data = data, .size = size};

	uint64_t version = get(&r, 1), hash = get(&r, 8);
	if (r.bad || version != RECORD_VERSION)
		return -EBADMSG;
	*ret_text_hash = hash;
	return 0;
}
