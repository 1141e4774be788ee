"""
Commands of training in one process that has torch, for to import that takes longer than they do.

    var/torch/bin/python -m tests.training.torch_runs < ARGUMENTS
"""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from training.cli import main


def _ended(arguments: list[str]) -> dict[str, Any]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    said = [_ended(arguments) for arguments in json.load(sys.stdin)]
    json.dump(said, sys.stdout)
