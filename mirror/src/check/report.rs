//! What a link check found.

use serde::Serialize;

use crate::address::Address;
use crate::crawl::Rule;

/// What a link check found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Objects that were read for links.
    pub pages: u64,
    pub links: u64,
    /// Links that lead to the dynamic origin, as they should.
    pub dynamic: u64,
    /// Links that lead to the page that says what is off.
    pub off: u64,
    /// Sorted by page and line.
    pub problems: Vec<Problem>,
    /// Links to other sites, each once.
    pub external: Vec<External>,
}

/// A link that does not lead where it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The page that holds the link.
    pub page: Address,
    /// The key of the object that was read.
    pub key: String,
    pub line: u32,
    /// As it stands in the object.
    pub link: String,
    pub end: End,
    /// Why the mirror lacks it, where a rule left it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
}

/// Where a link ends that is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The mirror lacks what the site has: a fault.
    Broken,
    /// It leads to the live host: a fault, unless it is the dynamic name.
    Live,
    /// A rule left out what the page shows, as a picture that robots.txt disallows: a note. A style
    /// sheet is a fault all the same, since each page that lacks its own looks broken.
    LeftOut,
    /// The site lacks it, too: a note.
    DeadLive,
    /// The page is there, the fragment is not: a note, since the page is the site's own.
    FragmentMissing,
}

/// A URL of another site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct External {
    /// Without its fragment.
    pub url: String,
    /// The first page that leads there.
    pub page: Address,
    pub line: u32,
    /// How many links lead there.
    pub links: u64,
}

impl End {
    /// Whether the mirror is worse than the site here.
    pub fn is_fault(self) -> bool {
        matches!(self, Self::Broken | Self::Live)
    }

    /// In a few words.
    pub fn told(self) -> &'static str {
        match self {
            Self::Broken => "broken here, fine on the site",
            Self::Live => "leads to the live host",
            Self::LeftOut => "left out by a rule",
            Self::DeadLive => "dead on the site, too",
            Self::FragmentMissing => "the fragment is missing",
        }
    }
}

impl Problem {
    /// The link, with the rule that left it out.
    pub(super) fn told(&self) -> String {
        match self.rule {
            Some(rule) => format!("{} ({})", self.link, rule.told()),
            None => self.link.clone(),
        }
    }
}

impl Report {
    /// The problems that the mirror has and the site has not.
    pub fn faults(&self) -> impl Iterator<Item = &Problem> {
        self.problems
            .iter()
            .filter(|problem| problem.end.is_fault())
    }

    /// How many problems end so.
    pub fn count(&self, end: End) -> usize {
        let same = |problem: &&Problem| problem.end == end;
        self.problems.iter().filter(same).count()
    }
}
