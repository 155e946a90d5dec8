use proptest::{collection::vec, prelude::*};

use super::discipline::{Action, Discipline, Key, LINE_LIMIT_BYTES};

/// What keys come to: what the program reads, what is shown.
fn typed(keys: &[u8]) -> (Vec<Action>, String) {
    let (mut discipline, mut echo) = (Discipline::default(), Vec::new());
    let actions = keys.iter().filter_map(|key| discipline.take(*key, &mut echo)).collect();
    (actions, String::from_utf8_lossy(&echo).into_owned())
}

fn line(text: &str) -> Action {
    Action::Deliver(text.as_bytes().to_vec())
}

/// Checks that keys give one line, or what is typed of it.
fn gives(keys: &str, text: &str, echo: &str) {
    let (actions, shown) = typed(keys.as_bytes());
    assert_eq!((actions.as_slice(), shown.as_str()), ([line(text)].as_slice(), echo), "{keys:?}");
}

#[test]
fn enter_ends_a_line() {
    gives("hello\r", "hello\n", "hello\n");
    gives("hello\n", "hello\n", "hello\n");
    assert_eq!(typed(b"a\r\rb"), (vec![line("a\n"), line("\n")], "a\n\nb".into()));
}

#[test]
fn characters_words_and_lines_are_erased() {
    gives("hel\x7flo\r", "helo\n", "hel\x08 \x08lo\n");
    gives("ab\x08\x08\x08c\r", "c\n", "ab\x08 \x08\x08 \x08c\n");
    // A character may have several bytes, and has one column.
    gives("aé\x7fb\r", "ab\n", "aé\x08 \x08b\n");
    gives("one two, \x17x\r", "one x\n", &format!("one two, {}x\n", "\x08 \x08".repeat(5)));
    gives("é_1 \x17\r", "\n", &format!("é_1 {}\n", "\x08 \x08".repeat(4)));
    gives("..\x17a\r", "a\n", &format!("..{}a\n", "\x08 \x08".repeat(2)));
    gives("abc\x15d\r", "d\n", &format!("abc{}d\n", "\x08 \x08".repeat(3)));
}

#[test]
fn what_has_more_columns_is_erased_with_all_of_them() {
    gives("\x01\x7f\r", "\n", "^A\x08 \x08\x08 \x08\n");
    gives("ab\t\x7fc\r", "abc\n", &format!("ab      {}c\n", "\x08 \x08".repeat(6)));
    gives("\t\tx\x15\r", "\n", &format!("{}x{}\n", " ".repeat(16), "\x08 \x08".repeat(17)));
}

#[test]
fn an_end_of_input_is_one_on_an_empty_line_only() {
    assert_eq!(typed(b"\x04"), (vec![Action::End], String::new()));
    assert_eq!(typed(b"ab\x04\x04"), (vec![line("ab"), Action::End], "ab".into()));
    // What has been handed over can't be erased.
    assert_eq!(typed(b"ab\x04\x7f\x15c\r"), (vec![line("ab"), line("c\n")], "abc\n".into()));
}

#[test]
fn signals_drop_the_line() {
    for (key, means, echo) in
        [(3, Key::Interrupt, "ab^Cc\n"), (28, Key::Quit, "ab^\\c\n"), (26, Key::Suspend, "ab^Zc\n")]
    {
        let (actions, shown) = typed(&[b'a', b'b', key, b'c', b'\r']);
        assert_eq!((actions, shown.as_str()), (vec![Action::Signal(means), line("c\n")], echo));
    }
}

#[test]
fn a_key_can_be_taken_for_itself() {
    gives("a\x16\x03b\r", "a\x03b\n", "a^\x08^Cb\n");
    gives("\x16\x16\x16\r\r", "\x16\r\n", "^\x08^V^\x08^M\n");
    gives("a\x13\x11b\r", "ab\n", "ab\n");
}

#[test]
fn a_line_is_shown_again() {
    gives("ab\x01\x12c\r", "ab\x01c\n", "ab^A^R\nab^Ac\n");
}

#[test]
fn a_line_is_bounded() {
    let mut keys = vec![b'x'; LINE_LIMIT_BYTES + 10];
    keys.push(b'\r');
    let (actions, shown) = typed(&keys);
    let [Action::Deliver(read)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((read.len(), read.last()), (LINE_LIMIT_BYTES, Some(&b'\n')));
    assert_eq!(shown.matches('\x07').count(), 11);
}

/// A screen of one line.
fn screen(echo: &[u8]) -> Vec<u8> {
    let (mut cells, mut cursor) = (Vec::new(), 0);
    for byte in echo {
        match byte {
            8 => cursor -= 1,
            7 => {}
            _ => {
                cells.truncate(cursor);
                cells.push(*byte);
                cursor += 1;
            }
        }
    }
    cells.truncate(cursor);
    cells
}

proptest! {
    #[test]
    fn any_keys_are_taken(keys in vec(any::<u8>(), 0..6000)) {
        let mut discipline = Discipline::default();
        let mut read = 0;
        for key in &keys {
            let mut echo = Vec::new();
            match discipline.take(*key, &mut echo) {
                Some(Action::Deliver(bytes)) => {
                    prop_assert!(!bytes.is_empty() && bytes.len() <= LINE_LIMIT_BYTES);
                    read += bytes.len();
                }
                Some(Action::End | Action::Signal(_)) | None => {}
            }
            // The most is erased for one key: a line of tabs.
            prop_assert!(echo.len() <= LINE_LIMIT_BYTES * 8 * 3);
        }
        prop_assert!(read <= keys.len());
    }

    #[test]
    fn what_is_erased_leaves_no_trace(keys in "[a-z\t\x01 ]{0,40}", erased in "[a-zé\t\x02]{0,40}") {
        let length = erased.chars().count();
        let with = [keys.as_bytes(), erased.as_bytes(), &vec![0x7f; length], b"\x04"].concat();
        let without = [keys.as_bytes(), b"\x04"].concat();
        let (with, without) = (typed(&with), typed(&without));
        prop_assert_eq!(with.0, without.0);
        if erased.is_ascii() {
            prop_assert_eq!(screen(with.1.as_bytes()), screen(without.1.as_bytes()));
        }
    }
}
