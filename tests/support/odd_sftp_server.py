#!/usr/bin/python3
"""An SFTP server of another make, for sshd's Subsystem: odd_sftp_server.py ODDITY,…

Serves the real files, version 3, without extensions. Oddities:
  short     a read brings 5000 bytes at most
  shuffle   replies to what came in one go are sent in the reverse order
  bare      names come without attributes
  broken    the fifth and each later read fails
  lost      it dies at the tenth read
  slow      each stat takes a second
"""
import itertools
import os
import struct
import sys
import time

ODD = set(sys.argv[1].split(",")) if len(sys.argv) > 1 else set()
OPEN, CLOSE, READ, LSTAT, FSTAT, OPENDIR, READDIR, STAT, READLINK = 3, 4, 5, 7, 8, 11, 12, 17, 19
OK, EOF, NO_SUCH, DENIED, FAILURE = 0, 1, 2, 3, 4
handles, reads = {}, 0


def text(value):
    return struct.pack(">I", len(value)) + value


def status(code):
    return bytes([101]), struct.pack(">I", code) + text(b"") + text(b"")


def attributes(seen):
    return struct.pack(">IQIIIII", 15, seen.st_size, seen.st_uid, seen.st_gid, seen.st_mode,
                       int(seen.st_atime) & 0xffffffff, int(seen.st_mtime))


def names(entries):
    return bytes([104]), struct.pack(">I", len(entries)) + b"".join(
        text(name) + text(b"") + (struct.pack(">I", 0) if "bare" in ODD or seen is None else attributes(seen))
        for name, seen in entries)


def new_handle(thing):
    handle = b"h%d" % len(handles)
    handles[handle] = thing
    return bytes([102]), text(handle)


def field(body, at):
    length, = struct.unpack_from(">I", body, at)
    return body[at + 4:at + 4 + length], at + 4 + length


def answer(kind, body):
    global reads
    first, rest = field(body, 4)
    if kind == OPEN:
        return new_handle(os.open(first, os.O_RDONLY))
    if kind == CLOSE:
        thing = handles.pop(first)
        if isinstance(thing, int):
            os.close(thing)
        return status(OK)
    if kind == READ:
        reads += 1
        if "broken" in ODD and reads >= 5:
            return status(FAILURE)
        if "lost" in ODD and reads >= 10:
            os._exit(1)
        offset, length = struct.unpack_from(">QI", body, rest)
        part = os.pread(handles[first], min(length, 5000) if "short" in ODD else length, offset)
        return (bytes([103]), text(part)) if part else status(EOF)
    if kind in (LSTAT, STAT, FSTAT):
        if "slow" in ODD:
            time.sleep(1)
        seen = os.fstat(handles[first]) if kind == FSTAT else os.stat(first, follow_symlinks=kind == STAT)
        return bytes([105]), attributes(seen)
    if kind == OPENDIR:
        return new_handle(iter([(name, os.lstat(os.path.join(first, name))) for name in os.listdir(first)]))
    if kind == READDIR:
        part = list(itertools.islice(handles[first], 3))
        return names(part) if part else status(EOF)
    if kind == READLINK:
        return names([(os.readlink(first), None)])
    return status(8)


def reply_to(packet):
    kind, body = packet[0], packet[1:]
    if kind == 1:
        out = bytes([2]) + struct.pack(">I", 3)
    else:
        try:
            head, rest = answer(kind, body)
        except OSError as error:
            codes = {2: NO_SUCH, 20: NO_SUCH, 13: DENIED, 1: DENIED}
            head, rest = status(codes.get(error.errno, FAILURE))
        out = head + body[:4] + rest
    return text(out)


def write_all(data):
    while data:
        data = data[os.write(1, data):]


def main():
    pending = b""
    while True:
        chunk = os.read(0, 1 << 20)
        if not chunk:
            return
        pending += chunk
        replies = []
        while len(pending) >= 4:
            length, = struct.unpack_from(">I", pending)
            if len(pending) < 4 + length:
                break
            replies.append(reply_to(pending[4:4 + length]))
            pending = pending[4 + length:]
        for out in reversed(replies) if "shuffle" in ODD else replies:
            write_all(out)


main()
