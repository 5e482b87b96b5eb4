//! Holds the objects against the running site, and says whether the copy may be published.
//!
//! Pages are chosen by what visitors ask for ([`choice`]). Each chosen page is asked for twice, by
//! two visitors who share no session (`looks`), and both answers and the page's object are read
//! as words and structure, with each URL replaced by where it leads (`tokens`, `places`). What
//! both answers share, in order, must be in the object, in that order (`page`): whatever a site
//! makes anew for each visitor (tokens against forgery, times, advertisements) differs between the
//! answers and excuses itself, and nothing else is left out. A page that is unlike is asked for
//! again, some seconds and then a minute later, and what *all* its answers share counts.
//!
//! A page is alike or it is not. No average over a page's bytes is taken, in which a head and a
//! foot, which are most of the bytes, would drown the loss of the text between them. [`verdict()`]
//! decides over the whole.

mod alignment;
pub mod choice;
mod live;
mod looks;
mod page;
mod places;
mod report;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tokens;
mod verdict;

pub use choice::{Choice, Chosen, choose};
pub use live::{compare, hits};
pub use looks::{Answered, Looks, compare_by};
pub use places::{Leads, Places};
pub use report::{Compared, Outcome, Report};
pub use verdict::{Facts, Former, Limits, Links, Reason, Verdict, verdict};
