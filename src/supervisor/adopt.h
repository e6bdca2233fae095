/*
 * Main processes that are no children of init: taken over from an earlier init, or named by
 * MAINPID= while their parent lives. They are known by pidfd, never by a bare pid. How they end is
 * told by init's ring of orphans if they came to init before they ended, else by nobody.
 */
#pragma once

#include "supervisor/driver.h"

/*
 * After a restore: is the recorded main process still that run's? Then it is watched, its start
 * is fed and true is returned.
 */
bool adopt(struct driver *driver, struct service *service);
/* EFFECT_WATCH: has init watch it; what does not belong to the service's tree is refused. */
void adopt_ask(struct driver *driver, const struct effect *effect);
/* init's answer was "not mine": watched from here. */
void adopt_not_mine(struct driver *driver, uint64_t token);
/* Is the token that of an adopted process? Then it gets the signal here, since init does not know
 * it. */
bool adopt_signal(struct attachment *attachment, uint64_t token, int signo);
void adopt_end(struct attachment *attachment);
