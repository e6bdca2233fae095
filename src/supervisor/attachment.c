/* What stands beside a service: made at first use, gone with the service. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/adopt.h"
#include "supervisor/driver.h"
#include "supervisor/tree.h"
#include "supervisor/watch.h"

/* A tag has this bit, so that it is far above any limit a person would set, and no "unlimited". */
#define TAG_BIT (UINT64_C(1) << 62)

struct attachment *attachment_get(struct driver *driver, struct service *service)
{
	if (service->slot)
		return service->slot;
	struct attachment *attachment = calloc(1, sizeof(*attachment));
	if (!attachment)
		return NULL;
	attachment->driver = driver;
	attachment->service = service;
	attachment->store_slot = -1;
	attachment->exec_fd = attachment->ready_fd = attachment->tree_fd = -1;
	attachment->adopted_fd = -1;
	service->slot = attachment;
	return attachment;
}

/* From the run id, which record and row both have: whoever goes on finds the same. */
uint64_t attachment_tag(struct id128 run_id)
{
	uint64_t bits;

	memcpy(&bits, run_id.bytes, sizeof(bits));
	return TAG_BIT | (bits >> 2);
}

void attachment_free(struct driver *driver, struct service *service)
{
	struct attachment *attachment = service->slot;

	if (!attachment)
		return;
	adopt_end(attachment);
	watch_exec_end(attachment);
	watch_ready_end(driver, attachment);
	tree_forget(driver, attachment);
	free(attachment);
	service->slot = NULL;
}

struct tree_id attachment_tree_id(const struct service *service)
{
	const struct attachment *attachment = service->slot;

	return (struct tree_id){.unit_name = service->name,
		.run_id = service->run.id,
		.tag = attachment_tag(service->run.id),
		.main_pid = service->token ? service->main_pid : 0,
		.main_ended_us = attachment && !service->token ? attachment->main_ended_us : 0};
}

const char *log_name(const char *unit_name)
{
	static char name[UNIT_NAME_MAX + 1];
	size_t length = strlen(unit_name);
	const char suffix[] = ".service";

	if (length > strlen(suffix) && strcmp(unit_name + length - strlen(suffix), suffix) == 0)
		length -= strlen(suffix);
	snprintf(name, sizeof(name), "%.*s", (int)length, unit_name);
	return name;
}
