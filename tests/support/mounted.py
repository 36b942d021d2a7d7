"""A served tree and a lazyvol mount of it, for scripts: end-to-end checks and benches.

Python's standard library only. The server is tests/support/serve.cc, the same nginx and relay as in the C++
tests; lazyvol is the one of the build directory given.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path


class Served:
    """nginx over a directory, and a relay in front of it."""

    def __init__(self, build, root, index="json"):
        self.process = subprocess.Popen(
            [str(Path(build) / "tests/support/serve"), str(root), index],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url, self.relay_url = self.process.stdout.readline().split()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def content(self):
        """(requests, bytes) of file contents so far."""
        requests, size = self.ask("content").split()
        return int(requests), int(size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


class ServedSftp:
    """sshd over a directory, and a relay in front of it. The daemon finds the keys by $LAZYVOL_SSH_DIR, which
    is set while this lasts."""

    def __init__(self, build, root):
        self.process = subprocess.Popen([str(Path(build) / "tests/support/serve_sftp"), str(root)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url, self.relay_url, self.ssh_dir = self.process.stdout.readline().split()
        os.environ["LAZYVOL_SSH_DIR"] = self.ssh_dir

    ask = Served.ask

    def __enter__(self):
        return self

    def __exit__(self, *_):
        del os.environ["LAZYVOL_SSH_DIR"]
        Served.__exit__(self)


class ServedS3:
    """radosgw, and a relay in front of it. While this lasts, the environment has its keys."""

    def __init__(self, build):
        self.process = subprocess.Popen([str(Path(build) / "tests/support/serve_s3")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.endpoint, self.relay_endpoint, key, secret = self.process.stdout.readline().split()
        os.environ.update(AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)

    ask = Served.ask

    def __enter__(self):
        return self

    def __exit__(self, *_):
        del os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        Served.__exit__(self)


class Mounted:
    """One daemon with a cache directory of its own, and mounts over it."""

    def __init__(self, build, cache=None, options=""):
        self.tools = Path(build) / "tools"
        self.base = Path(tempfile.mkdtemp(prefix="lazyvol-"))
        self.cache = Path(cache) if cache else self.base / "cache"
        self.options = ["cache-dir=" + str(self.cache)] + ([options] if options else [])
        self.environment = dict(os.environ, LAZYVOL_RUNTIME_DIR=str(self.base / "run"))
        self.mountpoints = []

    def run(self, *words, check=True):
        done = subprocess.run([str(self.tools / "lazyvol"), *map(str, words)], env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"lazyvol {words}: {done.returncode}: {done.stderr}")
        return done

    def mount(self, source, options=""):
        point = Path(tempfile.mkdtemp(prefix="mnt-", dir=self.base))
        words = ",".join(self.options + ([options] if options else []))
        self.run("mount", source, point, "-o", words)
        self.mountpoints.append(point)
        return point

    def umount(self, point):
        self.run("umount", point)
        self.mountpoints.remove(point)

    def status(self):
        return json.loads(self.run("status", "--json").stdout)

    def stop_daemon(self, signal=15):
        """Ends the daemon and waits for its end."""
        for pid in daemon_pids(self.cache):
            os.kill(pid, signal)
            while Path(f"/proc/{pid}").exists():
                time.sleep(0.01)
        for point in self.mountpoints:
            subprocess.run(["umount", "-l", str(point)], capture_output=True)
        self.mountpoints.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for point in list(self.mountpoints):
            self.run("umount", "-l", point, check=False)
        self.stop_daemon()
        shutil.rmtree(self.base, ignore_errors=True)


def daemon_pids(cache):
    """The lazyvold processes over that cache directory."""
    pids = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except (OSError, IndexError):
            continue
        if words[0].endswith(b"lazyvold") and os.fsencode(str(cache)) in b"=".join(words) and state != "Z":
            pids.append(int(entry.name))
    return pids


def drop_page_cache():
    """Empties the kernel's caches where that is allowed (root)."""
    subprocess.run(["sync"], check=True)
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        pass
