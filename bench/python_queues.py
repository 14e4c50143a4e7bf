#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Python's own queues as contestants of the benchmark.

usage: python_queues.py KIND SOCKET

KIND is manager (queue.Queue behind a BaseManager), queue (multiprocessing.Queue), joinable
(multiprocessing.JoinableQueue) or pipe (multiprocessing.Pipe). It listens on SOCKET and
forks a process for each connection, which inherits the queue. A connection sends lines
"put N SIZE" or "get N SIZE"; the process does that many operations, one at a time, and
answers "done". Only the order and the answer cross the socket.
"""
import ctypes
import multiprocessing
import os
import queue
import signal
import socket
import sys
import tempfile
from multiprocessing.managers import BaseManager


PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Simple:
    """put() and get() of a queue, without an acknowledgement."""

    def __init__(self, q):
        self.put = q.put
        self.get = q.get


class Acknowledged:
    """A queue whose items are finished with task_done()."""

    def __init__(self, q):
        self.put = q.put
        self._get = q.get
        self._task_done = q.task_done

    def get(self):
        self._get()
        self._task_done()


class Pipe:
    def __init__(self, ends):
        self.get = ends[0].recv_bytes
        self.put = ends[1].send_bytes


class Manager(BaseManager):
    pass


def make(kind):
    """Returns a function that a process calls after its fork, for its own access."""
    if kind == "manager":
        shared = queue.Queue()
        Manager.register("shared", callable=lambda: shared)
        manager = Manager(authkey=b"bench")
        manager.start(initializer=die_with_parent)
        address = manager.address

        def connect():
            client = Manager(address=address, authkey=b"bench")
            client.connect()
            return Acknowledged(client.shared())

        connect.manager = manager  # it ends its server when it is collected
        return connect
    if kind == "queue":
        q = multiprocessing.Queue()
        return lambda: Simple(q)
    if kind == "joinable":
        q = multiprocessing.JoinableQueue()
        return lambda: Acknowledged(q)
    ends = multiprocessing.Pipe(duplex=False)
    return lambda: Pipe(ends)


def serve(connection, connect):
    access = connect()
    for line in connection.makefile("r"):
        what, n, size = line.split()
        if what == "put":
            put, body = access.put, bytes(int(size))
            for _ in range(int(n)):
                put(body)
        else:
            get = access.get
            for _ in range(int(n)):
                get()
        connection.sendall(b"done\n")


def main():
    kind, path = sys.argv[1:]
    tempfile.tempdir = os.path.dirname(path)  # it is removed when the server is ended
    connect = make(kind)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(256)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            die_with_parent()
            listener.close()
            serve(connection, connect)
            os._exit(0)
        connection.close()


if __name__ == "__main__":
    main()
