"""Pages, watches that end or are too late, discovery, and what errors say."""

import json
import time

from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

from .common import NAMESPACE, refused, same


def pages_of_a_list(_images):
    core = client.CoreV1Api()
    for index in range(7):
        core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": f"page-{index}", "labels": {"paged": "yes"}}})
    names, sizes, token, versions = [], [], None, set()
    while True:
        page = core.list_namespaced_config_map(NAMESPACE, limit=3, _continue=token, label_selector="paged")
        names += [item.metadata.name for item in page.items]
        sizes.append(len(page.items))
        versions.add(page.metadata.resource_version)
        token = page.metadata._continue
        if not token:
            break
        # What comes in between belongs to no page.
        core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": f"page-x{len(sizes)}", "labels": {"paged": "yes"}}})
    same(names, [f"page-{index}" for index in range(7)])
    same((sizes, len(versions)), ([3, 3, 1], 1))
    status = core.delete_collection_namespaced_config_map(NAMESPACE, label_selector="paged")
    same(core.list_namespaced_config_map(NAMESPACE, label_selector="paged").items, [])
    assert status.kind is None or status, status


def a_watch_ends_when_its_time_is_over(_images):
    core = client.CoreV1Api()
    version = core.list_namespaced_config_map(NAMESPACE).metadata.resource_version
    begun = time.monotonic()
    events = watch.Watch().stream(
        core.list_namespaced_config_map,
        NAMESPACE,
        resource_version=version,
        timeout_seconds=1,
        label_selector="nobody=has-it",
    )
    same(list(events), [])
    assert 0.9 < time.monotonic() - begun < 20


def a_watch_that_is_too_late_is_told_so(_images):
    """The client lists again by itself after a 410 if it began without a version, and raises otherwise."""
    core = client.CoreV1Api()
    try:
        events = watch.Watch().stream(
            core.list_namespaced_config_map, NAMESPACE, resource_version="1", timeout_seconds=1
        )
        # All history may still be there, on a cluster as young as this one: then nothing is missed.
        for event in events:
            assert event["type"] in ("ADDED", "MODIFIED", "DELETED"), event
    except ApiException as error:
        same(error.status, 410)
        assert error.reason.startswith("Expired: too old resource version: 1 ("), error.reason


def a_token_of_nobody_is_refused(_images):
    try:
        client.CoreV1Api().list_namespaced_config_map(NAMESPACE, limit=1, _continue="nonsense")
        raise AssertionError("the token means nothing")
    except ApiException as error:
        status = json.loads(error.body)
        same((error.status, status["reason"]), (400, "BadRequest"))
        assert "continue key is not valid: " in status["message"], status


def discovery(_images):
    groups = {group.name: group.preferred_version.version for group in client.ApisApi().get_api_versions().groups}
    for name, version in [("apps", "v1"), ("autoscaling", "v2"), ("networking.k8s.io", "v1"), ("policy", "v1")]:
        same(groups[name], version)
    same(client.CoreApi().get_api_versions().versions, ["v1"])
    resources = {resource.name: resource for resource in client.CoreV1Api().get_api_resources().resources}
    same((resources["pods"].short_names, resources["pods"].categories), (["po"], ["all"]))
    assert "pods/eviction" in resources and resources["pods/eviction"].group == "policy"
    version = client.VersionApi().get_code()
    same((version.major, version.minor), ("1", "36"))


def errors_say_what_kubernetes_says(_images):
    core, untyped = client.CoreV1Api(), client.CustomObjectsApi()
    core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "taken"}})
    again = lambda: core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "taken"}})
    refused(409, "AlreadyExists", 'configmaps "taken" already exists', again)
    old = core.read_namespaced_config_map("taken", NAMESPACE)
    core.patch_namespaced_config_map("taken", NAMESPACE, {"data": {"a": "b"}})
    conflict = (
        'Operation cannot be fulfilled on configmaps "taken": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    refused(409, "Conflict", conflict, lambda: core.replace_namespaced_config_map("taken", NAMESPACE, old))
    wrong = {"metadata": {"name": "No"}}
    error = refused(
        422,
        "Invalid",
        'ConfigMap "No" is invalid: metadata.name: Invalid value: "No": a lowercase RFC 1123 subdomain must consist of '
        "lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
        "'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        lambda: core.create_namespaced_config_map(NAMESPACE, wrong),
    )
    details = json.loads(error.body)["details"]
    same((details["kind"], details["causes"][0]["field"]), ("ConfigMap", "metadata.name"))
    absent = lambda: core.create_namespaced_config_map("nowhere", {"metadata": {"name": "a"}})
    refused(404, "NotFound", 'namespaces "nowhere" not found', absent)
    # The typed client refuses unknown fields itself; the untyped one leaves that to the server.
    unknown = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"nonsense": 1}}
    strict = lambda: untyped.create_namespaced_custom_object(
        "apps", "v1", NAMESPACE, "deployments", unknown, field_validation="Strict"
    )
    refused(
        400,
        "BadRequest",
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.nonsense"',
        strict,
    )
    core.delete_namespaced_config_map("taken", NAMESPACE)


FLOWS = [
    pages_of_a_list,
    a_watch_ends_when_its_time_is_over,
    a_watch_that_is_too_late_is_told_so,
    a_token_of_nobody_is_refused,
    discovery,
    errors_say_what_kubernetes_says,
]
