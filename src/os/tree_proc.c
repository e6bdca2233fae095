/*
 * Reading /proc. Small files are read in one piece; lists, and the environment, in pieces.
 *
 * The kernel warns that a list of children is unreliable unless all children are stopped (proc(5)),
 * and here is why (fs/proc/array.c, get_children_pid): it goes on from the child it gave last;
 * where that one was reaped meanwhile it counts from the start instead, and so skips as many as
 * have gone. Hence a read that skipped a child has also shown one that is gone now. Two reads that
 * show the same are therefore both complete, and that is what is asked for.
 */
#include "os/tree_proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CHILDREN_READS_MAX 8
#define ENVIRON_MAX                                                                                \
	(2u * 1024 * 1024) /* bytes looked through for INVOCATION_ID; ARG_MAX is 2 MiB */
#define KINSHIP_MAX (1u << 20)

/* ------------------------------------------------------------------ lists */

int pid_list_add(struct pid_list *list, pid_t pid)
{
	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 16;
		if (capacity > PID_LIST_MAX)
			return -E2BIG;
		pid_t *pids = reallocarray(list->pids, capacity, sizeof(*pids));
		if (!pids)
			return -ENOMEM;
		list->pids = pids;
		list->capacity = capacity;
	}
	list->pids[list->n++] = pid;
	return 0;
}

void pid_list_done(struct pid_list *list)
{
	free(list->pids);
	*list = (struct pid_list){0};
}

static int open_errno(void)
{
	return errno == ENOENT ? -ESRCH : -errno;
}

int pid_list_read(struct pid_list *list, const char *path)
{
	char text[4096];
	pid_t number = 0; /* of the digits so far: one may go over the end of a piece */
	ssize_t size;
	int r = 0;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return open_errno();
	do {
		size = read(fd, text, sizeof(text));
		if (size < 0)
			r = errno == EINTR ? 0 : -errno;
		for (ssize_t i = 0; i < size && r == 0; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				number = number * 10 + (text[i] - '0');
			} else if (number > 0) {
				r = pid_list_add(list, number);
				number = 0;
			}
		}
	} while (r == 0 && size != 0);
	if (r == 0 && number > 0)
		r = pid_list_add(list, number);
	close(fd);
	return r;
}

static bool is_same(const struct pid_list *a, size_t from, const struct pid_list *b)
{
	return a->n - from == b->n &&
	       (b->n == 0 || memcmp(a->pids + from, b->pids, b->n * sizeof(*b->pids)) == 0);
}

/* ------------------------------------------------------------------ children */

bool tree_proc_lists_children(void)
{
	return access("/proc/thread-self/children", R_OK) == 0;
}

static int children_of_thread(pid_t pid, pid_t tid, struct pid_list *list)
{
	_cleanup_(pid_list_done) struct pid_list again = {0};
	char path[64];
	size_t from = list->n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)tid);
	int r = pid_list_read(list, path);
	/* One that showed nothing cannot have skipped anything. */
	for (int i = 0; r == 0 && list->n > from; i++) {
		again.n = 0;
		r = pid_list_read(&again, path);
		if (r < 0 || is_same(list, from, &again))
			return r;
		if (i == CHILDREN_READS_MAX)
			return -EAGAIN;
		list->n = from;
		for (size_t k = 0; k < again.n && r == 0; k++)
			r = pid_list_add(list, again.pids[k]);
	}
	return r;
}

/* A child belongs to the thread that forked it. */
static int children_of_threads(pid_t pid, const char *task_path, struct pid_list *list)
{
	int r = 0;

	DIR *task = opendir(task_path);
	if (!task)
		return open_errno();
	for (struct dirent *entry; r == 0 && (entry = readdir(task));) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		r = children_of_thread(pid, atoi(entry->d_name), list);
		if (r == -ESRCH) /* the thread has ended: its children are another's, and listed
				    there */
			r = 0;
	}
	closedir(task);
	return r;
}

/* The number of threads, from the link count of /proc/PID/task; 0 when the process is gone. */
static unsigned n_threads(const char *task_path)
{
	struct stat status;

	return stat(task_path, &status) < 0 || status.st_nlink < 2 ? 0
								   : (unsigned)status.st_nlink - 2;
}

int tree_proc_children(pid_t pid, struct pid_list *list)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	unsigned n = n_threads(path);
	if (n == 0)
		return -ESRCH;
	return n == 1 ? children_of_thread(pid, pid, list) : children_of_threads(pid, path, list);
}

static int by_parent(const void *a, const void *b)
{
	const struct kin *x = a, *y = b;

	return x->ppid != y->ppid ? (x->ppid < y->ppid ? -1 : 1)
				  : (x->pid > y->pid) - (x->pid < y->pid);
}

static int kinship_add(struct kinship *kinship, pid_t pid)
{
	struct process_stat stat;

	int r = process_stat(pid, &stat);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	if (kinship->n == kinship->capacity) {
		size_t capacity = kinship->capacity ? kinship->capacity * 2 : 256;
		if (capacity > KINSHIP_MAX)
			return -E2BIG;
		struct kin *kin = reallocarray(kinship->kin, capacity, sizeof(*kin));
		if (!kin)
			return -ENOMEM;
		kinship->kin = kin;
		kinship->capacity = capacity;
	}
	kinship->kin[kinship->n++] = (struct kin){.pid = pid, .ppid = stat.ppid};
	return 0;
}

int kinship_read(struct kinship *kinship)
{
	int r = 0;

	kinship->n = 0;
	DIR *proc = opendir("/proc");
	if (!proc)
		return -errno;
	for (struct dirent *entry; r == 0 && (entry = readdir(proc));)
		if (isdigit((unsigned char)entry->d_name[0]))
			r = kinship_add(kinship, atoi(entry->d_name));
	closedir(proc);
	if (r == 0 && kinship->n)
		qsort(kinship->kin, kinship->n, sizeof(*kinship->kin), by_parent);
	return r;
}

int kinship_children(const struct kinship *kinship, pid_t pid, struct pid_list *list)
{
	size_t low = 0, high = kinship->n;
	int r = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (kinship->kin[middle].ppid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	for (; r == 0 && low < kinship->n && kinship->kin[low].ppid == pid; low++)
		r = pid_list_add(list, kinship->kin[low].pid);
	return r;
}

void kinship_done(struct kinship *kinship)
{
	free(kinship->kin);
	*kinship = (struct kinship){0};
}

/* ------------------------------------------------------------------ one process */

int tree_proc_alive(pid_t pid, struct process_stat *ret_stat)
{
	struct process_stat stat;
	char path[32];

	int r = process_stat(pid, &stat);
	if (r == -ESRCH)
		return 0;
	if (r < 0)
		return r;
	if (stat.state == 'X')
		return 0;
	if (stat.state == 'Z') {
		/* Its first thread has ended (pthread_exit in main); others may be at work. */
		snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
		if (n_threads(path) < 2)
			return 0;
	}
	*ret_stat = stat;
	return 1;
}

/* Reads a file of /proc/PID that fits; NUL-terminated. Its size or a negative errno. */
static ssize_t read_small(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	size_t at = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return open_errno();
	while (at < size - 1 &&
		((n = read(fd, text + at, size - 1 - at)) > 0 || (n < 0 && errno == EINTR)))
		at += n > 0 ? (size_t)n : 0;
	close(fd);
	text[at] = '\0';
	return (ssize_t)at;
}

uint64_t tree_proc_tag(pid_t pid)
{
	static const char label[] = "\nMax file locks ";
	char text[4096], *end;

	if (read_small(pid, "limits", text, sizeof(text)) <= 0)
		return 0;
	char *line = strstr(text, label);
	if (!line)
		return 0;
	/* "unlimited" is no number: end stays where it began. */
	char *soft_text = line + sizeof(label) - 1;
	unsigned long long soft = strtoull(soft_text, &end, 10);
	if (end == soft_text)
		return 0;
	unsigned long long hard = strtoull(end, NULL, 10);
	return soft == hard ? soft : 0;
}

/* The value that follows `name` in a NUL-separated environment, if it is 32 hex digits. */
static struct id128 find_run_id(const char *environment, size_t size)
{
	static const char name[] = "INVOCATION_ID=";
	struct id128 id = {0};

	for (const char *at = environment, *end = environment + size; at < end;) {
		const char *next = memchr(at, '\0', (size_t)(end - at));
		size_t length = next ? (size_t)(next - at) : (size_t)(end - at);
		if (length > sizeof(name) && memcmp(at, name, sizeof(name) - 1) == 0) {
			id128_parse(at + sizeof(name) - 1, &id);
			return id;
		}
		at += length + 1;
	}
	return id;
}

struct id128 tree_proc_run_id(pid_t pid)
{
	static const struct id128 none;
	char path[64];
	size_t size = 0, capacity = 16 * 1024;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return none;
	_cleanup_(freep) char *text = malloc(capacity + 1);
	while (text && (n = read(fd, text + size, capacity - size)) > 0) {
		size += (size_t)n;
		if (size < capacity)
			continue;
		char *larger = capacity < ENVIRON_MAX ? realloc(text, capacity * 2 + 1) : NULL;
		if (!larger)
			break;
		text = larger;
		capacity *= 2;
	}
	close(fd);
	if (!text)
		return none;
	text[size] = '\0';
	return find_run_id(text, size);
}

int64_t tree_proc_memory(pid_t pid)
{
	char text[2048];
	long long kib, pages;

	if (read_small(pid, "smaps_rollup", text, sizeof(text)) > 0) {
		char *line = strstr(text, "\nPss:");
		if (line && sscanf(line, " Pss: %lld", &kib) == 1)
			return kib * 1024;
	}
	if (read_small(pid, "statm", text, sizeof(text)) > 0 &&
		sscanf(text, "%*d %lld", &pages) == 1)
		return pages * sysconf(_SC_PAGESIZE);
	return 0;
}
