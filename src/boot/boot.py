# The boot: runs before the application, in its process, and leaves no trace but a settled interpreter.
#
# It reads the launch's data (a marshalled dict beside this file, written by src/boot/mod.rs), settles sys.path, the
# environment, sys.argv and __main__, and gives back what is to be called. It imports nothing that Python has not
# imported by then or that the application's own start would not import at once; everything rare is imported where it
# is needed. It runs on every Python 3 from 3.5 on.


# New container objects between two collections while the application is imported (the usual value: 700 to 2000).
HOLD = 50000
# Seconds after the making of a launch in which its launch pack is left to the first start.
LATE = 60


def _boot():
    import sys
    from marshal import loads

    main = sys.modules["__main__"]
    here = main.__file__.rpartition("/")[0]
    held = __import__("posix").environ.get(b"_PEXBOOT_DATA")
    try:
        # Where nothing could be published, boot and data are memory files that came open; both are closed here.
        with open(int(held) if held else here + "/data", "rb") as file:
            data = loads(file.read())
    except (OSError, EOFError, ValueError, TypeError):
        import os
        mends, _, pex = _told(os.environ.get("_PEXBOOT", ""))
        if mends:
            _repair(os, pex, sys.argv[1:])
        raise
    if sys.getfilesystemencoding() != "utf-8":
        _recode(sys, data)

    # Where Python was started with -S: what the host's site would have set up, without running any of its hooks.
    import os
    if data["for_site"]:
        import site

        site.setquit()
        site.setcopyright()
        site.sethelper()
        site.ENABLE_USER_SITE = not sys.flags.no_user_site
        # Sets USER_BASE and USER_SITE.
        site.getusersitepackages()
        if not sys.flags.isolated:
            site.enablerlcompleter()

    environ = os.environ
    if held:
        os.close(int(main.__file__.rpartition("/")[2]))
        del environ["_PEXBOOT_DATA"]
        # As Python has resolved the link to a file without a directory.
        here = "/"
    mends, first, pex = _told(environ.pop("_PEXBOOT", ""))
    if not pex:
        pex = _again(os, environ, here)
    if data["temporary"]:
        _remove_at_end(os, data["temporary"])

    undo = {}
    venv = data["venv"]
    if venv:
        _enter_venv(sys, data, here, environ, undo)
    else:
        _settle_path(sys, data, here, environ)
    if data["strip"]:
        for name in [name for name in environ if name.startswith("PEX_")]:
            undo[name] = environ.pop(name)
    if data["extra"]:
        undo["PYTHONPATH"] = environ.get("PYTHONPATH")
        _extend_children(data, environ)
    for name, value in data["inject_env"]:
        environ.setdefault(name, value)
    for name, resource in data["bind"]:
        environ[name] = _resource(sys, os, name, resource)

    packing = _pack(sys, here, data["pack"], environ, first) if data["pack"] else None

    # A spec by this name tells multiprocessing's spawn that there is no main module to import again. In a virtual
    # environment there is one: its own `pex`.
    main.__spec__ = None if venv else type(sys.__spec__)("__main__", main.__loader__)
    main.__file__ = data["main"]
    main.__dict__.pop("__cached__", None)

    inject_args = data["inject_args"]
    if inject_args:
        inject_args = _format(inject_args, environ)
    kind, what, attrs = data["run"]
    if kind == "call" and not venv:
        # As under `python DIRECTORY`.
        main.__package__ = ""
    if kind == "repl" and len(sys.argv) > 1:
        kind = "interpreter"
    sys.argv[0] = environ["PEX"] + data["argv0"] if venv else data["argv0"] or pex
    # What an interpreter is given decides where they go.
    given = sys.argv[1:]
    if kind not in ("interpreter", "repl"):
        sys.argv[1:1] = inject_args

    try:
        for sitedir, line in data["import_lines"]:
            _import_line(sys, sitedir, line)
        if kind == "call":
            function = _callable(sys, what, attrs, venv)
        elif kind == "module":
            function = _module(what, () if venv else environ)
        elif kind == "script":
            function = _script(what, attrs)
        elif kind == "interpreter":
            function = _interpreter(sys, os, venv, inject_args)
        else:
            function = _repl(data, pex)
    except (ImportError, OSError, EOFError, ValueError) as error:
        if mends and (_damaged(os, data["entries"]) or _cut_short(os, data["entries"], error)):
            for name, value in undo.items():
                if value is None:
                    environ.pop(name, None)
                else:
                    environ[name] = value
            _repair(os, pex, given)
        raise
    finally:
        if first:
            _imported(os, here)

    if packing and packing.late:
        packing.make_quietly()
    # Under PYTHONINSPECT, which the application may set or delete, an entry point in a virtual environment exits all the same.
    return packing or memoryview(b""), function, () if venv and kind != "interpreter" else environ


def _told(note):
    """What the launcher says of this start (core/src/note.rs): whether P can be started again to mend the cache, whether
    this is the first start of its launch, and P."""
    letters, slash, path = note.partition("/")
    return "m" in letters, "f" in letters, slash + path


def _extend_children(data, environ):
    """Lets children have PEX_EXTRA_SYS_PATH on their path."""
    inherited = environ.get("PYTHONPATH")
    children = data["extra"] if data["inherit"] == "false" or not inherited else [inherited] + data["extra"]
    environ["PYTHONPATH"] = ":".join(children)


def _again(os, environ, here):
    """What the launcher would have said of P. The application repeats its own command line, sys.orig_argv: reloaders do."""
    pex = environ.setdefault("PEX", here)
    return pex + "/pex" if os.path.isdir(pex) else pex


def _remove_at_end(os, root):
    """Removes the root that is this start's alone when the process ends that was started from it."""
    import atexit

    def remove(started=os.getpid()):
        if os.getpid() == started:
            import shutil

            shutil.rmtree(root, True)

    atexit.register(remove)


def _leave():
    """The application's function; from now on nothing of the boot is to be found by name."""
    main = __import__("sys").modules["__main__"].__dict__
    function = _ready[1]
    for name in [name for name in main if name[:2] != "__"]:
        del main[name]
    return function


def _pack(sys, here, parts, environ, first):
    """Lets imports be served from the launch pack (pack.py); where there is none, gives what is to make it (record.py)."""
    import posix

    if environ.get("PEXBOOT_PACK") == "0":
        return None
    kept, packs, shipped = parts
    shipped = here + "/shipped" if shipped else None
    space = {"__name__": "_frozen_importlib_external"}
    damaged = None
    try:
        path = here + "/pack"
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            status = posix.fstat(fd)
            damaged = status.st_ino
            start = posix.read(fd, 96 << 10)
            base = 48 + int.from_bytes(start[20:24], "little")
            if len(start) < base <= status.st_size:
                start += posix.read(fd, base - len(start))
        finally:
            posix.close(fd)
        head = start[48:base]
        from _imp import source_hash

        magic = b"pexboot pack 2\n\0" + sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
        size = int.from_bytes(start[24:32], "little")
        if start[:20] != magic or size != status.st_size or source_hash(0, head) != start[40:48]:
            raise ValueError
        from marshal import loads

        head = loads(head)
        exec(head[0], space)
        space["install"](shipped, path, (status.st_ino, status.st_size), start, base, *head[1:])
        return None
    except Exception:
        # None, or a damaged one, which is made again. A seed is not written, and has the bytecode of everything.
        if "PEXBOOT_SEEDS" in environ:
            return None
    try:
        if damaged is None and not (first or shipped):
            from time import time

            # The first start may still be at it, and who comes along with many others is not to do it as well.
            if time() - posix.stat(here + "/data").st_mtime < LATE:
                return None
        from marshal import loads

        with open(kept + "/finder", "rb") as file:
            finder = loads(file.read())
        exec(finder, space)
        facts = space["facts"]()
        place = space["install"](shipped, None, None, b"", 0, facts, "", [], {}, None) if shipped else None
        if not packs or facts is None or not posix.access(here, posix.W_OK):
            return None
        more = {"__name__": "pexboot"}
        with open(kept + "/recorder", "rb") as file:
            exec(loads(file.read()), more)
        return more["Recorder"](here, finder, space, place, damaged, not first)
    except Exception:
        return None


def _recode(sys, data):
    """Paths, which were read as UTF-8, as this Python has them: its file system encoding is another."""
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()

    def path(value):
        if isinstance(value, list):
            return [path(item) for item in value]
        return value and value.encode("utf-8", "surrogateescape").decode(encoding, errors)

    for name in ("code", "empty", "entries", "extra", "history_file", "main", "path", "site", "temporary", "venv"):
        if name in data:
            data[name] = path(data[name])
    data["scrubbed"] = data.get("scrubbed") and [path(entries) for entries in data["scrubbed"]]
    for pair in data["import_lines"]:
        pair[0] = path(pair[0])
    if data["run"][0] == "script":
        data["run"][2] = path(data["run"][2])


def _callable(sys, module, attrs, venv):
    with_gc = _hold_gc()
    try:
        __import__(module)
    finally:
        with_gc()
    function = sys.modules[module]
    for attr in attrs:
        try:
            function = getattr(function, attr)
        except AttributeError as error:
            if venv:
                raise
            raise ImportError("Could not resolve {} in {}: {}".format(".".join(attrs), sys.modules[module], error))
    return function


def _imported(os, here):
    """Lets those go on who wait for the bytecode that this start has made (stub/src/turn.rs)."""
    try:
        os.unlink(here + "/importing")
    except OSError:
        pass


def _hold_gc():
    """Holds the cyclic garbage collector off; gives what lets it go again.

    Importing makes objects that stay, and little garbage: looking through them again and again frees next to nothing.
    The collector still runs now and then, so that a module that does its work while it is imported stays bounded.
    """
    try:
        import gc

        before = gc.get_threshold()
        held = (HOLD,) + before[1:]
        if not 0 < before[0] < HOLD:
            return lambda: None
        gc.set_threshold(*held)
    except Exception:  # a Python whose collector has no thresholds (PyPy)
        return lambda: None

    def release():
        # Whoever has set others meanwhile means them.
        if gc.get_threshold() == held:
            gc.set_threshold(*before)

    return release


def _settle_path(sys, data, here, environ):
    """Puts sys.path in the order of the PEX's inherit mode, from what this Python has."""
    path = [entry for entry in sys.path if entry != here]
    # No module lies there, so no import needs to look. (As where Python has found no finder for an entry.)
    for entry in data["empty"]:
        sys.path_importer_cache[entry] = None
    code, extra, site = data["code"], data["extra"], data["site"]
    inherit = data["inherit"]
    imports = data["run"][0] == "import"
    if data["scrubbed"] and (imports or not sys.flags.no_site):
        own = _scrub(sys, path, *data["scrubbed"])
        if inherit == "false":
            path = [entry for entry in path if own(entry)]
            for entry in [entry for entry in sys.path_importer_cache if not own(entry)]:
                del sys.path_importer_cache[entry]
    if inherit == "false":
        sys.path[:] = code + path + extra + site
        return
    # As they are written, and where Python was told to ignore the variable as well. site has made them absolute.
    inherited = []
    for entry in environ["PYTHONPATH"].split(":") if "PYTHONPATH" in environ and not imports else ():
        for found in (entry, _absolute(entry)):
            if found in path:
                path.remove(found)
        if entry not in inherited:
            inherited.append(entry)
    if inherit == "prefer":
        sys.path[:] = inherited + code + path + extra + site
    else:
        sys.path[:] = site + code + path + inherited + extra


def _enter_venv(sys, data, here, environ, undo):
    """Makes this process one of the virtual environment's, whose Python has settled sys.path."""
    venv = data["venv"]
    # Python that is not isolated puts the directory of its script first: the environment, had it started `pex` there.
    sys.path[:] = [venv if entry == here else entry for entry in sys.path]
    for name in ("VIRTUAL_ENV", "PATH", "__PEX_EXTRA_SYS_PATH__"):
        undo[name] = environ.get(name)
    environ["VIRTUAL_ENV"] = venv
    before, behind = data["path"]
    if before or behind:
        environ["PATH"] = ":".join(filter(None, (before, environ.get("PATH"), behind)))
    # Children that run in the environment get the same sys.path.
    if data["strip"] and "PEX_EXTRA_SYS_PATH" in environ:
        environ["__PEX_EXTRA_SYS_PATH__"] = environ["PEX_EXTRA_SYS_PATH"]


def _absolute(entry):
    from os.path import abspath

    return abspath(entry)


def _scrub(sys, path, own, site, others):
    """Drops the modules that the host's hooks imported from elsewhere than `own`, whatever is inherited (reference 6.5);
    with `others` all of `path` is own that is not in `site`.

    Gives what tells the interpreter's own entries and files. Site-packages may lie below its standard library.
    """
    import os

    # Of another home (PYTHONHOME), too.
    stdlib = os.path.dirname(os.__file__)
    own = own + [stdlib, os.path.realpath(stdlib)] + (path if others else [])
    own = tuple([entry + "/" for entry in own if entry])
    site = tuple([entry + "/" for entry in site])

    def is_own(path, real=False):
        if (path + "/").startswith(site):
            return False
        return (path + "/").startswith(own) or not real and is_own(os.path.realpath(path), True)

    # virtualenv's own patch of the standard library's distutils.
    kept = "__main__", "_virtualenv" if sys.prefix != sys.base_prefix else None
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name not in kept and not is_own(file):
            del sys.modules[name]
            continue
        path = getattr(module, "__path__", None)
        if path is None:
            continue
        if isinstance(path, list):
            path[:] = [entry for entry in path if is_own(entry)]
        if not path or not isinstance(path, list):
            del sys.modules[name]
    sys.excepthook = sys.__excepthook__
    sys.displayhook = sys.__displayhook__
    return is_own


def _import_line(sys, sitedir, line):
    """Runs a line of a .pth or .start file; such lines look for `sitedir` in the frame that runs them."""
    try:
        exec(line)
    except Exception:
        import traceback

        print("Error processing a .pth or .start line of {}:\n".format(sitedir), file=sys.stderr)
        print("  " + line, file=sys.stderr)
        traceback.print_exc()


def _resource(sys, os, name, resource):
    below = os.path.normpath(resource)
    if os.path.isabs(resource) or below.startswith(".."):
        sys.exit(
            "The following resource binding spec is invalid: {0}={1}\n"
            "The resource path {1} must be relative to the `sys.path`.".format(name, resource)
        )
    for entry in sys.path:
        path = os.path.join(entry, below)
        if os.path.isfile(path):
            return os.path.abspath(path)
    sys.exit(
        "There was no resource file {1} found on the `sys.path` corresponding to the given resource binding spec "
        "`{0}={1}`".format(name, resource)
    )


def _format(args, environ):
    class Environment(object):
        def __getattr__(self, name):
            return environ.get(name, "")

        __getitem__ = __getattr__

    class Pex(object):
        env = Environment()

    return [arg.format(pex=Pex) for arg in args]


def _module(name, environ=()):
    """Runs a module as `python -m` does; with PYTHONINSPECT in `environ` in the end, what it leaves can be inspected."""
    # By the time it runs, the boot's functions are no longer to be found by name.
    find, execute, own = _find_main, _run_main, _import_own

    def run():
        found = find(name)
        if found:
            left = execute(*found)
        else:
            # Everything unusual, the error messages above all, is the business of Python's own.
            runpy = own("runpy")
            left = runpy.run_module(name, run_name="__main__", alter_sys=True)
        if "PYTHONINSPECT" in environ:
            __import__("sys").modules["__main__"].__dict__.update(left)

    return run


def _import_own(name):
    """A module of the standard library, whatever lies in the working directory."""
    import sys

    path = sys.path[:]
    sys.path[:] = [entry for entry in path if entry]
    try:
        return __import__(name)
    finally:
        sys.path[:] = path


def _find_main(name):
    """Spec and code of the module that stands for `name`; None where runpy has to look into it.

    runpy imports a dozen modules that most applications never need.
    """
    import sys

    find = getattr(sys.modules.get("_frozen_importlib"), "_find_spec", None)
    if not find or name.startswith("."):
        return None
    for name in (name, name + ".__main__"):
        package = name.rpartition(".")[0]
        try:
            if package:
                __import__(package)
        except ImportError as error:
            if error.name is None or error.name != package and not package.startswith(error.name + "."):
                raise
            return None
        if name in sys.modules:
            return None
        try:
            spec = find(name, sys.modules[package].__path__ if package else None)
            if spec is None or spec.loader is None:
                return None
            if spec.submodule_search_locations is None:
                code = spec.loader.get_code(name)
                return code and (spec, code)
        except (ImportError, AttributeError, TypeError, ValueError, KeyError):
            return None
    return None


def _run_main(spec, code):
    """Runs the code in a `__main__` of its own, as runpy.run_module(alter_sys=True) would; gives what that holds."""
    import sys

    boots = sys.modules["__main__"]
    main = sys.modules["__main__"] = type(sys)("__main__")
    argv0, sys.argv[0] = sys.argv[0], spec.origin
    main.__dict__.update(
        __file__=spec.origin,
        __cached__=spec.cached,
        __doc__=None,
        __loader__=spec.loader,
        __package__=spec.parent,
        __spec__=spec,
    )
    try:
        exec(code, main.__dict__)
        return main.__dict__.copy()
    finally:
        sys.argv[0] = argv0
        sys.modules["__main__"] = boots


def _execute(name, source, argv, venv=None):
    """Compiles and runs source as __main__, as `python` itself would show it to the code."""
    import sys

    sys.argv[:] = argv
    try:
        code = compile(source, name, "exec", 0, True)
    except SyntaxError as error:
        if venv:
            raise
        sys.exit("Unable to parse {}: {}".format(name, error))
    main = sys.modules["__main__"]
    main.__file__ = name
    if argv[0] in ("-c", "-"):
        # No file that children of multiprocessing could run again.
        main.__spec__ = type(sys.__spec__)("__main__", None)
    return lambda: exec(code, main.__dict__)


def _script(name, path):
    import sys

    with open(path, "rb") as file:
        source = file.read()
    argv = [name] + sys.argv[1:]
    first = source.split(b"\n", 1)[0]
    if first.startswith(b"#!") and (b"python" in first or b"pypy" in first):
        return _execute(path, source, argv)

    def run():
        import subprocess

        try:
            code = subprocess.call([path] + argv[1:])
        except OSError as error:
            return "Could not invoke script {}: {!r}".format(path, error)
        return code

    return run


def _interpreter(sys, os, venv, inject_args):
    """Runs what `python` would have run with these arguments (reference 6.10)."""
    inspects = ("PYTHONINSPECT",) if sys.flags.inspect else os.environ
    if "PYTHONINSPECT" in inspects:
        _import_for_session(sys)
    sys.path.insert(0, "")
    args = sys.argv[1:]
    skip = args[0] == "-x"
    if skip:
        del args[0]
    if args[0] in ("-c", "-m") and len(args) < 2:
        sys.stderr.write("Argument expected for the {} option\n".format(args[0]))
        sys.exit(2 if venv else 1)
    if args[0] == "-c":
        return _execute("-c <cmd>", args[1], ["-c"] + args[2:], venv)
    if args[0] == "-m":
        sys.argv[:] = args[1:2] + inject_args + args[2:]
        module, _, attrs = args[1].partition(":")
        # In a virtual environment an entry point will do.
        return _callable(sys, module, attrs.split("."), venv) if venv and attrs else _module(args[1], inspects)
    try:
        if args[0] == "-":
            return _execute("-", sys.stdin.read(), args, venv)
        path = args[0]
        if not os.path.isfile(path):
            path = os.path.join(path, "__main__.py")
        with open(path, "rb") as file:
            # The end of a line that is skipped stays, and with it the numbers of the others.
            source = b"\n" if skip and path == args[0] and file.readline() else b""
            source += file.read()
    except (IOError, OSError) as error:
        if venv:
            raise
        sys.exit("Could not open {} in the environment [{}]: {}".format(args[0], sys.argv[0], error))
    # As under `python FILE`: children of multiprocessing find the script again by its name.
    sys.modules["__main__"].__spec__ = None
    return _execute(args[0], source, args, venv)


def _import_for_session(sys):
    """Imports what a session needs, before files of the working directory can be taken for it."""
    names = ["__future__", "ast", "atexit", "code", "json", "linecache", "tokenize", "traceback", "warnings"]
    if hasattr(sys, "__interactivehook__"):
        names += ["readline", "rlcompleter"]
        if sys.version_info >= (3, 13) and sys.implementation.name == "cpython":
            names += ["_pyrepl.readline", "_pyrepl.unix_console", "_pyrepl.main"]
    for name in names:
        try:
            __import__(name)
        except Exception:  # whoever needs it says so
            pass


def _repl(data, pex):
    import sys

    _import_for_session(sys)
    if not data["venv"]:
        sys.path.insert(0, "")
    space = {"__name__": "pexboot.repl"}
    exec(compile(data["repl"], "<pexboot repl>", "exec", 0, True), space)
    return lambda: space["run"](data["session"], pex, data["history"], data["history_file"])


def _damaged(os, entries):
    """Whether something that was unpacked is gone or cut short (the manifests of src/store)."""
    for entry in map(os.fsencode, entries):
        try:
            with open(entry + b".manifest", "rb") as file:
                records = file.read().split(b"\n", 2)[2].split(b"\0")[:-1]
            for record in records:
                _, size, path = record.split(b" ", 2)
                if os.lstat(os.path.join(entry, path)).st_size != int(size):
                    return True
        except (OSError, IndexError, ValueError):
            return True
    return False


def _cut_short(os, entries, error):
    """Whether Python's own bytecode of something that was unpacked could not be read. All that cannot is gone then.

    Python does not look whether all of it was written (Lib/importlib/_bootstrap_external.py, `_write_atomic`): on a disk
    that fills up, half a file gets its place, and no later start comes past it.
    """
    step = error.__traceback__
    while step is not None and step.tb_frame.f_code.co_name != "get_code":
        step = step.tb_next
    path = step and step.tb_frame.f_locals.get("bytecode_path")
    if not (isinstance(path, str) and any(path.startswith(entry + "/") for entry in entries)):
        return False
    from marshal import loads

    found = False
    for entry in entries:
        for above, _, files in os.walk(entry, followlinks=True):
            for file in files if above.endswith("/__pycache__") else ():
                path = above + "/" + file
                try:
                    with open(path, "rb") as bytecode:
                        loads(bytecode.read()[16:])
                except (EOFError, ValueError, TypeError):
                    try:
                        os.unlink(path)
                        found = True
                    except OSError:
                        pass
                except OSError:
                    pass
    return found


def _repair(os, pex, args):
    """Starts again from the beginning, told to mend the cache. Comes back where the file cannot be executed."""
    # The number of this process, which it keeps: what was inherited asks for nothing.
    os.environ["_PEXBOOT_REPAIR"] = str(os.getpid())
    try:
        os.execv(pex, [pex] + args)
    except OSError:
        del os.environ["_PEXBOOT_REPAIR"]


def _traced(source):
    """Boots under what times it, which the engine sends along where a trace was asked for (src/trace/traced.py)."""
    import time

    began = time.monotonic()
    space = {}
    exec(source, space)
    return space["trace"](_boot, began)


# One expression, so that tracebacks show one line of ours, and without sys.exit where nothing was returned, so that
# `python -i` stays quiet. What is done at the end is held by nothing but the `with`.
if __name__ == "__main__":
    _trace = __import__("posix").environ.get(b"_PEXBOOT_TRACE")
    _ready = _traced(_trace) if _trace else _boot()
    with _ready[0]:
        (lambda env, result: result is None or "PYTHONINSPECT" in env or __import__("sys").exit(result))(_ready[2], _leave()())
