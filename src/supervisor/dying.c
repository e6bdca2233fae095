/*
 * A process killed while it sleeps has SIGKILL in ShdPnd of /proc/PID/status (proc(5)) until it
 * runs and dies; then it is a zombie until init has buried it. Neither lasts long, so it is looked
 * again every 2 ms, at most for 200 ms: a process in uninterruptible sleep may take its time.
 */
#include "supervisor/dying.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US 2000
#define LOOKS_MAX 100

struct question {
	struct timer timer;
	uint64_t call_number;
	unsigned n_looks;
	uint64_t token;
	dying_answer answer;
	char unit_name[UNIT_NAME_MAX + 1];
};

static bool is_dying(pid_t pid)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true; /* buried: the bell is on its way */
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return true;
	text[n] = '\0';
	const char *state = strstr(text, "\nState:\t");
	const char *pending = strstr(text, "\nShdPnd:\t");
	uint64_t signals = pending ? strtoull(pending + strlen("\nShdPnd:\t"), NULL, 16) : 0;
	char letter = state ? state[strlen("\nState:\t")] : 'R';
	return letter == 'Z' || letter == 'X' || (signals & UINT64_C(1) << (SIGKILL - 1)) != 0;
}

static bool must_wait(const struct service *service)
{
	return service->token != 0 && service->main_pid > 0 && is_dying(service->main_pid);
}

static void look_again(struct driver *driver, struct timer *timer)
{
	struct question *question = (struct question *)timer; /* its first member */
	struct call *call = call_find(driver, question->call_number);
	struct service *service = engine_find(driver->engine, question->unit_name);

	if (call && service && service->token == question->token &&
		++question->n_looks < LOOKS_MAX && must_wait(service)) {
		timer_set(driver, timer, driver_now_us(driver) + LOOK_US);
		return;
	}
	if (call && service)
		question->answer(driver, call, service);
	else if (call)
		call_answer(driver, call, json_object());
	free(question);
}

void dying_wait(
	struct driver *driver, struct call *call, struct service *service, dying_answer answer)
{
	struct question *question = must_wait(service) && call_number(driver, call)
					    ? calloc(1, sizeof(*question))
					    : NULL;

	if (!question) {
		answer(driver, call, service);
		return;
	}
	question->timer.fire = look_again;
	question->call_number = call->number;
	question->token = service->token;
	question->answer = answer;
	snprintf(question->unit_name, sizeof(question->unit_name), "%s", service->name);
	timer_set(driver, &question->timer, driver_now_us(driver) + LOOK_US);
}
