#!/usr/bin/env python3
"""Runs the public WASI test suite (WebAssembly/wasi-testsuite) as pods, one pod per module.

    tests/wasi-suite/run.py CHECKOUT [--coracle BINARY] [--jobs N] [--only TEXT] [--runtime-class NAME]

CHECKOUT is a copy of the suite with built modules, as its branch prod/testsuite-base has them. A cluster of its own is
started and stopped. What is known to be different is in expectations.json, each with its reason; anything else that
fails, and anything there that passes, is unexpected: exit code 1.
"""

import argparse
import json
import re
import sys

# A run leaves nothing in the project's directory.
sys.dont_write_bytecode = True

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster import Cluster
from pod import Pod
from spec import find

HERE = Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, help="the suite, with built modules")
    parser.add_argument("--coracle", type=Path, default=HERE.parents[1] / "target/release/coracle", help="the binary to test")
    parser.add_argument("--jobs", type=int, default=4, help="how many pods at a time")
    parser.add_argument("--only", default="", help="only modules whose suite or name has this text")
    parser.add_argument("--runtime-class", metavar="NAME", help="the pods' RuntimeClass, such as wasm-isolated")
    args = parser.parse_args()
    tests, unreadable = find(args.checkout)
    tests = [test for test in tests if args.only in f"{test.suite} {test.name}"]
    if not tests:
        sys.exit(f"{args.checkout} has no built modules (tests/*/testsuite/**/*.wasm)")
    expectations = json.loads((HERE / "expectations.json").read_text())
    with Cluster(args.coracle) as cluster, ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(lambda numbered: follow(cluster, expectations, args.runtime_class, *numbered), enumerate(tests)))
    rows += [(suite, name, "UNREADABLE", why) for suite, name, why in unreadable]
    sys.exit(report(rows))


def follow(cluster, expectations, runtime_class, number, test):
    """One row of the table."""
    reason = expectations.get(test.suite, {}).get(test.name)
    name = f"s{number}-{re.sub('[^a-z0-9]+', '-', test.name.lower())}".strip("-")[:63]
    try:
        Pod(cluster, test, name, runtime_class).follow()
    except Exception as error:
        outcome = ("expected", reason) if reason else ("FAILED", f"{type(error).__name__}: {error}")
    else:
        outcome = ("PASSED", f"unexpectedly: {reason}") if reason else ("passed", "")
    return (test.suite, test.name, *outcome)


def report(rows):
    """Prints the table; returns the exit code."""
    suite = None
    for row in rows:
        if row[0] != suite:
            suite = row[0]
            print(f"\n{suite}")
        print(f"  {row[2]:10} {row[1]:40} {row[3]}".rstrip())
    count = {word: sum(row[2] == word for row in rows) for word in ("passed", "expected")}
    bad = len(rows) - count["passed"] - count["expected"]
    print(f"\n{count['passed']} passed, {count['expected']} failed as expected, {bad} unexpected")
    return 1 if bad else 0


if __name__ == "__main__":
    main()
