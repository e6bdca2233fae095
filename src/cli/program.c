/*
 * The kernel's ENOENT for a script does not say that it is the interpreter that is missing
 * (execve(2)), so the first line is read here as the kernel reads it (fs/binfmt_script.c).
 */
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SCRIPT_LINE_MAX 256 /* BINPRM_BUF_SIZE since Linux 5.1 */

/* 0: it can be executed; -ENOENT, -EISDIR, -EACCES. */
static int check_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) || eaccess(path, X_OK) < 0)
		return -EACCES;
	return 0;
}

/* The interpreter that the first line of a script names, "" when it is none. */
static void read_interpreter(const char *path, char interpreter[static SCRIPT_LINE_MAX + 1])
{
	char line[SCRIPT_LINE_MAX + 1] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	interpreter[0] = '\0';
	if (fd < 0)
		return; /* it may be executed, but not read: no script then */
	ssize_t n = read(fd, line, SCRIPT_LINE_MAX);
	close(fd);
	if (n < 3 || line[0] != '#' || line[1] != '!')
		return;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	char *word = line + 2 + strspn(line + 2, " \t");
	word[strcspn(word, " \t")] = '\0';
	snprintf(interpreter, SCRIPT_LINE_MAX + 1, "%s", word);
}

static int check_script(const char *path, struct error *error)
{
	char interpreter[SCRIPT_LINE_MAX + 1];
	size_t size;

	read_interpreter(path, interpreter);
	size = strlen(interpreter);
	if (size == 0)
		return 0;
	int r = check_file(interpreter);
	if (r == 0)
		return 0;
	/* A file from another system: "\r" is part of the name. */
	if (interpreter[size - 1] == '\r')
		return error_set(error, EXIT_NOT_FOUND, -ENOENT,
			"%s: its interpreter \"%.*s\\r\" does not exist: the first line ends in CR "
			"LF",
			path, (int)size - 1, interpreter);
	if (r == -ENOENT || r == -ENOTDIR)
		return error_set(error, EXIT_NOT_FOUND, -ENOENT,
			"%s: its interpreter %s does not exist", path, interpreter);
	return error_set(error, EXIT_CANNOT_EXECUTE, r,
		"%s: its interpreter %s cannot be executed: %s", path, interpreter, strerror(-r));
}

/* Makes a path that has been found absolute. */
static int finish(const char *path, char **ret_path, struct error *error)
{
	char *absolute = NULL;

	int r = check_script(path, error);
	if (r < 0)
		return r;
	if (path[0] == '/') {
		absolute = strdup(path);
	} else {
		_cleanup_(freep) char *here = getcwd(NULL, 0);
		if (!here)
			return error_set(error, EXIT_USAGE, -errno,
				"the working directory cannot be told (%s): give an absolute path",
				strerror(errno));
		if (asprintf(&absolute, "%s/%s", here, path) < 0)
			absolute = NULL;
	}
	if (!absolute)
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	*ret_path = absolute;
	return 0;
}

static int refuse(const char *path, int code, struct error *error)
{
	struct stat st;

	if (code == -EISDIR)
		return error_set(
			error, EXIT_CANNOT_EXECUTE, code, "%s is a directory, not a program", path);
	if (code != -EACCES)
		return error_set(error, EXIT_NOT_FOUND, -ENOENT, "%s: %s", path, strerror(-code));
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && !(st.st_mode & 0111))
		return error_set(error, EXIT_CANNOT_EXECUTE, code,
			"%s is not executable (chmod +x makes it so)", path);
	return error_set(error, EXIT_CANNOT_EXECUTE, code, "%s cannot be executed: %s", path,
		strerror(-code));
}

/* As execvp(3): the first that can be executed; if there is none, the first that is there. */
static int search(const char *name, const char *path, char **ret_path, struct error *error)
{
	_cleanup_(freep) char *refused = NULL;
	int refused_code = 0;

	for (const char *at = path;; at++) {
		int size = (int)strcspn(at, ":");
		_cleanup_(freep) char *candidate = NULL;

		if (asprintf(&candidate, "%.*s%s%s", size, at, size > 0 ? "/" : "./", name) < 0) {
			candidate = NULL;
			return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
		}
		int r = check_file(candidate);
		if (r == 0)
			return finish(candidate, ret_path, error);
		if ((r == -EACCES || r == -EISDIR) && !refused) {
			refused_code = r;
			refused = take(candidate);
		}
		at += size;
		if (!*at)
			break;
	}
	if (refused)
		return refuse(refused, refused_code, error);
	return error_set(
		error, EXIT_NOT_FOUND, -ENOENT, "%s: there is no such program in PATH", name);
}

int program_find(const char *typed, const char *path, char **ret_path, struct error *error)
{
	if (!*typed)
		return error_set(error, EXIT_NOT_FOUND, -ENOENT, "the program's name is empty");
	if (!strchr(typed, '/'))
		return search(typed, path && *path ? path : "/bin:/usr/bin", ret_path, error);
	int r = check_file(typed);
	return r == 0 ? finish(typed, ret_path, error) : refuse(typed, r, error);
}
