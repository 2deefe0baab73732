"""The machine: loop devices, mounts, and a disk of our own (logfs.c)."""
import ctypes
import errno
import fcntl
import mmap
import os
import struct
import subprocess
import time

HERE = os.path.dirname(os.path.realpath(__file__))
MIB = 1 << 20
SECTOR = 512
MS_NOATIME = 1024
MNT_DETACH = 2
CLONE_NEWNS = 0x20000
MS_REC_PRIVATE = 0x4000 | 0x40000
LOOP_SET_FD, LOOP_CLR_FD, LOOP_CTL_GET_FREE = 0x4C00, 0x4C01, 0x4C82
BTRFS_IOC_FORGET_DEV = 0x50009405
libc = ctypes.CDLL(None, use_errno=True)

MKFS_EXT4 = ('mkfs.ext4 -q -F -b 4096 -J size=8 '
             '-E nodiscard,lazy_itable_init=0,lazy_journal_init=0 {dev}')

# size: of the disk; mount: options of the mount that is cut; repair: what a
# boot runs if the file system can't be mounted, as ext4 where its superblock of
# 1 KiB is torn; grains: units of a torn write, for btrfs relies on 4 KiB
FILE_SYSTEMS = {
    'ext4': dict(type='ext4', size=192 * MIB, mount='data=ordered',
                 mkfs=MKFS_EXT4, fsck='e2fsck -fn {dev}',
                 repair='e2fsck -fy {dev}', grains=(512, 4096)),
    'ext4-writeback': dict(type='ext4', size=192 * MIB,
                           mount='data=writeback', mkfs=MKFS_EXT4,
                           fsck='e2fsck -fn {dev}', repair='e2fsck -fy {dev}',
                           grains=(512, 4096)),
    'xfs': dict(type='xfs', size=320 * MIB, mount='',
                mkfs='mkfs.xfs -q -f -K {dev}', fsck='xfs_repair -n {dev}',
                grains=(512, 4096)),
    'btrfs': dict(type='btrfs', size=256 * MIB, mount='nodiscard',
                  mkfs='mkfs.btrfs -q -f -K {dev}',
                  fsck='btrfs check --readonly {dev}', grains=(4096,)),
}


def run(command):
    if isinstance(command, str):
        command = command.split()
    return subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)


def must(command):
    done = run(command)
    if done.returncode:
        raise RuntimeError('%s: %s' % (command, done.stdout.decode()))
    return done.stdout.decode().strip()


def own_mounts():
    """A namespace of our own: a mount that is copied to another one, which
    somebody makes meanwhile, would live on after our umount."""
    if libc.unshare(CLONE_NEWNS) or libc.mount(b'none', b'/', None,
                                               MS_REC_PRIVATE, None):
        raise RuntimeError('no mount namespace')


def mount(dev, where, kind, options):
    if libc.mount(dev.encode(), where.encode(), kind.encode(), MS_NOATIME,
                  options.encode()):
        error = ctypes.get_errno()
        raise OSError(error, 'mount %s: %s' % (kind, os.strerror(error)))


def umount(where):
    for _ in range(200):                # who holds it open is about to end
        if libc.umount2(where.encode(), 0) == 0:
            return
        if ctypes.get_errno() != errno.EBUSY:
            break
        time.sleep(0.05)
    error = ctypes.get_errno()
    raise OSError(error, 'umount %s: %s' % (where, os.strerror(error)))


def detach(where):
    """Unmount what may be mounted there, where a signal left it."""
    libc.umount2(where.encode(), MNT_DETACH)


def btrfs_forget(dev):
    """Else the next image, which has the same id, is taken for a known one."""
    try:
        with open('/dev/btrfs-control', 'rb') as f:
            fcntl.ioctl(f, BTRFS_IOC_FORGET_DEV,
                        bytearray(struct.pack('q4088s', 0, dev.encode())))
    except OSError:
        pass


def sync_dir(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def copy_sparse(src, dst, size):
    """Copy a file in memory to a new file, without its holes."""
    if os.path.exists(dst):
        os.unlink(dst)
    a = os.open(src, os.O_RDONLY)
    b = os.open(dst, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.ftruncate(b, size)
    at = 0
    while True:
        try:
            at = os.lseek(a, at, os.SEEK_DATA)
        except OSError:                 # ENXIO: no data follows
            break
        end = os.lseek(a, at, os.SEEK_HOLE)
        while at < end:
            at += os.copy_file_range(a, b, end - at, at, at)
    os.close(a)
    os.close(b)


class Loop:
    """A loop device for an image, without the 10 ms of losetup(8)."""

    def __init__(self, path):
        fd = os.open(path, os.O_RDWR)
        try:
            for _ in range(100):
                if self.attach(fd):
                    return
            raise RuntimeError('no loop device')
        finally:
            os.close(fd)

    def attach(self, fd):
        """False: another process was faster."""
        with open('/dev/loop-control', 'rb') as control:
            n = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
        self.dev = '/dev/loop%d' % n
        if not os.path.exists(self.dev):
            os.mknod(self.dev, 0o600 | 0o060000, os.makedev(7, n))
        with open(self.dev, 'r+b', buffering=0) as device:
            try:
                fcntl.ioctl(device, LOOP_SET_FD, fd)
            except OSError as e:
                if e.errno != errno.EBUSY:
                    raise
                return False
        return True

    def close(self):
        with open(self.dev, 'rb') as device:
            fcntl.ioctl(device, LOOP_CLR_FD)


class Control(ctypes.Structure):
    """struct control of logfs.c"""
    _fields_ = [('seq', ctypes.c_uint64), ('data', ctypes.c_uint64),
                ('logging', ctypes.c_uint32), ('write_us', ctypes.c_uint32),
                ('flush_us', ctypes.c_uint32), ('jitter', ctypes.c_uint32),
                ('writes', ctypes.c_uint64), ('flushes', ctypes.c_uint64),
                ('full', ctypes.c_uint32)]


class Disk:
    """logfs, and a loop device on it."""

    def __init__(self, work, size):
        self.work, self.size, self.dev = work, size, None
        self.fuse = work + '/fuse'
        os.makedirs(self.fuse)
        self.process = subprocess.Popen(
            [HERE + '/logfs', work, str(size), self.fuse])
        try:
            self.attach()
        except BaseException:
            self.close()
            raise

    def attach(self):
        while not os.path.exists(self.fuse + '/disk'):
            if self.process.poll() is not None:
                raise RuntimeError('logfs does not start')
            time.sleep(0.02)
        with open(self.work + '/control', 'r+b') as f:
            shared = mmap.mmap(f.fileno(), ctypes.sizeof(Control))
        self.control = Control.from_buffer(shared)
        self.dev = must(['losetup', '--direct-io=on', '--show', '-f',
                         self.fuse + '/disk'])
        about = '/sys/block/%s/' % os.path.basename(self.dev)
        for name, wanted in (('loop/dio', '1'),
                             ('queue/write_cache', 'write back')):
            with open(about + name) as f:
                if f.read().strip() != wanted:
                    raise RuntimeError('%s is not %s' % (name, wanted))

    def seq(self):
        return self.control.seq

    def make(self, fs):
        """Make a file system; the disk before all cuts is base.img then."""
        must(fs['mkfs'].format(dev=self.dev))
        sync_dir(self.dev)
        base = self.work + '/base.img'
        copy_sparse(self.work + '/disk.img', base, self.size)
        must(['fallocate', '-d', base])
        self.control.logging = 1

    def be_slow(self, write_us, flush_us, jitter=90):
        c = self.control
        c.write_us, c.flush_us, c.jitter = write_us, flush_us, jitter

    def close(self):
        if self.dev:
            run(['losetup', '-d', self.dev])
            self.dev = None
        if not self.process:
            return
        for _ in range(100):
            if libc.umount2(self.fuse.encode(), 0) == 0:
                break
            time.sleep(0.05)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()
        self.process = None
