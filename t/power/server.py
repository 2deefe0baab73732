"""How a server is run, and where it keeps what it has accepted."""
import os
import re
import signal
import socket
import subprocess
import time

from disk import HERE

PARTS = ('tmp', 'new', 'cur')

# The hook that keeps a message, in a Maildir: btrfs wants the file to be synced
# under its new name, other file systems want the directory to be.
HAND = '''#!/bin/sh
set -eu
umask 077
cd '%s'
cat >tmp/"$SMTP_ID"
sync tmp/"$SMTP_ID"
mv tmp/"$SMTP_ID" new/
sync new/"$SMTP_ID"
sync new
'''

# what smtpd puts in front of a message
FIELDS = re.compile(rb'Return-Path: <me@me\.example>\n'
                    rb'(Delivered-To: [^\n]+\n)*'
                    rb'Received: from me\.example [^\n]+\n(\t[^\n]+\n)+')


def make_dir(path, cfg):
    os.mkdir(path, 0o700)
    os.chown(path, cfg.uid, cfg.gid)


def make_maildir(path, cfg):
    for part in ('',) + PARTS:
        make_dir(os.path.join(path, part), cfg)


def list_dir(path):
    try:
        return list(os.scandir(path))
    except FileNotFoundError:
        return []


def list_maildir(box, path):
    for part in PARTS:
        for entry in list_dir('%s/%s' % (path, part)):
            yield box, 'tmp' if part == 'tmp' else 'new', entry.path


class Server:
    user = 'mail'               # that the Maildirs belong to
    exact = True                # a file is what was sent, to the byte
    layouts = ('one', 'users')
    stop_signal = signal.SIGTERM

    def __init__(self, cfg):
        self.cfg = cfg
        self.env = dict(os.environ)
        self.process = None
        # by whom a message is kept: no Maildir if the layout is none
        self.boxes = {'one': [''], 'none': []}.get(cfg.mode['layout'])

    def prepare(self):
        """Do what an administrator does, before the power may be cut."""
        c = self.cfg
        make_dir(c.maildirs, c)
        if c.mode['layout'] == 'users' and not c.mode.get('fresh'):
            for name in c.users:
                make_maildir('%s/%s' % (c.maildirs, name), c)

    def command(self):
        raise NotImplementedError

    def start(self):
        with open(self.cfg.work + '/server.log', 'wb') as log:
            self.process = subprocess.Popen(
                self.command(), env=self.env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
                cwd=self.cfg.work)
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(
                        ('127.0.0.1', self.cfg.port), 5) as s:
                    s.recv(100)
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError('the server does not start: ' + self.log_tail())

    def log_tail(self):
        with open(self.cfg.work + '/server.log', errors='replace') as f:
            return f.read()[-2000:]

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                pass
        try:                    # what is left of its session
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process = None

    def below(self, root, path):
        """A path of the file system, where that is mounted after a cut."""
        return root + path[len(self.cfg.mount):]

    def files(self, root):
        """What is there after a cut: (box, kind, path) of each file; the kind
        is new, of a message that a reader sees, queue, or tmp."""
        base = self.below(root, self.cfg.maildirs)
        if self.cfg.mode['layout'] == 'one':
            yield from list_maildir('', base + '/Maildir')
        elif self.cfg.mode['layout'] == 'users':
            for entry in list_dir(base):
                yield from self.user_files(entry.name, entry.path)

    def user_files(self, user, path):
        yield from list_maildir(user, path)

    def box_of(self, user, m):
        """Where a user has a message."""
        return user

    def wanted(self, m):
        """Where a message has to be, and from what place in the log on."""
        if self.boxes is None:
            return [(self.box_of(r, m), at) for r, at in m.acked.items()]
        return [(box, min(m.acked.values())) for box in self.boxes if m.acked]

    def belongs(self, box, m):
        return box in ([self.box_of(r, m) for r in m.recipients]
                       if self.boxes is None else self.boxes)

    def inspect(self, path, data, messages):
        """(id, None) of a whole message, or (id or None, what is wrong)."""
        if not data:
            return None, 'empty'
        at = data.find(b'X-Powercut: ')
        if at < 0:
            return None, 'no message: %d bytes, %d of them NUL' % (
                len(data), data.count(b'\0'))
        ident = data[at + 12:data.find(b'\n', at)].decode('ascii', 'replace')
        m = messages.get(ident)
        if m is None:
            return None, 'no such message: ' + ident
        if self.exact:
            same = data[at:] == m.text
        else:                   # other fields may stand between ours
            same = data[data.find(b'\n\n', at):].rstrip(b'\n') == \
                m.text[m.text.find(b'\n\n'):].rstrip(b'\n')
        if not same:
            return ident, 'not what was sent: %d bytes' % len(data)
        return ident, self.inspect_fields(path, data[:at], data)

    def inspect_fields(self, path, fields, data):
        return 'NUL in the header' if b'\0' in fields else None

    def queued(self, path, data):
        """(message, recipients, whether it is complete) of a queue file."""
        raise NotImplementedError


class Smtpd(Server):
    """The server under test."""
    layouts = ('one', 'users', 'none')

    def __init__(self, cfg):
        super().__init__(cfg)
        self.handed = cfg.maildirs + '/handed'
        if cfg.mode.get('hand'):
            self.boxes = self.boxes + ['handed']

    def prepare(self):
        super().prepare()
        c = self.cfg
        if c.mode.get('hand'):
            make_maildir(self.handed, c)
            with open(c.work + '/hand', 'w') as f:
                f.write(HAND % self.handed)
            os.chmod(c.work + '/hand', 0o755)

    def command(self):
        c = self.cfg
        where = {'one': c.maildirs + '/Maildir', 'none': 'none',
                 'users': c.maildirs + '/{mailbox}'}[c.mode['layout']]
        command = [
            c.smtpd, '--user', 'mail', '--hostname', 'mx.example', '--listen',
            '%s127.0.0.1:%d' % ('lmtp@' if c.mode.get('lmtp') else '', c.port),
            '--maildir', where, '--domain', '*', '--workers', '16',
            '--min-free', '1'] + c.mode.get('options', [])
        if c.mode.get('hand'):
            command += ['--deliver', c.work + '/hand']
        if c.mode['layout'] == 'none':
            command += ['--spool', c.maildirs]
        return command

    def files(self, root):
        yield from super().files(root)
        if self.cfg.mode.get('hand'):
            yield from list_maildir('handed', self.below(root, self.handed))

    def user_files(self, user, path):
        if not self.cfg.mode.get('folder'):
            yield from super().user_files(user, path)
            return
        for entry in list_dir(path):
            if entry.name.startswith('.') and \
                    os.path.exists(entry.path + '/maildirfolder'):
                yield from list_maildir(user + '/' + entry.name, entry.path)

    def box_of(self, user, m):
        if self.cfg.mode.get('folder'):
            return '%s/.m%s' % (user, m.id.split('.')[1])
        return user

    def inspect_fields(self, path, fields, data):
        if not FIELDS.fullmatch(fields):
            return 'header: %r' % fields
        size = re.search(r',S=(\d+),W=(\d+)$', path)
        if '/new/' in path and '/handed/' not in path and (
                not size or int(size[1]) != len(data) or
                int(size[2]) != len(data) + data.count(b'\n')):
            return 'the size in its name'
        return None


class LyingFsync(Smtpd):
    """smtpd, and fsync does nothing (t/fail.so)."""

    def __init__(self, cfg):
        super().__init__(cfg)
        self.env.update(LD_PRELOAD=os.path.dirname(HERE) + '/fail.so',
                        FAIL='fsync@file:1+:lie,fsync@dir:1+:lie',
                        FAIL_FS='0')


SERVERS = {'smtpd': Smtpd, 'lying-fsync': LyingFsync}
