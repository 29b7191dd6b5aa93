"""What the operating system's errors mean, for people: the cause, and what to do about it."""

import errno
import os

_PEOPLE = {
    errno.ENOSPC: "no space is left on its disk; free some, then give the same command",
    errno.EDQUOT: "the quota of its disk is used up; free some space there, then give the same command",
    errno.EACCES: "you have no permission; change it (chmod, chown), or name what you may use",
    errno.EPERM: "you have no permission; change it (chmod, chown), or name what you may use",
    errno.EROFS: "its file system is read-only; name another that can be written",
    errno.EMFILE: "this process has as many files open as it may; allow more (ulimit -n), then give the same command",
    errno.ENFILE: "the system has as many files open as it may; close other programs, then give the same command",
    errno.ENAMETOOLONG: "the name is longer than its file system allows (mostly 255 bytes for a name); shorten it",
    errno.ESTALE: "the network drive it is on has lost it (stale handle); mount the drive again",
    errno.ENOTCONN: "the network drive it is on is not connected; mount the drive again",
    errno.EHOSTDOWN: "the network drive it is on is not connected; mount the drive again",
    errno.ETIMEDOUT: "the network drive it is on does not answer; mount the drive again",
    errno.EIO: "its disk has a fault; copy what can be copied to another",
    errno.ENOENT: "it does not exist; check the name",
    errno.ENOTDIR: "part of its path is a file, not a folder; check the name",
    errno.EISDIR: "it is a folder; name a file",
    errno.EEXIST: "it exists already; give another name",
    errno.ENOTEMPTY: "the folder is not empty; give another name",
    errno.ELOOP: "its links lead around in a circle; remove or correct the link",
    errno.ENXIO: "it is a device or a socket, not a file; name a file",
    errno.ENODEV: "it is a device, not a file; name a file",
    errno.EFBIG: "the file would be larger than its file system or the limit (ulimit -f) allows; use another",
    errno.ENOMEM: "memory is full; close other programs, then give the same command",
    errno.EBUSY: "another program uses it; close that, then give the same command",
    errno.ETXTBSY: "another program uses it; close that, then give the same command",
}


def reason(error: OSError) -> str:
    """Why an operation failed and what to do, as the end of a sentence, without a full stop."""
    if known := _PEOPLE.get(error.errno or 0):
        return known
    text = error.strerror or (os.strerror(error.errno) if error.errno else "") or str(error) or type(error).__name__
    return text.strip().rstrip(".")
