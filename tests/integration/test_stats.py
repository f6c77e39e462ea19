"""The file stats, read by a real Prometheus parser."""
import os

import pytest

from support.process import wait_until

parser = pytest.importorskip("prometheus_client.parser")


class Stats:
    def __init__(self, mount):
        self.families = {}
        self.samples = {}
        for family in parser.text_string_to_metric_families(mount.read("stats")):
            assert family.name not in self.families
            self.families[family.name] = family
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in self.samples, f"{key} comes twice"
                self.samples[key] = sample.value

    def value(self, name, **labels):
        return self.samples.get((name, tuple(sorted(labels.items()))), 0)


def test_everything_promised_is_there_with_type_and_help(mount, database):
    os.mkdir(mount.fork("a"))
    families = Stats(mount).families
    types = {name: family.type for name, family in families.items()}
    on_s3 = {
        "forkfs_s3_info": "gauge",
        "forkfs_s3_repeats": "counter",
        "forkfs_s3_breaker_opened": "counter",
        "forkfs_s3_breaker_open": "gauge",
    }
    assert types == {
        **({} if database.is_local else on_s3),
        "forkfs_build_info": "gauge",
        "forkfs_forks": "gauge",
        "forkfs_holders": "gauge",
        "forkfs_commits": "counter",
        "forkfs_commit_requests": "counter",
        "forkfs_recovered": "counter",
        "forkfs_swept": "counter",
        "forkfs_operations": "counter",
        "forkfs_operation_seconds": "histogram",
        "forkfs_store_requests": "counter",
        "forkfs_store_request_seconds": "histogram",
    }
    assert all(family.documentation for family in families.values())


def test_operations_are_counted_by_outcome(mount):
    os.mkdir(mount.fork("a"))
    for action, path in ((os.mkdir, "forks/%41"), (os.rmdir, "forks/b"), (os.unlink, "errors")):
        with pytest.raises(OSError):
            action(mount.top(path))
    os.mkdir(mount.fork("a", "tags", "t"))
    os.rmdir(mount.fork("a", "tags", "t"))
    with open(mount.fork("a", "ttl"), "w", encoding="utf-8") as stream:
        stream.write("1000")
    os.rmdir(mount.fork("a"))
    stats = Stats(mount)
    expected = [("mkdir", "ok", 1), ("mkdir", "EINVAL", 1), ("rmdir", "ok", 1), ("rmdir", "ENOENT", 0),
                ("unlink", "EPERM", 1), ("tag", "ok", 1), ("untag", "ok", 1), ("write", "ok", 1)]
    for operation, outcome, count in expected:
        assert stats.value("forkfs_operations_total", operation=operation, outcome=outcome) == count, (
            operation, outcome)
    assert stats.value("forkfs_operation_seconds_count", operation="mkdir") >= 1
    assert stats.value("forkfs_operation_seconds_count", operation="open") >= 1
    assert stats.value("forkfs_operation_seconds_sum", operation="mkdir") > 0


def test_lines_of_batch_are_counted(mount):
    with open(mount.top("batch"), "r+b", buffering=0) as batch:
        batch.write(b"create a\ncreate b\ndrop c\n")
        batch.read(1000)
    stats = Stats(mount)
    assert stats.value("forkfs_operations_total", operation="batch", outcome="ok") == 1
    assert stats.value("forkfs_operations_total", operation="batch_create", outcome="ok") == 2
    assert stats.value("forkfs_operations_total", operation="batch_drop", outcome="ENOENT") == 1


def test_forks_by_status_and_holders(mount):
    for name in "abc":
        os.mkdir(mount.fork(name))
    assert Stats(mount).value("forkfs_holders") == 0
    with open(mount.fork("a", "status"), "rb"), open(mount.fork("b", "datasets"), "rb"):
        stats = Stats(mount)
        assert stats.value("forkfs_holders") == 2
    assert stats.value("forkfs_forks", status="active") == 3
    assert stats.value("forkfs_forks", status="pending") == 0
    assert stats.value("forkfs_forks", status="tombstoned") == 0
    wait_until(lambda: Stats(mount).value("forkfs_holders") == 0)


def test_commits_and_what_each_carried(mount):
    before = Stats(mount)
    with open(mount.top("batch"), "wb", buffering=0) as batch:
        batch.write(b"create a\ncreate b\ncreate c\n")
    after = Stats(mount)
    assert after.value("forkfs_commits_total") - before.value("forkfs_commits_total") == 2
    assert (after.value("forkfs_commit_requests_total")
            - before.value("forkfs_commit_requests_total")) == 6


def test_requests_to_the_store(mount):
    before = Stats(mount)
    os.mkdir(mount.fork("a"))
    after = Stats(mount)
    for method in ("put", "list"):
        assert after.value("forkfs_store_requests_total", method=method, outcome="ok") > before.value(
            "forkfs_store_requests_total", method=method, outcome="ok")
        assert after.value("forkfs_store_request_seconds_count", method=method) > 0


def test_histograms_are_cumulative(mount):
    os.mkdir(mount.fork("a"))
    stats = Stats(mount)
    for family in ("forkfs_operation_seconds", "forkfs_store_request_seconds"):
        series = {}
        for sample in stats.families[family].samples:
            labels = {key: value for key, value in sample.labels.items() if key != "le"}
            if sample.name.endswith("_bucket"):
                series.setdefault(tuple(labels.items()), []).append(
                    (float(sample.labels["le"]), sample.value))
        for labels, buckets in series.items():
            assert buckets == sorted(buckets)
            assert [count for _, count in buckets] == sorted(count for _, count in buckets)
            assert buckets[-1] == (float("inf"), stats.value(family + "_count", **dict(labels)))


@pytest.mark.single_writer
def test_recovery_is_counted(new_mount, database):
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("b"))
    mount.unmount()
    database.change_fork("a", status="pending")
    database.change_fork("b", status="tombstoned")
    stats = Stats(new_mount(database))
    assert stats.value("forkfs_recovered_total", kind="rolled_back") == 1
    assert stats.value("forkfs_recovered_total", kind="finished") == 1


def test_a_read_only_mount_has_numbers(new_mount, database):
    mount = new_mount(database, "ro")
    with pytest.raises(OSError):
        os.mkdir(mount.fork("a"))
    assert Stats(mount).value("forkfs_operations_total", operation="mkdir", outcome="EROFS") in (0, 1)
    assert Stats(mount).value("forkfs_forks", status="active") == 0
