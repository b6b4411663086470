#!/usr/bin/env python3
"""A network folder whose caches are slow, as one machine sees it.

    late_folder.py FOLDER MOUNT SECONDS

shows FOLDER at MOUNT. What others write there is seen up to SECONDS late: names, attributes and contents are remembered for
so long after they were looked up, absence too. What is written through MOUNT is there at once, and is seen there at once.
Exclusive creation is decided by the folder itself, as by a server. Needs FUSE (libfuse2) and fusepy, as root.
"""

import errno
import os
import sys
import threading
import time

try:
    from fusepy import FUSE, FuseOSError, Operations  # Debian's name
except ImportError:
    from fuse import FUSE, FuseOSError, Operations

ATTRIBUTES = ("st_atime", "st_ctime", "st_gid", "st_mode", "st_mtime", "st_nlink", "st_size", "st_uid")


class LateFolder(Operations):
    def __init__(self, folder, seconds):
        self.folder = folder
        self.seconds = seconds
        self.mutex = threading.RLock()
        self.attributes = {}  # path: (when, attributes, or None for absence)
        self.contents = {}  # path: (when, bytes)
        self.listings = {}  # path: (when, names)
        self.opened = {}  # handle: bytes that are read
        self.last = 1 << 40  # above all descriptors

    def real(self, path):
        return self.folder + path

    def remembered(self, memory, path, look):
        with self.mutex:
            found = memory.get(path)
            if found is None or time.monotonic() - found[0] >= self.seconds:
                found = memory[path] = (time.monotonic(), look(self.real(path)))
            return found[1]

    def forget(self, path):
        """After an own change, which is seen at once."""
        with self.mutex:
            for memory in (self.attributes, self.contents, self.listings):
                for known in [known for known in memory if known == path or known.startswith(path + "/")]:
                    del memory[known]
            self.attributes.pop(os.path.dirname(path), None)

    def change_listing(self, path, is_there):
        with self.mutex:
            found = self.listings.get(os.path.dirname(path))
            if found is not None:
                (found[1].add if is_there else found[1].discard)(os.path.basename(path))

    # What is read.

    def getattr(self, path, fi=None):
        def look(real):
            try:
                found = os.lstat(real)
            except FileNotFoundError:
                return None
            return {name: getattr(found, name) for name in ATTRIBUTES}

        found = self.remembered(self.attributes, path, look)
        if found is None:
            raise FuseOSError(errno.ENOENT)
        return found

    def readdir(self, path, fi):
        return [".", ".."] + sorted(self.remembered(self.listings, path, lambda real: set(os.listdir(real))))

    def open(self, path, fi):
        fi.direct_io = 1
        if fi.flags & os.O_ACCMODE == os.O_RDONLY:
            def look(real):
                with open(real, "rb") as file:
                    return file.read()

            content = self.remembered(self.contents, path, look)
            with self.mutex:
                self.last += 1
                self.opened[self.last] = content
                fi.fh = self.last
        else:
            fi.fh = os.open(self.real(path), fi.flags & ~os.O_APPEND)
            self.forget(path)
        return 0

    def read(self, path, size, offset, fi):
        content = self.opened.get(fi.fh)
        if content is None:
            return os.pread(fi.fh, size, offset)
        return content[offset:offset + size]

    def release(self, path, fi):
        with self.mutex:
            if self.opened.pop(fi.fh, None) is None:
                os.close(fi.fh)
        return 0

    # What is written.

    def create(self, path, mode, fi):
        fi.direct_io = 1
        fi.fh = os.open(self.real(path), (fi.flags & ~os.O_APPEND) | os.O_CREAT, mode)
        self.forget(path)
        self.change_listing(path, True)
        return 0

    def write(self, path, data, offset, fi):
        written = os.pwrite(fi.fh, data, offset)
        self.forget(path)
        return written

    def truncate(self, path, length, fi=None):
        os.truncate(self.real(path), length)
        self.forget(path)

    def fsync(self, path, datasync, fi):
        return 0

    def fsyncdir(self, path, datasync, fi):
        return 0

    def flush(self, path, fi):
        return 0

    def mkdir(self, path, mode):
        os.mkdir(self.real(path), mode)
        self.forget(path)
        self.change_listing(path, True)

    def rename(self, old, new):
        os.rename(self.real(old), self.real(new))
        self.forget(old)
        self.forget(new)
        self.change_listing(old, False)
        self.change_listing(new, True)

    def unlink(self, path):
        os.unlink(self.real(path))
        self.forget(path)
        self.change_listing(path, False)

    def rmdir(self, path):
        os.rmdir(self.real(path))
        self.forget(path)
        self.change_listing(path, False)

    def link(self, target, source):
        os.link(self.real(source), self.real(target))
        self.forget(target)
        self.change_listing(target, True)

    def symlink(self, target, source):
        os.symlink(source, self.real(target))
        self.forget(target)
        self.change_listing(target, True)

    def readlink(self, path):
        return os.readlink(self.real(path))

    def chmod(self, path, mode):
        os.chmod(self.real(path), mode)
        self.forget(path)

    def chown(self, path, uid, gid):
        os.chown(self.real(path), uid, gid)
        self.forget(path)

    def utimens(self, path, times=None):
        os.utime(self.real(path), times)
        self.forget(path)

    def statfs(self, path):
        found = os.statvfs(self.real(path))
        names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_flag", "f_frsize", "f_namemax")
        return {name: getattr(found, name) for name in names}

    # Errors of the folder are those of the call.
    def __call__(self, operation, *arguments):
        try:
            return super().__call__(operation, *arguments)
        except FuseOSError:
            raise
        except OSError as error:
            raise FuseOSError(error.errno or errno.EIO) from error


if __name__ == "__main__":
    folder, mount, seconds = sys.argv[1:]
    # The kernel remembers nothing, so that this does.
    FUSE(LateFolder(folder, float(seconds)), mount, raw_fi=True, foreground=True, attr_timeout=0, entry_timeout=0,
         negative_timeout=0, nonempty=True, big_writes=True)
