"""Other servers, for comparison: with their own defaults, but no lookups and no
limits for a client.  What is whole in a queue counts as kept for the recipients
to whom it was not delivered yet, as it would be delivered after a restart.
"""
import os
import shutil
import signal

from disk import HERE, must, run
from server import Server, list_dir, list_maildir, make_dir, make_maildir

CACHE = os.path.dirname(HERE) + '/real/cache'

# A server in namespaces of its own, where files are in other places: it ends
# with the process that started it.
APART = ['unshare', '--mount', '--pid', '--fork', '--kill-child',
         '--mount-proc', 'bash', '-euc']


def write(path, lines):
    with open(path, 'w') as f:
        f.write('\n'.join(lines) + '\n')


def lay_out(cfg, *paths):
    """Copies of unpacked programs, where any user may run them."""
    parts = cfg.work + '/parts'
    os.makedirs(parts, exist_ok=True)
    for path in paths:
        if not os.path.exists('%s/%s' % (CACHE, path)):
            raise RuntimeError('not here (t/real/install): ' + path)
        shutil.copy('%s/%s' % (CACHE, path), parts)
    return parts


def write_accounts(cfg, names):
    """/etc/passwd and /etc/group, with these users and groups, too."""
    for name in 'passwd', 'group':
        with open('/etc/' + name) as f:
            lines = f.read().splitlines()
        for i, user in enumerate(names):
            ident = 64990 + i
            lines.append('%s:x:%d:' % (user, ident) + (
                '%d::%s/empty:/bin/false' % (ident, cfg.work)
                if name == 'passwd' else ''))
        write('%s/%s' % (cfg.work, name), lines)


class Mailfront(Server):
    """queuedir, which fsyncs a file and its directory."""
    layouts = ('one',)
    exact = False

    def prepare(self):
        c = self.cfg
        make_maildir(c.maildirs, c)
        modules = os.listdir(CACHE + '/mailfront/usr/lib/mailfront')
        self.parts = lay_out(
            c, 'mailfront/usr/sbin/mailfront', 'ucspi-tcp-ipv6/usr/bin/'
            'tcpserver', *['mailfront/usr/lib/mailfront/' + m
                           for m in modules])
        self.env.update(QUEUEDIR=c.maildirs, MODULE_PATH=self.parts)

    def command(self):
        c = self.cfg
        return [self.parts + '/tcpserver', '-H', '-R', '-l', '0', '-c', '64',
                '-b', '64', '-u', str(c.uid), '-g', str(c.gid), '127.0.0.1',
                str(c.port), self.parts + '/mailfront', 'smtp', 'queuedir',
                'accept', 'add-received']

    def files(self, root):
        yield from list_maildir('', self.below(root, self.cfg.maildirs))

    def inspect_fields(self, path, fields, data):
        return None             # the envelope is there, with NULs


class Aiosmtpd(Server):
    """Its Mailbox, which is Python's mailbox.Maildir."""
    layouts = ('one',)
    exact = False

    def prepare(self):
        super().prepare()
        make_maildir(self.cfg.maildirs + '/Maildir', self.cfg)

    def command(self):
        c = self.cfg
        return ['setpriv', '--reuid=mail', '--regid=mail', '--clear-groups',
                '/usr/bin/python3', '-m', 'aiosmtpd', '-n', '-l',
                '127.0.0.1:%d' % c.port, '-c', 'aiosmtpd.handlers.Mailbox',
                c.maildirs + '/Maildir']


class Queueing(Server):
    """A server that queues a message and then delivers it to Maildirs."""
    exact = False

    def prepare(self):
        super().prepare()
        c = self.cfg
        os.chmod(c.work, 0o755)
        self.queue = c.mount + '/queue'
        if c.mode['layout'] == 'one':
            make_maildir(c.maildirs + '/Maildir', c)

    def maildir_of(self, user):
        return 'Maildir' if self.cfg.mode['layout'] == 'one' else user


def postfix_records(data):
    """(type, content) of a queue file, as far as they are whole."""
    at = 0
    while at < len(data):
        kind, at, n, shift = data[at:at + 1], at + 1, 0, 0
        while at < len(data):
            byte, at = data[at], at + 1
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if at + n > len(data):
            return
        yield kind, data[at:at + n]
        at += n


class Postfix(Queueing):
    """The queue, and virtual(8)."""
    user = 'nobody'

    def prepare(self):
        super().prepare()
        c = self.cfg
        self.etc = c.work + '/etc'
        for d in self.etc, self.queue, c.work + '/data':
            os.mkdir(d)
        run(['chown', 'postfix', c.work + '/data'])
        write(self.etc + '/main.cf', self.main_cf())
        write(self.etc + '/master.cf', self.master_cf())
        run(['postfix', '-c', self.etc, 'check'])

    def main_cf(self):
        c = self.cfg
        boxes = ' '.join('{ %s@d.example = %s/ }' % (u, self.maildir_of(u))
                         for u in c.users)
        return [
            'compatibility_level = 3.6', 'myhostname = mx.example',
            'queue_directory = ' + self.queue,
            'data_directory = %s/data' % c.work,
            'maillog_file = %s/maillog' % c.work,
            'maillog_file_prefixes = ' + c.work,
            'inet_interfaces = loopback-only', 'inet_protocols = ipv4',
            'mydestination =', 'alias_maps =', 'alias_database =',
            'smtpd_peername_lookup = no', 'in_flow_delay = 0',
            'smtpd_client_connection_count_limit = 0',
            'message_size_limit = 0', 'virtual_mailbox_limit = 0',
            'virtual_mailbox_domains = d.example',
            'virtual_mailbox_base = ' + c.maildirs,
            'virtual_uid_maps = static:%d' % c.uid,
            'virtual_gid_maps = static:%d' % c.gid,
            'virtual_minimum_uid = 1',
            'virtual_mailbox_maps = inline:{ %s }' % boxes]

    def master_cf(self):
        return (
            ['127.0.0.1:%d inet n - n - 64 smtpd' % self.cfg.port,
             'postlog unix-dgram n - n - 1 postlogd',
             'cleanup unix n - n - 0 cleanup', 'qmgr unix n - n 300 1 qmgr',
             'tlsmgr unix - - n 1000? 1 tlsmgr',
             'rewrite unix - - n - - trivial-rewrite',
             'virtual unix - n n - - virtual'] +
            ['%s unix - - n - 0 bounce' % s
             for s in ('bounce', 'defer', 'trace')] +
            ['%s unix - - n - 1 %s' % (s, s)
             for s in ('verify', 'proxymap', 'scache', 'anvil')] +
            ['%s unix - - n - - error' % s for s in ('error', 'retry')])

    def command(self):
        programs = must(['postconf', '-hc', self.etc, 'daemon_directory'])
        return [programs + '/master', '-c', self.etc, '-d']

    def stop(self):
        if self.process:
            run(['postfix', '-c', self.etc, 'abort'])
        super().stop()

    def files(self, root):
        yield from super().files(root)
        for queue in ('maildrop', 'incoming', 'active', 'deferred', 'hold'):
            for where, _, names in os.walk('%s/queue/%s' % (root, queue)):
                for name in names:
                    path = where + '/' + name
                    # an executable file is complete for qmgr(8)
                    ready = os.stat(path).st_mode & 0o100
                    yield None, 'queue' if ready else 'tmp', path

    def queued(self, path, data):
        text, recipients, complete = b'', [], False
        for kind, value in postfix_records(data):
            if kind == b'N':
                text += value + b'\n'
            elif kind == b'L':
                text += value
            elif kind == b'R':          # of a finished one it is b'D'
                recipients.append(value.decode().split('@')[0])
            elif kind == b'E':
                complete = True
        return text, recipients, complete


class Exim(Queueing):
    """The spool, and the appendfile transport."""
    stop_signal = signal.SIGKILL        # unshare(1) ignores SIGTERM

    def prepare(self):
        super().prepare()
        c = self.cfg
        make_dir(self.queue, c)
        self.parts = lay_out(c, 'exim4-daemon-light/usr/sbin/exim4')
        write_accounts(c, ['Debian-exim'])
        # an address may become a path only by way of a list of directories
        where = c.maildirs + '/' + (
            'Maildir' if c.mode['layout'] == 'one' else
            '${lookup{$local_part}dsearch,filter=dir{%s}}' % c.maildirs)
        write(c.work + '/exim.conf', [
            'exim_path = %s/exim4' % self.parts,
            'primary_hostname = mx.example', 'exim_user = mail',
            'exim_group = mail', 'spool_directory = ' + self.queue,
            'log_file_path = %s/exim-%%s.log' % c.work,
            'keep_environment =', 'pid_file_path = %s/pid' % c.work,
            'disable_ipv6 = true', 'local_interfaces = 127.0.0.1',
            'daemon_smtp_ports = %d' % c.port, 'host_lookup =',
            'rfc1413_query_timeout = 0s', 'smtp_accept_max = 64',
            'smtp_connect_backlog = 64', 'tls_advertise_hosts =',
            'never_users =', 'acl_smtp_rcpt = accept', 'begin routers',
            'all:', '  driver = accept', '  transport = maildir',
            'begin transports', 'maildir:', '  driver = appendfile',
            '  directory = ' + where, '  maildir_format',
            '  message_prefix =', '  message_suffix =',
            '  user = mail', '  group = mail'])
        run(['chown', 'mail:mail', c.work])     # its log files

    def command(self):
        return APART + ['''
            mount --bind "$0/passwd" /etc/passwd
            mount --bind "$0/group" /etc/group
            exec "$0/parts/exim4" -bdf -q1m -C "$0/exim.conf"''',
                        self.cfg.work]

    def files(self, root):
        yield from super().files(root)
        for entry in list_dir(root + '/queue/input'):
            if entry.name.endswith('-H'):
                yield None, 'queue', entry.path

    def queued(self, path, data):
        """-H has envelope and header, -D the body, -J who has it already."""
        try:
            with open(path[:-1] + 'D', 'rb') as f:
                body = f.read().partition(b'\n')[2]
        except FileNotFoundError:
            return b'', [], False
        envelope, _, header = data.partition(b'\n\n')
        done = {line[3:] for line in envelope.split(b'\n')
                if line[:3] in (b'YY ', b'YN ', b'NY ', b'NN ')}
        if os.path.exists(path[:-1] + 'J'):
            with open(path[:-1] + 'J', 'rb') as f:
                done.update(line.split(b'/')[0]
                            for line in f.read().split(b'\n'))
        lines = envelope.split(b'\n')
        count = int(lines[-1 - next(
            (i for i, line in enumerate(reversed(lines))
             if line.isdigit()), -1)])
        recipients = set(lines[-count:]) - done
        text = b''
        while len(header) > 5 and header[:3].isdigit():
            n = int(header[:3])
            text += header[5:5 + n]
            header = header[5 + n:]
        return (text + b'\n' + body,
                [r.decode().split('@')[0] for r in recipients], True)


class Opensmtpd(Queueing):
    """The queue, and mail.maildir(8).  Its paths and users are built in; here
    they are in its mount namespace only."""

    def prepare(self):
        super().prepare()
        c = self.cfg
        lay_out(c)
        for d in ('/lib/opensmtpd/empty', '/run', '/empty'):
            os.makedirs(c.work + d)
        os.mkdir(self.queue)
        for d in self.queue, c.work + '/run':
            os.chmod(d, 0o711)
        write_accounts(c, ['opensmtpd', 'opensmtpq'])
        users = ', '.join('"%s" = "%d:%d:%s/%s"' % (
            u, c.uid, c.gid, c.maildirs, self.maildir_of(u)) for u in c.users)
        write(c.work + '/smtpd.conf', [
            'table users { %s }' % users,
            'listen on 127.0.0.1 port %d hostname mx.example' % c.port,
            'action "in" maildir "%{user.directory}" userbase <users>',
            'match from any for domain "d.example" action "in"'])

    def command(self):
        return APART + ['''
            mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr
            mount --bind "$2" /var/spool
            mount --bind "$0/lib" /var/lib
            mount --bind "$0/run" "$(readlink -f /var/run)"
            mount --bind "$0/passwd" /etc/passwd
            mount --bind "$0/group" /etc/group
            exec /usr/sbin/smtpd -d -f "$0/smtpd.conf"''',
                        self.cfg.work, CACHE + '/opensmtpd', self.queue]

    def files(self, root):
        yield from super().files(root)
        for where, _, names in os.walk(root + '/queue/smtpd/queue'):
            if 'message' in names:
                yield None, 'queue', where + '/message'

    def queued(self, path, data):
        """Beside the message is an envelope for each recipient."""
        recipients = []
        for entry in list_dir(os.path.dirname(path)):
            if entry.name == 'message':
                continue
            with open(entry.path, errors='replace') as f:
                for line in f:
                    if line.startswith('rcpt: '):
                        recipients.append(line[6:].split('@')[0])
        return data, recipients, True


PEERS = {'mailfront': Mailfront, 'aiosmtpd': Aiosmtpd, 'postfix': Postfix,
         'exim': Exim, 'opensmtpd': Opensmtpd}
