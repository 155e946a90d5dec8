//! A preview 1 command: counts the primes up to its first argument, says so, and exits 0.

use std::process::ExitCode;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "100000".into());
    let Ok(limit) = argument.parse::<usize>() else {
        eprintln!("batch: the limit must be a whole number, not {argument:?}");
        return ExitCode::from(2);
    };
    println!("{} primes up to {limit}", count_primes(limit));
    ExitCode::SUCCESS
}

/// The sieve of Eratosthenes.
fn count_primes(limit: usize) -> usize {
    let mut composite = vec![false; limit.saturating_add(1)];
    let mut count = 0;
    for candidate in 2..=limit {
        if composite[candidate] {
            continue;
        }
        count += 1;
        for multiple in (candidate.saturating_mul(candidate)..=limit).step_by(candidate) {
            composite[multiple] = true;
        }
    }
    count
}
