//! Bytes to and from streams.

use wasip3::cli::{stderr, stdout};
use wasip3::wit_bindgen::StreamReader;
use wasip3::{spawn_local, wit_stream};

use crate::Outcome;

/// A stream that carries `text`.
pub fn of(text: &str) -> StreamReader<u8> {
    let (mut writer, reader) = wit_stream::new();
    let bytes = text.as_bytes().to_vec();
    spawn_local(async move {
        // Nobody reads on: then nobody wants the rest.
        let _ = writer.write_all(bytes).await;
    });
    reader
}

/// Writes `text` to stdout.
pub async fn say(text: &str) -> Outcome {
    stdout::write_via_stream(of(text)).await.map_err(|error| format!("stdout: {error:?}"))?;
    Ok(0)
}

/// Writes `text` to stderr, where there is nobody to tell if that fails.
pub async fn complain(text: &str) {
    let _ = stderr::write_via_stream(of(text)).await;
}
