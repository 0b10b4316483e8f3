# Compiles modules for `pexboot embed`: python -s -S -B THIS LIST, with PYTHONHASHSEED=0.
#
# LIST holds texts, each ended by a zero byte: the scope (`all` or `imports`), PEX-INFO's entry point and script (empty
# where there is none), the names of modules that a run was seen to import, by lines, then of three sources of the launcher's own where each lies, what its code is to say that it is
# from, and where it goes; then for each file of the PEX where it lies, its name in the index (wheels/WHEEL/a/b.py, code/c.py)
# and where its code goes, which is empty for files that only tell what is imported: entry_points.txt, *.pth, the script.
#
# With `imports`, the modules are compiled that the entry point can reach. Nothing is run: what code objects import is
# followed, and text constants that name a module, or a group of entry points. That is more than one start imports, and
# misses what is put together from pieces; such a module is compiled by Python when it is imported.
#
# Code objects get the name in the index; importing a module replaces it by the file's own. What does not compile is
# passed over, as it is when wheels are installed: some files are templates, or meant for another version. Same files,
# same Python: same bytes.
import dis
import sys
import warnings
from marshal import dumps

# Longer texts are no name of a module.
NAME_MAX = 200
IMPORT_NAME = dis.opmap["IMPORT_NAME"]
Code = type((lambda: 0).__code__)


def compiled(path, name):
    with open(path, "rb") as file:
        source = file.read()
    try:
        return compile(source, name, "exec", 0, True, 0)
    except (SyntaxError, ValueError, RecursionError, OverflowError):
        return None


def lines(path):
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "replace").splitlines()


def code_objects(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, Code):
            yield from code_objects(constant)


def texts(constant):
    if isinstance(constant, str):
        yield constant
    elif isinstance(constant, (tuple, frozenset)):
        for item in constant:
            yield from texts(item)


class Closure:
    """The modules that can be reached from those that were asked for."""

    def __init__(self, files):
        # Of each module its files: several wheels may bring one of the name, and the first on the path is imported.
        self.modules = {}
        self.groups = {}
        self.import_lines = []
        for path, name, target in files:
            inside = name.split("/")[2 if name.startswith("wheels/") else 1 :]
            if target:
                parts = inside[:-1] + ([] if inside[-1] == "__init__.py" else [inside[-1][:-3]])
                self.modules.setdefault(".".join(parts), []).append((path, name, target))
            elif inside[-1] == "entry_points.txt":
                self.read_entry_points(path)
            elif inside[-1].endswith(".pth"):
                self.import_lines += [line for line in lines(path) if line.startswith(("import ", "import\t"))]
        self.asked = set()
        self.ahead = []
        self.reached = []

    def read_entry_points(self, path):
        group = None
        for line in lines(path):
            line = line.strip()
            if line[:1] == "[":
                group = self.groups.setdefault(line.strip("[]").strip(), {})
            elif group is not None and "=" in line and line[0] not in "#;":
                name, _, value = line.partition("=")
                group[name.strip()] = value.partition(":")[0].partition("[")[0].strip()

    def ask(self, module):
        """A module, and the packages that are imported before it."""
        while module and module not in self.asked:
            self.asked.add(module)
            if module in self.modules:
                self.ahead.append(module)
            module = module.rpartition(".")[0]

    def ask_if_there(self, module):
        if module in self.modules:
            self.ask(module)

    def follow(self, code, package):
        for part in code_objects(code):
            # (A byte that is no instruction may look like one: then the instructions are looked at for nothing.)
            if IMPORT_NAME in part.co_code:
                self.follow_imports(part, package)
            for constant in part.co_consts:
                for text in texts(constant):
                    if len(text) <= NAME_MAX:
                        self.follow_text(text, package)

    def follow_imports(self, code, package):
        level, names = None, None
        for step in dis.get_instructions(code):
            if step.opcode == IMPORT_NAME:
                module = self.absolute(step.argval, level if isinstance(level, int) else 0, package)
                if module:
                    self.ask(module)
                    for name in names if isinstance(names, tuple) else ():
                        self.ask_if_there(module + "." + name)
            elif step.opname.startswith("LOAD_"):
                level, names = names, step.argval

    def absolute(self, module, level, package):
        if not level:
            return module
        parts = package.split(".")
        above = parts[: len(parts) - level + 1]
        return ".".join(above + ([module] if module else []))

    def follow_text(self, text, package):
        if text in self.groups and text not in ("console_scripts", "gui_scripts"):
            for module in self.groups[text].values():
                self.ask_if_there(module)
        elif "." in text:
            module = text.partition(":")[0]
            if module[0:1] == ".":
                module = self.absolute(module.lstrip("."), len(module) - len(module.lstrip(".")), package)
            # A module, or something in one; a single word may be anything.
            for module in (module, module.rpartition(".")[0]):
                if "." in module and module in self.modules:
                    self.ask(module)
                    break

    def close(self):
        for module in self.ahead:
            for path, name, target in self.modules[module]:
                code = compiled(path, name)
                if code is not None:
                    self.reached.append((target, code))
                    is_package = name.endswith("/__init__.py")
                    self.follow(code, module if is_package else module.rpartition(".")[0])


def reachable(files, entry_point, script, recorded):
    closure = Closure(files)
    start = entry_point.partition(":")[0]
    for group in ("console_scripts", "gui_scripts"):
        start = start or closure.groups.get(group, {}).get(script, "")
    scripts = [path for path, name, target in files if script and not target and name.endswith("/" + script)]
    if start:
        closure.ask(start)
        # Run as `python -m`: a package by its __main__.
        closure.ask_if_there(start + ".__main__")
    elif scripts:
        for path in scripts:
            code = compiled(path, path)
            if code is not None:
                closure.follow(code, "")
    else:
        # Without an entry point it is an interpreter for programs that are not known: what `import NAME` of each name
        # at the top would need.
        for module in sorted(closure.modules):
            if "." not in module:
                closure.ask(module)
    for module in recorded:
        closure.ask(module)
    for line in closure.import_lines:
        try:
            closure.follow(compile(line, "", "exec", 0, True, 0), "")
        except (SyntaxError, ValueError):
            pass
    closure.close()
    return closure.reached


def main():
    with open(sys.argv[1], "rb") as file:
        told = [part.decode("utf-8", "surrogateescape") for part in file.read().split(b"\0")[:-1]]
    scope, entry_point, script, recorded = told[:4]
    own, files = told[4:13], list(zip(told[13::3], told[14::3], told[15::3]))
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(20000)
    if scope == "imports":
        made = reachable(files, entry_point, script, recorded.splitlines())
    else:
        made = [(target, compiled(path, name)) for path, name, target in files if target]
    made += [(target, compiled(path, name)) for path, name, target in zip(own[::3], own[1::3], own[2::3])]
    for target, code in made:
        if code is not None:
            with open(target, "wb") as file:
                file.write(dumps(code))


main()
