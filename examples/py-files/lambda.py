"""What Lambda's runtime does with a handler, as its documentation has it.

https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html: the function's directory comes first on sys.path, then
the runtime's own; the handler is a module and a function in it.
"""

import importlib
import os
import sys

sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
module, _, function = os.environ["_HANDLER"].rpartition(".")
handler = getattr(importlib.import_module(module), function)
print(handler({"text": "from Lambda"}, None)["statusCode"])
