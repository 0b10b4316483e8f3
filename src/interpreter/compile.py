# Compiles modules for `pexboot embed --compile`: python -s -S -B THIS LIST, with PYTHONHASHSEED=0.
#
# LIST holds three texts for each module, each ended by a zero byte: its file, the name that its code objects get, and
# where the bytecode goes. Importing a module replaces that name by the file's own. What does not compile is passed
# over, as it is when wheels are installed: some files are templates, or meant for another version.
#
# The bytecode says that it is not to be checked against the source (PEP 552). Same modules, same Python: same bytes.
import sys
from importlib.util import MAGIC_NUMBER, source_hash
from marshal import dumps

with open(sys.argv[1], "rb") as file:
    texts = [part.decode("utf-8", "surrogateescape") for part in file.read().split(b"\0")[:-1]]
import warnings

warnings.simplefilter("ignore")
sys.setrecursionlimit(20000)
for path, name, target in zip(texts[::3], texts[1::3], texts[2::3]):
    with open(path, "rb") as file:
        source = file.read()
    try:
        code = compile(source, name, "exec", 0, True, 0)
    except (SyntaxError, ValueError, RecursionError, OverflowError):
        continue
    with open(target, "wb") as file:
        file.write(MAGIC_NUMBER + b"\1\0\0\0" + source_hash(source) + dumps(code))
