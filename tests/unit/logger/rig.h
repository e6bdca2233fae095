/*
 * A logger to be tested: its own directories, stage and channel, and the logger itself as a child
 * that may be killed and started again. What init and the supervisor do for it is done here.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logger/logger.h"
#include "os/clock.h"
#include "os/logchannel.h"
#include "os/logindex.h"
#include "os/logname.h"

#define RIG_WAIT_US 20000000 /* generous: the machine may be busy */
#define RIG_STAGE_SIZE 1048576

struct rig {
	char directory[64];
	char runtime_dir[80], log_dir[80];
	int stage[2];
	int channel[2]; /* 0: the supervisor's end */
	pid_t pid;
	bool copy_only;
};

static inline int rig_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void rig_start(struct rig *rig)
{
	rig->pid = fork();
	assert_true(rig->pid >= 0);
	if (rig->pid > 0)
		return;
	struct logger_config config = {
		.runtime_dir = rig->runtime_dir,
		.log_dir = rig->log_dir,
		.stage_read_fd = rig->stage[0],
		.stage_write_fd = rig->stage[1],
		.channel_fd = rig->channel[1],
		.copy_only = rig->copy_only,
	};
	_exit(logger_run(&config));
}

static inline void rig_kill(struct rig *rig)
{
	int status;

	if (rig->pid <= 0)
		return;
	kill(rig->pid, SIGKILL);
	assert_int_equal(waitpid(rig->pid, &status, 0), rig->pid);
	/* It never ends by itself. */
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	rig->pid = 0;
}

static inline void rig_init(struct rig *rig)
{
	char path[128];

	*rig = (struct rig){0};
	snprintf(rig->directory, sizeof(rig->directory), "/tmp/hob-logger-XXXXXX");
	assert_non_null(mkdtemp(rig->directory));
	snprintf(rig->runtime_dir, sizeof(rig->runtime_dir), "%s/run", rig->directory);
	snprintf(rig->log_dir, sizeof(rig->log_dir), "%s/log", rig->directory);
	assert_int_equal(mkdir(rig->runtime_dir, 0700), 0);
	assert_int_equal(mkdir(rig->log_dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/fifo", rig->runtime_dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(pipe2(rig->stage, O_CLOEXEC), 0);
	fcntl(rig->stage[0], F_SETPIPE_SZ, RIG_STAGE_SIZE);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, rig->channel), 0);
}

static inline void rig_done(struct rig *rig)
{
	if (rig->pid > 0) {
		kill(rig->pid, SIGKILL);
		waitpid(rig->pid, NULL, 0);
	}
	close(rig->stage[0]);
	close(rig->stage[1]);
	close(rig->channel[0]);
	close(rig->channel[1]);
	nftw(rig->directory, rig_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int rig_setup(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));

	assert_non_null(rig);
	rig_init(rig);
	*state = rig;
	return 0;
}

static inline int rig_teardown(void **state)
{
	rig_done(*state);
	free(*state);
	return 0;
}

static inline struct id128 rig_run(unsigned number)
{
	struct id128 id = {{0}};

	id.bytes[0] = 0xab;
	id.bytes[14] = (uint8_t)(number >> 8);
	id.bytes[15] = (uint8_t)number;
	return id;
}

static inline void rig_fifo_path(const struct rig *rig, const char *name, unsigned run, char path[256])
{
	char id[ID128_TEXT_SIZE];

	snprintf(path, 256, "%s/fifo/%s.%s", rig->runtime_dir, name, id128_render(rig_run(run), id));
}

/* Makes a run's FIFO and opens it as a service does: O_RDWR, blocking. */
static inline int rig_fifo(const struct rig *rig, const char *name, unsigned run)
{
	char path[256];

	rig_fifo_path(rig, name, run, path);
	assert_int_equal(mkfifo(path, 0600), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void rig_send(struct rig *rig, struct log_message message, const char *name)
{
	message.version = 1;
	snprintf(message.log_name, sizeof(message.log_name), "%s", name);
	assert_int_equal(send(rig->channel[0], &message, sizeof(message), MSG_NOSIGNAL), sizeof(message));
}

static inline void rig_open(struct rig *rig, const char *name, unsigned run, uint64_t size_max, uint32_t keep)
{
	rig_send(rig, (struct log_message){.op = LOG_OP_OPEN, .run_id = rig_run(run), .size_max = size_max,
		.keep = keep}, name);
}

/* The next message from the logger, within the bound. */
static inline struct log_message rig_receive(struct rig *rig)
{
	struct log_message message;
	struct pollfd pollfd = {.fd = rig->channel[0], .events = POLLIN};

	assert_int_equal(poll(&pollfd, 1, RIG_WAIT_US / 1000), 1);
	assert_int_equal(recv(rig->channel[0], &message, sizeof(message), 0), sizeof(message));
	assert_int_equal(message.version, 1);
	return message;
}

/* Waits for a message of that kind, passing others over. */
static inline struct log_message rig_expect(struct rig *rig, enum log_op op)
{
	for (;;) {
		struct log_message message = rig_receive(rig);
		if (message.op == op)
			return message;
	}
}

/* All that was written before is in the files when this returns. */
static inline void rig_flush(struct rig *rig, const char *name)
{
	static uint64_t cookie = 100;

	rig_send(rig, (struct log_message){.op = LOG_OP_FLUSH, .cookie = ++cookie}, name);
	while (rig_expect(rig, LOG_OP_FLUSHED).cookie != cookie)
		;
}

static inline void rig_write(int fd, const void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, (const char *)data + done, size - done);
		assert_true(n > 0);
		done += (size_t)n;
	}
}

static inline void rig_log_path(const struct rig *rig, const char *name, const char *file, char path[256])
{
	snprintf(path, 256, "%s/%s/%s", rig->log_dir, name, file);
}

/* A whole file, malloc'd; NULL where there is none. */
static inline char *rig_read_path(const char *path, size_t *ret_size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	assert_int_equal(fstat(fd, &st), 0);
	char *data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	size_t done = 0;
	for (;;) {
		ssize_t n = read(fd, data + done, (size_t)st.st_size - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	close(fd);
	data[done] = '\0';
	*ret_size = done;
	return data;
}

static inline char *rig_read(const struct rig *rig, const char *name, const char *file, size_t *ret_size)
{
	char path[256];

	rig_log_path(rig, name, file, path);
	return rig_read_path(path, ret_size);
}

/* All bytes of a log: rotated files in order, then the current one. malloc'd. */
static inline char *rig_read_all(const struct rig *rig, const char *name, size_t *ret_size, size_t *ret_n_rotated)
{
	char path[256], file[64];
	struct logname *names = NULL;
	char *all = NULL;
	size_t size = 0, n = 0;

	rig_log_path(rig, name, "", path);
	int directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(directory_fd >= 0);
	assert_int_equal(logname_list(directory_fd, "", ".log", &names, &n), 0);
	close(directory_fd);
	for (size_t i = 0; i <= n; i++) {
		size_t part_size = 0;
		snprintf(file, sizeof(file), "%s.log", i < n ? names[i].first : "current");
		char *part = rig_read(rig, name, file, &part_size);
		all = realloc(all, size + part_size + 1);
		assert_non_null(all);
		if (part_size > 0)
			memcpy(all + size, part, part_size);
		size += part_size;
		free(part);
	}
	free(names);
	all[size] = '\0';
	*ret_size = size;
	if (ret_n_rotated)
		*ret_n_rotated = n;
	return all;
}
