//! Kubeconfigs: who they say the node is, and the one that the node writes itself.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kube::{
    Client, Config,
    config::{AuthInfo, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext},
};
use serde_json::Value;

use super::{CredentialError, Pair};
use crate::files::write_atomic_with_mode;

/// What kubelet calls what is in its file.
const CLUSTER: &str = "default-cluster";
const USER: &str = "default-auth";
const CONTEXT: &str = "default-context";

/// The file.
pub fn read(file: &Path) -> Result<Kubeconfig, CredentialError> {
    let unreadable = |error: kube::config::KubeconfigError| CredentialError::Unreadable {
        path: file.to_owned(),
        why: cause(&error),
    };
    Kubeconfig::read_from(file).map_err(unreadable)
}

/// What its current context says.
pub async fn config(file: &Path, kubeconfig: Kubeconfig) -> Result<Config, CredentialError> {
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    config.map_err(|error| CredentialError::Unusable { path: file.to_owned(), why: cause(&error) })
}

/// An error with what it has of causes.
fn cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// A client as which a configuration signs in.
pub fn client(config: Config) -> Result<Client, CredentialError> {
    Client::try_from(config).map_err(|error| CredentialError::Client(Box::new(error)))
}

/// The certificate by which a user signs in; None for one that signs in by other means.
///
/// # Errors
/// When there should be one: says what is wrong with it.
pub fn pair(user: &AuthInfo) -> Result<Option<Pair>, String> {
    let certificate = part(user.client_certificate_data.as_deref(), user.client_certificate.as_deref())?;
    // The library shows a secret to nobody but who writes it down.
    let written = serde_json::to_value(user).map_err(|error| error.to_string())?;
    let key = part(written["client-key-data"].as_str(), user.client_key.as_deref())?;
    match (certificate, key) {
        (Some(certificate), Some(key)) => Pair::new(&certificate, &key).map(Some),
        (None, None) => Ok(None),
        (Some(_), None) => Err("there is a client certificate without its key".to_owned()),
        (None, Some(_)) => Err("there is a client key without its certificate".to_owned()),
    }
}

/// What stands in the file itself, or in another that it names.
fn part(data: Option<&str>, file: Option<&str>) -> Result<Option<String>, String> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|error| error.to_string());
    match (data.filter(|data| !data.is_empty()), file.filter(|file| !file.is_empty())) {
        (Some(data), _) => text(STANDARD.decode(data.trim()).map_err(|error| error.to_string())?).map(Some),
        (None, Some(file)) => text(std::fs::read(file).map_err(|error| format!("{file}: {error}"))?).map(Some),
        (None, None) => Ok(None),
    }
}

/// Writes the kubeconfig that leads to the same cluster as `bootstrap`, and to the pair at `pem` (kubelet's
/// `writeKubeconfigFromBootstrapping`).
pub fn write(file: &Path, bootstrap: &Kubeconfig, pem: &Path) -> Result<(), CredentialError> {
    let failed = |source| CredentialError::Write { path: file.to_owned(), source };
    let pem = std::path::absolute(pem).map_err(failed)?;
    let text =
        serde_yaml::to_string(&document(bootstrap, &pem)).map_err(|error| failed(std::io::Error::other(error)))?;
    write_atomic_with_mode(file, text.as_bytes(), 0o600).map_err(failed)
}

fn document(bootstrap: &Kubeconfig, pem: &Path) -> Value {
    let current = bootstrap.current_context.as_deref();
    let context = bootstrap.contexts.iter().find(|context| Some(context.name.as_str()) == current);
    let name = context.and_then(|context| context.context.as_ref()).map(|context| context.cluster.as_str());
    let cluster = bootstrap.clusters.iter().find(|cluster| Some(cluster.name.as_str()) == name);
    let cluster = cluster.and_then(|cluster| cluster.cluster.clone());
    let pem = Some(PathBuf::from(pem).display().to_string());
    let user = AuthInfo { client_certificate: pem.clone(), client_key: pem, ..AuthInfo::default() };
    let context = Context {
        cluster: CLUSTER.into(),
        user: Some(USER.into()),
        namespace: Some("default".into()),
        ..Context::default()
    };
    let kubeconfig = Kubeconfig {
        kind: Some("Config".into()),
        api_version: Some("v1".into()),
        clusters: vec![NamedCluster { name: CLUSTER.into(), cluster, ..NamedCluster::default() }],
        auth_infos: vec![NamedAuthInfo { name: USER.into(), auth_info: Some(user), ..NamedAuthInfo::default() }],
        contexts: vec![NamedContext { name: CONTEXT.into(), context: Some(context), ..NamedContext::default() }],
        current_context: Some(CONTEXT.into()),
        ..Kubeconfig::default()
    };
    let mut written = serde_json::to_value(kubeconfig).unwrap_or_default();
    drop_nulls(&mut written);
    written
}

/// A password that nobody has is none, rather than null.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
