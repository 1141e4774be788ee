"""`python -m tests.cluster setup|up|down`: the cluster by hand, to look around in it, or to run tests again and again."""

import argparse
import sys

from tests.cluster.harness import own, requirements
from tests.cluster.harness.node import Failed, Node
from tests.tools import Unavailable


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("what", choices=["setup", "up", "down"])
    parser.add_argument("extras", nargs="*", choices=[*own.EXTRAS, []], help="what is to come up beside the rest")
    arguments = parser.parse_args()
    what = arguments.what
    node = Node()
    try:
        if what == "setup":
            requirements.install()
        elif what == "down":
            own.down(node)
        else:
            own.up(node, arguments.extras)
            print(f"export KUBECONFIG={node.kubeconfig}")
    except (Failed, Unavailable) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
