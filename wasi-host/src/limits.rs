//! Every bound of the sandbox, with its reason. No other module invents a number.

use std::time::Duration;

/// The most bytes handed to [`Output::write`](crate::Output::write) in one call, and the most a guest may write
/// in one of its turns: larger writes are split, so no guest holds a log for long.
pub const OUTPUT_CHUNK_LIMIT_BYTES: usize = 64 * 1024;

/// What may wait in a guest's stdin; whoever writes more waits for the guest to read.
pub const STDIN_BUFFER_LIMIT_BYTES: usize = 64 * 1024;

/// Readers of one stdin that are woken when it changes. A program has one.
pub const STDIN_READERS: usize = 16;

/// Commands that may run at once beside a container, in its place (`Container::exec`). Each is an instance.
pub const EXECS_PER_CONTAINER: usize = 64;

/// The most a trap's message may be, backtrace included. Deep recursion gives backtraces nobody reads to the end.
pub const TRAP_MESSAGE_LIMIT_BYTES: usize = 16 * 1024;

/// Frames of a Wasm backtrace that are collected. Collecting them is work done on the guest's behalf.
pub const BACKTRACE_FRAMES: usize = 40;

/// Program instances that may exist at once on one engine, by default: 10,000 resident guests and the requests
/// in flight beside them. Each reserves 4 GiB of address space, of which a process has 128 TiB, and two memory
/// mappings, with some four more while it lives, of which Linux allows 65,530 (`vm.max_map_count`).
pub const DEFAULT_MAX_INSTANCES: u32 = 11_000;

/// The ceiling of one linear memory, by default: what a 32-bit guest can address.
pub const DEFAULT_MAX_MEMORY_BYTES: u64 = 4 << 30;

/// How often the epoch advances, by default: the granularity of interruption and of CPU accounting.
pub const DEFAULT_EPOCH_TICK: Duration = Duration::from_millis(10);

/// Core instances a component may consist of. Toolchains make up to four; composed components have more.
pub const CORE_INSTANCES_PER_COMPONENT: u32 = 64;

/// Core instances the pool reserves for each program instance, on average (see above).
pub const CORE_INSTANCES_PER_INSTANCE: u32 = 4;

/// Linear memories one program may have. Components composed of several languages have one for each.
pub const MEMORIES_PER_INSTANCE: u32 = 16;

/// Tables one program may have, for the same reason.
pub const TABLES_PER_INSTANCE: u32 = 32;

/// Elements one table may have: an interpreter built for Wasm fills some 30,000.
pub const TABLE_ELEMENTS: usize = 100_000;

/// Instance metadata (not memory) of one core instance or component: grows with its number of functions.
pub const INSTANCE_METADATA_BYTES: usize = 16 << 20;

/// What the pool keeps resident of a freed slot, so that the next instance there finds its pages in place.
/// Measured worth 2.6 times the requests per second.
pub const KEEP_RESIDENT_BYTES: usize = 1 << 20;

/// Freed slots the pool keeps warm. Bounds what the line above may hold resident: 200 MiB.
pub const WARM_SLOTS: u32 = 200;

/// Stack a guest may use.
pub const WASM_STACK_BYTES: usize = 512 * 1024;

/// Stack of one fiber: the guest's, and the host functions it calls.
pub const FIBER_STACK_BYTES: usize = 2 << 20;

/// The largest program file. Interpreters with their libraries come to some 50 MB.
pub const PROGRAM_LIMIT_BYTES: usize = 256 << 20;

/// Functions in one program, over all its modules. An interpreter with its libraries has some 50,000.
pub const FUNCTIONS_PER_PROGRAM: usize = 500_000;

/// The largest function, in bytes of WebAssembly. One of CPython's largest has 183 KiB; compiling takes more than linear
/// time, and can't be interrupted.
pub const FUNCTION_LIMIT_BYTES: usize = 2 << 20;

/// Blocks (and branches) times locals in one function: what the compiler's work grows with. Loops of large interpreters have
/// some ten thousand of the ones and a few hundred of the others. At the limit, two busy cores took about a minute.
pub const WORK_PER_FUNCTION: u64 = 32_000_000;

/// The same of all functions together. Large interpreters come to some tens of millions.
pub const WORK_PER_PROGRAM: u64 = 256_000_000;

/// How deep blocks may lie in one another. A switch of a thousand cases is a thousand blocks.
pub const BLOCK_NESTING: usize = 10_000;

/// Debugging information (DWARF) that is kept for backtraces. It is decoded when the program traps, to some thirty times
/// its size; of a program that has more, backtraces name functions and no lines.
pub const DEBUG_LIMIT_BYTES: usize = 16 << 20;

/// Names listed in an error before it says how many more there are.
pub const NAMES_IN_ERROR: usize = 32;

/// Characters of a name that an error repeats; a file may have names of 100,000 bytes.
pub const NAME_IN_ERROR_CHARS: usize = 200;

/// What a guest may pass to the host in one call (strings, lists), in bytes.
pub const HOSTCALL_LIMIT_BYTES: usize = 16 << 20;

/// Host resources (streams, descriptors, pollables, headers) one instance may hold.
pub const RESOURCES_PER_INSTANCE: usize = 10_000;

/// Component-model handles one instance may hold.
pub const HANDLES_PER_INSTANCE: usize = 100_000;

/// Files and directories one instance may have open, in WASI 0.3 by streams alone too: the soft limit of open files on most systems.
pub const FILES_PER_INSTANCE: usize = 1024;

/// Entries in all lists of directories that one instance has open. Each takes some 100 bytes of the host's memory, and
/// its name.
pub const LISTED_ENTRIES_PER_INSTANCE: usize = 100_000;

/// File descriptors of the host that one container may hold: files, sockets, connections to and from it.
pub const DESCRIPTORS_PER_CONTAINER: usize = 4096;

/// File descriptors of the host that all guests of an engine may hold, by default; see `EngineConfig::max_descriptors`.
pub const DEFAULT_MAX_DESCRIPTORS: usize = 16_384;

/// The longest key of a bucket (`wasi:keyvalue`); URLs in use are rarely longer.
pub const KEY_LIMIT_BYTES: usize = 1024;

/// The largest value of a bucket. It is read and written as a whole, and is in the host's memory while its call waits
/// for its turn; what is larger belongs into files.
pub const VALUE_LIMIT_BYTES: usize = 1 << 20;

/// All values that one call for many sets or gets.
pub const BATCH_LIMIT_BYTES: usize = 4 << 20;

/// Keys in one call for many. Each is a write of its own to the disk.
pub const KEYS_PER_BATCH: usize = 1000;

/// Keys that a bucket lists in one answer: a megabyte of the longest.
pub const KEYS_PER_PAGE: usize = 1000;

/// Keys a bucket may have and still be listed: all their names are looked through for each page.
pub const KEYS_PER_BUCKET: usize = 100_000;

/// Operations on buckets that one container has under way; further ones wait. Each is on one of the 512 threads for
/// blocking work that guests of one kind share, and may wait there for the writers of other containers.
pub const BUCKET_OPERATIONS: usize = 8;

/// Random bytes a guest may ask for in one call.
pub const RANDOM_LIMIT_BYTES: u64 = 1 << 20;

/// Sockets one instance may have open; each is a file descriptor of the host.
pub const SOCKETS_PER_INSTANCE: u32 = 1024;

/// Addresses one name lookup gives a guest; the rest are not tried by anyone.
pub const ADDRESSES_PER_LOOKUP: usize = 64;

/// The longest name that is looked up (RFC 1035, 2.3.4).
pub const NAME_LIMIT_BYTES: usize = 253;

/// Connections a container's HTTP server keeps open. Further ones wait in the kernel's backlog.
pub const HTTP_CONNECTIONS: usize = 1024;

/// Connections that may wait to be accepted.
pub const HTTP_BACKLOG: u32 = 1024;

/// Requests of one container served at the same time: each is an instance. A memory limit may lower it.
pub const HTTP_CONCURRENCY: usize = 256;

/// Instances of one container that may be made before a request asks for them.
pub const HTTP_WARM_INSTANCES: usize = 64;

/// Requests that may wait for their turn; beyond, a client is told 503 at once.
pub const HTTP_QUEUE: usize = 1024;

/// How long a request may wait for its turn before its client is told 503.
pub const HTTP_QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// Header fields in one request.
pub const HTTP_HEADERS: usize = 100;

/// The request line and header section together, and hyper's read buffer.
pub const HTTP_HEADER_LIMIT_BYTES: usize = 64 * 1024;

/// How long a client may take to send the header section; then the connection is closed.
pub const HTTP_HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long nothing may be asked on a connection, by default; then, and before it is twice that, it is closed.
pub const HTTP_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client that has asked nothing may take to hear that its connection is closed.
pub const HTTP_FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// What of an answer's body the host takes from a guest of WASI 0.2 at once: so much, and as much again, it holds for a
/// client that does not read.
pub const HTTP_BODY_CHUNK_BYTES: usize = 64 * 1024;

/// The largest request body. Bodies are streamed and never held, so this bounds time, not memory.
pub const HTTP_BODY_LIMIT_BYTES: u64 = 1 << 30;

/// HTTP/2 streams on one connection.
pub const HTTP2_STREAMS: u32 = 128;

// WASI 0.3: what programs may have under way at once, which in 0.2 needed a resource each.

/// The part of an engine's instances that may use WASI 0.3: their pool is reserved besides, and each place in it costs two of
/// the memory mappings that the number of instances is made for (see above).
pub const P3_POOL_SHARE: u32 = 8;

/// Instances of WASI 0.3 that a small engine may have all the same: twice what one server may have in flight.
pub const P3_POOL_MIN: u32 = 512;

/// Component-model handles one instance of a WASI 0.3 program may hold. Each call that waits is one, with a future of the
/// host behind it, so they are worth as much as resources are.
pub const P3_HANDLES_PER_INSTANCE: usize = 10_000;

/// Datagrams one instance may be sending or waiting for at the same time: each holds a buffer of 64 KiB in the host.
pub const P3_DATAGRAMS_IN_FLIGHT: usize = 64;

/// The largest datagram (RFC 768: its length field has 16 bits).
pub const DATAGRAM_LIMIT_BYTES: usize = u16::MAX as usize;

/// Names one instance may be looking up at the same time; further lookups wait for their turn.
pub const P3_LOOKUPS_IN_FLIGHT: usize = 64;

/// How long an instance that has all the open files it may have waits for one more: a stream that the guest has dropped
/// keeps its file until the host's thread that reads it is done.
pub const P3_FILE_PATIENCE: Duration = Duration::from_millis(250);

/// How often it looks meanwhile.
pub const P3_FILE_POLL: Duration = Duration::from_millis(1);

/// The longest path that a call by WASI 0.3 may have (Linux: `PATH_MAX`).
pub const PATH_LIMIT_BYTES: usize = 4096;

/// Entries of a directory that are read at once, and so what waits in the host for a guest to take it.
pub const P3_ENTRIES_AT_ONCE: usize = 32;

/// The most of a body that is copied out of a guest at once, and so what waits in the host for a slow client.
pub const P3_BODY_CHUNK_BYTES: usize = 64 * 1024;

/// How long an outgoing request may take to connect, to answer, and between two pieces of its answer, unless
/// the guest sets its own timeouts.
pub const OUTGOING_TIMEOUT: Duration = Duration::from_secs(600);

/// How long accepting waits after the kernel refused a connection for lack of descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The period over which a CPU limit is kept, and so the longest burst: the period of the kernel's CFS quota.
pub const CPU_PERIOD: Duration = Duration::from_millis(100);

/// The longest a throttled guest sleeps before its budget is looked at again.
pub const CPU_PAUSE_LIMIT: Duration = Duration::from_secs(1);

/// A thread's CPU clock is not read again within this time. So much a turn may be off, if other threads had the CPU in it.
pub const CPU_CLOCK_REUSE: Duration = Duration::from_micros(100);

/// The least shares a container can have, and what one has that requests no CPU: those of the kernel's cgroups.
pub const CPU_SHARES_MIN: u32 = 2;

/// The most (the same).
pub const CPU_SHARES_MAX: u32 = 262_144;

/// Turns from this length on are followed by a look for new I/O before the next one.
pub const CPU_LONG_TURN: Duration = Duration::from_millis(1);

/// Threads that run guests of one kind, at least: one guest in host code must not hold up all others.
pub const GUEST_THREADS_MIN: usize = 2;

/// Turns a guest thread takes before it looks for new I/O. A turn may last a tick, so tokio's own 61 would leave
/// requests unseen for more than half a second when guests compute.
pub const GUEST_EVENT_INTERVAL: u32 = 4;

// Pods with a process of their own: what passes between it and the node.

/// Instances of one such pod: what two of its servers may have in flight. Address space is reserved in each process.
pub const ISOLATED_INSTANCES: u32 = 2 * HTTP_CONCURRENCY as u32;

/// The largest message. What may be larger (arguments, variables, programs) is passed as a file in memory.
pub const ISOLATED_MESSAGE_BYTES: usize = 64 * 1024;

/// Descriptors with one message (Linux: `SCM_MAX_FD` is 253), and so the directories of a container with a few others.
pub const ISOLATED_DESCRIPTORS_PER_MESSAGE: usize = 250;

/// Descriptors that go with a message beside a container's directories: what to do, program, output, stdin, listener.
pub const ISOLATED_DESCRIPTORS_OF_START: usize = 5;

/// Messages that may wait for the child. One that leaves so many unread has failed.
pub const ISOLATED_ORDERS: usize = 256;

/// Lookups of names that the node does for one pod at the same time; further ones are told to try again.
pub const ISOLATED_LOOKUPS: usize = 256;

/// What waits in the kernel between a container's output and the node: a few turns of a guest.
pub const ISOLATED_PIPE_BYTES: usize = 256 * 1024;

/// How long a child may take to raise its walls and make its engine.
pub const ISOLATED_START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a container may take to end after its grace before the child is killed: a few ticks, or one bulk instruction.
pub const ISOLATED_STOP_MARGIN: Duration = Duration::from_secs(15);

/// How long a guest's call waits for the node to say where an address leads.
pub const ISOLATED_ROUTE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a child says what its containers use, if that has changed.
pub const ISOLATED_USAGE_INTERVAL: Duration = Duration::from_secs(1);

/// Files a child may have open, if its parent may: those of guests, and some of its own.
pub const ISOLATED_OPEN_FILES: u64 = 16_384;

/// Of these, what is the child's own.
pub const ISOLATED_OWN_FILES: usize = 512;

/// Bytes of a child's text (why it ended, why it could not start) that are kept.
pub const ISOLATED_TEXT_BYTES: usize = TRAP_MESSAGE_LIMIT_BYTES;

/// Memory that the process of a pod needs beside what its guests are limited to: code, stacks, what the host keeps for them.
pub const ISOLATED_OVERHEAD_BYTES: u64 = 256 << 20;

/// CPU time that it needs besides, in thousandths of a CPU: the node talks to it, and must not wait for its guests' next period.
pub const ISOLATED_OVERHEAD_MILLIS: u32 = 100;

/// Threads of one such process: both kinds of guest threads may have tokio's 512 for blocking work besides.
pub const ISOLATED_TASKS: u32 = 2048;
