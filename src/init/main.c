/*
 * hob-init: the two small roles of an instance in one program that links nothing but libc.
 *
 *	hob-init init RUNTIME_DIR LOG_DIR HOB_PROGRAM    descriptors: 3 lock, 4 control, 5 notify
 *	hob-init logger RUNTIME_DIR LOG_DIR              descriptors: those the table names
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "init/init.h"
#include "logger/logger.h"
#include "os/table.h"

#define EXIT_FAILED 1
#define EXIT_BAD_USAGE 2

static int run_logger(const char *runtime_dir, const char *log_dir)
{
	struct id128 none = {0};
	char path[PATH_MAX];
	struct table table;

	if (snprintf(path, sizeof(path), "%s/table", runtime_dir) >= (int)sizeof(path) ||
		table_open(&table, path) < 0)
		return EXIT_FAILED;
	int stage_read = table_find_kept(&table, KEPT_STAGE_READ, none);
	int stage_write = table_find_kept(&table, KEPT_STAGE_WRITE, none);
	int channel = table_find_kept(&table, KEPT_LOGGER_LOGGER_END, none);
	table_close(&table);
	if (stage_read < 0 || stage_write < 0 || channel < 0)
		return EXIT_FAILED;
	return logger_main(runtime_dir, log_dir, stage_read, stage_write, channel);
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "init") == 0)
		return init_main(argv[2], argv[3], argv[4]);
	if (argc == 4 && strcmp(argv[1], "logger") == 0)
		return run_logger(argv[2], argv[3]);
	fprintf(stderr, "hob-init is started by hob; see hob(1)\n");
	return EXIT_BAD_USAGE;
}
