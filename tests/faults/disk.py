# SPDX-License-Identifier: MIT
"""What may be on a disk after a loss of power.

A file's bytes are there for good once a sync of that file has ended that began after they were
written; a name once the folder was synced likewise. Of everything else anything may be there:
each sector has one of the contents that it had since the last sync, or garbage or zeros
where it was written; a file has one of its lengths; each change of names is there or not.
"""
import copy
import random
from dataclasses import replace

SECTOR = 512


class File:
    def __init__(self, data=b""):
        self.durable = bytearray(data)
        self.pending = []  # ops, in their order


class Disk:
    def __init__(self, contents=None):
        """`contents`: name -> bytes, all of it durable."""
        self.files, self.names = {}, {}
        for name, data in sorted((contents or {}).items()):
            ino = self.names[name] = len(self.names) + 1
            self.files[ino] = File(data)
        self.pending_names = []
        self.syncs = {}  # a sync that runs -> what it will make durable

    def seen_names(self):
        """name -> ino, as programs see them."""
        names = dict(self.names)
        for op in self.pending_names:
            rename(names, op)
        return names

    def after_a_kill(self, failed):
        """The disk under a program that is started when the one before was killed: what was not
        synced can be read. `failed`: or ended because a sync had failed; then later syncs do
        not write it either, for the kernel holds it for clean."""
        other = copy.deepcopy(self)
        other.syncs = {}
        for file in other.files.values():
            for op in file.pending:
                op.stuck = failed and op.kind == "write"
                op.done = True
        for op in other.pending_names:
            op.done = True
        return other

    def event(self, begin, op):
        """Carries out one event. Whether it makes another state possible."""
        if not begin:
            op.done = True
        if op.kind in ("write", "size"):
            if begin:
                self.files[op.ino].pending.append(op)
        elif op.kind in ("create", "rename", "unlink"):
            if begin:
                self.pending_names.append(op)
                self.files.setdefault(op.ino, File())
        elif op.kind in ("sync", "dirsync"):
            self.sync(begin, op)
            return not begin
        return begin

    def sync(self, begin, op):
        if op.kind == "sync":
            pending = self.files[op.ino].pending
        else:
            pending = self.pending_names
        if begin:
            self.syncs[op] = [one for one in pending if one.done and not one.stuck]
            return
        for one in self.syncs.pop(op):
            if one not in pending:
                continue  # another sync was faster
            pending.remove(one)
            if op.kind == "sync":
                apply(self.files[op.ino].durable, one)
                if one.kind == "write":
                    self.files[op.ino].pending = uncovered(pending, one)
                    pending = self.files[op.ino].pending
            else:
                rename(self.names, one)

    def state(self, how, rng):
        """name -> bytes. `how`: `all` that was written, `none` of what was not synced, or
        what `rng` says."""
        names = dict(self.names)
        for op in self.pending_names:
            if how == "all" or (how == "some" and rng.random() < 0.5):
                rename(names, op)
        choose = Choice(rng) if how == "some" else None
        state = {}
        for name, ino in sorted(names.items()):
            file = self.files[ino]
            data = bytearray(file.durable)
            if how == "all":
                for op in file.pending:
                    apply(data, op)
            elif how == "some" and file.pending:
                data = torn(file, choose, rng)
            state[name] = bytes(data)
        return state


def rename(names, op):
    """Carries out one change of names."""
    if op.kind == "create":
        names[op.name] = op.ino
        return
    if names.get(op.name) == op.ino:
        del names[op.name]
    if op.kind == "rename":
        names[op.other] = op.ino


def apply(data, op):
    """Carries out one change of a file."""
    if op.kind == "write":
        end = op.offset + len(op.data)
        if len(data) < op.offset:
            data.extend(bytes(op.offset - len(data)))
        data[op.offset : end] = op.data
    elif op.exact and op.length < len(data):
        del data[op.length :]
    elif len(data) < op.length:
        data.extend(bytes(op.length - len(data)))


def uncovered(pending, new):
    """What is left of stuck writes when a later one has replaced bytes of them."""
    left, end = [], new.offset + len(new.data)
    for op in pending:
        if not op.stuck or op.offset >= end or op.offset + len(op.data) <= new.offset:
            left.append(op)
            continue
        for begin, stop in ((op.offset, new.offset), (end, op.offset + len(op.data))):
            if begin < stop:
                piece = op.data[begin - op.offset : stop - op.offset]
                left.append(replace(op, offset=begin, data=piece))
    return left


class Choice:
    """How bad it is. Bugs of one sector hide behind those of many, and the reverse."""

    def __init__(self, rng):
        self.rng = rng
        self.way = rng.choice(("any", "most", "few", "first", "last"))
        self.keep = {"any": 0.5, "most": 0.95, "few": 0.1}.get(self.way, 0.5)
        self.broken = rng.choice((0, 0, 0.2, 0.5))

    def version(self, place, places, versions):
        """Which of the contents 0 … `versions` a sector has; the last is the newest."""
        if self.way in ("first", "last"):
            # All up to a point, or all from there on: how disks mostly do it.
            if place == 0:
                self.cut = self.rng.randrange(places + 1)
            kept = place < self.cut if self.way == "first" else place >= self.cut
            return versions if kept else 0
        if self.rng.random() < self.keep:
            return versions
        return self.rng.randrange(versions)

    def fill(self, length):
        """Zeros or garbage for bytes that were being written, or None."""
        if self.rng.random() >= self.broken:
            return None
        return bytes(length) if self.rng.random() < 0.4 else self.rng.randbytes(length)


def touched_sectors(file):
    """sector -> list of the pending ops that change it."""
    sectors = {}
    length = len(file.durable)
    for op in file.pending:
        if op.kind == "write":
            first, end = op.offset, op.offset + len(op.data)
            length = max(length, end)
        elif op.exact and op.length < length:
            first, end, length = op.length, length, op.length
        else:
            length = max(length, op.length)
            continue
        for sector in range(first // SECTOR, (end + SECTOR - 1) // SECTOR):
            sectors.setdefault(sector, []).append(op)
    return sectors


def change_sector(data, op, sector):
    """The part of a change that is within one sector; `data` is long enough."""
    begin, end = sector * SECTOR, min(len(data), sector * SECTOR + SECTOR)
    if op.kind == "size":
        begin = max(begin, op.length)
        new = bytes(max(0, end - begin))
    else:
        begin, end = max(begin, op.offset), min(end, op.offset + len(op.data))
        new = op.data[begin - op.offset : end - op.offset]
    if begin < end:
        data[begin:end] = new
    return begin, end


def torn(file, choose, rng):
    """A file of which some sectors have what was written last, others not."""
    sizes = [len(file.durable)]
    for op in file.pending:
        if op.kind == "write":
            sizes.append(max(sizes[-1], op.offset + len(op.data)))
        else:
            sizes.append(op.length if op.exact else max(sizes[-1], op.length))
    data = bytearray(file.durable)
    data.extend(bytes(max(sizes) - len(data)))
    sectors = touched_sectors(file)
    needed = 0  # a length without which a sector that is kept would not be
    for place, sector in enumerate(sorted(sectors)):
        ops = sectors[sector]
        version = choose.version(place, len(sectors), len(ops))
        for op in ops[:version]:
            begin, end = change_sector(data, op, sector)
            if op.kind == "write":
                needed = max(needed, end)
        if version < len(ops):
            begin = max(sector * SECTOR, ops[version].offset)
            end = min(sector * SECTOR + SECTOR, ops[version].offset + len(ops[version].data))
            broken = choose.fill(end - begin) if begin < end else None
            if broken:
                data[begin:end] = broken
                needed = max(needed, end)
    size = rng.choice(sizes)
    if size < needed and not any(op.exact for op in file.pending):
        size = needed
    del data[size:]
    return data


def rng_of(seed, point, variant):
    return random.Random("%d.%d.%d" % (seed, point, variant))
