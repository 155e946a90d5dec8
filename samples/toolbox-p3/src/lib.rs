//! Small tools in one command of WASI 0.3. The first argument says what it does.

mod files;
mod net;
mod streams;

use wasip3::cli::{environment, exit, stdin, stdout};
use wasip3::clocks::monotonic_clock;

use streams::{complain, say};

struct Toolbox;

wasip3::cli::command::export!(Toolbox);

/// How a tool ends: an exit code, or why it failed (exit code 1).
type Outcome = Result<u8, String>;

impl wasip3::exports::cli::run::Guest for Toolbox {
    async fn run() -> Result<(), ()> {
        let words = environment::get_arguments();
        let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        match tool(&args).await {
            Ok(0) => Ok(()),
            Ok(code) => {
                exit::exit_with_code(code);
                Err(())
            }
            Err(why) => {
                complain(&format!("toolbox-p3: {why}\n")).await;
                Err(())
            }
        }
    }
}

async fn tool(args: &[&str]) -> Outcome {
    match args {
        ["args", rest @ ..] => say(&rest.iter().map(|arg| format!("{arg}\n")).collect::<String>()).await,
        ["env"] => {
            let variables = environment::get_environment();
            say(&variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<String>()).await
        }
        ["cat", path] => files::cat(path).await,
        ["write", path, text] => files::write(path, text).await,
        ["copy"] => copy().await,
        ["exit", code] => code.parse().map_err(|_| format!("{code} is no exit code")),
        ["sleep", seconds] => sleep(seconds).await,
        ["resolve", name] => net::resolve(name).await,
        ["dial", place, text] => net::dial(place, text).await,
        ["serve", port] => net::serve(port).await,
        ["datagram", place, text] => net::datagram(place, text).await,
        ["datagrams", port] => net::datagrams(port).await,
        _ => Err("args WORD…, env, cat FILE, write FILE TEXT, copy, exit CODE, sleep SECONDS, resolve NAME, \
             dial HOST:PORT TEXT, serve PORT, datagram HOST:PORT TEXT, datagrams PORT"
            .into()),
    }
}

/// Copies stdin to stdout: the host moves the bytes from one stream to the other.
async fn copy() -> Outcome {
    let (input, read) = stdin::read_via_stream();
    stdout::write_via_stream(input).await.map_err(|error| format!("stdout: {error:?}"))?;
    read.await.map_err(|error| format!("stdin: {error:?}"))?;
    Ok(0)
}

async fn sleep(seconds: &str) -> Outcome {
    let seconds: u64 = seconds.parse().map_err(|_| format!("{seconds} is no number"))?;
    monotonic_clock::wait_for(seconds.saturating_mul(1_000_000_000)).await;
    Ok(0)
}
