"""`python -m tests.cluster setup|up|down`: the cluster by hand, to look around in it, or to run tests again and again."""

import argparse
import signal
import sys

from tests.cluster.harness import own, requirements
from tests.cluster.harness.node import Failed, Node
from tests.tools import Unavailable


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("what", choices=["setup", "up", "down"])
    parser.add_argument("part", nargs="*", help=f"what is to come up besides: {', '.join(own.EXTRAS)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.part) - set(own.EXTRAS):
        parser.error(f"there is no part {unknown.pop()}, but {', '.join(own.EXTRAS)}")
    what = arguments.what
    node = Node()
    # As Ctrl-C does: what has come up goes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if what == "setup":
            requirements.install()
        elif what == "down":
            own.down(node)
        else:
            own.up(node, arguments.part)
            print(f"export KUBECONFIG={node.kubeconfig}")
    except (Failed, Unavailable) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
