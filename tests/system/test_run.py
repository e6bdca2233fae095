"""`hob run`: starting any program, and every option it has (issue section 4)."""
import os
import pwd
import re
import stat as mode
import time

import pytest

from hoblib import *


def write(path, text, permissions=0o644):
    path.write_text(text)
    path.chmod(permissions)
    return path


# What it says and returns.

def test_success_is_one_line(hob, actor):
    out = hob.run("run", "--name", "web", "--settle", "0", "--", actor, "pause", check=0).stdout
    assert re.fullmatch(r"web: running, pid \d+, ready in [\d.]+ ?(us|ms|s)\n", out), out
    assert int(re.search(r"pid (\d+)", out)[1]) == hob.pid("web")
    assert os.path.samefile(f"/proc/{hob.pid('web')}/exe", actor)


def test_quiet_prints_nothing(hob, actor):
    result = hob.run("run", "-q", "--name", "web", "--settle", "0", "--", actor, "pause", check=0)
    assert (result.stdout, result.stderr) == ("", "")


def test_name_is_the_programs_base_name(hob, actor):
    hob.run("run", "--settle", "0", "--", actor, "pause", check=0)
    assert hob.status("actor")["state"] == "active"


def test_options_take_a_space_or_an_equals_sign(hob, actor):
    hob.run("run", "--name=web", "--settle=0", "--", actor, "pause", check=0)
    assert hob.status("web")["name"] == "web"


def test_arguments_arrive_untouched(hob, actor):
    words = ["#", "", "#", "a b", "#", "$HOME ${HOME} %n %%", "#", "'\"\\ \t;", "#", "zwölf\n;", "#", "; -@+!:"]
    pid = hob.up("web", actor, *words, "pause")
    assert proc(pid, "cmdline").decode().split("\0")[1:-2] == words


def test_settle_watches_for_an_early_end(hob, actor):
    result = hob.run("run", "--name", "web", "--", actor, "error:cannot bind", "sleep:200", "exit:3")
    assert result.returncode == FAILED
    assert "cannot bind" in result.stderr, "the run's own last lines are shown"
    assert re.search(r"\b3\b", result.stderr), "the exit status is named"
    assert "hob" in result.stderr, "what to type next"
    s = hob.status("web")
    assert (s["state"], s["result"], s["exit_code"]) == ("failed", "exit-code", 3)


def test_settle_time_is_kept(hob, actor):
    start = time.monotonic()
    hob.run("run", "--name", "web", "--settle", "300ms", "--", actor, "pause", check=0)
    assert 0.3 <= time.monotonic() - start < 5


def test_settle_default_is_a_second(hob, actor):
    start = time.monotonic()
    hob.run("run", "--name", "web", "--", actor, "pause", check=0)
    assert 1.0 <= time.monotonic() - start < 6


def test_first_start_that_fails_is_not_restarted(hob, actor, tmp):
    hob.run("run", "--name", "web", "--restart", "always", "--restart-delay", "0", "--", actor, f"append:{tmp}/starts",
            "exit:7", check=FAILED)
    s = hob.status("web")
    assert (s["state"], s["n_restarts"]) == ("failed", 0)
    stays_true(lambda: len(lines_of(tmp / "starts")) == 1, 0.3, "one start")
    assert "7" in hob.run("why", "web").stdout
    # Its name is free.
    pid = hob.up("web", actor, "pause")
    assert alive(pid)


def test_killed_in_the_settle_time(hob, actor):
    result = hob.run("run", "--name", "web", "--", actor, "kill:11", check=FAILED)
    assert "SIGSEGV" in result.stderr
    assert hob.status("web")["exit_signal"] in (11, "SIGSEGV")


def test_a_program_that_ends_well_at_once(hob, actor, tmp):
    result = hob.run("run", "--name", "job", "--restart", "always", "--", actor, f"append:{tmp}/starts", "exit:0", check=0)
    assert "ended" in result.stdout or "finished" in result.stdout or "exit" in result.stdout, result.stdout
    assert "running, pid" not in result.stdout
    stays_true(lambda: len(lines_of(tmp / "starts")) == 1, 0.3, "one start")


def test_a_program_that_goes_into_the_background(hob, actor, tmp, marker):
    result = hob.run("run", "--name", "old", "--restart", "always", "--restart-delay", "0", "--", actor, "#", marker,
                     f"append:{tmp}/starts", "background", "pause")
    text = result.stdout + result.stderr
    assert "background" in text and "foreground" in text, text
    assert "Traceback" not in text and result.returncode in (0, 1)
    stays_true(lambda: len(lines_of(tmp / "starts")) == 1, 0.5, "never a loop of restarts")


# Where the program is found.

def test_program_is_looked_up_in_the_path(hob, actor, tmp):
    (tmp / "mine").symlink_to(actor)
    hob.run("run", "--settle", "0", "--", "mine", "pause", check=0, env={"PATH": f"/nonexistent:{tmp}:{PATH}"})
    assert hob.status("mine")["state"] == "active"


def test_path_search_goes_on_after_no_permission(hob, actor, tmp):
    for d in "ab":
        (tmp / d).mkdir()
    write(tmp / "a" / "mine", "#!/bin/sh\n", 0o644)
    (tmp / "b" / "mine").symlink_to(actor)
    hob.run("run", "--settle", "0", "--", "mine", "pause", check=0, env={"PATH": f"{tmp}/a:{tmp}/b"})


def test_path_search_remembers_no_permission(hob, tmp):
    (tmp / "a").mkdir()
    write(tmp / "a" / "mine", "#!/bin/sh\n", 0o644)
    hob.run("run", "--", "mine", check=CANNOT_EXECUTE, env={"PATH": f"{tmp}/a:/nonexistent"})


def test_relative_program(hob, actor, tmp):
    (tmp / "mine").symlink_to(actor)
    hob.run("run", "--settle", "0", "--", "./mine", "pause", check=0, cwd=tmp)
    assert hob.status("mine")["state"] == "active"


# One test an option.

def test_description(hob, actor):
    hob.up("web", actor, "pause", options=["--description", "The web, 100 % of it"])
    assert "The web, 100 % of it" in hob.run("status", "web").stdout


def test_chdir_default_is_the_callers(hob, actor, tmp):
    assert os.readlink(f"/proc/{hob.up('web', actor, 'pause', cwd=tmp)}/cwd") == str(tmp)


def test_chdir(hob, actor, tmp):
    odd = tmp / "with space and %h"
    odd.mkdir()
    assert os.readlink(f"/proc/{hob.up('web', actor, 'pause', options=['--chdir', odd])}/cwd") == str(odd)


@pytest.mark.parametrize("options, wanted", [([], "0022"), (["--umask", "077"], "0077"), (["--umask", "0002"], "0002")])
def test_umask(hob, actor, options, wanted):
    child = hob.up("web", actor, "pause", options=options)
    assert status_field(child, "Umask") == wanted


def test_environment_default(hob, actor):
    pid = hob.up("web", actor, "pause", env={
        "KEPT": "a b\n\"c'$d%n", "TERM": "xterm", "NOTIFY_SOCKET": "/tmp/other", "LISTEN_FDS": "3", "LISTEN_PID": "1",
        "LISTEN_FDNAMES": "x", "INVOCATION_ID": "0" * 32, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "JOURNAL_STREAM": "1:2"})
    e = environment(pid)
    assert e["KEPT"] == "a b\n\"c'$d%n"
    assert e["PATH"] == PATH
    for key in ("TERM", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"):
        assert key not in e
    assert e.get("NOTIFY_SOCKET") != "/tmp/other"
    assert e["INVOCATION_ID"] == hob.status("web")["run_id"] != "0" * 32


def test_environment_is_kept_in_a_closed_file_and_shown_by_no_verb(hob, actor):
    hob.up("web", actor, "pause", env={"SECRET": "xyzzy-of-the-caller"}, options=["--env", "TOKEN=plugh-of-the-option"])
    [kept] = [f for f in (hob.home / "run" / "env").iterdir() if f.name.startswith("web")]
    assert mode.S_IMODE(kept.stat().st_mode) == 0o600
    for verb in ("cat", "show", "status", "why", "list"):
        result = hob.run(verb, *([] if verb == "list" else ["web"]))
        assert "xyzzy" not in result.stdout + result.stderr, verb
        assert verb == "cat" or "plugh" not in result.stdout + result.stderr, verb


def test_env(hob, actor):
    pid = hob.up("web", actor, "pause", options=["--env", "A=1 2", "--env", "KEPT=mine"], env={"KEPT": "callers"})
    e = environment(pid)
    assert (e["A"], e["KEPT"]) == ("1 2", "mine")


def test_env_file(hob, actor, tmp):
    f = write(tmp / "env", "# a comment\nA=1\nB=\"two words\"\nC='$A'\n")
    e = environment(hob.up("web", actor, "pause", options=["--env-file", f]))
    assert (e["A"], e["B"], e["C"]) == ("1", "two words", "$A")


def test_clean_env(hob, actor):
    pid = hob.up("web", actor, "pause", options=["--clean-env", "--env", "A=1"], env={"CALLERS": "1"})
    e = environment(pid)
    assert e["A"] == "1" and "CALLERS" not in e and "HOB_HOME" not in e
    assert e.get("PATH"), "a sane PATH is there"
    assert set(e) <= {"A", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "INVOCATION_ID", "NOTIFY_SOCKET", "SYSTEMD_EXEC_PID"}, e


def test_stdin_default_is_null(hob, actor):
    assert descriptors(hob.up("web", actor, "pause"))[0] == "/dev/null"


def test_stdin_file(hob, tmp):
    f = write(tmp / "input", "what was in the file\n")
    hob.run("run", "--name", "web", "--stdin", f, "--settle", "0", "--", "sh", "-c", "cat; exec sleep 1000", check=0)
    wait_until(lambda: hob.log("web") == b"what was in the file\n", what="the input in the log")


@pytest.mark.parametrize("value, wanted", [("nofile=321", ("321", "321")), ("nofile=123:456", ("123", "456")), ("core=0", ("0", "0"))])
def test_limit(hob, actor, value, wanted):
    name = {"nofile": "Max open files", "core": "Max core file size"}[value.split("=")[0]]
    assert limit(hob.up("web", actor, "pause", options=["--limit", value]), name) == wanted


def test_nice(hob, actor):
    pid = hob.up("web", actor, "pause", options=["--nice", "7"])
    assert os.getpriority(os.PRIO_PROCESS, pid) == 7


def test_oom_score(hob, actor):
    pid = hob.up("web", actor, "pause", options=["--oom-score", "321"])
    assert proc(pid, "oom_score_adj") == b"321\n"


def test_oom_score_is_not_inherited_from_init(hob, actor):
    assert proc(hob.up("web", actor, "pause"), "oom_score_adj") == proc("self", "oom_score_adj")


def test_pidfile(hob, actor, tmp):
    pid = hob.up("web", actor, "pause", options=["--pidfile", tmp / "web.pid"])
    wait_until(lambda: (tmp / "web.pid").exists(), what="the pid file")
    assert (tmp / "web.pid").read_text() == f"{pid}\n"
    hob.run("stop", "web", check=0)
    wait_until(lambda: not (tmp / "web.pid").exists(), what="the pid file to be removed")


def test_user(hob, actor):
    need_root()
    pid = hob.up("web", actor, "pause", options=["--user", "nobody", "--chdir", "/"])
    entry = pwd.getpwnam("nobody")
    assert status_field(pid, "Uid").split() == [str(entry.pw_uid)] * 4
    assert status_field(pid, "Gid").split() == [str(entry.pw_gid)] * 4
    assert set(status_field(pid, "Groups").split()) <= {str(entry.pw_gid)}
    assert status_field(pid, "CapEff") == "0" * 16
    assert environment(pid)["USER"] == "nobody"


def test_user_and_group(hob, actor):
    need_root()
    pid = hob.up("web", actor, "pause", options=["--user", "nobody:daemon", "--chdir", "/"])
    assert status_field(pid, "Gid").split() == ["1"] * 4


def test_numeric_user_without_an_entry(hob, actor):
    need_root()
    pid = hob.up("web", actor, "pause", options=["--user", "54321:54322", "--chdir", "/"])
    assert status_field(pid, "Uid").split() == ["54321"] * 4
    assert status_field(pid, "Gid").split() == ["54322"] * 4
    assert set(status_field(pid, "Groups").split()) <= {"54322"}


def test_service_of_another_user_can_log_and_notify(hob, actor):
    need_root()
    hob.up("web", actor, "print:hello", "notify:READY=1", "pause", options=["--user", "nobody", "--chdir", "/", "--ready", "notify"])
    wait_until(lambda: hob.log("web") == b"hello\n")


def test_running_already(hob, actor):
    pid = hob.up("web", actor, "pause")
    result = hob.run("run", "--name", "web", "--", actor, "pause", check=ALREADY)
    assert str(pid) in result.stdout + result.stderr
    assert hob.pid("web") == pid


def test_replace(hob, actor, marker):
    old = hob.up("web", actor, "#", marker, "pause")
    new = hob.up("web", actor, "#", marker, "pause", options=["--replace"])
    assert old != new and gone(old)
    assert marked(marker) == [new]


def test_replace_of_nothing(hob, actor):
    assert alive(hob.up("web", actor, "pause", options=["--replace"]))


@pytest.mark.parametrize("steps, wanted", [(["exit:0"], 0), (["exit:7"], 7), (["kill:15"], 143), (["kill:9"], 137)])
def test_wait(hob, actor, steps, wanted):
    hob.run("run", "--name", "web", "--wait", "--restart", "no", "--", actor, *steps, check=wanted)


def test_wait_after_the_settle_time(hob, actor):
    hob.run("run", "--name", "web", "--wait", "--restart", "no", "--settle", "0", "--", actor, "sleep:300", "exit:9", check=9)


def test_property(hob, actor):
    hob.up("web", actor, "pause", options=["-p", "LimitNOFILE=77", "-p", "Nice=3", "-p", "Description=by property"])
    pid = hob.pid("web")
    assert limit(pid, "Max open files")[0] == "77" and os.getpriority(os.PRIO_PROCESS, pid) == 3
    assert "Nice=3" in hob.run("cat", "web").stdout


@pytest.mark.parametrize("value", ["NoSuchKey=1", "Nice=abc", "Nice", "=x", "RestartSec=later", "UMask=9"])
def test_bad_property(hob, actor, value):
    result = hob.run("run", "--name", "web", "-p", value, "--", actor, "pause", check=USAGE)
    assert value.split("=")[0] in result.stderr
    assert hob.run("status", "web").returncode == NO_SUCH_UNIT


def test_many_limits_and_env_together(hob, actor):
    pid = hob.up("web", actor, "pause", options=["--limit", "nofile=100", "--limit", "core=0", "--env", "A=1", "--env", "B=2"])
    assert limit(pid, "Max open files")[0] == "100" and environment(pid)["B"] == "2"


# Readiness.

def test_ready_exec_fails_when_exec_does(hob, tmp):
    bad = write(tmp / "bad", "\x7fELF garbage", 0o755)
    result = hob.run("run", "--name", "web", "--", bad)
    assert result.returncode in (FAILED, CANNOT_EXECUTE)
    assert hob.run("list").stdout.count("active (running)") == 0


def test_ready_notify(hob, actor, tmp):
    child = hob.popen("run", "--name", "web", "--ready", "notify", "--settle", "0", "--", actor, f"await:{tmp}/go", "notify:READY=1", "pause")
    hob_up = lambda: hob.run("status", "web").returncode != NO_SUCH_UNIT
    wait_until(lambda: (hob.home / "run" / "control").exists() and hob_up())
    assert hob.wait_state("web", "activating")["sub"] == "start"
    assert child.poll() is None, "it waits until the service is ready"
    (tmp / "go").touch()
    out, _ = child.communicate(timeout=20)
    assert child.returncode == 0 and out.startswith("web: running, pid ")
    assert hob.state("web") == "active/running"


def test_ready_notify_never(hob, actor, marker):
    result = hob.run("run", "--name", "web", "--ready", "notify", "--timeout", "300ms", "--", actor, "#", marker, "pause", check=TIMED_OUT)
    assert result.stderr
    s = hob.wait_state("web", "failed")
    assert s["result"] == "timeout"
    assert not marked(marker)


def test_ready_notify_ends_first(hob, actor):
    hob.run("run", "--name", "web", "--ready", "notify", "--", actor, "exit:0", check=FAILED)
    assert hob.status("web")["result"] == "protocol"


@pytest.mark.parametrize("n", [3, 4, 9])
def test_ready_descriptor(hob, actor, tmp, n):
    child = hob.popen("run", "--name", "web", "--ready", f"fd:{n}", "--settle", "0", "--",
                      actor, f"await:{tmp}/go", f"fd:{n}:\\n", f"close:{n}", "pause")
    wait_until(lambda: (hob.home / "run" / "control").exists() and hob.run("status", "web").returncode != NO_SUCH_UNIT)
    hob.wait_state("web", "activating")
    assert child.poll() is None
    (tmp / "go").touch()
    child.communicate(timeout=20)
    assert child.returncode == 0
    assert set(descriptors(hob.pid("web"))) == {0, 1, 2}


def test_ready_descriptor_closed_without_a_word(hob, actor):
    result = hob.run("run", "--name", "web", "--ready", "fd:3", "--timeout", "10s", "--settle", "0", "--", actor, "close:3", "pause", timeout=20)
    assert result.returncode in (FAILED, TIMED_OUT)
    assert hob.wait_state("web", "failed")


# What stays.

def test_cat_shows_the_unit(hob, actor, tmp):
    hob.up("web", actor, "#", "two words", "pause", options=["--stop-timeout", "5s", "--restart", "always", "--nice", "2"])
    text = hob.run("cat", "web", check=0).stdout
    assert "[Service]" in text and "[X-Hob]" in text
    assert "ExecStart=" in text and actor in text and "two words" in text
    assert "Restart=always" in text and "Nice=2" in text
    assert re.search(r"^TimeoutStopSec=5(s|sec)?$", text, re.M)


def test_transient_unit_file_is_what_cat_shows(hob, actor):
    hob.up("web", actor, "pause")
    kept = list((hob.home / "run" / "transient").iterdir())
    assert [f.name for f in kept] == ["web.service"]
    assert kept[0].read_text() in hob.run("cat", "web", check=0).stdout


def test_fifty_names_at_once(hob, actor):
    """50 at once where no instance runs: exactly one makes it, all are answered."""
    children = [hob.popen("run", "--name", f"s{i}", "--settle", "0", "--", actor, "pause") for i in range(50)]
    for i, child in enumerate(children):
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0 and out.startswith(f"s{i}: running, pid "), err
    services = hob.json("list")
    assert len(services) == 50 and all(s["state"] == "active" for s in services)
    init = hob.instance()["init_pid"]
    assert {stat(s["main_pid"]).ppid for s in services} == {init}


def test_fifty_of_one_name_at_once(hob, actor, tmp, marker):
    """One wins, 49 are told that it runs already."""
    children = [hob.popen("run", "--name", "web", "--settle", "0", "--", actor, "#", marker, f"append:{tmp}/starts", "pause") for _ in range(50)]
    codes = []
    for child in children:
        child.communicate(timeout=60)
        codes.append(child.returncode)
    assert sorted(codes) == [0] + [ALREADY] * 49
    assert marked(marker) == [hob.pid("web")]
    wait_until(lambda: lines_of(tmp / "starts") == [str(hob.pid("web"))])
