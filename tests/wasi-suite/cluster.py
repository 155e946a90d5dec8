"""A cluster of the real binary in a directory of its own, and kubectl for it."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

START_SECONDS = 60
# The last of what a cluster prints when it is there.
READY = "export KUBECONFIG="


class Cluster:
    """A running `coracle up`; gone, with everything it kept, at the end of a `with`."""

    def __init__(self, binary):
        self.binary = str(binary)
        self.dir = Path(tempfile.mkdtemp(prefix="coracle-wasi-suite-"))
        self.lines = {}

    def __enter__(self):
        log = open(self.dir / "log", "wb")
        flags = ["--data-dir", self.dir / "data", "--port", "0", "--registry-port", "0", "--cluster-cidr", "127.0.0.0/8"]
        flags += ["--eviction-hard", "memory.available<100Mi"]
        self.process = subprocess.Popen([self.binary, "up", *flags], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_until_ready(self):
        deadline, text = time.monotonic() + START_SECONDS, ""
        while READY not in text and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
            text = (self.dir / "log").read_text(errors="replace")
        if READY not in text:
            raise SystemExit(f"the cluster did not start:\n{text}")
        self.lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def command(self, *words):
        """A kubectl command line for this cluster."""
        return ["kubectl", "--kubeconfig", str(self.dir / "data" / "kubeconfig"), *words]

    def kubectl(self, *words, stdin=None):
        """What kubectl printed; a failure of its is an exception that says why."""
        done = subprocess.run(self.command(*words), input=stdin, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def node_address(self):
        """An address of this machine that pods can reach."""
        path = '{.items[0].status.addresses[?(@.type=="InternalIP")].address}'
        return self.kubectl("get", "nodes", "-o", f"jsonpath={path}").decode()

    def pod(self, name):
        """The pod as the API has it."""
        return json.loads(self.kubectl("get", "pod", name, "-o", "json"))

    def push(self, wasm, name):
        """Puts a module into the cluster's registry; returns the image's name."""
        image = f"{self.lines['registry']}/wasi-suite/{name}:1"
        environment = {**os.environ, "CORACLE_LOG": "error"}
        done = subprocess.run([self.binary, "push", str(wasm), image], capture_output=True, env=environment)
        if done.returncode:
            raise RuntimeError(f"push {wasm}: {done.stderr.decode(errors='replace').strip()}")
        return image
