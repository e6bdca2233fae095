/*
 * The notify protocol (sd_notify(3)). A message is peeked, applied, recorded and only then
 * received, so it may be applied twice: everything here comes out the same the second time.
 */
#include "core/private.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"

#define PID_LIMIT (1 << 22) /* PID_MAX_LIMIT of Linux on 64 bits */
#define ERRNO_MAX 4095

enum field {
	FIELD_READY,
	FIELD_RELOADING,
	FIELD_STOPPING,
	FIELD_STATUS,
	FIELD_ERRNO,
	FIELD_MAINPID,
	FIELD_EXTEND_TIMEOUT,
	FIELD_WATCHDOG,
	FIELD_WATCHDOG_PERIOD,
	N_FIELDS
};

static const struct {
	const char *key;
	const char *only; /* the one value that counts; NULL: a number up to max, or text */
	uint64_t max;	  /* 0 with only NULL: text */
} fields[N_FIELDS] = {
	[FIELD_READY] = {"READY", .only = "1"},
	[FIELD_RELOADING] = {"RELOADING", .only = "1"},
	[FIELD_STOPPING] = {"STOPPING", .only = "1"},
	[FIELD_STATUS] = {"STATUS"},
	[FIELD_ERRNO] = {"ERRNO", .max = ERRNO_MAX},
	[FIELD_MAINPID] = {"MAINPID", .max = PID_LIMIT},
	[FIELD_EXTEND_TIMEOUT] = {"EXTEND_TIMEOUT_USEC", .max = UINT64_MAX - 1},
	[FIELD_WATCHDOG] = {"WATCHDOG"},
	[FIELD_WATCHDOG_PERIOD] = {"WATCHDOG_USEC", .max = UINT64_MAX - 1},
};

struct message {
	bool has[N_FIELDS];
	uint64_t number[N_FIELDS];
	const char *text[N_FIELDS]; /* not terminated: size bytes */
	size_t size[N_FIELDS];
};

/* Of a key that comes twice the last one counts. */
static void take_value(struct message *message, enum field field, const char *value, size_t size)
{
	char number[32];

	if (fields[field].only) {
		message->has[field] = size == strlen(fields[field].only) &&
				      memcmp(value, fields[field].only, size) == 0;
		return;
	}
	if (fields[field].max > 0) {
		if (size >= sizeof(number))
			return;
		memcpy(number, value, size);
		number[size] = '\0';
		if (number_parse_u64(number, fields[field].max, &message->number[field]) < 0)
			return;
	}
	message->has[field] = true;
	message->text[field] = value;
	message->size[field] = size;
}

static void parse_line(struct message *message, const char *line, size_t size)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		size_t key_size = strlen(fields[i].key);
		if (size > key_size && line[key_size] == '=' &&
			memcmp(line, fields[i].key, key_size) == 0)
			take_value(
				message, (enum field)i, line + key_size + 1, size - key_size - 1);
	}
}

static void parse(struct message *message, const char *text)
{
	*message = (struct message){0};
	while (*text) {
		size_t size = strcspn(text, "\n");
		parse_line(message, text, size);
		text += size + (text[size] == '\n');
	}
}

/* systemd.service(5), NotifyAccess=. */
static bool sender_may(const struct service *service, enum notify_sender sender)
{
	switch ((enum notify_access)unit_u64(service_run_unit(service), UNIT_NOTIFY_ACCESS)) {
	case NOTIFY_MAIN:
		return sender == SENDER_MAIN;
	case NOTIFY_EXEC:
		return sender == SENDER_MAIN || sender == SENDER_CONTROL;
	case NOTIFY_ALL:
		return sender != SENDER_UNKNOWN;
	default:
		return false;
	}
}

/* Said once a run: a program must not fill our log by sending to us. */
static void refuse(struct engine *engine, struct service *service)
{
	if (service->private->refusal_logged)
		return;
	service->private->refusal_logged = true;
	effect_log(engine, LOG_NOTIFY_REFUSED, service)->pid = engine->event->pid;
}

static void set_status(
	struct engine *engine, struct service *service, const char *text, size_t size)
{
	if (size > SERVICE_STATUS_MAX) {
		size = SERVICE_STATUS_MAX;
		while (size > 0 && ((uint8_t)text[size] & 0xc0) == 0x80)
			size--; /* not in the middle of a character */
	}
	if (strlen(service->status_text) == size && memcmp(service->status_text, text, size) == 0)
		return;
	memcpy(service->status_text, text, size);
	service->status_text[size] = '\0';
	effect_log(engine, LOG_STATUS, service)->text = service->status_text;
}

static void extend(uint64_t *deadline_us, uint64_t until_us)
{
	if (*deadline_us > 0 && until_us > *deadline_us)
		*deadline_us = until_us;
}

static void feed_watchdog(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	if (service_is_up(service) && service->sub != SUB_EXITED)
		p->watchdog_at_us =
			p->watchdog_us > 0 ? deadline_after(engine->now_us, p->watchdog_us) : 0;
}

static bool is_text(const struct message *message, enum field field, const char *text)
{
	return message->has[field] && message->size[field] == strlen(text) &&
	       memcmp(message->text[field], text, strlen(text)) == 0;
}

static void apply_state(struct engine *engine, struct service *service, const struct message *m)
{
	if (m->has[FIELD_RELOADING])
		state_step(engine, service, SE_RELOADING);
	if (m->has[FIELD_READY] &&
		(service->sub == SUB_RELOAD || ready_by(service->unit) == READY_BY_MESSAGE))
		state_step(engine, service, SE_READY);
	if (m->has[FIELD_STOPPING])
		state_step(engine, service, SE_STOPPING);
}

static void apply(struct engine *engine, struct service *service, const struct message *m)
{
	struct service_private *p = service->private;

	if (m->has[FIELD_MAINPID])
		takeover_ask(engine, service, (int32_t)m->number[FIELD_MAINPID]);
	apply_state(engine, service, m);
	if (m->has[FIELD_STATUS])
		set_status(engine, service, m->text[FIELD_STATUS], m->size[FIELD_STATUS]);
	if (m->has[FIELD_ERRNO])
		service->status_errno = (int)m->number[FIELD_ERRNO];
	if (m->has[FIELD_EXTEND_TIMEOUT]) {
		uint64_t until_us = deadline_after(engine->now_us, m->number[FIELD_EXTEND_TIMEOUT]);
		extend(&p->timeout_us, until_us);
		extend(&p->runtime_at_us, until_us);
	}
	if (m->has[FIELD_WATCHDOG_PERIOD]) {
		p->watchdog_us = m->number[FIELD_WATCHDOG_PERIOD];
		feed_watchdog(engine, service);
	}
	if (is_text(m, FIELD_WATCHDOG, "1"))
		feed_watchdog(engine, service);
	else if (is_text(m, FIELD_WATCHDOG, "trigger"))
		state_step(engine, service, SE_WATCHDOG);
}

int notify_step(struct engine *engine, struct service *service)
{
	const struct event *event = engine->event;
	struct message message;
	struct change change;

	if (!service->private->run_open || !id128_equal(event->run_id, service->run.id) ||
		!event->text)
		return 0; /* of an old run */
	parse(&message, event->text);
	bool may = sender_may(service, event->sender);
	if (may && message.has[FIELD_MAINPID] && takeover_reserve(service) < 0)
		return -ENOMEM;
	int r = change_begin(engine, service, 0, &change);
	if (r < 0)
		return r;
	if (may)
		apply(engine, service, &message);
	else
		refuse(engine, service);
	change_end(engine, &change);
	return 0;
}
