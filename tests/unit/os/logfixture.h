/* A log directory made by hand: files and indexes as the logger, or an accident, leaves them. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/logindex.h"

struct fixture {
	char directory[64];
};

static inline int fixture_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline int fixture_setup(void **state)
{
	struct fixture *fixture = malloc(sizeof(*fixture));

	assert_non_null(fixture);
	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/hob-log-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	*state = fixture;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	nftw(fixture->directory, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(fixture);
	return 0;
}

static inline void fixture_path(const struct fixture *fixture, const char *name, char path[256])
{
	snprintf(path, 256, "%s/%s", fixture->directory, name);
}

static inline void fixture_append(const struct fixture *fixture, const char *name, const void *data, size_t size)
{
	char path[256];

	fixture_path(fixture, name, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

static inline void fixture_text(const struct fixture *fixture, const char *name, const char *text)
{
	fixture_append(fixture, name, text, strlen(text));
}

/* A record, with a header before the first. Times are of one's own making. */
static inline void fixture_record(const struct fixture *fixture, const char *name, uint64_t offset,
	uint64_t wall_us, uint64_t flags)
{
	struct logindex_header header;
	struct logindex_record record = {offset, wall_us, wall_us / 2, flags};
	struct stat st;
	char path[256];

	fixture_path(fixture, name, path);
	if (stat(path, &st) < 0) {
		logindex_header_init(&header, 0, 1);
		fixture_append(fixture, name, &header, sizeof(header));
	}
	fixture_append(fixture, name, &record, sizeof(record));
}

static inline void fixture_rename(const struct fixture *fixture, const char *from, const char *to)
{
	char old[256], new[256];

	fixture_path(fixture, from, old);
	fixture_path(fixture, to, new);
	assert_int_equal(rename(old, new), 0);
}
