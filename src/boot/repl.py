# The interactive session of a PEX without entry point: read only when one starts (reference 6.10).


def run(data, pex, main):
    import code
    import sys

    namespace = {"__name__": "__console__", "__doc__": None, "pex": _Summary(data["summary"])}
    main.__dict__["pex"] = namespace["pex"]
    _enable_readline(data["history"], data["history_file"])

    class Console(code.InteractiveConsole):
        def raw_input(self, prompt=""):
            line = code.InteractiveConsole.raw_input(self, prompt)
            if line.strip() == "pex":
                print(data["summary"].replace("{pex}", pex))
                return ""
            return line

    banner = '{}\nPython {} on {}\nType "help", "pex", "copyright", "credits" or "license" for more information.'.format(
        data["banner"], sys.version, sys.platform
    )
    sys.ps1 = ">>> "
    sys.ps2 = "... "
    Console(locals=namespace).interact(banner=banner, exitmsg="")


class _Summary(object):
    """What `pex` shows at the prompt."""

    def __init__(self, text):
        self._text = text

    def __repr__(self):
        return self._text

    def __call__(self):
        print(self._text)


def _enable_readline(history, history_file):
    try:
        import readline
        import rlcompleter  # noqa: F401  (completion by its import)
    except ImportError:
        return
    readline.parse_and_bind("tab: complete")
    if not history:
        return
    import atexit
    import os
    import sys

    path = os.path.expanduser(history_file or os.path.join("~", ".python_history"))
    try:
        readline.read_history_file(path)
        readline.set_history_length(1000)
    except (IOError, OSError) as error:
        sys.stderr.write("Failed to read history file at {} due to: {}\n".format(path, error))
    atexit.register(readline.write_history_file, path)
