"""Ways to a bucket: protocols, styles, clients, credentials, and what is wrong with them."""
import itertools
import os
import subprocess

import pytest

from support import mounts
from support.checks import assert_sound, assert_whole, fsck, refused
from support.process import PATIENCE, run, wait_until

pytestmark = pytest.mark.s3_only


def virtual_host(endpoint):
    """The endpoint under the name below which the server knows buckets by their host names."""
    return endpoint.replace("127.0.0.1", "s3.localhost")


# Options; what is in braces depends on the server.
WAYS = {
    "http": "endpoint={http},path_style",
    "http, address": "endpoint={http}",  # which cannot be part of a host name
    "http, by host": "endpoint={http_by_host}",
    "http, curl": "endpoint={http},path_style,s3_client=curl",
    "http, libs3": "endpoint={http},path_style,s3_client=libs3",
    "http, by host, curl": "endpoint={http_by_host},s3_client=curl",
    "https": "endpoint={https},path_style,ca_file={ca_file}",
    "https, by host": "endpoint={https_by_host},ca_file={ca_file}",
    "https, region": "endpoint={https},path_style,ca_file={ca_file},region=eu-west-1",
    "one at a time": "endpoint={http},path_style,jobs=1",
}


@pytest.fixture
def way(request, gateway):
    """The options of a way."""
    return request.param.format(
        http=gateway.endpoint, http_by_host=virtual_host(gateway.endpoint), https=gateway.https_endpoint,
        https_by_host=virtual_host(gateway.https_endpoint), ca_file=gateway.ca_file).split(",")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS, indirect=True)
def test_a_fork_comes_and_goes(new_mount, database, way):
    reached = database.reached(*way)
    mount = new_mount(reached)
    os.mkdir(mount.fork("a"))
    assert_whole(database, "a")
    with open(mount.fork("a", "ttl"), "w", encoding="utf-8") as stream:
        stream.write("1000")
    os.mkdir(mount.fork("a", "tags", "t"))
    os.rmdir(mount.fork("a", "tags", "t"))
    assert fsck(reached).returncode == 0, fsck(reached).stderr
    os.rmdir(mount.fork("a"))
    assert_sound(database)


@pytest.mark.parametrize("client", ["curl", "libs3"])
@pytest.mark.parametrize("variables, code", [
    ({"AWS_ACCESS_KEY_ID": "NOSUCHKEY"}, "InvalidAccessKeyId"),
    ({"AWS_SECRET_ACCESS_KEY": "not-the-right-one"}, "SignatureDoesNotMatch")], ids=["key", "secret"])
def test_wrong_credentials_are_told(new_mount, database, gateway, variables, code, client):
    reached = database.reached("endpoint=" + gateway.endpoint, "path_style", "s3_client=" + client)
    refused(new_mount, reached, code, variables=variables)


def test_missing_credentials_are_told(new_mount, database, tmp_path):
    refused(new_mount, database, "credentials", variables={
        "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": str(tmp_path)})


@pytest.mark.parametrize("client", ["curl", "libs3"])
def test_a_bucket_that_does_not_exist_is_told(new_mount, database, gateway, client):
    reached = database.reached("endpoint=" + gateway.endpoint, "path_style", "s3_client=" + client)
    reached.source = "s3://no-such-bucket/graph"
    refused(new_mount, reached, "no-such-bucket")


def test_an_endpoint_where_nobody_listens_is_told(new_mount, database):
    refused(new_mount, database.reached("endpoint=http://127.0.0.1:9", "path_style", "op_timeout=3"),
            "127.0.0.1", "port 9")


@pytest.mark.parametrize("endpoint", ["ftp://x", "http://x/path", "http://u:hush@x", "https://a..b"])
def test_an_endpoint_that_cannot_be_one_is_told_alike_from_everywhere(new_mount, database, endpoint):
    told = refused(new_mount, database.reached("endpoint=" + endpoint, "path_style"), "endpoint")
    assert refused(new_mount, database.reached("path_style"),
                   variables={"AWS_ENDPOINT_URL_S3": endpoint}) == told
    assert "hush" not in told


def test_a_region_may_be_none_of_aws_when_the_environment_has_the_endpoint(new_mount, database, gateway):
    mount = new_mount(database.reached("path_style", "region=RegionOne"),
                      variables={"AWS_ENDPOINT_URL_S3": gateway.endpoint})
    os.mkdir(mount.fork("a"))
    assert_whole(database, "a")


def test_a_region_that_cannot_be_one_is_told(new_mount, database):
    refused(new_mount, database.reached("region=Region One"), "Region One")
    refused(new_mount, database.reached("region=RegionOne"), "RegionOne")


def test_an_endpoint_that_has_no_name_is_told(new_mount, database):
    refused(new_mount, database.reached("endpoint=http://no-such-host.invalid", "path_style", "op_timeout=3"),
            "no-such-host.invalid")


def test_a_certificate_of_an_unknown_authority_is_refused(new_mount, database, gateway):
    refused(new_mount, database.reached("endpoint=" + gateway.https_endpoint, "path_style"), "certificate")


def test_a_certificate_for_another_name_is_refused(new_mount, database, gateway):
    other = gateway.https_endpoint.replace("127.0.0.1", "other.localhost")
    refused(new_mount, database.reached("endpoint=" + other, "path_style", "ca_file=" + gateway.ca_file),
            "other.localhost")


def test_libs3_over_https_is_refused(new_mount, database, gateway):
    refused(new_mount, database.reached("endpoint=" + gateway.https_endpoint, "path_style", "s3_client=libs3",
                                        "ca_file=" + gateway.ca_file), "libs3", "https")


def test_http_to_an_https_port_and_the_reverse_are_told(new_mount, database, gateway):
    refused(new_mount, database.reached("endpoint=" + gateway.https_endpoint.replace("https", "http"),
                                        "path_style", "op_timeout=3"), "connection was lost")
    refused(new_mount, database.reached("endpoint=" + gateway.endpoint.replace("http", "https"), "path_style",
                                        "op_timeout=3"), "cannot be reached", "SSL")


# ---- Credentials from files ----

def profile_files(folder, gateway, name, **members):
    """Files of AWS tools with a profile that has the right keys; the variables that name them."""
    keys = gateway.credentials
    lines = {"aws_access_key_id": keys["AWS_ACCESS_KEY_ID"],
             "aws_secret_access_key": keys["AWS_SECRET_ACCESS_KEY"], **members}
    text = f"[default]\naws_access_key_id = WRONG\naws_secret_access_key = wrong\n[{name}]\n"
    path = folder / "credentials"
    path.write_text(text + "".join(f"{key} = {value}\n" for key, value in lines.items()))
    return {"AWS_SHARED_CREDENTIALS_FILE": str(path), "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


@pytest.mark.parametrize("by_option", [True, False])
def test_a_profile_has_the_credentials(new_mount, database, gateway, tmp_path, by_option):
    variables = profile_files(tmp_path, gateway, "mine")
    if not by_option:
        variables["AWS_PROFILE"] = "mine"
    mount = new_mount(database, "profile=mine" if by_option else "", variables=variables)
    os.mkdir(mount.fork("a"))
    assert_whole(database, "a")


def test_a_profile_that_does_not_exist_is_told(new_mount, database, gateway, tmp_path):
    database.mount_options = ("profile=other",)
    refused(new_mount, database, "other", variables=profile_files(tmp_path, gateway, "mine"))


def test_credentials_are_read_again_when_the_file_has_changed(new_mount, database, gateway, tmp_path):
    variables = profile_files(tmp_path, gateway, "mine")
    mount = new_mount(database, "profile=mine", variables=variables)
    good = (tmp_path / "credentials").read_text()
    (tmp_path / "credentials").write_text(good.replace(gateway.credentials["AWS_SECRET_ACCESS_KEY"], "no"))
    names = (str(number) for number in itertools.count())
    wait_until(lambda: fails(os.mkdir, mount.fork(next(names))))
    assert "EACCES" in mount.errors()[-1]
    (tmp_path / "credentials").write_text(good)
    wait_until(lambda: not fails(os.mkdir, mount.fork("a")))
    assert_whole(database, "a")


def fails(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        return True
    return False


def test_secrets_are_nowhere_to_be_seen(new_mount, database):
    mount = new_mount(database, "log_level=debug", daemon=False)
    os.mkdir(mount.fork("a"))
    fails(os.mkdir, mount.fork("a"))
    with open("/proc/self/mounts", encoding="utf-8") as stream:
        told = stream.read()
    with open(f"/proc/{mount.pid}/cmdline", encoding="utf-8") as stream:
        told += stream.read()
    told += mount.stderr() + "".join(mount.read(name) for name in ("errors", "stats", "events"))
    assert database.environment["AWS_SECRET_ACCESS_KEY"] not in told


def test_the_clients_are_named(new_mount, database, gateway):
    assert "libcurl/" in run(mounts.forkfs(), "-V").stdout
    stats = new_mount(database).read("stats")
    assert "libcurl/" in stats


def test_wrong_options_are_usage_errors(database, tmp_path):
    (tmp_path / "mountpoint").mkdir()
    for options in ("s3_client=wget", "endpoint="):
        done = subprocess.run([mounts.forkfs(), "-o", options, database.source, str(tmp_path / "mountpoint")],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              timeout=PATIENCE)
        assert done.returncode == 2, (options, done.stderr)
