# The interactive session of a PEX without entry point: read only when one starts (reference 6.10), and as `pex-repl` in
# each virtual environment. `session` is the JSON that src/boot/session.rs writes.


def run(session, pex, history, history_file):
    import code
    import json
    import os
    import sys

    session = json.loads(session)
    if session["venv"]:
        with open(os.path.join(session["venv"], "PEX-INFO")) as file:
            session["info"] = json.load(file)
    summary = _summary(os, session, pex)
    about = json

    def pex(json=False):
        """Print what this PEX is made of.

        :param json: `True` to print its PEX-INFO.
        """
        print(about.dumps(session["info"], sort_keys=True, indent=2) if json else summary)

    class Console(code.InteractiveConsole):
        def raw_input(self, prompt=""):
            line = code.InteractiveConsole.raw_input(self, prompt)
            if line.strip() == "pex":
                print("Type pex() for information about this PEX, or pex(json=True) for even more details.")
                return ""
            return line

    # Completion looks there.
    sys.modules["__main__"].pex = pex
    _enable_readline(os, sys, history, history_file)
    head, name = session["head"], "pex"
    if _is_colored(os, sys):
        head, name = "\033[33;7m" + head + "\033[0m", "\033[33mpex\033[0m"
    banner = '{}\nPython {} on {}\nType "help", "{}", "copyright", "credits" or "license" for more information.'.format(
        head, sys.version, sys.platform, name
    )
    sys.ps1 = ">>> "
    sys.ps2 = "... "
    Console(locals={"pex": pex}).interact(banner=banner, exitmsg="")


def _summary(os, session, pex):
    """What `pex()` prints: where the PEX is and what it has activated."""
    kind = "--venv " if session["venv"] else ""
    if not pex:
        lines = ["Running in a PEX venv: " + _shortest(os, session["venv"])]
        starter = None
    elif os.path.isfile(pex) and not os.path.exists(os.path.join(os.path.dirname(pex), "PEX-INFO")):
        starter = _shortest(os, pex)
        lines = ["Running from {}PEX file: {}".format(kind, starter)]
    else:
        directory = os.path.dirname(pex) if os.path.isfile(pex) else pex
        layout = "packed" if os.path.isfile(os.path.join(directory, ".bootstrap")) else "loose"
        if directory == pex or session["venv"]:
            directory = _shortest(os, directory)
        else:
            directory = os.path.dirname(_shortest(os, pex))
        starter = os.path.join(directory, "__main__.py")
        lines = ["Running from {} {}PEX directory: {}".format(layout, kind, directory)]
    lines += session["lines"]
    if starter and session["tools"]:
        lines.append(
            "This PEX includes tools. Exit the repl (type quit()) and run `PEX_TOOLS=1 {} -h` for tools help.".format(
                starter
            )
        )
    return "\n".join(lines)


def _shortest(os, path):
    """The shortest name by which a shell in the working directory starts `path`."""
    path = os.path.abspath(path)
    cwd = os.getcwd()
    on_path = os.environ.get("PATH", "").split(os.pathsep)
    if path.startswith(cwd.rstrip("/") + "/"):
        path = os.path.relpath(path, cwd)
        return path if os.path.dirname(path) or os.curdir in on_path else os.path.join(os.curdir, path)
    return os.path.basename(path) if os.path.dirname(path) in map(os.path.abspath, on_path) else path


def _is_colored(os, sys):
    """Whether the terminal takes colours: what Python's own variable says, then the common ones."""
    colors = os.environ.get("PYTHON_COLORS")
    if colors in ("0", "1"):
        return colors == "1"
    if "NO_COLOR" in os.environ:
        return False
    return "FORCE_COLOR" in os.environ or sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _enable_readline(os, sys, history, history_file):
    import warnings

    try:
        import readline
        import rlcompleter  # noqa: F401  (completion by its import)
    except ImportError:
        if history:
            warnings.warn(
                "PEX_INTERPRETER_HISTORY needs the module `readline`, which {} does not have.".format(sys.executable)
            )
        return
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            readline.read_init_file()
    except (AttributeError, IOError, OSError):
        pass
    if not history:
        return
    import atexit

    path = os.path.expanduser(history_file or os.path.join("~", ".python_history"))
    try:
        readline.read_history_file(path)
        readline.set_history_length(1000)
    except (IOError, OSError) as error:
        sys.stderr.write("Failed to read history file at {} due to: {}\n".format(path, error))
    atexit.register(readline.write_history_file, path)
