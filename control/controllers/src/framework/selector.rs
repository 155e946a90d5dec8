//! The selectors of objects that own what they select.

use super::controller::ReconcileError;
use coracle_api::selector::LabelSelector;
use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use std::collections::BTreeMap;

/// The selector, ready to match; without one, a selector that matches nothing.
///
/// # Errors
/// When validation would not have let it in.
pub fn selector_of(selector: Option<&v1::LabelSelector>) -> Result<LabelSelector, ReconcileError> {
    LabelSelector::from_object(selector).map_err(|error| ReconcileError::Invalid(error.to_string()))
}

/// Whether an orphan with these labels may be for the object with this selector. One that selects everything adopts
/// nothing.
pub fn may_adopt(selector: Option<&v1::LabelSelector>, labels: Option<&BTreeMap<String, String>>) -> bool {
    let labels = labels.cloned().unwrap_or_default();
    selector_of(selector).is_ok_and(|selector| !selector.is_everything() && selector.matches(&labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_selector_that_says_something_adopts() {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        let web = v1::LabelSelector { match_labels: Some(labels.clone()), ..Default::default() };
        assert!(may_adopt(Some(&web), Some(&labels)));
        assert!(!may_adopt(Some(&web), None));
        assert!(!may_adopt(Some(&v1::LabelSelector::default()), Some(&labels)));
        assert!(!may_adopt(None, Some(&labels)));
    }
}
