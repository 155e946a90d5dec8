//! Frees the disk of images that no pod here uses, as kubelet's image garbage collection does: from a high mark of the
//! disk's use down to a low one, the longest unused first.
//!
//! Invariant: an image that a pod here names, or has run, is never removed.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
    time::Duration,
};

use coracle_oci::{Image, ImageStore, Reference, StoreError};
use tokio::time::Instant;

use crate::machine::Disk;

/// How often images are looked at (kubelet `ImageGCPeriod`).
pub const PERIOD: Duration = Duration::from_secs(300);
/// An image younger than this stays (kubelet `imageMinimumGCAge`): whoever pulled it may be about to use it.
const MIN_AGE: Duration = Duration::from_secs(120);
/// Part of the disk in use, in percent, from which images are removed (kubelet `imageGCHighThresholdPercent`).
const HIGH_PERCENT: u64 = 85;
/// Part of the disk in use, in percent, down to which they are (kubelet `imageGCLowThresholdPercent`).
const LOW_PERCENT: u64 = 80;

/// Why a pass did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// too little could be freed (kubelet's words)
    #[error(
        "Failed to garbage collect required amount of images. Attempted to free {wanted} bytes, but only found {freed} bytes eligible to free."
    )]
    TooLittle {
        /// What should have been freed, in bytes.
        wanted: u64,
        /// What was, in bytes.
        freed: u64,
    },
    /// the store can't be written
    #[error("images can't be removed: {0}")]
    Store(#[from] StoreError),
}

/// Remembers when images were used.
#[derive(Debug, Default)]
pub struct Collector {
    /// By name. Holds exactly the images that were here at the last look.
    seen: HashMap<String, Seen>,
    /// What is found at the first look was here before the node, and is old.
    begun: bool,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// When it was first found; None if it was here before the node.
    since: Option<Instant>,
    used: Option<Instant>,
}

impl Collector {
    /// One pass. `names` are the images of all pods here, as their containers name them. Returns the bytes freed.
    /// Blocks on the disk.
    pub fn collect(
        &mut self,
        store: &ImageStore,
        names: &[String],
        disk: Disk,
        now: Instant,
    ) -> Result<u64, CollectError> {
        let resolved = names.iter().filter_map(|name| store.resolve(&Reference::from_str(name).ok()?));
        let in_use: HashSet<String> = resolved.map(|image| image.digest).collect();
        let images = store.list();
        self.look(&images, &in_use, now);
        let remains = store.prune()?;
        let wanted = excess_bytes(disk);
        let mut freed = remains;
        for image in self.removable(&images, &in_use, now) {
            if freed >= wanted {
                break;
            }
            let Ok(reference) = Reference::from_str(&image.reference) else { continue };
            store.remove(&reference)?;
            tracing::info!(image = image.reference, bytes = image.size_bytes, "unused image removed");
            self.seen.remove(&image.reference);
            freed += image.size_bytes;
        }
        if freed < wanted { Err(CollectError::TooLittle { wanted, freed }) } else { Ok(freed) }
    }

    /// Takes note of what is here and what of it is used.
    fn look(&mut self, images: &[Image], in_use: &HashSet<String>, now: Instant) {
        let here: HashSet<&str> = images.iter().map(|image| &*image.reference).collect();
        self.seen.retain(|name, _| here.contains(&**name));
        let since = self.begun.then_some(now);
        for image in images {
            let seen = self.seen.entry(image.reference.clone()).or_insert(Seen { since, used: None });
            if in_use.contains(&image.digest) {
                seen.used = Some(now);
            }
        }
        self.begun = true;
    }

    /// The images that may go, the longest unused first, and of those never used the oldest.
    fn removable<'a>(&self, images: &'a [Image], in_use: &HashSet<String>, now: Instant) -> Vec<&'a Image> {
        let mut idle: Vec<(Seen, &Image)> = images
            .iter()
            .filter(|image| !in_use.contains(&image.digest))
            .filter_map(|image| Some((*self.seen.get(&image.reference)?, image)))
            .filter(|(seen, _)| seen.since.is_none_or(|since| now.duration_since(since) >= MIN_AGE))
            .collect();
        idle.sort_by_key(|(seen, _)| (seen.used, seen.since));
        idle.into_iter().map(|(_, image)| image).collect()
    }
}

/// What has to go for the disk to be at the low mark; 0 while it is below the high one.
fn excess_bytes(disk: Disk) -> u64 {
    let used = disk.capacity_bytes.saturating_sub(disk.available_bytes);
    if disk.capacity_bytes == 0 || used * 100 / disk.capacity_bytes < HIGH_PERCENT {
        return 0;
    }
    (disk.capacity_bytes * (100 - LOW_PERCENT) / 100).saturating_sub(disk.available_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str, digest: &str) -> Image {
        Image {
            reference: format!("registry.test/{name}:1"),
            digest: digest.to_owned(),
            manifest_digest: digest.to_owned(),
            config_digest: String::new(),
            size_bytes: 10,
            format: coracle_oci::Format::WasmConfigV0,
            config: coracle_oci::ImageConfig::default(),
            layers: Vec::new(),
            annotations: Default::default(),
            module: None,
            rootfs: None,
        }
    }

    fn names(images: &[&Image]) -> Vec<String> {
        images.iter().map(|image| image.reference["registry.test/".len()..].to_owned()).collect()
    }

    #[test]
    fn disks_are_emptied_from_the_high_mark_to_the_low_one() {
        let excess = |available_bytes| excess_bytes(Disk { capacity_bytes: 1000, available_bytes });
        assert_eq!([excess(1000), excess(151), excess(150), excess(0)], [0, 0, 50, 200]);
        assert_eq!(excess_bytes(Disk { capacity_bytes: 0, available_bytes: 0 }), 0);
    }

    #[test]
    fn the_longest_unused_goes_first_and_what_is_used_never() {
        let (begin, all) = (Instant::now(), [image("a", "1"), image("b", "2"), image("c", "3"), image("d", "1")]);
        let used = |digests: &[&str]| digests.iter().map(|digest| (*digest).to_owned()).collect::<HashSet<_>>();
        let mut collector = Collector::default();
        collector.look(&all, &used(&["2"]), begin);
        collector.look(&all, &used(&["3"]), begin + PERIOD);
        let now = begin + 2 * PERIOD;
        collector.look(&all, &used(&["1"]), now);
        // "a" and "d" are two names of the same bytes.
        assert_eq!(names(&collector.removable(&all, &used(&["1"]), now)), ["b:1", "c:1"]);
        assert_eq!(names(&collector.removable(&all, &used(&[]), now)), ["b:1", "c:1", "a:1", "d:1"]);
    }

    #[test]
    fn what_was_just_pulled_stays_and_what_is_gone_is_forgotten() {
        let (begin, none) = (Instant::now(), HashSet::new());
        let mut collector = Collector::default();
        collector.look(&[image("old", "1")], &none, begin);
        let all = [image("old", "1"), image("new", "2")];
        collector.look(&all, &none, begin);
        assert_eq!(names(&collector.removable(&all, &none, begin)), ["old:1"]);
        assert_eq!(names(&collector.removable(&all, &none, begin + MIN_AGE)), ["old:1", "new:1"]);
        collector.look(&all[1..], &none, begin);
        assert_eq!(collector.seen.len(), 1);
    }

    #[test]
    fn a_disk_that_can_not_be_emptied_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path(), coracle_oci::Limits::default()).unwrap();
        let mut collector = Collector::default();
        let mut pass = |available_bytes| {
            let disk = Disk { capacity_bytes: 1000, available_bytes };
            collector.collect(&store, &["no image".to_owned(), "a/b:1".to_owned()], disk, Instant::now())
        };
        assert_eq!(pass(500).unwrap(), 0);
        assert_eq!(
            pass(0).unwrap_err().to_string(),
            "Failed to garbage collect required amount of images. Attempted to free 200 bytes, but only found 0 bytes eligible to free."
        );
    }
}
