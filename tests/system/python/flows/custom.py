"""Custom kinds, by the typed client for untyped objects and by the dynamic client."""

from kubernetes import client, dynamic, watch
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

from .common import NAMESPACE, eventually, refused, same

GROUP = "stable.example.com"


def definition(plural, kind, scope):
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "cronSpec": {"type": "string"},
                    "image": {"type": "string"},
                    "replicas": {"type": "integer", "maximum": 10, "default": 1},
                },
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def established(name):
    extensions = client.ApiextensionsV1Api()

    def check():
        conditions = extensions.read_custom_resource_definition(name).status.conditions or []
        return any(condition.type == "Established" and condition.status == "True" for condition in conditions)

    eventually(f"{name} established", check)


def namespaced_custom_object(_images):
    extensions, custom = client.ApiextensionsV1Api(), client.CustomObjectsApi()
    extensions.create_custom_resource_definition(definition("crontabs", "CronTab", "Namespaced"))
    established(f"crontabs.{GROUP}")
    where = (GROUP, "v1", NAMESPACE, "crontabs")
    wanted = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "CronTab",
        "metadata": {"name": "my-cron"},
        "spec": {"cronSpec": "* * * * */5", "image": "my-image", "unknown": "pruned"},
    }
    made = custom.create_namespaced_custom_object(*where, wanted)
    same(made["spec"], {"cronSpec": "* * * * */5", "image": "my-image", "replicas": 1})
    same(custom.get_namespaced_custom_object(*where, "my-cron"), made)

    patched = custom.patch_namespaced_custom_object(*where, "my-cron", {"spec": {"image": "my-image-v2"}})
    same((patched["spec"]["image"], patched["metadata"]["generation"]), ("my-image-v2", 2))
    status = custom.patch_namespaced_custom_object_status(*where, "my-cron", {"status": {"phase": "Active"}, "spec": {"image": "x"}})
    same((status["status"], status["spec"]["image"]), ({"phase": "Active"}, "my-image-v2"))
    status["status"] = {"phase": "Idle"}
    replaced = custom.replace_namespaced_custom_object_status(*where, "my-cron", status)
    same((replaced["status"]["phase"], replaced["metadata"]["generation"]), ("Idle", 2))

    too_many = lambda: custom.patch_namespaced_custom_object(*where, "my-cron", {"spec": {"replicas": 11}})
    refused(
        422,
        "Invalid",
        'CronTab.stable.example.com "my-cron" is invalid: spec.replicas: Invalid value: 11: '
        "spec.replicas in body should be less than or equal to 10",
        too_many,
    )
    names = [item["metadata"]["name"] for item in custom.list_cluster_custom_object(GROUP, "v1", "crontabs")["items"]]
    same(names, ["my-cron"])
    events = watch.Watch().stream(custom.list_namespaced_custom_object, *where, timeout_seconds=1)
    same([(event["type"], event["object"]["status"]["phase"]) for event in events], [("ADDED", "Idle")])
    custom.delete_namespaced_custom_object(*where, "my-cron")
    refused(
        404,
        "NotFound",
        'crontabs.stable.example.com "my-cron" not found',
        lambda: custom.get_namespaced_custom_object(*where, "my-cron"),
    )


def cluster_custom_object(_images):
    extensions, custom = client.ApiextensionsV1Api(), client.CustomObjectsApi()
    extensions.create_custom_resource_definition(definition("planets", "Planet", "Cluster"))
    established(f"planets.{GROUP}")
    where = (GROUP, "v1", "planets")
    wanted = {"apiVersion": f"{GROUP}/v1", "kind": "Planet", "metadata": {"name": "mars"}, "spec": {"image": "red"}}
    custom.create_cluster_custom_object(*where, wanted)
    patched = custom.patch_cluster_custom_object(*where, "mars", {"spec": {"image": "rusty"}})
    same(patched["spec"], {"image": "rusty", "replicas": 1})
    status = custom.patch_cluster_custom_object_status(*where, "mars", {"status": {"moons": 2}})
    same(status["status"], {"moons": 2})
    deleted = custom.delete_cluster_custom_object(*where, "mars")
    same((deleted["status"], deleted["details"]["group"]), ("Success", GROUP))
    extensions.delete_custom_resource_definition(f"planets.{GROUP}")

    def gone():
        try:
            extensions.read_custom_resource_definition(f"planets.{GROUP}")
        except client.ApiException as error:
            return error.status == 404
        return False

    eventually("no definition", gone)


def dynamic_client(_images):
    """Discovery decides what there is; a new kind is found by asking again."""
    dynamic_api = dynamic.DynamicClient(client.ApiClient())
    crds = dynamic_api.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
    created = crds.create(body=definition("widgets", "Widget", "Namespaced"))
    same(created.metadata.name, f"widgets.{GROUP}")
    established(f"widgets.{GROUP}")
    dynamic_api.resources.invalidate_cache()
    widgets = dynamic_api.resources.get(api_version=f"{GROUP}/v1", kind="Widget")
    body = {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {"image": "one"}}
    widgets.create(body=body, namespace=NAMESPACE)
    same([item.metadata.name for item in widgets.get(namespace=NAMESPACE).items], ["a"])

    body["spec"]["image"] = "two"
    merged = widgets.patch(body=body, namespace=NAMESPACE, content_type="application/merge-patch+json")
    same(merged.spec.image, "two")
    merged_dict = merged.to_dict()
    merged_dict["spec"]["image"] = "three"
    replaced = widgets.replace(body=merged_dict, namespace=NAMESPACE)
    same(replaced.spec.image, "three")

    body["spec"]["image"] = "four"
    try:
        widgets.server_side_apply(body=body, namespace=NAMESPACE, field_manager="python")
        raise AssertionError("somebody else owns the image")
    except ConflictError as error:
        assert "Apply failed with 1 conflict: conflict with " in str(error.body), error.body
        assert ".spec.image" in str(error.body), error.body
    applied = widgets.server_side_apply(body=body, namespace=NAMESPACE, field_manager="python", force_conflicts=True)
    same(applied.spec.image, "four")
    owners = [(entry.manager, entry.operation) for entry in applied.metadata.managedFields]
    assert ("python", "Apply") in owners, owners

    first = next(iter(widgets.watch(namespace=NAMESPACE, timeout=5)))
    same((first["type"], first["object"].spec.image), ("ADDED", "four"))
    widgets.delete(name="a", namespace=NAMESPACE)
    try:
        widgets.get(name="a", namespace=NAMESPACE)
        raise AssertionError("it was deleted")
    except NotFoundError as error:
        same((error.status, error.reason), (404, "Not Found"))


def dynamic_client_of_built_in_kinds(_images):
    dynamic_api = dynamic.DynamicClient(client.ApiClient())
    config_maps = dynamic_api.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dynamic"}, "data": {"a": "1"}}
    applied = config_maps.server_side_apply(body=body, namespace=NAMESPACE, field_manager="python")
    same(applied.data.a, "1")
    body["data"] = {"b": "2"}
    applied = config_maps.server_side_apply(body=body, namespace=NAMESPACE, field_manager="python")
    same(applied.data.to_dict(), {"b": "2"})
    found = config_maps.get(namespace=NAMESPACE, field_selector="metadata.name=dynamic")
    same([item.data.b for item in found.items], ["2"])
    config_maps.delete(name="dynamic", namespace=NAMESPACE, body={})
    (node,) = dynamic_api.resources.get(api_version="v1", kind="Node").get().items
    assert node.status.capacity.pods, node


FLOWS = [namespaced_custom_object, cluster_custom_object, dynamic_client, dynamic_client_of_built_in_kinds]
