//! Whom a person leads the names back to.

use super::claim::Claim;
use super::ownership::Ownership;

/// Who has the names once they are led back from the mirror.
#[derive(Debug)]
pub enum Heir {
    /// Those that serve, by what they ask of the names; the first is the owner.
    Serving { owner: String, claims: Vec<Claim> },
    /// Nobody yet: the records stay where they lead, and the next instance that boots takes them.
    /// `gone`: the owners that were looked for, none of which lives. Another owner by now has
    /// booted meanwhile, and left the records where the person had led them.
    NextBoot { gone: Vec<String> },
}

impl Heir {
    /// The claims that the records are written by.
    pub fn claims(&self) -> &[Claim] {
        match self {
            Self::Serving { claims, .. } => claims,
            Self::NextBoot { .. } => &[],
        }
    }

    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::Serving { owner, .. } => Some(owner),
            Self::NextBoot { .. } => None,
        }
    }

    /// Whether `owner` is the owner that this heir was found for.
    pub(super) fn is_of(&self, owner: &Ownership) -> bool {
        match self {
            Self::Serving { claims, .. } => claims
                .iter()
                .any(|claim| claim.keeps_neighbours() || claim.instance == owner.owner),
            Self::NextBoot { gone } => owner
                .instance()
                .is_none_or(|owner| gone.iter().any(|id| id == owner)),
        }
    }

    /// What becomes of the names, as a sentence.
    pub fn led(&self) -> String {
        match self {
            Self::Serving { claims, .. } => {
                let ids: Vec<&str> = claims.iter().map(|claim| claim.instance.as_str()).collect();
                format!("the names lead to {}", ids.join(", "))
            }
            Self::NextBoot { .. } => {
                "the names lead where they led, and the next instance that boots takes them"
                    .to_owned()
            }
        }
    }
}
