//! Other objects a pod is made with: ConfigMaps, Secrets, tokens. Read when they are needed, so always as they are now.

use async_trait::async_trait;
use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{ConfigMap, Pod, Secret, ServiceAccount},
};
use kube::{Api, Client, ResourceExt, api::PostParams};

/// Where objects come from: the API server, or a test's own map.
#[async_trait]
pub trait Objects: Send + Sync {
    /// A ConfigMap; None if it doesn't exist.
    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, kube::Error>;

    /// A Secret; None if it doesn't exist.
    async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, kube::Error>;

    /// A token of the pod's service account, bound to the pod.
    async fn token(&self, pod: &Pod, audience: Option<&str>, seconds: Option<i64>) -> Result<String, kube::Error>;
}

#[async_trait]
impl Objects for Client {
    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, kube::Error> {
        Api::namespaced(self.clone(), namespace).get_opt(name).await
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, kube::Error> {
        Api::namespaced(self.clone(), namespace).get_opt(name).await
    }

    async fn token(&self, pod: &Pod, audience: Option<&str>, seconds: Option<i64>) -> Result<String, kube::Error> {
        let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default");
        let bound = BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
        };
        let audiences = audience.map(|audience| vec![audience.to_owned()]);
        let spec = TokenRequestSpec { audiences, bound_object_ref: Some(bound), expiration_seconds: seconds };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let namespace = pod.namespace().unwrap_or_default();
        let accounts: Api<ServiceAccount> = Api::namespaced(self.clone(), &namespace);
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        Ok(answer.status.unwrap_or_default().token.unwrap_or_default())
    }
}

#[cfg(test)]
pub mod fake {
    //! Objects out of a map.

    use std::collections::BTreeMap;

    use super::*;

    /// ConfigMaps and Secrets by name, all in one namespace.
    #[derive(Default)]
    pub struct Fake {
        pub config_maps: BTreeMap<String, ConfigMap>,
        pub secrets: BTreeMap<String, Secret>,
    }

    #[async_trait]
    impl Objects for Fake {
        async fn config_map(&self, _: &str, name: &str) -> Result<Option<ConfigMap>, kube::Error> {
            Ok(self.config_maps.get(name).cloned())
        }

        async fn secret(&self, _: &str, name: &str) -> Result<Option<Secret>, kube::Error> {
            Ok(self.secrets.get(name).cloned())
        }

        async fn token(&self, _: &Pod, audience: Option<&str>, _: Option<i64>) -> Result<String, kube::Error> {
            Ok(format!("token for {}", audience.unwrap_or("nobody")))
        }
    }
}
