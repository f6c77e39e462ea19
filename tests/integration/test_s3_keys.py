"""Keys that URLs do not carry as they are."""
import pytest

from support import mounts
from support.process import run

pytestmark = pytest.mark.s3_only

KEYS = ["a/../b", "../a", "..", ".", "a/.", "a/./b/", "a//b", "//a", "a//", "%", "100%", "%2F", "a%2e%2E/b", "a b", "a+b",
        "a?b=c&d#e", "~!*'();:@$,[]|\\\"<>^`{}", "\u00e4/\u65e5/\U0001f600", "a=b&prefix=c", " ", "a/b "]


@pytest.fixture
def bucket(gateway, store):
    """An empty one."""
    return gateway.make_bucket()


@pytest.fixture(params=["by path", "by host"])
def request_object(request, gateway, bucket):
    """Sends a request over libcurl, and returns what it printed."""
    endpoint = gateway.endpoint
    if request.param == "by host":
        endpoint = endpoint.replace("127.0.0.1", "s3.localhost")

    def send(verb, key):
        return run(mounts.wire_request(), endpoint, bucket, verb, key, variables=gateway.credentials).stdout

    return send


def keys_in(gateway, bucket):
    listed = gateway.client.list_objects_v2(Bucket=bucket)
    return sorted(row["Key"] for row in listed.get("Contents", []))


def test_a_key_arrives_as_it_is(gateway, bucket, request_object):
    for key in KEYS:
        request_object("put", key)
        assert keys_in(gateway, bucket) == [key]
        request_object("head", key)
        assert request_object("get", key) == key
        assert request_object("list", key) == key + "\n"
        request_object("delete", key)
        assert keys_in(gateway, bucket) == []


def test_keys_that_look_alike_are_different(gateway, bucket, request_object):
    for key in KEYS:
        request_object("put", key)
    assert keys_in(gateway, bucket) == sorted(KEYS)
    for key in KEYS:
        assert request_object("get", key) == key
