//! A static pod's past. Its status is kept nowhere but in its mirror, which the node may have to begin without: so its runs are
//! counted by their logs, as kubelet does for containers that it knows nothing else about.

use std::{fs, path::Path};

use super::record::{Ended, Record};

/// Gives records without a past the one that the logs in the pod's directory tell of.
pub fn count_runs(pod_dir: &Path, records: &mut [Record]) {
    for record in records.iter_mut().filter(|record| record.next_run() == 0) {
        if let Some(run) = newest_run(&pod_dir.join(&record.name)) {
            record.restarts = run;
            record.last = Some(Ended::unknown(None, None));
        }
    }
}

/// The highest number of a `NUMBER.log`.
fn newest_run(container_dir: &Path) -> Option<i32> {
    let names = fs::read_dir(container_dir).ok()?.flatten().map(|entry| entry.file_name());
    // The highest possible number has no successor; whoever wrote it there is not to be believed.
    let number = |name: &str| name.strip_suffix(".log")?.parse().ok().filter(|run| (0..i32::MAX).contains(run));
    names.filter_map(|name| number(name.to_str()?)).max()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn runs_go_on_where_the_logs_end() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a/0.log", "a/11.log", "a/11.log.1", "a/x.log", "a/99.txt", "a/2147483647.log", "b/x.log"] {
            let file = dir.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let spec = json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]});
        let mut records = Record::all(&serde_json::from_value(spec).unwrap());
        count_runs(dir.path(), &mut records);
        assert_eq!(records.iter().map(Record::next_run).collect::<Vec<_>>(), [12, 0, 0]);
        let last = records[0].last.as_ref().map(|last| (last.code, &*last.reason));
        assert_eq!((records[0].restarts, last), (11, Some((137, "ContainerStatusUnknown"))));
    }

    #[test]
    fn who_has_a_past_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/7.log"), "").unwrap();
        let mut records = Record::all(&serde_json::from_value(json!({"containers": [{"name": "a"}]})).unwrap());
        records[0].begin("id".into(), jiff::Timestamp::now());
        records[0].end(Ended::of(&crate::pods::testing::exit(0), None, jiff::Timestamp::now(), "id".into()));
        count_runs(dir.path(), &mut records);
        assert_eq!((records[0].restarts, records[0].next_run()), (0, 1));
    }
}
