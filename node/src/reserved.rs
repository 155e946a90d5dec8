//! What of the machine is not for pods: kubelet's `--system-reserved` and `--kube-reserved`.

use std::{collections::BTreeMap, str::FromStr};

use coracle_api::quantity::Quantity;

/// What can be reserved.
const RESOURCES: [&str; 4] = ["cpu", "memory", "ephemeral-storage", "pid"];

/// Reserved amounts by resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reserved(BTreeMap<String, Quantity>);

/// Why a text is no reservation: kubelet's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReservedError {
    /// not RESOURCE=AMOUNT
    #[error("malformed pair, expect string=string")]
    Pair,
    /// no such resource
    #[error("cannot reserve {0:?} resource")]
    Resource(String),
    /// not a quantity
    #[error("failed to parse quantity {value:?} for {resource:?} resource: {why}")]
    Quantity {
        /// The resource.
        resource: String,
        /// What is given.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// less than nothing
    #[error("resource quantity for {0:?} cannot be negative: {1}")]
    Negative(String, String),
}

impl FromStr for Reserved {
    type Err = ReservedError;

    /// `cpu=200m,memory=500Mi,ephemeral-storage=1Gi,pid=1000`; the last of two amounts of one resource counts.
    fn from_str(text: &str) -> Result<Self, ReservedError> {
        let mut all = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (resource, value) = part.split_once('=').ok_or(ReservedError::Pair)?;
            if !RESOURCES.contains(&resource) {
                return Err(ReservedError::Resource(resource.to_owned()));
            }
            let (resource, value) = (resource.to_owned(), value.to_owned());
            let quantity: Quantity = match value.parse() {
                Ok(quantity) => quantity,
                Err(error) => {
                    let why = format!("{error}");
                    return Err(ReservedError::Quantity { resource, value, why });
                }
            };
            if quantity.is_negative() {
                return Err(ReservedError::Negative(resource, value));
            }
            all.insert(resource, quantity);
        }
        Ok(Self(all))
    }
}

impl Reserved {
    /// What is reserved of a resource.
    pub fn of(&self, resource: &str) -> Quantity {
        self.0.get(resource).copied().unwrap_or(Quantity::ZERO)
    }
}

/// What is left of an amount when this is reserved of it; nothing rather than less.
pub fn left(amount: &str, reserved: [&Reserved; 2], resource: &str) -> String {
    let taken = reserved.iter().fold(Quantity::ZERO, |sum, it| sum + it.of(resource));
    if taken.is_zero() {
        return amount.to_owned();
    }
    let all: Quantity = amount.parse().unwrap_or_default();
    let rest = if taken > all { Quantity::ZERO } else { all - taken };
    rest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_are_read_as_kubelet_reads_them() {
        let reserved: Reserved = "cpu=200m, memory=1Gi,pid=100".parse().unwrap();
        assert_eq!((reserved.of("cpu").to_string(), reserved.of("ephemeral-storage").is_zero()), ("200m".into(), true));
        let error = |text: &str| text.parse::<Reserved>().unwrap_err().to_string();
        assert_eq!(error("cpu"), "malformed pair, expect string=string");
        assert_eq!(error("gpu=1"), "cannot reserve \"gpu\" resource");
        assert_eq!(error("memory=-1Mi"), "resource quantity for \"memory\" cannot be negative: -1Mi");
        assert!(
            error("memory=x").starts_with("failed to parse quantity \"x\" for \"memory\" resource: quantities must")
        );
    }

    #[test]
    fn what_is_reserved_is_taken_away() {
        let (one, other): (Reserved, Reserved) =
            ("memory=1Gi,cpu=500m".parse().unwrap(), "memory=1Gi".parse().unwrap());
        let rest = |amount: &str, resource: &str| left(amount, [&one, &other], resource);
        assert_eq!(
            [rest("4Gi", "memory"), rest("2", "cpu"), rest("10Gi", "ephemeral-storage")],
            ["2Gi", "1500m", "10Gi"]
        );
        assert_eq!(rest("1Gi", "memory"), "0");
    }
}
