"""Restarts: the Restart= table, delays, giving up (issue section 3, UNITS.md 6.6)."""
import os
import signal

import pytest

from hoblib import *

# How the run ends, and which values of --restart start it again.
ENDS = {
    "exit 0": (["exit:0"], {"always", "on-success"}),
    "SIGTERM of its own": (["kill:15"], {"always", "on-success"}),
    "exit 1": (["exit:1"], {"always", "on-failure"}),
    "SIGKILL": (["kill:9"], {"always", "on-failure", "on-abnormal"}),
    "SIGSEGV": (["kill:11"], {"always", "on-failure", "on-abnormal"}),
}


@pytest.mark.parametrize("policy", ["no", "on-failure", "always", "on-success", "on-abnormal"])
def test_table(hob, actor, policy):
    """Five services at once, one a way to end."""
    for i, (steps, _) in enumerate(ENDS.values()):
        hob.up(f"s{i}", actor, "sleep:30", *steps, options=["--restart", policy, "--restart-delay", "60s", "--limit", "core=0"])
    for i, (end, (_, restarts)) in enumerate(ENDS.items()):
        if policy in restarts:
            s = hob.wait_state(f"s{i}", "activating/auto-restart")
        else:
            s = hob.wait_state(f"s{i}", "inactive", "failed")
            assert s["state"] == ("inactive" if i < 2 else "failed"), end


def starts(path):
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_default_delays_double(hob, actor, tmp):
    hob.up("web", actor, f"clock:{tmp}/starts", "sleep:20", "exit:1")
    wait_until(lambda: len(starts(tmp / "starts")) >= 4, 30)
    hob.run("stop", "web", check=0)
    times = starts(tmp / "starts")
    gaps = [(b - a) / 1e3 - 20 for a, b in zip(times, times[1:4])]
    for gap, wanted in zip(gaps, (100, 200, 400)):
        assert wanted * 0.9 - 1 <= gap <= wanted * 1.1 + 150, gaps


def test_default_first_restart_is_immediate_after_a_healthy_run(hob, actor, tmp):
    """Ten seconds by default; shortened here by the same key."""
    hob.up("web", actor, f"clock:{tmp}/starts", "pause", options=["-p", "RestartImmediateAfterSec=300ms", "-p", "RestartSec=30s"])
    s = hob.status("web")
    wait_until(lambda: len(starts(tmp / "starts")) == 1)
    stays_true(lambda: hob.pid("web") == s["main_pid"], 0.35)
    os.kill(s["main_pid"], signal.SIGKILL)
    wait_until(lambda: len(starts(tmp / "starts")) == 2, 5, "an immediate restart")


def test_the_default_keys_are_those(hob, actor):
    hob.up("web", actor, "pause")
    text = hob.run("cat", "web").stdout.replace("sec", "s").replace("1min", "60s").replace("1m\n", "60s\n")
    for line in ("Restart=on-failure", "RestartSec=100ms", "RestartMaxDelaySec=30s", "RestartBackoff=double", "RestartJitter=10%",
                 "RestartImmediateAfterSec=10s", "RestartResetSec=60s"):
        assert line in text, line


@pytest.mark.parametrize("delay, least, most", [("0", 0, 200), ("150ms", 150, 600)])
def test_restart_delay_is_the_same_each_time(hob, actor, tmp, delay, least, most):
    hob.up("web", actor, f"clock:{tmp}/starts", "sleep:20", "exit:1", options=["--restart-delay", delay])
    wait_until(lambda: len(starts(tmp / "starts")) >= 5, 30)
    hob.run("stop", "web", check=0)
    times = starts(tmp / "starts")
    gaps = sorted((b - a) / 1e3 - 20 for a, b in zip(times, times[1:]))
    assert gaps[0] >= least - 1 and gaps[len(gaps) // 2] <= most, gaps


def test_n_restarts_counts_and_a_persons_start_resets(hob, actor, tmp):
    hob.up("web", actor, "sleep:10", "exit:1", options=["--restart-delay", "0"])
    wait_until(lambda: hob.status("web")["n_restarts"] >= 3)
    hob.run("stop", "web", check=0)
    hob.run("start", "--settle", "0", "web")
    assert hob.status("web")["n_restarts"] < 3
    hob.run("stop", "web")


def test_killed_again_and_again(hob, actor, tmp):
    """Each time a new pid, never two, and quickly."""
    hob.up("web", actor, f"single:{tmp}/lock:{tmp}/twice", "pause", options=["--restart-delay", "0"])
    for i in range(25):
        pid = wait_until(lambda: (s := hob.status("web"))["sub"] == "running" and s["main_pid"])
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: hob.pid("web") not in (pid, 0, None))
    assert not (tmp / "twice").exists()
    assert hob.status("web")["n_restarts"] == 25


def test_give_up(hob, actor, tmp):
    hob.up("web", actor, f"clock:{tmp}/starts", "sleep:10", "exit:1", options=["--restart-delay", "0", "--give-up", "4/60s"])
    s = hob.wait_state("web", "failed")
    assert len(starts(tmp / "starts")) == 4
    assert s["gave_up"]


def test_it_does_not_give_up_unless_told(hob, actor, tmp):
    hob.up("web", actor, f"clock:{tmp}/starts", "sleep:5", "exit:1", options=["--restart-delay", "0"])
    wait_until(lambda: len(starts(tmp / "starts")) >= 15, 30)
    assert hob.status("web")["wanted"] == "up"


def test_exit_status_lists(hob, actor):
    hob.up("a", actor, "sleep:20", "exit:5", options=["-p", "SuccessExitStatus=5", "--restart", "on-failure"])
    hob.up("b", actor, "sleep:20", "exit:6", options=["-p", "RestartPreventExitStatus=6", "--restart", "always"])
    hob.up("c", actor, "sleep:20", "exit:7", options=["-p", "RestartForceExitStatus=7", "--restart", "no", "--restart-delay", "60s"])
    hob.wait_state("a", "inactive")
    hob.wait_state("b", "failed")
    hob.wait_state("c", "activating/auto-restart")


def test_runtime_max(hob, actor):
    hob.up("web", actor, "pause", options=["-p", "RuntimeMaxSec=200ms", "--restart", "no"])
    assert hob.wait_state("web", "failed")["result"] == "timeout"


def test_a_missing_directory_is_retried_by_policy(hob, actor, tmp):
    """A restart that fails in a set-up step is a failed run, not the end."""
    away = tmp / "away"
    away.mkdir()
    pid = hob.up("web", actor, "pause", options=["--chdir", away, "--restart-delay", "50ms"])
    away.rmdir()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: hob.status("web")["n_restarts"] >= 2)
    away.mkdir()
    hob.wait_state("web", "active/running")
