//! Reading logs that were written by a sink.

use coracle_wasi_host::Stream as Name;
use futures::StreamExt;

use super::*;
use crate::{config::LogLimits, logs::LogWriter};

fn sink(dir: &Path, file_bytes: u64) -> Arc<LogSink> {
    let limits = LogLimits { file_bytes, files: 5 };
    LogSink::new(dir.join("0.log"), limits, LogWriter::start().unwrap())
}

fn print(sink: &Arc<LogSink>, lines: std::ops::Range<u32>) {
    for n in lines {
        sink.output().write(Name::Stdout, format!("line {n}\n").as_bytes());
    }
    sink.flush().unwrap();
}

fn of(sink: &Arc<LogSink>) -> LogPlace {
    LogPlace { path: sink.path().to_owned(), run: 0, sink: Some(Arc::clone(sink)) }
}

fn nothing_more() -> NextLog {
    Box::new(|_| Box::pin(async { None }))
}

async fn read(sink: &Arc<LogSink>, query: LogQuery) -> String {
    let stream = stream_log(of(sink), query, nothing_more()).await.unwrap();
    let chunks: Vec<_> = stream.map(Result::unwrap).collect().await;
    String::from_utf8(chunks.concat()).unwrap()
}

fn tail(lines: u64) -> LogQuery {
    LogQuery { tail_lines: Some(lines), ..LogQuery::default() }
}

#[tokio::test]
async fn tail_and_limit_count_from_the_right_end() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path(), 1 << 20);
    print(&sink, 0..5000);
    assert_eq!(read(&sink, LogQuery::default()).await.lines().count(), 5000);
    assert_eq!(read(&sink, tail(2)).await, "line 4998\nline 4999\n");
    assert_eq!(read(&sink, tail(0)).await, "");
    assert_eq!(read(&sink, tail(9000)).await.lines().count(), 5000);
    let limited = LogQuery { limit_bytes: Some(9), ..LogQuery::default() };
    assert_eq!(read(&sink, limited).await, "line 0\nli");
}

#[tokio::test]
async fn what_is_printed_after_the_question_is_no_answer_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path(), 1 << 20);
    print(&sink, 0..5);
    for (query, wanted) in [(tail(1), 1), (LogQuery::default(), 6)] {
        let stream = stream_log(of(&sink), query, nothing_more()).await.unwrap();
        print(&sink, 5..6);
        let chunks: Vec<_> = stream.map(Result::unwrap).collect().await;
        assert_eq!(String::from_utf8(chunks.concat()).unwrap().lines().count(), wanted);
    }
}

#[tokio::test]
async fn lines_of_rotated_pieces_are_there_too() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path(), 2000);
    for n in 0..100 {
        print(&sink, n..n + 1);
    }
    assert!(piece(sink.path(), 1).exists());
    let expected: String = (0..100).map(|n| format!("line {n}\n")).collect();
    assert_eq!(read(&sink, LogQuery::default()).await, expected);
    assert_eq!(read(&sink, tail(70)).await.lines().next(), Some("line 30"));
}

#[tokio::test]
async fn since_and_timestamps_use_the_time_of_writing() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path(), 1 << 20);
    print(&sink, 0..3);
    let middle = jiff::Timestamp::now();
    print(&sink, 3..5);
    let since = LogQuery { since: Some(middle), ..LogQuery::default() };
    assert_eq!(read(&sink, since).await, "line 3\nline 4\n");
    let stamped = read(&sink, LogQuery { timestamps: true, ..tail(1) }).await;
    let (stamp, line) = stamped.split_once(' ').unwrap();
    assert!(
        stamp.parse::<jiff::Timestamp>().unwrap() >= middle && stamp.len() == "2026-01-01T00:00:00.000000000Z".len()
    );
    assert_eq!(line, "line 4\n");
}

#[tokio::test]
async fn one_stream_can_be_read_without_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path(), 1 << 20);
    sink.output().write(Name::Stderr, b"wrong\n");
    print(&sink, 0..2);
    sink.output().write(Name::Stderr, b"worse\n");
    let only = |stream| LogQuery { stream: Some(stream), ..LogQuery::default() };
    assert_eq!(read(&sink, only(Name::Stdout)).await, "line 0\nline 1\n");
    assert_eq!(read(&sink, only(Name::Stderr)).await, "wrong\nworse\n");
}

#[tokio::test]
async fn a_follower_goes_on_with_the_next_runs() {
    let dir = tempfile::tempdir().unwrap();
    let runs: Vec<_> = ["a", "b", "c"]
        .map(|run| {
            fs::create_dir(dir.path().join(run)).unwrap();
            sink(&dir.path().join(run), 1 << 20)
        })
        .into();
    for (number, sink) in (0..).zip(&runs) {
        print(sink, number..number + 1);
        sink.close();
    }
    // Of the second run nothing but the file is left.
    let after = |runs: &[Arc<LogSink>]| -> NextLog {
        let runs = runs.to_owned();
        Box::new(move |run| {
            let next = usize::try_from(run + 1).ok().and_then(|next| runs.get(next)).map(of);
            let next = next.map(|place| LogPlace { run: run + 1, sink: place.sink.filter(|_| run > 0), ..place });
            Box::pin(async { next })
        })
    };
    let text = async |query: LogQuery| {
        let stream = stream_log(of(&runs[0]), query, after(&runs)).await.unwrap();
        let chunks: Vec<_> = stream.map(Result::unwrap).collect().await;
        String::from_utf8(chunks.concat()).unwrap()
    };
    let follow = LogQuery { follow: true, ..LogQuery::default() };
    assert_eq!(text(follow.clone()).await, "line 0\nline 1\nline 2\n");
    // A limit counts over all of them; the tail is that of the first.
    assert_eq!(text(LogQuery { limit_bytes: Some(9), ..follow.clone() }).await, "line 0\nli");
    assert_eq!(text(LogQuery { tail_lines: Some(0), ..follow.clone() }).await, "line 1\nline 2\n");
    assert_eq!(text(LogQuery { previous: true, ..follow }).await, "line 0\n");
    assert_eq!(text(LogQuery::default()).await, "line 0\n");
}

#[tokio::test]
async fn a_follower_sees_everything_over_rotations_and_ends_with_the_container() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path(), 2000);
    let query = LogQuery { follow: true, ..LogQuery::default() };
    let stream = stream_log(of(&sink), query, nothing_more()).await.unwrap();
    let mut stream = std::pin::pin!(stream.map(Result::unwrap));
    let (mut seen, mut expected) = (Vec::new(), String::new());
    let follow = async {
        for n in 0..60 {
            print(&sink, n..n + 1);
            expected.push_str(&format!("line {n}\n"));
            // Whoever falls behind by more files than are kept loses lines; this one keeps up.
            while seen.len() < expected.len() {
                seen.extend_from_slice(&stream.next().await.unwrap());
            }
        }
        sink.close();
        assert!(stream.next().await.is_none());
    };
    tokio::time::timeout(Duration::from_secs(20), follow).await.unwrap();
    assert_eq!(String::from_utf8(seen).unwrap(), expected);
}

#[tokio::test]
async fn a_container_that_printed_nothing_has_an_empty_log() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path(), 2000);
    assert_eq!(read(&sink, LogQuery::default()).await, "");
    sink.close();
    assert_eq!(read(&sink, LogQuery { follow: true, ..tail(5) }).await, "");
}

#[tokio::test]
async fn a_file_cut_short_or_full_of_rubbish_is_read_as_far_as_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("0.log");
    let mut bytes = b"2026-01-01T00:00:00Z stdout F good\n".to_vec();
    bytes.extend(vec![b'x'; FILE_LINE_LIMIT_BYTES * 3]);
    bytes.extend_from_slice(b"\n2026-01-01T00:00:01Z stdout F end\n2026-01-01T00:0");
    fs::write(&path, bytes).unwrap();
    let stream = stream_log(LogPlace { path, run: 0, sink: None }, LogQuery::default(), nothing_more()).await.unwrap();
    let chunks: Vec<_> = stream.map(Result::unwrap).collect().await;
    assert_eq!(chunks.concat(), b"good\nend\n");
}
