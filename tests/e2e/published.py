#!/usr/bin/env python3
"""Published volumes at the sizes of real use: faithful, healed by mirrors, always of one revision.

  published.py --build DIR [--tree TREE] [--rounds N] [--only faithful|mirrors|rounds] [--seed S]

faithful: TREE (default /usr) is published, mounted through nginx, and rsync, which compares every byte and all
metadata, finds no difference. mirrors: three servers, one of which serves damaged packs. rounds: random edits,
published and refreshed one after another, with readers and gc running; each read must be of one revision.
Ends with "N passed, N failed"; the exit status says the same.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from mounted import Mounted, Served  # noqa: E402

passed, failed = [], []


def check(name, good, detail=""):
    (passed if good else failed).append(name)
    print(f"{'ok  ' if good else 'FAIL'} {name} {detail}".rstrip(), flush=True)


class Publisher:
    """`lazyvol publish` of one tree to one directory, with a state directory of its own."""

    def __init__(self, build, base):
        self.lazyvol = str(Path(build) / "tools/lazyvol")
        self.volume, self.state, self.key = base / "volume", base / "state", base / "key"
        self.run("keygen", self.key)

    def run(self, *words):
        done = subprocess.run([self.lazyvol, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise RuntimeError(f"lazyvol {words}: {done.returncode}: {done.stderr}")
        return done.stdout

    def publish(self, tree):
        return self.run("publish", tree, self.volume, "--key", self.key, "--state-dir", self.state)

    def public_key(self):
        return Path(f"{self.key}.pub")


def differences(tree, mount):
    """What rsync would have to do to make `mount` like `tree`: contents, modes, owners, times, links, attributes."""
    done = subprocess.run(["rsync", "-aHAXcn", "--delete", "--itemize-changes", f"{tree}/", f"{mount}/"],
                          capture_output=True, text=True, errors="replace")
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines if done.returncode == 0 else lines + [f"rsync ended with {done.returncode}"]


def faithful(build, base, tree):
    publisher = Publisher(build, base)
    start = time.monotonic()
    print(publisher.publish(tree), end="")
    print(f"     published in {time.monotonic() - start:.1f} s")
    with Served(build, publisher.volume) as server, Mounted(build) as lazyvol:
        mount = lazyvol.mount(server.url, f"key={publisher.public_key()}")
        start = time.monotonic()
        found = differences(tree, mount)
        check(f"rsync finds no difference between {tree} and its mounted volume", not found,
              f"({time.monotonic() - start:.1f} s) " + "; ".join(found[:5]))
        names = sum(len(files) + len(folders) for _, folders, files in os.walk(mount))
        check("and it looked at the whole tree", names > 0, f"({names} names)")
    return publisher


def damage(volume):
    """Flips a byte in every 40 KiB of each pack."""
    for pack in volume.glob("packs/*/*"):
        with open(pack, "r+b") as file:
            size = pack.stat().st_size
            for offset in range(size // 3 % 1000, size, 40 * 1024):
                file.seek(offset)
                byte = file.read(1)
                file.seek(offset)
                file.write(bytes([byte[0] ^ 0x40]))


def mirrors(build, base, tree):
    publisher = Publisher(build, base)
    publisher.publish(tree)
    shutil.copytree(publisher.volume, base / "bad")
    shutil.copytree(publisher.volume, base / "good")
    damage(base / "bad")
    with Served(build, publisher.volume) as one, Served(build, base / "bad") as bad, \
            Served(build, base / "good") as two:
        for order in ((bad, one, two), (one, bad, two)):
            with Mounted(build) as lazyvol:
                options = f"key={publisher.public_key()},mirror={order[1].url},mirror={order[2].url}"
                mount = lazyvol.mount(order[0].url, options)
                found = differences(tree, mount)
                where = "first" if order[0] is bad else "second"
                check(f"every byte is right with the damaged mirror {where}", not found,
                      "; ".join(found[:5]) + f" ({bad.content()[0]} requests to it so far)")
    with Served(build, base / "bad") as bad, Mounted(build) as lazyvol:
        mount = lazyvol.mount(bad.url, f"key={publisher.public_key()}")
        wrong = harmed = 0
        refused = []
        for where, _, names in os.walk(mount, onerror=refused.append):
            for name in names:
                path = Path(where) / name
                if path.is_symlink():
                    continue
                try:
                    if path.read_bytes() != (Path(tree) / path.relative_to(mount)).read_bytes():
                        wrong += 1
                except OSError:
                    harmed += 1
        check("alone, the damaged one gives errors and no wrong byte", wrong == 0 and harmed + len(refused) > 0,
              f"({harmed} files and {len(refused)} directories refused)")


class Rounds:
    """A tree whose every version of every file is remembered, and readers that compare."""

    def __init__(self, build, base, seed, readers=4):
        self.random = random.Random(seed)
        self.base, self.publisher = base, Publisher(build, base)
        self.tree = base / "tree"
        self.history = {}    # name -> list of (revision, bytes or None)
        self.published = 0   # the newest revision that may be seen
        self.refreshed = 0   # what the mount surely shows by now
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.wrong, self.reads, self.errors = [], 0, []
        self.readers = readers

    def contents(self, revision, name):
        size = self.random.choice([0, 40, 3000, 3000, 200_000, 1_500_000])
        stamp = f"{name} {revision} ".encode()
        return (stamp * (size // len(stamp) + 1))[:size]

    def names(self):
        return [f"d{i % 5}/f{i}" for i in range(60)]

    def edit(self, revision):
        for name in self.random.sample(self.names(), self.random.randint(1, 8)):
            path = self.tree / name
            present = path.exists()
            if present and self.random.random() < 0.2:
                path.unlink()
                bytes_now = None
            else:
                bytes_now = self.contents(revision, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                scratch = path.with_suffix(".new")
                scratch.write_bytes(bytes_now)
                scratch.rename(path)
            self.history.setdefault(name, [(0, None)]).append((revision, bytes_now))

    def possible(self, name, first, last):
        """The contents that `name` had in some revision from `first` to `last`."""
        found = []
        for i, (since, content) in enumerate(self.history.get(name, [(0, None)])):
            following = self.history[name][i + 1][0] if name in self.history and i + 1 < len(self.history[name]) \
                else last + 1
            if since <= last and following > first:
                found.append(content)
        return found

    def read(self, mount, chance):
        name = chance.choice(self.names())
        with self.lock:
            first = self.refreshed
        try:
            with open(mount / name, "rb", buffering=0) as file:
                parts = []
                while part := file.read(chance.choice([4096, 65536, 1 << 20])):
                    parts.append(part)
                    if chance.random() < 0.2:
                        time.sleep(0.005)
                content = b"".join(parts)
        except FileNotFoundError:
            content = None
        except OSError as error:
            self.errors.append(f"{name}: {error}")
            return
        with self.lock:
            possible = self.possible(name, first, self.published)
            self.reads += 1
            if content not in possible:
                self.wrong.append(f"{name}: {content and content[:30]} is of none of revisions {first} to "
                                  f"{self.published}")

    def reader(self, mount, number):
        chance = random.Random(number)
        while not self.stop.is_set():
            self.read(mount, chance)

    def run(self, build, rounds):
        self.tree.mkdir()
        self.edit(1)
        self.publisher.publish(self.tree)
        self.published = self.refreshed = 1
        with Served(build, self.publisher.volume) as server, Mounted(build, options="cache-size=64M") as lazyvol:
            mount = lazyvol.mount(server.url, f"key={self.publisher.public_key()},refresh=never")
            threads = [threading.Thread(target=self.reader, args=(mount, i)) for i in range(self.readers)]
            for thread in threads:
                thread.start()
            try:
                for revision in range(2, rounds + 2):
                    with self.lock:
                        self.edit(revision)
                        self.published = revision
                    self.publisher.publish(self.tree)
                    lazyvol.run("refresh", mount)
                    with self.lock:
                        self.refreshed = revision
                    if revision % 10 == 0:
                        lazyvol.run("evict", mount)
                    if revision % 25 == 0:
                        self.publisher.run("gc", self.publisher.volume, "--keep", "1", "--grace", "20s")
                    if self.wrong or self.errors:
                        break
            finally:
                self.stop.set()
                for thread in threads:
                    thread.join()
            left = differences(self.tree, mount)
        check(f"{self.refreshed} revisions: each of {self.reads} reads was of one of them, old or new",
              self.refreshed == rounds + 1 and self.reads > rounds and not self.wrong, "; ".join(self.wrong[:3]))
        check("no read failed, with gc in between", not self.errors, "; ".join(self.errors[:3]))
        check("at the end the mount shows the tree", not left, "; ".join(left[:3]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="meson build directory")
    parser.add_argument("--tree", default="/usr")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randint(1, 1 << 30))
    parser.add_argument("--only", choices=["faithful", "mirrors", "rounds"])
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    steps = {
        "faithful": lambda base: faithful(arguments.build, base, arguments.tree),
        "mirrors": lambda base: mirrors(arguments.build, base, "/usr/lib/python3"),
        "rounds": lambda base: Rounds(arguments.build, base, arguments.seed).run(arguments.build, arguments.rounds),
    }
    for name, step in steps.items():
        if arguments.only not in (None, name):
            continue
        base = Path(tempfile.mkdtemp(prefix="lazyvol-published-"))
        base.chmod(0o755)
        try:
            step(base)
        finally:
            shutil.rmtree(base)
    print(f"{len(passed)} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
