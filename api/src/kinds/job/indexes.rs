//! Indexes of an indexed job as text, in ascending order: `1,3-5,7`.

/// The intervals in the text, or why it can't be read. There are fewer indexes than `completions`.
pub(super) fn read(indexes: &str, completions: i64) -> Result<Vec<(i64, i64)>, String> {
    let mut found: Vec<(i64, i64)> = Vec::new();
    if indexes.is_empty() {
        return Ok(found);
    }
    for text in indexes.split(',') {
        let (first, last) = interval(text, completions)?;
        if let Some((_, before)) = found.last().filter(|(_, before)| *before >= first) {
            return Err(unordered(*before, first));
        }
        found.push((first, last));
    }
    Ok(found)
}

/// How many indexes there are.
pub(super) fn count(intervals: &[(i64, i64)]) -> i64 {
    intervals.iter().map(|(first, last)| last - first + 1).sum()
}

/// The first index that is in both.
pub(super) fn overlap(one: &[(i64, i64)], other: &[(i64, i64)]) -> Option<i64> {
    let (mut at, mut other_at) = (0, 0);
    while let (Some(a), Some(b)) = (one.get(at), other.get(other_at)) {
        if a.0 <= b.1 && b.0 <= a.1 {
            return Some(a.0.max(b.0));
        }
        if a.0 <= b.0 { at += 1 } else { other_at += 1 }
    }
    None
}

fn unordered(before: i64, current: i64) -> String {
    format!("non-increasing order, previous: {before}, current: {current}")
}

fn interval(text: &str, completions: i64) -> Result<(i64, i64), String> {
    let number = |part: &str| match part.parse::<i64>() {
        Err(_) => Err(format!("cannot convert string to integer for index: \"{part}\"")),
        Ok(index) if index >= completions => Err(format!("too large index: \"{part}\"")),
        Ok(index) => Ok(index),
    };
    match text.split('-').collect::<Vec<_>>().as_slice() {
        [one] => number(one).map(|index| (index, index)),
        [first, last] => {
            let (first, last) = (number(first)?, number(last)?);
            if first >= last { Err(unordered(first, last)) } else { Ok((first, last)) }
        }
        _ => Err(format!(
            "the fragment \"{text}\" violates the requirement that an index interval can have at most two parts \
             separated by '-'"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_in_order() {
        assert_eq!(read("", 3), Ok(vec![]));
        assert_eq!(read("0,2-4,7", 8), Ok(vec![(0, 0), (2, 4), (7, 7)]));
        assert_eq!(count(&[(0, 0), (2, 4)]), 4);
        for (text, error) in [
            ("a", "cannot convert string to integer for index: \"a\""),
            ("8", "too large index: \"8\""),
            ("3-1", "non-increasing order, previous: 3, current: 1"),
            ("3,3", "non-increasing order, previous: 3, current: 3"),
        ] {
            assert_eq!(read(text, 8), Err(error.to_string()), "{text}");
        }
        assert!(read("1-2-3", 8).unwrap_err().contains("at most two parts"));
    }

    #[test]
    fn what_two_lists_share_is_found() {
        assert_eq!(overlap(&[(0, 1), (5, 7)], &[(2, 3), (7, 9)]), Some(7));
        assert_eq!(overlap(&[(0, 1), (5, 7)], &[(2, 4)]), None);
        assert_eq!(overlap(&[], &[(2, 4)]), None);
    }
}
