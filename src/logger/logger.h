/*
 * The logger: moves what services write from their FIFOs into their log files, notes when, rotates.
 * Crash-only: it may be killed at any instruction, and its successor goes on without a byte lost,
 * doubled or out of order (DESIGN section 2.5).
 */
#pragma once

#include <stdbool.h>

struct logger_config {
	const char *runtime_dir; /* fifo/ and stage are there */
	const char *log_dir;
	int stage_read_fd, stage_write_fd; /* the stage: one pipe, kept by init */
	int channel_fd;          /* SOCK_SEQPACKET, messages of os/logchannel.h */
	bool copy_only;          /* never splice into a file: as on file systems that refuse it */
};

/* Runs until it is killed. Returns a process's exit status when it cannot begin or go on. */
int logger_run(const struct logger_config *config);
/* As init starts it. The descriptors stay open as long as the process lives. */
int logger_main(const char *runtime_dir, const char *log_dir, int stage_read_fd, int stage_write_fd,
	int channel_fd);
