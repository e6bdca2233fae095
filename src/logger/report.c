/* TROUBLE carries value 1 and the error when it begins, value 0 and no error when it has ended. */
#include "logger/report.h"

#include <errno.h>
#include <stdio.h>
#include "logger/mover.h"

static struct log_message message_of(enum log_op op, const char *log_name)
{
	struct log_message message = {.op = op};

	snprintf(message.log_name, sizeof(message.log_name), "%s", log_name);
	return message;
}

void report_ended(struct mover *mover, const char *log_name, struct id128 run_id)
{
	struct log_message message = message_of(LOG_OP_ENDED, log_name);

	message.run_id = run_id;
	outbox_send(&mover->outbox, &message);
}

void report_flushed(struct mover *mover, uint64_t cookie)
{
	struct log_message message = message_of(LOG_OP_FLUSHED, "");

	message.cookie = cookie;
	outbox_send(&mover->outbox, &message);
}

void report_trouble(struct mover *mover, const char *log_name, struct id128 run_id, int error)
{
	struct log_message message = message_of(LOG_OP_TROUBLE, log_name);

	message.run_id = run_id;
	message.error = error;
	message.value = 1;
	outbox_send(&mover->outbox, &message);
}

void report_stall(struct mover *mover, struct log *log)
{
	int none = 0;

	if (!atomic_compare_exchange_strong(&log->error, &none, -ETIMEDOUT))
		return;
	log->last_error = -ETIMEDOUT;
	report_log(mover, log, false);
}

void report_stall_end(struct mover *mover)
{
	struct log *log, *next;

	HASH_ITER(hh, mover->logs, log, next) {
		int stall = -ETIMEDOUT;
		atomic_compare_exchange_strong(&log->error, &stall, 0);
	}
	mover->report_all = true;
}

static bool report_error(struct mover *mover, struct log *log, int error)
{
	struct log_message message = message_of(LOG_OP_TROUBLE, log->name);

	message.error = error;
	message.value = error != 0;
	if (!outbox_try(&mover->outbox, &message))
		return false;
	log->reported_error = error;
	return true;
}

static bool report_drops(struct mover *mover, struct log *log)
{
	struct log_message message = message_of(LOG_OP_DROPPED, log->name);
	uint64_t n = log->n_dropped;

	message.value = n;
	message.error = log->last_error;
	if (!outbox_try(&mover->outbox, &message))
		return false;
	log->n_dropped -= n;
	return true;
}

void report_log(struct mover *mover, struct log *log, bool is_last)
{
	int error = log->error;
	bool done = true;

	/* A change from one error to another is no news. */
	if ((error != 0) != (log->reported_error != 0))
		done = report_error(mover, log, error);
	if (log->n_dropped > 0 && (error == 0 || is_last) && !mover->stalled)
		done = report_drops(mover, log) && done;
	if (!done)
		mover->report_all = true;
}

void report_job(struct mover *mover)
{
	struct log *log, *next;

	if (mover->report_all) {
		mover->report_all = false;
		HASH_ITER(hh, mover->logs, log, next)
			report_log(mover, log, false);
	} else if (mover->writer_spoke && mover->writer.job == WRITER_EMPTY) {
		for (uint32_t i = 0; i < mover->stage.ledger->n; i++)
			report_log(mover, mover->writer.logs[i], false);
	}
	mover->writer_spoke = false;
}

bool report_is_done(const struct log *log)
{
	return log->n_dropped == 0;
}

void report_again(struct mover *mover)
{
	struct log *log, *next;

	HASH_ITER(hh, mover->logs, log, next)
		log->reported_error = 0;
	mover->report_all = true;
}
