# SPDX-License-Identifier: MIT
"""What clients of a broker were told, and what must and may be there after it.

Reads the lines of broker_script. Each worker has queues of its own and does one operation after
the other, so what an operation was about follows from those before it.
"""


class Item:
    """One item, by the size of its body. `must`, `may`: whether it is there after a crash."""

    def __init__(self, queue, group, fresh):
        self.queue, self.group = queue, group
        self.id = None
        self.must, self.may = False, True
        self.place = "nowhere"  # waits, held, dead: in the broker that ran
        self.fresh = fresh  # it waits at the place that its id says


class Try:
    """An operation. `ok`: the words of its answer; None: it has none."""

    def __init__(self, at, words):
        self.at, self.name, self.words = at, words[0], words[1:]
        self.end, self.ok, self.refused = None, None, False


def read(said):
    """The operations that were begun, in their order. A line that is not whole is none."""
    tries, begun = [], {}
    for at, line in enumerate(said.splitlines(keepends=True)):
        if not line.endswith("\n"):
            break
        word, worker, *rest = line.split()
        if word == "TRY":
            begun[worker] = Try(at, rest)
            tries.append(begun[worker])
        else:
            begun[worker].end = at
            begun[worker].refused = word == "NO"
            begun[worker].ok = rest if word == "OK" else None
    return tries


class Books:
    """`keeps_async`: what is written stays, as when only the process ends. If not, an async
    queue keeps what was confirmed before a later operation of a sync one was begun
    that was confirmed: the journal is read up to some point, for all queues."""

    def __init__(self, said, keeps_async):
        self.items = {}
        self.keeps_async = keeps_async
        tries = read(said)
        self.synced = max((one.at for one in tries if self.waits_for_disk(one)), default=-1)
        self.queue_of = {}
        for one in tries:
            getattr(self, "do_" + one.name, self.do_nothing)(one)

    @staticmethod
    def waits_for_disk(one):
        return (one.ok is not None and one.name in ("put", "many")
                and not one.words[0].startswith("async") and one.ok[-1] != "1")

    def is_firm(self, one, queue):
        """Whether what was confirmed must be so after the crash."""
        return one.ok is not None and (
            self.keeps_async or not queue.startswith("async") or one.end < self.synced)

    def do_nothing(self, one):
        pass

    # -- what comes ------------------------------------------------------------------

    def added(self, one, size, item, id, duplicate=False):
        self.items[size] = item
        firm = self.is_firm(one, item.queue)
        if one.refused or duplicate:
            item.may = not (firm or one.refused)
        elif one.ok is not None:
            item.id, item.must, item.place = id, firm, "waits"

    def do_put(self, one):
        queue, size, _, group, _, delay = one.words
        id, duplicate = one.ok or (None, "0")
        item = Item(queue, group, delay == "0" and group == "-")
        self.added(one, size, item, id, duplicate == "1")

    def do_many(self, one):
        queue, *sizes = one.words
        for i, size in enumerate(sizes):
            self.added(one, size, Item(queue, "-", True), one.ok and one.ok[i])

    # -- what changes its place -------------------------------------------------------

    def do_get(self, one):
        if one.ok:
            item = self.items[one.ok[0]]
            item.place, item.fresh = "held", False

    def moved(self, one, place):
        if one.ok is not None:
            self.items[one.words[0]].place = place

    def do_nack(self, one):
        self.moved(one, "waits")

    do_release = do_nack

    def do_bury(self, one):
        self.moved(one, "dead")

    def do_kick(self, one):
        """Those that died first: it is not followed which."""
        for item in self.items.values():
            if item.queue == one.words[0] and item.place == "dead":
                item.place = "waits or dead"

    # -- what goes -------------------------------------------------------------------

    def gone(self, one, item, surely=True):
        if one.refused:
            return
        item.must = False
        if surely and self.is_firm(one, item.queue):
            item.may = False

    def do_ack(self, one):
        for size in one.words:
            self.gone(one, self.items[size])
            self.items[size].place = "nowhere"

    def dropped(self, one, items):
        for item in items:
            if item.queue == one.words[0] and item.place.startswith("waits"):
                surely = item.place == "waits"
                self.gone(one, item, surely)
                if surely and one.ok is not None:
                    item.place = "nowhere"

    def do_purge(self, one):
        self.dropped(one, self.items.values())

    def do_cancel(self, one):
        group = [i for i in self.items.values() if i.group == one.words[1]]
        self.dropped(one, group)
        for item in group:  # who gives it back later drops it
            if item.queue == one.words[0] and item.place != "nowhere":
                item.must = False

    # -- what is there ----------------------------------------------------------------

    def compared(self, listed):
        """None, or what is wrong with the lines of a list."""
        lines = [line.split() for line in listed.splitlines()]
        if not lines or lines[-1] != ["END"]:
            return "the list is not complete"
        there, last = {}, {}
        for word, queue, *rest in lines[:-1]:
            if word != "ITEM":
                continue
            state, id, size, body = rest[:4]
            item = self.items.get(size)
            if there.setdefault(size, (queue, id)) != (queue, id):
                return "twice: %s as %s and %s" % (size, there[size], (queue, id))
            wrong = self.wrong_item(item, queue, id, body)
            if wrong:
                return "%s: %s with id %s of %s, %s" % (wrong, size, id, queue, state)
            if item and item.fresh and state == "ready" and queue.startswith("fifo"):
                if int(id) < last.get(queue, 0):
                    return "order: %s with id %s of %s" % (size, id, queue)
                last[queue] = int(id)
        for size, item in self.items.items():
            if item.must and size not in there:
                return "lost: %s with id %s of %s" % (size, item.id, item.queue)
        return None

    @staticmethod
    def wrong_item(item, queue, id, body):
        if body == "0":
            return "wrong content"
        if item is None:
            return "invented"
        if not item.may:
            return "came back"
        if item.queue != queue:
            return "wrong queue"
        if item.id not in (None, id):
            return "wrong id"
        return None
