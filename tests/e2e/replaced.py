#!/usr/bin/env python3
"""Files that are replaced at the origin while they are read: each read is of one version, or ESTALE.

  replaced.py --build DIR [--tries N] [--sources dir,http,sftp,s3]

Every 8 bytes of a version hold its number, and each has another size than the one before (dates of whole seconds
tell nothing about two versions of one second). Readers read the file from end to end, with pauses, while it is
replaced again and again; a try counts when it was replaced in between. No read fails but with ESTALE, and no reader
sees the bytes of two versions.
"""

import argparse
import datetime
import errno
import hashlib
import hmac
import http.client
import os
import random
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from mounted import Mounted, Served, ServedS3, ServedSftp  # noqa: E402

CHUNK = 128 * 1024
READERS = 4


def body(version):
    return struct.pack("<Q", version) * (96 * 1024 + version % 4096)


class Folder:
    """An origin whose files lie in a directory here."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def put(self, version):
        fresh = self.folder / ".fresh"
        fresh.write_bytes(body(version))
        fresh.rename(self.folder / "file")

    def close(self):
        pass


class Dir(Folder):
    def __init__(self, _, folder):
        super().__init__(folder)
        self.url, self.options = str(folder), ""


class Http(Folder):
    def __init__(self, build, folder):
        super().__init__(folder)
        self.server = Served(build, folder)
        self.url, self.options = self.server.url, ""

    def close(self):
        self.server.close()


class Sftp(Folder):
    def __init__(self, build, folder):
        super().__init__(folder)
        self.server = ServedSftp(build, folder)
        self.url, self.options = self.server.url, ""

    def close(self):
        self.server.close()


class S3:
    def __init__(self, build, _):
        self.server = ServedS3(build)
        self.host = urlsplit(self.server.endpoint).netloc
        self.url, self.options = "s3://bucket", f"endpoint={self.server.endpoint},region=default"
        self.connection = http.client.HTTPConnection(self.host)
        self.send("/bucket", b"")

    def send(self, path, data):
        """A PUT with AWS's signature, version 4."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/default/s3/aws4_request"
        digest = hashlib.sha256(data).hexdigest()
        canonical = (f"PUT\n{path}\n\nhost:{self.host}\nx-amz-content-sha256:{digest}\nx-amz-date:{now}\n\n"
                     f"host;x-amz-content-sha256;x-amz-date\n{digest}")
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
        for word in scope.split("/"):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        self.connection.request("PUT", path, data, {
            "x-amz-content-sha256": digest, "x-amz-date": now,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
                             f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"})
        answer = self.connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"PUT {path}: {answer.status}")

    def put(self, version):
        self.send("/bucket/file", body(version))

    def close(self):
        self.server.close()


class Trial:
    def __init__(self, origin, path, tries):
        self.origin, self.path, self.wanted = origin, path, tries
        self.lock = threading.Lock()
        self.version, self.tries, self.stale, self.whole = 1, 0, 0, 0
        self.failures = []
        self.ended = False

    def replace(self):
        chance = random.Random(1)
        while not self.ended:
            self.origin.put(self.version + 1)
            self.version += 1
            time.sleep(chance.uniform(0, 0.008))

    def fail(self, why):
        with self.lock:
            self.failures.append(why)
            self.ended = True

    def read_once(self, chance):
        """Reads the file; what it saw is of one version."""
        began = self.version
        seen = None
        try:
            with open(self.path, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                offset = 0
                while offset < size:
                    data = os.pread(file.fileno(), CHUNK, offset)
                    if not data:
                        return self.fail(f"the end at {offset} of {size}")
                    word = data[:8] if offset % 8 == 0 else None
                    if seen is None:
                        seen = word
                    if data != seen * (len(data) // 8):
                        return self.fail(f"two versions in one file: {seen.hex()} and others at {offset}")
                    offset += len(data)
                    if chance.random() < 0.3:
                        time.sleep(chance.uniform(0, 0.004))
                if size != len(body(struct.unpack("<Q", seen)[0])):
                    return self.fail("the size of another version")
            outcome = "whole"
        except OSError as error:
            if error.errno != errno.ESTALE:
                return self.fail(f"{error}")
            outcome = "stale"
        with self.lock:
            if self.version > began:
                self.tries += 1
                self.stale += outcome == "stale"
                self.whole += outcome == "whole"
                self.ended = self.ended or self.tries >= self.wanted

    def read(self, seed):
        chance = random.Random(seed)
        while not self.ended:
            try:
                self.read_once(chance)
            except Exception as error:  # a thread that dies must not look like success
                self.fail(repr(error))

    def run(self):
        threads = [threading.Thread(target=self.read, args=(seed,)) for seed in range(READERS)]
        threads.append(threading.Thread(target=self.replace))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--tries", type=int, default=10_000)
    parser.add_argument("--sources", default="dir,http,sftp,s3")
    arguments = parser.parse_args()
    kinds = {"dir": Dir, "http": Http, "sftp": Sftp, "s3": S3}
    bad = 0
    for name in arguments.sources.split(","):
        with tempfile.TemporaryDirectory(prefix="replaced-") as folder:
            origin = kinds[name](arguments.build, folder)
            try:
                origin.put(1)
                with Mounted(arguments.build, options="metadata-ttl=0s") as lazyvol:
                    mount = lazyvol.mount(origin.url, origin.options)
                    trial = Trial(origin, mount / "file", arguments.tries)
                    trial.run()
            finally:
                origin.close()
        bad += bool(trial.failures)
        print(f"{name}: {trial.tries} tries, {trial.version} versions: {trial.whole} read whole, {trial.stale} "
              f"ESTALE, {len(trial.failures)} failed {trial.failures[:3] or ''}", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
