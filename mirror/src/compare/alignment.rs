//! Lines two sequences of tokens up: their common subsequence, and the gaps between.

use std::convert::Infallible;
use std::ops::Range;
use std::time::{Duration, Instant};

use similar::Algorithm;
use similar::algorithms::{DiffHook, diff_slices_deadline};

use super::tokens::Token;

/// After this time a diff is no longer the shortest, and what is not lined up by then counts as
/// different. It is long, as a busy machine must not make pages unlike.
const LONGEST: Duration = Duration::from_secs(120);

/// How two sequences line up.
#[derive(Debug, Default)]
pub(super) struct Alignment {
    /// Equal runs: where they begin on both sides, and their length.
    equal: Vec<(usize, usize, usize)>,
    lengths: (usize, usize),
}

impl Alignment {
    pub(super) fn of(one: &[Token], other: &[Token]) -> Self {
        let mut alignment = Self {
            equal: Vec::new(),
            lengths: (one.len(), other.len()),
        };
        let until = Instant::now() + LONGEST;
        let Ok(()) =
            diff_slices_deadline(Algorithm::Patience, &mut alignment, one, other, Some(until));
        alignment
    }

    /// Says of each token of the first sequence whether the second lacks it.
    pub(super) fn missing(&self) -> Vec<bool> {
        let mut missing = vec![true; self.lengths.0];
        for (at, _, length) in &self.equal {
            missing[*at..at + length].fill(false);
        }
        missing
    }

    /// Returns the gaps between equal runs: a range of each sequence.
    pub(super) fn gaps(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let end = (self.lengths.0, self.lengths.1, 0);
        let mut behind = (0, 0);
        self.equal
            .iter()
            .copied()
            .chain([end])
            .map(move |(one, other, length)| {
                let gap = (behind.0..one, behind.1..other);
                behind = (one + length, other + length);
                gap
            })
    }
}

impl DiffHook for Alignment {
    type Error = Infallible;

    fn equal(&mut self, one: usize, other: usize, length: usize) -> Result<(), Infallible> {
        self.equal.push((one, other, length));
        Ok(())
    }
}
