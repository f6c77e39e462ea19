"""A server that misbehaves, and the network between: nothing hangs, nothing is lost, and all is well again
once the server is."""
import os
import subprocess

import pytest

from support import misbehaving, mounts
from support.checks import assert_sound, assert_whole, refused, shows
from support.misbehaving import (Delay, Drip, Hang, MisbehavingProxy, Noise, Reset, Truncate, error, page,
                                 redirect)
from support.process import DIRECTORY_CALL, outcomes, run, wait_until

pytestmark = [pytest.mark.s3_only, pytest.mark.slow]

OPERATION_TIMEOUT = 3
IN_TIME = f"op_timeout={OPERATION_TIMEOUT}"
MARGIN = 240  # what a busy machine may add to it

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
def mount(new_mount, small_database, proxy):
    """A mount that reaches its server by the proxy, with the fork "old"."""
    mount = new_mount(small_database.through(proxy), IN_TIME + ",refresh=1")
    wait_until(lambda: outcome("mkdir", mount.fork("old")) == "0")
    return mount


@pytest.fixture
def patient_mount(new_mount, small_database, proxy):
    """The same with time enough for what is to work."""
    mount = new_mount(small_database.through(proxy), "op_timeout=60,refresh=1")
    os.mkdir(mount.fork("old"))
    return mount


def outcome(call, path):
    """Calls os.mkdir or os.rmdir; "0" or the errno. Fails when that takes far longer than it may."""
    return outcomes(call, [path], OPERATION_TIMEOUT + MARGIN)[0]


def assert_reads_go_on(mount):
    assert "old" in os.listdir(mount.forks)
    assert mount.read("forks", "old", "status") == "active\n"
    assert mount.read("forks", "old", "datasets").startswith("{")
    assert '"old"' in mount.read("registry.json")


def assert_recovers(mount, database):
    """All works again without a new mount, and what failed has left nothing."""
    wait_until(lambda: outcome("mkdir", mount.fork("after")) == "0", what="a mkdir on a server that is well")
    wait_until(lambda: all(entry["status"] == "active" for entry in database.forks().values()),
               what="the clean-up")
    wait_until(lambda: shows(mount, *database.forks()))
    wait_until(lambda: outcome("rmdir", mount.fork("after")) == "0")
    assert_sound(database)


@pytest.mark.parametrize("kind", LASTING)
@pytest.mark.parametrize("call", ["mkdir", "rmdir"])
def test_a_server_that_is_unwell_fails_changes_in_time_and_reads_go_on(mount, small_database, proxy, kind,
                                                                       call):
    fault, allowed = LASTING[kind]
    proxy.misbehave(fault())
    found = outcome(call, mount.fork("new" if call == "mkdir" else "old"))
    assert found in allowed, (found, mount.errors())
    assert found in mount.errors()[-1]
    assert_reads_go_on(mount)
    proxy.behave()
    assert_recovers(mount, small_database)


@pytest.mark.parametrize("call", ["mkdir", "rmdir"])
def test_a_server_that_is_gone_fails_changes_in_time_and_reads_go_on(mount, small_database, proxy, call):
    proxy.refuse()
    found = outcome(call, mount.fork("new" if call == "mkdir" else "old"))
    assert found in UNREACHABLE, (found, mount.errors())
    assert found in mount.errors()[-1]
    assert_reads_go_on(mount)
    proxy.behave()
    assert_recovers(mount, small_database)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("kind", PASSING)
def test_what_goes_wrong_twice_is_got_over(patient_mount, small_database, proxy, kind, method):
    proxy.misbehave(PASSING[kind](methods={method}, times=2))
    assert outcome("mkdir", patient_mount.fork("new")) == "0", patient_mount.errors()
    assert_whole(small_database, "new")
    assert outcome("rmdir", patient_mount.fork("new")) == "0", patient_mount.errors()
    assert proxy.fired
    assert sorted(small_database.forks()) == ["old"]
    assert_sound(small_database)


@pytest.mark.parametrize("kind", ["fails when done", "resets", "resets when done", "truncates"])
def test_any_one_put_may_go_wrong(patient_mount, small_database, proxy, kind):
    """The n-th put of a mkdir and rmdir, for all n."""
    for n in range(1, 40):
        fault = PASSING[kind](methods={"PUT"}, times=1, after=n - 1, match="fork_")
        proxy.misbehave(fault)
        assert outcome("mkdir", patient_mount.fork("new")) == "0", (n, patient_mount.errors())
        assert_whole(small_database, "new")
        assert outcome("rmdir", patient_mount.fork("new")) == "0", (n, patient_mount.errors())
        assert sorted(small_database.forks()) == ["old"]
        if not proxy.fired:
            break
    else:
        raise AssertionError("the fault fired every time")
    assert n > 6
    proxy.behave()
    assert_sound(small_database)


def test_a_registry_commit_whose_answer_is_always_lost_is_recognised(patient_mount, small_database, proxy):
    """Put and lost: only reading again tells that it was done."""
    proxy.misbehave(Reset(applied=True, methods={"PUT"}, match="fork_registry"))
    assert outcome("mkdir", patient_mount.fork("new")) == "0", patient_mount.errors()
    assert proxy.fired
    proxy.behave()
    assert_whole(small_database, "new")
    assert_recovers(patient_mount, small_database)


def test_the_mount_stops_hammering_a_server_that_is_gone(mount, proxy):
    proxy.misbehave(Reset())
    assert outcome("mkdir", mount.fork("new")) != "0"
    wait_until(lambda: "forkfs_s3_breaker_open 1" in mount.read("stats").splitlines(), what="the breaker")
    before = len(proxy.requests)
    assert outcome("mkdir", mount.fork("new")) != "0"
    assert len(proxy.requests) - before < 20, "only looks whether it is back; a mkdir alone tries far more"
    proxy.behave()
    wait_until(lambda: outcome("mkdir", mount.fork("new")) == "0")


def test_unmounting_does_not_wait_for_a_server_that_hangs(mount, proxy):
    proxy.misbehave(Hang())
    assert mount.unmount() == 0


def test_mounting_from_a_server_that_hangs_fails_in_time(new_mount, small_database, proxy):
    proxy.misbehave(Hang())
    refused(new_mount, small_database.through(proxy), options=IN_TIME)


@pytest.mark.parametrize("kind, words", [
    ("asks to sign in", "not a listing"), ("sends to sign in", "302"), ("has a bad gateway", "HTTP 502"),
    ("talks nonsense", "connection was lost"), ("moved", "PermanentRedirect"), ("denies", "AccessDenied"),
    ("lost the bucket", "NoSuchBucket")])
def test_mounting_says_in_one_line_what_is_wrong(new_mount, small_database, proxy, kind, words):
    proxy.misbehave(LASTING[kind][0]())
    refused(new_mount, small_database.through(proxy), words, options=IN_TIME)


def test_mounting_with_the_wrong_region_says_which_one_it_is(new_mount, small_database, proxy):
    proxy.misbehave(error(301, "PermanentRedirect", headers=[("x-amz-bucket-region", "eu-west-9")]))
    refused(new_mount, small_database.through(proxy), "region=eu-west-9", options=IN_TIME)


def test_secrets_are_not_told_when_things_go_wrong(mount, small_database, proxy):
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


# ---- A server that does not answer ----

@pytest.mark.parametrize("call, name", [("mkdir", "new"), ("rmdir", "old"), ("rmdir", "tagged/tags/old")])
def test_a_change_that_gets_no_answer_fails_early_and_what_is_in_memory_can_be_read_meanwhile(
        new_mount, new_child, small_database, proxy, call, name):
    mount = new_mount(small_database.through(proxy), "op_timeout=60,s3_client=curl")
    os.mkdir(mount.fork("old"))
    os.mkdir(mount.fork("tagged"))
    os.mkdir(mount.fork("tagged", "tags", "old"))
    assert mount.read("forks", "old", "status") == "active\n"  # looked at
    before = small_database.snapshot()
    proxy.misbehave(Hang())
    child = new_child(DIRECTORY_CALL, call, mount.fork(name))
    assert child.line() == "ready"
    wait_until(lambda: proxy.fired)
    assert mount.read("forks", "old", "status") == "active\n"
    assert '"old"' in mount.read("registry.json")
    for file in ("events", "errors", "stats", "tombstones"):
        mount.read(file)
    assert child.result(OPERATION_TIMEOUT + MARGIN) in UNREACHABLE
    assert "the store has answered nothing so far, and nothing was begun" in mount.errors()[-1], mount.errors()
    assert small_database.snapshot() == before
    proxy.behave()
    assert_recovers(mount, small_database)


# ---- A server that does not know preconditions ----

@pytest.fixture
def careless(small_database, proxy):
    """The database behind a server that ignores If-Match and If-None-Match."""
    small_database.open_to_all()
    proxy.misbehave(misbehaving.WithoutPreconditions())
    return small_database.through(proxy)


def test_a_server_without_preconditions_is_not_mounted_writable(new_mount, careless):
    before = careless.everything()
    refused(new_mount, careless, "single_writer")
    assert careless.everything() == before


def test_with_single_writer_it_is_mounted_with_a_warning(new_mount, careless):
    mount = new_mount(careless, "single_writer")
    assert "warning" in mount.stderr().lower()
    os.mkdir(mount.fork("a"))
    assert_whole(careless, "a")
    os.rmdir(mount.fork("a"))
    assert_sound(careless)


def test_with_single_writer_it_is_repaired(new_mount, careless):
    mount = new_mount(careless, "single_writer")
    os.mkdir(mount.fork("a"))
    assert mount.unmount() == 0
    fork_id = careless.fork("a")["id"]
    careless.delete_object(careless.registry_key)
    words = ("--repair", *careless.arguments("watch=0"))
    done = run(mounts.forkfs_fsck(), *words, check=False, variables=careless.environment)
    assert done.returncode == 3 and "single_writer" in done.stderr
    words = ("--repair", *careless.arguments("watch=0", "single_writer"))
    run(mounts.forkfs_fsck(), *words, variables=careless.environment)
    assert_whole(careless, f"recovered-{fork_id}")
    assert_sound(careless)


@pytest.fixture
def versioned(small_database):
    """The database in a bucket that keeps versions, with which this gateway mixes up preconditions."""
    small_database.keep_from_others()
    small_database.client.put_bucket_versioning(Bucket=small_database.bucket,
                                                VersioningConfiguration={"Status": "Enabled"})
    return small_database


@pytest.mark.parametrize("options", ["", "single_writer"])
def test_where_versions_undo_preconditions_nothing_is_mounted_writable(new_mount, versioned, options):
    before = versioned.everything()
    refused(new_mount, versioned, "keeps versions", options=options)
    assert versioned.everything() == before


def test_what_keeps_versions_is_mounted_read_only(new_mount, versioned):
    mount = new_mount(versioned, "ro")
    assert os.listdir(mount.forks) == []


def test_read_only_it_is_mounted_without_a_word(new_mount, careless):
    mount = new_mount(careless, "ro")
    assert os.listdir(mount.forks) == []
    assert "warning" not in mount.stderr().lower()
