# The import hook (`PYTHONPATH=app.pex python -c "from __pex__ import dep"`) is the original's, run from the original.
import os
import sys
import zipimport

rest = {}
exec(__loader__.get_code("__pex__original"), rest)
embedded = __loader__.archive
archive, directory = rest["original"](embedded)
if directory:
    import atexit
    import shutil

    atexit.register(shutil.rmtree, directory, True)
sys.path[:] = [archive if entry == embedded else entry for entry in sys.path]
__loader__ = zipimport.zipimporter(archive)
__file__ = os.path.join(archive, "__pex__", "__init__.py")
__path__[:] = [os.path.dirname(__file__)]
try:
    exec(__loader__.get_code("__pex__"), globals())
finally:
    os.environ["PEX"] = os.path.realpath(embedded)
