"""``python -m tests.fuzz TARGET SECONDS``: look for a finding, guided by coverage; needs atheris."""

import sys
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["model", "httptools", "orjson"]):
    from tests.fuzz.seeds import FOUND, seeds
    from tests.fuzz.targets import TARGETS

_WORK: Final = Path("var/fuzz")
_MOST_MEBIBYTES: Final = 2048
_MOST_BYTES: Final = 20_000
_TIMEOUT_SECONDS: Final = 10


def main(target: str, seconds: str) -> None:
    """Run one target; inputs that reach new code are kept in ``var/fuzz``, and what is found beside them."""
    corpus = _WORK / target
    corpus.mkdir(parents=True, exist_ok=True)
    for name, content in seeds(target).items():
        (corpus / name).write_bytes(content)
    found = _WORK / "findings"
    found.mkdir(exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_MOST_BYTES}",
        f"-rss_limit_mb={_MOST_MEBIBYTES}",
        f"-timeout={_TIMEOUT_SECONDS}",
        f"-artifact_prefix={found}/{target}-",
        "-print_final_stats=1",
    ]
    kept = [str(FOUND / target)] if (FOUND / target).is_dir() else []
    atheris.Setup([sys.argv[0], *options, str(corpus), *kept], TARGETS[target])
    atheris.Fuzz()


main(*sys.argv[1:])
