#!/usr/bin/python3
"""How many round trips to a distant S3 server do mkdir, rmdir and batch take?

Mounts databases that lie in a Ceph gateway, through a proxy that holds each answer back: for 0 ms and
for 20 ms, in turns, on the same mount with the same connections. What is left of the difference when
it is divided by the delay is the depth of dependent requests as a user feels it:

    (median at 20 ms - median at 0 ms) / 20 ms

Run it from the build directory after `make check TESTS=`, or with FORKFS naming the program there. It
needs the packages of the integration tests. The proxy delays what the server sends, each answer by itself;
it does not delay the making of connections; it tells how many were made while measuring.
The server's own work counts in both medians, so the machine has to have nothing else to do; with a
larger --delay that matters less. Exit status 1 when an operation takes more than its target.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
from support.gateway import Gateway, Server  # only now can it be found

SNAPSHOT = "6f1c2a9e-3b0d-4d7e-9a51-0c8e2f4b7d11"
PREFIX = "graph/"  # of the datasets; all else lies at the root of the bucket
VERSION = 2  # of main, in the sample manifest
WARM_UP_ROUNDS = 3


# ---- What lies on the server ----

def make_database(gateway, bucket, datasets):
    """A small Uni database with so many datasets, each of one label."""
    labels = ", ".join(f'"L{i:02}": {{"id": {i + 1}}}' for i in range(datasets))
    objects = {
        "catalog/schema.json": f'{{"schema_version": 4, "labels": {{{labels}}}, "edge_types": {{}}, '
                               '"properties": {}}',
        "id_allocator.json": '{"next_vid_batch": 3000, "next_eid_batch": 1000}',
        "catalog/latest": SNAPSHOT,
        f"catalog/manifests/{SNAPSHOT}.json":
            f'{{"snapshot_id": "{SNAPSHOT}", "name": null, "created_at": "2026-08-01T12:34:55Z", '
            '"parent_snapshot": null, "schema_version": 4, "version_high_water_mark": 42, '
            '"wal_high_water_mark": 9, "vertices": {}, "edges": {}}'}
    with open(os.path.join(TOP, "tests", "data", "manifests", "plain.manifest"), "rb") as stream:
        manifest = stream.read()
    for i in range(datasets):
        objects[f"{PREFIX}vertices_L{i:02}.lance/_versions/{2**64 - 1 - VERSION:020}.manifest"] = manifest
    gateway.client.create_bucket(Bucket=bucket)
    for key, body in objects.items():
        gateway.client.put_object(Bucket=bucket, Key=key, Body=body)


# ---- The way there ----

class Proxy:
    def __init__(self, program, host, port):
        self.process = subprocess.Popen([program, host, str(port)], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def set_delay(self, milliseconds):
        """From now on; gives the numbers of connections that are open, and that were ever made."""
        self.process.stdin.write(f"{milliseconds}\n")
        return [int(word) for word in self.process.stdout.readline().split()[1:]]

    def stop(self):
        self.process.communicate()


class Mount:
    def __init__(self, program, gateway, proxy, bucket, place, options):
        self.path = os.path.join(place, bucket)
        os.mkdir(self.path)
        words = [f"endpoint=http://127.0.0.1:{proxy.port}", "path_style", *options]
        self.process = subprocess.Popen(
            [program, "-f", "-o", ",".join(words), f"s3://{bucket}/{PREFIX.rstrip('/')}", self.path],
            env={**os.environ, **gateway.variables})
        while not os.path.ismount(self.path):
            if self.process.poll() is not None:
                sys.exit("bench_latency: the mount fails")
            time.sleep(0.05)

    def fork(self, name):
        return os.path.join(self.path, "forks", name)

    def batch(self, lines):
        with open(os.path.join(self.path, "batch"), "r+b", buffering=0) as stream:
            stream.write("".join(line + "\n" for line in lines).encode())
            os.fsync(stream.fileno())
            answers = b""
            while piece := stream.read(1 << 16):
                answers += piece
        wrong = [line for line in answers.decode().splitlines() if not line.startswith("ok ")]
        if wrong or answers.count(b"\n") != len(lines):
            sys.exit(f"bench_latency: batch: {wrong[:3]}")

    def stop(self):
        subprocess.run(["fusermount3", "-u", self.path], check=False)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            subprocess.run(["fusermount3", "-uz", self.path], check=False)


# ---- Measuring ----

def seconds(work):
    start = time.monotonic()
    work()
    return time.monotonic() - start


def measure(wide, narrow, creates):
    """One time each, in seconds."""
    names = [f"batch-{i:03}" for i in range(creates)]
    times = {"mkdir": seconds(lambda: os.mkdir(wide.fork("measured"))),
             "rmdir": seconds(lambda: os.rmdir(wide.fork("measured"))),
             "batch": seconds(lambda: narrow.batch([f"create {name}" for name in names]))}
    narrow.batch([f"drop {name}" for name in names])
    return times


def measure_in_turns(proxy, delay, rounds, work):
    """{delay: {operation: [seconds]}}; which delay goes first changes from round to round."""
    found = {0: {}, delay: {}}
    for number in range(rounds):
        for milliseconds in (0, delay) if number % 2 == 0 else (delay, 0):
            proxy.set_delay(milliseconds)
            for operation, time_taken in work().items():
                found[milliseconds].setdefault(operation, []).append(time_taken)
    return found


def report(found, delay, rows):
    print(f"{'':34}{'0 ms':>10}{f'{delay} ms':>10}{'depth':>8}{'target':>8}")
    missed = False
    for operation, (title, target) in rows.items():
        near, far = (1000 * statistics.median(found[key][operation]) for key in (0, delay))
        depth = (far - near) / delay
        missed = missed or depth > target
        print(f"{title:34}{near:7.1f} ms{far:7.1f} ms{depth:8.2f}{target:8}")
    return 1 if missed else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="measurements of each kind (%(default)s)")
    parser.add_argument("--delay", type=int, default=20, help="milliseconds (%(default)s)")
    parser.add_argument("--datasets", type=int, default=64, help="for mkdir and rmdir (%(default)s)")
    parser.add_argument("--creates", type=int, default=100, help="in a batch (%(default)s)")
    parser.add_argument("-o", dest="options", action="append", default=[], metavar="OPTION",
                        help="an option of forkfs, such as jobs=64")
    return parser.parse_args()


def main():
    chosen = arguments()
    program = os.path.abspath(os.environ.get("FORKFS", "forkfs"))
    proxy_program = os.path.join(os.path.dirname(program), "tools", "latency-proxy")
    rows = {"mkdir": (f"mkdir, {chosen.datasets} datasets", 5),
            "rmdir": (f"rmdir, {chosen.datasets} datasets", 7.5),
            "batch": (f"batch of {chosen.creates} creates, 1 dataset", 6)}
    started = []

    def start(thing):
        started.append(thing)
        return thing

    with tempfile.TemporaryDirectory() as place:
        try:
            gateway = Gateway(start(Server()).variables)
            address = urllib.parse.urlsplit(gateway.endpoint)
            make_database(gateway, "wide", chosen.datasets)
            make_database(gateway, "narrow", 1)
            proxy = start(Proxy(proxy_program, address.hostname, address.port))
            wide, narrow = (start(Mount(program, gateway, proxy, bucket, place, chosen.options))
                            for bucket in ("wide", "narrow"))
            measure_in_turns(proxy, chosen.delay, WARM_UP_ROUNDS,
                             lambda: measure(wide, narrow, chosen.creates))
            _, made_before = proxy.set_delay(0)
            found = measure_in_turns(proxy, chosen.delay, chosen.rounds,
                                     lambda: measure(wide, narrow, chosen.creates))
            connections, made_after = proxy.set_delay(0)
            print(f"medians of {chosen.rounds} rounds; {connections} connections, "
                  f"{made_after - made_before} made while measuring")
            return report(found, chosen.delay, rows)
        finally:
            for thing in reversed(started):
                thing.stop()


if __name__ == "__main__":
    sys.exit(main())
