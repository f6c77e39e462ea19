"""Commits by compare-and-swap: 50 writers race."""
import pytest

from support import mounts
from support.checks import assert_sound, shows
from support.process import outcomes, run, wait_until

pytestmark = [pytest.mark.s3_only, pytest.mark.slow]

WRITERS = 50


def race(gateway, bucket, writers, rounds, environment):
    return run(mounts.compare_and_swap(), gateway.endpoint, bucket, "counters", writers, rounds,
               variables=environment, timeout=600).stdout.split()


def test_no_write_of_50_writers_is_lost_or_comes_twice(gateway, small_database):
    refused, unknown = race(gateway, small_database.bucket, WRITERS, 3, small_database.environment)[1::2]
    assert int(refused) + int(unknown) > 0, "nobody met anybody"
    assert small_database.read_object("counters").decode().split() == ["3"] * WRITERS


def test_the_first_put_of_50_writers_has_one_winner(gateway, small_database):
    for number in range(3):
        small_database.delete_object("counters")
        race(gateway, small_database.bucket, WRITERS, 1, small_database.environment)
        assert small_database.read_object("counters").decode().split() == ["1"] * WRITERS, number


@pytest.fixture
def several(new_mount, small_database):
    return [new_mount(small_database, "op_timeout=60") for _ in range(5)]


def test_50_processes_make_50_forks_over_5_mounts(several, small_database):
    names = [f"fork-{number:02d}" for number in range(WRITERS)]
    paths = [several[number % 5].fork(name) for number, name in enumerate(names)]
    assert outcomes("mkdir", paths, 120) == ["0"] * WRITERS
    assert sorted(small_database.forks()) == names
    assert_sound(small_database)
    # And dropped by others than made them.
    for mount in several:
        wait_until(lambda: shows(mount, *names))
    paths = [several[(number + 1) % 5].fork(name) for number, name in enumerate(names)]
    assert outcomes("rmdir", paths, 120) == ["0"] * WRITERS
    assert small_database.forks() == {}
    assert_sound(small_database)


def test_50_processes_make_one_fork_over_5_mounts(several, small_database):
    found = outcomes("mkdir", [several[number % 5].fork("a") for number in range(WRITERS)], 120)
    assert sorted(found) == ["0"] + ["EEXIST"] * (WRITERS - 1)
    assert list(small_database.forks()) == ["a"]
    assert_sound(small_database)
