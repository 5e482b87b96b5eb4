//! The logs of the site's instances: what is shipped to `logs/<instance>/`, and how it is read from
//! anywhere.

mod boot_log;
mod line;
mod merge;
mod name;
mod opened;
mod ship;
mod stored;

pub use line::{Line, LineText};
pub use merge::Merge;
pub use name::{PieceName, Stream};
pub use ship::{access_time, entry_time, ship};
pub use stored::{Query, known, stored};
