"""Deployments, Jobs, Services, Ingresses, nodes and pods' logs with the typed clients."""

import datetime
import threading

from kubernetes import client, watch

from .common import NAMESPACE, deployment, eventually, refused, same


def list_pods_of_all_namespaces(images):
    core = client.CoreV1Api()
    pod = {
        "metadata": {"name": "ticker"},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": images["ticker"]}]},
    }
    core.create_namespaced_pod(NAMESPACE, pod)
    eventually("a running pod", lambda: core.read_namespaced_pod("ticker", NAMESPACE).status.phase == "Running")
    found = [(pod.metadata.namespace, pod.metadata.name) for pod in core.list_pod_for_all_namespaces(watch=False).items]
    assert (NAMESPACE, "ticker") in found, found

    # Logs at once, by lines, and followed.
    eventually("a line", lambda: "tick" in core.read_namespaced_pod_log("ticker", NAMESPACE))
    same(core.read_namespaced_pod_log("ticker", NAMESPACE, tail_lines=1), "tick\n")
    lines = watch.Watch()
    for line in lines.stream(core.read_namespaced_pod_log, name="ticker", namespace=NAMESPACE):
        same(line, "tick")
        lines.stop()
    core.delete_namespaced_pod("ticker", NAMESPACE, grace_period_seconds=0)
    refused(404, "NotFound", 'pods "ticker" not found', lambda: core.read_namespaced_pod("ticker", NAMESPACE))


def deployment_crud_and_restart(images):
    apps, core = client.AppsV1Api(), client.CoreV1Api()
    labels = {"app": "web"}
    container = client.V1Container(
        name="main",
        image=images["ticker"],
        ports=[client.V1ContainerPort(container_port=80)],
        resources=client.V1ResourceRequirements(requests={"cpu": "10m"}, limits={"memory": "64Mi"}),
    )
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels=labels),
        spec=client.V1PodSpec(containers=[container], termination_grace_period_seconds=1),
    )
    wanted = client.V1Deployment(
        api_version="apps/v1",
        kind="Deployment",
        metadata=client.V1ObjectMeta(name="web"),
        spec=client.V1DeploymentSpec(replicas=2, template=template, selector={"matchLabels": labels}),
    )
    made = apps.create_namespaced_deployment(body=wanted, namespace=NAMESPACE)
    same((made.metadata.generation, made.spec.strategy.type), (1, "RollingUpdate"))
    ready = lambda replicas: apps.read_namespaced_deployment("web", NAMESPACE).status.ready_replicas == replicas
    eventually("two replicas", lambda: ready(2))

    wanted.spec.replicas = 1
    patched = apps.patch_namespaced_deployment("web", NAMESPACE, wanted)
    same(patched.spec.replicas, 1)
    eventually("one replica", lambda: ready(1))

    before = [pod.metadata.uid for pod in core.list_namespaced_pod(NAMESPACE, label_selector="app=web").items]
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    restart = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": now}}}}}
    apps.patch_namespaced_deployment("web", NAMESPACE, restart, pretty="true")

    def restarted():
        pods = core.list_namespaced_pod(NAMESPACE, label_selector="app=web").items
        running = [pod for pod in pods if pod.status.phase == "Running" and not pod.metadata.deletion_timestamp]
        return len(pods) == 1 and len(running) == 1 and running[0].metadata.uid not in before

    eventually("other pods", restarted)

    scale = apps.read_namespaced_deployment_scale("web", NAMESPACE)
    same((scale.spec.replicas, scale.status.selector), (1, "app=web"))

    def scaled_to_none():
        scale = apps.read_namespaced_deployment_scale("web", NAMESPACE)
        scale.spec.replicas = 0
        try:
            return apps.replace_namespaced_deployment_scale("web", NAMESPACE, scale)
        except client.ApiException as error:
            # The controller has written the status meanwhile.
            same(error.status, 409)

    eventually("no replicas", scaled_to_none)
    same(apps.read_namespaced_deployment("web", NAMESPACE).spec.replicas, 0)

    options = client.V1DeleteOptions(propagation_policy="Foreground", grace_period_seconds=5)
    apps.delete_namespaced_deployment("web", NAMESPACE, body=options)
    eventually("no ReplicaSets", lambda: not apps.list_namespaced_replica_set(NAMESPACE, label_selector="app=web").items)


def job_crud(images):
    batch = client.BatchV1Api()
    container = client.V1Container(name="quick", image=images["quick"])
    template = client.V1PodTemplateSpec(spec=client.V1PodSpec(restart_policy="Never", containers=[container]))
    wanted = client.V1Job(
        metadata=client.V1ObjectMeta(name="quick"), spec=client.V1JobSpec(template=template, backoff_limit=4)
    )
    batch.create_namespaced_job(NAMESPACE, wanted)
    eventually("success", lambda: batch.read_namespaced_job_status("quick", NAMESPACE).status.succeeded == 1)
    job = batch.read_namespaced_job("quick", NAMESPACE)
    conditions = [condition.type for condition in job.status.conditions]
    same(conditions, ["SuccessCriteriaMet", "Complete"])
    job.spec.template.spec.containers[0].image = "other"
    error = None
    try:
        batch.patch_namespaced_job("quick", NAMESPACE, job)
    except client.ApiException as refusal:
        error = refusal
    assert error and error.status == 422 and "field is immutable" in error.body, error
    batch.delete_namespaced_job("quick", NAMESPACE, propagation_policy="Background")
    eventually("no job", lambda: not batch.list_namespaced_job(NAMESPACE).items)


def service_and_ingress(_images):
    core, networking = client.CoreV1Api(), client.NetworkingV1Api()
    service = client.V1Service(
        metadata=client.V1ObjectMeta(name="front"),
        spec=client.V1ServiceSpec(selector={"app": "front"}, ports=[client.V1ServicePort(port=5678, target_port=5678)]),
    )
    made = core.create_namespaced_service(NAMESPACE, service)
    same((made.spec.type, made.spec.ports[0].protocol, made.spec.ip_families), ("ClusterIP", "TCP", ["IPv4"]))
    backend = client.V1IngressBackend(
        service=client.V1IngressServiceBackend(name="front", port=client.V1ServiceBackendPort(number=5678))
    )
    path = client.V1HTTPIngressPath(path="/", path_type="Exact", backend=backend)
    rule = client.V1IngressRule(host="example.com", http=client.V1HTTPIngressRuleValue(paths=[path]))
    annotations = {"nginx.ingress.kubernetes.io/rewrite-target": "/"}
    ingress = client.V1Ingress(
        metadata=client.V1ObjectMeta(name="front", annotations=annotations), spec=client.V1IngressSpec(rules=[rule])
    )
    networking.create_namespaced_ingress(NAMESPACE, ingress)
    found = networking.list_namespaced_ingress(NAMESPACE).items
    same([(i.metadata.name, i.spec.rules[0].http.paths[0].path_type) for i in found], [("front", "Exact")])
    networking.delete_namespaced_ingress("front", NAMESPACE)
    core.delete_namespaced_service("front", NAMESPACE)


def node_labels(_images):
    core = client.CoreV1Api()
    (node,) = core.list_node().items
    core.patch_node(node.metadata.name, {"metadata": {"labels": {"foo": "bar", "baz": ""}}})
    same([n.metadata.name for n in core.list_node(label_selector="foo=bar,baz").items], [node.metadata.name])
    core.patch_node(node.metadata.name, {"metadata": {"labels": {"foo": None, "baz": None}}})
    same(core.list_node(label_selector="foo").items, [])


def watch_a_deployment_come_and_go(images):
    """One thread changes, the other watches, as in the client's pod and namespace watch examples."""
    apps = client.AppsV1Api()
    start = apps.list_namespaced_deployment(NAMESPACE).metadata.resource_version

    def change():
        apps.create_namespaced_deployment(NAMESPACE, deployment("seen", images["ticker"], 0))
        apps.delete_namespaced_deployment("seen", NAMESPACE)

    changing = threading.Thread(target=change)
    changing.start()
    seen, stream = [], watch.Watch()
    for event in stream.stream(
        apps.list_namespaced_deployment, NAMESPACE, resource_version=start, timeout_seconds=30
    ):
        assert isinstance(event["object"], client.V1Deployment), event
        if event["object"].metadata.name == "seen":
            seen.append(event["type"])
            if event["type"] == "DELETED":
                stream.stop()
    changing.join()
    same((seen[0], seen[-1]), ("ADDED", "DELETED"))


FLOWS = [
    list_pods_of_all_namespaces,
    deployment_crud_and_restart,
    job_crud,
    service_and_ingress,
    node_labels,
    watch_a_deployment_come_and_go,
]
