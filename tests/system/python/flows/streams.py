"""stream() of the client: exec, attach, port-forward; logs in the messages of a WebSocket."""

import base64
import ssl
import urllib.parse

import websocket
from kubernetes import client
from kubernetes.stream import portforward, stream

from .common import NAMESPACE, eventually, same


def start(name, image):
    container = {"name": "main", "image": image, "stdin": True, "stdinOnce": True}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    core = client.CoreV1Api()
    core.create_namespaced_pod(NAMESPACE, {"metadata": {"name": name}, "spec": spec})
    eventually("running", lambda: core.read_namespaced_pod_status(name, NAMESPACE).status.phase == "Running")
    return core


def stream_of_a_command(images):
    core = start("streamed", images["streams"])
    connect = core.connect_get_namespaced_pod_exec
    wanted = {"stderr": True, "stdin": False, "stdout": True, "tty": False}
    same(stream(connect, "streamed", NAMESPACE, command=["args", "one", "two"], **wanted), "args\none\ntwo\n")
    failed = stream(connect, "streamed", NAMESPACE, command=["fail"], _preload_content=False, **wanted)
    failed.run_forever(timeout=60)
    same((failed.read_stdout(), failed.read_stderr(), failed.returncode), ("", "wrong\n", 3))
    wanted["stdin"] = True
    copied = stream(connect, "streamed", NAMESPACE, command=["cat"], _preload_content=False, **wanted)
    # Both kinds of messages: text and bytes.
    copied.write_stdin("hello\n")
    same(copied.readline_stdout(timeout=60), "hello")
    copied.write_stdin(b"again\n")
    same(copied.readline_stdout(timeout=60), "again")
    copied.close()


def attachment(images):
    core = start("attached", images["streams"])
    wanted = {"stderr": True, "stdin": True, "stdout": True, "tty": False}
    attach = core.connect_get_namespaced_pod_attach
    attached = stream(attach, "attached", NAMESPACE, _preload_content=False, **wanted)
    attached.write_stdin("hello\n")
    same(attached.readline_stdout(timeout=60), "hello")
    # A client that goes away is the end of stdinOnce.
    attached.close()
    done = lambda: core.read_namespaced_pod_status("attached", NAMESPACE).status.phase == "Succeeded"
    eventually("the end of the program", done)


def ports(images):
    core = start("silent", images["streams"])
    forwarded = portforward(core.connect_get_namespaced_pod_portforward, "silent", NAMESPACE, ports="81")
    closed = forwarded.socket(81)
    closed.settimeout(60)
    same(closed.recv(10), b"")
    assert "connect: connection refused" in forwarded.error(81), forwarded.error(81)
    core.delete_namespaced_pod("silent", NAMESPACE)


def logs_over_a_websocket(images):
    core = start("logged", images["streams"])
    wanted = {"stderr": True, "stdin": True, "stdout": True, "tty": False}
    attached = stream(core.connect_get_namespaced_pod_attach, "logged", NAMESPACE, _preload_content=False, **wanted)
    attached.write_stdin("hello\n")
    same(attached.readline_stdout(timeout=60), "hello")
    attached.close()
    configuration = core.api_client.configuration
    address = urllib.parse.urlsplit(configuration.host)
    for subprotocol, decode in [
        ("binary.k8s.io", lambda message: message),
        ("base64.binary.k8s.io", base64.b64decode),
    ]:
        socket = websocket.create_connection(
            f"wss://{address.netloc}/api/v1/namespaces/{NAMESPACE}/pods/logged/log?container=main",
            subprotocols=[subprotocol],
            sslopt={
                "cert_reqs": ssl.CERT_REQUIRED,
                "ca_certs": configuration.ssl_ca_cert,
                "certfile": configuration.cert_file,
                "keyfile": configuration.key_file,
            },
        )
        same(socket.getsubprotocol(), subprotocol)
        log = b""
        while message := socket.recv():
            log += decode(message)
        same(log, b"hello\n")
        socket.close()


FLOWS = [stream_of_a_command, attachment, ports, logs_over_a_websocket]
