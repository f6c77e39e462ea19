"""A server that misbehaves, and the network between: nothing hangs, nothing is lost, and all is well again
once the server is."""
import os
import subprocess

import pytest

from support import misbehaving
from support.checks import assert_sound, assert_whole
from support.misbehaving import Delay, Drip, Hang, MisbehavingProxy, Noise, Reset, Truncate, error, page, redirect
from support.mounts import MountFailed
from support.process import DIRECTORY_CALL, wait_until

pytestmark = [pytest.mark.s3_only, pytest.mark.slow]

OPERATION_TIMEOUT = 3
MARGIN = 30  # what a busy machine may add to it

UNREACHABLE = {"EHOSTUNREACH", "ETIMEDOUT"}
FAILING = UNREACHABLE | {"EIO"}
REFUSING = FAILING | {"EACCES"}
# What is wrong with every request, until it is repaired; how mkdir and rmdir may end then.
LASTING = {
    "hangs": (Hang, UNREACHABLE),
    "is busy": (lambda: error(503, "SlowDown"), FAILING),
    "fails": (lambda: error(500, "InternalError"), FAILING),
    "moved": (lambda: redirect(301, "http://127.0.0.1:1/"), FAILING),
    "moved for now": (lambda: redirect(307, "http://127.0.0.1:1/"), FAILING),
    "asks to sign in": (lambda: page(200), FAILING),
    "sends to sign in": (lambda: page(302, headers=[("Location", "http://127.0.0.1:1/")]), FAILING),
    "does not find": (lambda: page(404), REFUSING),
    "has a bad gateway": (lambda: page(502), FAILING),
    "resets": (Reset, FAILING),
    "resets when done": (lambda: Reset(applied=True), FAILING),
    "truncates": (Truncate, FAILING),
    "drips": (lambda: Drip(0.5), FAILING),
    "talks nonsense": (Noise, FAILING),
    "denies": (lambda: error(403, "AccessDenied"), {"EACCES"}),
    "is out of time": (lambda: error(403, "RequestTimeTooSkewed"), {"EACCES"} | FAILING),
    "lost the bucket": (lambda: error(404, "NoSuchBucket"), FAILING),
}
# What goes wrong once or twice and is to be got over.
PASSING = {
    "is busy": lambda **which: error(503, "SlowDown", **which),
    "fails": lambda **which: error(500, "InternalError", **which),
    "fails when done": lambda **which: error(500, "InternalError", applied=True, **which),
    "has a bad gateway": lambda **which: page(502, **which),
    "sends to sign in": lambda **which: page(302, headers=[("Location", "http://127.0.0.1:1/")], **which),
    "resets": Reset,
    "resets when done": lambda **which: Reset(applied=True, **which),
    "truncates": Truncate,
    "is slow": lambda **which: Delay(0.3, **which),
}


@pytest.fixture
def proxy(gateway):
    made = MisbehavingProxy(gateway.endpoint)
    yield made
    made.stop()


@pytest.fixture
def mount(new_mount, small_database, proxy):
    """A mount that reaches its server by the proxy, with the fork "old"."""
    mount = new_mount(small_database.through(proxy), f"op_timeout={OPERATION_TIMEOUT},refresh=1")
    os.mkdir(mount.fork("old"))
    return mount


@pytest.fixture
def outcome(new_child):
    """Calls os.mkdir or os.rmdir; "0" or the errno. Fails when that takes far longer than it may."""
    def call(name, path):
        return new_child(DIRECTORY_CALL, name, path).result(OPERATION_TIMEOUT + MARGIN).split()[-1]
    return call


def assert_reads_go_on(mount):
    assert "old" in os.listdir(mount.forks)
    assert mount.read("forks", "old", "status") == "active\n"
    assert mount.read("forks", "old", "datasets").startswith("{")
    assert '"old"' in mount.read("registry.json")


def assert_recovers(mount, database, outcome):
    """All works again without a new mount, and what failed has left nothing."""
    wait_until(lambda: outcome("mkdir", mount.fork("after")) == "0", 60, "a mkdir on a server that is well")
    wait_until(lambda: all(entry["status"] == "active" for entry in database.forks().values()), 90,
               "the clean-up")
    wait_until(lambda: sorted(os.listdir(mount.forks)) == sorted(database.forks()))
    wait_until(lambda: outcome("rmdir", mount.fork("after")) == "0")
    assert_whole(database, "old") if "old" in database.forks() else None
    assert_sound(database)


@pytest.mark.parametrize("kind", LASTING)
@pytest.mark.parametrize("call", ["mkdir", "rmdir"])
def test_a_server_that_is_unwell_fails_changes_in_time_and_reads_go_on(mount, small_database, proxy, outcome,
                                                                       kind, call):
    fault, allowed = LASTING[kind]
    proxy.misbehave(fault())
    found = outcome(call, mount.fork("new" if call == "mkdir" else "old"))
    assert found in allowed, (found, mount.errors())
    assert found in mount.errors()[-1]
    assert_reads_go_on(mount)
    proxy.behave()
    assert_recovers(mount, small_database, outcome)


@pytest.mark.parametrize("call", ["mkdir", "rmdir"])
def test_a_server_that_is_gone_fails_changes_in_time_and_reads_go_on(mount, small_database, proxy, outcome,
                                                                     call):
    proxy.refuse()
    found = outcome(call, mount.fork("new" if call == "mkdir" else "old"))
    assert found in UNREACHABLE, (found, mount.errors())
    assert found in mount.errors()[-1]
    assert_reads_go_on(mount)
    proxy.behave()
    assert_recovers(mount, small_database, outcome)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("kind", PASSING)
def test_what_goes_wrong_twice_is_got_over(mount, small_database, proxy, outcome, kind, method):
    proxy.misbehave(PASSING[kind](methods={method}, times=2))
    assert outcome("mkdir", mount.fork("new")) == "0", mount.errors()
    assert_whole(small_database, "new")
    assert outcome("rmdir", mount.fork("new")) == "0", mount.errors()
    assert proxy.fired or method == "GET"
    assert sorted(small_database.forks()) == ["old"]
    assert_sound(small_database)


@pytest.mark.parametrize("kind", ["fails when done", "resets", "resets when done", "truncates"])
def test_any_one_put_may_go_wrong(mount, small_database, proxy, outcome, kind):
    """The n-th put of a mkdir and rmdir, for all n."""
    for n in range(1, 40):
        fault = PASSING[kind](methods={"PUT"}, times=1, after=n - 1, match="fork_")
        proxy.misbehave(fault)
        assert outcome("mkdir", mount.fork("new")) == "0", (n, mount.errors())
        assert_whole(small_database, "new")
        assert outcome("rmdir", mount.fork("new")) == "0", (n, mount.errors())
        assert sorted(small_database.forks()) == ["old"]
        if not proxy.fired:
            break
    else:
        raise AssertionError("the fault fired every time")
    assert n > 6
    proxy.behave()
    assert_sound(small_database)


def test_a_registry_commit_whose_answer_is_always_lost_is_recognised(mount, small_database, proxy, outcome):
    """Put and lost: only reading again tells that it was done."""
    proxy.misbehave(Reset(applied=True, methods={"PUT"}, match="fork_registry"))
    found = outcome("mkdir", mount.fork("new"))
    proxy.behave()
    if found == "0":
        assert_whole(small_database, "new")
    assert_recovers(mount, small_database, outcome)


def test_the_mount_stops_hammering_a_server_that_is_gone(mount, proxy, outcome):
    proxy.misbehave(Reset())
    assert outcome("mkdir", mount.fork("new")) != "0"
    counted = []

    def calmer():
        counted.append(len(proxy.requests))
        return len(counted) > 400  # of 5 ms each
    wait_until(calmer, 60)
    assert counted[-1] - counted[0] < 100, "requests in about two seconds"
    proxy.behave()
    wait_until(lambda: outcome("mkdir", mount.fork("new")) == "0", 60)


def test_unmounting_does_not_wait_for_a_server_that_hangs(mount, proxy):
    proxy.misbehave(Hang())
    assert mount.unmount() == 0


def test_mounting_from_a_server_that_hangs_fails_in_time(new_mount, small_database, proxy):
    proxy.misbehave(Hang())
    with pytest.raises(MountFailed) as failure:
        new_mount(small_database.through(proxy), f"op_timeout={OPERATION_TIMEOUT}")
    assert failure.value.status == 1
    assert len(failure.value.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("kind", ["asks to sign in", "sends to sign in", "has a bad gateway", "talks nonsense",
                                  "moved", "denies", "lost the bucket"])
def test_mounting_says_in_one_line_what_is_wrong(new_mount, small_database, proxy, kind):
    proxy.misbehave(LASTING[kind][0]())
    with pytest.raises(MountFailed) as failure:
        new_mount(small_database.through(proxy), f"op_timeout={OPERATION_TIMEOUT}")
    assert failure.value.status == 1
    assert len(failure.value.stderr.strip().splitlines()) == 1
    assert small_database.environment["AWS_SECRET_ACCESS_KEY"] not in failure.value.stderr


def test_mounting_with_the_wrong_region_says_which_one_it_is(new_mount, small_database, proxy):
    proxy.misbehave(error(301, "PermanentRedirect", headers=[("x-amz-bucket-region", "eu-west-9")]))
    with pytest.raises(MountFailed) as failure:
        new_mount(small_database.through(proxy), f"op_timeout={OPERATION_TIMEOUT}")
    assert failure.value.status == 1
    (line,) = failure.value.stderr.strip().splitlines()
    assert "region=eu-west-9" in line


def test_secrets_are_not_told_when_things_go_wrong(mount, small_database, proxy, outcome):
    for fault in (error(403, "SignatureDoesNotMatch"), page(502), Noise()):
        proxy.misbehave(fault)
        outcome("mkdir", mount.fork("new"))
    told = mount.read("errors") + mount.stderr() + mount.read("stats")
    assert small_database.environment["AWS_SECRET_ACCESS_KEY"] not in told


# ---- A server that gets a new certificate ----

def new_certificate(path):
    """Makes one for 127.0.0.1 that nobody has signed but itself, and returns the file, with its key."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-keyout", path, "-out", str(path) + ".pem", "-days", "2", "-subj",
                    "/CN=" + path.name, "-config", "/dev/null", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-addext", "basicConstraints=critical,CA:TRUE"], check=True, stderr=subprocess.DEVNULL)
    with open(path, "a", encoding="utf-8") as stream:
        stream.write((path.parent / (path.name + ".pem")).read_text())
    return path


def test_a_renewed_ca_file_is_noticed(new_mount, small_database, gateway, tmp_path):
    trusted = new_certificate(tmp_path / "trusted")
    proxy = MisbehavingProxy(gateway.endpoint, trusted)
    try:
        mount = new_mount(small_database.reached("endpoint=" + proxy.endpoint, "path_style",
                                                 f"ca_file={trusted}"))
        os.mkdir(mount.fork("before"))
        proxy.close()
        proxy.certificate = new_certificate(tmp_path / "renewed")
        proxy.behave()
        with pytest.raises(OSError):
            os.mkdir(mount.fork("meanwhile"))
        os.replace(proxy.certificate, trusted)
        os.mkdir(mount.fork("after"))
        assert_whole(small_database, "after")
        assert mount.unmount() == 0
    finally:
        proxy.stop()


# ---- A server that does not know preconditions ----

@pytest.fixture
def careless(small_database, proxy):
    """The database behind a server that ignores If-Match and If-None-Match."""
    small_database.open_to_all()
    proxy.misbehave(misbehaving.WithoutPreconditions())
    return small_database.through(proxy)


def test_a_server_without_preconditions_is_not_mounted_writable(new_mount, careless):
    before = careless.everything()
    with pytest.raises(MountFailed) as failure:
        new_mount(careless)
    assert failure.value.status == 1
    assert len(failure.value.stderr.strip().splitlines()) == 1
    assert "single_writer" in failure.value.stderr
    assert careless.everything() == before


def test_with_single_writer_it_is_mounted_with_a_warning(new_mount, careless):
    mount = new_mount(careless, "single_writer")
    assert "warning" in mount.stderr().lower()
    os.mkdir(mount.fork("a"))
    assert_whole(careless, "a")
    os.rmdir(mount.fork("a"))
    assert_sound(careless)


def test_read_only_it_is_mounted_without_a_word(new_mount, careless):
    mount = new_mount(careless, "ro")
    assert os.listdir(mount.forks) == []
    assert "warning" not in mount.stderr().lower()
