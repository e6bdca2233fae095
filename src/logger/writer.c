/*
 * A write that fails is tried again with growing pauses, for WRITER_PATIENCE_US since the trouble
 * began; then the bytes are dropped and counted, and as long as the trouble lasts later batches get
 * one try each. The waiting is done here, with the bytes in the stage, where a successor finds them. All
 * logs share one patience: a full disk is full for all, and a thousand services must not wait one
 * after the other. What no waiting cures (a directory that is not ours) gets none.
 */
#include "logger/writer.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>
#include "base/cleanup.h"
#include "logger/logfile.h"
#include "os/clock.h"

#define STACK_SIZE (128 * 1024)

static void tell_mover(struct writer *writer)
{
	uint64_t one = 1;
	ssize_t n = write(writer->done_fd, &one, sizeof(one));

	/* It only fails when the counter is at its end, and then the mover will wake up anyhow. */
	(void)n;
}

static void beat(struct writer *writer)
{
	writer->heartbeat_us = clock_monotonic_us();
}

/* ---- open files ---- */

static void close_log(struct writer *writer, struct log *log)
{
	DL_DELETE2(writer->lru, log, file.lru_prev, file.lru_next);
	logfile_close(log);
	writer->n_open--;
}

/* Keeps the list of open files after a log was used: open ones at its end, closed ones out of it. */
static void keep_list(struct writer *writer, struct log *log, bool was_open, uint64_t now_us)
{
	struct logfile *file = &log->file;

	file->used_us = now_us;
	if (was_open)
		DL_DELETE2(writer->lru, log, file.lru_prev, file.lru_next);
	if (file->fd >= 0)
		DL_APPEND2(writer->lru, log, file.lru_prev, file.lru_next);
	writer->n_open += (file->fd >= 0) - was_open;
	if (writer->n_open > writer->open_max && writer->lru != log)
		close_log(writer, writer->lru);
}

static void trim(struct writer *writer)
{
	struct log *log, *next;
	uint64_t now_us = clock_monotonic_us();

	DL_FOREACH_SAFE2(writer->lru, log, next, file.lru_next)
		if (log->close_wanted || now_us - log->file.used_us >= WRITER_CLOSE_IDLE_US) {
			close_log(writer, log);
			log->close_wanted = false;
		}
}

/* ---- trouble ---- */

static bool is_curable(int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
	case -EIO:
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ESTALE:
	case -ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static void pause_us(uint64_t us)
{
	struct timespec time = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};

	nanosleep(&time, NULL);
}

/* Notes that writing has failed. Is it worth waiting? */
static bool trouble_begins(struct writer *writer, struct log *log, int error)
{
	struct logfile *file = &log->file;
	uint64_t now_us = clock_monotonic_us();

	log->last_error = error;
	if (log->error != error) {
		log->error = error;
		tell_mover(writer);
	}
	if (!is_curable(error))
		return false;
	file->healthy_since_us = 0;
	if (writer->full_since_us == 0)
		writer->full_since_us = now_us;
	if (file->trouble_since_us == 0)
		file->trouble_since_us = writer->full_since_us;
	return now_us - file->trouble_since_us < WRITER_PATIENCE_US;
}

static void trouble_ends(struct writer *writer, struct log *log)
{
	struct logfile *file = &log->file;

	if (log->error != 0) {
		log->error = 0;
		writer->full_since_us = 0;
	}
	if (file->trouble_since_us == 0)
		return;
	uint64_t now_us = clock_monotonic_us();
	if (file->healthy_since_us == 0)
		file->healthy_since_us = now_us;
	else if (now_us - file->healthy_since_us >= WRITER_HEALTH_US)
		file->trouble_since_us = file->healthy_since_us = 0;
}

/* ---- emptying ---- */

/* Moves the stage's bytes up to `end` (counted as stage->consumed is) into a log, or drops them. */
static void deliver(struct writer *writer, struct log *log, uint64_t end, struct batch *batch)
{
	struct stage *stage = writer->stage;
	uint64_t retry_us = WRITER_RETRY_FIRST_US;

	while (stage->consumed < end) {
		bool was_open = log->file.fd >= 0;
		int64_t n = logfile_append(log, writer->log_dir, stage, end - stage->consumed, batch);
		beat(writer);
		keep_list(writer, log, was_open, writer->heartbeat_us);
		if (n > 0) {
			trouble_ends(writer, log);
			continue;
		}
		if (n == 0)
			break;
		if (trouble_begins(writer, log, (int)n)) {
			if ((n == -EMFILE || n == -ENFILE) && writer->lru)
				close_log(writer, writer->lru);
			pause_us(retry_us);
			beat(writer);
			retry_us = retry_us * 2 < WRITER_RETRY_MOST_US ? retry_us * 2 : WRITER_RETRY_MOST_US;
			continue;
		}
		int64_t dropped = stage_drop(stage, end - stage->consumed);
		if (dropped <= 0)
			break;
		log->n_dropped += (uint64_t)dropped;
	}
}

static void empty(struct writer *writer)
{
	struct stage *stage = writer->stage;
	const struct ledger *ledger = stage->ledger;
	uint64_t end = 0;

	for (uint32_t i = 0; i < ledger->n; i++) {
		struct batch batch = {
			.wall_us = writer->wall_us,
			.monotonic_us = writer->monotonic_us,
			.flags = writer->flags[i],
		};
		end += ledger->entries[i].size;
		if (stage->consumed >= end)
			continue;
		stage->entry = i;
		writer->current = writer->logs[i];
		deliver(writer, writer->logs[i], end, &batch);
	}
	writer->current = NULL;
}

static void *writer_main(void *data)
{
	struct writer *writer = data;

	for (;;) {
		pthread_mutex_lock(&writer->mutex);
		while (!writer->work_is_there)
			pthread_cond_wait(&writer->wanted, &writer->mutex);
		writer->work_is_there = false;
		pthread_mutex_unlock(&writer->mutex);

		if (writer->job == WRITER_EMPTY)
			empty(writer);
		else
			trim(writer);
		writer->busy = false;
		tell_mover(writer);
	}
	return NULL;
}

int writer_start(struct writer *writer, struct stage *stage, const char *log_dir, unsigned open_max)
{
	pthread_attr_t attributes;
	sigset_t all, old;

	*writer = (struct writer){.stage = stage, .log_dir = log_dir};
	writer->open_max = open_max < WRITER_OPEN_MAX ? open_max : WRITER_OPEN_MAX;
	writer->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (writer->done_fd < 0)
		return -errno;
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_cond_init(&writer->wanted, NULL);

	int r = -pthread_attr_init(&attributes);
	if (r == 0) {
		size_t least = (size_t)PTHREAD_STACK_MIN;
		pthread_attr_setstacksize(&attributes, least > STACK_SIZE ? least : STACK_SIZE);
		/* Signals are for the first thread: a stopped disk must not hold one up. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		r = -pthread_create(&writer->thread, &attributes, writer_main, writer);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		pthread_attr_destroy(&attributes);
	}
	if (r < 0) {
		close(writer->done_fd);
		writer->done_fd = -1;
	}
	return r;
}

void writer_submit(struct writer *writer)
{
	beat(writer);
	writer->busy = true;
	pthread_mutex_lock(&writer->mutex);
	writer->work_is_there = true;
	pthread_cond_signal(&writer->wanted);
	pthread_mutex_unlock(&writer->mutex);
}
