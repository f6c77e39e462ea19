"""The file events: what has happened, and poll(2) for those who wait for it."""
import os
import select
import threading

import pytest

from support.process import wait_until

PATIENCE_MS = 240000


def kinds(mount, name=None):
    """(kind, name) of each line, or the kinds of one name's lines."""
    lines = [line.split(" ") for line in mount.read("events").splitlines()]
    return [words[1] for words in lines if words[2] == name] if name else [
        (words[1], words[2]) for words in lines]


class Watcher:
    """A handle on events."""

    def __init__(self, mount):
        self.handle = os.open(mount.top("events"), os.O_RDONLY)
        self.poller = select.poll()
        self.poller.register(self.handle, select.POLLPRI)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.handle)

    def has_news(self, timeout=0):
        found = self.poller.poll(timeout)
        return bool(found) and bool(found[0][1] & select.POLLPRI)

    def read(self):
        return os.pread(self.handle, 1 << 20, 0).decode()


def test_a_new_mount_has_no_events(mount):
    assert mount.read("events") == ""


def test_the_life_of_a_fork(mount, database):
    os.mkdir(mount.fork("a"))
    fork_id = database.fork("a")["id"]
    os.rmdir(mount.fork("a"))
    lines = [line.split(" ") for line in mount.read("events").splitlines()]
    assert [words[1:] for words in lines] == [
        [kind, "a", fork_id] for kind in ("pending", "active", "tombstoned", "dropped")]
    assert all(words[0].endswith("Z") and words[0].startswith("20") for words in lines)
    assert [words[0] for words in lines] == sorted(words[0] for words in lines)


def test_changes_of_a_fork(mount):
    os.mkdir(mount.fork("a"))
    with open(mount.fork("a", "ttl"), "w", encoding="utf-8") as stream:
        stream.write("1000\n")
    assert kinds(mount, "a") == ["pending", "active", "changed"]


def test_a_written_overlay_is_one_event(mount):
    os.mkdir(mount.fork("a"))
    before = mount.read("forks", "a", "schema.json")
    with open(mount.fork("a", "schema.json"), "w", encoding="utf-8") as stream:
        stream.write(before.replace("\n", " "))
    assert kinds(mount, "a") == ["pending", "active", "overlay"]
    os.mkdir(mount.fork("b"))  # by the time of its events the watch has told of the overlay, too
    os.rmdir(mount.fork("b"))
    assert kinds(mount, "a") == ["pending", "active", "overlay"]


def test_names_have_no_blanks(mount):
    os.mkdir(mount.fork("a b%25"))
    assert kinds(mount) == [("pending", "a%20b%25"), ("active", "a%20b%25")]


def test_the_last_thousand_are_kept(new_mount, small_database):
    mount = new_mount(small_database)
    with open(mount.top("batch"), "wb", buffering=0) as batch:
        batch.write(b"".join(b"create f%d\n" % i for i in range(600)))
    lines = mount.read("events").splitlines()
    assert len(lines) == 1000
    assert lines[-1].split(" ")[1] == "active"


def test_poll_reports_news_until_it_is_read(mount):
    with Watcher(mount) as watcher:
        assert not watcher.has_news()
        os.mkdir(mount.fork("a"))
        assert watcher.has_news()
        assert watcher.has_news()
        assert " active a " in watcher.read()
        assert not watcher.has_news()
        os.rmdir(mount.fork("a"))
        assert watcher.has_news()


def test_events_of_before_the_open_are_no_news(mount):
    os.mkdir(mount.fork("a"))
    with Watcher(mount) as watcher:
        assert not watcher.has_news()
        assert " active a " in watcher.read()


def test_poll_is_woken(mount):
    with Watcher(mount) as watcher:
        timer = threading.Timer(0.3, os.mkdir, [mount.fork("a")])
        timer.start()
        try:
            assert watcher.has_news(PATIENCE_MS)
        finally:
            timer.join()
        wait_until(lambda: " active a " in watcher.read())


def test_a_poll_without_events_ends_with_its_timeout(mount):
    with Watcher(mount) as watcher:
        assert not watcher.has_news(200)


def test_all_who_wait_are_woken(mount):
    watchers = [Watcher(mount) for _ in range(8)]
    woken = []
    threads = [threading.Thread(target=lambda w=watcher: woken.append(w.has_news(PATIENCE_MS)))
               for watcher in watchers]
    for thread in threads:
        thread.start()
    os.mkdir(mount.fork("a"))
    for thread in threads:
        thread.join()
    assert woken == [True] * len(watchers)
    for watcher in watchers:
        watcher.__exit__()


def test_epoll_wakes_again_and_again(mount):
    with Watcher(mount) as watcher:
        epoll = select.epoll()
        epoll.register(watcher.handle, select.EPOLLPRI)
        for _ in range(5):
            timer = threading.Timer(0.05, os.mkdir, [mount.fork("a")])
            timer.start()
            assert epoll.poll(PATIENCE_MS / 1000)
            timer.join()
            watcher.read()
            os.rmdir(mount.fork("a"))
            assert epoll.poll(PATIENCE_MS / 1000)
            watcher.read()
        epoll.close()


def test_select_for_reading_is_always_true(mount):
    with Watcher(mount) as watcher:
        assert select.select([watcher.handle], [], [], 10)[0] == [watcher.handle]


@pytest.mark.parametrize("name", ["registry.json", "stats", "errors", "batch"])
def test_other_files_are_always_ready(mount, name):
    with open(mount.top(name), "rb") as stream:
        assert select.select([stream], [], [], 10)[0] == [stream]
        poller = select.poll()
        poller.register(stream, select.POLLPRI)
        assert poller.poll(0) == []


def test_other_handles_and_later_offsets_keep_their_content(mount):
    with Watcher(mount) as one, Watcher(mount) as two:
        os.mkdir(mount.fork("a"))
        assert os.pread(two.handle, 100, 1) == b""  # as it was when it was opened
        first = one.read()
        os.rmdir(mount.fork("a"))
        assert os.pread(one.handle, 1 << 20, 5).decode() == first[5:]
        assert len(one.read()) > len(first)


def test_waiting_while_the_mount_goes_away(mount, new_child):
    child = new_child("""
import os, select, sys
handle = os.open(sys.argv[1], os.O_RDONLY)
poller = select.poll()
poller.register(handle, select.POLLPRI)
print("waiting", flush=True)
poller.poll(600000)
""", mount.top("events"))
    assert child.line() == "waiting"
    os.mkdir(mount.fork("a"))
    assert child.wait() == 0
    assert mount.unmount() == 0
