/*
 * hob logs. The files are read here, not by the supervisor: logs can be read when no instance runs,
 * and however much is read, nobody else waits. An instance is only asked to move what waits in pipes.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/span.h"
#include "cli/client.h"
#include "cli/job.h"
#include "cli/logmerge.h"
#include "cli/print.h"
#include "cli/verb.h"
#include "os/clock.h"

#define FOLLOW_LINES 10       /* shown first with -f, unless told */
#define FOLLOW_FLUSH_MS 500   /* a line without its end is shown after so long */
#define FOLLOW_POLL_MS 250    /* where inotify cannot be had */
#define LINES_MAX UINT64_C(1000000000)

const struct option_info logs_options[] = {
	{"follow", 'f', NULL, "go on with what comes, until Ctrl-C"},
	{"lines", 'n', "N", "only the last N lines (10 with -f; \"all\")"},
	{"since", 0, "TIME", "only from this time on: \"2026-11-22 10:15\", 10:15, yesterday, -5min"},
	{"until", 0, "TIME", "only up to this time"},
	{"raw", 0, NULL, "the bytes as they were written: no times, names or events"},
	{"no-events", 0, NULL, "without what hob did to the units"},
	OPTION_OUTPUT,
	{0},
};

struct wish {
	bool follow, all_units, all_lines, has_time;
	uint64_t n_lines;
};

/* ---- options ---- */

static int parse_time(const struct cli *cli, const char *name, uint64_t *ret_us, struct error *error)
{
	const char *text = cli_option(cli, name);

	if (!text)
		return 0;
	int r = span_parse_time(text, clock_wall_us(), ret_us);
	if (r < 0)
		return error_set(error, EXIT_USAGE, r,
			"--%s %s: not a time, such as \"2026-11-22 10:15\", 10:15, yesterday or -5min", name, text);
	return 0;
}

static int parse_options(struct cli *cli, struct logmerge *merge, struct wish *wish, struct error *error)
{
	const char *lines = cli_option(cli, "lines");

	wish->follow = cli_has(cli, "follow");
	wish->has_time = cli_has(cli, "since") || cli_has(cli, "until");
	wish->n_lines = FOLLOW_LINES;
	wish->all_lines = lines ? strcmp(lines, "all") == 0 : !wish->follow || wish->has_time;
	if (lines && !wish->all_lines && number_parse_u64(lines, LINES_MAX, &wish->n_lines) < 0)
		return error_set(error, EXIT_USAGE, -EINVAL, "--lines %s: not a number of lines", lines);
	if (wish->follow && cli_has(cli, "until"))
		return error_set(error, EXIT_USAGE, -EINVAL, "--follow and --until do not go together");

	merge->until_us = UINT64_MAX;
	int r = parse_time(cli, "since", &merge->since_us, error);
	if (r == 0)
		r = parse_time(cli, "until", &merge->until_us, error);
	if (cli_has(cli, "raw"))
		merge->form = LOGMERGE_RAW;
	else if (cli->json)
		merge->form = LOGMERGE_JSON;
	else
		merge->form = isatty(STDOUT_FILENO) ? LOGMERGE_HARMLESS : LOGMERGE_TEXT;
	merge->colour = cli->colour && !cli->json;
	return r;
}

/* ---- which logs ---- */

static bool is_log_name(const char *name)
{
	return name[0] != '.' && strcmp(name, "lost+found") != 0;
}

/* All there are in the log directory. Also called while following: more may come. */
static int add_all(struct logmerge *merge, const char *log_dir)
{
	DIR *directory = opendir(log_dir);
	struct dirent *entry;
	int r = 0;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while (r >= 0 && (entry = readdir(directory)))
		if (entry->d_type == DT_DIR && is_log_name(entry->d_name))
			r = logmerge_add(merge, log_dir, entry->d_name);
	closedir(directory);
	return r;
}

/*
 * Asks the instance to move all that waits, events too. Without one, or an answer, what is in the files
 * is all there is.
 */
static void flush(struct client *client)
{
	struct wire_reply reply;
	struct error error = {0};

	if (client->fd < 0)
		return;
	if (client_call(client, WIRE_FLUSH, json_object(), NULL, NULL, &reply, &error) == 0)
		wire_reply_done(&reply);
}

/* A unit that has written nothing yet has no log; one that nobody knows is an error. */
static int check_unit(struct client *client, const char *unit, struct error *error)
{
	struct wire_reply reply;
	int r = -ENOENT;

	if (client->fd >= 0) {
		r = client_call(client, WIRE_GET_SERVICE, json_pack("{s:s}", "unit", unit), NULL, NULL, &reply,
			error);
		if (r == 0)
			wire_reply_done(&reply);
	}
	if (r == -ENOENT)
		return error_set(error, EXIT_NO_SUCH_UNIT, r, "there is no log of %s in %s", cli_short_name(unit),
			client->cli->place.log);
	return r;
}

static int add_unit(struct client *client, struct logmerge *merge, const char *typed, struct error *error)
{
	_cleanup_(freep) char *unit = NULL;

	int r = job_unit_name(typed, &unit, error);
	if (r < 0)
		return r;
	const char *name = cli_short_name(unit);
	r = logmerge_add(merge, client->cli->place.log, name);
	if (r < 0)
		return error_set(error, EXIT_JOB_FAILED, r, "the log of %s: %s", typed, strerror(-r));
	return logmerge_exists(merge, name) ? 0 : check_unit(client, unit, error);
}

static int add_sources(struct client *client, struct logmerge *merge, int argc, char **argv,
	struct error *error)
{
	const char *log_dir = client->cli->place.log;
	int r = 0;

	flush(client);
	for (int i = 0; i < argc && r == 0; i++)
		r = add_unit(client, merge, argv[i], error);
	if (r < 0)
		return r;
	if (argc == 0)
		r = add_all(merge, log_dir);
	if (r == 0 && merge->form != LOGMERGE_RAW && !cli_has(client->cli, "no-events"))
		r = logmerge_add(merge, log_dir, NULL);
	if (r < 0)
		return error_set(error, r == -EACCES ? EXIT_NOT_PERMITTED : EXIT_JOB_FAILED, r, "%s: %s", log_dir,
			strerror(-r));
	merge->names_only = argc > 0;
	return 0;
}

/* ---- following ---- */

/* What inotify has to say is only that there is something; what it is the files tell. */
static void drain(int inotify_fd)
{
	char events[4096];

	while (read(inotify_fd, events, sizeof(events)) > 0)
		;
}

static int follow(struct logmerge *merge, const char *log_dir, const struct wish *wish)
{
	struct pollfd watched = {.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .events = POLLIN};
	bool is_fresh = true; /* something came since the last look at unfinished lines */
	int r = 0;

	while (r >= 0) {
		if (wish->all_units)
			r = add_all(merge, log_dir);
		/* Watch first, read then: what comes between is seen. */
		int watch = watched.fd < 0 ? -errno : logmerge_watch(merge, watched.fd);
		if (r >= 0)
			r = logmerge_write(merge, stdout, !is_fresh);
		if (r >= 0 && fflush(stdout) != 0)
			r = -errno;
		if (r < 0)
			break;
		int timeout_ms = watch < 0 ? FOLLOW_POLL_MS : is_fresh ? FOLLOW_FLUSH_MS : -1;
		int n = poll(&watched, 1, timeout_ms);
		if (n < 0 && errno != EINTR)
			r = -errno;
		is_fresh = n > 0 || watch < 0;
		if (n > 0)
			drain(watched.fd);
	}
	if (watched.fd >= 0)
		close(watched.fd);
	return r;
}

/* ---- the verb ---- */

static int show(struct logmerge *merge, const char *log_dir, const struct wish *wish)
{
	int r = wish->all_lines ? logmerge_seek_start(merge) : logmerge_seek_last(merge, wish->n_lines);

	if (r == 0)
		r = wish->follow ? follow(merge, log_dir, wish) : logmerge_write(merge, stdout, true);
	if (r < 0)
		return cli_fail_text(r == -EACCES ? EXIT_NOT_PERMITTED : EXIT_JOB_FAILED,
			"cannot show the logs in %s: %s", log_dir, strerror(-r));
	return EXIT_DONE;
}

/* Two descriptors a log. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int verb_logs(struct cli *cli, int argc, char **argv)
{
	_cleanup_(logmerge_done) struct logmerge merge = {0};
	struct wish wish = {.all_units = argc == 0};
	struct error error = {0}, ignored = {0};
	struct client client;

	if (parse_options(cli, &merge, &wish, &error) < 0)
		return cli_fail(&error);
	if (!cli_place(cli, &error))
		return cli_fail(&error);
	raise_limit();
	client_open(&client, cli, false, &ignored);
	int r = add_sources(&client, &merge, argc, argv, &error);
	client_done(&client);
	return r < 0 ? cli_fail(&error) : show(&merge, cli->place.log, &wish);
}
