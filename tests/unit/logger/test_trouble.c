/* A full disk, and a disk that hangs: the service goes on, and what is lost is counted. */
#include "rig.h"

#include <dirent.h>
#include <sys/mount.h>
#include <sys/ptrace.h>

#define DISK_SIZE "size=64k"

/* A small file system at the log directory. Skips where it may not be mounted. */
static void mount_small(struct rig *rig)
{
	if (mount("none", rig->log_dir, "tmpfs", 0, DISK_SIZE) < 0)
		skip();
}

static int full_teardown(void **state)
{
	struct rig *rig = *state;

	rig_kill(rig);
	umount2(rig->log_dir, MNT_DETACH);
	return rig_teardown(state);
}

static uint64_t log_size(struct rig *rig, const char *name)
{
	char path[256];
	struct stat st;

	rig_log_path(rig, name, "current.log", path);
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void test_full_disk(void **state)
{
	struct rig *rig = *state;
	char line[64];
	uint64_t written = 0;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	mount_small(rig);
	int fd = rig_fifo(rig, "web", 1);
	rig_start(rig);
	rig_open(rig, "web", 1, 64 * 1024 * 1024, 5);
	/* More than there is room for, and than the FIFO and the stage hold: the service must get through. */
	for (int i = 0; i < 40000; i++, written += sizeof(line))
		rig_write(fd, line, sizeof(line));
	struct log_message trouble = rig_expect(rig, LOG_OP_TROUBLE);
	assert_string_equal(trouble.log_name, "web");
	assert_int_equal(trouble.error, -ENOSPC);
	rig_flush(rig, "web");
	uint64_t before = log_size(rig, "web");
	assert_true(before > 0 && before < written);

	/* Room again: all is well, and what was lost is told. */
	assert_int_equal(mount("none", rig->log_dir, "tmpfs", MS_REMOUNT, "size=4m"), 0);
	rig_write(fd, line, sizeof(line));
	written += sizeof(line);
	uint64_t dropped = 0;
	bool is_over = false;
	while (!is_over || dropped == 0) {
		struct log_message message = rig_receive(rig);
		is_over |= message.op == LOG_OP_TROUBLE && message.value == 0;
		if (message.op == LOG_OP_DROPPED) {
			assert_int_equal(message.error, -ENOSPC);
			dropped += message.value;
		}
	}
	rig_flush(rig, "web");
	assert_int_equal(log_size(rig, "web") + dropped, written);
	close(fd);
}

/* Room comes back within the time a logger waits: nothing is lost. */
static void test_disk_that_is_full_for_a_moment(void **state)
{
	struct rig *rig = *state;
	char data[4096];
	uint64_t written = 0;

	memset(data, 'x', sizeof(data));
	mount_small(rig);
	int fd = rig_fifo(rig, "web", 1);
	rig_start(rig);
	rig_open(rig, "web", 1, 64 * 1024 * 1024, 5);
	for (int i = 0; i < 24; i++, written += sizeof(data))
		rig_write(fd, data, sizeof(data));
	assert_int_equal(rig_expect(rig, LOG_OP_TROUBLE).error, -ENOSPC);
	assert_int_equal(mount("none", rig->log_dir, "tmpfs", MS_REMOUNT, "size=4m"), 0);
	struct log_message over = rig_receive(rig);
	assert_int_equal(over.op, LOG_OP_TROUBLE);
	assert_int_equal(over.value, 0);
	rig_flush(rig, "web");
	assert_int_equal(log_size(rig, "web"), written);
	close(fd);
}

/* Killed while it waits for room: its successor has the bytes. */
static void test_killed_while_the_disk_is_full(void **state)
{
	struct rig *rig = *state;
	char data[4096];
	uint64_t written = 0;

	memset(data, 'x', sizeof(data));
	mount_small(rig);
	int fd = rig_fifo(rig, "web", 1);
	rig_start(rig);
	for (int i = 0; i < 24; i++, written += sizeof(data))
		rig_write(fd, data, sizeof(data));
	rig_expect(rig, LOG_OP_TROUBLE);
	rig_kill(rig);
	assert_int_equal(mount("none", rig->log_dir, "tmpfs", MS_REMOUNT, "size=4m"), 0);
	rig_start(rig);
	rig_flush(rig, "web");
	assert_int_equal(log_size(rig, "web"), written);
	close(fd);
}

static pid_t writer_thread(pid_t pid)
{
	char path[64];
	struct dirent **entries;
	pid_t found = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	int n = scandir(path, &entries, NULL, NULL);
	for (int i = 0; i < n; i++) {
		pid_t tid = (pid_t)strtol(entries[i]->d_name, NULL, 10);
		if (tid > 0 && tid != pid)
			found = tid;
		free(entries[i]);
	}
	free(entries);
	return found;
}

static pid_t traced; /* a thread of the logger that is stopped */

/* A traced thread must be waited for itself before its process is gone. */
static int hung_teardown(void **state)
{
	struct rig *rig = *state;

	if (traced > 0) {
		kill(rig->pid, SIGKILL);
		waitpid(traced, NULL, __WALL);
	}
	traced = 0;
	return rig_teardown(state);
}

/* The writer is stopped, as it would be in a write to a dead disk. */
static void test_hung_disk(void **state)
{
	struct rig *rig = *state;
	char line[64];
	uint64_t written = 0;
	int status;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	int fd = rig_fifo(rig, "web", 1);
	rig_start(rig);
	rig_write(fd, line, sizeof(line));
	written += sizeof(line);
	rig_flush(rig, "web");
	pid_t tid = writer_thread(rig->pid);
	assert_true(tid > 0);
	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0)
		skip();
	traced = tid;
	assert_int_equal(ptrace(PTRACE_INTERRUPT, tid, 0, 0), 0);
	assert_int_equal(waitpid(tid, &status, __WALL), tid);

	/* Far more than the pipes hold: this blocks for some seconds, and then it does not. */
	for (int i = 0; i < 100000; i++, written += sizeof(line))
		rig_write(fd, line, sizeof(line));
	struct log_message trouble = rig_expect(rig, LOG_OP_TROUBLE);
	assert_string_equal(trouble.log_name, "web");
	assert_int_equal(trouble.error, -ETIMEDOUT);
	/* Readers are not kept waiting either. */
	rig_flush(rig, "web");

	assert_int_equal(ptrace(PTRACE_DETACH, tid, 0, 0), 0);
	traced = 0;
	uint64_t dropped = 0;
	bool is_over = false;
	while (!is_over || dropped == 0) {
		struct log_message message = rig_receive(rig);
		is_over |= message.op == LOG_OP_TROUBLE && message.value == 0;
		if (message.op == LOG_OP_DROPPED)
			dropped += message.value;
	}
	rig_flush(rig, "web");
	assert_int_equal(log_size(rig, "web") + dropped, written);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full_disk, rig_setup, full_teardown),
		cmocka_unit_test_setup_teardown(test_disk_that_is_full_for_a_moment, rig_setup, full_teardown),
		cmocka_unit_test_setup_teardown(test_killed_while_the_disk_is_full, rig_setup, full_teardown),
		cmocka_unit_test_setup_teardown(test_hung_disk, rig_setup, hung_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
