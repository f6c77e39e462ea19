"""What uid=, gid= and umask= give to whom, on a mount that other users may use."""
import grp
import os
import pwd
import stat

import pytest

from support.checks import assert_whole
from support.process import run

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")

ALICE, BOB, TEAM = 4001, 4002, 4003


class User:
    """Somebody who runs commands."""

    def __init__(self, uid, *groups):
        self.words = ["setpriv", f"--reuid={uid}", f"--regid={uid}",
                      "--groups=" + ",".join(map(str, groups)) if groups else "--clear-groups"]

    def can(self, *command):
        """Whether a command succeeds; what stops it must be the permissions."""
        done = run(*self.words, *command, check=False)
        assert done.returncode == 0 or "Permission denied" in done.stderr, done.stderr
        return done.returncode == 0

    def can_write(self, path, text):
        return self.can("sh", "-c", 'printf "%s\\n" "$1" >"$2"', "sh", text, path)


@pytest.fixture
def alice():
    return User(ALICE, TEAM)


@pytest.fixture
def bob():
    return User(BOB)


def mode_of(path):
    return oct(stat.S_IMODE(os.lstat(path).st_mode))


def modes(mount, name):
    return tuple(mode_of(mount.fork(name, file)) for file in ("", "ttl", "info.json", "status"))


def test_a_group_can_be_given_the_right_to_create_and_drop(new_mount, database, open_place, alice, bob):
    mount = new_mount(database, f"allow_other,umask=002,gid={TEAM}", path=open_place)
    assert (mode_of(mount.forks), mode_of(mount.top("batch"))) == ("0o775", "0o664")
    assert alice.can("mkdir", mount.fork("a"), mount.fork("a", "children", "b"), mount.fork("a", "tags", "t"))
    assert modes(mount, "a") == ("0o775", "0o664", "0o444", "0o444")
    assert os.stat(mount.fork("a", "ttl")).st_gid == TEAM
    assert alice.can_write(mount.fork("a", "ttl"), "3600")
    assert alice.can_write(mount.top("batch"), "create c")
    assert not alice.can_write(mount.fork("a", "status"), "drop")
    assert_whole(database, "a")
    for path in (mount.fork("new"), mount.fork("a", "children", "new"), mount.fork("a", "tags", "new")):
        assert not bob.can("mkdir", path)
    for path in (mount.fork("b"), mount.fork("a", "tags", "t")):
        assert not bob.can("rmdir", path)
    assert not bob.can_write(mount.fork("a", "ttl"), "1")
    assert not bob.can_write(mount.top("batch"), "drop c")
    assert bob.can("cat", mount.fork("a", "status")) and bob.can("ls", mount.forks)
    assert alice.can("rmdir", mount.fork("b"), mount.fork("c"), mount.fork("a", "tags", "t"), mount.fork("a"))
    assert not database.forks()


def test_by_default_others_look_only(new_mount, database, open_place, alice, bob):
    mount = new_mount(database, f"allow_other,gid={TEAM}", path=open_place)
    os.mkdir(mount.fork("a"))
    assert modes(mount, "a") == ("0o755", "0o644", "0o444", "0o444")
    for user in (alice, bob):
        assert user.can("cat", mount.fork("a", "status"))
        assert not user.can("mkdir", mount.fork("b")) and not user.can("rmdir", mount.fork("a"))
        assert not user.can_write(mount.fork("a", "ttl"), "1")
        assert not user.can_write(mount.top("batch"), "drop a")
    assert list(database.forks()) == ["a"]


def test_what_the_umask_takes_nobody_else_has(new_mount, database, open_place, alice, bob):
    mount = new_mount(database, f"allow_other,umask=077,uid={ALICE}", path=open_place)
    assert alice.can("mkdir", mount.fork("a"))
    assert modes(mount, "a") == ("0o700", "0o600", "0o400", "0o400")
    assert not bob.can("ls", mount.path)
    assert alice.can("rmdir", mount.fork("a"))


def test_with_umask_0_everybody_can(new_mount, database, open_place, bob):
    mount = new_mount(database, "allow_other,umask=0", path=open_place)
    assert bob.can("mkdir", mount.fork("a"))
    assert modes(mount, "a") == ("0o777", "0o666", "0o444", "0o444")
    assert bob.can("rmdir", mount.fork("a"))


def test_owners_are_given_by_name(new_mount, database):
    user = next(user for user in pwd.getpwall() if 0 < user.pw_uid < 2 ** 32 - 1)
    group = next(group for group in grp.getgrall() if 0 < group.gr_gid < 2 ** 32 - 1)
    mount = new_mount(database, f"uid={user.pw_name},gid={group.gr_name}")
    status = os.stat(mount.forks)
    assert (status.st_uid, status.st_gid) == (user.pw_uid, group.gr_gid)


def test_marks_of_confirmed_drops_are_for_those_who_can_drop(new_mount, database, open_place, alice, bob):
    mount = new_mount(database, f"allow_other,umask=002,gid={TEAM},confirm_drop", path=open_place)
    os.mkdir(mount.fork("a"))
    assert modes(mount, "a") == ("0o775", "0o664", "0o444", "0o664")
    assert not bob.can_write(mount.fork("a", "status"), "drop")
    assert alice.can_write(mount.fork("a", "status"), "drop")
    assert alice.can("rmdir", mount.fork("a"))
