# Runs when a Python is given this file (`python app.pex`): that Python becomes the current interpreter of a native start.
import os
import sys


def options(path):
    # As they were typed: flags alone would mix them with the PYTHON* variables, which go on by themselves.
    argv = getattr(sys, "orig_argv", None)
    try:
        if argv is None:
            with open("/proc/self/cmdline", "rb") as cmdline:
                argv = [os.fsdecode(arg) for arg in cmdline.read().split(b"\0")[:-1]]
        for index, arg in enumerate(argv):
            if index and os.path.exists(arg) and os.path.samefile(arg, path):
                return argv[1:index], argv[index + 1 :]
    except (AttributeError, OSError):
        pass
    return [], sys.argv[1:]


def runs_another(options):
    # `-m coverage run`, a debugger, whatever calls runpy.run_path: what is run with this file is not Python alone.
    value = False
    for option in options:
        if value:
            value = False
        elif option[:1] != "-":
            return True
        elif option[:2] != "--":
            for index, letter in enumerate(option[1:], 2):
                if letter in "cm":
                    return True
                if letter in "WX":
                    value = index == len(option)
                    break
        else:
            value = option == "--check-hash-based-pycs"
    return False


def start(path):
    if os.path.isdir(path):
        # This file was unzipped: its head is gone.
        rest = {}
        with open(os.path.join(path, "__pex__original.py")) as file:
            exec(file.read(), rest)
        rest["unzipped"](path, True)
        return
    python, args = options(path)
    if runs_another(python):
        rest = {}
        exec(__loader__.get_code("__pex__original"), rest)
        rest["bootstrap"](path, args, python, "another program runs it")
    argv = [path] + sys.argv[1:]
    env = dict(os.environ)
    if sys.executable:
        env["_PEXBOOT_CURRENT"] = "\x1f".join([sys.executable] + python)
    try:
        os.execve(path, argv, env)
    except OSError as error:
        # No x bit, a noexec mount, another architecture. The rest is in a file of its own: mostly it is not needed.
        rest = {}
        exec(__loader__.get_code("__pex__original"), rest)
        rest["start"](path, argv, env, python, error)


if __name__ == "__main__":
    start(getattr(__loader__, "archive", None) or os.path.dirname(__file__))
