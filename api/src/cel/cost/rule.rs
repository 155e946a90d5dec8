//! Cost formulas of functions, the same for the estimate (where sizes are ranges) and at run time (where they are known).

use super::Range;
use crate::cel::compare::entries;
use crate::cel::value::Value;
use crate::cel::work;

/// Reading one character.
const CHARACTER: f64 = 0.1;
/// One character of a regular expression.
const REGEX_CHARACTER: f64 = 0.25;
/// Bytes of an IP address.
const ADDRESS: Range = Range { min: 4, max: 16 };

/// `value` times a factor, rounded up; stops at the largest number.
pub(in crate::cel) fn scaled(value: u64, factor: f64) -> u64 {
    // `as` saturates, which is what is wanted.
    (value as f64 * factor).ceil() as u64
}

/// What a call costs, by the sizes of its arguments (the target comes first).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cel) enum CostRule {
    /// The same for everything.
    One,
    /// The same for everything, and so much.
    Fixed(u64),
    /// Goes over the argument of that index once.
    Scan(usize),
    /// Compares with the beginning or the end of the first argument: estimated by what is compared with it, counted by the first.
    Affix,
    /// Looks for something in a text: as [`Self::Scan`], but counted in whole units of its bytes.
    Search,
    /// Looks at all elements of the first argument: as [`Self::Elements`], but counted by what they are.
    Traverse,
    /// Goes over the first argument and writes something of that size.
    Rewrite,
    /// `join`: writes the result.
    Join,
    /// Goes over the elements of the first argument, and over their characters if they have any.
    Elements,
    /// Finds one text in another.
    Contains,
    /// Matches the first argument with the regular expression of the second.
    Regex,
    /// Compares two values.
    Compare,
    /// `in` a list.
    InList,
    /// `+` of texts or bytes.
    Concat,
    /// Each element of the first argument with each of the second.
    Product,
    /// Whether an address is in a block; the flag says that the second argument is a text.
    InBlock(bool),
    /// Whether a block is in a block.
    BlockInBlock(bool),
}

impl CostRule {
    /// The cost, given sizes of arguments, the size of the elements of the first one (when they have characters), and the
    /// size of the result.
    pub(in crate::cel) fn of(self, sizes: &[Range], element: Option<Range>, result: Range) -> Range {
        let size = |index: usize| sizes.get(index).copied().unwrap_or(Range::UNKNOWN);
        let one = Range::exactly(1);
        match self {
            Self::One => one,
            Self::Fixed(cost) => Range::exactly(cost),
            Self::Scan(index) => size(index).scaled(CHARACTER),
            Self::Affix => size(1).scaled(CHARACTER),
            Self::Search => size(0).scaled(CHARACTER),
            Self::Rewrite => size(0).scaled(2.0 * CHARACTER),
            Self::Join => result.scaled(CHARACTER),
            Self::Elements | Self::Traverse => {
                let each = element.map_or(one, |element| one.plus(element.scaled(CHARACTER)));
                size(0).times(each)
            }
            Self::Contains => size(0).scaled(CHARACTER).times(size(1).scaled(CHARACTER)),
            // One more than the text: an expression costs something even where there is nothing to match.
            Self::Regex => size(0).plus(one).scaled(CHARACTER).times(size(1).scaled(REGEX_CHARACTER)),
            Self::Compare => {
                let most = size(0).max.min(size(1).max);
                Range { min: u64::from(most > 0), max: most }.scaled(CHARACTER)
            }
            Self::InList => size(1),
            Self::Concat => size(0).plus(size(1)).scaled(CHARACTER),
            Self::Product => one.plus(size(0).times(size(1))),
            Self::InBlock(text) => address(text, size(1)),
            Self::BlockInBlock(text) => address(text, size(1)).plus(ADDRESS.scaled(CHARACTER)).plus(one),
        }
    }
}

impl CostRule {
    /// What a call with these arguments costs when it runs.
    pub(in crate::cel) fn at_runtime(self, values: &[Value<'_>]) -> u64 {
        match (self, values) {
            (Self::Affix, [text, ..]) => scaled(text.size(), CHARACTER),
            (Self::Search | Self::Traverse, [first, ..]) => traversal(first),
            _ => {
                let sizes: Vec<Range> = values.iter().map(|value| Range::exactly(value.size())).collect();
                self.of(&sizes, None, Range::ZERO).max
            }
        }
    }
}

/// What going over a value and everything in it costs.
fn traversal(value: &Value<'_>) -> u64 {
    let part = |bytes: usize| (bytes as f64 * CHARACTER) as u64;
    if !work::spend(1) {
        return u64::MAX;
    }
    match value {
        Value::String(text) => part(text.len()),
        Value::Bytes(bytes) => part(bytes.len()),
        Value::List(list) => list.iter().fold(0, |cost, item| cost.saturating_add(traversal(&item))),
        Value::Map(_) | Value::Object(_) => {
            let members = entries(value).into_iter().flat_map(|(key, value)| [key, value]);
            members.fold(0, |cost, member| cost.saturating_add(traversal(&member)))
        }
        _ => 1,
    }
}

fn address(text: bool, size: Range) -> Range {
    let compare = ADDRESS.plus(ADDRESS).scaled(CHARACTER);
    if text { compare.plus(size.scaled(CHARACTER)) } else { compare }
}

/// How large the result of a call can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cel) enum SizeRule {
    /// As the type says, or not known.
    Unknown,
    /// As the first argument.
    Same,
    /// At most as the first argument.
    UpTo,
    /// Both arguments together.
    Sum,
    /// `replace`
    Replace,
    /// `join`
    Join,
    /// Text to bytes: up to four times as many.
    Bytes,
    /// Bytes to text.
    Chars,
    /// With quotes and escapes.
    Quoted,
}

impl SizeRule {
    /// The size, given the sizes of arguments and of the elements of the first one.
    pub(in crate::cel) fn of(self, sizes: &[Range], element: Option<Range>) -> Option<Range> {
        let size = |index: usize| sizes.get(index).copied().unwrap_or(Range::UNKNOWN);
        let first = size(0);
        Some(match self {
            Self::Unknown => return None,
            Self::Same => first,
            Self::UpTo => Range { min: 0, max: first.max },
            Self::Sum => first.plus(size(1)),
            Self::Replace => replaced(first, size(1), size(2)),
            Self::Join => joined(first, element, sizes.get(1).copied()),
            Self::Bytes => Range { min: first.min, max: first.max.saturating_mul(4) },
            Self::Chars => Range { min: first.min / 4, max: first.max },
            Self::Quoted => {
                Range { min: first.min.saturating_add(2), max: first.max.saturating_mul(2).saturating_add(2) }
            }
        })
    }
}

fn replaced(text: Range, old: Range, new: Range) -> Range {
    let most = match old.min {
        // Nothing is replaced before, between and after all characters.
        0 => text.max.saturating_add(1).saturating_mul(new.max).saturating_add(text.max),
        _ if new.max <= old.min => text.max,
        shortest => text.max.div_ceil(shortest).saturating_mul(new.max),
    };
    let least = match old.max {
        0 => text.min.saturating_add(1).saturating_mul(new.min).saturating_add(text.min),
        longest if longest <= new.min => text.min,
        longest => text.min.div_ceil(longest).saturating_mul(new.min),
    };
    Range { min: least, max: most }
}

fn joined(list: Range, element: Option<Range>, separator: Option<Range>) -> Range {
    let items = element.map_or(Range::ZERO, |element| list.times(element));
    let gaps = Range { min: list.min.saturating_sub(1), max: list.max.saturating_sub(1) };
    separator.map_or(items, |separator| items.plus(separator.times(gaps)))
}
