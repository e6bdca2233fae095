/* Services, runs and jobs as JSON (wire/interface.c says what each member means). */
#pragma once

#include <jansson.h>

#include "supervisor/driver.h"

/* details: memory and number of processes too, which cost a look into /proc or the cgroup. NULL: no
 * memory. */
json_t *render_service(struct driver *driver, const struct service *service, bool details);
/* What a table of many shows: name, state, sub, main_pid, since_usec, n_restarts, command. */
json_t *render_brief(const struct service *service);
json_t *render_run(const struct run *run);
json_t *render_history(const struct service *service);
/* The Job of an EFFECT_REPLY. */
json_t *render_job(struct driver *driver, const struct effect *effect);
json_t *render_instance(struct driver *driver);
/* What the service runs, quoted for a shell, malloc'd. */
char *render_command(const struct unit *unit);
