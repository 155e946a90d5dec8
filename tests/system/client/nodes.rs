//! Small programs of operators: cordon, evict, restart, tokens, and leases as locks.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenReview, TokenReviewSpec};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{Node, Pod, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt as _;
use kube::api::{Api, EvictParams, ListParams, PostParams};
use kube::runtime::conditions::{is_deleted, is_pod_running};
use kube::runtime::wait::await_condition;
use serde_json::json;

use super::{client, in_time, object, refusal};
use crate::harness::{Cluster, guests};

#[tokio::test]
async fn a_node_is_cordoned_and_its_pod_evicted() {
    let cluster = Cluster::start();
    guests::push(&cluster, "ticker", guests::TICKER);
    let client = client(&cluster).await;
    let (nodes, pods): (Api<Node>, Api<Pod>) = (Api::all(client.clone()), Api::default_namespaced(client));
    let pod: Pod = object(json!({
        "metadata": {"name": "ticker", "labels": {"app": "ticker"}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": guests::image("ticker")}]},
    }));
    let uid = pods.create(&PostParams::default(), &pod).await.unwrap().uid().unwrap();
    in_time("running", await_condition(pods.clone(), "ticker", is_pod_running())).await.unwrap();

    let unschedulable = |node: Node| node.spec.and_then(|spec| spec.unschedulable).unwrap_or(false);
    assert!(unschedulable(nodes.cordon("node").await.unwrap()));
    assert!(!unschedulable(nodes.uncordon("node").await.unwrap()));

    pods.evict("ticker", &EvictParams::default()).await.unwrap();
    in_time("evicted", await_condition(pods, "ticker", is_deleted(&uid))).await.unwrap();
}

#[tokio::test]
async fn a_deployment_restarts_and_a_token_says_who() {
    let cluster = Cluster::start();
    cluster.kubectl("create deployment web --image=x --replicas=0").ok();
    cluster.kubectl("create serviceaccount bot").ok();
    let client = client(&cluster).await;
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let restarted = deployments.restart("web").await.unwrap();
    let annotations = restarted.spec.unwrap().template.metadata.unwrap().annotations.unwrap();
    assert!(annotations.contains_key("kube.kubernetes.io/restartedAt"), "{annotations:?}");

    let accounts: Api<ServiceAccount> = Api::default_namespaced(client.clone());
    let request = TokenRequest::default();
    let token = accounts.create_token_request("bot", &PostParams::default(), &request).await.unwrap();
    let spec = TokenReviewSpec { token: token.status.unwrap().token.unwrap(), audiences: None };
    let review = TokenReview { spec, ..TokenReview::default() };
    let reviewed = Api::<TokenReview>::all(client).create(&PostParams::default(), &review).await.unwrap();
    let status = reviewed.status.unwrap();
    assert_eq!(status.authenticated, Some(true), "{:?}", status.error);
    assert_eq!(status.user.unwrap().username.as_deref(), Some("system:serviceaccount:default:bot"));
}

/// Takes the lease if nobody holds it, as leader election does: whoever writes first over what all have read.
async fn take(leases: &Api<Lease>, seen: &Lease, who: &str) -> Result<Lease, kube::Error> {
    let mut wanted = seen.clone();
    let spec = wanted.spec.get_or_insert_with(LeaseSpec::default);
    spec.holder_identity = Some(who.into());
    spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0) + 1);
    spec.renew_time = Some(MicroTime(k8s_openapi::jiff::Timestamp::now()));
    leases.replace("leader", &PostParams::default(), &wanted).await
}

#[tokio::test]
async fn of_many_candidates_one_gets_the_lease() {
    let cluster = Cluster::start();
    let leases: Api<Lease> = Api::default_namespaced(client(&cluster).await);
    let empty = object(json!({"metadata": {"name": "leader"}, "spec": {"leaseDurationSeconds": 15}}));
    let seen = leases.create(&PostParams::default(), &empty).await.unwrap();
    let names: Vec<String> = (0..8).map(|index| format!("candidate-{index}")).collect();
    let tries = futures::future::join_all(names.iter().map(|who| take(&leases, &seen, who))).await;
    let (won, lost): (Vec<_>, Vec<_>) = tries.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    for error in lost {
        assert_eq!(refusal(error.unwrap_err()), (409, "Conflict".into()));
    }
    let holder = leases.get("leader").await.unwrap().spec.unwrap();
    assert_eq!(holder.lease_transitions, Some(1));
    let listed = leases.list(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items[0].spec.as_ref().unwrap().holder_identity, holder.holder_identity);
}
