"""One module as one pod: what the specification's operations are in Kubernetes."""

import http.client
import json
import queue
import shutil
import socket
import subprocess
import threading
import time

from peers import Peers

# How long any one thing may take: a debug build compiles modules slowly.
SECONDS = 180
HTTP_PORT = 8080
# How much of what a module said is shown.
SAID_LIMIT = 400
FINALIZER = "wasi-suite.coracle.internal/read"
# Nothing but what the specification names: neither the node's variables nor its files.
ONLY_DECLARED = {"coracle.internal/only-declared": "true"}


class Mismatch(Exception):
    """The module did something else than its specification says."""


def literal(text):
    """Text in which Kubernetes is not to replace `$(NAME)`."""
    return text.replace("$", "$$")


class Pod:
    """A test's pod, its clients, and what has been read of it."""

    def __init__(self, cluster, test, name, runtime_class=None):
        self.cluster, self.test, self.name, self.runtime_class = cluster, test, name, runtime_class
        self.scratch = cluster.dir / "pods" / name
        self.attached, self.streams = None, {}
        self.read_so_far = {"stdout": 0, "stderr": 0}
        self.connections, self.forwards, self.peers = {}, [], None

    def follow(self):
        """Runs the test; an exception says what is wrong."""
        try:
            for operation in self.test.operations:
                getattr(self, operation["type"])(operation)
        finally:
            self.remove()

    # Operations

    def run(self, operation):
        image = self.cluster.push(self.test.wasm, self.name)
        container = {"name": "module", "image": image, "command": [self.test.wasm.name]}
        mounts, args = self.directories(operation)
        container["args"] = [literal(arg) for arg in args]
        env = {**operation.get("env", {}), **self.meet_peers()}
        container["env"] = [{"name": key, "value": literal(value)} for key, value in env.items()]
        container["volumeMounts"] = [{"name": f"dir-{index}", "mountPath": path} for index, (_, path) in enumerate(mounts)]
        if self.test.count("write"):
            container.update(stdin=True, stdinOnce=True)
        if self.test.serves:
            container["ports"] = [{"containerPort": HTTP_PORT}]
        volumes = [{"name": f"dir-{index}", "hostPath": {"path": str(host)}} for index, (host, _) in enumerate(mounts)]
        metadata = {"name": self.name, "annotations": ONLY_DECLARED}
        if self.test.count("kill"):
            metadata["finalizers"] = [FINALIZER]
        spec = {"restartPolicy": "Never", "enableServiceLinks": False, "automountServiceAccountToken": False}
        spec.update(terminationGracePeriodSeconds=5, containers=[container], volumes=volumes)
        if self.runtime_class:
            spec["runtimeClassName"] = self.runtime_class
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        self.cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod).encode())
        if self.test.count("write"):
            self.attach()

    def write(self, operation):
        # Nothing follows the last payload: the module may wait for the end.
        self.attached.stdin.write(operation.get("payload", "").encode())
        self.attached.stdin.flush()

    def read(self, operation):
        stream, expected = operation.get("id", "stdout"), operation.get("payload", "").encode()
        if self.attached:
            found = self.streams[stream].take(len(expected))
        else:
            self.terminated()
            begin = self.read_so_far[stream]
            found = self.log(stream)[begin:]
            found = found if self.test.exact else found[: len(expected)]
            self.read_so_far[stream] += len(expected)
        if found != expected:
            raise Mismatch(f"{stream} is {found!r}, not {expected!r}")

    def wait(self, operation):
        if self.attached:
            self.attached.stdin.close()
        state, expected = self.terminated(), operation.get("exit_code", 0)
        if state.get("exitCode") != expected:
            said = (self.log("stdout") + self.log("stderr")).decode(errors="replace").partition("\nwasm trap")[0]
            why = " | ".join(said.split("\n"))[-SAID_LIMIT:].strip() or state.get("message") or state.get("reason")
            raise Mismatch(f"exit code {state.get('exitCode')}, not {expected}: {why}")

    def connect(self, operation):
        kind = operation.get("protocol_type", "tcp")
        # A module that is a server says first where it listens.
        line = self.until(lambda: self.log("stdout"), lambda said: b"\n" in said).partition(b"\n")[0]
        port = int(line.decode().strip().rpartition(":")[2])
        if kind == "udp":
            connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            # Nothing of the node's own loopback reaches a pod, nor is reached by one.
            connection.bind((self.cluster.pod(self.name)["status"]["hostIP"], 0))
            connection.connect((self.address(), port))
        else:
            connection = socket.create_connection(("127.0.0.1", self.forward(port)), SECONDS)
        connection.settimeout(SECONDS)
        self.connections[operation.get("id", "server")] = connection

    def send(self, operation):
        self.connections[operation["id"]].sendall(operation.get("payload", "").encode())

    def recv(self, operation):
        expected, found = operation.get("payload", "").encode(), b""
        while len(found) < len(expected):
            part = self.connections[operation["id"]].recv(len(expected) - len(found))
            if not part:
                break
            found += part
        if found != expected:
            raise Mismatch(f"received {found!r}, not {expected!r}")

    def request(self, operation):
        method, path, expected = operation.get("method", "GET"), operation.get("path", "/"), operation.get("response", {})
        connection = self.until(self.dial, bool)
        connection.request(method, path, operation.get("body", "").encode() or None, operation.get("headers", {}))
        answer = connection.getresponse()
        body, what = answer.read(), f"{method} {path}"
        if answer.status != expected.get("status", 200):
            raise Mismatch(f"{what}: status {answer.status}, not {expected.get('status', 200)}: {body!r}")
        for name, value in expected.get("headers", {}).items():
            if answer.getheader(name) != value:
                raise Mismatch(f"{what}: header {name} is {answer.getheader(name)!r}, not {value!r}")
        if "body" in expected and body != expected["body"].encode():
            raise Mismatch(f"{what}: body {body!r}, not {expected['body']!r}")

    def kill(self, _):
        # A pod has no signals but its deletion; the finalizer keeps it until its end has been read.
        self.cluster.kubectl("delete", "pod", self.name, "--wait=false")

    # What they are made of

    def directories(self, operation):
        """Fresh copies of the directories, where the module finds them, and its arguments.

        The older format names directories by relative paths. Mounts of a pod are absolute, and so is what
        the arguments then call them.
        """
        args, dirs = list(operation.get("args", [])), list(operation.get("dirs", []))
        if operation.get("root"):
            return [(self.copy(operation["root"]), "/")], args
        return [(self.copy(dir), f"/{dir}") for dir in dirs], [f"/{arg}" if arg in dirs else arg for arg in args]

    def meet_peers(self):
        """Starts the servers that the module wants to meet; the variables that say where they are."""
        if not self.test.servers:
            return {}
        self.peers = Peers(self.test.servers, self.cluster.node_address())
        return self.peers.env

    def copy(self, directory):
        target = self.scratch / directory
        shutil.copytree(self.test.wasm.parent / directory, target, symlinks=True)
        for left in list(target.rglob("*.cleanup")):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        return target

    def until(self, ask, good):
        """Asks until the answer is good."""
        deadline, answer = time.monotonic() + SECONDS, None
        while time.monotonic() < deadline:
            answer = ask()
            if good(answer):
                return answer
            time.sleep(0.05)
        raise Mismatch(f"nothing happened for {SECONDS} s; {self.state()}")

    def state(self):
        statuses = self.cluster.pod(self.name)["status"].get("containerStatuses", [{}])
        return statuses[0].get("state", {})

    def terminated(self):
        """How the container ended. One that can't be started never does."""

        def over(state):
            waiting = state.get("waiting", {})
            if waiting.get("reason", "").endswith(("Error", "BackOff", "InvalidImageName")):
                raise Mismatch(f"{waiting['reason']}: {waiting.get('message')}")
            return "terminated" in state

        return self.until(self.state, over)["terminated"]

    def log(self, stream):
        path = f"/api/v1/namespaces/default/pods/{self.name}/log?stream={stream.capitalize()}"
        done = subprocess.run(self.cluster.command("get", "--raw", path), capture_output=True)
        return done.stdout if done.returncode == 0 else b""

    def address(self):
        return self.until(lambda: self.cluster.pod(self.name)["status"].get("podIP"), bool)

    def dial(self):
        connection = http.client.HTTPConnection(self.address(), HTTP_PORT, timeout=SECONDS)
        try:
            connection.connect()
        except OSError:
            return None
        return connection

    def attach(self):
        self.until(self.state, lambda state: "running" in state)
        command = self.cluster.command("attach", "--quiet", "-i", self.name)
        pipe = subprocess.PIPE
        self.attached = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        self.streams = {"stdout": Stream(self.attached.stdout), "stderr": Stream(self.attached.stderr)}

    def forward(self, port):
        """A port of this machine that leads to the pod's."""
        command = self.cluster.command("port-forward", f"pod/{self.name}", f":{port}")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.forwards.append(process)
        line = process.stdout.readline().decode()
        if "->" not in line:
            raise Mismatch(f"no port-forward to port {port}")
        return int(line.partition(" -> ")[0].rpartition(":")[2])

    def remove(self):
        for connection in self.connections.values():
            connection.close()
        for process in [*self.forwards, *filter(None, [self.attached])]:
            process.kill()
            process.wait()
        if self.peers:
            self.peers.close()
        if self.test.count("kill"):
            patch = ["-p", '{"metadata": {"finalizers": null}}', "--type=merge"]
            subprocess.run(self.cluster.command("patch", "pod", self.name, *patch), capture_output=True)
        self.cluster.kubectl("delete", "pod", self.name, "--ignore-not-found", "--now", "--wait=false")


class Stream:
    """What a process prints, taken by numbers of bytes."""

    def __init__(self, pipe):
        self.parts, self.rest = queue.Queue(), b""
        threading.Thread(target=self.gather, args=(pipe,), daemon=True).start()

    def gather(self, pipe):
        while part := pipe.read1():
            self.parts.put(part)
        self.parts.put(b"")

    def take(self, length):
        """So many bytes, or fewer if there are no more in time."""
        deadline = time.monotonic() + SECONDS
        while len(self.rest) < length:
            try:
                part = self.parts.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if not part:
                break
            self.rest += part
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken
