/*
 * Trees with real processes, each test with both back ends. This process plays init: it is the
 * child subreaper, so orphans come to it. What it starts is this same program in a part (argv:
 * "play" PART), which writes its pid into a pipe when it is where the test wants it. Every player
 * has an alarm, so that nothing outlives a test that failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "os/tree.h"
#include "os/tree_proc.h"

#define REPORT_FD 9
#define BOUND_US 20000000
#define PLAYER_LIFE_S 60
#define BOMB_GENERATIONS 50
#define OUTER_TAG 2000000000 /* we are ourselves a service of another hob */

/* ------------------------------------------------------------------ the players */

static void report_pid(void)
{
	pid_t pid = getpid();

	alarm(PLAYER_LIFE_S);
	if (write(REPORT_FD, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		_exit(99);
}

static void wait_for_end(void)
{
	report_pid();
	for (;;)
		pause();
}

static void play_sleep(void)
{
	wait_for_end();
}

static void play_exit(void)
{
	report_pid();
	_exit(7);
}

/* Main, child, grandchild. */
static void play_family(void)
{
	if (fork() == 0 && fork() == 0)
		wait_for_end();
	wait_for_end();
}

/* Out of the session twice, nothing left in the environment, deaf to SIGTERM; the main process
 * ends. */
static void play_escape(void)
{
	static char *const arguments[] = {"player", "play", "deaf", NULL};
	static char *const nothing[] = {NULL};

	for (int i = 0; i < 2; i++) {
		if (fork() > 0)
			_exit(0);
		setsid();
	}
	execve("/proc/self/exe", arguments, nothing);
	_exit(98);
}

static void play_deaf(void)
{
	signal(SIGTERM, SIG_IGN);
	wait_for_end();
}

/* Leaves a process behind with the environment it was given. */
static void play_leave(void)
{
	if (fork() > 0)
		_exit(0);
	setsid();
	wait_for_end();
}

/* A chain: each forks its successor and ends, as fast as it can. */
static void play_chain(void)
{
	signal(SIGTERM, SIG_IGN);
	report_pid();
	for (int i = 0; i < BOMB_GENERATIONS; i++) {
		pid_t pid = fork();
		if (pid != 0)
			_exit(0);
		alarm(PLAYER_LIFE_S);
		if (i % 2)
			setsid();
	}
	for (;;)
		pause();
}

/* A bush: each forks, pauses a moment and stays, to the given number of generations. */
static void play_bush(void)
{
	const struct timespec moment = {.tv_nsec = 300000};

	signal(SIGTERM, SIG_IGN);
	report_pid();
	for (int i = 0; i < BOMB_GENERATIONS; i++) {
		if (fork() == 0)
			alarm(PLAYER_LIFE_S);
		else
			break;
		nanosleep(&moment, NULL);
	}
	for (;;)
		pause();
}

static void *fork_in_thread(void *data)
{
	if (fork() == 0)
		wait_for_end();
	wait_for_end();
	return NULL;
}

/* The first thread ends, a second one lives and has a child: the process looks like a zombie. */
static void play_threads(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fork_in_thread, NULL))
		_exit(96);
	pthread_exit(NULL);
}

static const struct {
	const char *name;
	void (*play)(void);
} parts[] = {
	{"sleep", play_sleep},
	{"exit", play_exit},
	{"family", play_family},
	{"escape", play_escape},
	{"deaf", play_deaf},
	{"leave", play_leave},
	{"chain", play_chain},
	{"bush", play_bush},
	{"threads", play_threads},
};

static int play(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (strcmp(parts[i].name, name) == 0)
			parts[i].play();
	return 95;
}

/* ------------------------------------------------------------------ the world */

struct world {
	struct trees *trees;
	int report[2];
	struct tree_id started[128]; /* for tidying up, also after a failure */
	size_t n_started;
};

/* A service as the supervisor knows it. */
struct actor {
	struct tree_id id;
	char *cgroup;
	pid_t pid;
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void a_moment(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static int set_up(void **state, const char *backend)
{
	char runtime[64];
	struct world *world = calloc(1, sizeof(*world));

	*state = world;
	if (!world || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || pipe2(world->report, O_CLOEXEC) < 0)
		return -1;
	if (backend)
		setenv("HOB_TREE", backend, 1);
	else
		unsetenv("HOB_TREE");
	/* Two runs of this test at once need different directories. */
	snprintf(runtime, sizeof(runtime), "/nonexistent/test_tree.%d", (int)getpid());
	return trees_new(runtime, getpid(), &world->trees, NULL);
}

static int set_up_scan(void **state)
{
	return set_up(state, "scan");
}

static int set_up_cgroup(void **state)
{
	return set_up(state, NULL);
}

static int tear_down(void **state)
{
	struct world *world = *state;
	struct pid_list children = {0};

	/* All that is left are our own children, not yet waited for: their numbers are theirs. */
	for (int i = 0; i < 1000; i++) {
		children.n = 0;
		if (tree_proc_children(getpid(), &children) < 0 || children.n == 0)
			break;
		for (size_t k = 0; k < children.n; k++)
			kill(children.pids[k], SIGKILL);
		a_moment();
		reap();
	}
	pid_list_done(&children);
	for (size_t i = 0; i < world->n_started; i++)
		tree_release(world->trees, &world->started[i]);
	trees_free(world->trees);
	close(world->report[0]);
	close(world->report[1]);
	free(world);
	return 0;
}

/* Skips where this machine lets nobody make a cgroup. */
static struct world *world_of(void **state)
{
	struct world *world = *state;

	if (!getenv("HOB_TREE") && !trees_use_cgroups(world->trees))
		skip();
	return world;
}

static void enter_cgroup(const char *path)
{
	char file[4200];

	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(94);
	close(fd);
}

static void become_player(const struct world *world, const struct actor *actor, const char *part)
{
	char *const arguments[] = {"player", "play", (char *)part, NULL};
	const struct rlimit tag = {actor->id.tag, actor->id.tag};
	char text[64] = "INVOCATION_ID=";
	char *const environment[] = {text, NULL};

	id128_render(actor->id.run_id, text + strlen(text));
	dup2(world->report[1], REPORT_FD);
	if (actor->cgroup)
		enter_cgroup(actor->cgroup);
	if (tag.rlim_cur && setrlimit(RLIMIT_LOCKS, &tag) < 0)
		_exit(93);
	execve("/proc/self/exe", arguments, environment);
	_exit(92);
}

static void start_tagged(struct world *world, struct actor *actor, const char *name,
	uint32_t number, uint64_t tag, const char *part)
{
	*actor = (struct actor){.id = {.unit_name = name, .tag = tag}};
	memset(&actor->id.run_id, 0x5a, sizeof(actor->id.run_id));
	memcpy(&actor->id.run_id, &number, sizeof(number));
	assert_true(world->n_started < ARRAY_SIZE(world->started));
	world->started[world->n_started++] = actor->id;
	assert_int_equal(tree_prepare(world->trees, &actor->id, &actor->cgroup), 0);
	assert_int_equal(actor->cgroup != NULL, trees_use_cgroups(world->trees));
	actor->pid = fork();
	assert_true(actor->pid >= 0);
	if (actor->pid == 0)
		become_player(world, actor, part);
	actor->id.main_pid = actor->pid;
}

static void start(struct world *world, struct actor *actor, const char *name, uint32_t number,
	const char *part)
{
	start_tagged(world, actor, name, number, 1000000000u + number, part);
}

/* The pid of a player who is ready. */
static pid_t await_report(struct world *world)
{
	struct pollfd fd = {.fd = world->report[0], .events = POLLIN};
	pid_t pid;

	assert_int_equal(poll(&fd, 1, BOUND_US / 1000), 1);
	assert_int_equal(read(world->report[0], &pid, sizeof(pid)), sizeof(pid));
	return pid;
}

/* As init and supervisor do it: the main process is reaped, then known to be dead. */
static void await_main_end(struct actor *actor)
{
	assert_int_equal(waitpid(actor->pid, NULL, 0), actor->pid);
	actor->id.main_pid = 0;
}

static void assert_count_becomes(struct world *world, const struct actor *actor, int wanted)
{
	uint64_t until_us = now_us() + BOUND_US;
	int n;

	for (;;) {
		reap();
		trees_refresh(world->trees);
		n = tree_count(world->trees, &actor->id);
		if (n == wanted || now_us() > until_us)
			break;
		a_moment();
	}
	assert_int_equal(n, wanted);
}

/* Kills in rounds, as the supervisor does. */
static void kill_all(struct world *world, const struct actor *actor)
{
	uint64_t until_us = now_us() + TREE_KILL_BOUND_US;

	do {
		trees_refresh(world->trees);
		assert_true(tree_kill_round(world->trees, &actor->id) >= 0);
		reap();
		trees_refresh(world->trees);
	} while (tree_count(world->trees, &actor->id) != 0 && now_us() < until_us);
	assert_int_equal(tree_count(world->trees, &actor->id), 0);
}

/* As a zombie it is ours to reap. */
static void assert_gone(pid_t pid)
{
	uint64_t until_us = now_us() + BOUND_US;

	do
		reap();
	while (kill(pid, 0) == 0 && now_us() < until_us);
	assert_int_equal(kill(pid, 0), -1);
}

static void finish(struct world *world, struct actor *actor)
{
	tree_release(world->trees, &actor->id);
	if (actor->cgroup)
		assert_int_equal(access(actor->cgroup, F_OK), -1);
	free(actor->cgroup);
}

/* ------------------------------------------------------------------ the tests */

static void test_family(void **state)
{
	struct world *world = world_of(state);
	_cleanup_(freep) struct tree_process *processes = NULL;
	struct actor web;
	pid_t pids[3];

	start(world, &web, "web.service", 1, "family");
	for (int i = 0; i < 3; i++)
		pids[i] = await_report(world);
	trees_refresh(world->trees);
	assert_int_equal(tree_count(world->trees, &web.id), 3);
	assert_int_equal(tree_list(world->trees, &web.id, &processes), 3);
	for (int i = 0; i < 3; i++) {
		int pidfd = process_open(processes[i].pid, &processes[i].identity);
		assert_true(pidfd >= 0);
		close(pidfd);
		assert_int_equal(tree_contains(world->trees, &web.id, pids[i]), 1);
	}
	assert_int_equal(tree_contains(world->trees, &web.id, getpid()), 0);
	assert_int_equal(tree_contains(world->trees, &web.id, 1), 0);
	assert_int_equal(tree_contains(world->trees, &web.id, 0), -ESRCH);
	assert_true(tree_memory(world->trees, &web.id) > 0);

	/* A stop signal to all but the main process; SIGCONT comes with it, so a stopped one ends
	 * too. */
	kill(pids[2], SIGSTOP);
	assert_int_equal(tree_signal(world->trees, &web.id, SIGTERM, web.pid), 2);
	assert_count_becomes(world, &web, 1);
	assert_int_equal(tree_signal(world->trees, &web.id, SIGTERM, 0), 1);
	await_main_end(&web);
	assert_count_becomes(world, &web, 0);
	assert_int_equal(tree_signal(world->trees, &web.id, SIGTERM, 0), 0);
	finish(world, &web);
}

static void test_escape(void **state)
{
	struct world *world = world_of(state);
	struct actor web;

	start(world, &web, "web.service", 1, "escape");
	pid_t left = await_report(world);
	await_main_end(&web);
	assert_count_becomes(world, &web, 1); /* those in between may be about to end */
	assert_int_equal(tree_contains(world->trees, &web.id, left), 1);
	assert_int_equal(tree_signal(world->trees, &web.id, SIGTERM, 0), 1);
	assert_int_equal(kill(left, 0), 0);
	kill_all(world, &web);
	assert_gone(left);
	finish(world, &web);
}

/*
 * Without a tag of its own, as where pam_limits(8) took it away, or another hob's is in force: the
 * run id in the environment is left.
 */
static void test_untagged(void **state)
{
	struct world *world = world_of(state);
	struct actor web;

	start_tagged(world, &web, "web.service", 1, 0, "leave");
	pid_t left = await_report(world);
	await_main_end(&web);
	assert_int_equal(tree_proc_tag(left), OUTER_TAG);
	web.id.tag = 1000000001;
	assert_count_becomes(world, &web, 1);
	assert_int_equal(tree_contains(world->trees, &web.id, left), 1);
	kill_all(world, &web);
	finish(world, &web);
}

static void test_two_services(void **state)
{
	struct world *world = world_of(state);
	struct actor web, mail;

	start(world, &web, "web.service", 1, "escape");
	pid_t of_web = await_report(world);
	start(world, &mail, "mail.service", 2, "escape");
	pid_t of_mail = await_report(world);
	await_main_end(&web);
	await_main_end(&mail);
	trees_refresh(world->trees);
	assert_int_equal(tree_contains(world->trees, &web.id, of_mail), 0);
	assert_int_equal(tree_contains(world->trees, &mail.id, of_mail), 1);
	assert_int_equal(tree_contains(world->trees, &mail.id, of_web), 0);
	kill_all(world, &web);
	assert_count_becomes(world, &mail, 1);
	assert_int_equal(kill(of_mail, 0), 0);
	kill_all(world, &mail);
	finish(world, &web);
	finish(world, &mail);
}

static void test_zombie(void **state)
{
	struct world *world = world_of(state);
	struct actor web;
	siginfo_t info;

	start(world, &web, "web.service", 1, "exit");
	await_report(world);
	assert_int_equal(waitid(P_PID, (id_t)web.pid, &info, WEXITED | WNOWAIT), 0);
	trees_refresh(world->trees);
	assert_int_equal(tree_count(world->trees, &web.id), 0);
	await_main_end(&web);
	finish(world, &web);
}

/* None was overlooked: whoever lives on with its ancestors gone is our child. Zombies pass. */
static void assert_nobody_left(void)
{
	uint64_t until_us = now_us() + BOUND_US;
	struct pid_list children = {0};
	bool is_alive = false;

	do {
		struct process_stat stat;
		reap();
		children.n = 0;
		assert_int_equal(tree_proc_children(getpid(), &children), 0);
		for (size_t i = 0; i < children.n; i++)
			is_alive = is_alive || tree_proc_alive(children.pids[i], &stat) > 0;
	} while (!is_alive && children.n > 0 && now_us() < until_us);
	assert_false(is_alive);
	assert_int_equal(children.n, 0);
	pid_list_done(&children);
}

static void run_bomb(struct world *world, const char *part)
{
	/* Many times, since it is a race; each time killed at another moment. */
	for (uint32_t i = 0; i < 15; i++) {
		struct actor bomb;
		start(world, &bomb, "bomb.service", i + 1, part);
		await_report(world);
		nanosleep(&(struct timespec){.tv_nsec = (long)i * 400000}, NULL);
		kill_all(world, &bomb);
		assert_nobody_left();
		finish(world, &bomb);
	}
}

static void test_chain(void **state)
{
	run_bomb(world_of(state), "chain");
}

static void test_bush(void **state)
{
	run_bomb(world_of(state), "bush");
}

static void test_threads(void **state)
{
	struct world *world = world_of(state);
	struct actor web;

	start(world, &web, "web.service", 1, "threads");
	await_report(world);
	await_report(world);
	assert_count_becomes(world, &web, 2);
	kill_all(world, &web);
	finish(world, &web);
}

/* One lives on while hundreds of its neighbours end: a list read meanwhile must never miss it. */
static void test_crowd(void **state)
{
	struct world *world = world_of(state);
	struct actor crowd[100], web;

	for (uint32_t i = 0; i < 50; i++)
		start(world, &crowd[i], "crowd.service", 100 + i, "sleep");
	start(world, &web, "web.service", 1, "escape");
	for (uint32_t i = 50; i < ARRAY_SIZE(crowd); i++)
		start(world, &crowd[i], "crowd.service", 100 + i, "sleep");
	for (size_t i = 0; i < ARRAY_SIZE(crowd) + 1; i++)
		await_report(world);
	await_main_end(&web);
	assert_count_becomes(world, &web, 1);
	for (size_t i = 0; i < ARRAY_SIZE(crowd); i++) {
		kill(crowd[i].pid, SIGKILL);
		reap();
		trees_refresh(world->trees);
		assert_int_equal(tree_count(world->trees, &web.id), 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(crowd); i++) {
		crowd[i].id.main_pid = 0;
		assert_count_becomes(world, &crowd[i], 0);
		finish(world, &crowd[i]);
	}
	kill_all(world, &web);
	finish(world, &web);
}

/* What was read before the main process ended does not prove that it left nothing behind. */
static void test_stale_list(void **state)
{
	struct world *world = world_of(state);
	struct actor other, web;

	start(world, &other, "other.service", 2, "sleep");
	await_report(world);
	start(world, &web, "web.service", 1, "escape");
	trees_refresh(world->trees);
	assert_int_equal(tree_count(world->trees, &other.id), 1);
	await_report(world);
	await_main_end(&web);
	/* No refresh here. */
	assert_true(tree_count(world->trees, &web.id) >= 1);
	kill_all(world, &web);
	kill_all(world, &other);
	finish(world, &web);
	finish(world, &other);
}

static volatile sig_atomic_t was_signalled;

static void on_signal(int signo)
{
	was_signalled = 1;
}

static void test_never_ourselves(void **state)
{
	struct world *world = world_of(state);
	struct tree_id us = {.unit_name = "us.service", .tag = 1000000001, .main_pid = getpid()};

	signal(SIGUSR1, on_signal);
	tree_signal(world->trees, &us, SIGUSR1, 0);
	tree_signal(world->trees, &us, SIGUSR1, 1);
	assert_false(was_signalled);
	signal(SIGUSR1, SIG_DFL);
}

static void test_watch(void **state)
{
	struct world *world = world_of(state);
	struct actor web;

	start(world, &web, "web.service", 1, "escape");
	await_report(world);
	await_main_end(&web);
	int fd = tree_watch(world->trees, &web.id);
	if (!trees_use_cgroups(world->trees)) {
		assert_int_equal(fd, -ENOTSUP);
	} else {
		struct pollfd poll_fd = {.fd = fd, .events = POLLPRI};
		char text[256];
		assert_true(fd >= 0);
		assert_true(pread(fd, text, sizeof(text), 0) > 0);
		assert_int_equal(poll(&poll_fd, 1, 0), 0);
		assert_true(tree_kill_round(world->trees, &web.id) >= 0);
		assert_int_equal(poll(&poll_fd, 1, BOUND_US / 1000), 1);
		close(fd);
	}
	kill_all(world, &web);
	finish(world, &web);
}

/* The way round for kernels that list no children must see what those lists show. */
static void test_kinship(void **state)
{
	struct world *world = world_of(state);
	struct pid_list by_list = {0}, by_kinship = {0};
	struct kinship kinship = {0};
	struct actor actors[3];

	for (uint32_t i = 0; i < ARRAY_SIZE(actors); i++) {
		start(world, &actors[i], "web.service", i + 1, "family");
		for (int k = 0; k < 3; k++)
			await_report(world);
	}
	assert_int_equal(kinship_read(&kinship), 0);
	assert_int_equal(kinship_children(&kinship, getpid(), &by_kinship), 0);
	assert_int_equal(by_kinship.n, 3);
	if (tree_proc_lists_children()) {
		assert_int_equal(tree_proc_children(getpid(), &by_list), 0);
		assert_int_equal(by_list.n, 3);
	}
	for (size_t i = 0; i < by_list.n; i++)
		assert_int_equal(by_list.pids[i], actors[i].pid);
	by_kinship.n = 0;
	assert_int_equal(kinship_children(&kinship, actors[1].pid, &by_kinship), 0);
	assert_int_equal(by_kinship.n, 1);
	pid_list_done(&by_list);
	pid_list_done(&by_kinship);
	kinship_done(&kinship);
	for (size_t i = 0; i < ARRAY_SIZE(actors); i++) {
		kill_all(world, &actors[i]);
		finish(world, &actors[i]);
	}
}

#define WITH_BOTH(test)                                                                            \
	{"scan: " #test, test, set_up_scan, tear_down, NULL},                                      \
	{                                                                                          \
		"cgroup: " #test, test, set_up_cgroup, tear_down, NULL                             \
	}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_BOTH(test_family),
		WITH_BOTH(test_escape),
		WITH_BOTH(test_untagged),
		WITH_BOTH(test_two_services),
		WITH_BOTH(test_zombie),
		WITH_BOTH(test_chain),
		WITH_BOTH(test_bush),
		WITH_BOTH(test_threads),
		WITH_BOTH(test_crowd),
		WITH_BOTH(test_stale_list),
		WITH_BOTH(test_never_ourselves),
		WITH_BOTH(test_watch),
		WITH_BOTH(test_kinship),
	};

	if (argc == 3 && strcmp(argv[1], "play") == 0)
		return play(argv[2]);
	if (setrlimit(RLIMIT_LOCKS, &(struct rlimit){OUTER_TAG, OUTER_TAG}) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
