/*
 * --env-file is read now, once: the service does not depend on the file afterwards. A program that
 * outlives its terminal must not believe that it has one, nor answer another manager's socket.
 */
#include "cli/environment.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "unit/exec.h"
#include "wire/varlink.h"

static int no_memory(struct error *error)
{
	return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
}

/* Of the terminal, the login session and its shell; of other managers. */
static const char *const dropped_variables[] = {
	"TERM",
	"TERMCAP",
	"TERMINFO",
	"COLUMNS",
	"LINES",
	"COLORTERM",
	"TERM_PROGRAM",
	"TERM_PROGRAM_VERSION",
	"WINDOWID",
	"SSH_TTY",
	"GPG_TTY",
	"TMUX",
	"TMUX_PANE",
	"STY",
	"WINDOW",
	"VTE_VERSION",
	"XDG_SESSION_ID",
	"XDG_SEAT",
	"XDG_VTNR",
	"_",
	"PWD",
	"OLDPWD",
	"SHLVL",
	"NOTIFY_SOCKET",
	"INVOCATION_ID",
	"JOURNAL_STREAM",
	"WATCHDOG_USEC",
	"WATCHDOG_PID",
	"MAINPID",
	"MANAGERPID",
	"MANAGERPIDFDID",
	"SYSTEMD_EXEC_PID",
	"FDSTORE",
	"MEMORY_PRESSURE_WATCH",
	"MEMORY_PRESSURE_WRITE",
	"CREDENTIALS_DIRECTORY",
	"RUNTIME_DIRECTORY",
	"STATE_DIRECTORY",
	"CACHE_DIRECTORY",
	"LOGS_DIRECTORY",
	"CONFIGURATION_DIRECTORY",
	"SERVICE_RESULT",
	"EXIT_CODE",
	"EXIT_STATUS",
	"UPSTART_JOB",
	"UPSTART_INSTANCE",
	"UPSTART_EVENTS",
	"DINIT_CS_FD",
};
static const char *const dropped_prefixes[] = {"LISTEN_", "SUPERVISOR_", "MONITOR_", "TRIGGER_"};
/* Of the caller's person: with --user, init sets those of that user. */
static const char *const dropped_for_user[] = {
	"HOME",
	"USER",
	"LOGNAME",
	"SHELL",
	"MAIL",
	"XDG_RUNTIME_DIR",
	"DBUS_SESSION_BUS_ADDRESS",
};

static bool names(const char *assignment, size_t size, const char *name)
{
	return strlen(name) == size && strncmp(assignment, name, size) == 0;
}

/* Is it NAME=... with a name that a shell would take? */
static bool is_assignment(const char *text)
{
	size_t size = strcspn(text, "=");

	if (size == 0 || !text[size] || isdigit((unsigned char)text[0]))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '_')
			return false;
	}
	return true;
}

bool environment_keeps(const char *assignment, bool as_user)
{
	size_t size = strcspn(assignment, "=");

	/* What an environment file cannot name (a shell's exported functions) is not passed on. */
	if (!is_assignment(assignment))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(dropped_variables); i++) {
		if (names(assignment, size, dropped_variables[i]))
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(dropped_prefixes); i++) {
		if (strncmp(assignment, dropped_prefixes[i], strlen(dropped_prefixes[i])) == 0)
			return false;
	}
	for (size_t i = 0; as_user && i < ARRAY_SIZE(dropped_for_user); i++) {
		if (names(assignment, size, dropped_for_user[i]))
			return false;
	}
	return true;
}

/* The whole file, at most what a call can carry. */
static int read_file(const char *path, struct buf *ret_text, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && ret_text->size <= WIRE_CALL_MAX && buf_reserve(ret_text, BUFSIZ) == 0) {
		n = read(fd, ret_text->data + ret_text->size, BUFSIZ);
		if (n > 0)
			ret_text->size += (size_t)n;
	}
	int code = n < 0 ? -errno : buf_status(ret_text);
	if (fd >= 0)
		close(fd);
	if (code == 0 && ret_text->size > WIRE_CALL_MAX)
		code = -EFBIG;
	if (code < 0)
		return error_set(
			error, EXIT_USAGE, code, "--env-file: %s: %s", path, strerror(-code));
	return 0;
}

static int add_file(const char *path, struct strv *environment, struct error *error)
{
	_cleanup_(buf_done) struct buf text = {0};
	int r = read_file(path, &text, error);

	if (r == 0 && text.size > 0)
		r = envfile_parse(path, text.data, text.size, environment, error);
	if (r == -ENOMEM)
		return no_memory(error);
	if (r < 0)
		error->status = EXIT_USAGE;
	return r;
}

static int add_variable(const char *assignment, struct strv *environment, struct error *error)
{
	if (!is_assignment(assignment))
		return error_set(
			error, EXIT_USAGE, -EINVAL, "--env: %.64s is not NAME=VALUE", assignment);
	return strv_set_env(environment, assignment) < 0 ? no_memory(error) : 0;
}

static int add_callers(char **caller, bool as_user, struct strv *environment, struct error *error)
{
	for (; caller && *caller; caller++) {
		if (environment_keeps(*caller, as_user) && strv_append(environment, *caller) < 0)
			return no_memory(error);
	}
	return 0;
}

int environment_collect(
	const struct cli *cli, char **caller, struct strv *environment, struct error *error)
{
	const char *value;
	size_t at = 0;
	int r = 0;

	if (!cli_has(cli, "clean-env"))
		r = add_callers(caller, cli_has(cli, "user"), environment, error);
	while (r == 0 && (value = option_next(&cli->options, "env-file", &at)))
		r = add_file(value, environment, error);
	at = 0;
	while (r == 0 && (value = option_next(&cli->options, "env", &at)))
		r = add_variable(value, environment, error);
	return r;
}
