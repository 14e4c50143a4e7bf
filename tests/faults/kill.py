#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ends a program at each of its calls that change a folder, or lets that call fail: the first,
the second, and so on until it comes to its end; then recovers, and looks for what is lost.

KILL ends it right before the call. EIO and ENOSPC let the call fail, once and for good, or, what is
tried again when there is no room, four times.  SHORT lets it write half, EINTR interrupts it. A trial is named
CALL[@FILE]:N:WHAT[:TIMES], and `--only NAME` repeats it. With @FILE only calls on files whose names
begin so count.

With `--moments N` there are N brokers, each with other work, that are killed at any moment of it; then, at any call or
moment, up to three that take up what it left.
"""
import argparse
import collections
import itertools
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time

import targets

# Without room it tries these again, for as long as it takes.
WAITS = ("write", "rename")
KINDS = ["any:%d:KILL", "write:%d:SHORT", "write:%d:SHORT:0"] + [
    "%s:%%d:EINTR" % call for call in ("write", "sync", "allocate")
] + [
    "%s:%%d:%s%s" % (call, error, times)
    for call in ("write", "sync", "allocate", "rename", "unlink", "open")
    for error in ("EIO", "ENOSPC")
    for times in ("", ":0")
    if error != "ENOSPC" or not times or call not in WAITS
] + ["%s:%%d:ENOSPC:4" % call for call in ("allocate",) + WAITS] + ["write@spare-:%d:EIO"]
# 1: it could not begin, or had no room; 4: what it had to write could not be written.
STATUSES = {"KILL": (-signal.SIGKILL,), "SHORT": (0,), "EINTR": (0,), "EIO": (0, 1, 4),
            "ENOSPC": (0, 1, 4)}


class Fault:
    """The environment that makes it happen, and whether it has happened."""

    def __init__(self, options, name, folder):
        self.out, self.into = os.pipe()
        self.env = dict(
            os.environ, LD_PRELOAD=targets.fault_library(options), QB_FAULT=name,
            QB_FAULT_FOLDER=folder, QB_FAULT_FD=str(self.into),
            ASAN_OPTIONS="verify_asan_link_order=0",
        )

    def struck(self):
        """The words of what it struck: CALL NAME LENGTH; none when it has not happened."""
        os.close(self.into)
        with os.fdopen(self.out) as pipe:
            return pipe.read().split()


def trial(options, target, name, folder):
    """Whether it happened, and None or what is wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder, 0o700)
    fault = Fault(options, name, folder)
    status, said = target.attempt(folder, fault.env, [fault.into])
    struck = fault.struck()
    happened = bool(struck)
    expected = STATUSES[name.split(":")[2]] if happened else (0,)
    if status not in expected:
        return happened, "exit status: it ended with %s" % status
    if happened:
        wrong = target.ended_wrongly(folder, name, struck, status)
        if wrong:
            return happened, "%s (%s)" % (wrong, " ".join(struck))
    return happened, target.judge(folder, said)


def work(arguments):
    """All trials of one kind, or a share of them: each `step`-th."""
    options, kind, begin, step = arguments
    target = targets.make(options)
    folder = tempfile.mkdtemp(dir=options.work)
    tried, bad = 0, []
    for n in itertools.count(begin, step) if "%" in kind else [None]:
        name = kind % n if n else kind
        happened, wrong = trial(options, target, name, folder)
        tried += happened
        if wrong:
            bad.append((name, wrong))
        if not happened or len(bad) > 100:
            break
    target.done()
    return kind, tried, bad


def killed_again(options, target, rng, folder, spent):
    """Starts it on what was left, and kills it again. How often it was killed."""
    killed = 0
    for _ in range(rng.randrange(4)):
        name = rng.choice(["any:%d:KILL" % rng.randrange(1, 40),
                           "moment:%d:KILL" % rng.randrange(int(spent / 2))])
        fault = Fault(options, name, folder)
        targets.run(target.recover_command(folder), env=fault.env, pass_fds=[fault.into])
        killed += bool(fault.struck())
    return killed


def moments(arguments):
    """A share of the trials at moments: as work()."""
    options, begin, step = arguments
    folder = tempfile.mkdtemp(dir=options.work)
    kind, tried, bad = "moment", 0, []
    for n in range(begin, options.moments, step):
        rng = random.Random(options.seed * 100000 + n)
        target = targets.make(options)
        target.seed = rng.randrange(1 << 20)
        spent = 1e6 * options.spent * rng.random()
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder, 0o700)
        fault = Fault(options, "moment:%d:KILL" % spent, folder)
        _, said = target.attempt(folder, fault.env, [fault.into])
        tried += bool(fault.struck())
        tried += killed_again(options, target, rng, folder, spent + 1000)
        wrong = target.judge(folder, said)
        if wrong:
            bad.append(("moment %d" % n, wrong))
        target.done()
    return kind, tried, bad


def undisturbed(options):
    """How many seconds it takes when nothing happens."""
    folder = tempfile.mkdtemp(dir=options.work)
    start = time.monotonic()
    targets.make(options).attempt(folder, dict(os.environ), [])
    return time.monotonic() - start


def shares(options):
    if options.only:
        return [(options, options.only, 1, 1)]
    kinds = [kind for kind in KINDS if options.kind in kind]
    every = options.every
    return [(options, kind, 1 + part * every, 4 * every) for kind in kinds
            for part in range(4)]


def report(options, results, seconds):
    tried, bad = collections.Counter(), []
    for kind, count, wrong in results:
        tried[kind.replace("%d", "N")] += count
        bad += wrong
    for kind, count in sorted(tried.items()):
        print("%6d  %s" % (count, kind))
    total = sum(tried.values())
    print("seed %d: %d trials, %d bad; %.1f ms for each"
          % (options.seed, total, len(bad), 1000 * seconds / max(1, total)))
    for name, wrong in bad[:20]:
        print("%s: %s" % (name, wrong))
    if total == 0:
        print("nothing was tried")
    return 1 if bad or total == 0 else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    targets.add_options(parser)
    parser.add_argument("--kind", default="", help="only kinds with this in their names")
    parser.add_argument("--every", type=int, default=1, metavar="N",
                        help="only each N-th call")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--moments", type=int, metavar="N", help="kill N at any moment")
    parser.add_argument("--only", help="the name of one trial")
    options = parser.parse_args()
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    options.work = tempfile.mkdtemp(prefix="qb-faults-", dir=fast)
    start = time.monotonic()
    job, parts = work, shares(options)
    try:
        if options.moments:
            options.spent = undisturbed(options)
            job, parts = moments, [(options, n, options.jobs) for n in range(options.jobs)]
        with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
            results = pool.map(job, parts, chunksize=1)
    finally:
        shutil.rmtree(options.work)
    return report(options, results, time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
