/*
 * Two things a start may wait for besides the table: the end of the exec pipe (execve succeeded)
 * and a newline on the readiness descriptor (s6, X-Hob Ready=fd:N).
 */
#pragma once

#include "supervisor/driver.h"

/* Watches the pipe that came with SPAWN; takes fd. fd -1, after a crash: asks /proc every 5 ms. */
int watch_exec(struct driver *driver, struct attachment *attachment, uint64_t token, int fd);
void watch_exec_end(struct attachment *attachment);
/* The process has ended: feeds EXECED first when it ran and that was not known yet. */
void watch_exec_ended(struct driver *driver, uint64_t token, bool ran);
void watch_exec_poll(struct driver *driver, struct timer *timer);

/* Watches the read end of a run's readiness pipe, which init keeps as KEPT_READY; takes fd. */
int watch_ready(struct driver *driver, struct attachment *attachment, int fd);
/* Stops, and has init drop its copy. */
void watch_ready_end(struct driver *driver, struct attachment *attachment);
