/*
 * The runtime directory is trusted with descriptors and environments, so it is looked at before it
 * is used: by lstat, since a symlink or another's directory may stand where ours should be.
 * Directories are made one by one; of two that make the same one, the second finds it and is
 * content.
 */
#include "os/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_SIZE 36 /* bytes of its text, without newline */

/* Where systemd looks (systemd.unit(5), UNIT FILE LOAD PATH), after hob's own directories. */
static const char *const root_unit_path[] = {
	"/etc/systemd/system.control",
	"/run/systemd/system.control",
	"/run/systemd/transient",
	"/run/systemd/generator.early",
	"/etc/systemd/system",
	"/etc/systemd/system.attached",
	"/run/systemd/system",
	"/run/systemd/system.attached",
	"/run/systemd/generator",
	"/usr/local/lib/systemd/system",
	"/lib/systemd/system",
	"/usr/lib/systemd/system",
	"/run/systemd/generator.late",
	NULL,
};
/* "~/": below the home directory. */
static const char *const user_unit_path[] = {
	"~/.config/systemd/user",
	"/etc/systemd/user",
	"/run/systemd/user",
	"~/.local/share/systemd/user",
	"/usr/local/share/systemd/user",
	"/usr/share/systemd/user",
	"/usr/local/lib/systemd/user",
	"/usr/lib/systemd/user",
	NULL,
};

/* Directories below the runtime directory; nobody else looks into them. */
static const char *const closed_folders[] = {"loaded", "fifo", "transient", "env"};
/* Files of a boot that is over. The lock stays: it may be held. */
static const char *const state_files[] = {"control", "notify", "table", "records", "stage"};

static char *join(const char *directory, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static int no_memory(struct error *error)
{
	return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
}

/* --- finding --- */

/* path without trailing slashes, made absolute by the working directory. */
static int make_absolute(const char *path, char **ret_path, struct error *error)
{
	_cleanup_(freep) char *here = NULL;
	_cleanup_(freep) char *absolute = NULL;

	if (path[0] != '/') {
		here = getcwd(NULL, 0);
		if (!here)
			return error_set(error, EXIT_USAGE, -errno,
				"the working directory cannot be told (%s): give an absolute path",
				strerror(errno));
	}
	absolute = here ? join(here, path) : strdup(path);
	if (!absolute)
		return no_memory(error);
	for (size_t n = strlen(absolute); n > 1 && absolute[n - 1] == '/'; n--)
		absolute[n - 1] = '\0';
	*ret_path = take(absolute);
	return 0;
}

/* The home directory by the password entry: cron, ssh and su see different variables. */
static int find_home(char **ret_home, struct error *error)
{
	errno = 0;
	const struct passwd *entry = getpwuid(geteuid());

	if (!entry || !entry->pw_dir || entry->pw_dir[0] != '/')
		return error_set(error, EXIT_USAGE, -ENXIO,
			"user %u has no home directory by its password entry: "
			"set HOB_HOME to a directory of yours",
			(unsigned)geteuid());
	*ret_home = strdup(entry->pw_dir);
	return *ret_home ? 0 : no_memory(error);
}

/* Appends directory, "~/" standing for home. */
static int add_directory(struct strv *path, const char *home, const char *directory)
{
	if (strncmp(directory, "~/", 2) != 0)
		return strv_append(path, directory);
	_cleanup_(freep) char *below = join(home, directory + 2);
	return below ? strv_append(path, below) : -ENOMEM;
}

static int add_directories(struct strv *path, const char *home, const char *const *directories)
{
	int r = 0;

	for (; *directories && r == 0; directories++)
		r = add_directory(path, home, *directories);
	return r;
}

/* HOB_UNIT_PATH: absolute directories between colons; empty ones are skipped. */
static int add_variable(struct strv *path, const char *value)
{
	int r = 0;

	while (*value && r == 0) {
		size_t size = strcspn(value, ":");
		if (size > 0 && value[0] == '/')
			r = strv_append_n(path, value, size);
		value += size + (value[size] == ':');
	}
	return r;
}

/* first: hob's own directory of unit files. What `hob run` made is found in each case. */
static int find_unit_path(struct place *place, const char *first, const char *home)
{
	const char *variable = getenv("HOB_UNIT_PATH");
	_cleanup_(strv_done) struct strv path = {0};
	_cleanup_(freep) char *transient = join(place->runtime, "transient");
	bool replaced = variable && *variable;

	int r = !transient ? -ENOMEM
		: replaced ? add_variable(&path, variable)
			   : add_directory(&path, home, first);
	if (r == 0)
		r = strv_append(&path, transient);
	if (r == 0 && !replaced && !place->home)
		r = add_directories(
			&path, home, place->is_root_instance ? root_unit_path : user_unit_path);
	if (r < 0)
		return r;
	place->unit_path = take(path.items);
	path = (struct strv){0};
	return 0;
}

/* DIR/{run,log,units} */
static int find_at(const char *directory, struct place *place, struct error *error)
{
	int r = make_absolute(directory, &place->home, error);

	if (r < 0)
		return r;
	_cleanup_(freep) char *units = join(place->home, "units");
	place->runtime = join(place->home, "run");
	place->log = join(place->home, "log");
	if (!units || !place->runtime || !place->log || find_unit_path(place, units, NULL) < 0)
		return no_memory(error);
	return 0;
}

static int find_of_root(struct place *place, struct error *error)
{
	place->is_root_instance = true;
	place->runtime = strdup("/run/hob");
	place->log = strdup("/var/log/hob");
	if (!place->runtime || !place->log || find_unit_path(place, "/etc/hob/system", NULL) < 0)
		return no_memory(error);
	return 0;
}

static int find_of_user(struct place *place, struct error *error)
{
	_cleanup_(freep) char *home = NULL;

	int r = find_home(&home, error);
	if (r < 0)
		return r;
	place->runtime = join(home, ".local/state/hob/run");
	place->log = join(home, ".local/state/hob/log");
	if (!place->runtime || !place->log || find_unit_path(place, "~/.config/hob/user", home) < 0)
		return no_memory(error);
	return 0;
}

int place_find(const char *home, struct place *ret_place, struct error *error)
{
	struct place place = {0};
	int r;

	if (!home) {
		home = getenv("HOB_HOME");
		if (home && !*home)
			home = NULL;
	} else if (!*home) {
		return error_set(error, EXIT_USAGE, -EINVAL, "--home needs a directory");
	}
	if (home)
		r = find_at(home, &place, error);
	else if (geteuid() == 0)
		r = find_of_root(&place, error);
	else
		r = find_of_user(&place, error);
	if (r < 0) {
		place_done(&place);
		return r;
	}
	*ret_place = place;
	return 0;
}

int place_given(const char *runtime, const char *log, struct place *ret_place)
{
	const char *home = getenv("HOB_HOME");
	struct place place = {.runtime = strdup(runtime), .log = strdup(log)};

	place.is_root_instance = strcmp(runtime, "/run/hob") == 0;
	if (home && *home)
		place.home = strdup(home);
	if (!place.runtime || !place.log || (home && *home && !place.home) ||
		find_unit_path(&place, "/etc/hob/system", "/") < 0) {
		place_done(&place);
		return -ENOMEM;
	}
	*ret_place = place;
	return 0;
}

void place_done(struct place *place)
{
	for (char **directory = place->unit_path; directory && *directory; directory++)
		free(*directory);
	free(place->unit_path);
	free(place->home);
	free(place->runtime);
	free(place->log);
	*place = (struct place){0};
}

char *place_runtime_path(const struct place *place, const char *relative)
{
	return join(place->runtime, relative);
}

/* --- making and checking --- */

static int cannot_make(const char *path, int code, struct error *error)
{
	bool denied = code == -EACCES || code == -EPERM || code == -EROFS;

	return error_set(error, denied ? EXIT_NOT_PERMITTED : EXIT_JOB_FAILED, code,
		"cannot make the directory %s: %s%s", path, strerror(-code),
		denied ? " (HOB_HOME=DIR puts everything under another directory)" : "");
}

/* mkdir -p; the modes of what is there are left alone. */
static int make_directory(const char *path, mode_t mode, struct error *error)
{
	_cleanup_(freep) char *part = strdup(path);

	if (!part)
		return no_memory(error);
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return cannot_make(part, -errno, error);
		*slash = '/';
	}
	return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : cannot_make(path, -errno, error);
}

int place_check_directory(const char *path, const struct stat *st, struct error *error)
{
	if (S_ISLNK(st->st_mode))
		return error_set(error, EXIT_NOT_PERMITTED, -ELOOP,
			"%s is a symbolic link; hob does not follow one there", path);
	if (!S_ISDIR(st->st_mode))
		return error_set(
			error, EXIT_NOT_PERMITTED, -ENOTDIR, "%s is not a directory", path);
	if (st->st_uid != geteuid())
		return error_set(error, EXIT_NOT_PERMITTED, -EPERM,
			"%s belongs to user %u, not to you (user %u)", path, (unsigned)st->st_uid,
			(unsigned)geteuid());
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return error_set(error, EXIT_NOT_PERMITTED, -EPERM,
			"others can write into %s: chmod go-w it first", path);
	return 0;
}

/* One of ours: made with this mode, or found, and then checked and given it. */
static int own_directory(const char *path, mode_t mode, struct error *error)
{
	struct stat st;

	int r = make_directory(path, mode, error);
	if (r < 0)
		return r;
	if (lstat(path, &st) < 0)
		return cannot_make(path, -errno, error);
	r = place_check_directory(path, &st, error);
	if (r == 0 && (st.st_mode & 07777) != mode && chmod(path, mode) < 0)
		return cannot_make(path, -errno, error);
	return r;
}

int place_prepare(const struct place *place, struct error *error)
{
	/* Services of other users must reach the notify socket through root's. */
	mode_t mode = geteuid() == 0 ? 0755 : 0700;

	int r = own_directory(place->runtime, mode, error);
	for (size_t i = 0; i < ARRAY_SIZE(closed_folders) && r == 0; i++) {
		_cleanup_(freep) char *path = join(place->runtime, closed_folders[i]);
		r = path ? own_directory(path, 0700, error) : no_memory(error);
	}
	/* The log directory may be a link to a larger disk; it only has to be ours to write in. */
	if (r == 0)
		r = make_directory(place->log, mode, error);
	if (r == 0 && access(place->log, W_OK | X_OK) < 0)
		return error_set(error, EXIT_NOT_PERMITTED, -errno, "cannot write into %s: %s",
			place->log, strerror(errno));
	return r;
}

/* --- earlier boots --- */

/* Reads up to size - 1 bytes as a string. */
static int read_small(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, size - 1);
	int r = n < 0 ? -errno : 0;
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return r;
}

static int write_small(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, text, strlen(text));
	int r = n < 0 ? -errno : (size_t)n < strlen(text) ? -ENOSPC : 0;
	close(fd);
	return r;
}

static void empty_folder(const char *path)
{
	DIR *folder = opendir(path);

	if (!folder)
		return;
	for (struct dirent *e = readdir(folder); e; e = readdir(folder)) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(folder), e->d_name, 0);
	}
	closedir(folder);
}

static void remove_state(const struct place *place)
{
	for (size_t i = 0; i < ARRAY_SIZE(state_files); i++) {
		_cleanup_(freep) char *path = join(place->runtime, state_files[i]);
		if (path)
			unlink(path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(closed_folders); i++) {
		_cleanup_(freep) char *path = join(place->runtime, closed_folders[i]);
		if (path)
			empty_folder(path);
	}
}

int place_forget_earlier_boot(const struct place *place, struct error *error)
{
	_cleanup_(freep) char *path = join(place->runtime, "boot");
	char now[BOOT_ID_SIZE + 1] = "", then[BOOT_ID_SIZE + 1] = "";

	if (!path)
		return no_memory(error);
	/* Without /proc it cannot be told, and everything is kept: records carry the boot id too.
	 */
	if (read_small(BOOT_ID_PATH, now, sizeof(now)) < 0)
		return 0;
	int r = read_small(path, then, sizeof(then));
	if (r == 0 && strcmp(now, then) == 0)
		return 0;
	if (r == 0)
		remove_state(place);
	r = write_small(path, now);
	if (r < 0)
		return error_set(error, r == -EACCES ? EXIT_NOT_PERMITTED : EXIT_JOB_FAILED, r,
			"cannot write %s: %s", path, strerror(-r));
	return 0;
}
