/* Random units: each key that the engine reads takes each kind of value now and then. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

static const char *pick(struct sim *sim, const char *const *words, size_t n)
{
	return words[sim_random(sim, n)];
}
#define PICK(sim, ...)                                                                             \
	pick(sim, (const char *const[]){__VA_ARGS__},                                              \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void add_restart(struct sim *sim, struct buf *text, bool oneshot)
{
	buf_printf(text, "Restart=%s\n",
		oneshot ? PICK(sim, "no", "on-failure")
			: PICK(sim, "no", "always", "always", "on-failure", "on-failure",
				  "on-success", "on-abnormal", "on-abort", "on-watchdog"));
	buf_printf(text, "RestartSec=%s\n", PICK(sim, "0", "100ms", "1s", "3s"));
	if (sim_random(sim, 4) == 0)
		buf_printf(text, "RestartSteps=4\nRestartMaxDelaySec=10s\n");
	if (sim_random(sim, 4) == 0)
		buf_printf(text, "RestartPreventExitStatus=3 SIGKILL\n");
	if (sim_random(sim, 4) == 0 && !oneshot)
		buf_printf(text, "RestartForceExitStatus=4\n");
}

static void add_ending(struct sim *sim, struct buf *text)
{
	buf_printf(text, "KillMode=%s\n",
		PICK(sim, "control-group", "control-group", "control-group", "mixed", "process",
			"none"));
	buf_printf(text, "TimeoutStopSec=%s\n", PICK(sim, "1s", "2s", "5s"));
	if (sim_random(sim, 8) == 0)
		buf_printf(text, "SendSIGKILL=no\n");
	if (sim_random(sim, 8) == 0)
		buf_printf(text, "SendSIGHUP=yes\n");
	if (sim_random(sim, 6) == 0)
		buf_printf(text, "RuntimeMaxSec=4s\n");
}

static void add_hob(struct sim *sim, struct buf *text, const char *type)
{
	buf_printf(text, "[X-Hob]\n");
	if (sim_random(sim, 3) == 0)
		buf_printf(text, "RestartBackoff=double\nRestartJitter=10%%\nRestartResetSec=6s\n");
	if (sim_random(sim, 3) == 0)
		buf_printf(text, "RestartImmediateAfterSec=2s\n");
	if (strcmp(type, "oneshot") != 0 && sim_random(sim, 6) == 0)
		buf_printf(text, "Ready=fd:3\n");
	if (sim_random(sim, 4) == 0)
		buf_printf(text, "WritePIDFile=/run/x.pid\n");
}

static void make_text(struct sim *sim, struct buf *text)
{
	const char *type = PICK(sim, "simple", "exec", "exec", "oneshot", "notify", "notify");
	bool oneshot = strcmp(type, "oneshot") == 0;

	buf_printf(text,
		"[Unit]\nDescription=%llu\nStartLimitIntervalSec=%s\nStartLimitBurst=3\n[Service]"
		"\n",
		(unsigned long long)sim_random(sim, UINT32_MAX), PICK(sim, "0", "0", "5s", "10s"));
	buf_printf(text, "Type=%s\nExecStart=%s/bin/x\n", type, PICK(sim, "", "", "", "-"));
	for (uint64_t n = oneshot ? sim_random(sim, 3) : 0; n > 0; n--)
		buf_printf(text, "ExecStart=/bin/x\n");
	if (sim_random(sim, 6) == 0)
		buf_printf(text, "RemainAfterExit=yes\n");
	buf_printf(text, "TimeoutStartSec=%s\n", PICK(sim, "1s", "3s", "0"));
	if (sim_random(sim, 4) == 0 && !oneshot)
		buf_printf(text, "WatchdogSec=1s\n");
	buf_printf(text, "NotifyAccess=%s\n", PICK(sim, "main", "all", "exec"));
	add_restart(sim, text, oneshot);
	add_ending(sim, text);
	add_hob(sim, text, type);
}

static struct unit *make_unit(struct sim *sim, const char *name)
{
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	_cleanup_(unit_messages_done) struct unit_messages messages = {0};
	_cleanup_(buf_done) struct buf text = {0};
	struct error error = {0};
	struct unit *unit = NULL;

	make_text(sim, &text);
	if (unit_builder_new(name, &builder, &error) < 0 ||
		unit_builder_add(builder, "sim", text.data, text.size, &messages, &error) < 0 ||
		unit_builder_finish(builder, &unit, &messages, &error) < 0)
		sim_fail(sim, "unit %s: %s\n%s", name, error.text, text.data);
	sim_log(sim, "unit %s: %s", name, text.data);
	return unit;
}

bool units_make(struct sim *sim)
{
	for (int i = 0; i < N_NAMES; i++) {
		snprintf(sim->names[i], sizeof(sim->names[i]), "s%d.service", i);
		for (int j = 0; j < N_VARIANTS; j++) {
			sim->units[i][j] = make_unit(sim, sim->names[i]);
			if (!sim->units[i][j])
				return false;
		}
	}
	return true;
}

void units_free(struct sim *sim)
{
	for (int i = 0; i < N_NAMES; i++)
		for (int j = 0; j < N_VARIANTS; j++)
			unit_unref(sim->units[i][j]);
}
