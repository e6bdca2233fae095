"""The control socket as an interface: Varlink, introspection, requests that are done once."""
import os
import uuid

from hoblib import *

S = "hob.Supervisor."


def request():
    return uuid.uuid4().hex


def text(actor, *steps):
    return f"[Service]\nType=exec\nExecStart={actor} {' '.join(steps)}\n"


def test_introspection(hob, actor):
    hob.up("web", actor, "pause")
    with hob.wire() as w:
        info = w.call("org.varlink.service.GetInfo")["parameters"]
        assert {"vendor", "product", "version", "url", "interfaces"} <= set(info)
        assert {"hob.Supervisor", "org.varlink.service"} <= set(info["interfaces"])
        described = w.call("org.varlink.service.GetInterfaceDescription", {"interface": "hob.Supervisor"})["parameters"]["description"]
        for method in "Run Start Stop Restart Reload Kill Wait Forget Shutdown GetInstance GetService List Show Cat Flush".split():
            assert f"method {method}(" in described


def test_errors(hob, actor):
    hob.up("web", actor, "pause")
    with hob.wire() as w:
        assert w.call(S + "NoSuchMethod")["error"] == "org.varlink.service.MethodNotFound"
        assert w.call(S + "GetService", {"unit": 5})["error"] == "org.varlink.service.InvalidParameter"
        assert w.call(S + "GetService", {})["error"] == "org.varlink.service.InvalidParameter"
        assert w.call(S + "GetService", {"unit": "nothing.service"})["error"] == S + "NoSuchUnit"
        assert w.call(S + "Run", {"unit": "x.service", "text": "[Service]\n", "request": request()})["error"] == S + "InvalidUnit"
        assert w.call("org.varlink.service.GetInterfaceDescription", {"interface": "no.such"})["error"]
        assert w.call(S + "GetInstance")["parameters"]["instance"]["n_services"] == 1, "the connection goes on"


def test_the_same_request_is_done_once(hob, actor, tmp):
    hob.up("other", actor, "pause")
    r = request()
    call = {"unit": "web.service", "text": text(actor, f"append:{tmp}/starts", "pause"), "request": r, "settle_usec": 0}
    with hob.wire() as w:
        first = w.call(S + "Run", call)["parameters"]
        assert first["verdict"] == "done"
    with hob.wire() as w:
        again = w.call(S + "Run", call)["parameters"]
        assert again["verdict"] == "done" and again["service"]["main_pid"] == first["service"]["main_pid"]
        other = w.call(S + "Run", {**call, "request": request()})["parameters"]
        assert other["verdict"] == "already-running"
    wait_until(lambda: lines_of(tmp / "starts"))
    assert lines_of(tmp / "starts") == [str(hob.pid("web"))]


def test_the_same_restart_is_done_once(hob, actor):
    hob.up("web", actor, "pause")
    r = request()
    with hob.wire() as w:
        call = {"unit": "web.service", "request": r, "settle_usec": 0}
        pid = w.call(S + "Restart", call)["parameters"]["service"]["main_pid"]
        assert w.call(S + "Restart", call)["parameters"]["service"]["main_pid"] == pid == hob.pid("web")


def test_progress_comes_at_once_with_more(hob, actor, tmp):
    hob.up("other", actor, "pause")
    unit = f"[Service]\nType=notify\nExecStart={actor} await:{tmp}/go notify:READY=1 pause\n"
    with hob.wire() as w:
        w.send(S + "Run", {"unit": "web.service", "text": unit, "request": request(), "settle_usec": 0}, more=True)
        first = w.receive()
        assert first["continues"] and "progress" in first["parameters"]
        (tmp / "go").touch()
        while (reply := w.receive()).get("continues"):
            pass
        assert reply["parameters"]["verdict"] == "done"


def test_pipelined_calls_are_all_answered(hob, actor):
    hob.up("other", actor, "pause")
    with hob.wire() as w:
        for i in range(100):
            w.send(S + "Run", {"unit": f"s{i}.service", "text": text(actor, "pause"), "request": request(), "settle_usec": 0})
        pids = {w.receive()["parameters"]["service"]["main_pid"] for _ in range(100)}
        assert len(pids) == 100 and all(map(alive, pids))
        services = w.call(S + "List")["parameters"]["services"]
        assert len(services) == 101


def test_client_gone_while_it_waits(hob, actor, tmp):
    """Its job goes on."""
    hob.up("other", actor, "pause")
    unit = f"[Service]\nType=notify\nExecStart={actor} await:{tmp}/go notify:READY=1 pause\n"
    with hob.wire() as w:
        w.send(S + "Run", {"unit": "web.service", "text": unit, "request": request(), "settle_usec": 0}, more=True)
        w.receive()
    hob.wait_state("web", "activating")
    (tmp / "go").touch()
    hob.wait_state("web", "active/running")


def test_oneway_gets_no_reply(hob, actor):
    hob.up("web", actor, "pause")
    with hob.wire() as w:
        w.send(S + "Stop", {"unit": "web.service", "request": request()}, oneway=True)
        w.send(S + "GetInstance")
        assert "instance" in w.receive()["parameters"]
    hob.wait_state("web", "inactive")


def test_control_socket_is_closed_to_others(hob, actor):
    hob.up("web", actor, "pause")
    assert os.stat(hob.home / "run" / "control").st_mode & 0o077 == 0 or os.stat(hob.home / "run").st_mode & 0o077 == 0


def test_no_readiness_is_lost(hob, actor):
    """Hundreds get ready at once, some of them before hob has noticed that they run."""
    hob.up("other", actor, "pause")
    with hob.wire() as w:
        for i in range(300):
            w.send(S + "Run", {"unit": f"s{i}.service", "text": text(actor, "notify:READY=1", "pause").replace("Type=exec", "Type=notify"),
                               "request": request(), "settle_usec": 0})
        assert {w.receive()["parameters"]["verdict"] for _ in range(300)} == {"done"}
