//! What flows through the pipes of a container: pieces of its stdout and stderr in the order they were written, or of its
//! stdin. Each has a head of five bytes: what it is, and its length (little-endian).

use crate::limits::OUTPUT_CHUNK_LIMIT_BYTES;

/// Bytes before each piece.
pub(super) const HEAD_BYTES: usize = 5;

/// The pipe carries something else than pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pipe carries what it should not")]
pub(super) struct BadFrame;

/// The head of a piece. Callers have split what is longer than a chunk.
pub(super) fn head(kind: u8, length: usize) -> [u8; HEAD_BYTES] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    [kind, a, b, c, d]
}

/// Takes pieces apart as they arrive. It holds no more than a head.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    left: usize,
}

impl Decoder {
    /// The next part of a piece in `bytes`, and what it is; a piece of no length is told once. None: more must arrive.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<(u8, &'a [u8])>, BadFrame> {
        while self.head_bytes < HEAD_BYTES {
            let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
            self.head[self.head_bytes] = *first;
            (self.head_bytes, *bytes) = (self.head_bytes + 1, rest);
            if self.head_bytes == HEAD_BYTES {
                let [_, a, b, c, d] = self.head;
                self.left = usize::try_from(u32::from_le_bytes([a, b, c, d])).map_err(|_| BadFrame)?;
                if self.left > OUTPUT_CHUNK_LIMIT_BYTES {
                    return Err(BadFrame);
                }
                if self.left == 0 {
                    self.head_bytes = 0;
                    return Ok(Some((self.head[0], &[])));
                }
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(self.left));
        *bytes = rest;
        self.left -= piece.len();
        if self.left == 0 {
            self.head_bytes = 0;
        }
        Ok(Some((self.head[0], piece)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(decoder: &mut Decoder, mut bytes: &[u8], into: &mut Vec<(u8, Vec<u8>)>) -> Result<(), BadFrame> {
        while let Some((kind, piece)) = decoder.next(&mut bytes)? {
            into.push((kind, piece.to_vec()));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn pieces_arrive_whole_however_they_are_cut(
            pieces in prop::collection::vec((0u8..2, prop::collection::vec(any::<u8>(), 1..300)), 0..20), cut in 1usize..50
        ) {
            let sent: Vec<u8> =
                pieces.iter().flat_map(|(kind, piece)| [&head(*kind, piece.len())[..], piece].concat()).collect();
            let (mut decoder, mut came) = (Decoder::default(), Vec::new());
            for part in sent.chunks(cut) {
                decode(&mut decoder, part, &mut came).unwrap();
            }
            let joined = |list: &[(u8, Vec<u8>)]| -> Vec<(u8, u8)> {
                list.iter().flat_map(|(kind, piece)| piece.iter().map(|byte| (*kind, *byte))).collect()
            };
            prop_assert_eq!(joined(&came), joined(&pieces));
        }

        #[test]
        fn garbage_is_an_error_or_bytes_and_never_more_than_came(garbage in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut came = Vec::new();
            let _ = decode(&mut Decoder::default(), &garbage, &mut came);
            prop_assert!(came.iter().map(|(_, piece)| piece.len()).sum::<usize>() <= garbage.len());
        }
    }

    #[test]
    fn a_piece_of_no_length_is_told_once_and_one_too_long_is_refused() {
        let mut came = Vec::new();
        decode(&mut Decoder::default(), &[head(1, 0), head(0, 0)].concat(), &mut came).unwrap();
        assert_eq!(came, [(1, vec![]), (0, vec![])]);
        let long = head(0, OUTPUT_CHUNK_LIMIT_BYTES + 1);
        assert_eq!(Decoder::default().next(&mut &long[..]), Err(BadFrame));
    }
}
