"""Real servers from Debian (issue section 8): started from a terminal that is then closed, talked to
by a real client, killed with SIGKILL and talked to again, stopped: nothing left."""
import os
import signal
import socket
import subprocess
import urllib.request

import pytest

from hoblib import *


def http(port, wanted):
    def ask():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as reply:
                return wanted in reply.read()
        except OSError:
            return False
    return ask


def python_server(tmp, port):
    (tmp / "index.html").write_text("hello from python")
    return [need_program("python3"), "-m", "http.server", port, "--bind", "127.0.0.1", "--directory", tmp], http(port, b"hello from python")


def nginx(tmp, port):
    (tmp / "index.html").write_text("hello from nginx")
    (tmp / "nginx.conf").write_text(f"""
        daemon off; worker_processes 2; pid {tmp}/nginx.pid; error_log stderr;
        events {{ }}
        http {{ access_log /dev/stdout; client_body_temp_path {tmp}/b; proxy_temp_path {tmp}/p; fastcgi_temp_path {tmp}/f;
                uwsgi_temp_path {tmp}/u; scgi_temp_path {tmp}/s;
                server {{ listen 127.0.0.1:{port} reuseport; root {tmp}; }} }}""")
    return [need_program("nginx"), "-c", tmp / "nginx.conf", "-p", tmp], http(port, b"hello from nginx")


def redis(tmp, port):
    client = need_program("redis-cli")
    def ask():
        done = subprocess.run([client, "-p", str(port), "set", "key", "value"], capture_output=True, text=True, timeout=10)
        return done.stdout == "OK\n"
    return [need_program("redis-server"), "--port", port, "--bind", "127.0.0.1", "--dir", tmp, "--save", ""], ask


def memcached(tmp, port):
    def ask():
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                s.sendall(b"set k 0 0 5\r\nhello\r\nget k\r\n")
                reply = b""
                while b"END" not in reply:
                    data = s.recv(1000)
                    if not data:
                        return False
                    reply += data
                return reply == b"STORED\r\nVALUE k 0 5\r\nhello\r\nEND\r\n"
        except OSError:
            return False
    # -u: as root it wants to know whom to become.
    return [need_program("memcached"), "-p", port, "-U", "0", "-l", "127.0.0.1", *(["-u", "nobody"] if os.geteuid() == 0 else [])], ask


@pytest.mark.parametrize("server", [python_server, nginx, redis, memcached])
def test_server(hob, tmp, server):
    need_pty()
    port = free_port()
    command, ask = server(tmp, port)
    words = [str(w) for w in command]

    # A shell on a terminal runs it and is then hung up on.
    shell = Terminal(["/bin/sh", "-c", '"$0" "$@"; cat', str(hob.binary), "run", "--name", "server", "--settle", "200ms", "--restart-delay", "100ms",
                      "--stop-timeout", "10s", "--", *words], {**hob.env, "TERM": "xterm"}, tmp)
    shell.read_until(rb"server: running, pid \d+")
    shell.close()
    pid = hob.pid("server")
    tree = lambda: [pid] + [s.pid for s in descendants(pid)]
    wait_until(ask, what="an answer")

    # Its main process is killed: a new one answers, nothing of the old one is left.
    old = tree()
    os.kill(pid, signal.SIGKILL)
    pid = wait_until(lambda: (s := hob.status("server"))["sub"] == "running" and s["main_pid"] != pid and s["main_pid"], 30, "the restart")
    wait_until(ask, 30, "an answer after the restart")
    assert not any(map(alive, old))
    assert hob.status("server")["n_restarts"] >= 1

    # The supervisor is killed: the same server answers.
    os.kill(hob.instance()["supervisor_pid"], signal.SIGKILL)
    assert hob.pid("server") == pid and ask()

    # Stopped: nothing is left, also not on its port.
    last = tree()
    hob.run("stop", "server", check=0)
    assert not any(map(alive, last))
    with socket.socket() as s:
        s.settimeout(2)
        assert s.connect_ex(("127.0.0.1", port)) != 0
    assert hob.status("server")["state"] == "inactive"


def test_server_whose_port_is_taken(hob, tmp):
    """The command from the README: exit status 1, the reason is shown, it stays failed."""
    port = free_port()
    command, ask = python_server(tmp, port)
    hob.up("web", *command)
    wait_until(ask)
    result = hob.run("run", "--name", "web2", "--", *command, check=FAILED)
    assert "Address already in use" in result.stderr
    s = hob.status("web2")
    assert s["state"] == "failed" and s["n_restarts"] == 0
    assert "Address already in use" in hob.run("why", "web2").stdout
    assert ask()


def test_the_hand_typed_session(hob, tmp):
    """"Done when" of the issue, step by step."""
    port = free_port()
    command, ask = python_server(tmp, port)
    hob.run("run", "--name", "web", "--", *command, check=0)
    pid = hob.pid("web")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "SIGKILL" in hob.run("why", "web").stdout, what="why to tell of SIGKILL")
    wait_until(ask, 30)
    pid = hob.pid("web")
    os.kill(hob.instance()["supervisor_pid"], signal.SIGKILL)
    assert str(pid) in hob.run("status", "web", check=0).stdout
    assert hob.run("logs", "-n", "5", "web", check=0).stdout
    hob.run("stop", "web", check=0)
    assert "web" in hob.run("list", check=0).stdout
    hob.run("shutdown", check=0)


def test_pinglog(hob):
    """The example: start line, ping's result, end line, a clean end on SIGTERM."""
    example = BUILD / "examples" / "pinglog"
    if not example.exists():
        example = BUILD / "pinglog"
    if not example.exists():
        pytest.skip("needs examples/pinglog, which was not built")
    hob.up("pinglog", example)
    wait_until(lambda: hob.log("pinglog").count(b"\n") >= 3, what="its lines")
    hob.run("stop", "pinglog", check=0)
    s = hob.status("pinglog")
    assert (s["state"], s["result"]) == ("inactive", "success")
