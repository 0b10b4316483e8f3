# Runs when a Python is given this file (`python app.pex`): that Python becomes the current interpreter of a native start.
import os
import sys


def options(path):
    # As they were typed: flags alone would mix them with the PYTHON* variables, which go on by themselves.
    argv = getattr(sys, "orig_argv", None)
    try:
        if argv is None:
            with open("/proc/self/cmdline", "rb") as cmdline:
                argv = [os.fsdecode(arg) for arg in cmdline.read().split(b"\0")]
        for index, arg in enumerate(argv):
            if index and os.path.exists(arg) and os.path.samefile(arg, path):
                return argv[1:index]
    except (AttributeError, OSError):
        pass
    return []


def start(path):
    argv = [path] + sys.argv[1:]
    env = dict(os.environ)
    if sys.executable:
        env["_PEXBOOT_CURRENT"] = "\x1f".join([sys.executable] + options(path))
    try:
        os.execve(path, argv, env)
    except OSError as error:
        # No x bit, a noexec mount, another architecture. The rest is in a file of its own: mostly it is not needed.
        rest = {}
        exec(__loader__.get_code("__pex__original"), rest)
        rest["start"](path, argv, env, options(path), error)


if __name__ == "__main__":
    start(getattr(__loader__, "archive", None) or os.path.dirname(__file__))
