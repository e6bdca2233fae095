/*
 * Pace. The first bytes after idleness are taken in at once. After that the FIFO rests: every tick
 * takes in what has come, all FIFOs in one wake-up, until ticks have found nothing. Who writes much
 * between two ticks becomes hot: it gets a larger pipe and short ticks, and while a short tick finds
 * its pipe half full, or an event a burst, it is armed again at once. So a fast program is not slowed
 * down by the pace, whether it writes large blocks or single lines.
 *
 * The stage is filled from as many FIFOs as have something, an entry of the ledger each, then
 * emptied. Filling and emptying never overlap: that is what lets a successor settle what was half
 * done (ledger.h). Two changes of thread serve up to LEDGER_ENTRIES_MAX services.
 */
#include "logger/mover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utlist.h>
#include "logger/logfile.h"
#include "logger/report.h"
#include "os/clock.h"
#include "os/logchannel.h"
#include "os/logindex.h"

/* ---- logs ---- */

struct log *mover_log(struct mover *mover, const char *name)
{
	struct log *log;

	HASH_FIND_STR(mover->logs, name, log);
	if (log)
		return log;
	log = calloc(1, sizeof(*log));
	if (!log)
		return NULL;
	snprintf(log->name, sizeof(log->name), "%s", name);
	log->has_index = strcmp(name, LOG_EVENTS_NAME) != 0;
	log->size_max = log->has_index ? LOG_SIZE_MAX_UNTOLD : LOG_SIZE_MAX_DEFAULT;
	log->keep = LOG_KEEP_DEFAULT;
	logfile_init(&log->file);
	HASH_ADD_STR(mover->logs, name, log);
	if (!log->hh.tbl) {
		free(log);
		return NULL;
	}
	return log;
}

/* Logs that nothing refers to any more. Only while the writer is idle. */
static void free_unused_logs(struct mover *mover)
{
	struct log *log, *next;

	HASH_ITER(hh, mover->logs, log, next)
		if (log->n_fifos == 0 && !log->is_open && report_is_done(log)) {
			HASH_DEL(mover->logs, log);
			free(log);
		}
}

/* ---- FIFOs ---- */

struct fifo *mover_find_fifo(struct mover *mover, struct id128 run_id)
{
	struct fifo *fifo;

	HASH_FIND(hh, mover->fifos, &run_id, sizeof(run_id), fifo);
	return fifo;
}

void mover_place(struct mover *mover, struct fifo *fifo, enum fifo_place place)
{
	if (place == fifo->place)
		return;
	DL_DELETE(mover->lists[fifo->place], fifo);
	DL_APPEND(mover->lists[place], fifo);
	mover->n_resting += (place == FIFO_RESTING) - (fifo->place == FIFO_RESTING);
	fifo->place = place;
	if (place == FIFO_ARMED) {
		struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = fifo};
		/* An error here would be one of ours: the descriptor was added when it was opened. */
		epoll_ctl(mover->epoll_fd, EPOLL_CTL_MOD, fifo->fd, &event);
	}
}

static struct fifo *fifo_new(struct mover *mover, struct log *log, struct id128 run_id, int fd)
{
	struct epoll_event event = {.events = 0};
	struct fifo *fifo = calloc(1, sizeof(*fifo));

	if (!fifo)
		return NULL;
	*fifo = (struct fifo){.run_id = run_id, .log = log, .fd = fd, .place = FIFO_DUE,
		.by_event = true, .pipe_size = FIFO_SMALL_SIZE};
	event.data.ptr = fifo;
	if (epoll_ctl(mover->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(fifo);
		return NULL;
	}
	HASH_ADD(hh, mover->fifos, run_id, sizeof(run_id), fifo);
	if (!fifo->hh.tbl) {
		epoll_ctl(mover->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		free(fifo);
		return NULL;
	}
	DL_APPEND(mover->lists[FIFO_DUE], fifo);
	fifo->born_ns = fifo_born(fd);
	mover->n_shared += ++log->n_fifos == 2;
	mover->n_fifos++;
	return fifo;
}

int mover_add_fifo(struct mover *mover, const char *log_name, struct id128 run_id, bool first_batch)
{
	char path[PATH_MAX];

	if (mover_find_fifo(mover, run_id))
		return 0;
	int r = fifo_path(path, sizeof(path), mover->config->runtime_dir, log_name, run_id);
	if (r < 0)
		return r;
	if (mover->n_fifos == MOVER_FIFOS_MAX)
		return -EMFILE;
	int fd = fifo_open(path);
	struct log *log = fd < 0 ? NULL : mover_log(mover, log_name);
	struct fifo *fifo = log ? fifo_new(mover, log, run_id, fd) : NULL;
	if (!fifo) {
		if (fd >= 0)
			close(fd);
		if (fd == -EMFILE || fd == -ENFILE || fd >= 0)
			mover->rescan_us = mover->now_us + MOVER_RESCAN_US;
		return fd < 0 ? fd : -ENOMEM;
	}
	fifo->first_batch = first_batch;
	return 0;
}

void mover_scan(struct mover *mover)
{
	char path[PATH_MAX], log_name[LOG_NAME_SIZE];
	struct dirent *entry;
	struct id128 run_id;

	mover->rescan_us = UINT64_MAX;
	if (snprintf(path, sizeof(path), "%s/fifo", mover->config->runtime_dir) >= (int)sizeof(path))
		return;
	DIR *directory = opendir(path);
	if (!directory) {
		mover->rescan_us = errno == ENOENT ? UINT64_MAX : mover->now_us + MOVER_RESCAN_US;
		return;
	}
	while ((entry = readdir(directory)))
		if (fifo_parse_name(entry->d_name, log_name, &run_id) == 0)
			mover_add_fifo(mover, log_name, run_id, false);
	closedir(directory);
}

/* Its run is over and it is empty: it goes, and the supervisor hears of it. */
static void end_fifo(struct mover *mover, struct fifo *fifo)
{
	char path[PATH_MAX];
	struct log *log = fifo->log;

	if (fifo_path(path, sizeof(path), mover->config->runtime_dir, log->name, fifo->run_id) == 0)
		unlink(path);
	report_log(mover, log, true);
	report_ended(mover, log->name, fifo->run_id);
	DL_DELETE(mover->lists[fifo->place], fifo);
	mover->n_resting -= fifo->place == FIFO_RESTING;
	HASH_DEL(mover->fifos, fifo);
	close(fifo->fd);
	free(fifo);
	mover->n_shared -= --log->n_fifos == 1;
	mover->n_fifos--;
	mover->n_ending--;
}

static void end_fifos(struct mover *mover)
{
	struct fifo *fifo, *next;

	if (mover->n_ending == 0)
		return;
	/* What is due has not been looked at since its run ended. */
	for (int place = FIFO_ARMED; place < FIFO_DUE; place++)
		DL_FOREACH_SAFE(mover->lists[place], fifo, next)
			if (fifo->ending && fifo->is_empty) {
				if (stage_waiting(fifo->fd) == 0)
					end_fifo(mover, fifo);
				else
					mover_place(mover, fifo, FIFO_DUE);
			}
	if (mover->writer.n_open == 0 && !mover->writer.busy)
		free_unused_logs(mover);
}

/* ---- flushes ---- */

static bool is_meant(const struct flush *flush, const struct fifo *fifo)
{
	return flush->log_name[0] == '\0' || strcmp(flush->log_name, fifo->log->name) == 0;
}

bool mover_flush(struct mover *mover, uint64_t cookie, const char *log_name)
{
	struct fifo *fifo, *next;

	if (mover->n_flushes == MOVER_FLUSHES_MAX)
		return false;
	struct flush *flush = &mover->flushes[mover->n_flushes++];
	flush->cookie = cookie;
	snprintf(flush->log_name, sizeof(flush->log_name), "%s", log_name);
	HASH_ITER(hh, mover->fifos, fifo, next) {
		uint64_t waiting = is_meant(flush, fifo) ? stage_waiting(fifo->fd) : 0;
		if (waiting == 0)
			continue;
		fifo->flush_target = fifo->n_moved + waiting;
		fifo->by_event = true;
		mover_place(mover, fifo, FIFO_DUE);
	}
	return true;
}

static bool flush_is_done(struct mover *mover, const struct flush *flush)
{
	struct fifo *fifo, *next;

	HASH_ITER(hh, mover->fifos, fifo, next)
		if (fifo->n_moved < fifo->flush_target && is_meant(flush, fifo))
			return false;
	return true;
}

static void answer_flushes(struct mover *mover)
{
	unsigned n = 0;

	for (unsigned i = 0; i < mover->n_flushes; i++)
		if (mover->stalled || flush_is_done(mover, &mover->flushes[i]))
			report_flushed(mover, mover->flushes[i].cookie);
		else
			mover->flushes[n++] = mover->flushes[i];
	mover->n_flushes = n;
}

/* ---- the stage ---- */

/* Is the program faster than the pace? Then the FIFO is looked at again as soon as something is there. */
static bool is_pressed(const struct fifo *fifo, uint64_t size)
{
	return size >= (fifo->by_event ? FIFO_BURST : fifo->pipe_size / 2);
}

/* Where a FIFO goes after something was taken in, or nothing. */
static void place_after(struct mover *mover, struct fifo *fifo, uint64_t size, enum fifo_verdict verdict)
{
	unsigned n_idle = size > 0 ? 0 : fifo->n_idle_ticks + 1;
	unsigned n_idle_max = mover->is_crowded ? MOVER_CROWD_IDLE_TICKS : MOVER_IDLE_TICKS;

	if (fifo->ending && verdict != FIFO_EMPTY)
		return; /* stays due until nothing is left */
	if (size >= FIFO_MUCH && !fifo->is_hot)
		fifo_set_hot(fifo, true);
	if (is_pressed(fifo, size))
		mover_place(mover, fifo, FIFO_ARMED);
	else if (fifo->is_hot)
		mover_place(mover, fifo, FIFO_HOT);
	else if (size == 0 && (fifo->by_event || n_idle >= n_idle_max))
		mover_place(mover, fifo, FIFO_ARMED);
	else
		mover_place(mover, fifo, FIFO_RESTING);
	fifo->n_idle_ticks = n_idle;
}

/* One FIFO into the stage. False: the stage has no room left. */
static bool take_in(struct mover *mover, struct fifo *fifo, uint64_t *n_staged)
{
	struct ledger *ledger = mover->stage.ledger;
	uint64_t size = 0;

	if (*n_staged >= mover->stage_size || !ledger_begin(ledger, fifo->log->name))
		return false;
	uint32_t i = ledger->n - 1;
	enum fifo_verdict verdict = fifo_fill(fifo, &mover->stage, mover->stage_size - *n_staged, &size);
	ledger_end(ledger, size);
	*n_staged += size;
	if (size > 0) {
		mover->writer.logs[i] = fifo->log;
		mover->writer.flags[i] = fifo->first_batch ? LOGINDEX_RUN : 0;
		fifo->first_batch = false;
	}
	if (verdict == FIFO_STAGE_FULL) {
		/* The others first, next time. */
		if (size > 0) {
			DL_DELETE(mover->lists[FIFO_DUE], fifo);
			DL_APPEND(mover->lists[FIFO_DUE], fifo);
		}
		return false;
	}
	place_after(mover, fifo, size, verdict);
	return true;
}

static int compare_born(const struct fifo *a, const struct fifo *b)
{
	return a->born_ns < b->born_ns ? -1 : a->born_ns > b->born_ns;
}

/*
 * Where a log has the FIFOs of two runs, the last words of the older one stand before the first of the
 * newer one: what waits in them is due together, and the older comes first.
 */
static void older_runs_first(struct mover *mover)
{
	struct fifo *fifo, *next;

	if (mover->n_shared == 0)
		return;
	HASH_ITER(hh, mover->fifos, fifo, next)
		if (fifo->log->n_fifos > 1 && stage_waiting(fifo->fd) > 0)
			mover_place(mover, fifo, FIFO_DUE);
	DL_SORT(mover->lists[FIFO_DUE], compare_born);
}

/* Fills the stage from what is due. True: there is something for the writer. */
static bool fill_stage(struct mover *mover)
{
	struct fifo *fifo, *next;
	uint64_t n_staged = 0;

	ledger_reset(mover->stage.ledger);
	mover->stage.consumed = 0;
	mover->stage.entry = 0;
	if (mover->writer.n_open == 0)
		mover->trim_us = mover->now_us + WRITER_CLOSE_IDLE_US;
	mover->writer.job = WRITER_EMPTY;
	mover->writer.wall_us = clock_wall_us();
	mover->writer.monotonic_us = mover->now_us;
	older_runs_first(mover);
	DL_FOREACH_SAFE(mover->lists[FIFO_DUE], fifo, next)
		if (!take_in(mover, fifo, &n_staged))
			break;
	return n_staged > 0;
}

void mover_recover(struct mover *mover)
{
	struct stage *stage = &mover->stage;
	struct writer *writer = &mover->writer;
	uint64_t n_staged = stage_waiting(stage->read_fd);

	ledger_settle(stage->ledger, n_staged, &stage->consumed);
	if (n_staged == 0)
		return;
	stage->entry = 0;
	writer->job = WRITER_EMPTY;
	writer->wall_us = clock_wall_us();
	writer->monotonic_us = mover->now_us;
	for (uint32_t i = 0; i < stage->ledger->n; i++) {
		writer->logs[i] = mover_log(mover, stage->ledger->entries[i].log_name);
		writer->flags[i] = LOGINDEX_RECOVERED;
		/* Without memory at the very start: init tries again with a new logger. */
		if (!writer->logs[i])
			_exit(1);
	}
	writer_submit(writer);
}

/* ---- the turn ---- */

/* All of a list are due. */
static void make_due(struct mover *mover, enum fifo_place place)
{
	struct fifo *fifo, *next;

	DL_FOREACH_SAFE(mover->lists[place], fifo, next) {
		fifo->by_event = false;
		mover_place(mover, fifo, FIFO_DUE);
	}
}

static void tick(struct mover *mover)
{
	struct fifo *fifo;

	if (mover->now_us >= mover->hot_tick_us) {
		mover->hot_tick_us = mover->now_us + MOVER_HOT_TICK_US;
		make_due(mover, FIFO_HOT);
	}
	if (mover->now_us < mover->tick_us)
		return;
	mover->is_crowded = mover->n_resting > MOVER_CROWD;
	mover->tick_us = mover->now_us + (mover->is_crowded ? MOVER_CROWD_TICK_US : MOVER_TICK_US);
	make_due(mover, FIFO_RESTING);
	DL_FOREACH(mover->lists[FIFO_DUE], fifo)
		if (fifo->is_hot)
			fifo_set_hot(fifo, fifo->n_since_tick >= FIFO_MUCH);
}

/* The writer hangs: services must not. */
static void drop_due(struct mover *mover)
{
	struct fifo *fifo, *next;

	DL_FOREACH_SAFE(mover->lists[FIFO_DUE], fifo, next) {
		uint64_t size = fifo_drop(fifo, &mover->stage);
		if (size > 0) {
			fifo->log->n_dropped += size;
			report_stall(mover, fifo->log);
		}
		mover_place(mover, fifo, FIFO_ARMED);
	}
}

static void watch_writer(struct mover *mover)
{
	struct writer *writer = &mover->writer;

	bool stalled = writer->busy && mover->now_us > writer->heartbeat_us &&
		       mover->now_us - writer->heartbeat_us >= MOVER_STALL_US;
	if (stalled && !mover->stalled) {
		struct log *log = writer->current;
		/* It may hang before its first step: without processor time, on a stopped machine. */
		if (!log && writer->job == WRITER_EMPTY)
			log = writer->logs[0];
		if (log)
			report_stall(mover, log);
	}
	bool is_over = !stalled && mover->stalled;
	mover->stalled = stalled;
	if (is_over)
		report_stall_end(mover);
}

static void submit_trim(struct mover *mover)
{
	mover->trim_wanted = false;
	mover->trimming = true;
	mover->trim_us = mover->now_us + WRITER_CLOSE_IDLE_US;
	mover->writer.job = WRITER_TRIM;
	writer_submit(&mover->writer);
}

/* Only while the writer is idle, when all that was taken in is in the files; or when it hangs. */
static void settle_requests(struct mover *mover)
{
	end_fifos(mover);
	answer_flushes(mover);
}

static void pump_idle_writer(struct mover *mover)
{
	/* Bytes that no entry named: somebody else has written into the stage. They are not lost. */
	if (stage_waiting(mover->stage.read_fd) > 0) {
		mover_recover(mover);
		return;
	}
	settle_requests(mover);
	if (mover->trimming) {
		mover->trimming = false;
		free_unused_logs(mover);
	}
	if (mover->trim_wanted || (mover->writer.n_open > 0 && mover->now_us >= mover->trim_us))
		submit_trim(mover);
	else if (fill_stage(mover))
		writer_submit(&mover->writer);
	else
		settle_requests(mover); /* what was due had nothing: it is at its end now */
}

void mover_pump(struct mover *mover)
{
	if (mover->now_us >= mover->rescan_us)
		mover_scan(mover);
	tick(mover);
	watch_writer(mover);
	report_job(mover);
	if (!mover->writer.busy && mover->outbox.fd >= 0)
		pump_idle_writer(mover);
	else if (mover->stalled) {
		drop_due(mover);
		settle_requests(mover);
	}
}

uint64_t mover_deadline_us(const struct mover *mover)
{
	uint64_t deadline_us = mover->rescan_us;
	const struct writer *writer = &mover->writer;

	if ((mover->lists[FIFO_RESTING] || mover->lists[FIFO_HOT]) && mover->tick_us < deadline_us)
		deadline_us = mover->tick_us;
	if (mover->lists[FIFO_HOT] && mover->hot_tick_us < deadline_us)
		deadline_us = mover->hot_tick_us;
	if (writer->busy) {
		uint64_t stall_us = writer->heartbeat_us + MOVER_STALL_US;
		if (!mover->stalled && stall_us < deadline_us)
			deadline_us = stall_us;
	} else if (writer->n_open > 0 && mover->trim_us < deadline_us) {
		deadline_us = mover->trim_us;
	}
	return deadline_us;
}
