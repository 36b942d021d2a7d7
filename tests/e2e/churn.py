#!/usr/bin/env python3
"""Readers of a mount beside changes at the origin, refreshes and evictions, at random; every byte is checked.

  churn.py --build DIR [--seconds S] [--seed N] [--readers N]

Files carry their name, version and place in each page. What is read through one open file, or through one mapping (which
goes on when the file is closed), must be of one version, and of none older than the one that the last refresh before the
open has shown. A read may fail with ESTALE, which is counted; with nothing else. Works with the sanitizer builds too.
"""

import argparse
import errno
import mmap
import multiprocessing
import os
import random
import signal
import struct
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from mounted import Mounted, Served, daemon_pids  # noqa: E402

PAGE = 4096
FILES = 40
STAMP = struct.Struct("<QQQ")  # file, version, page
POOL = random.Random(1).randbytes(1 << 20)


def page(number, version, at):
    start = (number * 7919 + version * 104729 + at * 31) % (len(POOL) - PAGE)
    return STAMP.pack(number, version, at) + POOL[start:start + PAGE - STAMP.size]


def size_of(number, version):
    """Most files are large enough to have a file of their own in the cache."""
    pages = [20, 300, 700, 1500, 3000][number % 5] + version % 7
    return pages * PAGE + number % 3 * 100  # some end within a page


def write_version(root, number, version):
    size = size_of(number, version)
    data = b"".join(page(number, version, i) for i in range(-(-size // PAGE)))[:size]
    partial = root.parent / f"new-{number}"
    partial.write_bytes(data)
    partial.rename(root / f"f{number}")


class Checked:
    """What one handle or mapping has shown so far."""

    def __init__(self, number, oldest):
        self.number, self.oldest, self.version = number, oldest, None

    def check(self, offset, data):
        at = offset - offset % PAGE
        while at < offset + len(data):
            begin, end = max(at, offset), min(at + PAGE, offset + len(data))
            got = data[begin - offset:end - offset]
            if self.version is None and begin == at and len(got) >= STAMP.size:
                self.version = STAMP.unpack_from(got)[1]
                if self.version < self.oldest:
                    raise AssertionError(f"f{self.number}: version {self.version}, refreshed to {self.oldest} before")
            if self.version is not None:
                want = page(self.number, self.version, at // PAGE)[begin - at:end - at]
                if got != want:
                    raise AssertionError(f"f{self.number} version {self.version} page {at // PAGE}: wrong bytes, "
                                         f"stamp {STAMP.unpack_from(got) if len(got) >= STAMP.size else got}")
            at += PAGE


def reader(point, seed, end, shown, totals, trouble):
    chance = random.Random(seed)
    try:
        while time.monotonic() < end and not trouble.value:
            number = chance.randrange(FILES)
            seen = Checked(number, shown[number])
            try:
                handle = os.open(point / f"f{number}", os.O_RDONLY)
            except OSError as failure:
                if failure.errno != errno.ESTALE:
                    raise
                totals[1] += 1
                continue
            try:
                size = os.fstat(handle).st_size
                whole = chance.random() < 0.5
                offset = 0
                for _ in range(10_000 if whole else chance.randrange(1, 20)):
                    if not whole:
                        offset = chance.randrange(size)
                    data = os.pread(handle, chance.choice([100, PAGE, 65536, 1 << 20]), offset)
                    if not data:
                        break
                    seen.check(offset, data)
                    offset += len(data)
                    totals[0] += len(data)
                if chance.random() < 0.05:
                    time.sleep(chance.random() * 2)
            except OSError as failure:
                if failure.errno != errno.ESTALE:
                    raise
                totals[1] += 1
            finally:
                os.close(handle)
            totals[2] += 1
    except BaseException as failure:  # told by the parent
        print(f"reader {seed}: {type(failure).__name__}: {failure}", file=sys.stderr, flush=True)
        trouble.value = 1


def mapper(point, seed, end, shown, totals, trouble):
    """Maps files, closes them, and reads the mapping much later. What is mapped and not passed through asks the daemon for
    its pages; one that cannot be had is SIGBUS, which ends this process, and the parent begins another."""
    chance = random.Random(seed)
    kept = []
    try:
        while time.monotonic() < end and not trouble.value:
            number = chance.randrange(FILES)
            seen = Checked(number, shown[number])
            handle = os.open(point / f"f{number}", os.O_RDONLY)
            size = os.fstat(handle).st_size
            mapping = mmap.mmap(handle, size, prot=mmap.PROT_READ)
            os.close(handle)
            kept.append((seen, mapping, size))
            if len(kept) > 8:
                seen, mapping, size = kept.pop(chance.randrange(len(kept)))
                for _ in range(20):
                    offset = chance.randrange(size) // PAGE * PAGE
                    seen.check(offset, mapping[offset:min(offset + 3 * PAGE, size)])
                    totals[0] += 3 * PAGE
                mapping.close()
                totals[2] += 1
            time.sleep(0.01)
    except OSError as failure:
        if failure.errno != errno.ESTALE:
            print(f"mapper: {failure}", file=sys.stderr, flush=True)
            trouble.value = 1
        totals[1] += 1
    except BaseException as failure:
        print(f"mapper {seed}: {type(failure).__name__}: {failure}", file=sys.stderr, flush=True)
        trouble.value = 1


def churn(root, lazyvol, point, chance, end, shown, trouble, mappers):
    """Changes, refreshes and evictions, by the parent."""
    versions, changed = [0] * FILES, [0.0] * FILES
    counts = {"changes": 0, "refreshes": 0, "evictions": 0}
    while time.monotonic() < end and not trouble.value:
        dice = chance.random()
        number = chance.randrange(FILES)
        if dice < 0.35 and time.monotonic() - changed[number] > 3:  # servers tell times in whole seconds
            versions[number] += 1
            write_version(root, number, versions[number])
            changed[number] = time.monotonic()
            counts["changes"] += 1
        elif dice < 0.5:
            before = list(versions)
            lazyvol.run("refresh", point)
            for i, version in enumerate(before):
                shown[i] = version
            counts["refreshes"] += 1
        elif dice < 0.7:
            lazyvol.run("evict", point / f"f{number}")
            counts["evictions"] += 1
        elif dice < 0.75:
            lazyvol.run("limit", "--cache-dir", lazyvol.cache, f"cache-size={chance.choice([100, 150, 300])}M")
        mappers.see_to_it()
        time.sleep(chance.random() * 0.3)
    return counts


class Mappers:
    """One mapper at a time, another when it met SIGBUS."""

    def __init__(self, *arguments):
        self.arguments, self.buses = arguments, 0
        self.start()

    def start(self):
        point, seed, *rest = self.arguments
        self.child = multiprocessing.Process(target=mapper, args=(point, seed + self.buses, *rest))
        self.child.start()

    def see_to_it(self):
        if self.child.exitcode == -signal.SIGBUS:
            self.buses += 1
            self.start()

    def join(self):
        self.child.join(60)
        if self.child.exitcode == -signal.SIGBUS:
            self.buses += 1
            return 0
        return self.child.exitcode


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--options", default="metadata-ttl=5s", help="of the mount")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lazyvol-churn-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        root = Path(folder) / "root"
        root.mkdir()
        for number in range(FILES):
            write_version(root, number, 0)
        with Served(arguments.build, root) as server, Mounted(arguments.build) as lazyvol:
            point = lazyvol.mount(server.url, f"cache-size=300M,{arguments.options}")
            pid = daemon_pids(lazyvol.cache)[0]
            end = time.monotonic() + arguments.seconds
            shown = multiprocessing.Array("Q", FILES, lock=False)
            trouble = multiprocessing.Value("i", 0)
            sums = [multiprocessing.Array("Q", 3, lock=False) for _ in range(arguments.readers + 1)]
            readers = [multiprocessing.Process(target=reader, args=(point, arguments.seed * 1000 + i, end, shown, own, trouble))
                       for i, own in enumerate(sums[1:])]
            for child in readers:
                child.start()
            mappers = Mappers(point, arguments.seed * 1000 + 500, end, shown, sums[0], trouble)
            counts = churn(root, lazyvol, point, random.Random(arguments.seed), end, shown, trouble, mappers)
            for child in readers:
                child.join(60)
            if mappers.join() != 0 or any(child.exitcode != 0 for child in readers):
                print("a reader did not come to its end", file=sys.stderr)
                trouble.value = 1
            status = lazyvol.status()
            if daemon_pids(lazyvol.cache) != [pid]:
                print("the daemon is another one, or gone", file=sys.stderr)
                trouble.value = 1
            fuse, cache = status["mounts"][0]["fuse"], status["cache"]
            totals = [sum(own[i] for own in sums) for i in range(3)]
            print(f"{totals[2]} files opened, {totals[0] >> 20} MiB checked, {totals[1]} ESTALE, {mappers.buses} SIGBUS; "
                  f"{counts['changes']} changes, {counts['refreshes']} refreshes, {counts['evictions']} evictions of a file; "
                  f"{fuse['passed_opens']} opens passed through, {cache['evicted_bytes'] >> 20} MiB evicted, "
                  f"{cache['corrupt_blocks']} blocks corrupt")
            if fuse["passthrough"] and not fuse["passed_opens"]:
                print("nothing was passed through", file=sys.stderr)
                trouble.value = 1
            if cache["corrupt_blocks"]:
                trouble.value = 1
    print("FAILED" if trouble.value else "passed")
    sys.exit(1 if trouble.value else 0)


if __name__ == "__main__":
    main()
