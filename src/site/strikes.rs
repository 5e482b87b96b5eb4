//! The bad looks in a row at which a release fails its trial: one that fails may be a hiccup of the
//! network that it went through.

/// Bad looks in a row at which the trial has failed.
const OUT: u32 = 2;

/// The bad looks since the last good one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Strikes(u32);

impl Strikes {
    /// Counts a bad look. How many there are in a row by now.
    pub fn strike(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }

    /// Forgets the bad looks, after a good one.
    pub fn clear(&mut self) {
        self.0 = 0;
    }

    /// Whether the trial has failed.
    pub fn are_out(self) -> bool {
        self.0 >= OUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_bad_look_in_a_row_fails_a_trial_and_one_between_good_ones_does_not() {
        let mut strikes = Strikes::default();
        assert_eq!(strikes.strike(), 1);
        assert!(!strikes.are_out());
        strikes.clear();
        assert_eq!(strikes.strike(), 1);
        assert!(!strikes.are_out());
        assert_eq!(strikes.strike(), 2);
        assert!(strikes.are_out());
        assert_eq!(strikes.strike(), 3);
        assert!(strikes.are_out());
    }
}
