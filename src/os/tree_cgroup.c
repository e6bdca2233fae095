/*
 * Trees as cgroups, version 2 (cgroups(7), Documentation/admin-guide/cgroup-v2.rst): a directory a
 *run,
 *
 *	MOUNT/OUR-OWN/hob-HASH/UNIT:RUN-ID
 *
 * below the cgroup we are in ourselves, since that is where the system's owner wants us, and where
 *a user may have been given the right to make some. Also in a hybrid hierarchy, where version 2 is
 *mounted beside version 1's and has no controllers: membership and killing need none.
 *
 * A directory has no processes but in its leaves, so hob-HASH stays empty itself. Services
 * may make cgroups below their own; listing and removing go down there, too.
 */
#include "os/tree_backend.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/cleanup.h"
#include "os/cgroup.h"
#include "os/tree_proc.h"

#define DEPTH_MAX 32	  /* of cgroups that a service made below its own */
#define UNIT_NAME_MAX 200 /* bytes of it in a directory's name; the run id makes it unique */
#define SYSTEM_RUNTIME "/run/hob"

struct cgroup {
	char *mount;   /* "/sys/fs/cgroup" */
	char *root;    /* the part of the hierarchy that is mounted there: "/", or "/docker/4711" */
	char *base;    /* below both: "/user.slice/hob-0123456789abcdef" */
	bool has_kill; /* cgroup.kill, Linux 5.14 */
};

/* ------------------------------------------------------------------ files */

/* A short file's text, NUL-terminated; its size or a negative errno. */
static ssize_t read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	else
		text[n] = '\0';
	close(fd);
	return n;
}

static int write_text(const char *path, const char *text)
{
	int r = 0;

	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int run_directory(
	const struct cgroup *cgroup, const struct tree_id *tree, char path[static PATH_MAX])
{
	char id[ID128_TEXT_SIZE];

	int n = snprintf(path, PATH_MAX, "%s%s/%.*s:%s", cgroup->mount, cgroup->base, UNIT_NAME_MAX,
		tree->unit_name, id128_render(tree->run_id, id));
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : n;
}

/* DIRECTORY/name of a run. */
static int run_file(const struct cgroup *cgroup, const struct tree_id *tree, const char *name,
	char path[static PATH_MAX])
{
	int n = run_directory(cgroup, tree, path);

	if (n < 0)
		return n;
	int m = snprintf(path + n, PATH_MAX - (size_t)n, "/%s", name);
	return m < 0 || m >= PATH_MAX - n ? -ENAMETOOLONG : n + m;
}

/* ------------------------------------------------------------------ finding our place */

static int find_base(struct cgroup *cgroup, const char *runtime)
{
	_cleanup_(freep) char *own = NULL;
	int n;

	int r = cgroup_find_mount(&cgroup->root, &cgroup->mount);
	if (r < 0)
		return r;
	r = cgroup_find_path(getpid(), &own);
	if (r < 0)
		return r;
	/* Where the mount shows another part of the hierarchy than ours, the two do not add up to a
	 * path. */
	const char *path = cgroup_below(own, cgroup->root);
	if (!path || strncmp(own, "/..", 3) == 0)
		return -ENOTSUP;
	if (strcmp(runtime, SYSTEM_RUNTIME) == 0)
		n = asprintf(&cgroup->base, "%s/hob", path);
	else
		n = asprintf(&cgroup->base, "%s/hob-%016llx", path,
			(unsigned long long)checksum64(0, runtime, strlen(runtime)));
	if (n < 0) {
		cgroup->base = NULL;
		return -ENOMEM;
	}
	return 0;
}

/*
 * Only trying tells whether a directory may be made. It must be of type "domain": below a threaded
 * cgroup it is "domain invalid" and can hold nobody.
 */
static int make_base(struct cgroup *cgroup)
{
	char path[PATH_MAX], text[64];

	int n = snprintf(path, sizeof(path), "%s%s", cgroup->mount, cgroup->base);
	if (n < 0 || n >= PATH_MAX - 32)
		return -ENAMETOOLONG;
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	strcpy(path + n, "/cgroup.procs");
	if (access(path, W_OK) < 0)
		return -errno;
	strcpy(path + n, "/cgroup.type");
	if (read_text(path, text, sizeof(text)) <= 0 || strcmp(text, "domain\n") != 0)
		return -ENOTSUP;
	strcpy(path + n, "/cgroup.kill");
	cgroup->has_kill = access(path, W_OK) == 0;
	/* So that runs have memory.current, where our own cgroup passes the controller on. */
	strcpy(path + n, "/cgroup.subtree_control");
	write_text(path, "+memory");
	return 0;
}

static void cgroup_free(void *state)
{
	struct cgroup *cgroup = state;
	char path[PATH_MAX];

	if (cgroup->base &&
		snprintf(path, sizeof(path), "%s%s", cgroup->mount, cgroup->base) < PATH_MAX)
		rmdir(path); /* stays while a run is left in it */
	free(cgroup->mount);
	free(cgroup->root);
	free(cgroup->base);
	free(cgroup);
}

int tree_cgroup_new(const char *runtime, void **ret_state)
{
	struct cgroup *cgroup = calloc(1, sizeof(*cgroup));

	if (!cgroup)
		return -ENOMEM;
	int r = find_base(cgroup, runtime);
	if (r == 0)
		r = make_base(cgroup);
	if (r < 0) {
		cgroup_free(cgroup);
		return r == -ENOMEM ? r : -ENOTSUP;
	}
	*ret_state = cgroup;
	return 0;
}

/* ------------------------------------------------------------------ making and removing */

static int cgroup_prepare(void *state, const struct tree_id *tree, char **ret_cgroup)
{
	struct cgroup *cgroup = state;
	char path[PATH_MAX];

	int r = run_directory(cgroup, tree, path);
	if (r < 0)
		return r;
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		/* Somebody may have tidied up the empty directory above. */
		if (errno != ENOENT || make_base(cgroup) < 0 || mkdir(path, 0755) < 0)
			return -errno;
	}
	*ret_cgroup = strdup(path);
	return *ret_cgroup ? 0 : -ENOMEM;
}

/*
 * Calls back for a directory and all below it, deepest first. What vanishes meanwhile is nobody's
 * loss. The first failure of the callback ends it.
 */
static int visit(
	const char *path, int depth, int (*callback)(const char *path, void *data), void *data)
{
	char below_path[PATH_MAX];
	struct stat status;
	int r = 0;

	if (depth == DEPTH_MAX)
		return -ELOOP;
	if (stat(path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	/* A link for each directory below (kernfs): nearly always there is none. */
	if (status.st_nlink == 2)
		return callback(path, data);
	DIR *directory = opendir(path);
	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *entry; r == 0 && (entry = readdir(directory));) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(below_path, sizeof(below_path), "%s/%s", path, entry->d_name) <
			PATH_MAX)
			r = visit(below_path, depth + 1, callback, data);
	}
	closedir(directory);
	return r < 0 ? r : callback(path, data);
}

static int remove_directory(const char *path, void *data)
{
	return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* rmdir(2) refuses what has processes (EBUSY), which is just what is to stay. */
static void cgroup_sweep(void *state)
{
	const struct cgroup *cgroup = state;
	char base[PATH_MAX], path[PATH_MAX];

	if (snprintf(base, sizeof(base), "%s%s", cgroup->mount, cgroup->base) >= PATH_MAX)
		return;
	DIR *directory = opendir(base);
	if (!directory)
		return;
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (entry->d_type == DT_DIR && strchr(entry->d_name, ':') &&
			snprintf(path, sizeof(path), "%s/%s", base, entry->d_name) < PATH_MAX)
			(void)visit(path, 1, remove_directory, NULL);
	}
	closedir(directory);
}

static void cgroup_release(void *state, const struct tree_id *tree)
{
	char path[PATH_MAX];

	if (run_directory(state, tree, path) < 0)
		return;
	/* Nearly always there is nothing below, and one call does it. */
	if (rmdir(path) < 0 && errno == EBUSY)
		visit(path, 0, remove_directory, NULL);
}

static void cgroup_refresh(void *state)
{
}

/* ------------------------------------------------------------------ who is in it */

/* "populated 1" of cgroup.events: 1, 0 (also when there is no such directory), or a negative errno.
 */
static int is_populated(const struct cgroup *cgroup, const struct tree_id *tree)
{
	char path[PATH_MAX], text[256];

	int r = run_file(cgroup, tree, "cgroup.events", path);
	if (r < 0)
		return r;
	ssize_t size = read_text(path, text, sizeof(text));
	if (size < 0)
		return size == -ENOENT || size == -ENODEV ? 0 : (int)size;
	return strstr(text, "populated 1") != NULL;
}

static int add_members(const char *path, void *data)
{
	char file[PATH_MAX];

	if (snprintf(file, sizeof(file), "%s/cgroup.procs", path) >= PATH_MAX)
		return 0;
	int r = pid_list_read(data, file);
	/* EOPNOTSUPP: a threaded cgroup; its processes are listed in the domain above. */
	return r == -ESRCH || r == -ENODEV || r == -EOPNOTSUPP ? 0 : r;
}

/* Nobody, where there is no such directory. */
static int members(const struct cgroup *cgroup, const struct tree_id *tree, struct pid_list *list)
{
	char path[PATH_MAX];
	int r = run_directory(cgroup, tree, path);

	return r < 0 ? r : visit(path, 0, add_members, list);
}

static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

static int cgroup_contains(void *state, const struct tree_id *tree, pid_t pid)
{
	struct cgroup *cgroup = state;
	_cleanup_(freep) char *path = NULL;
	char directory[PATH_MAX];

	int r = run_directory(cgroup, tree, directory);
	if (r < 0)
		return r;
	r = cgroup_find_path(pid, &path);
	if (r < 0)
		return r == -ENOTSUP ? 0 : r;
	const char *below_root = cgroup_below(path, cgroup->root);
	return below_root && is_below(below_root, directory + strlen(cgroup->mount));
}

static bool has_pid(const struct pid_list *list, size_t hint, pid_t pid)
{
	if (hint < list->n && list->pids[hint] == pid)
		return true;
	for (size_t i = 0; i < list->n; i++)
		if (list->pids[i] == pid)
			return true;
	return false;
}

/*
 * A number from cgroup.procs may be another process by the time its identity is read. Who is still
 * a member after that was identified as one.
 */
static int cgroup_list(void *state, const struct tree_id *tree, struct tree_process **ret_processes)
{
	_cleanup_(pid_list_done) struct pid_list before = {0}, after = {0};
	int n = 0;

	int r = members(state, tree, &before);
	if (r < 0)
		return r;
	_cleanup_(freep) struct tree_process *processes = calloc(before.n + 1, sizeof(*processes));
	if (!processes)
		return -ENOMEM;
	for (size_t i = 0; i < before.n; i++) {
		processes[n].pid = before.pids[i];
		if (process_identify(before.pids[i], &processes[n].identity) == 0)
			n++;
	}
	if (n > 0 && (r = members(state, tree, &after)) < 0)
		return r;
	int n_sure = 0;
	for (int i = 0; i < n; i++)
		if (has_pid(&after, (size_t)i, processes[i].pid))
			processes[n_sure++] = processes[i];
	*ret_processes = take(processes);
	return n_sure;
}

static int cgroup_count(void *state, const struct tree_id *tree)
{
	_cleanup_(pid_list_done) struct pid_list list = {0};
	int r = is_populated(state, tree);

	if (r <= 0)
		return r;
	r = members(state, tree, &list);
	/* Zombies are not listed (cgroups(7)); a cgroup that is populated all the same counts. */
	if (r == 0 && list.n == 0)
		return is_populated(state, tree);
	return r < 0 ? r : (int)list.n;
}

/* ------------------------------------------------------------------ the rest */

static int cgroup_kill(void *state, const struct tree_id *tree)
{
	struct cgroup *cgroup = state;
	char path[PATH_MAX];

	if (!cgroup->has_kill)
		return -ENOTSUP;
	int n = cgroup_count(cgroup, tree);
	if (n <= 0)
		return n;
	int r = run_file(cgroup, tree, "cgroup.kill", path);
	if (r >= 0)
		r = write_text(path, "1");
	return r == -ENOENT ? 0 : r < 0 ? r : n;
}

static int64_t cgroup_memory(void *state, const struct tree_id *tree)
{
	char path[PATH_MAX], text[64];

	if (run_file(state, tree, "memory.current", path) < 0 ||
		read_text(path, text, sizeof(text)) <= 0)
		return -ENOTSUP;
	return strtoll(text, NULL, 10);
}

static int cgroup_watch(void *state, const struct tree_id *tree)
{
	char path[PATH_MAX];

	int r = run_file(state, tree, "cgroup.events", path);
	if (r < 0)
		return r;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

const struct tree_backend tree_cgroup = {
	.name = "cgroup",
	.free = cgroup_free,
	.prepare = cgroup_prepare,
	.release = cgroup_release,
	.sweep = cgroup_sweep,
	.refresh = cgroup_refresh,
	.list = cgroup_list,
	.count = cgroup_count,
	.contains = cgroup_contains,
	.kill = cgroup_kill,
	.memory = cgroup_memory,
	.watch = cgroup_watch,
};
