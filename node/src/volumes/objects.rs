//! Other objects a pod is made with: ConfigMaps, Secrets, tokens, claims, its RuntimeClass. Read when they are needed, so
//! always as they are now.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{ConfigMap, Node, PersistentVolume, PersistentVolumeClaim, Pod, Secret, ServiceAccount},
    node::v1::RuntimeClass,
};
use kube::{Api, Client, ResourceExt, api::PostParams};
use serde::{Deserialize, Serialize};

/// How long a token is good for if the server doesn't say (API reference, ServiceAccountTokenProjection).
const DEFAULT_SECONDS: i64 = 3600;

/// A token of a service account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    /// What to show to servers.
    pub text: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// Until when it is good.
    pub expires: Timestamp,
}

/// Where objects come from: the API server, or a test's own map.
#[async_trait]
pub trait Objects: Send + Sync {
    /// A ConfigMap; None if it doesn't exist.
    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, kube::Error>;

    /// A Secret; None if it doesn't exist.
    async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, kube::Error>;

    /// A token of the pod's service account, bound to the pod.
    async fn token(&self, pod: &Pod, audience: Option<&str>, seconds: Option<i64>) -> Result<Token, kube::Error>;

    /// A claim; None if it doesn't exist.
    async fn claim(&self, namespace: &str, name: &str) -> Result<Option<PersistentVolumeClaim>, kube::Error>;

    /// A persistent volume; None if it doesn't exist.
    async fn persistent_volume(&self, name: &str) -> Result<Option<PersistentVolume>, kube::Error>;

    /// A RuntimeClass; None if it doesn't exist.
    async fn runtime_class(&self, name: &str) -> Result<Option<RuntimeClass>, kube::Error>;

    /// The labels of a node; None if nobody knows them just now.
    async fn node_labels(&self, name: &str) -> Option<BTreeMap<String, String>>;
}

#[async_trait]
impl Objects for Client {
    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, kube::Error> {
        Api::namespaced(self.clone(), namespace).get_opt(name).await
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, kube::Error> {
        Api::namespaced(self.clone(), namespace).get_opt(name).await
    }

    async fn token(&self, pod: &Pod, audience: Option<&str>, seconds: Option<i64>) -> Result<Token, kube::Error> {
        let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default");
        let bound = BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
        };
        let audiences = audience.filter(|audience| !audience.is_empty()).map(|audience| vec![audience.to_owned()]);
        let spec = TokenRequestSpec { audiences, bound_object_ref: Some(bound), expiration_seconds: seconds };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let namespace = pod.namespace().unwrap_or_default();
        let accounts: Api<ServiceAccount> = Api::namespaced(self.clone(), &namespace);
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        let status = answer.status.unwrap_or_default();
        let granted = answer.spec.and_then(|spec| spec.expiration_seconds).or(seconds).unwrap_or(DEFAULT_SECONDS);
        let granted_span = SignedDuration::from_secs(granted);
        let later = || Timestamp::now().saturating_add(granted_span).unwrap_or(Timestamp::MAX);
        let expires = status.expiration_timestamp.map_or_else(later, |time| time.0);
        let issued = expires.saturating_sub(granted_span).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(Token { text: status.token.unwrap_or_default(), issued, expires })
    }

    async fn claim(&self, namespace: &str, name: &str) -> Result<Option<PersistentVolumeClaim>, kube::Error> {
        Api::namespaced(self.clone(), namespace).get_opt(name).await
    }

    async fn persistent_volume(&self, name: &str) -> Result<Option<PersistentVolume>, kube::Error> {
        Api::all(self.clone()).get_opt(name).await
    }

    async fn runtime_class(&self, name: &str) -> Result<Option<RuntimeClass>, kube::Error> {
        Api::all(self.clone()).get_opt(name).await
    }

    async fn node_labels(&self, name: &str) -> Option<BTreeMap<String, String>> {
        let found = Api::<Node>::all(self.clone()).get_metadata(name).await;
        found.ok().map(|node| node.metadata.labels.unwrap_or_default())
    }
}

#[cfg(test)]
pub mod fake {
    //! Objects out of a map.

    use super::*;

    /// Objects by name, all in one namespace.
    #[derive(Default)]
    pub struct Fake {
        pub config_maps: BTreeMap<String, ConfigMap>,
        pub secrets: BTreeMap<String, Secret>,
        pub claims: BTreeMap<String, PersistentVolumeClaim>,
        pub volumes: BTreeMap<String, PersistentVolume>,
        /// Of the one node.
        pub node_labels: Option<BTreeMap<String, String>>,
        /// How many tokens were issued: each says which one it is.
        pub tokens: std::sync::atomic::AtomicUsize,
    }

    #[async_trait]
    impl Objects for Fake {
        async fn config_map(&self, _: &str, name: &str) -> Result<Option<ConfigMap>, kube::Error> {
            Ok(self.config_maps.get(name).cloned())
        }

        async fn secret(&self, _: &str, name: &str) -> Result<Option<Secret>, kube::Error> {
            Ok(self.secrets.get(name).cloned())
        }

        async fn token(&self, _: &Pod, audience: Option<&str>, seconds: Option<i64>) -> Result<Token, kube::Error> {
            let number = self.tokens.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let issued = Timestamp::now();
            let expires = issued + SignedDuration::from_secs(seconds.unwrap_or(DEFAULT_SECONDS));
            let text = format!("token {number} for {}", audience.unwrap_or("nobody"));
            Ok(Token { text, issued, expires })
        }

        async fn claim(&self, _: &str, name: &str) -> Result<Option<PersistentVolumeClaim>, kube::Error> {
            Ok(self.claims.get(name).cloned())
        }

        async fn persistent_volume(&self, name: &str) -> Result<Option<PersistentVolume>, kube::Error> {
            Ok(self.volumes.get(name).cloned())
        }

        async fn runtime_class(&self, _: &str) -> Result<Option<RuntimeClass>, kube::Error> {
            Ok(None)
        }

        async fn node_labels(&self, _: &str) -> Option<BTreeMap<String, String>> {
            self.node_labels.clone()
        }
    }
}
