"""What a change has left behind is finished by the mount that left it, once it can be."""
import errno
import os
import shutil
import subprocess

import pytest

from support import mounts
from support.checks import assert_fsck_clean, assert_no_trace, assert_sound
from support.errnos import made
from support.process import run, wait_until

pytestmark = pytest.mark.local_only("what cannot be deleted is made by hand")


@pytest.fixture
def stuck(request):
    """Makes a file that cannot be deleted of one; the function that it returns cures that."""
    def make(path):
        if shutil.which("chattr") is None or run("chattr", "+i", path, check=False).returncode != 0:
            pytest.skip("files cannot be made immutable here")

        def cure():
            subprocess.run(["chattr", "-i", path], check=True)
        request.addfinalizer(lambda: os.path.exists(path) and cure())
        return cure
    return make


def manifest_of(database, name):
    """The path of a file of a fork."""
    dataset, branch = next(iter(database.fork(name)["datasets"].items()))
    return database.path(database.manifests(dataset, branch)[0])


def test_a_drop_that_failed_is_finished_once_it_can_be(mount, database, stuck):
    os.mkdir(mount.fork("a"))
    fork_id = database.fork("a")["id"]
    cure = stuck(manifest_of(database, "a"))
    with pytest.raises(OSError):
        os.rmdir(mount.fork("a"))
    assert mount.read("forks", "a", "status") == "tombstoned\n"
    cure()
    wait_until(lambda: not os.path.exists(mount.fork("a")), what="the end of the drop")
    assert_no_trace(database, fork_id)
    os.mkdir(mount.fork("a"))
    assert_sound(database)


def test_what_fails_again_is_told_once(mount, database, stuck):
    os.mkdir(mount.fork("a"))
    cure = stuck(manifest_of(database, "a"))
    with pytest.raises(OSError):
        os.rmdir(mount.fork("a"))
    wait_until(lambda: [line for line in mount.errors() if " recover " in line], what="a second try")
    cure()
    wait_until(lambda: not os.path.exists(mount.fork("a")), what="the end of the drop")
    assert len([line for line in mount.errors() if " recover " in line]) == 1


def test_a_drop_that_the_mount_could_not_finish_at_its_start_is_finished(new_mount, database, stuck):
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    assert mount.unmount() == 0
    database.change_fork("a", status="tombstoned")
    cure = stuck(manifest_of(database, "a"))
    mount = new_mount(database)
    assert mount.read("forks", "a", "status") == "tombstoned\n"
    cure()
    wait_until(lambda: not os.path.exists(mount.fork("a")), what="the end of the drop")
    assert_fsck_clean(database)


def test_a_tag_that_was_removed_in_part_goes(mount, database, stuck):
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("a", "tags", "v1"))
    refs = [key for key in database.list_objects() if "/_refs/tags/" in key]
    cure = stuck(database.path(refs[-1]))
    with pytest.raises(OSError):
        os.rmdir(mount.fork("a", "tags", "v1"))
    cure()
    wait_until(lambda: not [key for key in database.list_objects() if "/_refs/tags/" in key],
               what="the end of the tag")
    wait_until(lambda: not [key for key in database.list_objects() if "fork_taggings" in key],
               what="the end of the intent")
    assert os.listdir(mount.fork("a", "tags")) == []
    os.rmdir(mount.fork("a"))
    assert_fsck_clean(database)


def test_a_create_that_ran_out_of_time_does_not_keep_its_name(new_mount, small_database):
    mount = new_mount(small_database, binary=mounts.forkfs_faulty(), options="op_timeout=1",
                      fault="delay:1:1500:put:_refs")
    with pytest.raises(OSError) as failure:
        os.mkdir(mount.fork("a"))
    assert failure.value.errno == errno.ETIMEDOUT
    wait_until(lambda: not os.path.exists(mount.fork("a")), what="the end of undoing")
    assert_fsck_clean(small_database)
    wait_until(lambda: made(mount.fork("a")), what="a second that is enough")
