//! Fills in Secrets of type `kubernetes.io/service-account-token`, and removes those whose account is gone
//! (`pkg/controller/serviceaccount/tokens_controller.go`). Nobody makes them but people: pods have tokens that end.

use crate::cluster::Cluster;
use crate::framework::{Key, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_client::is_code;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Api;
use kube::api::{DeleteParams, PostParams, Preconditions};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The type of such Secrets.
pub const TYPE: &str = "kubernetes.io/service-account-token";
const NAME: &str = "kubernetes.io/service-account.name";
const UID: &str = "kubernetes.io/service-account.uid";

/// Who has the key that tokens are signed with.
pub trait SignToken: Send + Sync {
    /// The token of a Secret, for the account with this name and uid.
    ///
    /// # Errors
    /// When it can't be signed: says why.
    fn token(&self, namespace: &str, account: &str, uid: &str, secret: &str) -> Result<String, String>;
}

/// A signer of tokens that can be handed on.
#[derive(Clone)]
pub struct TokenSigner(pub Arc<dyn SignToken>);

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSigner")
    }
}

/// The account that a Secret is for.
pub fn account_of(secret: &Secret) -> Option<&str> {
    annotation(secret, NAME)
}

/// The key under which Secrets are indexed by their accounts.
pub fn account_index(namespace: &str, account: &str) -> String {
    format!("{namespace}/{account}")
}

/// See the module's documentation.
pub struct AccountTokensController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
}

impl AccountTokensController {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<AccountTokensController> {
        let controller = Arc::new(AccountTokensController { cluster: cluster.clone(), queue: WorkQueue::new() });
        cluster.account_secrets.enqueue_for(&controller);
        cluster.service_accounts.tell(&controller, |this, delta| {
            let account = Key::of(&delta.object().metadata);
            let index = account_index(&account.namespace, &account.name);
            for secret in this.cluster.account_secrets.store().indexed(&index) {
                this.queue.add(Key::of(&secret.metadata));
            }
        });
        controller
    }

    /// The account, asked for again if it was not seen: it may just have been made.
    async fn account(&self, namespace: &str, name: &str) -> kube::Result<Option<Arc<ServiceAccount>>> {
        if let Some(account) = self.cluster.service_accounts.store().get(&Key::new(namespace, name)) {
            return Ok(Some(account));
        }
        let api: Api<ServiceAccount> = Api::namespaced(self.cluster.client.clone(), namespace);
        Ok(api.get_opt(name).await?.map(Arc::new))
    }

    async fn fill(&self, key: &Key, account: &ServiceAccount, signer: &TokenSigner) -> Result<(), ReconcileError> {
        let api: Api<Secret> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        // From the server: what was seen may be old.
        let Some(secret) = api.get_opt(&key.name).await? else { return Ok(()) };
        let (name, uid) = (account.metadata.name.as_deref(), account.metadata.uid.as_deref());
        let (Some(name), Some(uid)) = (name, uid) else { return Ok(()) };
        let root_ca = self.cluster.config.root_ca_pem.as_deref();
        if !is_for(&secret, name, uid) || is_filled(&secret, root_ca) {
            return Ok(());
        }
        let token = signer.0.token(&key.namespace, name, uid, &key.name).map_err(ReconcileError::Invalid)?;
        let filled = filled(secret, (&key.namespace, uid), root_ca, token);
        api.replace(&key.name, &PostParams::default(), &filled).await?;
        Ok(())
    }
}

fn annotation<'a>(secret: &'a Secret, name: &str) -> Option<&'a str> {
    secret.metadata.annotations.as_ref()?.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// Whether the Secret is for this account, and not for one of the same name before it.
fn is_for(secret: &Secret, account: &str, uid: &str) -> bool {
    secret.type_.as_deref() == Some(TYPE)
        && account_of(secret) == Some(account)
        && annotation(secret, UID).is_none_or(|named| named == uid)
}

fn has(secret: &Secret, key: &str) -> bool {
    secret.data.as_ref().and_then(|data| data.get(key)).is_some_and(|value| !value.0.is_empty())
}

/// Whether the CA in it is that of the cluster, if that is known.
fn has_root_ca(secret: &Secret, root_ca: Option<&str>) -> bool {
    let own = secret.data.as_ref().and_then(|data| data.get("ca.crt"));
    root_ca.is_none_or(|pem| own.is_some_and(|own| own.0 == pem.as_bytes()))
}

fn is_filled(secret: &Secret, root_ca: Option<&str>) -> bool {
    has(secret, "token")
        && has(secret, "namespace")
        && has_root_ca(secret, root_ca)
        && annotation(secret, UID).is_some()
}

/// The Secret with what it lacks. A token that is there stays.
fn filled(mut secret: Secret, (namespace, uid): (&str, &str), root_ca: Option<&str>, token: String) -> Secret {
    let mut data: BTreeMap<String, ByteString> = secret.data.take().unwrap_or_default();
    let is_empty =
        |data: &BTreeMap<String, ByteString>, key: &str| data.get(key).is_none_or(|value| value.0.is_empty());
    if let Some(pem) = root_ca {
        data.insert("ca.crt".to_owned(), ByteString(pem.as_bytes().to_vec()));
    }
    if is_empty(&data, "namespace") {
        data.insert("namespace".to_owned(), ByteString(namespace.as_bytes().to_vec()));
    }
    if is_empty(&data, "token") {
        data.insert("token".to_owned(), ByteString(token.into_bytes()));
    }
    secret.data = Some(data);
    secret.metadata.annotations.get_or_insert_default().insert(UID.to_owned(), uid.to_owned());
    secret
}

#[async_trait]
impl Reconcile for AccountTokensController {
    fn name(&self) -> &'static str {
        "serviceaccount-token"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(secret) = self.cluster.account_secrets.store().get(key) else { return Ok(None) };
        let (Some(signer), Some(name)) = (&self.cluster.config.token_signer, account_of(&secret)) else {
            return Ok(None);
        };
        if secret.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
        let account = self.account(&key.namespace, name).await?;
        let uid = |account: &Arc<ServiceAccount>| account.metadata.uid.clone().unwrap_or_default();
        match account.filter(|account| is_for(&secret, name, &uid(account))) {
            Some(account) if is_filled(&secret, self.cluster.config.root_ca_pem.as_deref()) => drop(account),
            Some(account) => self.fill(key, &account, signer).await?,
            None => {
                let api: Api<Secret> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
                let this = Preconditions { uid: secret.metadata.uid.clone(), resource_version: None };
                let options = DeleteParams { preconditions: Some(this), ..DeleteParams::default() };
                match api.delete(&key.name, &options).await {
                    // Gone, or another one of this name.
                    Err(error) if is_code(&error, 404) || is_code(&error, 409) => {}
                    Err(error) => return Err(error.into()),
                    Ok(_) => {}
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(account: &str, uid: Option<&str>) -> Secret {
        let mut secret = Secret { type_: Some(TYPE.to_owned()), ..Secret::default() };
        let annotations = secret.metadata.annotations.get_or_insert_default();
        annotations.insert(NAME.to_owned(), account.to_owned());
        uid.into_iter().for_each(|uid| drop(annotations.insert(UID.to_owned(), uid.to_owned())));
        secret
    }

    #[test]
    fn a_secret_is_for_the_account_that_it_names_and_for_no_later_one() {
        assert!(is_for(&secret("bot", None), "bot", "u1"));
        assert!(is_for(&secret("bot", Some("u1")), "bot", "u1"));
        assert!(!is_for(&secret("bot", Some("u1")), "bot", "u2"));
        assert!(!is_for(&secret("bot", None), "other", "u1"));
        let opaque = Secret { type_: Some("Opaque".to_owned()), ..secret("bot", None) };
        assert!(!is_for(&opaque, "bot", "u1"));
    }

    #[test]
    fn what_lacks_is_filled_in_and_a_token_stays() {
        let empty = secret("bot", None);
        assert!(!is_filled(&empty, Some("ca")));
        let first = filled(empty, ("ns", "u1"), Some("ca"), "one".to_owned());
        let text =
            |secret: &Secret, key: &str| String::from_utf8(secret.data.as_ref().unwrap()[key].0.clone()).unwrap();
        assert_eq!(
            (text(&first, "token"), text(&first, "namespace"), text(&first, "ca.crt")),
            ("one".into(), "ns".into(), "ca".into())
        );
        assert_eq!(annotation(&first, UID), Some("u1"));
        assert!(is_filled(&first, Some("ca")) && !is_filled(&first, Some("another ca")));
        let second = filled(first, ("ns", "u1"), Some("another ca"), "two".to_owned());
        assert_eq!((text(&second, "token"), text(&second, "ca.crt")), ("one".into(), "another ca".into()));
    }
}
