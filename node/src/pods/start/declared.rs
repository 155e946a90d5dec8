//! Whether a pod's containers find what their YAML and their image name, and nothing that the node adds: no `HOSTNAME`, no
//! variables of Services, no files of `/etc`, no termination message but one that is asked for.

use std::collections::BTreeMap;

use super::annotation::{AnnotationError, annotation, error};

/// `"true"` or `"false"`, which it is without.
const ONLY_DECLARED: &str = "coracle.internal/only-declared";

/// Reads the annotation.
///
/// # Errors
/// When it is neither.
pub fn only_declared(annotations: Option<&BTreeMap<String, String>>) -> Result<bool, AnnotationError> {
    let Some((name, value)) = annotation(annotations, ONLY_DECLARED) else { return Ok(false) };
    value.parse().map_err(|_| error(name, value, "\"true\" or \"false\"".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_or_it_is_not() {
        let said = |value: &str| only_declared(Some(&BTreeMap::from([(ONLY_DECLARED.to_owned(), value.to_owned())])));
        assert_eq!(only_declared(None), Ok(false));
        assert_eq!((said("true"), said("false")), (Ok(true), Ok(false)));
        let error = said("yes").unwrap_err().to_string();
        assert_eq!(error, "annotation coracle.internal/only-declared: \"yes\" is not \"true\" or \"false\"");
    }
}
