/*
 * MAINPID=: another process of the service becomes its main one.
 *
 * It is not init's child by fork, so init is asked to watch it under a new token (EFFECT_WATCH).
 * When init does, it is the main process and the one of before is only waited for; when the one of
 * before goes first, as a daemon's parent does, the new one is taken for main at once and its token
 * will tell how it ends. One change at a time: another one while this lasts is not heard.
 */
#include "core/private.h"

#include <errno.h>
#include <stdlib.h>

int takeover_reserve(struct service *service)
{
	struct service_private *p = service->private;

	if (!p->takeover)
		p->takeover = calloc(1, sizeof(*p->takeover));
	return p->takeover ? 0 : -ENOMEM;
}

static void watch(struct engine *engine, struct service *service)
{
	struct takeover *t = service->private->takeover;
	struct effect *effect = effect_add(engine, EFFECT_WATCH, service);

	effect->token = t->watch_token;
	effect->pid = t->watch_pid;
	effect->run_id = service->run.id;
}

void takeover_ask(struct engine *engine, struct service *service, int32_t pid)
{
	struct takeover *t = service->private->takeover;

	if (pid <= 1 || pid == service->main_pid || service->token == 0 ||
		service_is_stopping(service) || t->watch_token > 0 || t->former_token > 0)
		return;
	t->watch_token = engine->next_token++;
	t->watch_pid = pid;
	index_add(&engine->by_token, &t->watch_link, t->watch_token, service);
	watch(engine, service);
}

bool takeover_has(const struct service *service, uint64_t token)
{
	const struct takeover *t = service->private->takeover;

	return t && token > 0 && (t->watch_token == token || t->former_token == token);
}

/* The watched process becomes the main one. */
static void become_main(struct engine *engine, struct service *service)
{
	struct takeover *t = service->private->takeover;
	uint64_t token = t->watch_token;
	int32_t pid = t->watch_pid;

	index_remove(&engine->by_token, &t->watch_link);
	t->watch_token = 0;
	service_set_token(engine, service, token);
	service->main_pid = pid;
	service->run.main_pid = pid;
	effect_log(engine, LOG_STARTED, service)->pid = pid;
	if (unit_has(service->unit, UNIT_X_PID_FILE))
		effect_add(engine, EFFECT_PID_FILE, service)->pid = pid;
}

void takeover_watched(struct engine *engine, struct service *service, uint64_t token)
{
	struct takeover *t = service->private->takeover;

	if (!t || t->watch_token != token)
		return;
	uint64_t former = service->token;
	become_main(engine, service);
	t->former_token = former;
	index_add(&engine->by_token, &t->former_link, former, service);
}

void takeover_exited(struct engine *engine, struct service *service, uint64_t token)
{
	effect_add(engine, EFFECT_ACK, service)->token = token;
	takeover_drop(engine, service);
}

bool takeover_inherit(struct engine *engine, struct service *service)
{
	struct takeover *t = service->private->takeover;

	if (!t || t->watch_token == 0)
		return false;
	effect_add(engine, EFFECT_ACK, service)->token = service->token;
	become_main(engine, service);
	takeover_drop(engine, service);
	return true;
}

/* The wish may not have been sent. Its row, had there been one, would have come as started or
 * exited. */
void takeover_restored(struct engine *engine, struct service *service)
{
	struct takeover *t = service->private->takeover;

	if (!t || t->watch_token == 0)
		return;
	index_remove(&engine->by_token, &t->watch_link);
	t->watch_token = engine->next_token++;
	index_add(&engine->by_token, &t->watch_link, t->watch_token, service);
	watch(engine, service);
}

void takeover_drop(struct engine *engine, struct service *service)
{
	struct takeover *t = service->private->takeover;

	if (!t)
		return;
	index_remove(&engine->by_token, &t->watch_link);
	index_remove(&engine->by_token, &t->former_link);
	free(t);
	service->private->takeover = NULL;
}

int takeover_restore(struct engine *engine, struct service *service)
{
	struct takeover *t = service->private->takeover;

	if (!t)
		return 0;
	if (index_find(&engine->by_token, t->watch_token) ||
		index_find(&engine->by_token, t->former_token))
		return -EBADMSG;
	if (t->watch_token > 0)
		index_add(&engine->by_token, &t->watch_link, t->watch_token, service);
	if (t->former_token > 0)
		index_add(&engine->by_token, &t->former_link, t->former_token, service);
	return 0;
}
