"""Manifests from files, and leader election."""

import os
import tempfile
import threading
import time

import yaml
from kubernetes import client, utils
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from .common import NAMESPACE, deployment, eventually, same


def create_from_yaml_with_several_documents(images):
    api = client.ApiClient()
    web = deployment("from-yaml", images["ticker"], 1)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "from-yaml"},
        "spec": {"selector": {"app": "from-yaml"}, "ports": [{"port": 80}]},
    }
    listed = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"item-{n}"}} for n in (1, 2)],
    }
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "pod-reader"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "all.yaml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump_all([web, service, listed, role], file)
        made = utils.create_from_yaml(api, path, verbose=False)
        same(len(made), 4)
        try:
            utils.create_from_yaml(api, path)
            raise AssertionError("everything is there already")
        except utils.FailToCreateError as error:
            reasons = {refusal.reason for refusal in error.api_exceptions}
            same((len(error.api_exceptions), reasons), (5, {"Conflict"}))
    apps = client.AppsV1Api()
    ready = lambda: apps.read_namespaced_deployment_status("from-yaml", NAMESPACE).status.available_replicas == 1
    eventually("the Deployment of the file", ready)
    apps.delete_namespaced_deployment("from-yaml", NAMESPACE)


def elect(lock_of, name):
    """Two candidates: the second leads after the first has stopped renewing."""
    led = []

    def candidate(identity, lead):
        lock = lock_of(name, NAMESPACE, identity)
        config = electionconfig.Config(
            lock, lease_duration=3, renew_deadline=2, retry_period=1, onstarted_leading=lead, onstopped_leading=None
        )
        return leaderelection.LeaderElection(config)

    def first_leads():
        led.append("first")

    first = candidate("first", first_leads)
    assert first.acquire(), "nobody else is there"
    same(lock_of(name, NAMESPACE, "reader").get(name, NAMESPACE)[0], True)
    won = threading.Event()
    second = candidate("second", won.set)

    def acquire():
        if second.acquire():
            won.set()

    waiting = threading.Thread(target=acquire, daemon=True)
    begun = time.monotonic()
    waiting.start()
    assert won.wait(30), "the second never led"
    waited = time.monotonic() - begun
    assert waited > 1.5, f"the first was robbed of its lease after {waited} s"
    waiting.join(10)
    _, record = lock_of(name, NAMESPACE, "reader").get(name, NAMESPACE)
    same(record.holder_identity, "second")


def leader_election_with_a_config_map(_images):
    elect(ConfigMapLock, "election-config-map")


def leader_election_with_a_lease(_images):
    elect(LeaseLock, "election-lease")


FLOWS = [
    create_from_yaml_with_several_documents,
    leader_election_with_a_config_map,
    leader_election_with_a_lease,
]
