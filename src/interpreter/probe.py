# Asked of every Python once, as `PYTHON -I -S -B -c THIS TAGS FILE BOOT FILE FINDER FILE RECORDER`: says on stdout what
# it is, and compiles the sources as from those files, unless it is among TAGS (cpython-311-a70d0d0a, by spaces), for
# which they came compiled.
#
# Runs on anything from 2.7 on, so that even a Python that is too old is named in messages. Imports only what is
# built in, and `site` for its functions (with -S importing it runs nothing): distributions patch where their
# site-packages are in that very file.
import sys

try:
    import posix
except ImportError:  # not a POSIX system: nothing here knows how to go on
    sys.exit("not a POSIX system")

OUT = [b"pexboot probe 1\n"]


def text(value):
    if isinstance(value, bytes):
        return value
    return value.encode(sys.getfilesystemencoding() or "utf-8", "surrogateescape")


def say(key, value):
    # KEY LENGTH newline VALUE newline: paths may hold any byte.
    value = text(value)
    OUT.append(("%s %d\n" % (key, len(value))).encode("ascii"))
    OUT.append(value)
    OUT.append(b"\n")


def read(path):
    try:
        descriptor = posix.open(path, posix.O_RDONLY)
    except OSError:
        return None
    chunks = []
    while True:
        chunk = posix.read(descriptor, 65536)
        if not chunk:
            break
        chunks.append(chunk)
    posix.close(descriptor)
    return b"".join(chunks)


def numbers(info):
    return "%d %d %d %s %d" % tuple(info)


def parent(path):
    return path.rpartition("/")[0] or "/"


modern = sys.version_info >= (3, 8)
implementation = getattr(sys, "implementation", None)
say("version", numbers(sys.version_info))
say("full-version", sys.version.split()[0])
say("executable", sys.executable or "")
if implementation is None:  # 2.7
    say("implementation", "pypy" if "PyPy" in sys.version else "cpython")
    say("implementation-version", numbers(sys.version_info))
else:
    say("implementation", implementation.name)
    say("implementation-version", numbers(implementation.version))
    if implementation.cache_tag:
        say("cache-tag", implementation.cache_tag)
say("platform", sys.platform)
# Not what the launcher sees: this Python may run under emulation.
name = posix.uname()
for key, index in (("kernel-name", 0), ("kernel-release", 2), ("kernel-version", 3), ("machine", 4)):
    say(key, name[index])
say("abiflags", getattr(sys, "abiflags", ""))
say("debug", "1" if hasattr(sys, "gettotalrefcount") else "0")
say("bits", "64" if sys.maxsize > 2**32 else "32")
try:
    say("libc", posix.confstr("CS_GNU_LIBC_VERSION") or "")
except (AttributeError, OSError, ValueError):
    say("libc", "")

# A virtual environment, as `site` finds it (PEP 405); before 3.14 it is only `site` that sets the prefix.
prefix = sys.prefix
system_site = True
here = parent(sys.executable or "/")
for directory in (here, parent(here)):
    config = read(directory + "/pyvenv.cfg")
    if config is not None:
        prefix = parent(here)
        for line in config.decode("utf-8", "replace").splitlines():
            key, found, value = line.partition("=")
            if key.strip().lower() == "include-system-site-packages":
                system_site = value.strip().lower() == "true"
        break
base_prefix = getattr(sys, "base_prefix", sys.prefix)
say("prefix", prefix)
say("base-prefix", base_prefix)
say("system-site", "1" if system_site else "0")
for entry in sys.path:
    if entry:
        say("path", entry)

if sys.version_info >= (3, 5):
    import _imp

    say("ext-suffix", (_imp.extension_suffixes() or [""])[0])
    try:
        from _frozen_importlib_external import MAGIC_NUMBER

        say("magic", MAGIC_NUMBER)
    except ImportError:
        MAGIC_NUMBER = None

    before = sys.prefix, sys.exec_prefix
    if prefix != sys.prefix:
        sys.prefix = sys.exec_prefix = prefix
    import site

    where = [prefix] + (list(before) if system_site else [])
    for entry in site.getsitepackages(where):
        say("site", entry)
    # Where the user's own packages are, below a home that is known only at each start.
    site.USER_BASE = "~"
    site.USER_SITE = None
    try:
        say("user-site", site.getusersitepackages() or "")
    except Exception:
        pass

    if modern and MAGIC_NUMBER is not None and len(sys.argv) > 1:
        tag = "%s-%s" % (implementation.cache_tag, "".join("%02x" % byte for byte in MAGIC_NUMBER))
        if tag not in sys.argv[1].split():
            import marshal

            try:
                for name, file, source in zip(("boot", "finder", "recorder"), sys.argv[2::2], sys.argv[3::2]):
                    say(name, marshal.dumps(compile(text(source), file, "exec", 0, True, 0)))
            except SyntaxError:
                pass

# The libraries that decide what this binary is; it may be little more than a loader.
for line in (read("/proc/self/maps") or b"").splitlines():
    path = line.partition(b"/")
    name = line.rpartition(b"/")[2]
    if path[1] and name.startswith((b"libpython", b"libpypy", b"libc.so", b"libc-2", b"libc.musl", b"ld-musl")):
        library = b"/" + path[2]
        if library not in OUT:  # it is mapped in several pieces
            say("library", library)

say("end", "")
data = b"".join(OUT)
while data:
    data = data[posix.write(1, data) :]
# Everything is said: no clean-up that could still go wrong.
posix._exit(0)
