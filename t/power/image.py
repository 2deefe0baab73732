"""The disk as a power cut may leave it.

What was answered before a flush was issued that was itself answered before the
cut is on the platter.  All else that was issued is in the disk's cache, and any
part of that may have reached the platter: nothing, all, some of the writes,
some sectors of each, all up to a write of which there is only the beginning,
the last write alone, or all but one.
"""
import bisect
import mmap

from disk import copy_sparse

KINDS = ('none', 'all', 'subset', 'sectors', 'torn', 'last', 'but-one')


class Platter:
    """The disk as of the last flush, moving forward only."""

    def __init__(self, work, log, size):
        self.log, self.size = log, size
        self.path = work + '/platter.img'
        copy_sparse(work + '/base.img', self.path, size)
        with open(self.path, 'r+b') as f:
            self.map = mmap.mmap(f.fileno(), size)
        self.waiting = list(log.writes)     # not durable yet, in order
        self.at = 0

    def put(self, target, w, parts=None):
        """Write all of w, or the given parts of it: (offset, length)."""
        for a, n in [(0, w.len)] if parts is None else parts:
            target[w.off + a:w.off + a + n] = \
                self.log.data[w.ref + a:w.ref + a + n] if w.kind == 'W' \
                else bytes(n)

    def forward(self, durable):
        assert durable >= self.at
        self.at, rest = durable, []
        for i, w in enumerate(self.waiting):
            if w.seq > durable:
                rest.extend(self.waiting[i:])
                break
            if w.done <= durable:
                self.put(self.map, w)
            else:
                rest.append(w)
        self.waiting = rest

    def cut(self, path, cut, kind, rng, grain):
        """Make the image of a disk whose power is cut there."""
        self.forward(self.log.durable(cut))
        copy_sparse(self.path, path, self.size)
        cache = [w for w in self.waiting if w.issued <= cut]
        with open(path, 'r+b') as f:
            with mmap.mmap(f.fileno(), self.size) as target:
                for w, parts in choose(cache, kind, rng, grain):
                    self.put(target, w, parts)


def sectors(cache, rng, grain):
    p = rng.choice((0.2, 0.5, 0.8))
    return [(w, [(a, min(grain, w.len - a)) for a in range(0, w.len, grain)
                 if rng.random() < p]) for w in cache]


def torn(cache, rng, grain):
    i = rng.randrange(len(cache))
    n = rng.randrange(0, cache[i].len, grain)
    return [(w, None) for w in cache[:i]] + [(cache[i], [(0, n)])]


def choose(cache, kind, rng, grain):
    """[(write, parts or None)]: what of the cache reaches the platter."""
    if kind == 'none' or not cache:
        return []
    if kind == 'sectors':
        return sectors(cache, rng, grain)
    if kind == 'torn':
        return torn(cache, rng, grain)
    if kind == 'subset':
        p = rng.choice((0.2, 0.5, 0.8))
        kept = [w for w in cache if rng.random() < p]
    elif kind == 'last':
        kept = cache[-1:]
    elif kind == 'but-one':
        i = rng.randrange(len(cache))
        kept = cache[:i] + cache[i + 1:]
    else:
        kept = cache
    return [(w, None) for w in kept]


def strict_places(log, acks, start, end):
    """The last places before a flush is answered, where as little as can be is
    durable: those after a new 250, and the others."""
    after_ack, other = [], []
    flushed = [at for at in log.flushed_at if start <= at <= end]
    for at, next_at in zip(flushed, flushed[1:] + [end + 1]):
        last = next_at - 1
        new = bisect.bisect_right(acks, last) > bisect.bisect_left(acks, at)
        (after_ack if new else other).append(last)
    return after_ack, other


def random_place(log, acks, start, end, rng):
    x = rng.random()
    if x < 0.4 and acks:
        place = rng.choice(acks) + rng.choice((0, 0, 0, 1, 2, 5))
    elif x < 0.7 and log.flushed_at:
        place = rng.choice(log.flushed_at) - rng.choice((0, 1, 1, 1, 2))
    else:
        place = rng.randint(start, end)
    return min(max(place, start), end)


def plan(log, acks, start, end, count, rng):
    """[(place in the log, kind)]: where the power is cut, in order.  Half of
    them are strict places, with nothing of the cache; the others are random."""
    after_ack, other = strict_places(log, sorted(acks), start, end)
    cuts = set()
    for places, share in (after_ack, 0.45), (other, 0.1):
        rng.shuffle(places)
        cuts.update((p, 'none') for p in places[:round(count * share)])
    for _ in range(20 * count):
        if len(cuts) >= count:
            break
        cuts.add((random_place(log, acks, start, end, rng),
                  rng.choice(KINDS[1:])))
    return sorted(cuts)
