//! How far a transfer is, for whoever shows it.

/// Told about one pull or push. Called from async code: it must not block.
pub trait Progress: Send + Sync {
    /// A transfer begins: what it is, and how many bytes it will be where that is known.
    fn start(&self, what: &str, total_bytes: Option<u64>);
    /// So many more bytes have been transferred, or were found to be there already.
    fn advance(&self, bytes: u64);
    /// The transfer is over, done or failed.
    fn finish(&self);
}

/// Ends what it started, also when the transfer fails or is dropped halfway.
pub(crate) struct Meter {
    progress: Option<std::sync::Arc<dyn Progress>>,
}

impl Meter {
    pub(crate) fn start(progress: Option<std::sync::Arc<dyn Progress>>, what: &str, total_bytes: u64) -> Meter {
        if let Some(progress) = &progress {
            progress.start(what, Some(total_bytes));
        }
        Meter { progress }
    }

    pub(crate) fn advance(&self, bytes: u64) {
        if let Some(progress) = &self.progress {
            progress.advance(bytes);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(progress) = &self.progress {
            progress.finish();
        }
    }
}
