//! What happens by chance: the same again from the same seed, as far as processes and clocks allow.

use std::time::Duration;

use fastrand::Rng;

/// At least `from` milliseconds, and less than `to`.
pub fn millis(chance: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(chance.u64(from..to))
}

/// The variable SEED, else always the same: a suite tests the change, and long runs look for the
/// rest.
pub fn seed() -> u64 {
    std::env::var("SEED").map_or(1, |seed| seed.parse().expect("SEED is a number"))
}

/// A number that a variable may say otherwise.
pub fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is a number"))
    })
}
