//! A long run of mixed load, with pods created and deleted all the time: what grows, and what is left at the end.

mod kinds;
mod left;
mod load;
mod report;

use std::path::Path;
use std::time::{Duration, Instant};

use self::load::{Counts, prepare, worker};
use self::report::Report;
use super::node::target::Target;
use crate::pull::scratch;

/// Between two looks at the process.
const SAMPLE: Duration = Duration::from_secs(10);
/// What ends has ended, and what is kept warm for a while is cold, after this time.
const SETTLE: Duration = Duration::from_secs(20);
/// Events are kept for this time; with the usual hour, a run of half an hour would end with all that it has made.
const EVENT_TTL: &str = "60s";
/// The round before anything is compared: what is made once is there afterwards, and the first events are gone.
const WARM_UP: Duration = Duration::from_secs(90);

/// Flags of `coracle bench soak`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_440))]
    minutes: u32,
    /// Makers of pods at the same time: each has one of every kind at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
}

/// Measures and prints.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let directory = scratch()?;
    let flags = ["--event-ttl".to_owned(), EVENT_TTL.to_owned()];
    let target = Target::start_with(directory.path(), &flags).await?;
    let outcome = soak(&target, directory.path(), &args).await;
    target.stop().await?;
    outcome
}

async fn soak(target: &Target, data: &Path, args: &Args) -> anyhow::Result<()> {
    let images = kinds::push(target).await?;
    prepare(target).await?;
    let counts = Counts::default();
    round(target, &images, &counts, args.workers, WARM_UP).await?;
    let mut report = Report::begin(target.up.pid()?, data.to_owned(), &counts)?;
    let duration = Duration::from_secs(u64::from(args.minutes) * 60);
    tokio::select! {
        ended = round(target, &images, &counts, args.workers, duration) => ended?,
        failed = sample(&mut report, &counts) => return failed,
    }
    report.end(&counts, duration)
}

/// Looks at the process now and then; returns only if that fails.
async fn sample(report: &mut Report, counts: &Counts) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        tokio::time::sleep(SAMPLE).await;
        report.sample(begun.elapsed(), counts)?;
    }
}

/// Load for a while; afterwards none of its pods is left.
async fn round(
    target: &Target,
    images: &[String],
    counts: &Counts,
    workers: u32,
    duration: Duration,
) -> anyhow::Result<()> {
    let end = Instant::now() + duration;
    let workers = (0..workers).map(|number| worker(target, images, counts, number, end));
    futures::future::try_join_all(workers).await?;
    target.clear().await?;
    tokio::time::sleep(SETTLE).await;
    Ok(())
}
