//! Rules of Events in both API groups.

use crate::catalog::Rules;

/// The rules of the row.
pub static CORE: Rules = Rules::GENERIC;

/// The rules of the row.
pub static EVENTS_V1: Rules = Rules::GENERIC;
