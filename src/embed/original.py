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
    here = os.path.join(os.getcwd(), path)
    try:
        # Not inherited: the kernel has loaded it by the time it closes.
        os.execve("/proc/self/fd/%d" % head(path), argv, dict(env, _PEXBOOT_FILE=here))
    except (AttributeError, OSError) as second:
        if error.errno == errno.ENOEXEC:
            installed(path, argv, env)
        bootstrap(path, argv[1:], options, "it cannot be executed (%s; %s)" % (error, second))


def installed(path, argv, env):
    """Another machine's head: an installed pexboot has an engine for this one. Comes back where there is none."""
    for directory in os.environ.get("PATH", "").split(":"):
        program = os.path.join(directory, "pexboot")
        if directory[:1] == "/":
            try:
                os.execve(program, [program, "run", path] + argv[1:], env)
            except OSError:
                pass


def head(path):
    """The head of `path` as a memory file that can be executed."""
    fd = memory("pexboot")
    with open(path, "rb") as file:
        copy(file, HEAD, lambda data: write(fd, data))
    return fd


def bootstrap(path, args, options, reason):
    """Starts the archive by its own bootstrap. Does not return."""
    if os.environ.get("PEX_VERBOSE", "0") != "0":
        sys.stderr.write("pexboot: `%s`: %s: its own bootstrap starts it\n" % (path, reason))
    here = os.path.join(os.getcwd(), path)
    # The bootstrap takes P from this variable: PEX and argv[0] are as if it had been started from there.
    env = dict(os.environ)
    # The tools would open that file, and take it for no zip.
    if env.get("PEX_TOOLS", "0").lower() not in ("1", "true"):
        env["__PEX_EXE__"] = here
    archive, directory = original(path)
    argv = [sys.executable] + options + [archive] + args
    if directory is None:
        os.execve(sys.executable, argv, env)
    wait(os.spawnve(os.P_NOWAIT, sys.executable, argv, env), directory)


def unzipped(directory, execute):
    """Does what the original's `__main__.py` or, without `execute`, its `__pex__` does in a directory that this file was
    unzipped to."""
    os.environ["PEX"] = os.path.realpath(directory)
    sys.path.insert(0, os.path.join(os.path.abspath(directory), ".bootstrap"))
    from pex.pex_bootstrapper import bootstrap_pex
    from pex.pex_info import PexInfo

    info = PexInfo.from_pex(directory)
    if getattr(info, "deps_are_wheel_files", False):
        from pex.layout import ensure_installed

        directory = ensure_installed(pex=directory, pex_root=info.pex_root, pex_hash=info.pex_hash) or directory
    result = bootstrap_pex(directory, execute=execute)
    if execute and "PYTHONINSPECT" not in os.environ:
        sys.exit(0 if type(result).__name__ == "Globals" else result)


def wait(child, directory):
    """Ends as the child does, once what it ran from is removed. Does not return."""
    import shutil
    import signal

    # What a terminal sends, the child gets by itself; what is sent to this process alone is meant for it.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(child, number))
    while True:
        try:
            status = os.waitpid(child, 0)[1]
            break
        except OSError as error:
            if error.errno != errno.EINTR:
                raise
    shutil.rmtree(directory, True)
    if os.WIFSIGNALED(status):
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))


def memory(name):
    # MFD_CLOEXEC, and MFD_EXEC where the kernel knows it (6.3); without it a sysctl may forbid executing.
    try:
        return os.memfd_create(name, 0x0001 | 0x0010)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.memfd_create(name, 0x0001)


def original(path):
    """The archive at `path` as a file of its own: in the first root that can be used, or else in a fresh directory, which
    is given with it and is to be removed."""
    for root in roots():
        try:
            return publish(safe(root, make=True), path), None
        except OSError as error:
            # A file that was changed is a changed one in every root.
            if error.errno == errno.EINVAL:
                raise
    import tempfile

    directory = tempfile.mkdtemp("", "pexboot-%d-" % os.geteuid())
    return extract(path, directory, os.path.join(directory, os.path.basename(path))), directory


def roots():
    """Where core/src/roots.rs looks, but for seeds, which are only read."""
    private = "pexboot-%d" % os.geteuid()
    named = PEX_ROOT
    if os.environ.get("PEX_DISABLE_VARIABLES", "").lower() not in ("1", "true"):
        named = os.environ.get("PEX_ROOT") or named
    # Without HOME, and of another user, Python would ask the user database.
    if named[:1] == "~" and named[1:2] in ("", "/") and "HOME" in os.environ:
        named = os.environ["HOME"].rstrip("/") + named[1:] or "/"
    if named:
        yield os.path.join(os.getcwd(), named, "pexboot")
    if absolute("XDG_CACHE_HOME"):
        yield os.path.join(absolute("XDG_CACHE_HOME"), "pexboot")
    elif absolute("HOME"):
        yield os.path.join(absolute("HOME"), ".cache", "pexboot")
    yield os.path.join("/var/tmp", private)
    if absolute("XDG_RUNTIME_DIR"):
        yield os.path.join(absolute("XDG_RUNTIME_DIR"), "pexboot")
    yield os.path.join(absolute("TMPDIR") or "/tmp", private)


def absolute(name):
    value = os.environ.get(name, "")
    return value if value[:1] == "/" else ""


def publish(root, path):
    directory = safe(os.path.join(root, "v2", "originals", DIGEST + "-file"), make=True)
    work = safe(os.path.join(root, "v2", "tmp"), make=True)
    final = os.path.join(directory, os.path.basename(path))
    try:
        if os.lstat(final).st_size == ARCHIVE and safe(final, file=True) == final:
            return final
    except OSError:
        pass
    return extract(path, work, final)


def extract(path, work, final):
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


def safe(path, make=False, file=False):
    """The path without links, if nobody but the user and root can change what is there: the rule that is told in
    core/src/roots/safety.rs. What is missing of a directory can be made."""
    volumes = []
    for trusted in os.environ.get("PEXBOOT_TRUST", "").split(":"):
        try:
            volumes.append(walk(trusted, None, False, False))
        except OSError:
            pass
    return walk(path, volumes, make, file)


def walk(target, volumes, make, file):
    """Goes to `target` one component at a time. Without `volumes`, nothing is judged."""
    if target[:1] != "/":
        raise OSError(errno.EINVAL, "it is not absolute", target)
    # Of each directory from `/` on: path, what was seen, what is wrong, owner and group of the volume that it lies in.
    stack = []
    ahead = ["/"] + [name for name in target.split("/") if name not in ("", ".")]
    links = 0
    while ahead:
        name = ahead.pop(0)
        if name == "..":
            leave(stack, volumes, max(1, len(stack) - 1))
            continue
        path = os.path.join(stack[-1][0], name) if stack else name
        volume = stack[-1][3] if stack else None
        try:
            seen = os.lstat(path)
        except OSError as error:
            if not make or error.errno != errno.ENOENT:
                raise
            passed(stack, volumes)
            os.mkdir(path, 0o700)
            seen = os.lstat(path)
        fault = None
        # The owner of `/` is root by another number, save where others could have made the thing.
        chief = stack and seen.st_uid == stack[0][1].st_uid and not stack[-1][1].st_mode & 0o022
        if stack and not chief and not own(path, seen, volume):
            fault = path
        if stat.S_ISDIR(seen.st_mode):
            if not seen.st_mode & stat.S_ISVTX and shared(path, seen, volume):
                fault = path
            if path in (volumes or ()):
                volume = (seen.st_uid, seen.st_gid)
            stack.append([path, seen, fault, volume])
        elif stat.S_ISLNK(seen.st_mode):
            links += 1
            if links > 40:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            stack[0][2] = stack[0][2] or fault
            to = os.readlink(path)
            if to[:1] == "/":
                leave(stack, volumes, 1)
            ahead = [name for name in to.split("/") if name not in ("", ".")] + ahead
        elif stat.S_ISREG(seen.st_mode) and file and not ahead:
            passed(stack, volumes)
            if fault or shared(path, seen, volume):
                raise refusal(path)
            return path
        else:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    if file:
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), target)
    passed(stack, volumes)
    path, seen, _, volume = stack[-1]
    if volumes is not None:
        last = path
        if path in volumes:
            # The directory itself is trusted unseen, not what is in it.
            last = os.path.join(path, "v2")
            if not os.path.lexists(last):
                return path
            seen = os.lstat(last)
        if not stat.S_ISDIR(seen.st_mode) or not own(last, seen, volume) or shared(last, seen, volume):
            raise refusal(last)
    return path


def wrong(stack, volumes):
    """What is wrong from `/`, or from the last trusted directory, on."""
    for path, _, fault, _ in stack[::-1]:
        if volumes is None or path in volumes:
            return None
        if fault:
            return fault


def passed(stack, volumes):
    if wrong(stack, volumes):
        raise refusal(wrong(stack, volumes))


def leave(stack, volumes, count):
    """Leaves all but the first directories. What was wrong on the way there is remembered with `/`."""
    fault = wrong(stack, volumes)
    del stack[count:]
    stack[0][2] = stack[0][2] or fault


def refusal(path):
    return OSError(errno.EPERM, "others could change it", path)


def own(path, seen, volume):
    user = os.geteuid()
    if seen.st_uid == user == 65534:
        # Where the user has no number, this one says nothing; but the owner alone may read without a trace.
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NOATIME | os.O_NOFOLLOW | os.O_NONBLOCK))
            return True
        except OSError:
            return False
    return seen.st_uid in (0, user) or volume is not None and seen.st_uid == volume[0]


def shared(path, seen, volume):
    user = os.geteuid()
    private = seen.st_uid == seen.st_gid == user == os.getegid()
    excused = private or seen.st_gid == 0 or volume is not None and seen.st_gid == volume[1]
    if seen.st_mode & (0o002 if excused else 0o022):
        return True
    return bool(seen.st_mode & 0o020) and has_acl(path)


def has_acl(path):
    try:
        return bool(os.getxattr(path, "system.posix_acl_access", follow_symlinks=False))
    except OSError as error:
        return error.errno not in (errno.ENODATA, errno.ENOTSUP)
    except AttributeError:
        # This Python cannot tell.
        return True


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
