/*
 * Everything said to the logger is idempotent and is said again to a new one, so nothing about it
 * needs to be recorded: which FIFOs there are is told by the directory, whose they are by the
 * services. A run that has ended stays on a list here until the logger says ENDED; a successor of
 * ours makes that list anew from the FIFOs that no service claims.
 */
#include "supervisor/logger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "os/clock.h"
#include "os/logchannel.h"
#include "supervisor/link.h"

#define FIFO_MODE                                                                                  \
	0622 /* workers of another user may reopen /dev/stderr; the directory is closed            \
	      */
#define TROUBLE_US 1000000 /* the logger was in trouble: say again what it owes */
#define RESEND_US 50000	   /* the logger's socket was full: try again */
#define LOG_VERSION 1
#define EVENTS_KEEP 5 /* rotated files of events.jsonl */

struct ending {
	struct ending *next;
	struct id128 run_id;
	char name[];
};

struct flush {
	struct flush *next;
	struct timer timer;
	uint64_t cookie;
	void (*done)(struct driver *driver, void *data);
	void *data;
	char name[UNIT_NAME_MAX + 1];
};

struct logger_link {
	int fd;
	struct loop_source *source;
	struct timer resend;
	struct ending *endings;
	struct flush *flushes;
	uint64_t last_cookie;
};

static int send_message(struct driver *driver, struct log_message *message, const char *name)
{
	message->version = LOG_VERSION;
	snprintf(message->log_name, sizeof(message->log_name), "%s", name);
	if (driver->logger->fd < 0)
		return -ENOTCONN;
	if (send(driver->logger->fd, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

/* What could not be sent is said again, with all the rest, a little later. */
static void say(struct driver *driver, struct log_message *message, const char *name)
{
	if (send_message(driver, message, name) < 0)
		timer_set(driver, &driver->logger->resend, driver_now_us(driver) + RESEND_US);
}

static void say_open(struct driver *driver, const struct service *service)
{
	struct log_message message = {.op = LOG_OP_OPEN,
		.run_id = service->run.id,
		.size_max = unit_u64(service->unit, UNIT_X_LOG_SIZE),
		.keep = (uint32_t)unit_u64(service->unit, UNIT_X_LOG_KEEP)};

	say(driver, &message, log_name(service->name));
}

static void say_end(struct driver *driver, const struct ending *ending)
{
	struct log_message message = {.op = LOG_OP_END, .run_id = ending->run_id};

	say(driver, &message, ending->name);
}

static void say_all(struct driver *driver)
{
	struct log_message hello = {.op = LOG_OP_HELLO};
	/* size_max 0 stands for the logger's own limits. */
	struct log_message events = {
		.op = LOG_OP_OPEN, .run_id = driver->table.header->epoch, .keep = EVENTS_KEEP};

	say(driver, &hello, "");
	say(driver, &events, LOG_EVENTS_NAME);
	/* What is over first: its last words come before the first of what follows it. */
	for (struct ending *e = driver->logger->endings; e; e = e->next)
		say_end(driver, e);
	for (struct service *s = engine_next(driver->engine, NULL); s;
		s = engine_next(driver->engine, s)) {
		if (!id128_is_null(s->run.id) && s->run.ended_us == 0)
			say_open(driver, s);
	}
	for (struct flush *f = driver->logger->flushes; f; f = f->next) {
		struct log_message message = {.op = LOG_OP_FLUSH, .cookie = f->cookie};
		say(driver, &message, f->name);
	}
}

static void say_again(struct driver *driver, struct timer *timer)
{
	say_all(driver);
}

void logger_is_new(struct driver *driver)
{
	if (driver->logger)
		say_all(driver);
}

/* --- runs --- */

char *logger_fifo_path(const struct driver *driver, const char *name, struct id128 run_id)
{
	char run[ID128_TEXT_SIZE];
	char *path;

	id128_render(run_id, run);
	return asprintf(&path, "%s/fifo/%s.%s", driver->place.runtime, name, run) < 0 ? NULL : path;
}

/* Makes the FIFO, or finds the one a predecessor made. Returns an O_RDWR descriptor. */
static int make_fifo(const char *path)
{
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return -errno;
	/* O_RDWR on a FIFO does not block and keeps bytes without a reader (fifo(7)). */
	int fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, FIFO_MODE) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int logger_keep_fifo(struct driver *driver, const char *name, struct id128 run_id)
{
	_cleanup_(freep) char *path = logger_fifo_path(driver, name, run_id);

	if (!path)
		return -ENOMEM;
	if (table_find_kept(&driver->table, KEPT_FIFO, run_id) >= 0)
		return 0;
	int fd = make_fifo(path);
	if (fd < 0)
		return fd;
	return link_keep(driver, KEPT_FIFO, run_id, fd);
}

int logger_run_begin(struct driver *driver, const struct service *service)
{
	int r = logger_keep_fifo(driver, log_name(service->name), service->run.id);

	if (r < 0)
		return r;
	say_open(driver, service);
	return 0;
}

static void add_ending(struct driver *driver, const char *name, struct id128 run_id)
{
	struct ending *ending = calloc(1, sizeof(*ending) + strlen(name) + 1);

	if (!ending) {
		driver_warn(
			"out of memory: the log of %s is closed at the next start of hob", name);
		return;
	}
	ending->run_id = run_id;
	memcpy(ending->name, name, strlen(name) + 1);
	ending->next = driver->logger->endings;
	driver->logger->endings = ending;
	say_end(driver, ending);
}

static void end_run(struct driver *driver, const char *name, struct id128 run_id)
{
	for (struct ending *e = driver->logger->endings; e; e = e->next) {
		if (id128_equal(e->run_id, run_id))
			return;
	}
	add_ending(driver, name, run_id);
}

void logger_run_end(struct driver *driver, const char *unit_name, struct id128 run_id)
{
	end_run(driver, log_name(unit_name), run_id);
}

static void ended(struct driver *driver, const struct log_message *message)
{
	for (struct ending **at = &driver->logger->endings; *at; at = &(*at)->next) {
		struct ending *ending = *at;
		if (!id128_equal(ending->run_id, message->run_id))
			continue;
		*at = ending->next;
		free(ending);
		break;
	}
	link_drop(driver, KEPT_FIFO, message->run_id);
}

static bool is_claimed(const struct driver *driver, struct id128 run_id)
{
	if (id128_equal(run_id, driver->table.header->epoch))
		return true; /* the events FIFO */
	for (struct service *s = engine_next(driver->engine, NULL); s;
		s = engine_next(driver->engine, s)) {
		if (id128_equal(s->run.id, run_id) && s->run.ended_us == 0)
			return true;
	}
	return false;
}

bool logger_needs(const struct driver *driver, struct id128 run_id)
{
	for (struct ending *e = driver->logger->endings; e; e = e->next) {
		if (id128_equal(e->run_id, run_id))
			return true;
	}
	return is_claimed(driver, run_id);
}

void logger_end_strangers(struct driver *driver)
{
	_cleanup_(freep) char *path = place_runtime_path(&driver->place, "fifo");
	DIR *directory = path ? opendir(path) : NULL;

	if (!directory)
		return;
	for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
		char *dot = strrchr(entry->d_name, '.');
		struct id128 run_id;
		if (!dot || id128_parse(dot + 1, &run_id) < 0 || is_claimed(driver, run_id))
			continue;
		*dot = '\0';
		end_run(driver, entry->d_name, run_id);
	}
	closedir(directory);
}

void logger_forget(struct driver *driver, const char *unit_name)
{
	struct log_message message = {.op = LOG_OP_FORGET};

	say(driver, &message, log_name(unit_name));
}

/* --- flushes --- */

static void flush_end(struct driver *driver, struct flush **at)
{
	struct flush *flush = *at;

	*at = flush->next;
	timer_cancel(driver, &flush->timer);
	if (flush->done)
		flush->done(driver, flush->data);
	free(flush);
}

static void flush_is_late(struct driver *driver, struct timer *timer)
{
	for (struct flush **at = &driver->logger->flushes; *at; at = &(*at)->next) {
		if (&(*at)->timer == timer) {
			flush_end(driver, at);
			return;
		}
	}
}

static void flushed(struct driver *driver, uint64_t cookie)
{
	for (struct flush **at = &driver->logger->flushes; *at; at = &(*at)->next) {
		if ((*at)->cookie == cookie) {
			flush_end(driver, at);
			return;
		}
	}
}

int logger_flush(struct driver *driver, const char *name,
	void (*done)(struct driver *driver, void *data), void *data)
{
	struct flush *flush = calloc(1, sizeof(*flush));

	if (!flush)
		return -ENOMEM;
	flush->cookie = ++driver->logger->last_cookie;
	flush->done = done;
	flush->data = data;
	flush->timer.fire = flush_is_late;
	snprintf(flush->name, sizeof(flush->name), "%s", name);
	flush->next = driver->logger->flushes;
	driver->logger->flushes = flush;
	timer_set(driver, &flush->timer, clock_monotonic_us() + LOGGER_FLUSH_MAX_US);
	struct log_message message = {.op = LOG_OP_FLUSH, .cookie = flush->cookie};
	say(driver, &message, name);
	return 0;
}

void logger_flush_cancel(struct driver *driver, void *data)
{
	for (struct flush *f = driver->logger->flushes; f; f = f->next) {
		if (f->data == data)
			f->done = NULL;
	}
}

/* --- what the logger says --- */

static void say_trouble(struct driver *driver, const struct log_message *message)
{
	char text[256];

	if (message->op == LOG_OP_DROPPED)
		snprintf(text, sizeof(text), "%llu bytes of its log were dropped: %s",
			(unsigned long long)message->value, strerror(-message->error));
	else if (message->error < 0)
		snprintf(text, sizeof(text), "its log cannot be written: %s; the service runs on",
			strerror(-message->error));
	else
		snprintf(text, sizeof(text), "its log can be written again");
	char unit[sizeof(message->log_name) + sizeof(".service")];
	snprintf(unit, sizeof(unit), "%s.service", message->log_name);
	eventlog_write(driver, unit, "logger", text);
}

/* An END that the logger could not see to is said again. */
static void take_trouble(struct driver *driver, const struct log_message *message)
{
	say_trouble(driver, message);
	if (driver->logger->endings)
		timer_set(driver, &driver->logger->resend, driver_now_us(driver) + TROUBLE_US);
}

static void take_message(struct driver *driver, struct log_message *message)
{
	message->log_name[sizeof(message->log_name) - 1] = '\0';
	switch ((enum log_op)message->op) {
	case LOG_OP_LOGGER_HELLO:
		say_all(driver);
		break;
	case LOG_OP_ENDED:
		ended(driver, message);
		break;
	case LOG_OP_FLUSHED:
		flushed(driver, message->cookie);
		break;
	case LOG_OP_DROPPED:
		say_trouble(driver, message);
		break;
	case LOG_OP_TROUBLE:
		take_trouble(driver, message);
		break;
	default:
		break;
	}
}

static void on_logger(void *data, uint32_t events)
{
	struct driver *driver = data;

	for (;;) {
		struct log_message message;
		ssize_t n = recv(driver->logger->fd, &message, sizeof(message), MSG_DONTWAIT);
		if (n < 0)
			return;
		if (n == sizeof(message) && message.version == LOG_VERSION)
			take_message(driver, &message);
		else if (n == 0)
			return;
	}
}

int logger_new(struct driver *driver)
{
	struct id128 none = {{0}};

	driver->logger = calloc(1, sizeof(*driver->logger));
	if (!driver->logger)
		return -ENOMEM;
	driver->logger->resend.fire = say_again;
	driver->logger->last_cookie = clock_monotonic_us();
	driver->logger->fd = table_find_kept(&driver->table, KEPT_LOGGER_SUPERVISOR_END, none);
	if (driver->logger->fd < 0)
		return driver->logger->fd;
	return loop_add(driver->loop, driver->logger->fd, EPOLLIN, RANK_LOGGER, on_logger, driver,
		&driver->logger->source);
}

void logger_free(struct driver *driver)
{
	if (!driver->logger)
		return;
	loop_remove(driver->logger->source);
	while (driver->logger->endings) {
		struct ending *ending = driver->logger->endings;
		driver->logger->endings = ending->next;
		free(ending);
	}
	while (driver->logger->flushes) {
		driver->logger->flushes->done = NULL;
		flush_end(driver, &driver->logger->flushes);
	}
	free(driver->logger);
	driver->logger = NULL;
}
