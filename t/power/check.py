"""Mounts the disk after a cut, and looks for what was promised."""
import collections
import os

from disk import Loop, btrfs_forget, mount, run, umount

# what must not be: messages that were acknowledged before the cut and are not
# there whole; files in new/ that are no whole message; messages twice in one
# Maildir; messages before their client had begun them, which would be a fault
# of the test; and what the file system is blamed for
LISTS = ('lost', 'partial', 'twice', 'early')
FAULTS = ('unmountable', 'damaged', 'fsck_complaints')


class Result:
    def __init__(self):
        self.lost, self.partial, self.twice, self.early = [], [], [], []
        self.unmountable = self.damaged = self.fsck_complaints = None
        self.required, self.repaired = 0, False

    def bad(self):
        """{what: details} of all that must not be."""
        return {name: value[:5] if isinstance(value, list) else value
                for name in LISTS + FAULTS
                for value in [getattr(self, name)] if value}


class Checker:
    def __init__(self, cfg, fs, server, messages):
        self.fs, self.server, self.messages = fs, server, messages
        self.where = cfg.work + '/after'
        self.known = {}         # path: (id, size) of files found whole before
        os.makedirs(self.where, exist_ok=True)

    def check(self, image, cut, fsck, deep):
        """Mount the image.  A file that was whole after an earlier cut is read
        again only if deep is true."""
        result = Result()
        loop = Loop(image)
        try:
            self.check_device(loop.dev, cut, fsck, deep, result)
        finally:
            if self.fs['type'] == 'btrfs':
                btrfs_forget(loop.dev)
            loop.close()
        return result

    def check_mounted(self, where, end):
        """What is wrong at the end of the load, before any cut."""
        result = Result()
        self.compare(end, self.find(where, end, True, result), result)
        return result.bad()

    def check_device(self, dev, cut, fsck, deep, result):
        try:
            result.repaired = self.mount(dev)
        except OSError as e:
            result.unmountable = str(e)
            return
        try:
            self.compare(cut, self.find(self.where, cut, deep, result), result)
        except OSError as e:
            result.damaged = str(e)
        finally:
            umount(self.where)
        if fsck:
            said = run(self.fs['fsck'].format(dev=dev))
            if said.returncode:
                result.fsck_complaints = \
                    said.stdout.decode(errors='replace')[-1500:]

    def mount(self, dev):
        """As a boot does.  True: it had to be repaired first."""
        try:
            mount(dev, self.where, self.fs['type'], '')
            return False
        except OSError:
            if 'repair' not in self.fs:
                raise
        run(self.fs['repair'].format(dev=dev))
        mount(dev, self.where, self.fs['type'], '')
        return True

    def find(self, where, cut, deep, result):
        """{(box, id): names} of the whole messages."""
        found = collections.defaultdict(list)
        links = {}              # inode: content, to read a file once
        for box, kind, path in self.server.files(where):
            if kind == 'tmp':
                continue
            name = path[len(where):]
            try:
                boxes, ident, wrong = self.identify(
                    box, kind, path, name, links, deep)
            except OSError as e:
                boxes, ident, wrong = [], None, str(e)
            if wrong:
                result.partial.append((name, ident, wrong))
                continue
            for b in boxes:
                found[b, ident].append(name)
            if ident and self.messages[ident].begun > cut:
                result.early.append((name, ident))
        return found

    def identify(self, box, kind, path, name, links, deep):
        """(boxes, id, what is wrong) of a file.  What is incomplete in a queue
        is for no box, as the server would not deliver it."""
        st = os.stat(path)
        known = self.known.get(name)
        if known and known[1] == st.st_size and not deep:
            return [box], known[0], None
        data = links.get(st.st_ino)
        if data is None:
            with open(path, 'rb') as f:
                data = f.read()
        if kind == 'queue':
            return self.identify_queued(path, data)
        if st.st_nlink > 1:
            links[st.st_ino] = data
        ident, wrong = self.server.inspect(path, data, self.messages)
        if not wrong and not self.server.belongs(box, self.messages[ident]):
            wrong = 'not for this mailbox'
        if not wrong:
            self.known[name] = ident, st.st_size
        return [box], ident, wrong

    def identify_queued(self, path, data):
        text, recipients, complete = self.server.queued(path, data)
        ident, wrong = self.server.inspect(path, text, self.messages)
        if wrong or not complete:
            return [], None, None
        return [('queue', r) for r in set(recipients)], ident, None

    def compare(self, cut, found, result):
        for m in self.messages.values():
            if m.begun is None or m.begun > cut:
                continue
            for box, at in self.server.wanted(m):
                queued = found.get((('queue', box or m.recipients[0]), m.id))
                if at > cut:
                    continue
                result.required += 1
                if (box, m.id) not in found and not queued:
                    result.lost.append((box, m.id, at))
        for (box, ident), names in found.items():
            if len(names) > 1 and not isinstance(box, tuple):
                result.twice.append((box, ident, names))
