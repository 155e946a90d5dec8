"""What the flows share: waiting with a deadline, and expecting a refusal."""

import json
import time

from kubernetes.client.exceptions import ApiException

DEADLINE_S = 60
NAMESPACE = "default"


def eventually(what, check):
    """Calls check until it gives something true; its last answer is the complaint."""
    end = time.monotonic() + DEADLINE_S
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {DEADLINE_S} s: {found!r}")
        time.sleep(0.05)


def same(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


def refused(code, reason, message, call):
    """The call must be refused in exactly this way."""
    try:
        answer = call()
    except ApiException as error:
        status = json.loads(error.body)
        same((error.status, status["reason"], status["message"]), (code, reason, message))
        return error
    raise AssertionError(f"it should have been refused, but answered {answer}")


def deployment(name, image, replicas):
    """A Deployment as the client's own example builds it, as plain data."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{"name": "main", "image": image}],
                },
            },
        },
    }
