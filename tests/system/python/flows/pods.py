"""What kubectl's exec, attach, cp, port-forward, debug, logs and top do, as the client's examples do it."""

import io
import select
import socket
import tarfile
import urllib.request

from kubernetes import client
from kubernetes.stream import portforward, stream

from .common import NAMESPACE, eventually, refused, same


def start(name, container, image):
    """A pod with a volume at /d."""
    core = client.CoreV1Api()
    main = {"name": "main", "image": image, "volumeMounts": [{"name": "d", "mountPath": "/d"}], **container}
    spec = {"terminationGracePeriodSeconds": 1, "volumes": [{"name": "d", "emptyDir": {}}], "containers": [main]}
    core.create_namespaced_pod(NAMESPACE, {"metadata": {"name": name, "labels": {"app": name}}, "spec": spec})
    running = lambda: core.read_namespaced_pod(name, NAMESPACE).status.phase == "Running"
    eventually(f"{name} runs", running)
    return core


def execute(core, name, command, **more):
    wanted = {"stderr": True, "stdin": False, "stdout": True, "tty": False, **more}
    return stream(core.connect_get_namespaced_pod_exec, name, NAMESPACE, command=command, **wanted)


def interactive_exec(images):
    core = start("talker", {"command": ["sleep", "1000"]}, images["toolbox"])
    shell = execute(core, "talker", ["stdin"], stdin=True, _preload_content=False)
    commands, heard = ["one", "two"], ""
    while shell.is_open():
        shell.update(timeout=1)
        heard += shell.read_stdout() if shell.peek_stdout() else ""
        assert not shell.peek_stderr(), shell.read_stderr()
        if commands:
            shell.write_stdin(commands.pop(0) + "\n")
        elif heard == "one\ntwo\n":
            break
    shell.write_stdin("three\n")
    same(shell.readline_stdout(timeout=60), "three")
    # The end of the input is the end of this program.
    shell.close_channel(0)
    shell.run_forever(timeout=60)
    same(shell.returncode, 0)

    failed = execute(core, "talker", ["false"], _preload_content=False)
    failed.run_forever(timeout=60)
    same(failed.returncode, 1)
    printed = execute(core, "talker", ["sh", "-c", "echo here; cat /nothing; echo there"]).splitlines()
    complaint = "cat: /nothing: No such file or directory (os error 44)"
    same(sorted(printed), [complaint, "here", "there"])
    refused_by = None
    try:
        execute(core, "talker", ["echo"], container="nobody")
    except client.ApiException as error:
        refused_by = error
    # A WebSocket that is refused: the client has the status line and the body in its words.
    assert refused_by and "400" in str(refused_by) and "nobody is not valid for pod talker" in str(refused_by), refused_by
    core.delete_namespaced_pod("talker", NAMESPACE, grace_period_seconds=0)


def files_through_tar(images):
    core = start("copied", {"command": ["sleep", "1000"]}, images["toolbox"])
    content = bytes(n * 7 % 251 for n in range(300_000))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("d/there")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    sending = execute(core, "copied", ["tar", "xvf", "-", "-C", "/"], stdin=True, _preload_content=False)
    pieces = [buffer.getvalue()]
    while sending.is_open():
        sending.update(timeout=1)
        if not pieces:
            break
        sending.write_stdin(pieces.pop(0))
    sending.close()
    listed = lambda: f"{len(content)} there" in execute(core, "copied", ["ls", "/d"])
    eventually("the file", listed)

    got = execute(core, "copied", ["tar", "cf", "-", "/d/there"], _preload_content=False, binary=True)
    got.run_forever(timeout=60)
    with tarfile.open(fileobj=io.BytesIO(got.read_stdout())) as archive:
        same(archive.getnames(), ["d/there"])
        assert archive.extractfile("d/there").read() == content
    same(got.read_stderr(), b"tar: Removing leading `/' from member names\n")
    core.delete_namespaced_pod("copied", NAMESPACE, grace_period_seconds=0)


def forwarded_ports(images):
    core = start("server", {"command": ["serve", "8080"]}, images["toolbox"])
    connect = core.connect_get_namespaced_pod_portforward
    forwarded = portforward(connect, "server", NAMESPACE, ports="8080")
    http = forwarded.socket(8080)
    http.setblocking(True)
    http.sendall(b"GET /hostname HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n")
    response = b""
    while True:
        assert select.select([http], [], [], 60)[0], response
        data = http.recv(1024)
        if not data:
            break
        response += data
    http.close()
    assert response.startswith(b"HTTP/1.1 200 ") and response.endswith(b"server"), response
    same(forwarded.error(8080), None)

    # As in the example: every connection that the program makes to a name like this is forwarded.
    create_connection = socket.create_connection

    def create_forwarded(address, *args, **kwargs):
        name, port = address[0].split("."), address[1]
        if name[-1] != "kubernetes":
            return create_connection(address, *args, **kwargs)
        return portforward(connect, name[0], name[2], ports=str(port)).socket(port)

    socket.create_connection = create_forwarded
    try:
        answer = urllib.request.urlopen(f"http://server.pod.{NAMESPACE}.kubernetes:8080/asked", timeout=60)
        same((answer.code, answer.read()), (200, b"/asked\n"))
    finally:
        socket.create_connection = create_connection
    core.delete_namespaced_pod("server", NAMESPACE, grace_period_seconds=0)


def ephemeral_containers(images):
    core = start("looked-into", {"command": ["serve", "8080"]}, images["toolbox"])
    debugger = {
        "name": "debugger",
        "image": images["toolbox"],
        "command": ["get", "127.0.0.1:8080/hostname"],
        "targetContainerName": "main",
    }
    patch = {"spec": {"ephemeralContainers": [debugger]}}
    patched = core.patch_namespaced_pod_ephemeralcontainers("looked-into", NAMESPACE, patch)
    same([container.name for container in patched.spec.ephemeral_containers], ["debugger"])
    found = core.read_namespaced_pod_ephemeralcontainers("looked-into", NAMESPACE)
    same(found.spec.ephemeral_containers[0].target_container_name, "main")

    def ended():
        statuses = core.read_namespaced_pod_status("looked-into", NAMESPACE).status.ephemeral_container_statuses
        return statuses and statuses[0].state.terminated

    same(eventually("the debugger's end", ended).exit_code, 0)
    same(core.read_namespaced_pod_log("looked-into", NAMESPACE, container="debugger"), "looked-into")
    core.delete_namespaced_pod("looked-into", NAMESPACE, grace_period_seconds=0)


def logs(images):
    core = start("speaker", {"command": ["sh", "-c", "echo before; exit 1"]}, images["toolbox"])
    status = lambda: core.read_namespaced_pod("speaker", NAMESPACE).status.container_statuses[0]
    eventually("a restart", lambda: status().restart_count >= 1)
    read = lambda **more: core.read_namespaced_pod_log("speaker", NAMESPACE, **more)
    same(read(previous=True), "before\n")
    same(read(previous=True, limit_bytes=3, since_seconds=3600), "bef")
    assert read(previous=True, timestamps=True).endswith("Z before\n")
    refused(400, "BadRequest", "container nobody is not valid for pod speaker", lambda: read(container="nobody"))
    core.delete_namespaced_pod("speaker", NAMESPACE, grace_period_seconds=0)

    core = start("counter", {"command": ["tick", "tock", "50"]}, images["toolbox"])
    following = core.read_namespaced_pod_log("counter", NAMESPACE, follow=True, _preload_content=False)
    pieces = following.stream()
    heard = b""
    while heard.count(b"\n") < 5:
        heard += next(pieces)
    core.delete_namespaced_pod("counter", NAMESPACE)
    # The log ends with its container.
    for piece in pieces:
        heard += piece
    same(set(heard.split()), {b"tock"})


def metrics(images):
    core = start("measured", {"command": ["tick", "tock", "50"]}, images["toolbox"])
    custom = client.CustomObjectsApi()
    group = ("metrics.k8s.io", "v1beta1")

    def usage():
        found = custom.list_namespaced_custom_object(*group, NAMESPACE, "pods", label_selector="app=measured")
        same(found["kind"], "PodMetricsList")
        return found["items"] and found["items"][0]["containers"]

    (container,) = eventually("the pod's usage", usage)
    same((container["name"], sorted(container["usage"])), ("main", ["cpu", "memory"]))
    (node,) = custom.list_cluster_custom_object(*group, "nodes")["items"]
    same(sorted(node["usage"]), ["cpu", "memory"])
    one = custom.get_namespaced_custom_object(*group, NAMESPACE, "pods", "measured")
    same(one["metadata"]["name"], "measured")
    message = 'podmetrics.metrics.k8s.io "default/nobody" not found'
    refused(404, "NotFound", message, lambda: custom.get_namespaced_custom_object(*group, NAMESPACE, "pods", "nobody"))
    core.delete_namespaced_pod("measured", NAMESPACE, grace_period_seconds=0)


FLOWS = [interactive_exec, files_through_tar, forwarded_ports, ephemeral_containers, logs, metrics]
