"""The verbs but `run`, their output, their JSON and their exit statuses (issue section 4, DESIGN section 6)."""
import json
import os
import re
import signal
import time

import pytest

from hoblib import *

VERBS = "run start stop restart reload kill status list why show cat logs wait forget shutdown version help".split()
SERVICE_MEMBERS = ("name state sub main_pid run_id wanted n_restarts result exit_code exit_signal since_usec ready_usec "
                   "memory_bytes n_processes command log_dir").split()
INSTANCE_MEMBERS = "version home init_pid supervisor_pid logger_pid".split()


# Without an instance.

def test_version(hob):
    assert re.search(r"\d+\.\d+", hob.run("version", check=0).stdout)
    assert not (hob.home / "run" / "control").exists(), "asking does not start an instance"


def test_help_names_every_verb(hob):
    text = hob.run("help", check=0).stdout
    for verb in VERBS:
        assert re.search(rf"\b{verb}\b", text), verb


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(hob, verb):
    text = hob.run(verb, "--help", check=0).stdout
    assert f"hob {verb}" in text
    assert hob.run("help", verb, check=0).stdout == text


def test_run_help_lists_its_options(hob):
    text = hob.run("run", "--help").stdout
    for option in ("name description restart restart-delay give-up ready timeout stop-timeout stop-signal settle user chdir umask "
                   "env env-file clean-env stdin limit nice oom-score pidfile log-size log-keep replace wait").split():
        assert re.search(rf"--{option}\b", text), option


def test_list_without_an_instance(hob):
    hob.run("list", check=0)
    assert hob.json("list", status=0) == []


@pytest.mark.parametrize("args", [["status", "web"], ["why", "web"], ["show", "web"], ["cat", "web"], ["wait", "web"], ["restart", "web"],
                                  ["reload", "web"], ["kill", "web"], ["forget", "web"]])
def test_no_such_unit_without_an_instance(hob, args):
    result = hob.run(*args, check=NO_SUCH_UNIT)
    assert result.stderr.count("\n") >= 1 and ("web" in result.stderr or "instance" in result.stderr)


def test_start_of_an_unknown_unit(hob):
    assert "web" in hob.run("start", "web", check=NO_SUCH_UNIT).stderr


def test_no_such_unit_with_an_instance(hob, actor):
    hob.up("other", actor, "pause")
    for args in (["status", "web"], ["why", "web"], ["show", "web"], ["cat", "web"], ["start", "web"], ["stop", "web"], ["restart", "web"],
                 ["reload", "web"], ["kill", "web"], ["wait", "web"], ["forget", "web"], ["logs", "web"]):
        assert hob.run(*args).returncode == NO_SUCH_UNIT, args


def test_shutdown_without_an_instance(hob):
    assert hob.run("shutdown").returncode in (0, NO_SUCH_UNIT)


# start, stop, restart.

def test_stop_and_start_again(hob, actor):
    old = hob.up("web", actor, "pause")
    hob.run("stop", "web", check=0)
    s = hob.status("web")
    assert (s["state"], s["sub"], s["wanted"], s["result"]) == ("inactive", "dead", "down", "success")
    assert gone(old) and not s["main_pid"]
    out = hob.run("start", "--settle", "0", "web", check=0).stdout
    s = hob.status("web")
    assert out.startswith(f"web: running, pid {s['main_pid']}")
    assert (s["state"], s["sub"], s["wanted"]) == ("active", "running", "up")
    assert s["main_pid"] != old


def test_stop_of_what_does_not_run(hob, actor):
    hob.up("web", actor, "pause")
    hob.run("stop", "web", check=0)
    hob.run("stop", "web", check=0)


def test_start_of_what_runs(hob, actor):
    pid = hob.up("web", actor, "pause")
    assert hob.run("start", "--settle", "0", "web").returncode in (0, ALREADY)
    assert hob.pid("web") == pid


def test_restart(hob, actor):
    old = hob.up("web", actor, "pause")
    run_id = hob.status("web")["run_id"]
    hob.run("restart", "web", check=0)
    s = hob.status("web")
    assert s["main_pid"] != old and gone(old) and s["run_id"] != run_id
    assert s["state"] == "active"


def test_restart_of_what_does_not_run_starts_it(hob, actor):
    hob.up("web", actor, "pause")
    hob.run("stop", "web", check=0)
    hob.run("restart", "web", check=0)
    assert hob.status("web")["state"] == "active"


def test_restart_that_fails(hob, actor, tmp):
    hob.up("web", "sh", "-c", f"test ! -e {tmp}/broken || exit 5; exec {actor} pause")
    (tmp / "broken").touch()
    hob.run("restart", "web", check=FAILED)
    hob.wait_state("web", "failed")


def test_several_units(hob, actor):
    for name in "abc":
        hob.up(name, actor, "pause")
    hob.run("stop", "a", "b", "c", check=0)
    assert [s["state"] for s in hob.json("list")] == ["inactive"] * 3
    hob.run("start", "--settle", "0", "a", "b", "c", check=0)
    assert [s["state"] for s in hob.json("list")] == ["active"] * 3


def test_several_units_one_fails(hob, actor, tmp):
    hob.up("good", actor, "pause")
    hob.up("bad", "sh", "-c", f"test ! -e {tmp}/broken || exit 5; exec {actor} pause")
    hob.run("stop", "good", "bad", check=0)
    (tmp / "broken").touch()
    hob.run("start", "bad", "good", check=FAILED)
    assert hob.status("good")["state"] == "active"


def test_the_suffix_may_be_typed(hob, actor):
    pid = hob.up("web", actor, "pause")
    assert hob.status("web.service")["main_pid"] == pid
    hob.run("stop", "web.service", check=0)


def test_many_verbs_need_a_unit(hob):
    for verb in "start stop restart reload kill why show cat wait forget".split():
        assert hob.run(verb).returncode == USAGE, verb


# reload, kill.

def test_reload_sends_sighup(hob, actor):
    pid = hob.up("web", actor, "log:1", "print:up", "pause")
    wait_until(lambda: b"up" in hob.log("web"))
    hob.run("reload", "web", check=0)
    wait_until(lambda: b"signal 01" in hob.log("web"), what="SIGHUP")
    assert hob.pid("web") == pid


def test_reload_of_what_does_not_run(hob, actor):
    hob.up("web", actor, "pause")
    hob.run("stop", "web", check=0)
    assert hob.run("reload", "web").returncode in (FAILED, NOT_ACTIVE)


def test_kill_default_is_sigterm(hob, actor):
    hob.up("web", actor, "on:15:0", "print:up", "pause", options=["--restart", "no"])
    wait_until(lambda: b"up" in hob.log("web"))
    hob.run("kill", "web", check=0)
    hob.wait_state("web", "inactive")


@pytest.mark.parametrize("args", [["-s", "USR1"], ["--signal", "SIGUSR1"], ["--signal=10"]])
def test_kill_with_a_signal(hob, actor, args):
    pid = hob.up("web", actor, "log:10", "print:up", "pause")
    wait_until(lambda: b"up" in hob.log("web"))
    hob.run("kill", *args, "web", check=0)
    wait_until(lambda: b"signal 10" in hob.log("web"))
    assert hob.pid("web") == pid


def test_kill_with_a_bad_signal(hob, actor):
    hob.up("web", actor, "pause")
    assert "NOSUCH" in hob.run("kill", "-s", "NOSUCH", "web", check=USAGE).stderr


def test_kill_of_what_does_not_run(hob, actor):
    hob.up("web", actor, "pause")
    hob.run("stop", "web", check=0)
    assert hob.run("kill", "web").returncode in (FAILED, NOT_ACTIVE)


# status, list.

def test_status_json(hob, actor):
    before = time.time()
    pid = hob.up("web", actor, "pause")
    s = hob.json("status", "web", status=0)
    assert [m for m in SERVICE_MEMBERS if m not in s] == []
    assert (s["name"], s["state"], s["sub"], s["main_pid"], s["wanted"]) == ("web", "active", "running", pid, "up")
    assert re.fullmatch("[0-9a-f]{32}", s["run_id"])
    assert s["n_restarts"] == 0 and s["result"] == "success"
    assert abs(s["since_usec"] / 1e6 - before) < 60, "wall clock"
    assert 0 <= s["ready_usec"] < 60e6
    assert s["n_processes"] == 1
    assert 4096 <= s["memory_bytes"] < 1 << 28
    assert actor in s["command"]
    assert s["log_dir"] == str(hob.home / "log" / "web")


def test_status_json_after_an_exit(hob, actor):
    hob.up("web", actor, "sleep:50", "exit:4", options=["--restart", "no"])
    s = hob.wait_state("web", "failed")
    assert (s["exit_code"], s["result"], s["sub"]) == (4, "exit-code", "failed")
    assert not s["exit_signal"] and not s["main_pid"]
    hob.up("web", actor, "sleep:50", "kill:9", options=["--restart", "no"])
    s = hob.wait_state("web", "failed")
    assert s["result"] == "signal" and s["exit_signal"] in (9, "SIGKILL")


def test_status_counts_the_tree(hob, program, marker):
    hob.up("web", program("stubborn"), marker, "group", "away", "clear", options=["--stop-timeout", "200ms"])
    wait_until(lambda: len(marked(marker)) == 4)
    wait_until(lambda: hob.status("web")["n_processes"] == 4, what="n_processes 4")


def test_status_memory(hob, actor):
    hob.up("web", actor, "memory:40", "print:done", "pause")
    wait_until(lambda: b"done" in hob.log("web"))
    assert 40 << 20 <= hob.status("web")["memory_bytes"] < 60 << 20


def test_status_exit_statuses(hob, actor):
    hob.up("web", actor, "pause")
    hob.run("status", "web", check=0)
    hob.run("stop", "web", check=0)
    hob.run("status", "web", check=NOT_ACTIVE)
    hob.up("bad", actor, "sleep:20", "exit:1", options=["--restart", "no"])
    hob.wait_state("bad", "failed")
    hob.run("status", "bad", check=NOT_ACTIVE)


def test_status_for_people(hob, actor):
    pid = hob.up("web", actor, "print:a line of the log", "pause", options=["--description", "my web"])
    wait_until(lambda: b"a line" in hob.log("web"))
    text = hob.run("status", "web", check=0).stdout
    for wanted in ("web", "my web", "active", "running", str(pid), actor, "a line of the log"):
        assert wanted in text, wanted
    assert "\x1b" not in text


def test_status_of_the_instance(hob, actor):
    hob.up("web", actor, "pause")
    i = hob.instance()
    assert [m for m in INSTANCE_MEMBERS if m not in i] == []
    assert i["home"] == str(hob.home)
    pids = [i["init_pid"], i["supervisor_pid"], i["logger_pid"]]
    assert all(map(alive, pids)) and len(set(pids)) == 3
    assert stat(i["supervisor_pid"]).ppid == stat(i["logger_pid"]).ppid == i["init_pid"]
    assert stat(hob.pid("web")).ppid == i["init_pid"]
    text = hob.run("status", check=0).stdout
    assert str(i["init_pid"]) in text


def test_list(hob, actor):
    for name in ("zeta", "alpha"):
        hob.up(name, actor, "pause")
    hob.run("stop", "zeta", check=0)
    services = {s["name"]: s for s in hob.json("list", status=0)}
    assert set(services) == {"alpha", "zeta"}
    assert [m for m in SERVICE_MEMBERS if m not in services["alpha"]] == []
    assert services["alpha"]["state"] == "active" and services["zeta"]["state"] == "inactive"
    text = hob.run("list", check=0).stdout
    assert "alpha" in text and "zeta" in text and "running" in text


# why, show, cat.

def test_why_after_an_exit(hob, actor):
    hob.up("web", actor, "print:something bad came up", "sleep:30", "exit:42", options=["--restart", "no"])
    hob.wait_state("web", "failed")
    text = hob.run("why", "web").stdout
    for wanted in ("web", "failed", "42", "something bad came up"):
        assert wanted in text, wanted
    assert text.count("\n") <= 24, "one screen"


def test_why_after_a_signal(hob, actor):
    hob.up("web", actor, "sleep:30", "kill:9", options=["--restart", "no"])
    hob.wait_state("web", "failed")
    assert "SIGKILL" in hob.run("why", "web").stdout


def test_why_after_a_set_up_step(hob, actor, tmp):
    away = tmp / "away"
    away.mkdir()
    hob.up("web", actor, "pause", options=["--chdir", away])
    hob.run("stop", "web", check=0)
    away.rmdir()
    hob.run("start", "web", check=FAILED)
    text = hob.run("why", "web").stdout
    assert "chdir" in text and str(away) in text and "No such file" in text


def test_why_tells_what_comes_next(hob, actor):
    hob.up("web", actor, "sleep:30", "exit:1", options=["--restart-delay", "60s"])
    hob.wait_state("web", "activating/auto-restart")
    text = hob.run("why", "web").stdout
    assert re.search(r"restart.* in \d+(\.\d+)? ?(s|min)", text), text
    left = hob.status("web")["restart_in_usec"]
    assert 30e6 < left <= 60e6
    hob.run("stop", "web", check=0)
    text = hob.run("why", "web").stdout
    assert "stop" in text


def test_why_names_the_deadline_of_what_is_going_on(hob, actor):
    hob.popen("run", "--name", "slow", "--ready", "notify", "--timeout", "80s", "--", actor, "pause")
    wait_until(lambda: hob.run("why", "slow").returncode == 0 and "in 1 min 1" in hob.run("why", "slow").stdout)
    hob.up("deaf", actor, "ignore:15", "print:up", "pause", options=["--stop-timeout", "50s"])
    wait_until(lambda: hob.log("deaf") == b"up\n")
    hob.popen("stop", "deaf")
    wait_until(lambda: re.search(r"in 4\d(\.\d)? s what is left gets SIGKILL", hob.run("why", "deaf").stdout))
    hob.run("kill", "--all", "--signal", "KILL", "deaf", check=0)


def test_why_after_giving_up(hob, actor):
    hob.up("web", actor, "sleep:10", "exit:1", options=["--restart-delay", "0", "--give-up", "3/10s"])
    s = hob.wait_state("web", "failed")
    assert s["gave_up"]
    assert "gave" in hob.run("why", "web").stdout.lower() or "given" in hob.run("why", "web").stdout.lower()


def test_why_shows_the_last_five_runs(hob, actor):
    hob.up("web", actor, "sleep:10", "exit:33", options=["--restart-delay", "0", "--give-up", "7/60s"])
    hob.wait_state("web", "failed")
    why = hob.json("why", "web")
    assert len(why["history"]) == 5
    assert all(run["exit_code"] == 33 for run in why["history"])
    assert len({run["id"] for run in why["history"]}) == 5


def test_why_of_what_runs_well(hob, actor):
    pid = hob.up("web", actor, "pause")
    text = hob.run("why", "web").stdout
    assert "running" in text and str(pid) in text


def test_show(hob, actor):
    hob.up("web", actor, "pause", options=["--stop-signal", "SIGINT", "--nice", "4"])
    text = hob.run("show", "web", check=0).stdout
    assert re.search(r"^Nice=4$", text, re.M)
    assert re.search(r"^KillSignal=(SIGINT|2)$", text, re.M)
    assert re.search(r"^Restart=on-failure$", text, re.M)


def test_show_json(hob, actor):
    hob.up("web", actor, "pause", options=["--nice", "4"])
    shown = hob.json("show", "web", status=0)
    assert str(shown.get("Nice", shown.get("Service", {}).get("Nice") if isinstance(shown.get("Service"), dict) else None)) == "4"


def test_cat_reads_back(hob, actor):
    """What `cat` shows has the defaults of `hob run` in it."""
    hob.up("web", actor, "pause")
    text = hob.run("cat", "web", check=0).stdout
    assert re.search(r"^Restart=on-failure$", text, re.M)
    assert re.search(r"^RestartSec=100ms$", text, re.M)
    assert re.search(r"^RestartMaxDelaySec=30(s)?$", text, re.M)


# wait, forget, shutdown.

def test_wait(hob, actor, tmp):
    hob.up("web", actor, f"await:{tmp}/go", "exit:0")
    child = hob.popen("wait", "web")
    stays_true(lambda: child.poll() is None, 0.2, "wait waits")
    (tmp / "go").touch()
    child.communicate(timeout=20)
    assert child.returncode == 0


def test_wait_for_a_failure(hob, actor, tmp):
    hob.up("web", actor, f"await:{tmp}/go", "exit:3", options=["--restart", "no"])
    child = hob.popen("wait", "web")
    (tmp / "go").touch()
    child.communicate(timeout=20)
    assert child.returncode == FAILED


def test_wait_of_what_is_at_rest(hob, actor):
    hob.up("web", actor, "pause")
    hob.run("stop", "web", check=0)
    hob.run("wait", "web", check=0)


def test_wait_goes_on_over_restarts(hob, actor, tmp):
    hob.up("web", actor, "sleep:20", "exit:1", options=["--restart-delay", "100ms"])
    child = hob.popen("wait", "web")
    wait_until(lambda: hob.status("web")["n_restarts"] >= 2)
    assert child.poll() is None
    hob.run("stop", "web", check=0)
    child.communicate(timeout=20)


def test_forget(hob, actor):
    hob.up("web", actor, "print:x", "pause")
    assert hob.run("forget", "web").returncode == FAILED, "it is active"
    wait_until(lambda: hob.log("web") == b"x\n")
    hob.run("stop", "web", check=0)
    hob.run("forget", "web", check=0)
    hob.run("status", "web", check=NO_SUCH_UNIT)
    assert hob.json("list") == []
    assert hob.log_file("web").read_bytes() == b"x\n", "its logs stay"
    for directory in ("transient", "env", "loaded", "fifo"):
        path = hob.home / "run" / directory
        assert [f.name for f in path.iterdir() if f.name.startswith("web")] == [], directory


def test_forget_with_logs(hob, actor):
    hob.up("web", actor, "print:x", "pause")
    hob.run("stop", "web", check=0)
    hob.run("forget", "--logs", "web", check=0)
    wait_until(lambda: not (hob.home / "log" / "web").exists(), what="its logs to be removed")


def test_forgotten_name_can_be_used_again(hob, actor):
    for i in range(3):
        hob.up("web", actor, f"print:{i}", "pause")
        hob.run("stop", "web", check=0)
        hob.run("forget", "web", check=0)


def test_shutdown(hob, actor, marker):
    for name in "abc":
        hob.up(name, actor, "#", marker, "pause")
    i = hob.instance()
    hob.run("shutdown", check=0)
    wait_until(lambda: not marked(marker))
    for pid in (i["init_pid"], i["supervisor_pid"], i["logger_pid"]):
        wait_until(lambda: gone(pid), what=f"{pid} to end")
    assert not (hob.home / "run" / "control").exists()
    hob.run("list", check=0)


def test_shutdown_waits_for_the_end(hob, actor, marker):
    hob.up("slow", actor, "#", marker, "ignore:15", "print:up", "pause", options=["--stop-timeout", "300ms"])
    wait_until(lambda: b"up" in hob.log("slow"))
    hob.run("shutdown", check=0)
    assert not marked(marker)


def test_shutdown_leave(hob, actor, marker):
    pid = hob.up("web", actor, "#", marker, "print:before", "pause")
    i = hob.instance()
    hob.run("shutdown", "--leave", check=0)
    for p in (i["init_pid"], i["supervisor_pid"], i["logger_pid"]):
        wait_until(lambda: gone(p), what=f"{p} to end")
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: gone(pid))


def test_start_after_shutdown(hob, actor):
    hob.up("web", actor, "pause")
    hob.run("shutdown", check=0)
    hob.up("web", actor, "pause")
    hob.run("shutdown", check=0)


def test_termination_signal_to_init_ends_all(hob, actor, marker):
    hob.up("web", actor, "#", marker, "pause")
    init = hob.instance()["init_pid"]
    os.kill(init, signal.SIGTERM)
    wait_until(lambda: gone(init), what="init to end")
    assert not marked(marker)


# A person's start is always tried at once.

def test_start_during_the_restart_delay(hob, actor, tmp):
    hob.up("web", "sh", "-c", f"test -e {tmp}/good || {{ sleep 0.05; exit 1; }}; exec {actor} pause", options=["--restart-delay", "60s"])
    hob.wait_state("web", "activating/auto-restart")
    (tmp / "good").touch()
    hob.run("start", "--settle", "0", "web", check=0)
    assert hob.state("web") == "active/running"


def test_start_after_giving_up(hob, actor, tmp):
    hob.up("web", "sh", "-c", f"test -e {tmp}/good || {{ sleep 0.02; exit 1; }}; exec {actor} pause",
           options=["--restart-delay", "0", "--give-up", "2/60s"])
    hob.wait_state("web", "failed")
    (tmp / "good").touch()
    hob.run("start", "--settle", "0", "web", check=0)
    assert hob.state("web") == "active/running"


# Unit files.

def test_unit_from_the_units_directory(hob, actor):
    (hob.home / "units").mkdir(exist_ok=True)
    (hob.home / "units" / "mine.service").write_text(f"[Unit]\nDescription=from a file\n[Service]\nExecStart={actor} pause\n")
    hob.run("start", "--settle", "0", "mine", check=0)
    assert "from a file" in hob.run("status", "mine").stdout
    assert str(hob.home / "units" / "mine.service") in hob.run("cat", "mine", check=0).stdout
    hob.run("stop", "mine", check=0)


def test_unit_path_from_the_environment(make_hob, actor, tmp):
    (tmp / "mine.service").write_text(f"[Service]\nExecStart={actor} pause\n")
    hob = make_hob(env={"HOB_UNIT_PATH": str(tmp)})
    other = hob.up("other", actor, "pause")
    assert alive(other)
    hob.run("start", "--settle", "0", "mine", check=0)


def test_invalid_unit_file(hob, actor):
    (hob.home / "units").mkdir(exist_ok=True)
    (hob.home / "units" / "mine.service").write_text("[Service]\nType=simple\n")
    result = hob.run("start", "mine", check=USAGE)
    assert "ExecStart" in result.stderr


def test_oneshot(hob, actor, tmp):
    (hob.home / "units").mkdir(exist_ok=True)
    (hob.home / "units" / "job.service").write_text(
        f"[Service]\nType=oneshot\nExecStart={actor} append:{tmp}/out\nExecStart={actor} append:{tmp}/out\nRemainAfterExit=yes\n")
    hob.run("start", "--settle", "0", "job", check=0)
    assert hob.state("job") == "active/exited"
    assert (tmp / "out").read_text().count("\n") == 2


def test_home_option(hob, actor, tmp):
    hob.up("web", actor, "pause")
    env = {"HOB_HOME": str(tmp / "nothing")}
    assert hob.run("status", "--home", hob.home, "web", env=env).returncode == 0


# Terminals.

def test_colour_only_on_a_terminal_and_not_with_no_color(hob, actor):
    need_pty()
    hob.up("web", actor, "pause")
    assert "\x1b[" not in hob.run("status", "web").stdout
    with hob.terminal("status", "web") as t:
        t.wait()
        assert b"\x1b[" in t.output and b"web" in t.output
    with hob.terminal("status", "web", env={"NO_COLOR": "1"}) as t:
        t.wait()
        assert b"\x1b[" not in t.output and b"web" in t.output


def test_progress_line_on_a_terminal(hob, actor, tmp):
    need_pty()
    with hob.terminal("run", "--name", "web", "--ready", "notify", "--settle", "0", "--", actor, f"await:{tmp}/go", "notify:READY=1", "pause") as t:
        t.read_until(rb"web.*(start|activating)")
        (tmp / "go").touch()
        t.read_until(rb"web: running, pid \d+")
        assert t.wait() == 0


def test_no_progress_line_off_a_terminal(hob, actor):
    result = hob.run("run", "--name", "web", "--settle", "100ms", "--", actor, "pause", check=0)
    assert result.stderr == "" and "\r" not in result.stdout


def test_interrupt_stops_the_waiting_not_the_service(hob, actor, tmp):
    need_pty()
    with hob.terminal("run", "--name", "web", "--ready", "notify", "--", actor, "print:up", f"await:{tmp}/go", "notify:READY=1", "pause") as t:
        wait_until(lambda: (hob.home / "run" / "control").exists() and hob.run("status", "web").returncode != NO_SUCH_UNIT)
        hob.wait_state("web", "activating")
        pid = wait_until(lambda: hob.pid("web"))
        t.read_until(rb"web")
        t.type(b"\x03")
        assert t.wait() != 0
    assert alive(pid)
    (tmp / "go").touch()
    s = hob.wait_state("web", "active")
    assert s["main_pid"] == pid


def test_why_right_after_kill_9_tells_that_it_died(hob, actor):
    """Between the signal and init's bell the process is dying: the answer waits for that."""
    for _ in range(5):
        hob.up("web", actor, "pause", options=["--replace", "--restart-delay", "1h"])
        os.kill(hob.pid("web"), signal.SIGKILL)
        assert "killed by SIGKILL" in hob.run("why", "web").stdout


def test_start_of_an_unknown_unit_begins_no_instance(hob):
    hob.run("start", "nope", check=NO_SUCH_UNIT)
    assert not (hob.home / "run" / "control").exists()
