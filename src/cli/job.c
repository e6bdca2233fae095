/*
 * The verdict's words are those of verdict_name() in core/engine.h, which the wire carries as text.
 * While a job is waited for, a line on the terminal says what the service is at; it is wiped before
 * anything else is printed.
 */
#include "cli/job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/span.h"
#include "cli/failure.h"
#include "cli/print.h"
#include "cli/unitfile.h"
#include "os/instance.h"
#include "unit/unit.h"

#define PROGRESS_AFTER_US 300000 /* a job that is quicker shows no progress */
#define SETTLE_DEFAULT_US 1000000
#define ENDING_TIMEOUT_US 10000000 /* of waiting for an instance that is ending */

int job_unit_name(const char *typed, char **ret_unit, struct error *error)
{
	int r = unit_name_from_typed(typed, ret_unit, error);

	if (r < 0 && error)
		error->status = r == -ENOMEM ? EXIT_JOB_FAILED : EXIT_USAGE;
	return r;
}

int job_add_settle(struct cli *cli, json_t *parameters, struct error *error)
{
	const char *value = cli_option(cli, "settle");
	uint64_t settle_us = SETTLE_DEFAULT_US;

	if (value && (span_parse(value, USEC_PER_SEC, &settle_us) < 0 || settle_us > INT64_MAX))
		return error_set(error, EXIT_USAGE, -EINVAL,
			"--settle: %s is not a time span, as in 1s or 500ms", value);
	if (json_object_set_new(parameters, "settle_usec", json_integer((json_int_t)settle_us)) < 0)
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	return 0;
}

/* --- progress --- */

struct progress {
	const struct job_verb *verb;
	const char *name;
	char state[128];
	bool shown, wanted;
};

static void show_progress(void *data, const json_t *service, uint64_t waited_us)
{
	struct progress *progress = data;
	_cleanup_(buf_done) struct buf line = {0};

	if (service && print_bool(service, "settling"))
		snprintf(progress->state, sizeof(progress->state),
			", running, watched for a moment");
	else if (service)
		snprintf(progress->state, sizeof(progress->state), ", %s",
			print_string(service, "sub"));
	if (!progress->wanted || waited_us < PROGRESS_AFTER_US)
		return;
	buf_printf(&line, "\r\033[K%s: %s%s, ", progress->name, progress->verb->doing,
		progress->state);
	print_span(&line, (int64_t)waited_us);
	buf_append_string(&line, " (Ctrl-C stops the waiting, not the service)");
	if (buf_status(&line) == 0 && write(STDERR_FILENO, line.data, line.size) > 0)
		progress->shown = true;
}

static void wipe_progress(struct progress *progress)
{
	if (progress->shown && write(STDERR_FILENO, "\r\033[K", 4) < 0)
		progress->shown = false;
}

/* One call, with a fresh request id where it has none. parameters stay the caller's. */
static int call_once(struct client *client, const struct job_verb *verb, const char *name,
	json_t *parameters, struct wire_reply *ret_reply, struct error *error)
{
	char request[33];
	struct progress progress = {
		.verb = verb, .name = name, .wanted = client->cli->interactive && !verb->quiet};

	client_request_id(request);
	if (!json_object_get(parameters, "request") &&
		json_object_set_new(parameters, "request", json_string(request)) < 0)
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	int r = client_call(client, verb->method, json_incref(parameters), show_progress, &progress,
		ret_reply, error);
	wipe_progress(&progress);
	return r;
}

/* Who starts something while the instance is ending waits for its end, and starts the next one. */
static bool is_ending(const struct client *client, int r, const struct wire_reply *reply)
{
	if (!client->may_start || (r < 0 && r != -ESHUTDOWN))
		return false;
	return r < 0 || strcmp(print_string(reply->parameters, "verdict"), "shutting-down") == 0;
}

int job_call(struct client *client, const struct job_verb *verb, const char *unit,
	json_t *parameters, struct wire_reply *ret_reply, struct error *error)
{
	_cleanup_(freep) char *name = strdup(unit ? cli_short_name(unit) : "hob");

	if (!name || !parameters ||
		(unit && json_object_set_new(parameters, "unit", json_string(unit)) < 0)) {
		json_decref(parameters);
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	}
	int r = call_once(client, verb, name, parameters, ret_reply, error);
	if (is_ending(client, r, ret_reply)) {
		if (r == 0)
			wire_reply_done(ret_reply);
		client_disconnect(client);
		instance_wait_end(&client->cli->place, ENDING_TIMEOUT_US);
		json_object_del(parameters, "request"); /* the old one was refused */
		r = call_once(client, verb, name, parameters, ret_reply, error);
	}
	json_decref(parameters);
	return r;
}

/* --- how it ended --- */

/* "web: running, pid 4242, ready in 12 ms" */
static void tell_state(const char *name, const json_t *service)
{
	const char *state = print_string(service, "state");
	_cleanup_(buf_done) struct buf line = {0};

	if (strcmp(state, "active") == 0 && print_int(service, "main_pid") > 0) {
		buf_printf(&line, "%s: running, pid %d", name, (int)print_int(service, "main_pid"));
		if (print_has(service, "ready_usec")) {
			buf_append_string(&line, ", ready in ");
			print_span(&line, print_int(service, "ready_usec"));
		}
	} else {
		buf_printf(&line, "%s: %s (%s)", name, state, print_string(service, "sub"));
	}
	if (buf_status(&line) == 0)
		printf("%s\n", line.data);
}

static int report_done(const struct job_verb *verb, const char *name, const json_t *job)
{
	const json_t *service = json_object_get(job, "service");

	if (!verb->quiet && verb->done)
		printf("%s: %s\n", name, verb->done);
	else if (!verb->quiet)
		tell_state(name, service);
	if (verb->failed_is_failure && strcmp(print_string(service, "state"), "failed") == 0)
		return EXIT_JOB_FAILED;
	return EXIT_DONE;
}

static int report_ended(const struct job_verb *verb, const char *name, const json_t *job)
{
	_cleanup_(buf_done) struct buf line = {0};
	const json_t *run = json_object_get(job, "run");

	buf_printf(&line, "%s: ended by itself: ", name);
	print_exit(&line, run);
	if (print_has(run, "duration_usec")) {
		buf_append_string(&line, " after ");
		print_span(&line, print_int(run, "duration_usec"));
	}
	if (!verb->quiet && buf_status(&line) == 0)
		printf("%s\n", line.data);
	return EXIT_DONE;
}

static int report_left_children(const struct job_verb *verb, const char *name, const json_t *job)
{
	int n_left = (int)print_int(json_object_get(job, "run"), "n_left");

	report_ended(verb, name, job);
	fflush(stdout);
	fprintf(stderr,
		"hob: %s: it left %d process%s behind: the program goes into the background by "
		"itself,\n"
		"  where hob cannot see it end. Start it with its foreground option (often -f, "
		"-D,\n"
		"  --foreground, --no-daemon, or \"daemon off\" in its configuration).\n",
		name, n_left, n_left == 1 ? "" : "es");
	return EXIT_DONE;
}

/* Where a unit is unknown: does root's instance have it? Only what everybody may see is looked at.
 */
static void hint_at_root(struct cli *cli, const char *unit)
{
	static const char *const folders[] = {"/etc/hob/system/%s", "/var/log/hob/%s"};
	const char *const names[] = {unit, cli_short_name(unit)};
	char path[512];

	if (geteuid() == 0 || !cli->has_place || cli->place.home)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), folders[i], names[i]);
		if (access(path, F_OK) == 0) {
			fprintf(stderr,
				"  This is your own instance; root's has a %s: sudo hob %s %s\n",
				names[1], cli->verb->name, names[1]);
			return;
		}
	}
}

static int report_missing(struct cli *cli, const char *unit, const char *text)
{
	if (*text)
		print_error_line(text);
	else
		cli_fail_text(EXIT_NO_SUCH_UNIT, "there is no unit %s", unit);
	hint_at_root(cli, unit);
	return EXIT_NO_SUCH_UNIT;
}

/* Verdicts that are told in one line. */
static const struct {
	const char *verdict;
	enum exit_status status;
	const char *text;
} verdict_rows[] = {
	{"cancelled", EXIT_JOB_FAILED, "another request took this one's place"},
	{"not-active", EXIT_NOT_ACTIVE, "it does not run"},
	{"bad-unit", EXIT_USAGE, "the unit cannot be loaded"},
	{"busy", EXIT_JOB_FAILED, "it is active: stop it first"},
	{"shutting-down", EXIT_JOB_FAILED, "the instance is shutting down"},
	{"no-resources", EXIT_JOB_FAILED, "its state could not be saved"},
	{"unkillable", EXIT_JOB_FAILED, "processes are left that SIGKILL does not end"},
};

static int report_row(const char *name, const char *verdict, const json_t *job)
{
	const char *text = print_string(job, "text");
	int code = (int)print_int(job, "errno");

	for (size_t i = 0; i < ARRAY_SIZE(verdict_rows); i++) {
		if (strcmp(verdict_rows[i].verdict, verdict) != 0)
			continue;
		return cli_fail_text(verdict_rows[i].status, "%s: %s%s%s%s%s", name,
			verdict_rows[i].text, *text ? ": " : "", text, code ? ": " : "",
			code ? strerror(abs(code)) : "");
	}
	return cli_fail_text(EXIT_JOB_FAILED, "%s: the instance answered \"%s\"%s%s", name, verdict,
		*text ? ": " : "", text);
}

static int report_failed(struct client *client, const char *unit, const json_t *job)
{
	const json_t *run = json_object_get(job, "run");

	fflush(stdout);
	failure_print(
		client, unit, json_object_get(job, "service"), run, print_string(job, "text"));
	return failure_status(run);
}

static int report_running(const char *name, const json_t *job)
{
	int pid = (int)print_int(json_object_get(job, "service"), "main_pid");

	return cli_fail_text(EXIT_ALREADY_RUNNING,
		"%s: already running, pid %d (--replace stops it first; --name gives another name)",
		name, pid);
}

static int report(
	struct client *client, const struct job_verb *verb, const char *unit, const json_t *job)
{
	const char *verdict = print_string(job, "verdict");
	_cleanup_(freep) char *name = strdup(unit ? cli_short_name(unit) : "hob");

	if (!name)
		return cli_fail_text(EXIT_JOB_FAILED, "out of memory");
	if (strcmp(verdict, "done") == 0)
		return report_done(verb, name, job);
	if (strcmp(verdict, "ended") == 0)
		return report_ended(verb, name, job);
	if (strcmp(verdict, "left-children") == 0)
		return report_left_children(verb, name, job);
	if (strcmp(verdict, "failed") == 0)
		return report_failed(client, unit, job);
	if (strcmp(verdict, "timed-out") == 0) {
		report_failed(client, unit, job);
		return EXIT_TIMED_OUT;
	}
	if (strcmp(verdict, "already-running") == 0)
		return report_running(name, job);
	if (strcmp(verdict, "no-such-unit") == 0)
		return report_missing(client->cli, unit, print_string(job, "text"));
	return report_row(name, verdict, job);
}

/* Told at once, also into a pipe: what follows may be a long wait. */
int job_report(
	struct client *client, const struct job_verb *verb, const char *unit, const json_t *job)
{
	int status = report(client, verb, unit, job);

	fflush(stdout);
	return status;
}

int job_refused(struct cli *cli, const char *unit, int code, struct error *error)
{
	if (code == -EINTR) {
		_cleanup_(freep) char *name = strdup(unit ? cli_short_name(unit) : "");
		fprintf(stderr, "hob: stopped waiting; %s goes on%s%s\n",
			unit && name ? name : "what was asked for", unit ? ": see hob status " : "",
			unit && name ? name : "");
		return JOB_INTERRUPTED;
	}
	int status = cli_fail(error);
	if (code == -ENOENT && unit)
		hint_at_root(cli, unit);
	return status;
}

/* --- several units --- */

struct unit_job {
	char *unit;
	char request[33];
};

static void free_jobs(struct unit_job *jobs, int n)
{
	for (int i = 0; i < n && jobs; i++)
		free(jobs[i].unit);
	free(jobs);
}

/* A bad name changes nothing, also for the good ones before it. */
static struct unit_job *make_jobs(int argc, char **argv, struct error *error)
{
	struct unit_job *jobs = calloc((size_t)argc, sizeof(*jobs));

	if (!jobs)
		error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	for (int i = 0; i < argc && jobs; i++) {
		client_request_id(jobs[i].request);
		if (job_unit_name(argv[i], &jobs[i].unit, error) < 0) {
			free_jobs(jobs, argc);
			return NULL;
		}
	}
	return jobs;
}

static json_t *make_parameters(struct cli *cli, const struct job_verb *verb,
	const struct unit_job *job, struct error *error)
{
	json_t *parameters = json_pack("{s:s, s:s}", "unit", job->unit, "request", job->request);

	if (!parameters)
		error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	else if (verb->add && verb->add(cli, parameters, error) < 0) {
		json_decref(parameters);
		return NULL;
	}
	return parameters;
}

static int do_unit(struct client *client, const struct job_verb *verb, const struct unit_job *job)
{
	struct wire_reply reply;
	struct error error = {0};
	json_t *parameters = make_parameters(client->cli, verb, job, &error);

	if (!parameters)
		return cli_fail(&error);
	int r = job_call(client, verb, job->unit, parameters, &reply, &error);
	if (r < 0)
		return job_refused(client->cli, job->unit, r, &error);
	int status = job_report(client, verb, job->unit, reply.parameters);
	wire_reply_done(&reply);
	return status;
}

/*
 * All requests go out at once, on a connection of their own whose answers nobody waits for. The
 * calls that follow carry the same request ids, so they only wait for what is going on already.
 */
static void ask_at_once(
	struct cli *cli, const struct job_verb *verb, const struct unit_job *jobs, int n)
{
	_cleanup_(buf_done) struct buf frames = {0};
	struct client client;
	struct error error = {0};

	if (n < 2 || !verb->at_once)
		return;
	for (int i = 0; i < n; i++) {
		json_t *parameters = make_parameters(cli, verb, &jobs[i], &error);
		if (!parameters ||
			wire_append_call(&frames, verb->method, parameters, false, true) < 0)
			return;
	}
	if (client_open(&client, cli, false, &error) == 0)
		client_send_ahead(&client, &frames);
	client_done(&client);
}

/* No instance runs, and the verb does not start one. */
static int without_instance(struct cli *cli, const struct job_verb *verb, const char *unit)
{
	_cleanup_(freep) char *path = NULL;

	if (verb->absent_is_done && unitfile_find(&cli->place, unit, &path) == 0) {
		if (!verb->quiet)
			printf("%s: not running\n", cli_short_name(unit));
		return EXIT_DONE;
	}
	cli_fail_text(EXIT_NO_SUCH_UNIT, "there is no unit %s: no instance of hob runs here (%s)",
		unit, cli->place.runtime);
	hint_at_root(cli, unit);
	return EXIT_NO_SUCH_UNIT;
}

/* An instance is not begun for units that nobody has. */
static bool any_is_there(struct cli *cli, const struct unit_job *jobs, int n)
{
	const struct place *place = cli_place(cli, NULL);

	for (int i = 0; i < n && place; i++) {
		_cleanup_(freep) char *path = NULL;
		if (unitfile_find(place, jobs[i].unit, &path) == 0)
			return true;
	}
	return false;
}

int job_units(struct cli *cli, const struct job_verb *verb, int argc, char **argv)
{
	struct client client;
	struct error error = {0};
	int result = EXIT_DONE;

	struct unit_job *jobs = make_jobs(argc, argv, &error);
	if (!jobs)
		return cli_fail(&error);
	int r = client_open(
		&client, cli, verb->may_start_instance && any_is_there(cli, jobs, argc), &error);
	if (r < 0 && r != -ENOENT)
		result = cli_fail(&error);
	if (r == 0)
		ask_at_once(cli, verb, jobs, argc);
	for (int i = 0; i < argc && result != JOB_INTERRUPTED && (r == 0 || r == -ENOENT); i++) {
		int status = r == 0 ? do_unit(&client, verb, &jobs[i])
				    : without_instance(cli, verb, jobs[i].unit);
		if (status == JOB_INTERRUPTED || argc == 1)
			result = status;
		else if (status != EXIT_DONE)
			result = EXIT_JOB_FAILED;
	}
	client_done(&client);
	free_jobs(jobs, argc);
	return result;
}
