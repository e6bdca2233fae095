/*
 * What the supervisor is told. ENDED and FLUSHED are answers and wait until they can be sent; drops and
 * trouble are state, kept with each log until somebody has taken it, and told again to who is new.
 */
#pragma once

#include <stdbool.h>
#include "base/id128.h"
#include "logger/log.h"

struct mover;

void report_ended(struct mover *mover, const char *log_name, struct id128 run_id);
void report_flushed(struct mover *mover, uint64_t cookie);
/* A log or FIFO that cannot be had at all. */
void report_trouble(struct mover *mover, const char *log_name, struct id128 run_id, int error);
/* The writer hangs: in this log, or so that bytes of this log are dropped. */
void report_stall(struct mover *mover, struct log *log);
/* It does no more. */
void report_stall_end(struct mover *mover);
/* What is new about a log. is_last: its run ends; bytes dropped are told though the trouble lasts. */
void report_log(struct mover *mover, struct log *log, bool is_last);
/* What is new about the logs of the writer's job, or, if something could not be told before, of all. */
void report_job(struct mover *mover);
/* Nothing is left to tell about it. */
bool report_is_done(const struct log *log);
/* A new supervisor: all that is not well is told again. */
void report_again(struct mover *mover);
