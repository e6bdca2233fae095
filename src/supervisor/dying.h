/*
 * "kill -9 PID; hob why NAME": between the signal and init's bell the truth is that the process
 * is dying. A question that meets it is answered a few milliseconds later, when it has died.
 */
#pragma once

#include "supervisor/control.h"

typedef void (*dying_answer)(struct driver *driver, struct call *call, struct service *service);

/* Answers at once, or when the main process, which has SIGKILL pending or is a zombie, was taken
 * in. */
void dying_wait(
	struct driver *driver, struct call *call, struct service *service, dying_answer answer);
