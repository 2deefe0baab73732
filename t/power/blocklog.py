"""What the disk was asked, in order, and what of it is durable at a place.

logfs makes its records before it answers, under one lock: whatever the kernel
does upon an answer has a higher number.  The loop device does one thing at a
time, so that what the file system issues during a flush comes to logfs after
it, while a real disk would have it already.  When a request was issued is known
from a trace of the block layer; without one it is when logfs saw it.
"""
import bisect
import collections
import mmap
import os
import re
import struct

from disk import libc

# seq: when it came to logfs; issued: when the disk may have had it already;
# done: when it was answered
Write = collections.namedtuple('Write', 'seq done off len ref kind issued')
Record = collections.namedtuple('Record', 'seq type len off ref ns')
Issue = collections.namedtuple('Issue', 'ns off len used')

ISSUE = re.compile(r' (\d+)\.(\d{6}): block_rq_issue: \d+,\d+ (\w+) '
                   r'(\d+) \(\) (\d+) \+ (\d+) ')


class Trace:
    """Requests that the block layer issues to a device, in a tracing instance
    of our own."""
    root = '/sys/kernel/tracing'

    def __init__(self, dev):
        self.dir = None
        instances = self.root + '/instances'
        if not os.path.exists(instances):   # mounted in our namespace alone
            libc.mount(b'tracefs', self.root.encode(), b'tracefs', 0, None)
        if not os.path.exists(instances):
            return
        self.dir = '%s/powercut-%d' % (instances, os.getpid())
        os.mkdir(self.dir)
        number = os.stat(dev).st_rdev
        event = 'events/block/block_rq_issue/'
        for name, value in (
                ('trace_clock', 'mono'), ('buffer_size_kb', '16384'),
                (event + 'filter', 'dev == %d' % (
                    os.major(number) << 20 | os.minor(number))),
                (event + 'enable', '1'), ('tracing_on', '1')):
            with open('%s/%s' % (self.dir, name), 'w') as f:
                f.write(value)

    def close(self):
        """The issues in order; off is None for a flush."""
        out = []
        if not self.dir:
            return out
        with open(self.dir + '/tracing_on', 'w') as f:
            f.write('0')
        with open(self.dir + '/trace') as f:
            for line in f:
                m = ISSUE.search(line)
                if m:
                    out.extend(parse_issue(*m.groups()))
        os.rmdir(self.dir)
        self.dir = None
        return sorted(out, key=lambda i: i.ns)


def parse_issue(seconds, us, flags, length, sector, _):
    # at most a microsecond later than the trace says
    ns = int(seconds) * 1000000000 + int(us) * 1000 + 1000
    if flags == 'FF' or (flags.startswith('F') and length == '0'):
        yield Issue(ns, None, 0, set())
    elif 'W' in flags or 'D' in flags:
        yield Issue(ns, int(sector) * 512, int(length), set())


def is_issue_of(issue, record):
    """Is this record the issued request, or a part of it not seen before?"""
    if record.type == 'F':
        found = issue.off is None
    else:
        found = issue.off is not None and issue.off <= record.off and \
            record.off + record.len <= issue.off + issue.len
    return found


def match(records, issues):
    """{seq of W or F: the last number of the log when it was issued}"""
    out, recent, i = {}, collections.deque(maxlen=400), 0
    times = [r.ns for r in records]
    for r in records:
        if r.type not in 'WF':
            continue
        while i < len(issues) and issues[i].ns <= r.ns + 1000:
            recent.append(issues[i])
            i += 1
        for issue in reversed(recent):
            if is_issue_of(issue, r):
                if r.off not in issue.used:     # else its own was not traced
                    out[r.seq] = min(r.seq,
                                     bisect.bisect_right(times, issue.ns))
                    issue.used.add(r.off)
                break
    return out


class Log:
    def __init__(self, disk, issues=(), end=None):
        control = disk.control
        if control.full:
            raise RuntimeError('the log of the disk is full')
        self.end = end or control.seq
        with open(disk.work + '/log.index', 'rb') as f:
            raw = f.read(self.end * 40)
        with open(disk.work + '/log.data', 'rb') as f:
            self.data = mmap.mmap(f.fileno(), max(control.data, 4096),
                                  prot=mmap.PROT_READ)
        self.records = [Record(s, chr(t), *rest) for s, t, *rest in
                        struct.iter_unpack('<QIIQQQ', raw)]
        self.index(match(self.records, issues))

    def index(self, issued):
        done = {r.ref: r.seq for r in self.records if r.type in 'CG'}
        never = self.end + 1
        self.writes = [Write(r.seq, done.get(r.seq, never), r.off, r.len,
                             r.ref, r.type, issued.get(r.seq, r.seq))
                       for r in self.records if r.type in 'WZ']
        # a flush covers what was answered before it was issued
        self.flushes = sorted((done.get(r.seq, never),
                               issued.get(r.seq, r.seq))
                              for r in self.records if r.type == 'F')
        self.flushed_at = [answered for answered, _ in self.flushes]
        best, self.covered = 0, []
        for _, covered in self.flushes:
            best = max(best, covered)
            self.covered.append(best)

    def durable(self, cut):
        """All writes that were answered before this number are durable."""
        i = bisect.bisect_right(self.flushed_at, cut)
        return self.covered[i - 1] if i else 0

    def overlaps(self):
        """Writes to one place at one time, whose order nobody knows."""
        n, flying = 0, []
        for w in self.writes:
            flying = [f for f in flying if f.done > w.seq]
            n += any(f.off < w.off + w.len and w.off < f.off + f.len
                     for f in flying)
            flying.append(w)
        return n

    def letters(self, first, last):
        return ''.join(r.type for r in self.records[first:last])
