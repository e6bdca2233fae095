/* One function for each kind of entry that has something to say beyond its name. */
#include "supervisor/sentence.h"

#include <string.h>

#include "base/signame.h"
#include "base/span.h"
#include "os/clock.h"
#include "os/spec.h"

static void append_exit(struct buf *buf, const struct exit_info *exit)
{
	char name[SIGNAME_TEXT_SIZE];

	switch (exit->kind) {
	case EXIT_KIND_EXITED:
		buf_printf(buf, "exited with status %d", exit->code);
		break;
	case EXIT_KIND_KILLED:
		buf_printf(buf, "killed by %s", signame_render(exit->code, name));
		break;
	case EXIT_KIND_DUMPED:
		buf_printf(buf, "killed by %s, core dumped", signame_render(exit->code, name));
		break;
	case EXIT_KIND_STEP:
		buf_printf(buf, "could not be run: %s: %s",
			child_step_name((enum child_step)exit->step), strerror(exit->error));
		break;
	case EXIT_KIND_UNKNOWN:
		buf_append_string(buf, "gone, nobody saw how it ended");
		break;
	case EXIT_KIND_NONE:
		buf_append_string(buf, "has not ended");
		break;
	}
}

static void append_started(struct buf *buf, const struct service *service)
{
	buf_printf(buf, "started, pid %d", (int)service->main_pid);
}

static void append_ready(struct buf *buf, const struct service *service)
{
	buf_append_string(buf, "ready after ");
	span_render_human(buf, service->run.ready_us - service->run.started_us);
}

static void append_exited(struct buf *buf, const struct service *service)
{
	append_exit(buf, &service->run.exit);
	if (service->run.started_us == 0)
		return;
	buf_append_string(buf, " after ");
	span_render_human(buf, clock_monotonic_us() - service->run.started_us);
}

static void append_failed(struct buf *buf, const struct service *service)
{
	buf_printf(buf, "failed (%s): ", service_result_name(service->result));
	append_exit(buf, &service->run.exit);
}

static void append_restart(struct buf *buf, const struct service *service)
{
	uint64_t now_us = clock_monotonic_us();

	buf_append_string(buf, "restart in ");
	span_render_human(
		buf, service->restart_at_us > now_us ? service->restart_at_us - now_us : 0);
	buf_printf(buf, ", number %u", service->n_restarts + 1);
}

static void append_gave_up(struct buf *buf, const struct service *service)
{
	buf_printf(buf, "given up after %u restarts: started too often", service->n_restarts);
}

static void append_status(struct buf *buf, const struct service *service)
{
	buf_append_string(buf, service->status_text);
}

static void append_killed_rest(struct buf *buf, const struct service *service)
{
	buf_printf(buf, "its main process has ended; %u processes it left behind are ended",
		service->run.n_left);
}

typedef void (*append_function)(struct buf *buf, const struct service *service);

static const append_function functions[N_LOG_TYPES] = {
	[LOG_STARTED] = append_started,
	[LOG_READY] = append_ready,
	[LOG_EXITED] = append_exited,
	[LOG_FAILED] = append_failed,
	[LOG_RESTART_SCHEDULED] = append_restart,
	[LOG_GAVE_UP] = append_gave_up,
	[LOG_STATUS] = append_status,
	[LOG_KILLED_REST] = append_killed_rest,
};

static const char *const texts[N_LOG_TYPES] = {
	[LOG_STARTING] = "is being started",
	[LOG_STOPPING] = "is being stopped",
	[LOG_STOPPED] = "stopped",
	[LOG_RELOADED] = "was told to reload",
	[LOG_UNKILLABLE] = "has processes that cannot be killed",
	[LOG_FORGOTTEN] = "was forgotten",
	[LOG_WATCHDOG] = "did not report within its watchdog time",
	[LOG_TIMEOUT] = "took too long",
	[LOG_RESTORED] = "the supervisor goes on with what the records say",
	[LOG_LATE] = "the supervisor was held up; time-outs are extended",
	[LOG_SHUTDOWN] = "everything is being stopped",
	[LOG_NOTIFY_REFUSED] = "a notify message from a process that may not send one was refused",
};

int sentence_append(struct buf *buf, const struct effect *effect)
{
	if (effect->text)
		return buf_append_string(buf, effect->text);
	if (effect->log == LOG_REQUEST)
		return buf_printf(buf, "%s was asked for", verb_name(effect->verb));
	if (effect->service && functions[effect->log])
		functions[effect->log](buf, effect->service);
	else if (texts[effect->log])
		buf_append_string(buf, texts[effect->log]);
	return buf_status(buf);
}
