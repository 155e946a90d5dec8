//! The table of a long run, and what is to be said of it.

use std::path::PathBuf;
use std::time::Duration;

use super::left::Left;
use super::load::Counts;
use crate::bench::memory::mib;
use crate::bench::process::Holdings;

/// What may be left of each kind that was not there after the warm-up: caches of connections and threads breathe.
const TOLERANCE: usize = 16;
/// Memory may grow by so much an hour in the second half of a run that is called flat: what an allocator's arenas do.
const FLAT_BYTES_AN_HOUR: f64 = (64 << 20) as f64;

/// What has been seen.
pub struct Report {
    pid: u32,
    /// The directory of its cluster.
    data: PathBuf,
    /// After the warm-up, when no pod was left.
    before: Holdings,
    samples: Vec<(Duration, u64)>,
}

impl Report {
    pub fn begin(pid: u32, data: PathBuf, counts: &Counts) -> anyhow::Result<Report> {
        println!(
            " seconds          RSS          PSS  mappings   threads   sockets  descriptors  mounts  processes  groups  directories"
        );
        let mut report = Report { pid, data, before: Holdings::default(), samples: Vec::new() };
        (report.before, _) = report.look("begin", counts)?;
        Ok(report)
    }

    /// What there is now, which is printed as a row.
    fn look(&self, at: &str, counts: &Counts) -> anyhow::Result<(Holdings, Left)> {
        let (now, left) = (Holdings::of(self.pid)?, Left::of(self.pid, &self.data, counts)?);
        println!(
            "{at:>8} {:>12} {:>12} {:>9} {:>9} {:>9} {:>12} {:>7} {:>10} {:>7} {:>12}",
            mib(now.rss_bytes),
            mib(now.pss_bytes),
            now.mappings,
            now.threads,
            now.sockets(),
            now.descriptor_count(),
            now.mounts,
            left.children,
            left.groups,
            left.directories
        );
        Ok((now, left))
    }

    /// Looks at the process and prints a row.
    pub fn sample(&mut self, at: Duration, counts: &Counts) -> anyhow::Result<()> {
        let (now, _) = self.look(&at.as_secs().to_string(), counts)?;
        // Every few minutes, what has been done.
        if self.samples.len() % 30 == 29 {
            println!("{:>8} {}", "", counts.summary());
        }
        self.samples.push((at, now.rss_bytes));
        Ok(())
    }

    /// When no pod is left again, after a load that took so long: the verdict. An error if something has leaked.
    pub fn end(self, counts: &Counts, loaded: Duration) -> anyhow::Result<()> {
        let (after, left) = self.look("end", counts)?;
        println!("{}", counts.summary());
        // What is given back when the pods have gone would hide what grows while they are there.
        let under_load = &self.samples[..self.samples.partition_point(|(at, _)| *at <= loaded)];
        let slope = slope(&under_load[under_load.len() / 2..]) * 3600.0;
        println!("resident memory in the second half of the load: {:+.1} MiB an hour", slope / f64::from(1 << 20));
        let mut leaks = leaks(&self.before, &after);
        leaks.extend(left.complaints());
        if slope > FLAT_BYTES_AN_HOUR {
            leaks.push(format!(
                "resident memory grows: {} at the beginning, {} at the end",
                mib(self.before.rss_bytes),
                mib(after.rss_bytes)
            ));
        }
        anyhow::ensure!(leaks.is_empty(), "something is left behind: {}", leaks.join("; "));
        println!(
            "flat: no descriptor, socket, mapping, thread, mount, process, control group or directory is left behind"
        );
        Ok(())
    }
}

/// What there is more of than before, beyond what breathes.
fn leaks(before: &Holdings, after: &Holdings) -> Vec<String> {
    let mut leaks = Vec::new();
    for (kind, now) in &after.descriptors {
        let had = before.descriptors.get(kind).copied().unwrap_or(0);
        if *now > had + TOLERANCE {
            leaks.push(format!("{kind} descriptors: {had} at the beginning, {now} at the end"));
        }
    }
    // A mapping may be split in several by what is done to its parts.
    if after.mappings > before.mappings + before.mappings / 10 + TOLERANCE {
        leaks.push(format!("mappings: {} at the beginning, {} at the end", before.mappings, after.mappings));
    }
    if after.threads > before.threads + TOLERANCE {
        leaks.push(format!("threads: {} at the beginning, {} at the end", before.threads, after.threads));
    }
    if after.mounts > before.mounts {
        leaks.push(format!("mounts: {} at the beginning, {} at the end", before.mounts, after.mounts));
    }
    leaks
}

/// Bytes a second, by the line that fits best.
fn slope(samples: &[(Duration, u64)]) -> f64 {
    let count = samples.len() as f64;
    let points = || samples.iter().map(|(at, bytes)| (at.as_secs_f64(), *bytes as f64));
    let (x, y) = points().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (above, below) =
        points().fold((0.0, 0.0), |(a, b), point| (a + (point.0 - x) * (point.1 - y), b + (point.0 - x).powi(2)));
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_and_a_point_none() {
        let line: Vec<_> = (0..10u64).map(|second| (Duration::from_secs(second), 1_000 + 50 * second)).collect();
        assert!((slope(&line) - 50.0).abs() < 1e-6);
        assert!(slope(&line[..1]).abs() < 1e-6 && slope(&[]).abs() < 1e-6);
    }

    #[test]
    fn what_is_left_is_named() {
        let before = Holdings::default();
        let mut after = Holdings { threads: TOLERANCE, ..Holdings::default() };
        after.descriptors.insert("socket".into(), TOLERANCE + 1);
        assert_eq!(leaks(&before, &after), ["socket descriptors: 0 at the beginning, 17 at the end"]);
        after = Holdings { mounts: 1, ..Holdings::default() };
        assert_eq!(leaks(&before, &after), ["mounts: 0 at the beginning, 1 at the end"]);
    }
}
