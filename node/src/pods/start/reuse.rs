//! What a pod says about the instances of its HTTP components, by annotations: Kubernetes has no fields for it. The names
//! are those of the flags of `wasmtime serve`.

use std::{collections::BTreeMap, time::Duration};

use coracle_wasi_host::{InstanceReuse, limits};

use super::annotation::{AnnotationError, annotation, error};
use crate::go_duration;

/// Requests that one instance answers, one after the other: a number from 1.
const MAX_REUSE_COUNT: &str = "coracle.internal/max-instance-reuse-count";
/// How long an instance waits for its next request: a Go duration.
const IDLE_TIMEOUT: &str = "coracle.internal/idle-instance-timeout";
/// Instances made before a request asks for them: a number from 0.
const WARM: &str = "coracle.internal/warm-instances";

/// The longest that an instance may wait: it holds memory meanwhile.
const IDLE_TIMEOUT_LIMIT: Duration = Duration::from_secs(3600);

/// Reads the annotations of a pod.
///
/// # Errors
/// When one of them can't be understood, or is beyond its bounds.
pub fn instance_reuse(annotations: Option<&BTreeMap<String, String>>) -> Result<InstanceReuse, AnnotationError> {
    let read = |name| annotation(annotations, name);
    let mut reuse = InstanceReuse::default();
    if let Some((name, value)) = read(MAX_REUSE_COUNT) {
        let count = value.parse().ok().filter(|count| *count > 0);
        reuse.max_reuse_count = count.ok_or_else(|| error(name, value, format!("a number from 1 to {}", u32::MAX)))?;
    }
    if let Some((name, value)) = read(IDLE_TIMEOUT) {
        let time = go_duration::parse(value).ok().flatten().filter(|time| *time <= IDLE_TIMEOUT_LIMIT);
        reuse.idle_timeout = time.ok_or_else(|| error(name, value, "a duration from 0s to 1h, such as 30s".into()))?;
    }
    if let Some((name, value)) = read(WARM) {
        let most = limits::HTTP_WARM_INSTANCES;
        let count = value.parse().ok().filter(|count| *count <= most);
        reuse.warm = count.ok_or_else(|| error(name, value, format!("a number from 0 to {most}")))?;
    }
    Ok(reuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<InstanceReuse, String> {
        let all = pairs.iter().map(|(name, value)| (format!("coracle.internal/{name}"), (*value).to_owned())).collect();
        instance_reuse(Some(&all)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_is_an_instance_for_each_request() {
        assert_eq!(instance_reuse(None).unwrap(), InstanceReuse::default());
        assert_eq!(read(&[]).unwrap().max_reuse_count, 1);
        let said =
            read(&[("max-instance-reuse-count", "128"), ("idle-instance-timeout", "1m30s"), ("warm-instances", "2")]);
        let wanted = InstanceReuse { max_reuse_count: 128, idle_timeout: Duration::from_secs(90), warm: 2 };
        assert_eq!(said, Ok(wanted));
    }

    #[test]
    fn what_cannot_be_is_an_error_that_says_what_can() {
        assert_eq!(
            read(&[("max-instance-reuse-count", "0")]).unwrap_err(),
            "annotation coracle.internal/max-instance-reuse-count: \"0\" is not a number from 1 to 4294967295"
        );
        assert!(read(&[("idle-instance-timeout", "2h")]).unwrap_err().contains("0s to 1h"));
        assert!(read(&[("idle-instance-timeout", "-1s")]).is_err());
        assert!(read(&[("warm-instances", "65")]).unwrap_err().contains("0 to 64"));
    }
}
