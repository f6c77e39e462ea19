"""Running commands and waiting for conditions."""
import os
import signal
import subprocess
import sys
import time

PATIENCE = 240  # seconds; an upper bound for "never hangs", far above what anything takes on any machine


def wait_until(condition, timeout=PATIENCE, what="the condition"):
    """Waits until condition() is true, and returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(0.005)


def run(*command, check=True, timeout=PATIENCE, variables=None, **options):
    """Runs a command, with further environment variables; its output is captured as text. A failure
    shows all of it."""
    options.setdefault("env", {**os.environ, "LC_ALL": "C.UTF-8", **(variables or {})})
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="surrogateescape",
                          timeout=timeout, stdin=subprocess.DEVNULL, **options)
    if check:
        assert done.returncode == 0, (
            f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def write_synced(path, text):
    """Replaces a file's content, as a program does that minds what is said of it; the error of fsync() counts."""
    handle = os.open(path, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        try:
            os.close(handle)
        except OSError:
            pass


# Numbers of mkdir, mkdirat, rmdir and unlinkat; other machines have the generic ones.
DIRECTORY_CALLS = {"x86_64": (83, 258, 84, 263)}.get(os.uname().machine, (34, 35))


def waits_in_kernel(pid):
    """Whether a process is inside mkdir or rmdir."""
    with open(f"/proc/{pid}/syscall", encoding="utf-8") as stream:
        number = stream.read().split()[0]
    return number.isdigit() and int(number) in DIRECTORY_CALLS


class Child:
    """A Python program in a process of its own, that answers with lines on its standard output."""

    def __init__(self, source, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-c", source, *map(str, arguments)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def line(self):
        """The next line it prints."""
        return self.process.stdout.readline().rstrip("\n")

    def tell(self, text):
        """Sends it a line."""
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    @property
    def is_running(self):
        return self.process.poll() is None

    def signal(self, number):
        os.kill(self.pid, number)

    def result(self, timeout=PATIENCE):
        """Waits for its end and returns what it printed (since the last line()), stripped."""
        out, err = self.process.communicate(timeout=timeout)
        assert self.process.returncode == 0, (self.process.returncode, out, err)
        return out.strip()

    def wait(self, timeout=PATIENCE):
        """Waits for its end and returns its status (negative: the signal)."""
        self.process.communicate(timeout=timeout)
        return self.process.returncode

    def end(self):
        if self.is_running:
            self.signal(signal.SIGKILL)
        # A process that hangs in the kernel is the test's failure, not a reason to hang here too.
        try:
            self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            pass


def outcomes(call, paths, timeout=PATIENCE):
    """Calls os.mkdir or os.rmdir on all paths at a time, each in a process of its own; "0" or the name of
    the errno of each."""
    children = [Child(DIRECTORY_CALL, call, path) for path in paths]
    try:
        return [child.result(timeout).split()[-1] for child in children]
    finally:
        for child in children:
            child.end()


# Calls os.mkdir or os.rmdir and prints 0 or the name of the errno. SIGINT is caught, so that an
# interrupted call shows as EINTR. (Python does not repeat these calls after a signal.)
DIRECTORY_CALL = """
import errno, os, signal, sys
signal.signal(signal.SIGINT, lambda *_: None)
print("ready", flush=True)
try:
    getattr(os, sys.argv[1])(sys.argv[2])
    print(0)
except OSError as failure:
    print(errno.errorcode[failure.errno])
"""
