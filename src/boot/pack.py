# The finder of the launch pack (docs/architecture.md): gives imports what a pack holds, and nothing else a reason to
# notice. It lies compiled in the pack itself, so that a start without one neither reads nor runs it.
#
# A path entry keeps its own FileFinder in sys.path_importer_cache; `find_spec` of that one object is ours. So Python
# walks sys.path and __path__ as ever, and whatever comes before or instead of such an entry has its way. What is served
# is what FileFinder and SourceFileLoader would make: the same spec, the same loader, whose `get_code` is ours until it
# has been called once. Anything that is not exactly as the pack says is left to the class.
#
# Bytecode that came with the PEX (src/unpack/bytecode.rs) is served through the same finders to what no pack knows:
# there the class finds the module, and its loader gets its code from the one file that holds all of it.
#
# It is compiled under the file name of Python's own import system, which tracebacks leave out.
import sys
from _imp import _fix_co_filename, check_hash_based_pycs
from marshal import loads
from posix import O_CLOEXEC, O_RDONLY, close, fstat, open, pread, read, stat

external = sys.modules["_frozen_importlib_external"]
FileFinder, PathFinder = external.FileFinder, external.PathFinder
SourceFileLoader, ExtensionFileLoader = external.SourceFileLoader, external.ExtensionFileLoader
ModuleSpec, Code = type(sys.__spec__), type(external._path_join.__code__)
find_file, get_source_code = FileFinder.find_spec, SourceFileLoader.get_code

# So many blocks are kept while modules of theirs have not been served.
HELD_MAX = 8


def facts():
    """What a pack must have been made under; None where there is to be none."""
    flags = sys.flags
    if flags.verbose or sys.pycache_prefix is not None or check_hash_based_pycs != "default":
        return None
    if find_file.__module__ != "_frozen_importlib_external" or get_source_code.__module__ != find_file.__module__:
        return None
    return (sys.version, sys.implementation.cache_tag, flags.optimize, repr(sorted(sys._xoptions.items())))


def install(shipped, path, identity, first, base, made_under, suffix, blocks, directories, brought_from):
    """Lets the path entries of `directories` be served from the pack at `path`.

    `first` is the beginning of the file, `base` where the blocks begin, `suffix` how the names of bytecode files end;
    `shipped` the file that tells of bytecode which came with the PEX, or None; `brought_from` path and size of the file of
    such bytecode in which blocks lie that are not the pack's own. Gives a function that tells where such bytecode lies.
    """
    if made_under is None or made_under != facts():
        return None
    loaders = FileFinder("/", *external._get_supported_file_loaders())._loaders
    hooks = list(sys.path_hooks)
    finders = sys.path_importer_cache
    held = {}
    if blocks and blocks[0][3] and base + blocks[0][1] <= len(first):
        held[0] = memoryview(first)[base:]

    def body(number, at, length):
        """Modules lie in blocks, so that few reads serve many."""
        block = blocks[number]
        data = held.get(number)
        if data is None:
            own = block[3]
            fd = open(path if own else brought_from[0], O_RDONLY | O_CLOEXEC)
            try:
                found = fstat(fd)
                # A pack that was replaced meanwhile has other modules in other places.
                if (found.st_ino, found.st_size) != identity if own else found.st_size != brought_from[1]:
                    raise OSError
                data = pread(fd, block[1], base + block[0] if own else block[0])
            finally:
                close(fd)
            if len(held) >= HELD_MAX:
                held.pop(next(iter(held)), None)
            held[number] = data
        block[2] -= 1
        if block[2] <= 0:
            held.pop(number, None)
        return loads(memoryview(data)[at : at + length])

    # Where the bytecode is, the directories of its modules, and the places of their code: read when first needed.
    brought = []

    def bring():
        try:
            fd = open(shipped, O_RDONLY | O_CLOEXEC)
            try:
                status = fstat(fd)
                data = loads(read(fd, status.st_size))
            finally:
                close(fd)
            places = dict(zip(data["files"], zip(data["starts"], data["lengths"])))
            brought[:] = data["path"], frozenset(data["directories"]), places, status.st_mtime_ns
        except (OSError, EOFError, LookupError, TypeError, ValueError):
            brought[:] = None, (), {}, 0

    def brought_place(file):
        """Where the marshalled code of the module in that file lies: the file that holds it, start and length; None where
        none was brought."""
        if shipped is None:
            return None
        if not brought:
            bring()
        place = brought[2].get(file)
        # A source that is newer was edited.
        if place is None or stat(file).st_mtime_ns > brought[3]:
            return None
        return (brought[0],) + place

    def brought_code(file):
        place = brought_place(file)
        if place is None:
            return None
        fd = open(place[0], O_RDONLY | O_CLOEXEC)
        try:
            return pread(fd, place[2], place[1])
        finally:
            close(fd)

    def find(finder, fullname, target):
        """The class's own way, with bytecode that was brought."""
        spec = find_file(finder, fullname, target)
        if shipped is None or target is not None or spec is None:
            return spec
        if not brought:
            bring()
        loader, inner = spec.loader, spec.submodule_search_locations
        if type(loader) is SourceFileLoader and spec.origin in brought[2]:

            def serve_code(fullname):
                loader.__dict__.pop("get_code", None)
                try:
                    if fullname == loader.name:
                        code = loads(brought_code(loader.path))
                        if type(code) is Code:
                            _fix_co_filename(code, loader.path)
                            return code
                except (OSError, EOFError, LookupError, RuntimeError, TypeError, ValueError):
                    pass
                return get_source_code(loader, fullname)

            loader.get_code = serve_code
        if inner and inner[0] in brought[1] and inner[0] not in finders and sys.path_hooks == hooks:
            offer(inner[0])
        return spec

    def source(fullname, file, entry):
        loader = SourceFileLoader(fullname, file)

        def serve_code(fullname):
            loader.__dict__.pop("get_code", None)
            try:
                if fullname == loader.name:
                    found = stat(file)
                    if found.st_mtime_ns == entry[1] and found.st_size == entry[2]:
                        code = body(entry[3], entry[4], entry[6])
                        if type(code) is Code:
                            _fix_co_filename(code, file)
                            return code
            except (OSError, EOFError, LookupError, RuntimeError, TypeError, ValueError):
                pass
            return get_source_code(loader, fullname)

        loader.get_code = serve_code
        return loader

    def serve(directory, finder, early):
        """Lets this finder serve its directory; `early` when Python would not have made it yet."""
        mtime, stems, entries = directories.pop(directory, (None, None, {}))
        below = directory + "/"

        def find_spec(fullname, target=None):
            nonlocal early
            if early:
                early = False
                if sys.path_hooks != hooks:
                    # A hook that came meanwhile would have been asked first.
                    del finder.find_spec
                    if finders.get(directory) is finder:
                        del finders[directory]
                    other = PathFinder._path_importer_cache(directory)
                    return other and other.find_spec(fullname, target)
            entry = entries.pop(fullname, None)
            tail = fullname.rpartition(".")[2]
            try:
                if target is None and mtime is not None and stat(directory).st_mtime_ns == mtime:
                    if entry is not None:
                        package = entry[5]
                        if package is None:
                            stem = below + tail
                        elif stat(below + tail).st_mtime_ns == package:
                            stem = below + tail + "/__init__"
                        else:
                            return find(finder, fullname, target)
                        file = stem + entry[0]
                        if entry[1] is None:
                            spec = ModuleSpec(fullname, ExtensionFileLoader(fullname, file), origin=file)
                        else:
                            spec = ModuleSpec(fullname, source(fullname, file, entry), origin=file)
                            cache = below if package is None else below + tail + "/"
                            name = tail if package is None else "__init__"
                            spec._cached = cache + "__pycache__/" + name + suffix
                        spec._set_fileattr = True
                        if package is not None:
                            inner = below + tail
                            spec.submodule_search_locations = [inner]
                            if inner not in finders and sys.path_hooks == hooks:
                                if inner in directories or shipped and below.startswith(home):
                                    offer(inner)
                        return spec
                    if stems is not None and tail not in stems:
                        return None
            except OSError:
                pass
            return find(finder, fullname, target)

        finder.find_spec = find_spec

    def offer(directory):
        """Serves a directory, by the finder that it has or would get."""
        early = directory not in finders
        try:
            finder = hooks[-1](directory) if early else finders[directory]
        except ImportError:
            return
        if type(finder) is FileFinder and finder.path == directory and finder._loaders == loaders:
            finders[directory] = finder
            serve(directory, finder, early)

    zipimport = sys.modules.get("zipimport")
    # A directory is no zip, so only the last hook need be asked; where there are others, it is not known what they do.
    if not zipimport or hooks[:-1] != [zipimport.zipimporter]:
        return None
    home = shipped and shipped[: shipped.index("/launches/") + 1]
    for entry in sys.path:
        # An entry without a finder is empty.
        if entry in directories or home and entry.startswith(home) and finders.get(entry, True):
            offer(entry)
    return brought_place
