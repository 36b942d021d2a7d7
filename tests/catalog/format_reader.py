#!/usr/bin/python3
"""A reader of published volumes written from docs/format.md alone: `format_reader.py docs/format.md` decodes
the examples that the document shows and compares them with what it says of them."""
import hashlib
import pathlib
import re
import struct
import sys


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, count):
        assert self.at + count <= len(self.data), "too short"
        self.at += count
        return self.data[self.at - count:self.at]

    def u8(self):
        return self.raw(1)[0]

    def num(self):
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def snum(self):
        bits = self.num()
        return (bits >> 1) ^ -(bits & 1)

    def text(self):
        return self.raw(self.num())

    def column(self, count):
        form, base = self.u8(), self.snum()
        planes = [self.raw(count) for _ in range(form & 15)]
        values = []
        for i in range(count):
            value = base + (i if form & 16 else 0) + sum(p[i] << 8 * n for n, p in enumerate(planes))
            value %= 2**64
            values.append(value - 2**64 if value >> 63 else value)
        return values

    def texts(self, count):
        lengths, starts, data = self.column(count), self.column((count + 15) // 16), self.text()
        result, at = [], 0
        for i, length in enumerate(lengths):
            assert i % 16 or starts[i // 16] == at, "a start that is none"
            result.append(data[at:at + length])
            at += length
        return result

    def frames(self):
        packs = [self.raw(32) for _ in range(self.num())]
        count = self.num()
        pack, gap, stored, raw = (self.column(count) for _ in range(4))
        hashes = [self.raw(32) for _ in range(count)]
        offsets = []
        for i in range(count):
            follows = i % 16 and pack[i] == pack[i - 1]
            offsets.append(gap[i] + (offsets[i - 1] + stored[i - 1] if follows else 0))
        return [(packs[pack[i]], offsets[i], stored[i], raw[i], hashes[i]) for i in range(count)]

    def end(self):
        assert self.at == len(self.data), "bytes that nothing accounts for"


def names(shared, rests, begins=()):
    result = []
    for i, (same, rest) in enumerate(zip(shared, rests)):
        assert same == 0 or (i % 16 and i not in begins), "a name that is not whole"
        result.append((result[-1][:same] if same else b"") + rest)
    return result


def read_leaf(r, rows):
    count = r.num()
    directories, begins = r.column(count), r.column(count)
    shared = r.column(rows)
    page = {"directories": directories, "begins": begins, "names": names(shared, r.texts(rows), begins)}
    for name in ("ids", "classes", "nlinks", "seconds", "nanoseconds"):
        page[name] = r.column(rows)
    page["extras"] = r.texts(rows)
    count = r.num()
    page["flags"], page["modes"], page["uids"], page["gids"] = (r.column(count) for _ in range(4))
    count = r.num()
    page["counts"], page["piece_begins"] = r.column(rows), r.column((rows + 15) // 16)
    page["steps"], page["gaps"], page["lengths"] = (r.column(count) for _ in range(3))
    page["frames"] = r.frames()
    return page


def read_page(r):
    tree, level, rows = r.u8(), r.u8(), r.num()
    if level > 0:
        shared = r.column(rows)
        return tree, level, {"keys": names(shared, r.texts(rows)), "frames": r.frames()}
    if tree == 2:
        return tree, level, {"last": r.column(rows), "length": r.column(rows), "directory": r.column(rows),
                             "names": r.texts(rows)}
    return tree, level, read_leaf(r, rows)


def read_map(r):
    assert r.u8() == 0x4d
    level, size, rows = r.u8(), r.num(), r.num()
    return {"level": level, "size": size, "begins": r.column((rows + 15) // 16), "kinds": r.column(rows),
            "lengths": r.column(rows), "frame": r.column(rows), "offsets": r.column(rows), "frames": r.frames()}


def read_head(r):
    assert r.raw(13) == b"lazyvol-head\n" and struct.unpack("<I", r.raw(4)) == (1,)
    head = {"volume": r.raw(16), "sequence": r.num(), "parent": r.raw(32), "created": r.snum(),
            "expires": r.snum(), "next_id": r.num(), "root": [r.num(), r.num(), r.num(), r.snum()],
            "scales": (r.u8(), r.u8()), "frame": r.num(), "statistics": [r.num() for _ in range(6)],
            "hot": [(r.raw(32), r.num()) for _ in range(r.num())], "names": (r.num(), r.text()),
            "ids": (r.num(), r.text()), "signed": r.u8()}
    if head["signed"]:
        head["key"], _ = r.raw(32), r.raw(64)
    else:
        assert hashlib.sha256(b"lazyvol head signature 1\n" + r.data[:r.at]).digest() == r.raw(32)
    return head


def check(examples):
    frame = (b"\xaa" * 32, 16, 1000, 4096, b"\xbb" * 32)
    seen = []
    for data in examples:
        r = Reader(data)
        if data.startswith(b"LZVPACK\1"):
            offset, count = struct.unpack("<II", data[-32:-24])
            index = data[offset:-64]
            assert count == 1 and hashlib.sha256(index).digest() == data[-64:-32]
            assert index[8:] == hashlib.sha256(b"hi\n").digest() and data[16:offset] == b"hi\n"
            seen.append("pack")
            continue
        if data.startswith(b"lazyvol-head"):
            head = read_head(r)
            assert head["sequence"] == 1 and head["created"] == 17 * 10**17 and head["volume"] == b"\x11" * 16
            assert head["root"] == [0o755, 0, 0, 0] and head["scales"] == (15, 14)
            seen.append("signed head" if head["signed"] else "head")
        elif data[0] == 0x4d:
            found = read_map(r)
            assert found["kinds"] == [1, 0] and found["lengths"] == [4096, 65536] and found["frames"] == [frame]
            seen.append("map")
        else:
            tree, level, page = read_page(r)
            if level:
                assert tree == 1 and page == {"keys": [b"\0\0\0\0\0\0\0\1doc.txt"], "frames": [frame]}
                seen.append("interior")
            elif tree == 2:
                assert page == {"last": [4], "length": [3], "directory": [2], "names": [b"hello"]}
                seen.append("ids")
            else:
                assert page["names"] == [b"doc", b"doc.txt", b"hello"] and page["ids"] == [2, 3, 4]
                assert page["directories"] == [1, 2] and page["begins"] == [0, 2]
                assert page["modes"] == [0o755, 0o644, 0o644] and page["extras"] == [b"", b"", b"hi\n"]
                assert page["seconds"] == [17 * 10**8] * 3 and page["flags"] == [2, 9, 5]
                assert page["lengths"] == [1500] and page["counts"] == [0, 1, 0] and page["frames"] == [frame]
                seen.append("leaf")
        r.end()
    assert sorted(seen) == ["head", "ids", "interior", "leaf", "map", "pack", "signed head"], seen
    return seen


if __name__ == "__main__":
    document = pathlib.Path(sys.argv[1]).read_text()
    print(check([bytes.fromhex("".join(block.split()))
                 for block in re.findall(r"```\n([0-9a-f\n]+)```", document)]))
