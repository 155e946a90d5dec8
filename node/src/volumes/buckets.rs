//! The buckets of a container (`wasi:keyvalue`): its `volumeMounts`, by the names of their volumes.

use coracle_wasi_host::Bucket;
use k8s_openapi::api::core::v1::Container;

use super::{
    mount::Binding,
    volume_set::{Nature, Volumes},
};

impl Volumes {
    /// The buckets among the container's mounts. `bindings` is what they are to it, one for each, in their order. A bucket
    /// is a directory that lasts: files, and volumes that are written by the node or come with an image, are none.
    pub(super) fn buckets(&self, container: &Container, bindings: &[Binding]) -> Vec<Bucket> {
        let lasts = |name: &str| self.get(name).is_some_and(|volume| volume.nature != Nature::Payload);
        let mounts = container.volume_mounts.iter().flatten().zip(bindings);
        mounts
            .filter(|(mount, binding)| !binding.is_file && lasts(&mount.name))
            .map(|(mount, binding)| Bucket {
                name: mount.name.clone(),
                host_path: binding.host.clone(),
                read_only: binding.read_only,
            })
            .collect()
    }
}
