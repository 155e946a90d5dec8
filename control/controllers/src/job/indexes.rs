//! Sets of completion indexes, written as `1,3-5,7`.

use std::collections::BTreeSet;
use std::fmt;

/// Completion indexes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes(BTreeSet<i32>);

impl Indexes {
    /// Reads `1,3-5,7`; what is no index, or not below `completions`, is left out.
    pub fn parse(text: &str, completions: i32) -> Indexes {
        let mut indexes = BTreeSet::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            if let (Ok(first), Ok(last)) = (first.trim().parse::<i32>(), last.trim().parse::<i32>()) {
                indexes.extend(first.max(0)..=last.min(completions - 1));
            }
        }
        Indexes(indexes)
    }

    /// Adds one.
    pub fn insert(&mut self, index: i32) {
        self.0.insert(index);
    }

    /// Whether it is in.
    pub fn contains(&self, index: i32) -> bool {
        self.0.contains(&index)
    }

    /// How many there are.
    pub fn len(&self) -> i32 {
        i32::try_from(self.0.len()).unwrap_or(i32::MAX)
    }

    /// Whether there are none.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many of these are in `others` too.
    pub fn common(&self, others: &Indexes) -> i32 {
        i32::try_from(self.0.intersection(&others.0).count()).unwrap_or(i32::MAX)
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while rest.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            // Two neighbours are listed; three and more are a range, as in Kubernetes.
            match last - first {
                0 => write!(f, "{separator}{first}")?,
                1 => write!(f, "{separator}{first},{last}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_ranges() {
        for (text, again) in
            [("", ""), ("1", "1"), ("1,2", "1,2"), ("0-2", "0-2"), ("5,3-4,1", "1,3-5"), ("0,x,9", "0")]
        {
            assert_eq!(Indexes::parse(text, 8).to_string(), again, "{text}");
        }
        assert_eq!(Indexes::parse("0-100", 3).len(), 3);
        assert_eq!(Indexes::parse("0-3", 8).common(&Indexes::parse("2-5", 8)), 2);
    }
}
