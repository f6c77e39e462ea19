"""Credentials that run out and are renewed, settings from files, and a start that is interrupted."""
import os
import signal
import subprocess

import pytest

from support import mounts
from support.checks import assert_whole, fsck, refused
from support.misbehaving import Fault, Hang, error
from support.process import PATIENCE, run, wait_until

pytestmark = pytest.mark.s3_only


class TokenGuard(Fault):
    """A server for which temporary credentials run out. The one behind it knows none, so it gets no
    signature: the bucket must be open to the public."""

    signed = ("authorization", "x-amz-security-token")

    def __init__(self, token):
        super().__init__()
        self.token = token

    def play(self, exchange):
        if exchange.headers.get("x-amz-security-token") != self.token:
            error(400, "ExpiredToken").play(exchange)
            return
        exchange.answer(exchange.forward([(name, value) for name, value in exchange.headers.items()
                                          if name.lower() not in self.signed]))


class Files:
    """The files of AWS tools, and the environment that names them and nothing else."""

    def __init__(self, folder):
        self.credentials = folder / "credentials"
        self.config = folder / "config"
        self.variables = {"AWS_SHARED_CREDENTIALS_FILE": str(self.credentials),
                          "AWS_CONFIG_FILE": str(self.config), "AWS_ACCESS_KEY_ID": "",
                          "AWS_SECRET_ACCESS_KEY": "", "AWS_REGION": ""}

    def write(self, keys, **further):
        """Credentials of the default profile, in place of those that were there."""
        lines = {"aws_access_key_id": keys["AWS_ACCESS_KEY_ID"],
                 "aws_secret_access_key": keys["AWS_SECRET_ACCESS_KEY"], **further}
        text = "[default]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())
        fresh = self.credentials.with_suffix(".new")
        fresh.write_text(text)
        os.rename(fresh, self.credentials)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


# ---- Temporary credentials ----

@pytest.fixture
def guarded(small_database, proxy):
    """A database behind a server that takes the token "first" only."""
    small_database.open_to_all()
    proxy.misbehave(TokenGuard("first"))
    return small_database.through(proxy)


def test_a_session_token_is_sent_with_every_request(new_mount, guarded, files, gateway):
    files.write(gateway.credentials, aws_session_token="first")
    mount = new_mount(guarded, variables=files.variables)
    os.mkdir(mount.fork("a"))
    assert_whole(guarded, "a")
    os.rmdir(mount.fork("a"))


def test_an_expired_token_is_told_before_the_mount(new_mount, guarded, files, gateway):
    files.write(gateway.credentials, aws_session_token="hushhush")
    line = refused(new_mount, guarded, "ExpiredToken", variables=files.variables)
    assert "hushhush" not in line


def test_credentials_that_a_file_calls_expired_are_not_even_tried(new_mount, guarded, files, gateway, proxy):
    files.write(gateway.credentials, aws_session_token="first", expiration="2001-02-03T04:05:06Z")
    refused(new_mount, guarded, "2001-02-03T04:05:06Z", variables=files.variables)
    assert proxy.requests == []


def test_a_token_that_expires_is_replaced_by_the_one_in_the_file(new_mount, guarded, files, gateway, proxy):
    files.write(gateway.credentials, aws_session_token="first")
    mount = new_mount(guarded, "refresh=0", variables=files.variables)
    files.write(gateway.credentials, aws_session_token="second")
    proxy.misbehave(TokenGuard("second"))
    os.mkdir(mount.fork("a"))  # at once: what the server refuses is read again
    assert_whole(guarded, "a")


def test_with_an_expired_token_changes_fail_and_reads_go_on(new_mount, guarded, files, gateway, proxy):
    files.write(gateway.credentials, aws_session_token="first")
    mount = new_mount(guarded, variables=files.variables)
    os.mkdir(mount.fork("a"))
    proxy.misbehave(TokenGuard("second"))
    with pytest.raises(PermissionError):
        os.mkdir(mount.fork("b"))
    assert "EACCES" in mount.errors()[-1]
    assert "first" not in mount.read("errors")
    assert mount.read("forks", "a", "status") == "active\n"
    files.write(gateway.credentials, aws_session_token="second")
    os.mkdir(mount.fork("b"))
    assert_whole(guarded, "b")


# ---- Settings from files ----

def test_endpoint_and_region_come_from_the_profile(new_mount, database, files, gateway):
    files.config.write_text("[default]\nregion = us-east-1\nservices = here\n"
                            f"[services here]\ns3 =\n  endpoint_url = {gateway.endpoint}\n")
    files.write(gateway.credentials)
    mount = new_mount(database.reached("path_style"), variables=files.variables)
    os.mkdir(mount.fork("a"))
    assert_whole(database, "a")


def test_a_file_that_does_not_parse_is_told_without_its_content(new_mount, database, files):
    files.credentials.write_text("[default]\naws_secret_access_key hushhush\n")
    line = refused(new_mount, database, str(files.credentials), "line 2", variables=files.variables)
    assert "hushhush" not in line


def test_single_sign_on_is_told_to_be_unsupported(new_mount, database, files):
    files.config.write_text("[default]\nsso_session = work\n")
    refused(new_mount, database, "sso_session", variables=files.variables)


def test_a_daemon_finds_files_that_were_given_by_relative_paths(new_mount, database, files, gateway, tmp_path):
    files.write(gateway.credentials)
    variables = {name: os.path.relpath(value) if name.endswith("_FILE") else value
                 for name, value in files.variables.items()}
    mount = new_mount(database, daemon=True, variables=variables)
    files.write({**gateway.credentials, "AWS_SECRET_ACCESS_KEY": "wrong"})

    def is_refused(name):
        try:
            os.mkdir(mount.fork(name))
        except PermissionError:
            return True
        return False

    names = (f"fork{number}" for number in range(10000))
    wait_until(lambda: is_refused(next(names)))  # so it has been read again


# ---- forkfs-fsck ----

def test_fsck_finds_what_is_wrong_in_a_bucket(new_mount, database):
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    mount.unmount()
    assert fsck(database).returncode == 0
    database.delete_object(database.fork_allocator_key(database.fork("a")["id"]))
    assert fsck(database).returncode == 1


def test_fsck_tells_that_it_cannot_read_the_bucket(database, gateway):
    done = run(mounts.forkfs_fsck(), *database.arguments(), check=False,
               variables={**database.environment, "AWS_SECRET_ACCESS_KEY": "wrong"})
    assert done.returncode == 3
    assert "SignatureDoesNotMatch" in done.stderr
    done = run(mounts.forkfs_fsck(), "-o", "path_style", "/tmp", check=False)
    assert done.returncode == 2


# ---- What belongs to S3 ----

@pytest.mark.parametrize("option", ["endpoint=http://h", "region=r", "profile=p", "path_style", "ca_file=/f",
                                    "s3_client=curl", "single_writer"])
def test_options_of_s3_are_a_usage_error_on_a_directory(option, tmp_path):
    done = run(mounts.forkfs(), "-o", option, tmp_path, tmp_path, check=False)
    assert done.returncode == 2
    assert option.partition("=")[0] in done.stderr


# ---- Interrupted before the mount ----

@pytest.mark.parametrize("daemon", [False, True], ids=["foreground", "daemon"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_waits_for_the_server_can_be_interrupted(small_database, proxy, tmp_path, number, daemon):
    proxy.misbehave(Hang())
    mountpoint = os.path.join(os.path.realpath(tmp_path), "mountpoint")
    os.mkdir(mountpoint)
    process = subprocess.Popen([mounts.forkfs(), *([] if daemon else ["-f"]),
                                *small_database.through(proxy).arguments(), mountpoint],
                               env={**os.environ, **small_database.environment})
    try:
        wait_until(lambda: proxy.requests, what="the first request")
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE) != 0
        wait_until(lambda: not mounts.servers_of(mountpoint), what="the end of the other process")
        assert mounts.mount_entry(mountpoint) is None
    finally:
        process.kill()
        process.wait()
