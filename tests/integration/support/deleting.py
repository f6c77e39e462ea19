"""Programs that delete trees, each in its own way."""
import sys

from support.process import run

RMTREE = "import shutil, sys; shutil.rmtree(sys.argv[1], ignore_errors=True)"
BOTTOM_UP = """
import os, sys
for folder, folders, names in os.walk(sys.argv[1], topdown=False):
    for name in names + folders:
        path = os.path.join(folder, name)
        for remove in (os.unlink, os.rmdir):
            try:
                remove(path)
            except OSError:
                pass
"""
# As os.RemoveAll() of Go does it: unlink and rmdir of the top first, then what is in it.
REMOVE_ALL = """
import os, stat, sys
def remove(path):
    for call in (os.unlink, os.rmdir):
        try:
            call(path)
            return
        except OSError:
            pass
    remove_from(path)
def remove_from(path):
    try:
        os.unlink(path)
        return
    except OSError:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            return
    for name in os.listdir(path):
        remove_from(os.path.join(path, name))
    try:
        os.rmdir(path)
    except OSError:
        pass
remove(sys.argv[1])
"""
# Each directory first, and on whatever happens.
TOP_DOWN = """
import os, sys
def remove(path):
    try:
        os.rmdir(path)
    except OSError:
        for name in sorted(os.listdir(path)) if os.path.isdir(path) and not os.path.islink(path) else ():
            remove(os.path.join(path, name))
        try:
            os.rmdir(path)
        except OSError:
            pass
remove(sys.argv[1])
"""
NODE_RM = """
require("fs").rm(process.argv[1], {recursive: true, force: true, maxRetries: 2}, () => {});
"""
NODE_RM_SYNC = """
try { require("fs").rmSync(process.argv[1], {recursive: true, force: true}); } catch {}
"""
NODE_RMDIR = """
require("fs").rmdir(process.argv[1], {recursive: true}, () => {});
"""

TOOLS = {
    "rm": ["rm", "-rf"],
    "rm_verbose": ["rm", "-rfv", "--one-file-system"],
    "find_delete": ["find", None, "-delete"],
    "find_exec": ["find", None, "-depth", "-exec", "rm", "-rf", "{}", "+"],
    "python": [sys.executable, "-c", RMTREE],
    "python_walk": [sys.executable, "-c", BOTTOM_UP],
    "perl": ["perl", "-MFile::Path=remove_tree", "-e", "remove_tree($ARGV[0])"],
    "perl_keep_root": ["perl", "-MFile::Path=remove_tree", "-e", "remove_tree($ARGV[0], {keep_root => 1})"],
}


# These try the directory first: one fork without children they do drop, as `rmdir` does.
RMDIR_FIRST = {
    "remove_all": [sys.executable, "-c", REMOVE_ALL],
    "top_down": [sys.executable, "-c", TOP_DOWN],
    "node_rm": ["node", "-e", NODE_RM],
    "node_rm_sync": ["node", "-e", NODE_RM_SYNC],
    "node_rmdir": ["node", "--no-deprecation", "-e", NODE_RMDIR],
}


def delete(tool, path, others=None):
    """Has a tool of the lists above, or of others like them, delete a tree, as far as it can."""
    words = {**TOOLS, **RMDIR_FIRST, **(others or {})}[tool]
    command = [path if word is None else word for word in words] if None in words else words + [path]
    run(*command, check=False)
