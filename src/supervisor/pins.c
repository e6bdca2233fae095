/*
 * All files are written under a temporary name and renamed, so that a name always has a whole text
 * behind it. Order: environment, pin, transient unit; the record that names the pin comes last.
 */
#include "supervisor/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FILE_MODE_PRIVATE 0600
#define FILE_MODE_PUBLIC 0644

struct pin {
	struct pin *next;
	struct unit *unit;
	char *text, *environment;
	size_t size;
	bool transient;
};

/* A file in loaded/, while going on after a crash. */
struct pinned {
	uint64_t hash;
	char *name;
};

struct pins {
	struct pin *first;
	struct pinned *index; /* sorted by hash */
	size_t n_index;
};

int pins_new(struct driver *driver)
{
	driver->pins = calloc(1, sizeof(*driver->pins));
	return driver->pins ? 0 : -ENOMEM;
}

static void pin_free(struct pin *pin)
{
	unit_unref(pin->unit);
	free(pin->text);
	free(pin->environment);
	free(pin);
}

void pins_free(struct driver *driver)
{
	if (!driver->pins)
		return;
	while (driver->pins->first) {
		struct pin *pin = driver->pins->first;
		driver->pins->first = pin->next;
		pin_free(pin);
	}
	free(driver->pins);
	driver->pins = NULL;
}

static struct pin *find(const struct driver *driver, const struct unit *unit)
{
	for (struct pin *pin = driver->pins->first; pin; pin = pin->next) {
		if (pin->unit == unit)
			return pin;
	}
	return NULL;
}

static void drop(struct driver *driver, const struct unit *unit)
{
	for (struct pin **at = &driver->pins->first; *at; at = &(*at)->next) {
		struct pin *pin = *at;
		if (pin->unit != unit)
			continue;
		*at = pin->next;
		pin_free(pin);
		return;
	}
}

void pins_sweep(struct driver *driver)
{
	for (struct pin **at = &driver->pins->first; *at;) {
		struct pin *pin = *at;
		if (unit_is_shared(pin->unit)) {
			at = &pin->next;
			continue;
		}
		*at = pin->next;
		pin_free(pin);
	}
}

/* --- from text to unit --- */

static int parse(const char *unit_name, const char *path, const char *text, size_t size,
	struct unit **ret_unit, struct error *error)
{
	struct unit_builder *builder __attribute__((cleanup(unit_builder_freep))) = NULL;
	struct unit_messages messages __attribute__((cleanup(unit_messages_done))) = {0};

	int r = unit_builder_new(unit_name, &builder, error);
	if (r == 0)
		r = unit_builder_add(builder, path, text, size, &messages, error);
	if (r == 0)
		r = unit_builder_finish(builder, ret_unit, &messages, error);
	return r;
}

int pins_parse(struct driver *driver, const char *unit_name, const char *path, const char *text,
	size_t size, const char *environment, bool transient, struct unit **ret_unit,
	struct error *error)
{
	struct pin *pin = calloc(1, sizeof(*pin));

	if (!pin)
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	int r = parse(unit_name, path, text, size, &pin->unit, error);
	if (r < 0) {
		pin_free(pin);
		return r;
	}
	pin->text = strndup(text, size);
	pin->size = size;
	pin->transient = transient;
	pin->environment = environment ? strdup(environment) : NULL;
	if (!pin->text || (environment && !pin->environment)) {
		pin_free(pin);
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	}
	pin->next = driver->pins->first;
	driver->pins->first = pin;
	*ret_unit = unit_ref(pin->unit);
	return 0;
}

/* A whole small file, malloc'd and NUL-terminated. */
static int read_file(const char *path, char **ret_text, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	int r = fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0 && !S_ISREG(st.st_mode))
		r = -EINVAL;
	if (r == 0 && st.st_size > UNIT_TEXT_MAX)
		r = -EFBIG;
	_cleanup_(freep) char *text = r == 0 ? malloc((size_t)st.st_size + 1) : NULL;
	if (r == 0 && !text)
		r = -ENOMEM;
	ssize_t n = r == 0 ? read(fd, text, (size_t)st.st_size) : 0;
	if (r == 0 && n < 0)
		r = -errno;
	close(fd);
	if (r < 0)
		return r;
	text[n] = '\0';
	*ret_size = (size_t)n;
	*ret_text = take(text);
	return 0;
}

int pins_load(
	struct driver *driver, const char *unit_name, struct unit **ret_unit, struct error *error)
{
	for (char **directory = driver->place.unit_path; directory && *directory; directory++) {
		_cleanup_(freep) char *path = NULL;
		_cleanup_(freep) char *text = NULL;
		size_t size;

		if (asprintf(&path, "%s/%s", *directory, unit_name) < 0) {
			path = NULL;
			return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
		}
		int r = read_file(path, &text, &size);
		if (r == -ENOENT || r == -ENOTDIR)
			continue;
		if (r < 0)
			return error_set(error, EXIT_USAGE, -EBADMSG, "%s cannot be read: %s", path,
				strerror(-r));
		return pins_parse(
			driver, unit_name, path, text, size, NULL, false, ret_unit, error);
	}
	return error_set(error, EXIT_NO_SUCH_UNIT, -ENOENT, "there is no unit %s", unit_name);
}

/* --- files --- */

static char *file_path(const struct driver *driver, const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s/%s", driver->place.runtime, folder, name) < 0 ? NULL : path;
}

static char *pin_path(const struct driver *driver, const char *unit_name, uint64_t hash)
{
	char *path;

	return asprintf(&path, "%s/loaded/%s.%016llx", driver->place.runtime, unit_name,
		       (unsigned long long)hash) < 0
		       ? NULL
		       : path;
}

static int write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, text, size);
		if (n < 0)
			return -errno;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

/* A temporary name of its own beside the target, then rename(2). */
static int write_file(const char *path, const char *text, size_t size, mode_t mode)
{
	_cleanup_(freep) char *temporary = NULL;

	if (!path || asprintf(&temporary, "%s~", path) < 0)
		return -ENOMEM;
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	int r = write_all(fd, text, size);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

int pins_write(struct driver *driver, const struct service *service)
{
	const struct pin *pin = find(driver, service->unit);
	_cleanup_(freep) char *env = file_path(driver, "env", log_name(service->name));
	_cleanup_(freep) char *transient = file_path(driver, "transient", service->name);
	_cleanup_(freep) char *pinned =
		pin_path(driver, service->name, unit_text_hash(service->unit));
	int r = 0;

	if (!pin)
		return 0; /* this text is pinned already */
	if (pin->environment)
		r = write_file(env, pin->environment, strlen(pin->environment), FILE_MODE_PRIVATE);
	if (r == 0)
		r = write_file(pinned, pin->text, pin->size, FILE_MODE_PUBLIC);
	if (r == 0 && pin->transient)
		r = write_file(transient, pin->text, pin->size, FILE_MODE_PUBLIC);
	if (r == 0)
		drop(driver, service->unit);
	return r;
}

static void remove_file(char *path)
{
	if (path && unlink(path) < 0 && errno != ENOENT)
		driver_warn("cannot remove %s: %s", path, strerror(errno));
	free(path);
}

void pins_remove_old(struct driver *driver, const struct service *service, uint64_t old_hash)
{
	if (old_hash != 0 && old_hash != unit_text_hash(service->unit))
		remove_file(pin_path(driver, service->name, old_hash));
}

void pins_remove(struct driver *driver, const struct service *service)
{
	remove_file(pin_path(driver, service->name, unit_text_hash(service->unit)));
	if (!service->transient)
		return;
	remove_file(file_path(driver, "transient", service->name));
	remove_file(file_path(driver, "env", log_name(service->name)));
}

/* --- after a crash --- */

static int compare_hash(const void *a, const void *b)
{
	const struct pinned *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Splits "web.service.0123456789abcdef". */
static bool split_pinned(char *file_name, uint64_t *ret_hash)
{
	char *dot = strrchr(file_name, '.');
	char *end;

	if (!dot || strlen(dot + 1) != 16)
		return false;
	*ret_hash = strtoull(dot + 1, &end, 16);
	*dot = '\0';
	return *end == '\0';
}

static int add_pinned(struct pins *pins, const char *name, uint64_t hash)
{
	struct pinned *grown = reallocarray(pins->index, pins->n_index + 1, sizeof(*pins->index));
	if (!grown)
		return -ENOMEM;
	pins->index = grown;
	grown[pins->n_index].name = strdup(name);
	grown[pins->n_index].hash = hash;
	return grown[pins->n_index++].name ? 0 : -ENOMEM;
}

int pins_restore_begin(struct driver *driver)
{
	_cleanup_(freep) char *path = place_runtime_path(&driver->place, "loaded");
	DIR *directory = path ? opendir(path) : NULL;
	int r = 0;

	if (!directory)
		return -errno;
	for (struct dirent *e = readdir(directory); e && r == 0; e = readdir(directory)) {
		uint64_t hash;
		if (split_pinned(e->d_name, &hash))
			r = add_pinned(driver->pins, e->d_name, hash);
	}
	closedir(directory);
	qsort(driver->pins->index, driver->pins->n_index, sizeof(struct pinned), compare_hash);
	return r;
}

void pins_restore_end(struct driver *driver)
{
	for (size_t i = 0; i < driver->pins->n_index; i++)
		free(driver->pins->index[i].name);
	free(driver->pins->index);
	driver->pins->index = NULL;
	driver->pins->n_index = 0;
}

int pins_restore(struct driver *driver, uint64_t hash, struct unit **ret_unit)
{
	struct pinned key = {.hash = hash};
	struct error error = {0};
	_cleanup_(freep) char *text = NULL;
	size_t size;

	const struct pinned *pinned =
		driver->pins->index ? bsearch(&key, driver->pins->index, driver->pins->n_index,
					      sizeof(key), compare_hash)
				    : NULL;
	if (!pinned)
		return -ENOENT;
	_cleanup_(freep) char *path = pin_path(driver, pinned->name, hash);
	int r = path ? read_file(path, &text, &size) : -ENOMEM;
	if (r == 0)
		r = parse(pinned->name, path, text, size, ret_unit, &error);
	if (r == 0 && unit_text_hash(*ret_unit) != hash) {
		*ret_unit = unit_unref(*ret_unit);
		r = -EBADMSG;
	}
	return r;
}

int pins_restore_name(
	struct driver *driver, const char *unit_name, struct unit **ret_unit, bool *ret_transient)
{
	_cleanup_(freep) char *transient = file_path(driver, "transient", unit_name);

	if (!transient)
		return -ENOMEM;
	*ret_transient = access(transient, F_OK) == 0;
	for (size_t i = 0; i < driver->pins->n_index; i++) {
		if (strcmp(driver->pins->index[i].name, unit_name) == 0)
			return pins_restore(driver, driver->pins->index[i].hash, ret_unit);
	}
	return -ENOENT;
}

/* Where a unit that is no transient one is read from; the pinned text itself when it is gone there.
 */
static char *source_path(const struct driver *driver, const struct service *service)
{
	if (service->transient)
		return file_path(driver, "transient", service->name);
	for (char **directory = driver->place.unit_path; directory && *directory; directory++) {
		char *path;
		if (asprintf(&path, "%s/%s", *directory, service->name) < 0)
			return NULL;
		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return pin_path(driver, service->name, unit_text_hash(service->unit));
}

int pins_read(
	struct driver *driver, const struct service *service, char **ret_path, char **ret_text)
{
	_cleanup_(freep) char *pinned =
		pin_path(driver, service->name, unit_text_hash(service->unit));
	_cleanup_(freep) char *source = source_path(driver, service);
	size_t size;

	if (!pinned || !source)
		return -ENOMEM;
	int r = read_file(pinned, ret_text, &size);
	if (r < 0)
		return r;
	*ret_path = take(source);
	return 0;
}
