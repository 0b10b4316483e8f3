# Makes the launch pack (docs/architecture.md) when the application's entry point comes back, from the modules that the
# start has imported: in the process of a start that found none. Nothing that fails here is anyone's business.
#
# Everything it needs is taken before the application can change it.
import sys
from _imp import _fix_co_filename, extension_suffixes, source_hash
from marshal import dumps, loads
from posix import (
    O_CLOEXEC,
    O_CREAT,
    O_EXCL,
    O_NOFOLLOW,
    O_RDONLY,
    O_WRONLY,
    close,
    fstat,
    getpid,
    listdir,
    open,
    read,
    rename,
    stat,
    unlink,
    writev,
)
from time import time

external = sys.modules["_frozen_importlib_external"]
MAGIC = b"pexboot pack 2\n\0" + external.MAGIC_NUMBER
# No pack grows beyond this, and no directory with more names than this is kept as a list.
SIZE_MAX, NAMES_MAX = 64 << 20, 4096
# Modules are put together to blocks of about this many bytes, which are read at once.
BLOCK = 96 << 10
# Seconds after which nobody is making a pack any more.
LEFT = 60


def whole(path):
    fd = open(path, O_RDONLY | O_CLOEXEC)
    try:
        size = fstat(fd).st_size
        data = read(fd, size) if size <= SIZE_MAX else b""
        if len(data) != size:
            raise OSError
        return data
    finally:
        close(fd)


def number(data):
    return int.from_bytes(data, "little")


class Recorder(object):
    """Makes the pack of the launch at `here` when it is left as a context; `damaged` is the inode
    of one to replace, `late` whether it is made as soon as the entry point is imported, and again in the end."""

    def __init__(self, here, finder, space, brought_place, damaged, late):
        self.finder = finder
        self.facts = space["facts"]()
        self.brought_place = brought_place
        self.here = here
        self.damaged = damaged
        home = here.rpartition("/")[0].rpartition("/")[0]
        self.home = home + "/"
        self.draft = home + "/tmp/pack-" + here.rpartition("/")[2]
        self.before = set(sys.modules)
        self.pid = getpid()
        # Of directories elsewhere that changed since then nobody knows what they held when they were looked into.
        self.start = stat(here + "/data").st_mtime_ns
        self.kinds = external.SourceFileLoader, external.ExtensionFileLoader, external.FileFinder
        self.spec = type(sys.__spec__)
        tag = sys.implementation.cache_tag
        self.suffix = "." + tag + (".opt-%d" % sys.flags.optimize if sys.flags.optimize else "") + ".pyc"

        # A start that is not the first of its plan finds no pack because the first one was killed, or still runs: it does
        # not wait for its end alone. (The first one does, since much may be imported until then.)
        self.late = late
        self.made = 0

    def __enter__(self):
        return None

    def __exit__(self, *error):
        try:
            self.make()
        except BaseException:  # an interrupt too: the application has ended, and its end counts
            pass

    def make_quietly(self):
        try:
            self.make()
        except Exception:
            pass

    def make(self):
        if getpid() != self.pid or sys.dont_write_bytecode or len(sys.modules) == self.made:
            return
        path = self.here + "/pack"
        try:
            # It is the lock as well: of many first starts one makes the pack.
            fd = open(self.draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        except FileExistsError:
            self.clear()
            return
        except OSError:
            return
        try:
            try:
                if self.found(path) != self.damaged:
                    raise OSError
                made, pieces = len(sys.modules), self.pieces()
                # At most so many at once (IOV_MAX is 1024), and all of each or nothing: there is no half a pack.
                for at in range(0, len(pieces), 512):
                    some = pieces[at : at + 512]
                    if writev(fd, some) != sum(map(len, some)):
                        raise OSError
            finally:
                close(fd)
            rename(self.draft, path)
            self.made, self.damaged = made, self.found(path)
        except BaseException:
            unlink(self.draft)
            raise

    def clear(self):
        """Takes away what a killed process has left, so that the next start can make the pack."""
        if time() - stat(self.draft).st_mtime > LEFT:
            unlink(self.draft)

    def found(self, path):
        try:
            return stat(path).st_ino
        except OSError:
            return None

    def pieces(self):
        """The file: header, head, modules, and their names for people."""
        directories, bodies, names, at = {}, [], [], 0
        # Start, length and number of modules of each block, and whether it is in the pack; a module lies within one.
        blocks = [[0, 0, 0, True]]
        # Modules whose code came with the PEX: it is not written a second time.
        brought, brought_from = [], None
        for name, module in list(sys.modules.items()):
            if name in self.before:
                continue
            try:
                found = self.look(name, object.__getattribute__(module, "__dict__").get("__spec__"))
            except (AttributeError, OSError, ValueError, EOFError, TypeError):
                continue
            if found is None or at > SIZE_MAX:
                continue
            directory, end, mtime, size, body, place, package = found
            if directory not in directories:
                directories[directory] = (self.unchanged(directory), None, {})
            if directories[directory][0] is None:
                continue
            if place:
                brought_from = place[0]
                brought.append((place[1], place[2], directory, name, (end, mtime, size), package))
                names.append("%d %s\n" % (place[2], name))
                continue
            if blocks[-1][1] and body and blocks[-1][1] + len(body) > BLOCK:
                blocks.append([at, 0, 0, True])
            block = blocks[-1]
            where = len(blocks) - 1, at - block[0]
            directories[directory][2][name] = (end, mtime, size) + where + (package, len(body))
            bodies.append(body)
            block[1] += len(body)
            block[2] += bool(body)
            names.append("%d %s\n" % (len(body), name))
            at += len(body)
        for start, length, directory, name, known, package in sorted(brought):
            block = blocks[-1]
            if block[3] or start + length - block[0] > BLOCK:
                block = [start, 0, 0, False]
                blocks.append(block)
            block[1] = start + length - block[0]
            block[2] += 1
            directories[directory][2][name] = known + (len(blocks) - 1, start - block[0], package, length)
        brought_from = brought_from and (brought_from, stat(brought_from).st_size)
        for entry in sys.path:
            if type(sys.path_importer_cache.get(entry)) is self.kinds[2] and entry[:1] == "/":
                mtime = self.unchanged(entry)
                listed = listdir(entry) if mtime is not None else ()
                if 0 < len(listed) <= NAMES_MAX:
                    stems = frozenset([name.partition(".")[0] for name in listed])
                    directories[entry] = (mtime, stems, directories.get(entry, (None, None, {}))[2])
        directories = {path: found for path, found in directories.items() if found[0] is not None}
        head = dumps((self.finder, self.facts, self.suffix, blocks, directories, brought_from))
        names = "".join(names).encode("utf-8", "surrogateescape")
        start = len(MAGIC) + 28
        sizes = [(len(head), 4), (start + len(head) + at + len(names), 8), (start + len(head) + at, 8)]
        header = MAGIC + b"".join([value.to_bytes(width, "little") for value, width in sizes]) + source_hash(0, head)
        return [header, head] + bodies + [names]

    def unchanged(self, directory):
        """The time of a directory that was the same all the while; None of one that may not have been."""
        mtime = stat(directory).st_mtime_ns
        # Where times are whole seconds, or two, what comes within the same one does not show.
        unseen = 0 if mtime % 10**9 else 2 * 10**9
        return mtime if mtime + unseen < self.start or directory.startswith(self.home) else None

    def look(self, name, spec):
        """What there is to keep of a module: None where an import would not find it again this very way."""
        source, extension, finder = self.kinds
        loader, file = spec.loader, spec.origin
        if type(spec) is not self.spec or spec.name != name or not spec.has_location or spec.loader_state is not None:
            return None
        if vars(loader) != {"name": name, "path": file}:
            return None
        tail = name.rpartition(".")[2]
        directory, _, base = file.rpartition("/")
        inner, package, stem = directory, None, tail
        if spec.submodule_search_locations is not None:
            directory, _, parent = directory.rpartition("/")
            stem = "__init__"
            package = self.unchanged(inner)
            if parent != tail or package is None:
                return None
        found = sys.path_importer_cache.get(directory)
        if type(found) is not finder or found.path != directory or not base.startswith(stem + "."):
            return None
        end = base[len(stem) :]
        if type(loader) is extension:
            return (directory, end, None, None, b"", None, package) if end in extension_suffixes() else None
        if type(loader) is not source or end != ".py":
            return None
        if spec.cached != inner + "/__pycache__/" + stem + self.suffix:
            return None
        status = stat(file)
        place = self.brought_place and self.brought_place(file)
        if place:
            return directory, end, status.st_mtime_ns, status.st_size, b"", place, package
        data = self.compiled(spec.cached, status)
        if data is None:
            return None
        body = memoryview(data)[16:]
        if file.encode("utf-8", "surrogateescape") not in data:
            # Compiled somewhere else: an import would put this name into each code object.
            code = loads(body)
            _fix_co_filename(code, file)
            body = dumps(code)
        return directory, end, status.st_mtime_ns, status.st_size, body, None, package

    def compiled(self, path, status):
        """What is in a .pyc, if it is that of a source with this status."""
        data = whole(path)
        flags = number(data[4:8])
        if data[:4] != external.MAGIC_NUMBER or flags not in (0, 1):
            return None
        # As Python compares them.
        stamps = int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF
        if flags == 0 and (number(data[8:12]), number(data[12:16])) != stamps:
            return None
        return data
