# Runs the application of the PEX that this virtual environment was made for (reference 7.2, 7.3), as the PEX itself does:
# for tools that know the environment and not the PEX. It is imported again, as __mp_main__, by children of
# multiprocessing, so nothing happens but under __main__.


def _main():
    import os
    import sys

    environ = os.environ
    here = os.path.dirname(os.path.abspath(__file__))
    bin_dir = os.path.join(here, "bin")
    if os.path.realpath(sys.prefix) != os.path.realpath(here):
        # Another Python was told to run this file.
        python = os.path.join(bin_dir, "python")
        os.execv(python, [python] + SETTINGS["options"] + sys.argv)

    pex = environ.get("PEX")
    if pex:
        environ["PEX"] = pex = os.path.realpath(pex)
        pex = os.path.join(pex, "pex") if os.path.isdir(pex) else pex
        if os.path.isfile(pex):
            sys.argv[0] = pex

    environ["VIRTUAL_ENV"] = here
    bin_path = environ.get("PEX_VENV_BIN_PATH", SETTINGS["bin_path"])
    if bin_path not in ("false", "prepend", "append"):
        sys.stderr.write(
            "PEX_VENV_BIN_PATH must be one of 'false', 'prepend' or 'append', given: {!r}\n".format(bin_path)
        )
        sys.exit(1)
    if bin_path != "false":
        path = environ.get("PATH")
        parts = [bin_dir, path] if bin_path == "prepend" else [path, bin_dir]
        environ["PATH"] = os.pathsep.join(filter(None, parts))

    names = ("PEX_INTERPRETER", "PEX_SCRIPT", "PEX_MODULE")
    overrides = [(name, environ[name]) for name in names if name in environ]
    if len(overrides) > 1:
        sys.stderr.write(
            "Can only specify one of {}; found: {}\n".format(
                ", ".join(names), " ".join("{}={}".format(*override) for override in overrides)
            )
        )
        sys.exit(1)
    override, value = overrides[0] if overrides else (None, None)

    history = {name: environ[name] for name in environ if name.startswith("PEX_INTERPRETER_HISTORY")}
    if SETTINGS["strip"]:
        for name in [name for name in environ if name.startswith("PEX_")]:
            if name == "PEX_EXTRA_SYS_PATH":
                # Children that run in this environment get the same sys.path.
                environ["__PEX_EXTRA_SYS_PATH__"] = environ[name]
            del environ[name]
    for name, default in SETTINGS["inject_env"]:
        environ.setdefault(name, default)
    for name, resource in SETTINGS["bind"]:
        environ[name] = _resource(name, resource)

    script = value if override == "PEX_SCRIPT" else None if override else SETTINGS["script"]
    if script:
        script = os.path.join(bin_dir, script)
        os.execv(script, [script] + sys.argv[1:])

    entry_point = SETTINGS["entry_point"]
    if override == "PEX_MODULE":
        entry_point = value
    elif override == "PEX_INTERPRETER" and value.lower() in ("1", "true"):
        entry_point = None
    if not entry_point:
        return _python(sys.argv[1:], history, override)
    if not override:
        sys.argv[1:1] = _format(SETTINGS["inject_args"])
    module, _, attributes = entry_point.partition(":")
    return _call(module, attributes) if attributes else _module(module)


def _resource(name, resource):
    import os
    import sys

    path = os.path.normpath(resource)
    if os.path.isabs(path) or path.split(os.sep)[0] == os.pardir:
        sys.exit(
            "The following resource binding spec is invalid: {0}={1}\nThe resource path {1} must be relative to the "
            "`sys.path`.".format(name, resource)
        )
    for entry in sys.path:
        if os.path.isfile(os.path.join(entry, path)):
            return os.path.join(entry, path)
    sys.exit(
        "There was no resource file {1} found on the `sys.path` corresponding to the given resource binding spec "
        "`{0}={1}`".format(name, resource)
    )


def _format(args):
    from os import environ

    class Environment(object):
        def __getattr__(self, name):
            return environ.get(name, "")

        __getitem__ = __getattr__

    class Pex(object):
        env = Environment()

    return [arg.format(pex=Pex) for arg in args]


def _module(name):
    import runpy

    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _call(module, attributes):
    from importlib import import_module

    function = import_module(module)
    for attribute in attributes.split("."):
        function = getattr(function, attribute)
    return function()


def _python(args, history, override):
    """The environment's Python with these arguments; the working directory is where it looks first."""
    import os
    import sys

    def restart(options, rest):
        here = os.path.abspath(__file__)
        command = [sys.executable] + SETTINGS["options"] + options
        if rest:
            if override:
                os.environ["PEX_INTERPRETER"] = "1"
            os.execv(sys.executable, command + [here] + rest)
        os.environ.update(history)
        os.execv(sys.executable, command + [os.path.join(os.path.dirname(here), "pex-repl")])

    sys.path.insert(0, "")
    options = []
    while args and args[0].startswith("-") and args[0] != "-" and not args[0].startswith(("--", "-c", "-m")):
        options.append(args.pop(0))
    if options or not args:
        restart(options, args)
    if args[0] in ("-c", "-m") and len(args) < 2:
        sys.stderr.write("Argument expected for the {} option\n".format(args[0]))
        sys.exit(2)
    if args[0] == "-m":
        sys.argv = args[1:2] + ([] if override else _format(SETTINGS["inject_args"])) + args[2:]
        module, _, attributes = args[1].partition(":")
        return _call(module, attributes) if attributes else _module(module)
    sys.argv, name = args, args[0]
    if name == "-c":
        sys.argv, name, source = ["-c"] + args[2:], "-c <cmd>", args[1]
    elif name == "-":
        source = sys.stdin.read()
    else:
        path = name if os.path.isfile(name) else os.path.join(name, "__main__.py")
        with open(path, "rb") as file:
            source = file.read()
    main = sys.modules["__main__"]
    main.__file__ = name
    if sys.argv[0] in ("-c", "-"):
        # No file that children of multiprocessing could run again.
        main.__spec__ = type(sys.__spec__)("__main__", None)
    exec(compile(source, name, "exec", 0, True), main.__dict__)


if __name__ == "__main__":
    import sys

    sys.exit(_main())
