//! Bootstrapping and renewing against the fake API, with somebody beside it who approves and signs.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use kube::{Client, config::Kubeconfig};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{sign_in::first_pair, test_authority::Authority, *};
use crate::fake_api::{FakeApi, Mode};

const DAY: Duration = Duration::from_secs(86_400);
const PATIENCE: Duration = Duration::from_secs(30);
const REQUESTS: &str = "certificatesigningrequests";

/// The path of a request with the fake API.
fn path(request: &Value) -> String {
    format!("{REQUESTS}//{}", request["metadata"]["name"].as_str().unwrap())
}

/// Waits for so many requests.
async fn requests(api: &FakeApi, count: usize) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let found = api.list(REQUESTS);
        if found.len() >= count {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{} of {count} requests came", found.len());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Issues whatever waits, once there are so many requests.
async fn issue(api: &FakeApi, authority: &Authority, count: usize, from: SystemTime, lifetime: Duration) {
    for request in requests(api, count).await.into_iter().filter(|request| request["status"].is_null()) {
        api.put(&path(&request), authority.issue(request, from, lifetime));
    }
}

#[tokio::test]
async fn a_newcomer_gets_what_it_asks_for() {
    let (api, authority, directory) = (FakeApi::default(), Authority::new(), tempfile::tempdir().unwrap());
    let store = PairStore::client(directory.path());
    let wanted = Wanted::client("n1");
    let client = api.client();
    let asking = first_pair(&client, &wanted, &store, PATIENCE);
    let (pair, ()) = tokio::join!(asking, issue(&api, &authority, 1, SystemTime::now(), DAY));
    let pair = pair.unwrap();
    assert_eq!(pair.node(), Some("n1"));
    let request = &api.list(REQUESTS)[0];
    assert_eq!(request["spec"]["signerName"], "kubernetes.io/kube-apiserver-client-kubelet");
    assert_eq!(request["spec"]["usages"], json!(["digital signature", "client auth"]));
    assert!(request["metadata"]["name"].as_str().unwrap().starts_with("node-csr-"));
}

#[tokio::test]
async fn who_starts_again_finds_its_request() {
    let (api, authority, directory) = (FakeApi::default(), Authority::new(), tempfile::tempdir().unwrap());
    let (client, wanted) = (api.client(), Wanted::client("n1"));
    let first = PairStore::client(directory.path());
    let killed = tokio::time::timeout(Duration::from_millis(300), first_pair(&client, &wanted, &first, PATIENCE));
    assert!(killed.await.is_err());
    assert_eq!(requests(&api, 1).await.len(), 1);
    let again = PairStore::client(directory.path());
    let asking = first_pair(&client, &wanted, &again, PATIENCE);
    let (pair, ()) = tokio::join!(asking, issue(&api, &authority, 1, SystemTime::now(), DAY));
    assert_eq!(pair.unwrap().node(), Some("n1"));
    assert_eq!(api.list(REQUESTS).len(), 1);
}

#[tokio::test]
async fn a_no_is_final_and_says_why() {
    for (kind, words) in [("Denied", "is denied"), ("Failed", "failed")] {
        let (api, directory) = (FakeApi::default(), tempfile::tempdir().unwrap());
        let (client, wanted, store) = (api.client(), Wanted::client("n1"), PairStore::client(directory.path()));
        let refuse = async {
            let mut request = requests(&api, 1).await.swap_remove(0);
            let condition = json!({ "type": kind, "status": "True", "reason": "Unknown", "message": "not from here" });
            request["status"] = json!({ "conditions": [condition] });
            api.put(&path(&request), request);
        };
        let (refused, ()) = tokio::join!(first_pair(&client, &wanted, &store, PATIENCE), refuse);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(words) && refused.ends_with("reason: Unknown, message: not from here"), "{refused}");
        // Whoever tries again is told the same, and asks nothing new.
        let again = first_pair(&client, &wanted, &store, PATIENCE).await.unwrap_err().to_string();
        assert_eq!((again, api.list(REQUESTS).len()), (refused, 1));
    }
}

#[tokio::test]
async fn what_is_issued_for_others_is_refused_and_asked_for_anew() {
    let (api, authority, directory) = (FakeApi::default(), Authority::new(), tempfile::tempdir().unwrap());
    let (client, wanted, store) = (api.client(), Wanted::client("n1"), PairStore::client(directory.path()));
    let answers = async {
        let request = requests(&api, 1).await.swap_remove(0);
        let past = SystemTime::now() - DAY * 2;
        api.put(&path(&request), authority.issue(request, past, DAY));
        issue(&api, &authority, 2, SystemTime::now(), DAY).await;
    };
    let (pair, ()) = tokio::join!(first_pair(&client, &wanted, &store, PATIENCE), answers);
    assert!(pair.unwrap().is_valid(jiff::Timestamp::now()));
}

#[tokio::test]
async fn a_server_that_comes_late_is_waited_for_and_patience_ends() {
    let (api, authority, directory) = (FakeApi::default(), Authority::new(), tempfile::tempdir().unwrap());
    let (client, wanted, store) = (api.client(), Wanted::client("n1"), PairStore::client(directory.path()));
    api.set(Mode::Dead);
    let mut asking = std::pin::pin!(first_pair(&client, &wanted, &store, PATIENCE));
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut asking).await.is_err());
    api.set(Mode::Here);
    let (pair, ()) = tokio::join!(asking, issue(&api, &authority, 1, SystemTime::now(), DAY));
    pair.unwrap();
    store.forget_pending();
    let late = first_pair(&client, &wanted, &store, Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(&late, CredentialError::Unanswered { .. }), "{late}");
    let name = wanted.name(&store.pending_key().unwrap());
    assert!(late.to_string().ends_with(&format!("`kubectl certificate approve {name}`")), "{late}");
}

/// A token that is over, or may not ask: waiting would not help.
#[tokio::test]
async fn a_refusal_is_told_in_the_servers_own_words() {
    let directory = tempfile::tempdir().unwrap();
    let refuse = |_: http::Request<kube::client::Body>| async {
        let status = json!({ "kind": "Status", "status": "Failure", "code": 401, "message": "Unauthorized" });
        let answer = http::Response::builder().status(401).body(axum::body::Body::from(status.to_string()));
        Ok::<_, std::convert::Infallible>(answer.unwrap())
    };
    let client = Client::new(tower::service_fn(refuse), "default");
    let (wanted, store) = (Wanted::client("n1"), PairStore::client(directory.path()));
    let refused = first_pair(&client, &wanted, &store, PATIENCE).await.unwrap_err();
    assert_eq!(refused.to_string(), "cannot create certificate signing request: Unauthorized");
}

/// Collects what it is given.
struct Collector {
    client: Client,
    taken: Arc<Mutex<Vec<Pair>>>,
}

#[async_trait]
impl Holder for Collector {
    async fn client(&self, _: Option<&Pair>) -> Result<Client, CredentialError> {
        Ok(self.client.clone())
    }

    fn take(&self, pair: &Pair) {
        self.taken.lock().push(pair.clone());
    }
}

/// Runs a renewal until it has been issued so many pairs, each of which was due as soon as it was made, but the last.
async fn renewed(store: &PairStore, wanted: Wanted, current: Option<Pair>, count: usize) -> Vec<Pair> {
    let (api, authority, shutdown) = (FakeApi::default(), Authority::new(), CancellationToken::new());
    let taken = Arc::<Mutex<Vec<Pair>>>::default();
    let collector = Collector { client: api.client(), taken: Arc::clone(&taken) };
    let renewing = Renewal::new(store.clone(), wanted, current).run(collector, shutdown.clone());
    let issuing = async {
        for number in 1..=count {
            let from = if number == count { SystemTime::now() } else { SystemTime::now() - DAY };
            let lifetime = if number == count { DAY } else { DAY + PATIENCE };
            issue(&api, &authority, number, from, lifetime).await;
        }
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while taken.lock().len() < count {
            assert!(tokio::time::Instant::now() < deadline, "a pair was issued and not taken");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        shutdown.cancel();
    };
    tokio::join!(renewing, issuing);
    assert_eq!(api.list(REQUESTS).len(), count);
    std::mem::take(&mut *taken.lock())
}

#[tokio::test]
async fn a_pair_is_replaced_when_it_is_due_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = PairStore::client(directory.path());
    let old = Authority::new().expired("system:node:n1");
    let taken = renewed(&store, Wanted::client("n1"), Some(old), 2).await;
    assert_ne!(taken[0].pem(), taken[1].pem());
    assert_eq!(store.current().unwrap().pem(), taken[1].pem());
    assert!(!directory.path().join("kubelet-client.key.tmp").exists());
}

#[tokio::test]
async fn a_port_asks_again_when_its_addresses_are_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = PairStore::serving(directory.path());
    let addresses = ["192.0.2.7".parse().unwrap()];
    let first = renewed(&store, Wanted::serving("n1", &[]), None, 1).await.swap_remove(0);
    let second = renewed(&store, Wanted::serving("n1", &addresses), Some(first), 1).await.swap_remove(0);
    assert!(Wanted::serving("n1", &addresses).is_met_by(&second));
    assert!(Wanted::serving("n1", &[]).is_met_by(&second) && !Wanted::serving("n2", &[]).is_met_by(&second));
}

/// A kubeconfig by a token, of a cluster that nobody reaches.
fn bootstrap_kubeconfig(directory: &Path, authority: &Authority) -> std::path::PathBuf {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let file = directory.join("bootstrap.conf");
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [
            { "name": "other", "cluster": { "server": "https://127.0.0.1:2" } },
            { "name": "k", "cluster": {
                "server": "https://127.0.0.1:1", "certificate-authority-data": STANDARD.encode(&authority.pem),
            } },
        ],
        "contexts": [{ "name": "c", "context": { "cluster": "k", "user": "u" } }],
        "users": [{ "name": "u", "user": { "token": "abcdef.0123456789abcdef" } }],
    });
    std::fs::write(&file, kubeconfig.to_string()).unwrap();
    file
}

fn sign_in(directory: &Path, bootstrap_kubeconfig: Option<std::path::PathBuf>) -> SignIn {
    let kubeconfig = directory.join("kubelet.conf");
    SignIn { node: "n1".into(), kubeconfig, bootstrap_kubeconfig, directory: directory.join("pki"), rotate: true }
}

#[tokio::test]
async fn the_kubeconfig_that_is_written_leads_to_the_same_cluster_and_to_the_current_pair() {
    let (directory, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let bootstrap = bootstrap_kubeconfig(directory.path(), &authority);
    let sign_in = sign_in(directory.path(), Some(bootstrap.clone()));
    let store = PairStore::client(&sign_in.directory);
    let pair = authority.pair("system:node:n1", DAY);
    store.update(&pair, jiff::Timestamp::now()).unwrap();
    kubeconfig::write(&sign_in.kubeconfig, &Kubeconfig::read_from(&bootstrap).unwrap(), &store.current_path()).unwrap();

    let text = std::fs::read_to_string(&sign_in.kubeconfig).unwrap();
    assert!(!text.contains("abcdef") && !text.contains("null") && !text.contains("127.0.0.1:2"), "{text}");
    let config = kubeconfig::config(&sign_in.kubeconfig, kubeconfig::read(&sign_in.kubeconfig).unwrap()).await.unwrap();
    assert_eq!(config.cluster_url.to_string(), "https://127.0.0.1:1/");
    assert!(config.root_cert.is_some());
    assert_eq!(kubeconfig::pair(&config.auth_info).unwrap().unwrap().pem(), pair.pem());

    // And that is taken without asking: nobody is there to ask.
    let signed_in = sign_in.run().await.unwrap();
    assert!(signed_in.rotation.is_some());
    let unrotated = SignIn { rotate: false, ..sign_in.clone() }.run().await.unwrap();
    assert!(unrotated.rotation.is_none());
    let other = SignIn { node: "n2".into(), ..sign_in.clone() };
    let refused = other.run().await.err().unwrap();
    assert!(refused.to_string().ends_with("start it with --hostname-override n1"), "{refused}");
}

#[tokio::test]
async fn a_kubeconfig_whose_certificate_has_ended_is_of_no_use_when_there_is_another_way() {
    let (directory, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let bootstrap = bootstrap_kubeconfig(directory.path(), &authority);
    let sign_in = sign_in(directory.path(), Some(bootstrap.clone()));
    let store = PairStore::client(&sign_in.directory);
    store.update(&authority.expired("system:node:n1"), jiff::Timestamp::now()).unwrap();
    kubeconfig::write(&sign_in.kubeconfig, &Kubeconfig::read_from(&bootstrap).unwrap(), &store.current_path()).unwrap();
    // It begins to ask, and would for a quarter of an hour.
    let asking = tokio::time::timeout(Duration::from_millis(300), sign_in.run()).await;
    assert!(asking.is_err());
    assert!(sign_in.directory.join("kubelet-client.key.tmp").exists());
}

#[tokio::test]
async fn without_a_bootstrap_the_kubeconfig_counts_whoever_it_is_for() {
    let directory = tempfile::tempdir().unwrap();
    let sign_in = sign_in(directory.path(), None);
    let missing = sign_in.run().await.err().unwrap().to_string();
    assert!(missing.starts_with(&format!("cannot read {}", sign_in.kubeconfig.display())), "{missing}");
    let authority = Authority::new();
    let token = bootstrap_kubeconfig(directory.path(), &authority);
    std::fs::rename(token, &sign_in.kubeconfig).unwrap();
    assert!(sign_in.run().await.unwrap().rotation.is_none());
    assert!(!sign_in.directory.exists());
}
