"""Bad input: one clear line on stderr, its exit status, and nothing has changed (issue section 7)."""
import os
import re
import signal
import socket
import time

import pytest

from hoblib import *


def refused(hob, *args, status, says=(), **kw):
    """The call fails as it must: its status, one line on stderr, nothing on stdout, no service made."""
    result = hob.run(*args, **kw)
    assert result.returncode == status, (result.returncode, result.stdout, result.stderr)
    assert result.stdout == ""
    for text in [says] if isinstance(says, str) else says:
        assert text in result.stderr, result.stderr
    assert result.stderr.endswith("\n") and result.stderr.count("\n") == 1, f"one line: {result.stderr!r}"
    assert hob.json("list") == []
    return result


# Programs.

def test_no_such_program(hob):
    refused(hob, "run", "--", "no-such-program-at-all", status=NOT_FOUND, says="no-such-program-at-all")
    refused(hob, "run", "--", "/nonexistent/program", status=NOT_FOUND, says="/nonexistent/program")
    refused(hob, "run", "--", "./program", status=NOT_FOUND, says="program")


def test_no_such_program_starts_no_instance(hob):
    hob.run("run", "--", "no-such-program-at-all")
    assert not (hob.home / "run" / "control").exists()


def test_not_executable(hob, tmp):
    (tmp / "script").write_text("#!/bin/sh\n")
    refused(hob, "run", "--", tmp / "script", status=CANNOT_EXECUTE, says=["script", "executable"])


def test_missing_interpreter(hob, tmp):
    (tmp / "script").write_text("#!/no/such/interpreter\n")
    (tmp / "script").chmod(0o755)
    refused(hob, "run", "--", tmp / "script", status=NOT_FOUND, says=["script", "/no/such/interpreter"])


def test_directory(hob, tmp):
    refused(hob, "run", "--", tmp, status=CANNOT_EXECUTE, says="directory")


def test_empty_program(hob):
    assert hob.run("run", "--", "").returncode in (USAGE, NOT_FOUND)
    assert hob.run("run").returncode == USAGE
    assert hob.run("run", "--").returncode == USAGE


def test_argument_list_too_long(hob, actor):
    """Each argument fits execve's limit for one; with the environment they go past what init may pass on."""
    words = ["x" * 100000] * 18
    result = hob.run("run", "--name", "web", "--settle", "0", "--", actor, "exit:0", *words, timeout=60)
    if result.returncode:
        assert "ong" in result.stderr and result.stderr.count("\n") < 12
        assert result.returncode in (FAILED, USAGE, CANNOT_EXECUTE)
    assert all(s["state"] != "active" for s in hob.json("list"))


# Values.

@pytest.mark.parametrize("name", ["../x", "", "n" * 300, "two words", "line\nbreak", "bell\x07", "a/b", ".", "..", "@", "a@b@c/", "x\x7f"],
                         ids=lambda n: ascii(n)[:20])
def test_bad_name(hob, actor, name):
    result = hob.run("run", f"--name={name}", "--", actor, "pause")
    assert result.returncode == USAGE, (result.returncode, result.stderr)
    assert result.stderr.count("\n") == 1 and "name" in result.stderr
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", result.stderr), "shown harmlessly"
    assert hob.json("list") == []
    assert sorted(p.name for p in hob.home.iterdir()) in ([], ["log", "run"], ["log", "run", "units"])


@pytest.mark.parametrize("verb", ["status", "stop", "start", "logs", "why", "forget"])
def test_bad_name_in_other_verbs(hob, actor, verb):
    hob.up("web", actor, "pause")
    for name in ("../../etc/passwd", "", "n" * 300, "two words"):
        assert hob.run(verb, name).returncode in (USAGE, NO_SUCH_UNIT), (verb, name)


def test_long_good_name(hob, actor):
    name = "n" * 200
    hob.up(name, actor, "print:x", "pause")
    wait_until(lambda: hob.log(name) == b"x\n")


@pytest.mark.parametrize("option", ["--settle", "--timeout", "--stop-timeout", "--restart-delay"])
@pytest.mark.parametrize("span", ["soon", "-1s", "1x", "", "1 s x", "99999999999999999999y"])
def test_bad_span(hob, actor, option, span):
    refused(hob, "run", f"{option}={span}", "--", actor, "pause", status=USAGE, says=option.strip("-").split("=")[0])


@pytest.mark.parametrize("args, says", [
    (["--user", "no-such-user-here"], "no-such-user-here"),
    (["--user", "root:no-such-group-here"], "no-such-group-here"),
    (["--chdir", "/no/such/dir"], "/no/such/dir"),
    (["--env-file", "/no/such/env"], "/no/such/env"),
    (["--stdin", "/no/such/input"], "/no/such/input"),
    (["--restart", "sometimes"], "sometimes"),
    (["--ready", "maybe"], "maybe"),
    (["--ready", "fd:x"], "fd:x"),
    (["--ready", "fd:1"], "fd:1"),
    (["--umask", "8"], "8"),
    (["--umask", "77777"], "77777"),
    (["--nice", "99"], "99"),
    (["--nice", "x"], "x"),
    (["--oom-score", "5000"], "5000"),
    (["--limit", "nofile"], "nofile"),
    (["--limit", "nosuch=1"], "nosuch"),
    (["--limit", "nofile=lots"], "lots"),
    (["--env", "novalue"], "novalue"),
    (["--env", "=x"], "=x"),
    (["--give-up", "x"], "x"),
    (["--give-up", "0/0"], "0/0"),
    (["--stop-signal", "SIGNONE"], "SIGNONE"),
    (["--log-size", "big"], "big"),
    (["--log-keep", "-1"], "-1"),
    (["--pidfile", "relative/../../x\ny"], "pid"),
], ids=lambda v: ascii(v)[:30])
def test_bad_value(hob, actor, args, says):
    result = hob.run("run", *args, "--", actor, "pause")
    assert result.returncode == USAGE, (result.returncode, result.stderr)
    assert says in result.stderr and result.stderr.count("\n") == 1
    assert hob.json("list") == []


def test_chdir_to_a_file(hob, actor, tmp):
    (tmp / "f").touch()
    refused(hob, "run", "--chdir", tmp / "f", "--", actor, "pause", status=USAGE, says=str(tmp / "f"))


def test_env_file_that_cannot_be_read(make_hob, actor, tmp):
    need_root()
    (tmp / "env").write_text("A=1\n")
    (tmp / "env").chmod(0)
    hob = make_hob(user=NOBODY)
    result = hob.run("run", "--env-file", tmp / "env", "--", actor, "pause")
    assert result.returncode in (USAGE, NOT_PERMITTED) and str(tmp / "env") in result.stderr


def test_env_file_with_a_bad_line(hob, actor, tmp):
    (tmp / "env").write_text("A=1\nB=\"open\nquote\n")
    result = hob.run("run", "--settle", "0", "--env-file", tmp / "env", "--", actor, "pause")
    assert result.returncode in (0, USAGE)  # systemd takes an open quote to the end of the file


def test_option_without_its_value(hob, actor):
    refused(hob, "run", "--name", status=USAGE, says="name")


@pytest.mark.parametrize("args, offers", [(["statsu"], "status"), (["rnu"], "run"), (["stpo", "web"], "stop"), (["shutdow"], "shutdown")])
def test_unknown_verb(hob, args, offers):
    result = hob.run(*args)
    assert result.returncode == USAGE and args[0] in result.stderr and offers in result.stderr


@pytest.mark.parametrize("args, offers", [(["run", "--nmae", "x", "--", "true"], "--name"), (["run", "--restrat=no", "--", "true"], "--restart"),
                                          (["logs", "--sinc", "1h"], "--since"), (["list", "--nosuch"], "")])
def test_unknown_option(hob, args, offers):
    result = hob.run(*args)
    assert result.returncode == USAGE and args[1].split("=")[0] in result.stderr and offers in result.stderr
    assert hob.json("list") == []


def test_no_arguments(hob):
    result = hob.run()
    assert result.returncode == USAGE or "hob run" in result.stdout


def test_bad_output_format(hob):
    assert "yaml" in hob.run("list", "-o", "yaml", check=USAGE).stderr


# The runtime directory.

def test_runtime_directory_of_someone_else(make_hob, actor):
    need_root()
    hob = make_hob(user=NOBODY)
    (hob.home / "run").mkdir(mode=0o755)
    result = hob.run("run", "--", actor, "pause")
    assert result.returncode in (FAILED, NOT_PERMITTED) and str(hob.home / "run") in result.stderr
    assert result.stderr.count("\n") == 1
    assert list((hob.home / "run").iterdir()) == []


def test_runtime_directory_is_a_symlink(hob, actor, tmp):
    (hob.home / "run").symlink_to(tmp)
    result = hob.run("run", "--", actor, "pause")
    assert result.returncode in (FAILED, NOT_PERMITTED) and str(hob.home / "run") in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp.iterdir()) == []
    (hob.home / "run").unlink()


def test_runtime_directory_others_may_write(hob, actor):
    (hob.home / "run").mkdir()
    (hob.home / "run").chmod(0o777)
    result = hob.run("run", "--", actor, "pause")
    assert result.returncode in (FAILED, NOT_PERMITTED) and "run" in result.stderr


def test_home_that_cannot_be_written(make_hob, actor):
    need_root()
    hob = make_hob(user=NOBODY)
    os.chown(hob.home, 0, 0)
    hob.home.chmod(0o555)
    result = hob.run("run", "--", actor, "pause", cwd="/")
    assert result.returncode in (FAILED, NOT_PERMITTED) and str(hob.home) in result.stderr


def test_instance_of_someone_else(make_hob, actor):
    need_root()
    root = make_hob()
    root.up("web", actor, "pause")
    root.home.chmod(0o755)
    other = make_hob(user=NOBODY)
    result = other.run("stop", "web", env={"HOB_HOME": str(root.home)})
    assert result.returncode == NOT_PERMITTED, result
    assert root.state("web") == "active/running"


def test_very_long_home(make_hob, actor, tmp):
    """Longer than sun_path: it works all the same."""
    home = tmp / ("a" * 90) / ("b" * 90)
    home.mkdir(parents=True)
    hob = make_hob(home=home)
    pid = hob.up("web", actor, "pause")
    assert alive(pid)
    hob.run("stop", "web", check=0)
    hob.run("shutdown", check=0)


def test_home_that_is_not_absolute(hob, actor):
    assert hob.run("list", env={"HOB_HOME": "relative"}).returncode in (0, USAGE)


# A control socket nobody answers on.

def test_socket_nobody_listens_on(hob, actor):
    """A stale socket is no instance; `run` starts one."""
    (hob.home / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(hob.home / "run" / "control"))
    assert hob.json("list", status=0) == []
    assert alive(hob.up("web", actor, "pause"))


def test_socket_that_never_answers(hob):
    (hob.home / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(hob.home / "run" / "control"))
        s.listen(16)
        start = time.monotonic()
        result = hob.run("status", "web", check=NO_ANSWER)
        assert time.monotonic() - start < 20
        assert result.stderr.count("\n") == 1
    (hob.home / "run" / "control").unlink()


def test_stopped_supervisor(hob, actor):
    """It is there and does not answer: said so after a bounded wait, and it is not replaced by a second one."""
    hob.up("web", actor, "pause")
    supervisor = hob.instance()["supervisor_pid"]
    os.kill(supervisor, signal.SIGSTOP)
    try:
        result = hob.run("list")
        assert result.returncode in (NO_ANSWER, 0)
    finally:
        if alive(supervisor):
            os.kill(supervisor, signal.SIGCONT)
    assert hob.state("web") == "active/running"


# Clients that misbehave.

def still_serves(hob, pid):
    start = time.monotonic()
    assert hob.pid("web") == pid and alive(pid)
    assert time.monotonic() - start < 5


def test_wire_garbage(hob, actor):
    pid = hob.up("web", actor, "pause")
    supervisor = hob.instance()["supervisor_pid"]
    for data in (b"\0", b"\0" * 5000, b"hello\0", b"{}\0", b"[]\0", b"null\0", b'"x"\0', b'{"method":1}\0', b'{"method":"x"}\0', b"{" * 100000 + b"\0",
                 b'{"method":"hob.Supervisor.Stop","parameters":[]}\0', b'{"method":"hob.Supervisor.Stop","parameters":{"unit":7}}\0',
                 b'{"method":"hob.Supervisor.Run","parameters":{}}\0', b'{"method":"hob.Supervisor.List","parameters":null}\0',
                 b'{"method":"hob.Supervisor.Kill","parameters":{"unit":"web.service","request":"zz","signal":-1}}\0',
                 b"\xff\xfe\0", os.urandom(4096)):
        with hob.wire() as w:
            w.socket.sendall(data)
            w.socket.shutdown(socket.SHUT_WR)
            while w.socket.recv(65536):
                pass
        still_serves(hob, pid)
    assert hob.instance()["supervisor_pid"] == supervisor, "it has not even died of it"


def test_wire_half_a_message(hob, actor):
    pid = hob.up("web", actor, "pause")
    waiting = []
    for i in range(20):
        w = hob.wire()
        w.socket.sendall(b'{"method":"hob.Super')
        waiting.append(w)
    still_serves(hob, pid)
    for w in waiting:
        w.socket.close()
    still_serves(hob, pid)


def test_wire_byte_by_byte(hob, actor):
    hob.up("web", actor, "pause")
    with hob.wire() as w:
        for byte in b'{"method":"hob.Supervisor.GetInstance"}\0':
            w.socket.sendall(bytes([byte]))
        assert w.receive()["parameters"]["instance"]["init_pid"] == hob.instance()["init_pid"]


def test_wire_hundred_megabytes(hob, actor):
    pid = hob.up("web", actor, "pause")
    supervisor = hob.instance()["supervisor_pid"]
    with hob.wire() as w:
        chunk = b"x" * (1 << 20)
        try:
            for _ in range(100):
                w.socket.sendall(chunk)
            pytest.fail("100 MB were taken")
        except OSError:
            pass
    still_serves(hob, pid)
    assert hob.instance()["supervisor_pid"] == supervisor
    assert int(status_field(supervisor, "VmHWM").split()[0]) < 64 << 10, "bounded memory, KiB"


def test_wire_client_that_never_reads(hob, actor):
    """Bounded and dropped; others are served meanwhile."""
    for i in range(5):
        hob.up(f"s{i}", actor, "pause")
    pid = hob.up("web", actor, "pause")
    supervisor = hob.instance()["supervisor_pid"]
    with hob.wire() as w:
        w.socket.settimeout(0.5)
        try:
            for _ in range(200000):
                w.socket.sendall(b'{"method":"hob.Supervisor.List"}\0' * 100)
        except OSError:
            pass
        still_serves(hob, pid)
        assert int(status_field(supervisor, "VmHWM").split()[0]) < 128 << 10
    assert hob.instance()["supervisor_pid"] == supervisor


def test_wire_many_connections(hob, actor):
    pid = hob.up("web", actor, "pause")
    held = []
    try:
        for _ in range(600):
            w = hob.wire()
            w.socket.settimeout(2)
            held.append(w)
    except OSError:
        pass
    assert len(held) >= 50
    for w in held:
        w.socket.close()
    still_serves(hob, pid)
