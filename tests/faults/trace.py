# SPDX-License-Identifier: MIT
"""Runs a program under strace and makes a list of what it did to the files of one folder.

Knows nothing of what a loss of power leaves of it: that is disk.py.
"""
import os
import re
import subprocess
from dataclasses import dataclass

CALLS = (
    "clone,clone3,fork,vfork,openat,open,creat,close,dup,dup2,dup3,fcntl,lseek,read,"
    "write,writev,pwrite64,pwritev,pwritev2,"
    "fsync,fdatasync,sync,syncfs,sync_file_range,ftruncate,truncate,fallocate,rename,"
    "renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,mkdir,mkdirat,mmap,"
    "copy_file_range,sendfile,splice"
)
# Leaks cannot be looked for in a traced program, and a preloaded library may come first.
SANITIZER = "ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0"
LONGEST = 1 << 24  # bytes of a write that strace prints

COMPLETE = re.compile(rb"(\d+) +(\w+)\((.*)\) += (-?\d+|\?)")
UNFINISHED = re.compile(rb"(\d+) +(\w+)\((.*?),? *<unfinished \.\.\.>$")
RESUMED = re.compile(rb"(\d+) +<\.\.\. \w+ resumed>,? ?(.*)\) += (-?\d+|\?)")
BEARING = re.compile(rb"(\d+) +clone3?\(")
BORN = re.compile(rb"(\d+) +(?:<\.\.\. )?clone3?\b.* = (\d+)$")
TEXT = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


class Unknown(Exception):
    """The program does something that the model does not know."""


@dataclass(eq=False, slots=True)
class Op:
    """One call. `kind`: write, size, zero, create, rename, unlink, sync, dirsync, say."""

    kind: str
    ino: int = 0  # the file; a file keeps its number when its name changes
    name: str = ""
    other: str = ""  # rename: the new name
    offset: int = 0
    data: bytes = b""
    length: int = 0  # size: at least (fallocate) or exactly (`exact`)
    exact: bool = False
    done: bool = False
    stuck: bool = False  # no sync will write it any more


def available():
    """Says why nothing can be traced here, or None."""
    try:
        ran = subprocess.run(
            ["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, timeout=60
        )
    except FileNotFoundError:
        return "strace is not installed"
    return None if ran.returncode == 0 else "strace is not allowed to trace"


def run(command, log, folder, timeout, env=()):
    """Runs a command under strace, which writes to `log`. Its exit status and output."""
    ran = subprocess.run(
        ["strace", "-f", "-xx", "-s", str(LONGEST), "-qq", "-e", "signal=none"]
        + ["-e", "trace=" + CALLS, "-o", log]
        + [word for setting in (SANITIZER, *env) for word in ("-E", setting)]
        + ["--"]
        + command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
    )
    with open(log, "a") as file:
        file.write("folder %s\n" % os.path.realpath(folder))
    return ran.returncode, ran.stdout.decode()


def folder_of(log):
    """The folder that a trace is about."""
    with open(log, "rb") as file:
        file.seek(max(0, os.path.getsize(log) - 5000))
        return os.fsdecode(file.read().splitlines()[-1].removeprefix(b"folder "))


def text_of(match):
    if match[2]:
        raise Unknown("a write of more than %d bytes" % LONGEST)
    return bytes.fromhex(match[1].replace(b"\\x", b"").decode())


class Reader:
    """Turns lines of strace into events: (begin?, op)."""

    def __init__(self, folder, names):
        self.folder = os.path.realpath(folder)
        self.names = dict(names)  # as the program sees them: name -> ino
        self.fds = {}  # of the process whose line it is: fd -> [ino, position]; 0: the folder
        self.processes = {}  # thread -> its process's fds
        self.shares = {}  # thread -> whether what it made last is a thread
        self.inos = max(names.values(), default=0)
        self.events = []
        self.open_calls = {}  # thread -> (name, arguments, place) without a return yet
        self.closing = set()  # threads with a close() without a return yet

    def born(self, line):
        """Read before all else: which threads share their descriptors. A process that was
        forked begins without any of the folder."""
        match = BEARING.match(line)
        if match:
            self.shares[match[1]] = b"CLONE_FILES" in line
        match = BORN.match(line)
        if match and self.shares[match[1]]:
            self.processes[match[2]] = self.processes.setdefault(match[1], {})

    def line(self, line):
        self.fds = self.processes.setdefault(line.split(b" ", 1)[0], {})
        match = COMPLETE.match(line)
        if match:
            _, call, args, ret = match.groups()
            for op in self.call(call.decode(), args, ret):
                self.events += [(True, op), (False, op)]
            return
        match = UNFINISHED.match(line)
        if match and match[2] == b"close":
            # Another thread may have the number before its end is read.
            self.do_close(match[3], [], None)
            self.closing.add(match[1])
            return
        if match:
            # What it does is known when its end is read; its place is here.
            place = len(self.events)
            self.events.append(None)
            self.open_calls[match[1]] = (match[2].decode(), match[3], place)
            return
        match = RESUMED.match(line)
        if match and match[1] in self.closing:
            self.closing.remove(match[1])
        elif match:
            call, args, place = self.open_calls.pop(match[1])
            rest = b", " + match[2] if match[2] else b""
            ops = self.call(call, args + rest, match[3])
            self.events[place] = [(True, op) for op in ops]
            self.events += [(False, op) for op in ops]

    def finish(self):
        """The events in their order. Calls that never returned may have done all."""
        for thread, (call, args, place) in self.open_calls.items():
            self.fds = self.processes.setdefault(thread, {})
            if call.startswith(("write", "pwrite", "rename", "unlink")):
                self.events[place] = [(True, op) for op in self.call(call, args, b"?")]
        flat = []
        for event in self.events:
            flat += event if isinstance(event, list) else [event] if event else []
        return flat

    # -- calls ------------------------------------------------------------------------

    def call(self, call, args, ret):
        """What one call did to the folder."""
        if ret.startswith(b"-"):
            return []
        texts = [text_of(m) for m in TEXT.finditer(args)]
        method = getattr(self, "do_" + call, None)
        if method:
            return method(args, texts, int(ret) if ret != b"?" else None) or []
        if call in ("link", "linkat", "mkdir", "mkdirat", "symlink", "symlinkat", "truncate"):
            touched = any(os.fsdecode(t).startswith(self.folder) for t in texts)
        elif call in ("sync", "syncfs"):
            touched = True
        else:
            touched = any(int(n) in self.fds for n in re.findall(rb"\b\d+\b", args)[:2])
        if touched:
            raise Unknown("%s(%s)" % (call, args.decode(errors="replace")[:200]))
        return []

    def name_of(self, where, text):
        """The name within the folder, "" for the folder itself, or None."""
        path = os.fsdecode(text)
        if not path.startswith("/"):
            if where != b"AT_FDCWD" and self.fds.get(int(where), [None])[0] == 0:
                return "" if path == "." else path
            return None
        path = os.path.normpath(path)
        if path == self.folder:
            return ""
        if path.startswith(self.folder + "/"):
            return path[len(self.folder) + 1 :]
        return None

    def opened(self, where, text, flags, fd):
        name = self.name_of(where, text)
        if name is None:
            return []
        reads = b"O_RDONLY" in flags  # past the memory or not
        if re.search(rb"O_TMPFILE|SYNC|O_APPEND", flags) or (
            re.search(rb"\bO_DIRECT\b", flags) and not reads
        ):
            raise Unknown("open with " + flags.decode())
        ops = []
        if name == "":
            ino = 0
        elif name in self.names:
            ino = self.names[name]
            if b"O_TRUNC" in flags:
                ops.append(Op("size", ino, length=0, exact=True))
        else:
            self.inos += 1
            ino = self.names[name] = self.inos
            ops.append(Op("create", ino, name))
        if fd is not None:
            self.fds[fd] = [ino, 0]
        return ops

    def do_openat(self, args, texts, ret):
        where, _, flags = args.split(b", ", 2)
        return self.opened(where, texts[0], flags, ret)

    def do_open(self, args, texts, ret):
        return self.opened(b"AT_FDCWD", texts[0], args.split(b", ", 1)[1], ret)

    def do_creat(self, args, texts, ret):
        return self.opened(b"AT_FDCWD", texts[0], b"O_CREAT|O_TRUNC", ret)

    def do_close(self, args, texts, ret):
        self.fds.pop(int(args), None)

    def do_lseek(self, args, texts, ret):
        if int(args.split(b",")[0]) in self.fds:
            self.fds[int(args.split(b",")[0])][1] = ret

    def do_read(self, args, texts, ret):
        if int(args.split(b",")[0]) in self.fds:
            self.fds[int(args.split(b",")[0])][1] += ret or 0

    def do_dup(self, args, texts, ret):
        if int(args.split(b",")[0]) in self.fds:
            self.fds[ret] = self.fds[int(args.split(b",")[0])]

    do_dup2 = do_dup3 = do_dup

    def do_fcntl(self, args, texts, ret):
        if b"F_DUPFD" in args:
            self.do_dup(args, texts, ret)

    def do_mmap(self, args, texts, ret):
        _, _, prot, flags, fd = args.split(b", ")[:5]
        shared = b"MAP_SHARED" in flags and b"PROT_WRITE" in prot
        if shared and int(fd) in self.fds:
            raise Unknown("memory that is mapped for writing")

    def written(self, args, data, ret, offset=None):
        fd = int(args.split(b",", 1)[0])
        data = data if ret is None else data[:ret]
        if fd == 1:
            return [Op("say", data=data)]
        if fd not in self.fds:
            return []
        file = self.fds[fd]
        if offset is None:
            offset, file[1] = file[1], file[1] + len(data)
        return [Op("write", file[0], offset=offset, data=data)]

    def do_write(self, args, texts, ret):
        return self.written(args, texts[0] if texts else b"", ret)

    def do_writev(self, args, texts, ret):
        return self.written(args, b"".join(texts), ret)

    def do_pwrite64(self, args, texts, ret):
        return self.written(args, b"".join(texts), ret, int(args.rsplit(b", ", 1)[1]))

    do_pwritev = do_pwrite64

    def synced(self, args):
        file = self.fds.get(int(args))
        if file is None:
            return []
        return [Op("sync", file[0]) if file[0] else Op("dirsync")]

    def do_fsync(self, args, texts, ret):
        return self.synced(args)

    do_fdatasync = do_fsync

    def do_sync_file_range(self, args, texts, ret):
        """Promises nothing for a loss of power."""

    def do_ftruncate(self, args, texts, ret):
        fd, length = args.split(b", ")
        if int(fd) in self.fds:
            return [Op("size", self.fds[int(fd)][0], length=int(length), exact=True)]

    def do_fallocate(self, args, texts, ret):
        fd, mode, offset, length = args.split(b", ")
        if int(fd) not in self.fds:
            return []
        ino, offset, length = self.fds[int(fd)][0], int(offset), int(length)
        if mode == b"0":
            return [Op("size", ino, length=offset + length)]
        if b"FALLOC_FL_ZERO_RANGE" in mode or b"FALLOC_FL_PUNCH_HOLE" in mode:
            return [Op("write", ino, offset=offset, data=bytes(length))]
        if mode == b"FALLOC_FL_KEEP_SIZE":
            return []
        raise Unknown("fallocate with " + mode.decode())

    def renamed(self, old, new):
        if old is None and new is None:
            return []
        if old is None or new is None:
            raise Unknown("a rename from or to another folder")
        ino = self.names.pop(old)
        self.names[new] = ino
        return [Op("rename", ino, old, new)]

    def do_rename(self, args, texts, ret):
        return self.renamed(*(self.name_of(b"AT_FDCWD", t) for t in texts))

    def do_renameat(self, args, texts, ret):
        if b"RENAME_EXCHANGE" in args:
            raise Unknown("an exchange of names")
        words = args.split(b", ")
        old = self.name_of(words[0], texts[0])
        return self.renamed(old, self.name_of(words[2], texts[1]))

    do_renameat2 = do_renameat

    def unlinked(self, name):
        return [Op("unlink", self.names.pop(name), name)] if name else []

    def do_unlink(self, args, texts, ret):
        return self.unlinked(self.name_of(b"AT_FDCWD", texts[0]))

    def do_unlinkat(self, args, texts, ret):
        return self.unlinked(self.name_of(args.split(b", ")[0], texts[0]))


def read(log, names):
    """The events of a log of strace. `names`: name -> ino, what the folder had before."""
    reader = Reader(folder_of(log), names)
    with open(log, "rb") as file:
        lines = file.readlines()
    for line in lines:
        reader.born(line)
    for line in lines:
        reader.line(line)
    return reader.finish()
