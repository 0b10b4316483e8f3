"""Two wheels whose native libraries find each other by RUNPATH, as torch finds those of the nvidia wheels: origin.py DIRECTORY.

`framework` loads lib/libouter.so, which needs libinner.so from $ORIGIN/../../vendor/inner/lib: another wheel's.
"""

import base64
import hashlib
import os
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

INNER = "int inner(void) { return 42; }\n"
OUTER = "int inner(void);\nint outer(void) { return inner(); }\n"
FRAMEWORK = """import ctypes
import os

answer = ctypes.CDLL(os.path.join(os.path.dirname(__file__), "lib", "libouter.so")).outer
"""


def compiled(where, name, source, *options):
    file = os.path.join(where, "lib%s.so" % name)
    with open(os.path.join(where, name + ".c"), "w") as out:
        out.write(source)
    subprocess.check_call(["cc", "-shared", "-fPIC", "-o", file, out.name] + list(options))
    with open(file, "rb") as made:
        return made.read()


def wheel(directory, name, files, requires=""):
    tag = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")
    info = "%s-1.0.dist-info/" % name
    files[info + "METADATA"] = ("Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n%s" % (name, requires)).encode()
    files[info + "WHEEL"] = ("Wheel-Version: 1.0\nGenerator: story\nRoot-Is-Purelib: false\nTag: %s\n" % tag).encode()
    record = ""
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += "%s,sha256=%s,%d\n" % (path, digest, len(content))
    files[info + "RECORD"] = (record + info + "RECORD,,\n").encode()
    with zipfile.ZipFile(os.path.join(directory, "%s-1.0-%s.whl" % (name, tag)), "w") as out:
        for path, content in files.items():
            out.writestr(path, content)


def main(directory):
    with tempfile.TemporaryDirectory() as where:
        inner = compiled(where, "inner", INNER)
        runpath = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../../vendor/inner/lib"
        outer = compiled(where, "outer", OUTER, "-L" + where, "-linner", runpath)
    wheel(directory, "vendor_inner", {"vendor/inner/lib/libinner.so": inner})
    files = {"framework/__init__.py": FRAMEWORK.encode(), "framework/lib/libouter.so": outer}
    wheel(directory, "framework", files, "Requires-Dist: vendor_inner\n")


main(sys.argv[1])
