"""Names of forks and names of directories: the rule and the percent mapping."""
import errno
import os

import pytest

from support.checks import assert_no_trace, assert_sound
from support.process import run

# Fork name -> directory name.
MAPPING = {
    "a/b": "a%2Fb", "/": "%2F", "/etc/passwd": "%2Fetc%2Fpasswd", "../../x": "..%2F..%2Fx",
    ".": "%2E", "..": "%2E%2E", "...": "...", ".hidden": ".hidden", "a.": "a.", "..a": "..a",
    "%": "%25", "100%": "100%25", "%2F": "%252F", "%zz": "%25zz",
}
PLAIN = ["-rf", "*", "a b", " leading", "trailing ", "~", "$(reboot)", "'", '"', "\\", "#", "a#1", "a,b",
         "a:b", "NUL", "forks", "status", "children", "main", "ünï", "日本語", "🦀", "\u200b", "e\u0301", "é",
         "A", "a", "x" * 255, "é" * 127, "\u202egnp", "fork_registry.json", "a\\b", "%25"[1:]]

# The raw names of entries that break the rule of today, as an old registry may have them.
OLD = ["", " ", "\u3000", "a\nb", "tab\t", "\x7f", "\u0085", "x" * 256, "\u00e9" * 200]


@pytest.mark.parametrize("name", MAPPING)
def test_what_a_directory_cannot_be_called_is_encoded(new_mount, small_database, name):
    mount = new_mount(small_database)
    os.mkdir(mount.fork(MAPPING[name]))
    assert list(small_database.forks()) == [name]
    assert small_database.fork(name)["name"] == name
    assert os.listdir(mount.forks) == [MAPPING[name]]
    fork_id = small_database.fork(name)["id"]
    assert os.readlink(mount.top("by-id", fork_id)) == "../forks/" + MAPPING[name]
    assert mount.read("by-id", fork_id, "status") == "active\n"
    assert_sound(small_database)
    os.rmdir(mount.fork(MAPPING[name]))
    assert_no_trace(small_database, fork_id)


def test_every_legal_name_is_taken_as_it_is(new_mount, small_database):
    mount = new_mount(small_database)
    for name in PLAIN:
        os.mkdir(mount.fork(name))
        assert mount.read("forks", name, "status") == "active\n"
    assert sorted(os.listdir(mount.forks)) == sorted(PLAIN)
    assert list(small_database.forks()) == sorted(PLAIN, key=str.encode)
    mount.unmount()
    mount.start()
    assert sorted(os.listdir(mount.forks)) == sorted(PLAIN)
    for name in PLAIN:
        os.rmdir(mount.fork(name))
    assert small_database.forks() == {}


def test_programs_take_the_longest_entry(new_mount, small_database):
    mount = new_mount(small_database)
    entry = "%25" * 255
    assert int(run("getconf", "NAME_MAX", mount.forks).stdout) == len(entry)
    run("mkdir", mount.fork(entry))
    assert list(small_database.forks()) == ["%" * 255]
    assert run("ls", mount.forks).stdout == entry + "\n"
    assert run("find", mount.forks, "-name", "status").stdout == mount.fork(entry, "status") + "\n"
    assert run("cat", mount.fork(entry, "status")).stdout == "active\n"
    link = mount.top("by-id", small_database.fork("%" * 255)["id"])
    assert os.path.samefile(link, mount.fork(entry))
    with open(mount.top("batch"), "r+b", buffering=0) as batch:
        batch.write(f"create {'/' * 254}x parent={entry}\ndrop {'%2F' * 254}x\ndrop {entry}\n"
                    .replace("/" * 254, "%2F" * 254).encode())
        assert [line.split()[0] for line in batch.read().decode().splitlines()] == ["ok"] * 3
    with pytest.raises(OSError) as failure:
        os.mkdir(mount.fork("%25" * 256))
    assert failure.value.errno == errno.ENAMETOOLONG


def test_255_counts_the_decoded_name(new_mount, small_database):
    mount = new_mount(small_database)
    name = "/" * 255
    os.mkdir(mount.fork("%2F" * 255))
    assert list(small_database.forks()) == [name]
    assert os.listdir(mount.forks) == ["%2F" * 255]
    assert mount.read("forks", "%2F" * 255, "status") == "active\n"
    os.rmdir(mount.fork("%2F" * 255))
    assert small_database.forks() == {}


@pytest.mark.parametrize("other", ["%61", "a%2fb", "%2e", "%2E%2e", "a%2Eb", "%", "a%", "%2", "%zz",
                                   "%25%", "%00", "%C3%A9"])
def test_other_percent_sequences_name_nothing(new_mount, small_database, other):
    mount = new_mount(small_database)
    for name in ("a", "a%2Fb", "%2E", "%2E%2E", "%25", "é"):
        os.mkdir(mount.fork(name))
    with pytest.raises(FileNotFoundError):
        os.stat(mount.fork(other))
    with pytest.raises(FileNotFoundError):
        os.rmdir(mount.fork(other))
    with pytest.raises(OSError) as failure:
        os.mkdir(mount.fork(other))
    assert failure.value.errno == errno.EINVAL
    assert len(small_database.forks()) == 6


def test_names_are_case_and_normalisation_sensitive(new_mount, small_database):
    mount = new_mount(small_database)
    for name in ("fork", "Fork", "\u00e9", "e\u0301"):
        os.mkdir(mount.fork(name))
    assert len(os.listdir(mount.forks)) == 4
    assert len({entry["id"] for entry in small_database.forks().values()}) == 4


@pytest.mark.parametrize("name", [b"\xff", b"a\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"x" * 256])
def test_lookup_of_an_impossible_name_finds_nothing(new_mount, small_database, name):
    mount = new_mount(small_database)
    with pytest.raises(OSError) as failure:
        os.stat(os.fsencode(mount.forks) + b"/" + name)
    assert failure.value.errno in (errno.ENOENT, errno.ENAMETOOLONG)


@pytest.mark.parametrize("name", OLD, ids=[str(number) for number in range(len(OLD))])
def test_an_old_entry_with_a_bad_name_appears_by_its_id_and_can_be_dropped(new_mount, small_database, name):
    mount = new_mount(small_database)
    os.mkdir(mount.fork("good"))
    os.mkdir(mount.fork("old"))
    mount.unmount()
    forks = small_database.forks()
    entry = forks.pop("old")
    small_database.put_forks({**forks, name: {**entry, "name": name}})
    mount.start()
    shown = "%" + entry["id"]
    assert sorted(os.listdir(mount.forks)) == sorted([shown, "good"])
    assert mount.read("forks", shown, "status") == "active\n"
    assert os.readlink(mount.top("by-id", entry["id"])) == "../forks/" + shown
    with pytest.raises(OSError):
        os.mkdir(mount.fork(shown))
    os.rmdir(mount.fork(shown))
    assert_no_trace(small_database, entry["id"])
    assert list(small_database.forks()) == ["good"]


def test_the_id_of_a_good_entry_is_no_second_name_for_it(new_mount, small_database):
    mount = new_mount(small_database)
    os.mkdir(mount.fork("good"))
    with pytest.raises(FileNotFoundError):
        os.stat(mount.fork("%" + small_database.fork("good")["id"]))
