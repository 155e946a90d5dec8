//! Rules of Services and their endpoints.

use crate::catalog::Rules;

/// The rules of the row.
pub static SERVICE: Rules = Rules::GENERIC;

/// The rules of the row.
pub static ENDPOINTS: Rules = Rules::GENERIC;

/// The rules of the row.
pub static ENDPOINT_SLICE: Rules = Rules::GENERIC;
