/*
 * The environment is built here, in the order systemd.exec(5) gives ("ENVIRONMENT VARIABLES IN
 * SPAWNED PROCESSES"): defaults, environment files, Environment=, then what hob sets, minus
 * UnsetEnvironment=. What depends on the user (HOME ...) is added by the child, which looks the
 * user up.
 */
#include "supervisor/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "os/spec.h"
#include "supervisor/link.h"
#include "supervisor/logger.h"
#include "supervisor/watch.h"
#include "unit/exec.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ENVIRONMENT_FILE_MAX (4u * 1024 * 1024)

/* --- environment --- */

static int read_environment_file(const char *path, struct strv *env)
{
	bool optional = path[0] == '-';
	_cleanup_(buf_done) struct buf text = {0};
	struct error error;
	int fd = open(path + optional, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return optional && errno == ENOENT ? 0 : -errno;
	int r = 0;
	for (ssize_t n = 1; n > 0 && r == 0;) {
		r = buf_reserve(&text, 65536);
		n = r == 0 ? read(fd, text.data + text.size, 65536) : 0;
		if (n < 0)
			r = -errno;
		else
			text.size += (size_t)n;
		if (text.size > ENVIRONMENT_FILE_MAX)
			r = -EFBIG;
	}
	close(fd);
	if (r == 0 && text.size > 0)
		r = envfile_parse(path + optional, text.data, text.size, env, &error);
	return r;
}

static int set_number(struct strv *env, const char *name, uint64_t value)
{
	char text[64];

	snprintf(text, sizeof(text), "%s=%llu", name, (unsigned long long)value);
	return strv_set_env(env, text);
}

static int set_own_variables(struct driver *driver, const struct service *service, struct strv *env)
{
	char run[64] = "INVOCATION_ID=";
	_cleanup_(freep) char *notify = NULL;
	uint64_t watchdog_us = unit_u64(service->unit, UNIT_WATCHDOG_SEC);

	id128_render(service->run.id, run + strlen(run));
	int r = strv_set_env(env, run);
	if (r == 0 && unit_u64(service->unit, UNIT_NOTIFY_ACCESS) != NOTIFY_NONE) {
		if (asprintf(&notify, "NOTIFY_SOCKET=%s/notify", driver->place.runtime) < 0) {
			notify = NULL;
			return -ENOMEM;
		}
		r = strv_set_env(env, notify);
	}
	if (r == 0 && watchdog_us > 0 && watchdog_us != UINT64_MAX)
		r = set_number(env, "WATCHDOG_USEC", watchdog_us);
	return r;
}

/* NAME takes it out, NAME=VALUE only if it has that value (systemd.exec(5)). */
static void unset(struct strv *env, const char *item)
{
	size_t length = strcspn(item, "=");
	_cleanup_(freep) char *name = strndup(item, length);
	const char *value = name ? strv_get_env(env, name) : NULL;

	if (value && (item[length] == '\0' || strcmp(value, item + length + 1) == 0))
		strv_unset_env(env, name);
}

static int build_environment(struct driver *driver, const struct service *service, struct strv *env)
{
	const char *const *items;
	int r = strv_set_env(env, DEFAULT_PATH);

	size_t n = unit_list(service->unit, UNIT_ENVIRONMENT, &items);
	for (size_t i = 0; i < n && r == 0; i++)
		r = strv_set_env(env, items[i]);
	n = unit_list(service->unit, UNIT_ENVIRONMENT_FILE, &items);
	for (size_t i = 0; i < n && r == 0; i++)
		r = read_environment_file(items[i], env);
	if (r == 0)
		r = set_own_variables(driver, service, env);
	n = unit_list(service->unit, UNIT_UNSET_ENVIRONMENT, &items);
	for (size_t i = 0; i < n && r == 0; i++)
		unset(env, items[i]);
	return r;
}

/* --- the specification --- */

/* "append:/var/log/x" into kind and path. */
static enum spec_stdio stdio_of(const char *value, enum spec_stdio otherwise, const char **ret_path)
{
	static const struct {
		const char *prefix;
		enum spec_stdio kind;
	} kinds[] = {
		{"file:", STDIO_FILE},
		{"append:", STDIO_APPEND},
		{"truncate:", STDIO_TRUNCATE},
	};

	for (size_t i = 0; value && i < ARRAY_SIZE(kinds); i++) {
		if (strncmp(value, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
			*ret_path = value + strlen(kinds[i].prefix);
			return kinds[i].kind;
		}
	}
	if (value && strcmp(value, "null") == 0)
		return STDIO_NULL;
	if (value && strcmp(value, "inherit") == 0)
		return STDIO_INHERIT;
	return otherwise;
}

static void set_stdio(const struct unit *unit, struct spawn_spec *spec)
{
	spec->stdin_kind =
		stdio_of(unit_string(unit, UNIT_STANDARD_INPUT), STDIO_NULL, &spec->stdin_path);
	spec->stdout_kind =
		stdio_of(unit_string(unit, UNIT_STANDARD_OUTPUT), STDIO_FIFO, &spec->stdout_path);
	spec->stderr_kind =
		stdio_of(unit_string(unit, UNIT_STANDARD_ERROR), STDIO_FIFO, &spec->stderr_path);
	/* Standard input is never a terminal or socket here: output that inherits it goes to the
	 * log. */
	if (spec->stdout_kind == STDIO_INHERIT)
		spec->stdout_kind = STDIO_FIFO;
}

static void set_limits(const struct unit *unit, struct spawn_spec *spec)
{
	const struct unit_limit *limits;
	size_t n = unit_limits(unit, &limits);

	for (size_t i = 0; i < n && i < SPEC_LIMITS_MAX; i++)
		spec->limits[spec->n_limits++] =
			(struct spec_limit){limits[i].resource, limits[i].soft, limits[i].hard};
}

static void set_working_directory(const struct unit *unit, struct spawn_spec *spec)
{
	const char *path = unit_string(unit, UNIT_WORKING_DIRECTORY);

	spec->working_directory_optional = path && path[0] == '-';
	spec->working_directory = path ? path + spec->working_directory_optional : NULL;
}

/* "fd:3" of [X-Hob] Ready=, or -1. */
static int ready_fd_of(const struct unit *unit)
{
	const char *ready = unit_string(unit, UNIT_X_READY);

	return ready && strncmp(ready, "fd:", 3) == 0 ? atoi(ready + 3) : -1;
}

static void fill_spec(const struct service *service, struct spawn_spec *spec)
{
	const struct unit *unit = service->unit;
	const char *const *groups;

	*spec = (struct spawn_spec){.unit_name = service->name,
		.run_id = service->run.id,
		.user = unit_string(unit, UNIT_USER),
		.group = unit_string(unit, UNIT_GROUP),
		.umask = (uint32_t)unit_u64(unit, UNIT_UMASK),
		.tree_tag = attachment_tag(service->run.id),
		.ready_fd = ready_fd_of(unit),
		.ignore_sigpipe = unit_u64(unit, UNIT_IGNORE_SIGPIPE) != 0,
		.no_new_privileges = unit_u64(unit, UNIT_NO_NEW_PRIVILEGES) != 0,
		.has_nice = unit_has(unit, UNIT_NICE),
		.nice = (int)(int64_t)unit_u64(unit, UNIT_NICE),
		.has_oom_score = unit_has(unit, UNIT_OOM_SCORE_ADJUST),
		.oom_score = (int)(int64_t)unit_u64(unit, UNIT_OOM_SCORE_ADJUST)};
	if (unit_list(unit, UNIT_SUPPLEMENTARY_GROUPS, &groups) > 0)
		spec->supplementary_groups = (const char **)groups;
	set_working_directory(unit, spec);
	set_stdio(unit, spec);
	set_limits(unit, spec);
}

/* A bare name is looked up in the PATH of the program's own environment (execvp(3)). */
static int find_program(const char *name, const struct strv *env, char **ret_path)
{
	const char *path = strv_get_env(env, "PATH");

	if (strchr(name, '/'))
		return (*ret_path = strdup(name)) ? 0 : -ENOMEM;
	while (path && *path) {
		size_t length = strcspn(path, ":");
		_cleanup_(freep) char *candidate = NULL;
		if (asprintf(&candidate, "%.*s/%s", (int)length, path, name) < 0) {
			candidate = NULL;
			return -ENOMEM;
		}
		if (access(candidate, X_OK) == 0) {
			*ret_path = take(candidate);
			return 0;
		}
		path += length + (path[length] == ':');
	}
	return -ENOENT;
}

/* --- sending --- */

struct spawn_fds {
	int spec, exec[2], ready[2];
};

static void close_fds(struct spawn_fds *fds)
{
	int all[] = {fds->spec, fds->exec[0], fds->exec[1], fds->ready[0], fds->ready[1]};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i] >= 0)
			close(all[i]);
	}
}

static int make_fds(const struct spawn_spec *spec, struct spawn_fds *fds)
{
	fds->spec = spec_write(spec);
	if (fds->spec < 0)
		return fds->spec;
	if (pipe2(fds->exec, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	/* The program's end must block, ours need not. */
	if (spec->ready_fd >= 0 && pipe2(fds->ready, O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static int send_spawn(struct driver *driver, const struct effect *effect, struct spawn_fds *fds)
{
	struct attachment *attachment = effect->service->slot;
	struct channel_message message = {
		.op = CHANNEL_SPAWN, .token = effect->token, .id = effect->run_id};
	int sent[3] = {fds->spec, fds->exec[1], fds->ready[1]};
	unsigned n = fds->ready[1] >= 0 ? 3 : 2;
	int r = 0;

	snprintf(message.unit_name, sizeof(message.unit_name), "%s", effect->service->name);
	if (fds->ready[0] >= 0) {
		int kept = fcntl(fds->ready[0], F_DUPFD_CLOEXEC, 0);
		r = kept < 0 ? -errno : link_keep(driver, KEPT_READY, effect->run_id, kept);
	}
	if (r < 0)
		return r;
	fds->spec = fds->exec[1] = fds->ready[1] = -1; /* link_send owns them */
	r = link_send(driver, &message, sent, n);
	if (r < 0)
		return r;
	r = watch_exec(driver, attachment, effect->token, fds->exec[0]);
	fds->exec[0] = -1;
	if (r == 0 && fds->ready[0] >= 0) {
		r = watch_ready(driver, attachment, fds->ready[0]);
		fds->ready[0] = -1;
	}
	if (r < 0)
		driver_warn(
			"%s: its start is not watched: %s", effect->service->name, strerror(-r));
	return 0; /* it is on its way: what happens now, the table tells */
}

/* What is sent, and what has to live until it is. */
struct prepared {
	struct spawn_spec spec;
	struct strv env, argv;
	char *path, *fifo, *cgroup;
};

static void prepared_done(struct prepared *prepared)
{
	strv_done(&prepared->env);
	strv_done(&prepared->argv);
	free(prepared->path);
	free(prepared->fifo);
	free(prepared->cgroup);
}

static int prepare(struct driver *driver, const struct effect *effect, struct prepared *prepared,
	enum child_step *ret_step)
{
	const struct service *service = effect->service;
	struct tree_id tree = attachment_tree_id(service);
	const struct exec_command *commands;

	*ret_step = STEP_SPEC;
	if (effect->command >= unit_commands(service->unit, UNIT_EXEC_START, &commands))
		return -EINVAL;
	fill_spec(service, &prepared->spec);
	prepared->fifo = logger_fifo_path(driver, log_name(service->name), service->run.id);
	int r = prepared->fifo ? build_environment(driver, service, &prepared->env) : -ENOMEM;
	if (r == 0)
		r = exec_expand(&commands[effect->command], &prepared->env, &prepared->argv);
	if (r < 0)
		return r;
	*ret_step = STEP_EXEC;
	r = find_program(commands[effect->command].path, &prepared->env, &prepared->path);
	if (r < 0)
		return r;
	*ret_step = STEP_CGROUP;
	r = tree_prepare(driver->trees, &tree, &prepared->cgroup);
	if (r < 0)
		return r;
	prepared->spec.path = prepared->path;
	prepared->spec.argv = (const char **)prepared->argv.items;
	prepared->spec.envp = (const char **)prepared->env.items;
	prepared->spec.fifo_path = prepared->fifo;
	prepared->spec.cgroup = prepared->cgroup;
	return 0;
}

int launch(struct driver *driver, const struct effect *effect, enum child_step *ret_step)
{
	_cleanup_(prepared_done) struct prepared prepared = {0};
	_cleanup_(close_fds) struct spawn_fds fds = {-1, {-1, -1}, {-1, -1}};
	struct attachment *attachment = effect->service->slot;

	attachment->main_ended_us = 0;
	int r = prepare(driver, effect, &prepared, ret_step);
	if (r < 0)
		return r;
	*ret_step = STEP_FORK;
	r = make_fds(&prepared.spec, &fds);
	return r < 0 ? r : send_spawn(driver, effect, &fds);
}

/* --- pid file --- */

void launch_pid_file(struct driver *driver, const struct service *service, int32_t pid)
{
	const char *path = unit_string(service->unit, UNIT_X_PID_FILE);
	_cleanup_(freep) char *temporary = NULL;

	if (!path)
		return;
	if (pid == 0) {
		unlink(path);
		return;
	}
	if (asprintf(&temporary, "%s.%d~", path, (int)pid) < 0) {
		temporary = NULL;
		return;
	}
	unlink(temporary); /* of a predecessor that was killed right here */
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	bool ok = fd >= 0 && dprintf(fd, "%d\n", (int)pid) > 0;
	if (fd >= 0)
		close(fd);
	if (!ok || rename(temporary, path) < 0) {
		_cleanup_(freep) char *text = NULL;
		if (asprintf(&text, "its pid file %s cannot be written: %s", path,
			    strerror(errno)) < 0)
			text = NULL;
		eventlog_write(driver, service->name, "pid-file", text);
		unlink(temporary);
	}
}
