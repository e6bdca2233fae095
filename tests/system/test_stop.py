"""`hob stop` ends the whole tree, whatever it does (issue section 5). With both back ends of the tree."""
import contextlib
import os
import re
import signal
import subprocess
import time

import pytest

from hoblib import *

TREES = {
    "plain child": ["group"],
    "setsid twice": ["away"],
    "empty environment": ["clear"],
    "ignores SIGTERM": ["ignore"],
    "forks while it is killed": ["hop"],
    "forks when it is told to stop": ["late"],
    "all at once": ["ignore", "group", "away", "clear", "hop", "late"],
}


@pytest.mark.parametrize("flags", TREES.values(), ids=TREES.keys())
def test_whole_tree(any_hob, program, marker, flags):
    any_hob.up("web", program("stubborn"), marker, *flags, options=["--stop-timeout", "300ms"])
    wait_until(lambda: any_hob.log("web") == b"ready\n", what="the tree")
    assert marked(marker)
    any_hob.run("stop", "web", check=0)
    assert marked(marker) == []
    s = any_hob.status("web")
    assert s["state"] in ("inactive", "failed") and s["n_processes"] == 0


def test_the_tree_dies_with_its_main_process(any_hob, program, marker):
    """The main process ends by itself: what it leaves is ended before the next run, which then is alone."""
    any_hob.up("web", program("stubborn"), marker, "away", "clear", options=["--restart", "no", "--stop-timeout", "300ms"])
    wait_until(lambda: any_hob.log("web") == b"ready\n")
    os.kill(any_hob.pid("web"), signal.SIGKILL)
    any_hob.wait_state("web", "failed")
    wait_until(lambda: marked(marker) == [], what="the rest to end")


def test_neighbours_are_left_alone(any_hob, program, actor, marker):
    other = any_hob.up("other", actor, "pause")
    any_hob.up("web", program("stubborn"), marker, "away", "clear", options=["--stop-timeout", "200ms"])
    wait_until(lambda: any_hob.log("web") == b"ready\n")
    any_hob.run("stop", "web", check=0)
    assert any_hob.pid("other") == other and alive(other)


def test_restart_ends_the_whole_tree_first(any_hob, program, marker):
    any_hob.up("web", program("stubborn"), marker, "ignore", "away", "clear", options=["--stop-timeout", "200ms"])
    wait_until(lambda: any_hob.log("web") == b"ready\n")
    old = set(marked(marker))
    any_hob.run("restart", "web", check=0)
    wait_until(lambda: any_hob.log("web") == b"ready\nready\n")
    assert not old & set(marked(marker))
    assert len(marked(marker)) == 3


def test_stop_signal(hob, actor):
    hob.up("web", actor, "ignore:15", "on:2:0", "print:up", "pause", options=["--stop-signal", "SIGINT"])
    wait_until(lambda: hob.log("web") == b"up\n")
    start = time.monotonic()
    hob.run("stop", "web", check=0)
    assert time.monotonic() - start < 10
    assert hob.status("web")["state"] == "inactive"


def test_a_clean_end_on_the_stop_signal_is_no_failure(hob, actor):
    for i, steps in enumerate((["on:15:0"], [], ["on:15:1"])):
        hob.up(f"s{i}", actor, *steps, "print:up", "pause")
        wait_until(lambda: hob.log(f"s{i}") == b"up\n")
        hob.run("stop", f"s{i}", check=0)
    assert [hob.status(f"s{i}")["state"] for i in range(3)] == ["inactive", "inactive", "failed"]


def test_all_of_the_tree_get_the_stop_signal(hob, actor):
    """KillMode=control-group, as systemd has it."""
    hob.up("web", "sh", "-c", f"{actor} on:15:0 print:child pause & exec {actor} on:15:0 print:main pause", options=["--stop-timeout", "20s"])
    wait_until(lambda: sorted(hob.log("web").split()) == [b"child", b"main"])
    start = time.monotonic()
    hob.run("stop", "web", check=0)
    assert time.monotonic() - start < 10


def test_stopped_process_gets_sigcont(hob, actor):
    pid = hob.up("web", actor, "on:15:0", "print:up", "pause", options=["--stop-timeout", "20s"])
    wait_until(lambda: hob.log("web") == b"up\n")
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: stat(pid).state == "T")
    start = time.monotonic()
    hob.run("stop", "web", check=0)
    assert time.monotonic() - start < 10


def test_time_out_then_sigkill(hob, actor):
    pid = hob.up("web", actor, "ignore:15", "print:up", "pause", options=["--stop-timeout", "400ms"])
    wait_until(lambda: hob.log("web") == b"up\n")
    start = time.monotonic()
    hob.run("stop", "web", check=0)
    assert 0.4 <= time.monotonic() - start < 10
    assert gone(pid)
    assert hob.status("web")["result"] == "timeout"


def test_stop_is_quick_where_it_can_be(hob, actor):
    hob.up("web", actor, "pause")
    start = time.monotonic()
    hob.run("stop", "web", check=0)
    assert time.monotonic() - start < 2


def test_stop_during_the_restart_delay(hob, actor):
    hob.up("web", actor, "sleep:20", "exit:1", options=["--restart-delay", "60s"])
    hob.wait_state("web", "activating/auto-restart")
    start = time.monotonic()
    hob.run("stop", "web", check=0)
    assert time.monotonic() - start < 5
    assert hob.status("web")["wanted"] == "down"


def test_stop_while_it_starts(hob, actor, marker):
    child = hob.popen("run", "--name", "web", "--ready", "notify", "--", actor, "#", marker, "pause")
    wait_until(lambda: marked(marker))
    hob.run("stop", "web", check=0)
    child.communicate(timeout=20)
    assert child.returncode not in (0, None), "the start was cancelled"
    assert not marked(marker)


def test_two_stops_at_once(hob, actor):
    hob.up("web", actor, "ignore:15", "print:up", "pause", options=["--stop-timeout", "300ms"])
    wait_until(lambda: hob.log("web") == b"up\n")
    children = [hob.popen("stop", "web") for _ in range(5)]
    for child in children:
        child.communicate(timeout=20)
        assert child.returncode == 0


def test_start_during_a_stop(hob, actor):
    old = hob.up("web", actor, "ignore:15", "print:up", "pause", options=["--stop-timeout", "500ms"])
    wait_until(lambda: hob.log("web") == b"up\n")
    stop = hob.popen("stop", "web")
    hob.wait_state("web", "deactivating")
    hob.run("start", "--settle", "0", "web", check=0)
    stop.communicate(timeout=20)
    s = hob.status("web")
    assert s["state"] == "active" and s["main_pid"] != old and gone(old)


def test_stop_does_not_restart(hob, actor):
    hob.up("web", actor, "pause", options=["--restart", "always", "--restart-delay", "0"])
    hob.run("stop", "web", check=0)
    stays_true(lambda: hob.status("web")["state"] == "inactive", 0.3)


@contextlib.contextmanager
def frozen_file(tmp):
    """A file in a frozen file system: who writes to it is in state D, and SIGKILL does not end it."""
    need_root()
    (tmp / "mnt").mkdir()
    with open(tmp / "image", "wb") as f:
        f.truncate(8 << 20)
    for command in (["mkfs.ext4", "-q", tmp / "image"], ["mount", "-o", "loop", tmp / "image", tmp / "mnt"]):
        done = subprocess.run(command, capture_output=True, text=True, env={"PATH": PATH})
        if done.returncode:
            pytest.skip(f"needs to mount a file system, to have a process that cannot be killed: {done.stderr.strip()}")
    try:
        (tmp / "mnt" / "file").touch()
        subprocess.run(["fsfreeze", "-f", tmp / "mnt"], check=True, env={"PATH": PATH})
        yield tmp / "mnt" / "file"
    finally:
        subprocess.run(["fsfreeze", "-u", tmp / "mnt"], check=False, env={"PATH": PATH}, capture_output=True)
        subprocess.run(["umount", tmp / "mnt"], check=False, env={"PATH": PATH}, capture_output=True)


def test_what_cannot_be_killed_is_listed(hob, actor, tmp):
    """Pid, command and state; the exit status is 1. When it can die after all, that is taken notice of."""
    with frozen_file(tmp) as file:
        pid = hob.up("web", actor, f"append:{file}", "pause", options=["--stop-timeout", "200ms"])
        wait_until(lambda: stat(pid).state == "D", what="state D")
        result = hob.run("stop", "web", timeout=60, check=FAILED)
        try:
            assert str(pid) in result.stderr and "actor" in result.stderr and re.search(r"\bD\b", result.stderr), result.stderr
        finally:
            subprocess.run(["fsfreeze", "-u", tmp / "mnt"], check=True, env={"PATH": PATH})
            wait_until(lambda: gone(pid), what="it to die")
    wait_until(lambda: hob.status("web")["n_processes"] == 0 and hob.status("web")["state"] in ("failed", "inactive"), what="hob to notice")


def test_several_units_are_stopped_at_once(hob, actor):
    """Each takes its whole stop time-out: one after the other would take four times as long."""
    names = [f"s{i}" for i in range(4)]
    for name in names:
        hob.up(name, actor, "ignore:15", "print:up", "pause", options=["--stop-timeout", "1s"])
    wait_until(lambda: all(hob.log(name) == b"up\n" for name in names))
    start = time.monotonic()
    hob.run("stop", *names, check=0)
    assert time.monotonic() - start < 3
    assert {s["state"] for s in hob.json("list")} == {"failed"}


def test_kill_all_during_a_stop_does_not_hold_it_up(hob, actor):
    """The answer to the kill's question takes the place of the stop's."""
    hob.up("web", actor, "ignore:15", "print:up", "sleep:2000", "exit:0", options=["--stop-timeout", "20s"])
    wait_until(lambda: hob.log("web") == b"up\n")
    stop = hob.popen("stop", "web")
    wait_until(lambda: hob.status("web")["sub"] == "stop-sigterm")
    hob.run("kill", "--all", "--signal", "CONT", "web", check=0)
    start = time.monotonic()
    stop.communicate(timeout=30)
    assert stop.returncode == 0 and time.monotonic() - start < 10
