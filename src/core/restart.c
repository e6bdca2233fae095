/*
 * Whether a run is followed by another one, and when. Pure arithmetic over a service.
 *
 * Two kinds of delay stand side by side: systemd's (RestartSec=, with RestartSteps= and
 * RestartMaxDelaySec= growing by a power) and hob's (RestartBackoff=double). In both a long run is
 * forgiven: RestartImmediateAfterSec= lets the next one start at once, RestartResetSec= of health
 * takes the back-off to its beginning.
 */
#include "core/private.h"

#include "base/span.h"

#define BACKOFF_DOUBLE 1 /* the second word of VALUE_BACKOFF (unit/key.h) */
#define N_POLICIES (RESTART_ALWAYS + 1)
#define BACKOFF_STEP_MAX UINT16_MAX
#define LIMIT_COUNT_MAX UINT16_MAX

/*
 * systemd.service(5), the table at Restart=: by the run's result, the policies under which it is
 * followed by another one. A start limit that was hit and processes that cannot be killed never
 * are.
 */
#define WHEN(policy) (1u << (policy))
#define ON_ABNORMAL (WHEN(RESTART_ALWAYS) | WHEN(RESTART_ON_FAILURE) | WHEN(RESTART_ON_ABNORMAL))
static const unsigned restarts[N_RESULTS] = {
	[RESULT_SUCCESS] = WHEN(RESTART_ALWAYS) | WHEN(RESTART_ON_SUCCESS),
	[RESULT_EXIT_CODE] = WHEN(RESTART_ALWAYS) | WHEN(RESTART_ON_FAILURE),
	[RESULT_SIGNAL] = ON_ABNORMAL | WHEN(RESTART_ON_ABORT),
	[RESULT_CORE_DUMP] = ON_ABNORMAL | WHEN(RESTART_ON_ABORT),
	[RESULT_WATCHDOG] = ON_ABNORMAL | WHEN(RESTART_ON_WATCHDOG),
	[RESULT_TIMEOUT] = ON_ABNORMAL,
	[RESULT_OOM_KILL] = ON_ABNORMAL,
	[RESULT_PROTOCOL] = ON_ABNORMAL,
	[RESULT_RESOURCES] = ON_ABNORMAL,
	[RESULT_START_LIMIT] = 0,
	[RESULT_UNKILLABLE] = 0,
};

static bool exit_in_set(const struct unit *unit, enum unit_key key, const struct exit_info *exit)
{
	switch (exit->kind) {
	case EXIT_KIND_EXITED:
	case EXIT_KIND_STEP:
		return unit_exit_set_has(unit, key, false, exit->code);
	case EXIT_KIND_KILLED:
	case EXIT_KIND_DUMPED:
		return unit_exit_set_has(unit, key, true, exit->code);
	default:
		return false;
	}
}

bool restart_wanted(const struct service *service)
{
	const struct exit_info *exit = &service->run.exit;

	if (!service->wanted_up || service->run.stopped || service->private->shutdown)
		return false;
	if (exit_in_set(service->unit, UNIT_RESTART_PREVENT_EXIT_STATUS, exit))
		return false;
	if (exit_in_set(service->unit, UNIT_RESTART_FORCE_EXIT_STATUS, exit))
		return true;
	uint64_t policy = unit_u64(service->unit, UNIT_RESTART);
	return policy < N_POLICIES && (restarts[service->result] & WHEN(policy));
}

static double square_root(double x)
{
	double root = x > 1 ? x : 1;

	for (int i = 0; i < 2000; i++) {
		double next = (root + x / root) / 2;
		if (next >= root)
			break;
		root = next;
	}
	return root;
}

/*
 * base^(n/d) for base >= 1 and 0 <= n <= d: a square root a binary digit of n/d. libm's pow() would
 * be the only thing core needs beyond string.h.
 */
static double power(double base, uint64_t n, uint64_t d)
{
	double result = 1, root = base, rest = (double)n / (double)d;

	if (n >= d)
		return base;
	for (int digit = 0; digit < 40 && rest > 0; digit++) {
		root = square_root(root);
		rest *= 2;
		if (rest >= 1) {
			result *= root;
			rest -= 1;
		}
	}
	return result;
}

/* systemd.service(5), RestartSteps=: from RestartSec= to RestartMaxDelaySec= in n steps. */
static uint64_t stepped_delay(uint64_t first_us, uint64_t last_us, uint64_t step, uint64_t n_steps)
{
	if (first_us == 0 || last_us <= first_us || step >= n_steps)
		return step >= n_steps && last_us > first_us ? last_us : first_us;
	return (uint64_t)((double)first_us *
				  power((double)last_us / (double)first_us, step, n_steps) +
			  0.5);
}

static uint64_t doubled_delay(uint64_t first_us, uint64_t last_us, uint64_t step)
{
	uint64_t delay_us = first_us;

	for (; step > 0 && delay_us < last_us && delay_us <= UINT64_MAX / 2 && delay_us > 0; step--)
		delay_us *= 2;
	return delay_us < last_us ? delay_us : last_us;
}

static uint64_t base_delay(const struct unit *unit, uint64_t step)
{
	uint64_t first_us = unit_u64(unit, UNIT_RESTART_SEC);
	uint64_t last_us = unit_u64(unit, UNIT_RESTART_MAX_DELAY_SEC);
	uint64_t n_steps = unit_u64(unit, UNIT_RESTART_STEPS);

	if (unit_u64(unit, UNIT_X_BACKOFF) == BACKOFF_DOUBLE)
		return doubled_delay(first_us, last_us, step);
	/* systemd: both are needed, else the delay is constant */
	if (n_steps > 0 && last_us != SPAN_INFINITY)
		return stepped_delay(first_us, last_us, step, n_steps);
	return first_us;
}

/* Up to percent of it more or less. */
static uint64_t jittered(uint64_t delay_us, uint64_t percent, uint64_t random)
{
	uint64_t width = delay_us / 100 * percent + delay_us % 100 * percent / 100;

	if (width == 0 || delay_us > UINT64_MAX / 4)
		return delay_us;
	return delay_us - width + random % (2 * width + 1);
}

uint64_t restart_delay(struct service *service, uint64_t random)
{
	struct service_private *p = service->private;
	uint64_t end_us = p->main_exited_us, run_us = end_us - service->run.started_us;
	uint64_t healthy_us = service->run.ready_us > 0 ? end_us - service->run.ready_us : 0;

	if (service->run.ready_us > 0 && healthy_us >= unit_u64(service->unit, UNIT_X_RESET))
		p->backoff_step = 0;
	if (run_us >= unit_u64(service->unit, UNIT_X_IMMEDIATE))
		return 0;
	uint64_t delay_us = base_delay(service->unit, p->backoff_step);
	if (p->backoff_step < BACKOFF_STEP_MAX)
		p->backoff_step++;
	if (delay_us == SPAN_INFINITY)
		return delay_us;
	return jittered(delay_us, unit_u64(service->unit, UNIT_X_JITTER), random);
}

bool restart_count_start(struct service *service, uint64_t at_us)
{
	struct service_private *p = service->private;
	uint64_t interval_us = unit_u64(service->unit, UNIT_START_LIMIT_INTERVAL);
	uint64_t burst = unit_u64(service->unit, UNIT_START_LIMIT_BURST);

	if (p->limit_count == 0 || at_us < p->limit_begin_us ||
		at_us - p->limit_begin_us > interval_us) {
		p->limit_begin_us = at_us;
		p->limit_count = 0;
	}
	bool limited = interval_us > 0 && burst > 0 && p->limit_count >= burst;
	if (!limited && p->limit_count < LIMIT_COUNT_MAX)
		p->limit_count++;
	return !limited;
}

void restart_forgive(struct service *service)
{
	struct service_private *p = service->private;

	p->backoff_step = 0;
	p->limit_count = 0;
	p->limit_begin_us = 0;
	service->n_restarts = 0;
	service->gave_up = false;
}
