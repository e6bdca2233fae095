/*
 * The supervisor's side of the logger: a FIFO a run, told to the logger; flushes that readers ask
 * for; and hob's own events, written as lines into a FIFO of the instance (DESIGN 2.5).
 */
#pragma once

#include "supervisor/driver.h"

int logger_new(struct driver *driver);
void logger_free(struct driver *driver);

/* Before the first spawn of a run: its FIFO is made, kept by init, and taken in by the logger. 0 or
 * a negative errno. */
int logger_run_begin(struct driver *driver, const struct service *service);
/* The run's tree is empty: drained, then dropped. */
void logger_run_end(struct driver *driver, const char *unit_name, struct id128 run_id);
/* After a crash: FIFOs of runs that no service has any more are ended. */
void logger_end_strangers(struct driver *driver);
/* Is the FIFO of that run still of use? */
bool logger_needs(const struct driver *driver, struct id128 run_id);
/* The logger, or the supervisor, is new: everything is told (again). */
void logger_is_new(struct driver *driver);
/* "forget --logs": closes, then removes the log directory. */
void logger_forget(struct driver *driver, const char *unit_name);
/*
 * Has the logger move what waits, of one log (a log name) or all (""); done(data) is called when it
 * says so, or after LOGGER_FLUSH_MAX_US.
 */
#define LOGGER_FLUSH_MAX_US 1000000
int logger_flush(struct driver *driver, const char *name,
	void (*done)(struct driver *driver, void *data), void *data);
/* Nobody waits for that flush any more. */
void logger_flush_cancel(struct driver *driver, void *data);

/* Makes fifo/NAME.RUN where it is missing and has init keep it. 0 or a negative errno. */
int logger_keep_fifo(struct driver *driver, const char *name, struct id128 run_id);
/* fifo/LOG.RUN below the runtime directory, malloc'd. */
char *logger_fifo_path(const struct driver *driver, const char *name, struct id128 run_id);

/* --- eventlog.c --- */

int eventlog_open(struct driver *driver);
/* The line of an EFFECT_LOG, and of the driver's own remarks (service NULL). */
void eventlog_write(
	struct driver *driver, const char *unit_name, const char *event, const char *text);
