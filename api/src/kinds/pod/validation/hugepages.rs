//! Huge pages: memory in pieces of a size that is part of the resource's name.

use crate::quantity::Quantity;

pub(super) const PREFIX: &str = "hugepages-";

pub(super) fn is(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Why the amount is none of this resource.
pub(super) fn error(name: &str, amount: Quantity) -> Option<String> {
    let size = name.strip_prefix(PREFIX)?.parse::<Quantity>().ok().filter(|size| size.is_whole() && size.value() > 0);
    let divisible = size.is_some_and(|size| amount.value() % size.value() == 0);
    (!divisible).then(|| format!("{amount} is not positive integer multiple of {name}"))
}
