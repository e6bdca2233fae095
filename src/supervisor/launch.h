/* EFFECT_SPAWN: from a unit to a specification, and on its way to init. */
#pragma once

#include "os/spec.h"
#include "supervisor/driver.h"

/* 0, or a negative errno with the step that failed: nothing was sent, the spawn is refused. */
int launch(struct driver *driver, const struct effect *effect, enum child_step *ret_step);
/* WritePIDFile=: written under a temporary name and renamed; pid 0 removes it. */
void launch_pid_file(struct driver *driver, const struct service *service, int32_t pid);
