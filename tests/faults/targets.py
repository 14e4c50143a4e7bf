# SPDX-License-Identifier: MIT
"""What is attacked: which program to record, how to recover, what must be true then.

A target has
  record(folder, log)             runs the program under strace
  judge(folder, said)             recovers a folder; None, or a sentence about what is wrong;
                                  the part before the first colon is the kind of it
  learn(said)                     all that a recorded run said
  attempt(folder, env, fds)       runs the program; its exit status, and what it said
  ended_wrongly(folder, fault, struck, status)  None, or what is wrong with the end of a program
                                  in which a call failed; struck: its name, the file, the length
  recover_command(folder)         the recovery alone
  record_recovery(folder, log, blind)    runs the recovery under strace; `blind`: what is on
                                  the disk cannot be read past the system's memory
  said_twice(said, more)          what judge() is told after a loss of power in a recovery
                                  that had said `more`
  done()                          at the end of each worker
"""
import os
import subprocess

import broker
import trace

SEGMENT_HEADER = 64  # bytes; they are written when a spare becomes a segment


def add_options(parser):
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--build", default=".", help="the build folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--operations", type=int, help="how much the program does")


def make(options):
    return TARGETS[options.target](options)


def fault_library(options):
    return os.path.abspath(os.path.join(options.build, "tests/faults/.libs/fault.so"))


def fault_settings(target, folder):
    return ["QB_FAULT=" + target.fault, "QB_FAULT_FOLDER=" + folder,
            "LD_PRELOAD=" + target.library]


def blind_settings(target, blind):
    return ["LD_PRELOAD=" + target.library] if blind else []


def run(command, timeout=60, **more):
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=timeout, close_fds="pass_fds" in more, text=True, **more,
    )


class Store:
    """daemon/store alone: records with numbers, each confirmed when it is synced."""

    def __init__(self, options):
        folder = os.path.join(options.build, "tests", "store")
        self.script = os.path.join(folder, "store_script")
        self.recover = os.path.join(folder, "store_recover")
        self.operations = options.operations or 200
        self.seed = options.seed
        self.fault = getattr(options, "fault", None)
        self.library = fault_library(options)
        self.all_said = None

    def command(self, folder):
        return [self.script, folder, str(self.operations), str(self.seed)]

    def record(self, folder, log):
        env = fault_settings(self, folder) if self.fault else []
        status, _ = trace.run(self.command(folder), log, folder, 120, env)
        if status not in ((0, 1, 4) if self.fault else (0,)):
            raise SystemExit("the script failed: exit status %d" % status)

    def learn(self, said):
        self.all_said = {}
        for line in said.splitlines():
            if line.startswith("PUT "):
                _, seq, *what = line.split()
                self.all_said[int(seq)] = what

    def attempt(self, folder, env, fds):
        ran = run(self.command(folder), env=env, pass_fds=fds)
        return ran.returncode, ran.stdout

    def ended_wrongly(self, folder, fault, struck, status):
        return None

    def judge(self, folder, said):
        verdict, first = self.recovered(folder, said)
        if verdict:
            return verdict
        verdict, second = self.recovered(folder, said)
        if verdict:
            return "the second recovery, " + verdict
        if first != second:
            return "not idempotent: %s, then %s" % (first, second)
        return None

    def recovered(self, folder, said):
        """Recovers, and compares with what was said. The verdict, and the last record."""
        put, acked, trimmed = {}, 0, 0
        for line in said.splitlines():
            word, *rest = line.split()
            if word == "PUT":
                put[int(rest[0])] = rest[1:]
            elif word == "ACK":
                acked = max(acked, int(rest[0]))
            elif word == "TRIM":
                trimmed = max(trimmed, int(rest[0]))
        ran = run(self.recover_command(folder))
        if ran.returncode != 0:
            return "exit status %d: %s" % (ran.returncode, ran.stderr[-300:]), None
        there = {}
        for line in ran.stdout.splitlines()[:-1]:  # the last one is OPENED
            seq, *what = line.split()
            if there and int(seq) <= max(there):
                return "order: %s came after %d" % (seq, max(there)), None
            there[int(seq)] = what
        return self.compared(put, acked, trimmed, there), max(there, default=0)

    def compared(self, put, acked, trimmed, there):
        # A record may be written before it is said that it was put.
        allowed = dict(put if self.all_said is None else self.all_said)
        newest = max(put, default=0)
        for seq, what in there.items():
            if seq in allowed:
                if what != allowed[seq]:
                    return "wrong content: record %d is %s, not %s" % (
                        seq, what, allowed[seq])
            elif self.all_said is not None or not newest < seq < newest + 4:
                return "invented: record %d was never put" % seq
        last = max(there, default=0)
        for seq in put:
            if seq not in there and trimmed <= seq <= max(acked, last):
                how = "lost" if seq <= acked else "gap"
                return "%s: record %d; confirmed up to %d, the last one is %d" % (
                    how, seq, acked, last)
        return None

    def recover_command(self, folder):
        return [self.recover, folder]

    def record_recovery(self, folder, log, blind):
        command = self.recover_command(folder)
        trace.run(command, log, folder, 60, blind_settings(self, blind))

    def said_twice(self, said, more):
        """What a recovery that came to its end had shown is there for good."""
        lines = more.splitlines()
        if len(lines) < 2 or lines[-1] != "OPENED":
            return said
        return said + "ACK %s\n" % lines[-2].split()[0]

    def done(self):
        pass


class Broker:
    """qbrokerd, and clients that work with it."""

    def __init__(self, options):
        self.script = os.path.join(options.build, "tests", "faults", "broker_script")
        self.program = [os.path.abspath(os.path.join(options.build, "qbrokerd"))]
        for setting in ("segment_size=64k", "sync_interval_ms=5", "busy_poll_us=0"):
            self.program += ["--set", setting]
        self.operations = options.operations or 100
        self.seed = options.seed
        self.fault = getattr(options, "fault", None)
        self.library = fault_library(options)
        self.keeps_async = True  # until a recorded run says that power is lost

    def command(self, folder):
        numbers = [str(self.operations), str(self.seed)]
        return [self.script, "run", folder] + numbers + self.program

    def record(self, folder, log):
        env = fault_settings(self, folder) if self.fault else []
        status, _ = trace.run(self.command(folder), log, folder, 120, env)
        if status not in ((0, 1, 4) if self.fault else (0,)):
            raise SystemExit("the script failed: exit status %d" % status)

    def learn(self, said):
        self.keeps_async = False

    def attempt(self, folder, env, fds):
        ran = run(self.command(folder), env=env, pass_fds=fds)
        by_signal = ran.returncode > 128  # the broker
        return 128 - ran.returncode if by_signal else ran.returncode, ran.stdout

    def ended_wrongly(self, folder, fault, struck, status):
        """A failed write or sync ends it with 4, unless it was before it was ready, or of the
        snapshot at the end; it goes on without room, but if what was not synced is a segment,
        and without a spare that could not be filled. The log says what it was."""
        call, _, what, *times = fault.split(":")
        call = call.split("@")[0]
        filled = (call == "write" and struck[1].startswith("spare-") and not times
                  and int(struck[2]) > SEGMENT_HEADER)
        with open(folder + ".log", errors="replace") as file:
            log = file.read()
        if status == 4 and "event=journal_failed" not in log:
            return "not said: exit status 4 without journal_failed"
        if status == 1 and not ("event=start_failed" in log or "event=snapshot_failed" in log):
            return "not said: exit status 1 without start_failed or snapshot_failed"
        in_order = self.seed % 2 == 0  # else it may have been killed on its way to its end
        if what == "EIO" and filled and status == 4:
            return "ended: a spare that cannot be filled is none of the journal yet"
        of_segment = call == "sync" and struck[1].startswith("journal-")
        final = of_segment if what == "ENOSPC" else what == "EIO" and not filled
        if final and call in ("write", "sync") and status == 0 and in_order:
            return "not ended: it went on after a failed " + call
        if call == "unlink" and status == 4:
            return "ended: nothing is lost by what cannot be removed"
        stops = "event=stopping" in log  # it cannot wait until there is room, and says so
        if what == "ENOSPC" and call in ("allocate", "write", "rename") and status == 4 and (
                not stops):
            return "ended: it did not survive that there was no room"
        return None

    def judge(self, folder, said):
        books = broker.Books(said, self.keeps_async)
        for time in ("", "the second recovery, "):
            ran = run(self.recover_command(folder))
            if ran.returncode != 0:
                with open(folder + ".log", errors="replace") as log:
                    return "%sexit status %d: %s" % (time, ran.returncode, log.read()[-500:])
            os.unlink(folder + ".log")
            verdict = books.compared(ran.stdout)
            if verdict:
                return time + verdict
        return None

    def recover_command(self, folder):
        return [self.script, "list", folder] + self.program

    def record_recovery(self, folder, log, blind):
        command = self.recover_command(folder)
        trace.run(command, log, folder, 60, blind_settings(self, blind))

    def said_twice(self, said, more):
        return said

    def done(self):
        pass


TARGETS = {"store": Store, "broker": Broker}
