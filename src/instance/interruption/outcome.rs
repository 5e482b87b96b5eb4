//! What follows for the event loop from what AWS says of this instance.

/// What happened that others have to hear of.
pub enum Minded {
    /// AWS says something else than before; [`Marked`](super::notice::Marked) has it.
    Heard,
    /// The fleet is as it was, after a recommendation.
    Settled,
    /// This instance stops now, so that all is stopped when it ends.
    Over,
}
