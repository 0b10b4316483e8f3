# The import hook (`PYTHONPATH=app.pex python -c "from __pex__ import dep"`): asks the head of this file where everything
# lies for the running Python, and settles sys.path and modules as the original does. Where the head has no answer, the
# original's own hook does all of it, from the original.
import os
import sys


def _native(path):
    """Settles this Python by what the head says; whether it had an answer."""
    try:
        told = _ask(path)
        if told is None:
            return False
        from marshal import loads

        with open(told, "rb") as file:
            code = file.read()
        here = os.path.dirname(told)
        with open(os.path.join(here, "data"), "rb") as file:
            data = loads(file.read())
        if code[:4] != sys.modules["_frozen_importlib_external"].MAGIC_NUMBER:
            return False
        boot = {"__name__": "__pex__boot"}
        exec(loads(code[16:]), boot)
    except (AttributeError, EOFError, KeyError, OSError, TypeError, ValueError):
        return False
    _settle(boot, data, here, path)
    return True


def _ask(path):
    """The path of the boot in the directory of the launch; None where there is no answer."""
    if not os.path.basename(sys.executable or "").startswith(("python", "pypy")):
        # A program that Python is built into would have to be asked what it is.
        return None
    hidden = "PEXBOOT_TRACE", "_PEXBOOT"
    env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    env["_PEXBOOT_CURRENT"] = sys.executable + "\x1fimport __pex__"
    read, write = os.pipe()
    try:
        try:
            child = _spawn(path, env, [(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_DUP2, write, 2)])
        finally:
            os.close(write)
        with open(read, "rb", closefd=False) as file:
            answer = file.read()
    finally:
        os.close(read)
    try:
        os.waitpid(child, 0)
    except OSError:
        # Somebody else has waited for it, or nobody is to.
        pass
    said, _, told = answer[:-1].rpartition(b"\0")
    found = answer[-1:] == b"\0" and told[:1] == b"/"
    said = said if found else answer
    if not found and b"PEXBOOT_CONFLICTS" in said:
        # The original would look for no conflict.
        raise ImportError(os.fsdecode(said).strip())
    # What the head complains of without an answer, the original will complain of.
    if said and (found or os.environ.get("PEX_VERBOSE", "0") != "0"):
        sys.stderr.write(os.fsdecode(said))
    return os.fsdecode(told) if found else None


def _spawn(path, env, descriptors):
    try:
        return os.posix_spawn(path, [path], env, file_actions=descriptors)
    except OSError:
        # No x bit, a noexec mount.
        rest = {}
        exec(__loader__.get_code("__pex__original"), rest)
        head = rest["head"](path)
    try:
        env["_PEXBOOT_FILE"] = path
        return os.posix_spawn("/proc/self/fd/%d" % head, [path], env, file_actions=descriptors)
    finally:
        os.close(head)


def _settle(boot, data, here, path):
    """What activating a PEX does to the process (pex.pex.PEX.activate)."""
    environ = os.environ
    if sys.getfilesystemencoding() != "utf-8":
        boot["_recode"](sys, data)
    if data["temporary"]:
        boot["_remove_at_end"](os, data["temporary"])
    environ["PEX"] = real = os.path.realpath(path)
    sys.path[0] = os.path.abspath(sys.path[0])
    ours = data["code"] + data["site"]
    sys.path[:] = [entry for entry in sys.path if entry not in ours]
    own = data["scrubbed"][0]
    own += [path, real]
    mine = sys.modules[__name__]
    boot["_settle_path"](sys, data, here, environ)
    sys.modules[__name__] = mine
    sys.path.append(os.path.join(path, ".bootstrap"))
    if data["extra"]:
        boot["_extend_children"](data, environ)
    sys.meta_path.insert(0, _Aliases(ours))
    for sitedir, line in data["import_lines"]:
        boot["_import_line"](sys, sitedir, line)


class _Aliases(object):
    """`__pex__.dep`: the module `dep` of the PEX, by another name."""

    def __init__(self, entries):
        self.entries = entries

    def find_spec(self, name, path=None, target=None):
        if not name.startswith("__pex__."):
            return None
        top = name.split(".")[1]
        found = sys.modules["_frozen_importlib_external"].PathFinder.find_spec(top, self.entries)
        return found and found.loader and type(found)(name, self)

    def create_module(self, spec):
        name = spec.name.partition(".")[2]
        __import__(name)
        module = sys.modules[name]
        spec.loader_state = module, getattr(module, "__spec__", None)
        return module

    def exec_module(self, module):
        # It is there already, and stays what it was.
        module.__spec__ = module.__spec__.loader_state[1]


def _bootstrap(embedded):
    """The original's own hook, from the original."""
    rest = {}
    exec(__loader__.get_code("__pex__original"), rest)
    archive, directory = rest["original"](embedded)
    if directory:
        import atexit
        import shutil

        atexit.register(shutil.rmtree, directory, True)
    sys.path[:] = [archive if entry == embedded else entry for entry in sys.path]
    space = globals()
    import zipimport

    space["__loader__"] = zipimport.zipimporter(archive)
    space["__file__"] = os.path.join(archive, "__pex__", "__init__.py")
    space["__path__"][:] = [os.path.dirname(space["__file__"])]
    try:
        exec(space["__loader__"].get_code("__pex__"), space)
    finally:
        os.environ["PEX"] = os.path.realpath(embedded)


def _unzipped(directory):
    """This file was unzipped, as Lambda does with what it is given: its head is gone."""
    rest = {}
    with open(os.path.join(directory, "__pex__original.py")) as file:
        exec(file.read(), rest)
    rest["unzipped"](directory, False)


if not hasattr(__loader__, "archive"):
    _unzipped(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
elif not _native(os.path.abspath(__loader__.archive)):
    _bootstrap(__loader__.archive)
