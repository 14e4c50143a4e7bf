#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tries what a loss of power may leave: records what a program writes, makes folders as they
may be found after a loss of power at each point of that, and has each of them recovered.

Everything comes out of the seed and the trace. A bad state is named POINT.VARIANT, or
POINT.VARIANT/POINT.VARIANT when power was lost in a recovery too; the trace is kept, and
`--trace FILE --only NAME` makes the same folder again.
"""
import argparse
import collections
import copy
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback

import disk
import targets
import trace


class Recording:
    """A trace, and the points of it at which something else may be found."""

    def __init__(self, log, before):
        """`before`: the disk when it began."""
        self.before = before
        self.events = trace.read(log, before.seen_names())
        self.points = [-1]
        for at, (begin, op) in enumerate(self.events):
            if (begin and op.kind not in ("sync", "dirsync")) or (
                not begin and op.kind in ("sync", "dirsync")
            ):
                self.points.append(at)

    def said(self):
        """All that was said until the end."""
        return b"".join(op.data for begin, op in self.events
                        if begin and op.kind == "say").decode()

    def walk(self, points):
        """For each of some points, in their order: the disk and what had been said."""
        model = copy.deepcopy(self.before)
        said, done = [], -1
        for point in points:
            while done < point:
                done += 1
                begin, op = self.events[done]
                if op.kind != "say":
                    model.event(begin, op)
                elif begin:
                    said.append(op.data)
            yield point, model, b"".join(said).decode()


def variants(states, points):
    """How many states each point gets: all, none, and the rest by lot."""
    return max(3, states // max(1, points))


def chosen(points, states):
    """Points so many that `states` states are tried, evenly spread."""
    wanted = max(1, states // 3)
    if len(points) <= wanted:
        return points
    return [points[i * len(points) // wanted] for i in range(wanted)]


def make_state(model, seed, point, variant):
    how = ("all", "none")[variant] if variant < 2 else "some"
    return model.state(how, disk.rng_of(seed, point, variant))


def write_folder(folder, state):
    """Makes a folder with these files."""
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder, 0o700)
    for name, data in state.items():
        fd = os.open(os.path.join(folder, name), os.O_CREAT | os.O_WRONLY, 0o600)
        os.write(fd, data.rstrip(b"\0"))
        os.ftruncate(fd, len(data))
        os.close(fd)


class Worker:
    """Tries a share of the states of one recording, in a folder of its own."""

    def __init__(self, options, recording, place):
        self.options = options
        self.recording = recording
        self.folder = os.path.join(options.work, "state-%d" % place)
        self.place = place
        self.target = targets.make(options)
        self.target.learn(recording.said())
        self.tried = [0, 0]  # at the first and at the second level
        self.bad = []  # (name of the state, sentence)

    def judge(self, name, said):
        try:
            return self.target.judge(self.folder, said)
        except Exception:  # whatever it is, it is about this state
            return "the check itself failed: " + traceback.format_exc(limit=2)

    def states(self):
        """Tries the share; with `only`, one state."""
        options, recording = self.options, self.recording
        points = chosen(recording.points, options.states)
        share = points[self.place :: options.jobs]
        each = range(variants(options.states, len(points)))
        if options.only:
            point, variant = options.only[0]
            share, each = [point], [variant]
        seen, last = set(), None
        for point, model, said in recording.walk(share):
            if said != last:
                seen, last = set(), said
            for variant in each:
                state = make_state(model, options.seed, point, variant)
                key = hash(tuple(state.items()))
                if key in seen:
                    continue
                seen.add(key)
                failed = variant == 0 and point % 2 == 0

                def after():
                    return disk.Disk(state) if variant else model.after_a_kill(failed)

                self.one("%d.%d" % (point, variant), state, said, after, failed)

    def one(self, name, state, said, after, failed):
        write_folder(self.folder, state)
        if self.options.only and len(self.options.only) == 1 and self.options.keep_state:
            shutil.copytree(self.folder, self.options.keep_state)
        verdict = self.judge(name, said)
        self.tried[0] += 1
        if verdict:
            self.bad.append((name, verdict))
            return
        every = self.options.second_every
        deeper = self.options.only and len(self.options.only) == 2
        if deeper or (not self.options.only and every and self.tried[0] % every == 0):
            self.second(name, state, said, after, failed)

    def second(self, name, state, said, after, failed):
        """Power is lost while what the first loss, or a kill, left is being recovered. `failed`:
        what is on the disk under the test is not what the model has there."""
        options = self.options
        write_folder(self.folder, state)
        log = os.path.join(options.work, "second-%d" % self.place)
        self.target.record_recovery(self.folder, log, failed)
        recording = Recording(log, after())
        points = recording.points
        each = range(options.second_variants)
        if options.only:
            points, each = [options.only[1][0]], [options.only[1][1]]
        for point, model, more in recording.walk(points):
            for variant in each:
                inner = make_state(model, options.seed, point, variant)
                write_folder(self.folder, inner)
                if options.only and options.keep_state:
                    shutil.copytree(self.folder, options.keep_state)
                self.tried[1] += 1
                inner_name = "%s/%d.%d" % (name, point, variant)
                verdict = self.judge(inner_name, self.target.said_twice(said, more))
                if verdict:
                    self.bad.append((inner_name, verdict))


def work(arguments):
    worker = Worker(*arguments)
    worker.states()
    worker.target.done()
    return worker.tried, worker.bad


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    targets.add_options(parser)
    parser.add_argument("--states", type=int, default=2000, help="about so many (2000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--second-every", type=int, default=200, metavar="N",
                        help="lose power again in the recovery of each N-th state; 0 never")
    parser.add_argument("--second-variants", type=int, default=3, metavar="N",
                        help="states for each point of a recovery")
    parser.add_argument("--trace", help="a trace that was kept, instead of a new one")
    parser.add_argument("--fault", metavar="CALL:N:WHAT",
                        help="let a call fail in the recorded run, as kill.py does")
    parser.add_argument("--only", help="the name of one state")
    parser.add_argument("--keep-state", metavar="FOLDER", help="with --only: copy it here")
    options = parser.parse_args()
    if options.only:
        options.only = [
            tuple(int(n) for n in part.split(".")) for part in options.only.split("/")
        ]
        options.jobs = 1
    return options


def report(options, recording, results, seconds):
    """Prints what was found. The exit status."""
    first = sum(tried[0] for tried, _ in results)
    second = sum(tried[1] for tried, _ in results)
    bad = [one for _, some in results for one in some]
    print("seed %d: %d events, %d states after one loss of power, %d after two, %d bad; "
          "%.1f ms for each" % (options.seed, len(recording.events), first, second,
                                len(bad), 1000 * seconds / max(1, first + second)))
    if not bad:
        return 0
    kinds = collections.Counter(verdict.split(":")[0] for _, verdict in bad)
    for kind, count in kinds.most_common():
        print("%6d  %s" % (count, kind))
    for name, verdict in bad[:10]:
        print("state %s: %s" % (name, verdict))
    if not options.trace:
        kept = os.path.abspath("faults-%s-%d.trace" % (options.target, options.seed))
        shutil.copy(os.path.join(options.work, "trace"), kept)
        print("again: crashgen.py %s … --seed %d --trace %s --only %s"
              % (options.target, options.seed, kept, bad[0][0]))
    return 1


def main():
    options = arguments()
    why = trace.available()
    if why and not (options.trace and not options.second_every):
        print("SKIP: " + why)
        return 77
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    options.work = tempfile.mkdtemp(prefix="qb-faults-", dir=fast)
    try:
        target = targets.make(options)
        log = options.trace or os.path.join(options.work, "trace")
        if not options.trace:
            folder = os.path.join(options.work, "live")
            os.mkdir(folder, 0o700)
            target.record(folder, log)
        recording = Recording(log, disk.Disk())
        start = time.monotonic()
        shares = [(options, recording, place) for place in range(options.jobs)]
        with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
            results = pool.map(work, shares, chunksize=1)
        return report(options, recording, results, time.monotonic() - start)
    finally:
        shutil.rmtree(options.work)


if __name__ == "__main__":
    sys.exit(main())
