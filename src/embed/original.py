# What an embedded file needs when it cannot simply be executed. `embed` writes the constants in front:
#   HEAD      bytes before the archive
#   ARCHIVE   bytes of the archive, the file as it was before embedding
#   DIGEST    SHA-256 of the archive
#   PEX_ROOT  PEX-INFO's pex_root, or ""
#   ADDED     permission bits that embedding has added
import errno
import os
import stat
import sys


def start(path, argv, env, options, error):
    """Starts the head from memory; where that is refused too, the archive by its own bootstrap. Does not return."""
    absolute = os.path.join(os.getcwd(), path)
    try:
        # Not inherited: the kernel has loaded it by the time it closes.
        fd = memory("pexboot")
        with open(path, "rb") as file:
            copy(file, HEAD, lambda data: write(fd, data))
        os.execve("/proc/self/fd/%d" % fd, argv, dict(env, _PEXBOOT_FILE=absolute))
    except (AttributeError, OSError) as second:
        bootstrap(path, argv[1:], options, "it cannot be executed (%s; %s)" % (error, second))


def bootstrap(path, args, options, reason):
    """Starts the archive by its own bootstrap. Does not return."""
    if os.environ.get("PEX_VERBOSE", "0") != "0":
        sys.stderr.write("pexboot: `%s`: %s: its own bootstrap starts it\n" % (path, reason))
    absolute = os.path.join(os.getcwd(), path)
    # The bootstrap takes P from this variable: PEX and argv[0] are as if it had been started from there.
    env = dict(os.environ)
    # The tools would open that file, and take it for no zip.
    if env.get("PEX_TOOLS", "0").lower() not in ("1", "true"):
        env["__PEX_EXE__"] = absolute
    os.execve(sys.executable, [sys.executable] + options + [original(path)] + args, env)


def memory(name):
    # MFD_CLOEXEC, and MFD_EXEC where the kernel knows it (6.3); without it a sysctl may forbid executing.
    try:
        return os.memfd_create(name, 0x0001 | 0x0010)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.memfd_create(name, 0x0001)


def original(path):
    """The archive at `path` as a file of its own, in the first cache root that can be used."""
    last = None
    for root in roots():
        try:
            return publish(root, path)
        except OSError as error:
            # A named root that others could change is refused; one that cannot be written is passed over.
            if error.errno == errno.EPERM and (os.environ.get("PEX_ROOT") or PEX_ROOT):
                raise
            last = last or error
    raise last


def roots():
    named = os.environ.get("PEX_ROOT") or PEX_ROOT
    found = []
    home = os.environ.get("HOME", "")
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if named:
        found.append(os.path.join(os.path.abspath(os.path.expanduser(named)), "pexboot"))
    elif os.path.isabs(cache):
        found.append(os.path.join(cache, "pexboot"))
    elif os.path.isabs(home):
        found.append(os.path.join(home, ".cache", "pexboot"))
    return found + ["/var/tmp/pexboot-%d" % os.geteuid()]


def publish(root, path):
    directory = os.path.join(root, "v2", "originals", DIGEST + "-file")
    work = os.path.join(root, "v2", "tmp")
    for needed in (directory, work):
        make(needed)
        check(needed)
    final = os.path.join(directory, os.path.basename(path))
    try:
        found = os.lstat(final)
        if stat.S_ISREG(found.st_mode) and found.st_size == ARCHIVE and ours(found):
            return final
    except OSError:
        pass
    import binascii
    import hashlib

    part = os.path.join(work, "original-%d-%s" % (os.getpid(), binascii.hexlify(os.urandom(8)).decode("ascii")))
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
    try:
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            file.seek(HEAD)
            copy(file, ARCHIVE, lambda data: (digest.update(data), write(fd, data)))
        if digest.hexdigest() != DIGEST:
            raise OSError(errno.EINVAL, "the file was changed after embedding; embed the original anew", path)
        os.fsync(fd)
        os.rename(part, final)
    except BaseException:
        os.unlink(part)
        raise
    finally:
        os.close(fd)
    return final


def make(directory):
    if not os.path.isdir(directory):
        make(os.path.dirname(directory))
        try:
            os.mkdir(directory, 0o700)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise


def check(directory):
    # Nobody else may be able to change it, or anything above it (sticky directories aside).
    directory = os.path.realpath(directory)
    while True:
        found = os.lstat(directory)
        if not ours(found) and not found.st_mode & stat.S_ISVTX:
            raise OSError(errno.EPERM, "others could change it; name a private PEX_ROOT", directory)
        if directory == os.path.dirname(directory):
            return
        directory = os.path.dirname(directory)


def ours(found):
    return found.st_uid in (0, os.geteuid()) and not found.st_mode & 0o022


def copy(file, size, put):
    while size:
        data = file.read(min(size, 1 << 20))
        if not data:
            raise OSError(errno.EIO, "the file is shorter than it was; embed the original anew", file.name)
        put(data)
        size -= len(data)


def write(fd, data):
    while data:
        data = data[os.write(fd, data):]
