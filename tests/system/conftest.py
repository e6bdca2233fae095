"""Fixtures of the system tests: instances of hob that are gone after the test, and test programs."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import uuid

import pytest

import hoblib

PROGRAMS = pathlib.Path(__file__).resolve().parent / "programs"


@pytest.fixture(scope="session")
def scratch():
    """A directory of this run, open to all users, for programs and copies."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="hobt-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def binary(scratch):
    """hob and hob-init, copied to where every user can run them and no later build changes them."""
    if not (hoblib.BUILD / "hob").exists():
        pytest.exit(f"{hoblib.BUILD}/hob is missing: build first, or set HOB_BUILD", returncode=2)
    (scratch / "bin").mkdir(mode=0o755)
    for name in ("hob", "hob-init"):
        shutil.copy(hoblib.BUILD / name, scratch / "bin" / name)
        (scratch / "bin" / name).chmod(0o755)
    return scratch / "bin" / "hob"


@pytest.fixture(scope="session")
def program(scratch):
    """program("actor"): the path of programs/actor.c, compiled once."""
    made = {}

    def build(name):
        if name not in made:
            target = scratch / name
            subprocess.run([os.environ.get("CC", "cc"), "-O1", "-Wall", "-D_GNU_SOURCE", "-o", target,
                            PROGRAMS / f"{name}.c"], check=True)
            made[name] = str(target)
        return made[name]
    return build


@pytest.fixture(scope="session")
def actor(program):
    return program("actor")


@pytest.fixture
def make_hob(binary, tmp):
    """make_hob(env=, user=, home=): a new instance's Hob; all are ended after the test, before tmp goes."""
    made = []

    def make(env=None, user=None, home=None):
        home = pathlib.Path(home or tempfile.mkdtemp(prefix="hob", dir="/tmp"))
        home.chmod(0o755)  # services of other users must reach the notify socket
        if user is not None:
            os.chown(home, user, user)
        made.append(hoblib.Hob(home, binary, env, user))
        return made[-1]

    yield make
    left = [(h.home, *what) for h in made for what in h.end()]
    if left:
        pytest.fail("processes were left after shutdown and had to be killed: "
                    + "; ".join(f"{pid} ({command})" for _, pid, command in left))


@pytest.fixture
def hob(make_hob):
    return make_hob()


@pytest.fixture(params=["default", "scan"])
def any_hob(request, make_hob):
    """An instance with each back end of the tree."""
    return make_hob(env={"HOB_TREE": "scan"} if request.param == "scan" else None)


@pytest.fixture
def marker():
    """A word that, given to a program as an argument, tells its processes from all others."""
    return f"mark-{uuid.uuid4().hex}"


@pytest.fixture
def tmp():
    """A directory that every user may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="hobd", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)
