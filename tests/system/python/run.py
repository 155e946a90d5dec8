"""Runs the client's flows against the cluster of $KUBECONFIG.

Usage: run.py MODULE TICKER-IMAGE QUICK-IMAGE STREAMS-IMAGE TOOLBOX-IMAGE [FLOW …]. Every flow prints its name when it is
done; the first mistake ends the program.
"""

import importlib
import sys

from kubernetes import config


def main():
    module = importlib.import_module(f"flows.{sys.argv[1]}")
    images = dict(zip(("ticker", "quick", "streams", "toolbox"), sys.argv[2:6]))
    wanted = sys.argv[6:]
    config.load_kube_config()
    for flow in module.FLOWS:
        if not wanted or flow.__name__ in wanted:
            flow(images)
            print(flow.__name__, flush=True)


if __name__ == "__main__":
    main()
