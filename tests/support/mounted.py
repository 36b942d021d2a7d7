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


class Server:
    """A server of the test suite and a relay in front of it: a program of tests/support that prints what there is
    to know, and then obeys lines. Until it is closed, the environment has its variables."""

    def __init__(self, build, program, *words):
        self.process = subprocess.Popen([str(Path(build) / "tests/support" / program), *map(str, words)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = self.process.stdout.readline().split()
        self.variables = {}

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def set(self, **variables):
        os.environ.update(variables)
        self.variables = variables

    def close(self):
        for name in self.variables:
            del os.environ[name]
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Served(Server):
    """nginx over a directory."""

    def __init__(self, build, root, index="json"):
        super().__init__(build, "serve", root, index)
        self.url, self.relay_url = self.facts

    def content(self):
        """(requests, bytes) of file contents so far."""
        requests, size = self.ask("content").split()
        return int(requests), int(size)


class ServedSftp(Server):
    """sshd over a directory. The daemon finds the keys by $LAZYVOL_SSH_DIR."""

    def __init__(self, build, root):
        super().__init__(build, "serve_sftp", root)
        self.url, self.relay_url, self.ssh_dir = self.facts
        self.set(LAZYVOL_SSH_DIR=self.ssh_dir)


class ServedS3(Server):
    """radosgw. The environment has its keys."""

    def __init__(self, build):
        super().__init__(build, "serve_s3")
        self.endpoint, self.relay_endpoint, key, secret = self.facts
        self.set(AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)


class ServedGit(Server):
    """git-http-backend over ROOT/repo.git."""

    def __init__(self, build, root):
        super().__init__(build, "serve_git", root)
        self.url, self.relay_url = self.facts


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


def daemon_memory(cache):
    """(resident now, resident at most) of the daemon over that cache directory, in MiB."""
    status = Path(f"/proc/{daemon_pids(cache)[0]}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in status)
    return tuple(int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))


def daemon_usage(cache):
    """Its memory and descriptors, in words."""
    now, most = daemon_memory(cache)
    return f"{now:.0f} MiB resident ({most:.0f} at most), {len(os.listdir(f'/proc/{daemon_pids(cache)[0]}/fd'))} descriptors"


def cpu_seconds(pids):
    """What these processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def drop_page_cache():
    """Empties the kernel's caches where that is allowed (root)."""
    subprocess.run(["sync"], check=True)
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        pass
