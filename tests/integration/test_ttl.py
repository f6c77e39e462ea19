"""The file ttl: reading and writing a fork's expiry."""
import datetime
import errno
import os

import pytest

from support.process import run



@pytest.fixture
def forked(mount):
    os.mkdir(mount.fork("a"))
    return mount


def put(mount, text):
    with open(mount.fork("a", "ttl"), "wb", buffering=0) as stream:
        stream.write(text)


def expiry(database):
    text = database.fork("a")["ttl_expires_at"]
    return None if text is None else datetime.datetime.fromisoformat(text[:19] + "+00:00").timestamp()


def now():
    return datetime.datetime.now().timestamp()


def test_without_expiry_it_says_none(forked):
    assert forked.read("forks/a/ttl") == "none\n"
    assert oct(os.stat(forked.fork("a", "ttl")).st_mode) == oct(0o100644)
    assert os.stat(forked.fork("a", "ttl")).st_size == 5


@pytest.mark.parametrize("text", [b"3600", b"3600\n", b"3600 \t\r\n\n", b"0003600\n"])
def test_seconds_set_the_expiry(forked, database, text):
    put(forked, text)
    assert abs(expiry(database) - now() - 3600) < 60
    assert 3500 < int(forked.read("forks/a/ttl")) <= 3600


def test_none_clears_it(forked, database):
    put(forked, b"3600\n")
    put(forked, b"none\n")
    assert expiry(database) is None
    assert forked.read("forks/a/ttl") == "none\n"


def test_it_survives_a_remount(forked):
    put(forked, b"3600\n")
    forked.unmount()
    forked.start()
    assert 3000 < int(forked.read("forks/a/ttl")) <= 3600


def test_other_members_of_the_entry_stay(forked, database):
    before = database.fork("a")
    put(forked, b"3600\n")
    after = database.fork("a")
    assert {**after, "ttl_expires_at": before["ttl_expires_at"]} == before


def test_zero_is_expired_and_says_so(forked, database):
    # A holder keeps the sweeper away.
    with open(forked.fork("a", "status"), encoding="utf-8"):
        put(forked, b"0\n")
        assert forked.read("forks/a/ttl") == "0\n"
        assert forked.read("forks/a/status") == "active\n"


INVALID = [b"\n", b" ", b"-1", b"+1", b"1.5", b"soon", b"none!", b"60 s", b" 60", b"60\n60\n", b"\0",
           b"18446744073709551616", b"18446744073709551615", b"999999999999", b"9" * 1000]


@pytest.mark.parametrize("text", INVALID, ids=[text[:21].decode(errors="replace") for text in INVALID])
def test_anything_else_is_invalid_and_changes_nothing(forked, database, text):
    put(forked, b"3600\n")
    before = database.registry_text()
    with pytest.raises(OSError) as failure:
        put(forked, text)
    assert failure.value.errno == errno.EINVAL
    assert database.registry_text() == before
    line = forked.errors()[-1].split(" ")
    assert line[1:4] == ["write", "forks/a/ttl", "EINVAL"]


def test_the_last_writer_wins(forked):
    with open(forked.fork("a", "ttl"), "wb", buffering=0) as one, \
            open(forked.fork("a", "ttl"), "wb", buffering=0) as two:
        one.write(b"1000\n")
        two.write(b"2000\n")
        os.fsync(two.fileno())
        os.fsync(one.fileno())
        assert 900 < int(forked.read("forks/a/ttl")) <= 1000
    assert 900 < int(forked.read("forks/a/ttl")) <= 1000


def test_a_shell_can_write_it(forked):
    run("sh", "-c", 'echo 7200 > "$1"', "sh", forked.fork("a", "ttl"))
    assert 7000 < int(forked.read("forks/a/ttl")) <= 7200
    run("sh", "-c", 'echo none | tee "$1"', "sh", forked.fork("a", "ttl"))
    assert forked.read("forks/a/ttl") == "none\n"


def test_a_fork_that_is_not_active_shows_its_ttl_but_takes_none(forked, database, new_mount):
    forked.unmount()
    database.change_fork("a", status="tombstoned")
    mount = new_mount(database, "ro")
    assert mount.read("forks/a/ttl") == "none\n"


def test_a_read_only_mount_refuses(forked, database, new_mount):
    forked.unmount()
    mount = new_mount(database, "ro")
    assert oct(os.stat(mount.fork("a", "ttl")).st_mode) == oct(0o100444)
    with pytest.raises(OSError) as failure:
        put(mount, b"1\n")
    assert failure.value.errno == errno.EROFS
