//! The published mirror: what stands in its bucket, how a new copy gets there, and what is told of
//! it. How a copy is made is the `mirror` crate's business.

mod answers;
mod former_front;
mod front;
mod hits;
mod hold;
mod manifest;
mod plan;
mod publish;
mod record;
mod report;
mod stored;

pub use answers::MirrorAnswer;
pub use former_front::FormerFront;
pub use front::{FrontState, MirrorFront};
pub use hits::Hits;
pub use hold::Hold;
pub use manifest::{MirrorManifest, PublishedObject};
pub use plan::PublishPlan;
pub use publish::{Imprint, Publisher};
pub use record::{MirrorRecord, RecordVerdict};
pub use report::{CopyCounts, LastGood, MirrorEnd, MirrorReport};
pub use stored::{ManifestSince, ManifestWritten, MirrorState};
