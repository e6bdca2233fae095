/*
 * The time is rendered and parsed here and not with strptime: both are a few divisions, and must not
 * depend on a locale or a time zone.
 */
#include "os/logname.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/cleanup.h"

void logname_render(uint64_t wall_us, unsigned number, struct logname *ret_name)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;
	char date[24];

	/* Past the year 9999 the name would lose its width, and with it its order. */
	if (!gmtime_r(&seconds, &tm) || tm.tm_year > 9999 - 1900)
		tm = (struct tm){.tm_year = 9999 - 1900, .tm_mon = 11, .tm_mday = 31};
	strftime(date, sizeof(date), "%Y%m%dT%H%M%S", &tm);
	if (number)
		snprintf(ret_name->first, LOGNAME_SIZE, "%s.%06uZ-%u", date,
			(unsigned)(wall_us % 1000000), number);
	else
		snprintf(ret_name->first, LOGNAME_SIZE, "%s.%06uZ", date, (unsigned)(wall_us % 1000000));
}

/* `n` digits at `text` as a number, or -1. */
static int digits(const char *text, int n)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

int logname_parse(const char *first, uint64_t *ret_wall_us, unsigned *ret_number)
{
	size_t length = strnlen(first, LOGNAME_SIZE);
	unsigned number = 0;

	if (length < 23 || length >= LOGNAME_SIZE)
		return -EINVAL;
	if (first[8] != 'T' || first[15] != '.' || first[22] != 'Z')
		return -EINVAL;
	struct tm tm = {
		.tm_year = digits(first, 4) - 1900,
		.tm_mon = digits(first + 4, 2) - 1,
		.tm_mday = digits(first + 6, 2),
		.tm_hour = digits(first + 9, 2),
		.tm_min = digits(first + 11, 2),
		.tm_sec = digits(first + 13, 2),
	};
	int fraction = digits(first + 16, 6);
	if (tm.tm_year < 70 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_hour < 0 ||
		tm.tm_min < 0 || tm.tm_sec < 0 || fraction < 0)
		return -EINVAL;
	if (first[23] != '\0') {
		size_t n = length - 24;
		if (first[23] != '-' || n < 1 || n > 9 || first[24] == '0' || digits(first + 24, (int)n) < 0)
			return -EINVAL;
		number = (unsigned)digits(first + 24, (int)n);
	}
	*ret_wall_us = (uint64_t)timegm(&tm) * 1000000 + (uint64_t)fraction;
	*ret_number = number;
	return 0;
}

int logname_compare(const struct logname *a, const struct logname *b)
{
	uint64_t time_a = 0, time_b = 0;
	unsigned number_a = 0, number_b = 0;

	logname_parse(a->first, &time_a, &number_a);
	logname_parse(b->first, &time_b, &number_b);
	if (time_a != time_b)
		return time_a < time_b ? -1 : 1;
	return number_a == number_b ? 0 : number_a < number_b ? -1 : 1;
}

static int compare(const void *a, const void *b)
{
	return logname_compare(a, b);
}

/* Is it PREFIX FIRST SUFFIX? Then FIRST. */
static bool match(const char *name, const char *prefix, const char *suffix, struct logname *ret_name)
{
	size_t length = strlen(name), n_prefix = strlen(prefix), n_suffix = strlen(suffix);
	uint64_t wall_us;
	unsigned number;

	if (length < n_prefix + n_suffix || length - n_prefix - n_suffix >= LOGNAME_SIZE)
		return false;
	if (strncmp(name, prefix, n_prefix) != 0 || strcmp(name + length - n_suffix, suffix) != 0)
		return false;
	size_t n = length - n_prefix - n_suffix;
	memcpy(ret_name->first, name + n_prefix, n);
	ret_name->first[n] = '\0';
	return logname_parse(ret_name->first, &wall_us, &number) == 0;
}

static void closedirp(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

int logname_list(int directory_fd, const char *prefix, const char *suffix,
	struct logname **ret_names, size_t *ret_n)
{
	_cleanup_(freep) struct logname *names = NULL;
	size_t n = 0, capacity = 0;
	struct logname name;

	/* A descriptor of its own: a directory stream moves the position of the one it is given. */
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	_cleanup_(closedirp) DIR *directory = fdopendir(fd);
	if (!directory) {
		int r = -errno;
		close(fd);
		return r;
	}
	for (;;) {
		errno = 0;
		struct dirent *entry = readdir(directory);
		if (!entry && errno)
			return -errno;
		if (!entry)
			break;
		if (!match(entry->d_name, prefix, suffix, &name))
			continue;
		if (n == LOGNAME_FILES_MAX)
			return -E2BIG;
		if (n == capacity) {
			capacity = capacity ? capacity * 2 : 16;
			struct logname *more = realloc(names, capacity * sizeof(*more));
			if (!more)
				return -ENOMEM;
			names = more;
		}
		names[n++] = name;
	}
	if (n > 1)
		qsort(names, n, sizeof(*names), compare);
	*ret_names = take(names);
	*ret_n = n;
	return 0;
}
