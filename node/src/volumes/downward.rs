//! What the downward API says of a pod, as the node knows it: before the pod's status does.

use std::net::IpAddr;

use coracle_api::pod::{FieldRefError, ResourceList, field_value, resource_value};
use k8s_openapi::api::core::v1::{Container, EphemeralContainer, ObjectFieldSelector, Pod, ResourceFieldSelector};

/// A pod, and what its status may not show yet.
#[derive(Clone, Copy)]
pub struct Downward<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// Its address.
    pub pod_ip: IpAddr,
    /// The node's address.
    pub host_ip: IpAddr,
    /// What a container without limits may use.
    pub allocatable: &'a ResourceList,
}

/// Why a field has no value.
#[derive(Debug, thiserror::Error)]
pub enum DownwardError {
    /// the field can't be referred to
    #[error(transparent)]
    Field(#[from] FieldRefError),
    /// the pod has no such container
    #[error("container {0} not found")]
    NoContainer(String),
}

impl Downward<'_> {
    /// The pod's namespace.
    pub fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The value of a `fieldRef`.
    pub fn field(&self, selector: &ObjectFieldSelector) -> Result<String, DownwardError> {
        Ok(match &*selector.field_path {
            "status.podIP" | "status.podIPs" => self.pod_ip.to_string(),
            "status.hostIP" | "status.hostIPs" => self.host_ip.to_string(),
            path => field_value(self.pod, path)?,
        })
    }

    /// The value of a `resourceFieldRef`; without a container's name it is about `own`.
    pub fn resource(&self, from: &ResourceFieldSelector, own: Option<&Container>) -> Result<String, DownwardError> {
        let name = from.container_name.as_deref().unwrap_or_default();
        let missing = || DownwardError::NoContainer(name.to_owned());
        let divisor = from.divisor.as_ref().map_or("", |divisor| &*divisor.0);
        let container = match own.filter(|own| name.is_empty() || own.name == name) {
            Some(own) => own.clone(),
            None => self.container(name).ok_or_else(missing)?,
        };
        Ok(resource_value(&container, &from.resource, divisor, self.allocatable)?)
    }

    fn container(&self, name: &str) -> Option<Container> {
        let spec = self.pod.spec.as_ref()?;
        let mut usual = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let ephemeral = |it: &&EphemeralContainer| it.name == name;
        usual.find(|it| it.name == name).cloned().or_else(|| {
            let found = spec.ephemeral_containers.iter().flatten().find(ephemeral)?;
            Some(Container { name: name.to_owned(), resources: found.resources.clone(), ..Container::default() })
        })
    }
}
