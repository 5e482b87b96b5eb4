//! Says a verdict in sentences for a person: what was found, and what to do.

use std::fmt;

use super::{Links, ROUNDING, Reason, Verdict};

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish => write!(f, "the mirror may be published"),
            Self::Refuse { reasons } => {
                write!(f, "the mirror is not published, and the one before stays")?;
                reasons
                    .iter()
                    .try_for_each(|reason| write!(f, "\n- {reason}"))
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(
                f,
                "the crawl found no page: ask the site for its front page by hand, and look whether robots.txt or a login keeps everybody out"
            ),
            Self::NoFrontPage => write!(
                f,
                "the mirror has no front page: `/` must answer a visitor who is not logged in with a page or a redirect"
            ),
            Self::NoErrorDocument => write!(
                f,
                "the mirror has no error document: the site must answer a path that it does not have with 404 and a page"
            ),
            Self::Dropped {
                gone,
                pages,
                max_drop,
            } => write!(
                f,
                "{gone} of the {pages} pages of the mirror that stands are gone, and max_drop bears {}: look whether the site still links to them; if they went on purpose, allow it once by a larger max_drop",
                percent(*max_drop)
            ),
            Self::BrokenLinks { links } => broken_sentence(*links, f),
            Self::NotCompared => write!(
                f,
                "the mirror was not compared with the site: run it again while the site answers"
            ),
            Self::Unlike {
                likeness,
                least,
                pages,
                nothing_shared,
                often_missing,
            } => {
                write!(
                    f,
                    "{} of the weight is like the site, and {} must be: {pages} pages differ",
                    percent(*likeness),
                    percent(*least)
                )?;
                if *nothing_shared > 0 {
                    write!(
                        f,
                        ", {nothing_shared} of them are made anew for each visitor and belong to what stays dynamic"
                    )?;
                }
                if let Some(text) = often_missing {
                    write!(f, "; several of them lack \"{}\"", shown(text))?;
                }
                write!(
                    f,
                    ": read the words that they lack, and run the mirror again if the site has changed meanwhile"
                )
            }
            Self::Failed {
                failed,
                most,
                pages,
            } => write!(
                f,
                "{pages} pages that hold {} of the weight answer an error or nothing, and {} is borne: mend them, and run the mirror again",
                percent(*failed),
                percent(*most)
            ),
            Self::AnotherRelease { before, after } => write!(
                f,
                "the site served the release {} when the crawl began, and {} when it ended, so that the copy may be of both: run the mirror again",
                named(before),
                named(after)
            ),
            Self::NoRelease { former } => write!(
                f,
                "the site tells no release, and the mirror that stands is of the release {}: the mirror itself may have answered under the site's name; ask the site at its own address, or run the mirror again once the name leads to the site",
                shown(former)
            ),
        }
    }
}

fn broken_sentence(links: Links, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "{} of {} links, on {} of {} pages, fail in the mirror and work on the site",
        links.faults, links.links, links.pages_with_faults, links.pages
    )?;
    if links.faults_on_front_page > 0 {
        write!(
            f,
            ", {} of them on the front page",
            links.faults_on_front_page
        )?;
    }
    write!(f, ": the link check names each with its page and line")
}

fn named(release: &Option<String>) -> String {
    release
        .as_deref()
        .map_or_else(|| "that it does not name".to_owned(), shown)
}

/// Rounds down, so that what is under a limit never reads as the limit.
fn percent(share: f64) -> String {
    format!("{:.2} %", (share * 10_000.0 + ROUNDING).floor() / 100.0)
}

/// Takes out what would steer a terminal: the site wrote it (invariant I15).
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
