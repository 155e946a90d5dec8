//! Header blocks: names and values, compressed with a context that lasts as long as the connection.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::dictionary::dictionary;
use crate::streaming::wire::Headers;

/// A header block may have so many bytes once it is decompressed; clients send some hundred.
pub const BLOCK_LIMIT_BYTES: usize = 64 * 1024;
/// How much room decompression gets at a time.
const STEP_BYTES: usize = 4 * 1024;
/// What separates several values of one name.
const SEPARATOR: char = '\0';

/// Why a header block can't be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// it is not compressed as it must be
    #[error("a header block is not compressed with SPDY's dictionary")]
    Compression,
    /// it is too long
    #[error("a header block has more than {BLOCK_LIMIT_BYTES} bytes")]
    TooLong,
    /// it does not hold what it says
    #[error("a header block is not a list of names and values")]
    Form,
}

/// Reads the header blocks of one connection, in their order.
pub struct HeaderReader {
    inflate: Decompress,
}

impl HeaderReader {
    /// The context at the beginning of a connection.
    pub fn new() -> HeaderReader {
        HeaderReader { inflate: Decompress::new(true) }
    }

    /// Reads a block.
    pub fn read(&mut self, block: &[u8]) -> Result<Headers, BlockError> {
        parse(&self.inflate(block)?)
    }

    fn inflate(&mut self, mut block: &[u8]) -> Result<Vec<u8>, BlockError> {
        let mut plain = Vec::with_capacity(STEP_BYTES);
        loop {
            if plain.len() == plain.capacity() {
                plain.reserve(STEP_BYTES);
            }
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            let done = self.inflate.decompress_vec(block, &mut plain, FlushDecompress::Sync);
            let taken = usize::try_from(self.inflate.total_in() - taken).unwrap_or(block.len());
            block = block.get(taken..).unwrap_or_default();
            if plain.len() > BLOCK_LIMIT_BYTES {
                return Err(BlockError::TooLong);
            }
            let stuck = taken == 0 && self.inflate.total_out() == given;
            match done {
                Err(error) if error.needs_dictionary().is_some() => {
                    self.inflate.set_dictionary(dictionary()).map_err(|_| BlockError::Compression)?;
                }
                Err(_) => return Err(BlockError::Compression),
                // With room left, everything that the input says is there.
                Ok(_) if block.is_empty() && plain.len() < plain.capacity() => return Ok(plain),
                Ok(Status::StreamEnd) => return Err(BlockError::Compression),
                Ok(_) if stuck && plain.len() < plain.capacity() => return Err(BlockError::Compression),
                Ok(_) => {}
            }
        }
    }
}

/// The names and values of a decompressed block.
fn parse(mut block: &[u8]) -> Result<Headers, BlockError> {
    let count = number(&mut block).ok_or(BlockError::Form)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        // Each takes eight bytes at least, so a count that lies ends with the block.
        let name = text(&mut block).ok_or(BlockError::Form)?;
        let value = text(&mut block).ok_or(BlockError::Form)?;
        let first = value.split(SEPARATOR).next().unwrap_or_default().to_owned();
        headers.push((name.to_ascii_lowercase(), first));
    }
    Ok(Headers(headers))
}

fn number(block: &mut &[u8]) -> Option<u32> {
    let (bytes, rest) = block.split_first_chunk::<4>()?;
    *block = rest;
    Some(u32::from_be_bytes(*bytes))
}

fn text(block: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(number(block)?).ok()?;
    let (bytes, rest) = block.split_at_checked(length)?;
    *block = rest;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// Writes the header blocks of one connection, in their order.
pub struct HeaderWriter {
    deflate: Compress,
}

impl HeaderWriter {
    /// The context at the beginning of a connection.
    pub fn new() -> HeaderWriter {
        let mut deflate = Compress::new(Compression::fast(), true);
        // Fails for a raw stream only; a block without it is still one that any reader understands.
        let _ = deflate.set_dictionary(dictionary());
        HeaderWriter { deflate }
    }

    /// A block of these headers.
    pub fn write(&mut self, headers: &Headers) -> Vec<u8> {
        let mut plain = Vec::new();
        let length = |length: usize| u32::try_from(length).unwrap_or_default().to_be_bytes();
        plain.extend_from_slice(&length(headers.0.len()));
        for (name, value) in &headers.0 {
            for text in [name, value] {
                plain.extend_from_slice(&length(text.len()));
                plain.extend_from_slice(text.as_bytes());
            }
        }
        self.compress(&plain)
    }

    fn compress(&mut self, mut plain: &[u8]) -> Vec<u8> {
        let mut block = Vec::with_capacity(plain.len() + STEP_BYTES);
        loop {
            let before = self.deflate.total_in();
            let done = self.deflate.compress_vec(plain, &mut block, FlushCompress::Sync);
            let taken = usize::try_from(self.deflate.total_in() - before).unwrap_or(plain.len());
            plain = plain.get(taken..).unwrap_or_default();
            if done.is_err() || (plain.is_empty() && block.len() < block.capacity()) {
                return block;
            }
            block.reserve(STEP_BYTES);
        }
    }
}
