"""What the suite says about a module: the JSON beside it, in either of its two formats, as a list of operations."""

import json
from pathlib import Path

OPERATIONS = {"run", "wait", "read", "write", "connect", "send", "recv", "request", "kill"}
LEGACY = {"args", "env", "dirs", "root", "exit_code", "stdout", "stderr"}
NEW = {"operations", "proposals", "world", "endpoints", "servers"}


class SpecError(Exception):
    """A specification that this runner can't follow."""


class Test:
    """A module and what is expected of it."""

    def __init__(self, suite, wasm):
        self.suite, self.wasm, self.name = suite, wasm, wasm.stem
        file = wasm.with_suffix(".json")
        config = json.loads(file.read_text()) if file.exists() else {}
        unknown = set(config) - LEGACY - NEW
        if unknown:
            raise SpecError(f"{file}: unknown fields {sorted(unknown)}")
        if "operations" in config and set(config) & LEGACY:
            raise SpecError(f"{file}: a specification has operations or the older fields, not both")
        self.serves = config.get("world") == "wasi:http/service"
        self.servers = servers(config)
        # The older format compares all that was printed; an operation reads as much as it expects.
        self.exact = "operations" not in config
        self.operations = config.get("operations") or operations(config)
        for operation in self.operations:
            if operation.get("type") not in OPERATIONS:
                raise SpecError(f"{file}: unknown operation {operation.get('type')!r}")
        if self.operations[0]["type"] != "run" or self.count("run") != 1:
            raise SpecError(f"{file}: the first operation, and no other, must be a run")
        # A specification may leave the end out when nothing special is expected of it.
        if not self.count("wait"):
            self.operations.append({"type": "wait"})

    def count(self, kind):
        """How many operations of a kind there are."""
        return sum(operation["type"] == kind for operation in self.operations)


def operations(config):
    """The operations that the older format means."""
    run = {"type": "run", **{field: config[field] for field in ("args", "env", "dirs", "root") if field in config}}
    reads = [{"type": "read", "id": stream, "payload": config[stream]} for stream in ("stdout", "stderr") if stream in config]
    return [run, *reads, {"type": "wait", "exit_code": config.get("exit_code", 0)}]


def servers(config):
    """The HTTP servers that the module wants to meet, by the variables that name them."""
    found = {f"HTTP_SERVER_{server['name'].upper()}": server for server in config.get("servers", [])}
    if "endpoints" in config:
        found["HTTP_SERVER_MAIN"] = {"endpoints": config["endpoints"]}
    return found


def find(checkout):
    """All modules of a checkout, by directory, and those that can't be followed."""
    tests, unreadable = [], []
    for directory in sorted({path.parent for path in Path(checkout).glob("tests/*/testsuite/**/*.wasm")}):
        manifest = directory / "manifest.json"
        suite = json.loads(manifest.read_text())["name"] if manifest.exists() else str(directory)
        for wasm in sorted(directory.glob("*.wasm")):
            try:
                tests.append(Test(suite, wasm))
            except (SpecError, json.JSONDecodeError) as error:
                unreadable.append((suite, wasm.stem, str(error)))
    return tests, unreadable
