//! Kills a process that writes as fast as it can, again and again, and looks at what is left: everything
//! that was acknowledged, revisions in order, and a history that leads from the oldest kept revision to
//! what is stored. Everything is encrypted, from the third round on, and each round has another key in front, so
//! that processes also die while they write an old directory anew or go over to another key.
//!
//! The test binary starts itself as the victim, so it has a main function of its own and prints.
#![allow(
    clippy::print_stdout,
    reason = "the victim reports acknowledged writes on a pipe; the judge reports like a test"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coracle_store::{Encryption, EventKind, Expect, Key, Lift, Lifted, Object, Scope, Store, StoreConfig, Txn};

/// Set for the victim: the data directory.
const VICTIM_DIR: &str = "CORACLE_CRASH_TEST_DIR";
/// Set for the victim: the round, so that its values are new ones.
const VICTIM_ROUND: &str = "CORACLE_CRASH_TEST_ROUND";

const ROUNDS: u64 = 60;
/// Rounds in which nothing is encrypted.
const PLAIN_ROUNDS: u64 = 2;
/// Tasks that write at the same time, each to its own names.
const WRITERS: u64 = 12;
/// Names of each writer.
const NAMES: u64 = 5;
/// Small, so that snapshots and purges happen in every round.
const SNAPSHOT_ENTRIES: u64 = 40;
/// Acknowledged writes after which the victim may die, at most; the round's number is derived from the seed.
const LONGEST_LIFE: u64 = 700;
const SEED: u64 = 0x0c0_7ac1e;

struct NoLift;

impl Lift for NoLift {
    fn lift(&self, _resource: &str, _json: &[u8]) -> Lifted {
        Lifted::default()
    }
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    match std::env::var_os(VICTIM_DIR) {
        Some(dir) => runtime.block_on(victim(PathBuf::from(dir))),
        // Asked for a list of tests (`--list`), there is one.
        None if std::env::args().any(|argument| argument == "--list") => println!("crash: test"),
        None => runtime.block_on(judge()),
    }
}

async fn open(dir: &Path, round: u64) -> Store {
    let encryption = Arc::new(encryption(round));
    let config = StoreConfig { snapshot_entries: SNAPSHOT_ENTRIES, encryption, ..StoreConfig::new(dir) };
    Store::open(config, Arc::new(NoLift)).await.expect("the store opens")
}

/// None at first, then three keys of which another one is the first in each round.
fn encryption(round: u64) -> Encryption {
    if round < PLAIN_ROUNDS {
        return Encryption::none();
    }
    let provider = |number: u64| {
        let number = (round + number) % 3;
        let (cipher, letter) = [("aesgcm", "a"), ("aescbc", "b"), ("secretbox", "c")][number as usize];
        let secret = letter.repeat(42) + "A=";
        format!("  - {cipher}: {{keys: [{{name: key{number}, secret: {secret}}}]}}\n")
    };
    let providers: String = (0..3).map(provider).collect();
    let text = format!(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [configmaps]\n  \
         providers:\n{providers}  - identity: {{}}\n"
    );
    Encryption::from_yaml(&text, Path::new("keys.yaml")).expect("a configuration")
}

fn key(writer: u64, name: u64) -> Key {
    Key::new("configmaps", format!("w{writer}"), format!("n{name}"))
}

fn object(value: &str) -> Object {
    let json = format!(r#"{{"metadata":{{"name":"x"}},"data":{{"value":"{value}","padding":"{}"}}}}"#, "p".repeat(600));
    Object::from_json(json.into_bytes()).expect("an object")
}

fn value_of(json: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(json).expect("JSON");
    value["data"]["value"].as_str().expect("a value").to_owned()
}

/// Writes until it is killed. Says `WRITER NAME REVISION VALUE` (value `-` for a deletion) behind each
/// acknowledged write.
async fn victim(dir: PathBuf) {
    let round = std::env::var(VICTIM_ROUND).expect("the round");
    let store = open(&dir, round.parse().expect("a number")).await;
    println!("ready");
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(write(store.clone(), writer, round.clone()))).collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
}

async fn write(store: Store, writer: u64, round: String) {
    for number in 0_u64.. {
        let key = key(writer, number % NAMES);
        let delete = number % 11 == 10 && store.get(&key).is_some();
        let value = if delete { "-".to_owned() } else { format!("{round}.{number}") };
        let expect = store.get(&key).map_or(Expect::Absent, |record| Expect::Revision(record.revision));
        let txn = if delete { Txn::delete(key, expect, None) } else { Txn::put(key, object(&value), expect) };
        let committed = store.commit(txn).await.expect("commits");
        // One write call per line: a line is on the pipe completely or not at all.
        let line = format!("{writer} {} {} {value}\n", number % NAMES, committed.revision);
        std::io::stdout().lock().write_all(line.as_bytes()).expect("the judge listens");
    }
}

/// The last acknowledged write of a name.
#[derive(Clone, Debug)]
struct Acknowledged {
    revision: u64,
    value: String,
}

/// Acknowledged writes by writer and name.
type Ledger = BTreeMap<(u64, u64), Acknowledged>;

async fn judge() {
    let started = Instant::now();
    let dir = tempfile::tempdir().expect("a directory");
    let mut random = SEED;
    let mut ledger = Ledger::new();
    let mut newest = 0;
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // A few victims die while they are still opening, the others after some writes and a little time.
        let life = if round % 8 == 7 { 0 } else { (random >> 33) % LONGEST_LIFE + 1 };
        let pause = Duration::from_micros((random >> 20) % 2_000);
        acknowledged += run_victim(dir.path(), round, life, pause, &mut ledger);
        newest = inspect((dir.path(), round), &mut ledger, newest).await;
    }
    println!("{ROUNDS} kills, {acknowledged} acknowledged writes, none lost, in {:?}", started.elapsed());
    assert!(acknowledged > ROUNDS * 50, "the victims hardly wrote: {acknowledged}");
}

/// Starts a victim, notes what it acknowledges, kills it after `life` writes. Returns how many there were.
fn run_victim(dir: &Path, round: u64, life: u64, pause: Duration, ledger: &mut Ledger) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .env(VICTIM_DIR, dir)
        .env(VICTIM_ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the victim starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut count = 0;
    let mut last_of_writer = BTreeMap::new();
    if life > 0 {
        assert_eq!(lines.next().expect("a line").expect("text"), "ready");
    }
    let mut killed = life == 0;
    if killed {
        std::thread::sleep(pause);
        child.kill().expect("kills");
    }
    while let Some(Ok(line)) = lines.next() {
        if line == "ready" {
            continue;
        }
        note(&line, ledger, &mut last_of_writer);
        count += 1;
        if count == life && !killed {
            killed = true;
            std::thread::sleep(pause);
            child.kill().expect("kills");
        }
    }
    assert!(killed, "the victim ended by itself");
    child.wait().expect("ends");
    count
}

fn note(line: &str, ledger: &mut Ledger, last_of_writer: &mut BTreeMap<u64, u64>) {
    let mut words = line.split(' ');
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).expect("a number");
    let (writer, name, revision) = (number(), number(), number());
    let value = words.next().expect("a value").to_owned();
    let before = last_of_writer.insert(writer, revision).unwrap_or(0);
    assert!(revision > before, "a writer's revisions grow: {revision} after {before}");
    if let Some(known) = ledger.get(&(writer, name)) {
        assert!(revision > known.revision, "revision {revision} of an object was used up to {}", known.revision);
    }
    ledger.insert((writer, name), Acknowledged { revision, value });
}

/// Opens the store and compares it with what was acknowledged. Returns its revision.
///
/// A writer has one write on its way at a time, so at most one of its objects may differ from the ledger:
/// written or deleted, but not reported any more. The ledger learns it, for it must not be lost later either.
async fn inspect((dir, round): (&Path, u64), ledger: &mut Ledger, newest: u64) -> u64 {
    let store = open(dir, round).await;
    let revision = store.revision();
    let acknowledged = ledger.values().map(|known| known.revision).max().unwrap_or(0);
    assert!(revision >= newest.max(acknowledged), "revision {revision}, but {newest} and {acknowledged} were seen");
    for writer in 0..WRITERS {
        let differing = (0..NAMES).filter(|name| learn(&store, ledger, writer, *name)).count();
        assert!(differing <= 1, "{differing} objects of writer {writer} are not what it was told they are");
    }
    check_history(&store).await;
    store.shutdown().await.expect("in order");
    revision
}

/// Whether the object is not what was acknowledged; if so, notes what it is.
fn learn(store: &Store, ledger: &mut Ledger, writer: u64, name: u64) -> bool {
    let known = ledger.get(&(writer, name));
    let stored = store.get(&key(writer, name));
    let now = match (known, stored) {
        (None, None) => return false,
        (Some(known), None) if known.value == "-" => return false,
        (Some(known), None) => Acknowledged { revision: known.revision, value: "-".into() },
        (known, Some(record)) => {
            let value = value_of(&record.json);
            if let Some(known) = known {
                assert!(record.revision >= known.revision, "{} went back to {}", record.key, record.revision);
                if record.revision == known.revision {
                    assert_eq!(value, known.value, "{}", record.key);
                    return false;
                }
            }
            Acknowledged { revision: record.revision, value }
        }
    };
    ledger.insert((writer, name), now);
    true
}

/// The events from the oldest kept revision on are in order and lead to what is stored.
async fn check_history(store: &Store) {
    let scope = Scope::all("configmaps");
    let mut from = store.revision();
    while from > 0 && store.watch(scope.clone().into(), from - 1).is_ok() {
        from -= 1;
    }
    let start = store.list_at(&scope, from).expect("kept");
    let mut state: BTreeMap<Key, u64> = start.iter().map(|record| (record.key.clone(), record.revision)).collect();
    let mut watch = store.watch(scope.clone().into(), from).expect("a watch");
    let mut last = from;
    while watch.progress() < store.revision() {
        for event in watch.next_batch(16).await.expect("open").expect("no error") {
            assert_eq!(event.revision, last + 1, "one event per revision here, none missing");
            last = event.revision;
            let key = event.record.key.clone();
            assert_eq!(event.previous.as_ref().map(|previous| previous.revision), state.get(&key).copied());
            match event.kind {
                EventKind::Deleted => state.remove(&key),
                _ => state.insert(key, event.revision),
            };
        }
    }
    let stored: BTreeMap<Key, u64> =
        store.list(&scope).iter().map(|record| (record.key.clone(), record.revision)).collect();
    assert_eq!(state, stored);
}
