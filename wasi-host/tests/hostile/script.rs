//! Programs of preview 1 that make one call after the other and print what each gave: a byte per call, its error number.

use std::fmt::Write as _;

use coracle_wasi_host::{Preopen, Program, Stream};

use crate::{
    end,
    support::{container, pod, program},
};

/// The functions of preview 1 that scripts call, with the types of their parameters; each gives an error number.
const FUNCTIONS: &[(&str, &str)] = &[
    ("fd_allocate", "i32 i64 i64"),
    ("fd_close", "i32"),
    ("fd_filestat_set_size", "i32 i64"),
    ("fd_filestat_set_times", "i32 i64 i64 i32"),
    ("fd_pwrite", "i32 i32 i32 i64 i32"),
    ("fd_read", "i32 i32 i32 i32"),
    ("fd_readdir", "i32 i32 i32 i64 i32"),
    ("fd_renumber", "i32 i32"),
    ("fd_write", "i32 i32 i32 i32"),
    ("path_create_directory", "i32 i32 i32"),
    ("path_filestat_get", "i32 i32 i32 i32 i32"),
    ("path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32"),
    ("path_link", "i32 i32 i32 i32 i32 i32 i32"),
    ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
    ("path_readlink", "i32 i32 i32 i32 i32 i32"),
    ("path_remove_directory", "i32 i32 i32"),
    ("path_rename", "i32 i32 i32 i32 i32 i32"),
    ("path_symlink", "i32 i32 i32 i32 i32"),
    ("path_unlink_file", "i32 i32 i32"),
    ("poll_oneoff", "i32 i32 i32 i32"),
    ("random_get", "i32 i32"),
];

/// Where results are gathered, before they are printed.
const RESULTS: u32 = 60_000;
/// Where a call may leave what it gives: descriptors, counts.
const RETURNED: u32 = 59_000;
/// Text begins here.
const TEXT: u32 = 1_000;
/// A buffer of 1,000 bytes, as an array of one iovec at [`IOVEC`].
const BUFFER: u32 = 50_000;
/// See [`BUFFER`].
pub const IOVEC: u32 = 58_000;

/// The rights to read and to write, of which the host derives how a file is opened.
pub const READ: u64 = 1 << 1;
pub const WRITE: u64 = 1 << 6;
/// `oflags` of `path_open`.
pub const CREAT: u32 = 1;
pub const DIRECTORY: u32 = 2;
pub const TRUNC: u32 = 8;

/// A script under construction.
#[derive(Default)]
pub struct Script {
    data: String,
    code: String,
    text_bytes: u32,
    calls: u32,
}

/// A number as an operand.
pub fn i32(value: u32) -> String {
    format!("(i32.const {value})")
}

/// A long number as an operand.
pub fn i64(value: u64) -> String {
    format!("(i64.const {value})")
}

impl Script {
    /// Puts bytes into the guest's memory: its address and length as two operands.
    pub fn text(&mut self, bytes: impl AsRef<[u8]>) -> String {
        let bytes = bytes.as_ref();
        let at = TEXT + self.text_bytes;
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let _ = writeln!(self.data, "(data (i32.const {at}) \"{escaped}\")");
        self.text_bytes += u32::try_from(bytes.len()).unwrap();
        assert!(TEXT + self.text_bytes < BUFFER, "the text fits");
        format!("(i32.const {at}) (i32.const {})", bytes.len())
    }

    /// Calls a function with these operands.
    pub fn call(&mut self, function: &str, operands: &str) -> &mut Script {
        let at = RESULTS + self.calls;
        let _ = writeln!(self.code, "(i32.store8 (i32.const {at}) (call ${function} {operands}))");
        self.calls += 1;
        self
    }

    /// Opens a path below a directory; the operand that is the descriptor afterwards.
    pub fn open(&mut self, dir: u32, path: impl AsRef<[u8]>, oflags: u32, rights: u64) -> String {
        let path = self.text(path);
        let slot = RETURNED + 4 * self.calls;
        let operands = format!(
            "(i32.const {dir}) (i32.const 1) {path} (i32.const {oflags}) (i64.const {rights}) (i64.const {rights}) \
             (i32.const 0) (i32.const {slot})"
        );
        self.call("path_open", &operands);
        format!("(i32.load (i32.const {slot}))")
    }

    /// A function of one path below a directory.
    pub fn at(&mut self, function: &str, dir: u32, path: impl AsRef<[u8]>) -> &mut Script {
        let path = self.text(path);
        self.call(function, &format!("(i32.const {dir}) {path}"))
    }

    /// Writes a few bytes to a descriptor.
    pub fn write(&mut self, descriptor: &str) -> &mut Script {
        self.call("fd_write", &format!("{descriptor} {} (i32.const 1) (i32.const {RETURNED})", i32(IOVEC)))
    }

    /// The program.
    pub fn program(&self) -> Program {
        let mut imports = String::new();
        for (name, parameters) in FUNCTIONS {
            let _ = writeln!(
                imports,
                r#"(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {parameters}) (result i32)))"#
            );
        }
        let Script { data, code, calls, .. } = self;
        program(&format!(
            r#"(module {imports}
                (memory (export "memory") 2)
                {data}
                (data (i32.const {BUFFER}) "written by the guest")
                (func (export "_start")
                    (i32.store (i32.const {IOVEC}) (i32.const {BUFFER}))
                    (i32.store offset=4 (i32.const {IOVEC}) (i32.const 20))
                    {code}
                    (i32.store (i32.const {IOVEC}) (i32.const {RESULTS}))
                    (i32.store offset=4 (i32.const {IOVEC}) (i32.const {calls}))
                    (drop (call $fd_write (i32.const 1) (i32.const {IOVEC}) (i32.const 1) (i32.const {RETURNED})))))"#
        ))
    }

    /// Runs the script with these directories, from descriptor 3 on: the error number of every call.
    pub async fn run(&self, preopens: Vec<Preopen>) -> Vec<u8> {
        let (mut config, log) = container(self.program());
        config.preopens = preopens;
        let exit = end(&pod().start(config).await.unwrap()).await;
        assert_eq!(exit.code, 0, "{exit:?}");
        let results = log.bytes(Stream::Stdout);
        assert_eq!(results.len(), self.calls as usize);
        results
    }
}
