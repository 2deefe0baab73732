"""Clients that note where the log of the disk was when they had read 250.

Each client is a process of its own, so that none waits for another.
"""
import multiprocessing
import os
import pickle
import random
import signal
import socket
import time
import traceback

from disk import libc, sync_dir

SIZES = ((0, 1500), (1500, 3900), (3900, 4200), (8000, 70000),
         (100000, 300000))
WEIGHTS = (25, 25, 25, 22, 3)


class Refused(Exception):
    pass


class Client:
    """SMTP or LMTP, in lock-step."""

    def __init__(self, port, lmtp):
        self.socket = socket.create_connection(('127.0.0.1', port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.socket.makefile('rb')
        self.expect('2')
        self.command('LHLO me.example' if lmtp else 'EHLO me.example')

    def reply(self):
        while True:
            line = self.replies.readline()
            if not line:
                raise EOFError('connection closed')
            if line[3:4] != b'-':
                return line.decode().strip()

    def expect(self, code):
        reply = self.reply()
        if not reply.startswith(code):
            raise Refused(reply)

    def command(self, text, code='2'):
        self.socket.sendall(text.encode() + b'\r\n')
        self.expect(code)

    def data(self, content):
        self.command('DATA', '3')
        self.socket.sendall(content.replace(b'\r\n.', b'\r\n..') + b'.\r\n')

    def bdat(self, content):
        half = len(content) // 2
        self.socket.sendall(b'BDAT %d\r\n' % half + content[:half])
        self.expect('2')
        self.socket.sendall(b'BDAT %d LAST\r\n' % (len(content) - half) +
                            content[half:])

    def close(self):
        try:
            self.command('QUIT')
        except (OSError, EOFError, Refused):
            pass
        self.socket.close()


class Message:
    def __init__(self, ident, rng, recipients):
        self.id, self.recipients = ident, recipients
        self.begun = None       # place in the log, or None: never
        self.acked = {}         # recipient: place in the log
        size = rng.randint(*rng.choices(SIZES, WEIGHTS)[0])
        raw = '%x' % rng.getrandbits(4 * size + 8)
        lines = [raw[i:i + 72] for i in range(0, size, 72)]
        if len(lines) > 3:
            lines[2] = '.' + lines[2]
        self.text = ('X-Powercut: %s\nSubject: %d bytes\n\n%s\n-- end of %s\n'
                     % (ident, size, '\n'.join(lines), ident)).encode()


def send(client, message, disk, mode):
    message.begun = disk.seq()
    client.command('MAIL FROM:<me@me.example>')
    for r in message.recipients:
        client.command('RCPT TO:<%s@d.example>' % r)
    content = message.text.replace(b'\n', b'\r\n')
    (client.bdat if mode.get('bdat') else client.data)(content)
    groups = [[r] for r in message.recipients] if mode.get('lmtp') else \
        [message.recipients]
    for group in groups:                # LMTP has a reply for each
        reply = client.reply()
        at = disk.seq()
        if reply.startswith('250'):
            message.acked.update((r, at) for r in group)


def new_names(n):
    return ['f%dx%d' % (n, i) for i in range(4)]


def make_new_users(cfg, n):
    """What an administrator does for new users; their Maildirs are made by the
    server."""
    for name in new_names(n):
        path = '%s/%s' % (cfg.maildirs, name)
        os.mkdir(path, 0o700)
        os.chown(path, cfg.uid, cfg.gid)
        sync_dir(path)
    sync_dir(cfg.maildirs)


def candidates(k, n, cfg, barrier):
    """Whom the n-th message of client k may be for."""
    if not cfg.mode.get('fresh'):
        return cfg.users
    if k == 0:
        make_new_users(cfg, n)
    barrier.wait(60)
    return new_names(n)


def client_messages(k, cfg, disk, barrier):
    rng = random.Random('%s/%d' % (cfg.seed, k))
    messages, errors, client = [], [], None
    for n in range(cfg.messages):
        pool = candidates(k, n, cfg, barrier)
        count = min(rng.choice(cfg.mode['rcpts']), len(pool))
        m = Message('%d.%d' % (k, n), rng, rng.sample(pool, count))
        messages.append(m)
        try:
            client = client or Client(cfg.port, cfg.mode.get('lmtp'))
            send(client, m, disk, cfg.mode)
            if rng.random() < 0.2:
                client.close()
                client = None
        except (OSError, EOFError, Refused) as e:
            errors.append('%s: %s' % (m.id, e))
            client = None
    if client:
        client.close()
    return messages, errors


def start_client(k, cfg, disk, barrier):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with open('%s/client.%d' % (cfg.work, k), 'wb') as f:
                pickle.dump(client_messages(k, cfg, disk, barrier), f)
            status = 0
        except BaseException:           # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def send_all(cfg, disk):
    """Run the clients: {id: Message}, errors."""
    barrier = multiprocessing.get_context('fork').Barrier(cfg.clients)
    clients = [start_client(k, cfg, disk, barrier)
               for k in range(cfg.clients)]
    if sum(os.waitpid(pid, 0)[1] != 0 for pid in clients):
        raise RuntimeError('a client failed')
    messages, errors = {}, []
    for k in range(cfg.clients):
        with open('%s/client.%d' % (cfg.work, k), 'rb') as f:
            done, wrong = pickle.load(f)
        messages.update((m.id, m) for m in done)
        errors += wrong
    return messages, errors


class Syncer:
    """Another process, which syncs the file system every 20 ms or so."""

    def __init__(self, path):
        self.pid = os.fork()
        if self.pid:
            return
        fd = os.open(path, os.O_RDONLY)
        while True:
            time.sleep(random.random() / 25)
            libc.syncfs(fd)

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
