//! What a publication does, decided from what the last one said, from what stands in the bucket,
//! and from the new copy. Nothing here talks to S3.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mirror::objects::{Object, Rank};
use time::OffsetDateTime;

use super::manifest::{LeavingObject, MirrorManifest};
use super::report::PublicationCounts;
use crate::cloud::s3::Standing;

/// How long an object stays that no page needs any more: browsers and caches may still hold a page
/// that does.
pub const GRACE: Duration = Duration::from_secs(60 * 60);

/// The objects of a copy, by key.
pub type NewMirror = BTreeMap<String, Object>;

/// The steps of a publication, in their order; within a step the order does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishPlan {
    /// Keys that no publication has named yet: what a killed run leaves under them is swept by the
    /// next one.
    pub coming: BTreeSet<String>,
    /// New and changed ones, before any page shows or runs them.
    pub assets: Vec<String>,
    /// Pages that are not there yet, before any other page links to them.
    pub new_pages: Vec<String>,
    pub changed_pages: Vec<String>,
    /// As many as stand already.
    pub unchanged: usize,
    /// What the manifest will say of objects that no page needs any more.
    pub leaving: BTreeMap<String, LeavingObject>,
    /// Pages of `leaving` whose grace is over; they go before what they show.
    pub pages_to_delete: Vec<String>,
    pub assets_to_delete: Vec<String>,
    /// Objects of others under keys of the copy, which the copy takes.
    pub overwritten: Vec<String>,
}

/// Decides what has to be written and deleted. `coming` is what an unfinished publication was about
/// to create. Only keys that spotboot has named are ever deleted: whatever else stands in the
/// bucket is a person's.
pub fn plan(
    former: Option<&MirrorManifest>,
    coming: &BTreeSet<String>,
    standing: &BTreeMap<String, Standing>,
    wanted: &NewMirror,
    now: OffsetDateTime,
) -> PublishPlan {
    let mut plan = PublishPlan::default();
    for (key, object) in wanted {
        let (known, stands) = (
            former.and_then(|former| former.objects.get(key)),
            standing.get(key),
        );
        let is_there = stands.zip(known).is_some_and(|(stands, known)| {
            known.is(object) && known.etag == stands.etag.as_str() && known.size == stands.size
        });
        if is_there {
            plan.unchanged += 1;
            continue;
        }
        let leaves = former.is_some_and(|former| former.leaving.contains_key(key));
        if known.is_none() && !leaves {
            plan.coming.insert(key.clone());
            if stands.is_some() && !coming.contains(key) {
                plan.overwritten.push(key.clone());
            }
        }
        let step = match (object.rank, stands) {
            (Rank::Asset, _) => &mut plan.assets,
            (Rank::Page, None) => &mut plan.new_pages,
            (Rank::Page, Some(_)) => &mut plan.changed_pages,
        };
        step.push(key.clone());
    }
    // What several killed runs left must be known to the one that is not killed.
    let left = coming.iter().filter(|key| standing.contains_key(*key));
    plan.coming.extend(left.cloned());
    plan.leaving = leaving(former, coming, standing, wanted, now);
    let is_due = |(_, leaving): &(&String, &LeavingObject)| leaving.since + GRACE <= now;
    for (key, leaving) in plan.leaving.iter().filter(is_due) {
        let step = if leaving.page {
            &mut plan.pages_to_delete
        } else {
            &mut plan.assets_to_delete
        };
        step.push(key.clone());
    }
    plan
}

/// The objects of spotboot's that the copy lacks and the bucket holds.
fn leaving(
    former: Option<&MirrorManifest>,
    coming: &BTreeSet<String>,
    standing: &BTreeMap<String, Standing>,
    wanted: &NewMirror,
    now: OffsetDateTime,
) -> BTreeMap<String, LeavingObject> {
    let since_now = |page| LeavingObject { since: now, page };
    let unfinished = coming.iter().map(|key| (key, since_now(true)));
    let objects = former.into_iter().flat_map(|former| &former.objects);
    let published = objects.map(|(key, object)| (key, since_now(object.page)));
    let before = former.into_iter().flat_map(|former| &former.leaving);
    let before = before.map(|(key, leaving)| (key, *leaving));
    // Of a key that several name, the last one counts, which has the earliest time.
    unfinished
        .chain(published)
        .chain(before)
        .filter(|(key, _)| !wanted.contains_key(*key) && standing.contains_key(*key))
        .map(|(key, leaving)| (key.clone(), leaving))
        .collect()
}

impl PublishPlan {
    /// How many objects are written.
    pub fn writes(&self) -> usize {
        self.assets.len() + self.new_pages.len() + self.changed_pages.len()
    }

    /// The keys that are written, in their order.
    pub fn written(&self) -> impl Iterator<Item = &String> {
        let pages = self.new_pages.iter().chain(&self.changed_pages);
        self.assets.iter().chain(pages)
    }

    pub fn counts(&self) -> PublicationCounts {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let deleted = self.pages_to_delete.len() + self.assets_to_delete.len();
        PublicationCounts {
            written: count(self.writes()),
            unchanged: count(self.unchanged),
            deleted: count(deleted),
            leaving: count(self.leaving.len() - deleted),
        }
    }
}

#[cfg(test)]
mod tests {
    use mirror::objects::Headers;
    use time::macros::datetime;

    use super::super::manifest::PublishedObject;
    use super::*;
    use crate::cloud::s3::Etag;

    const NOW: OffsetDateTime = datetime!(2026-11-30 15:00 UTC);

    fn object(content: &str, rank: Rank) -> Object {
        Object {
            file: content.into(),
            sha256: content.into(),
            size: 1,
            headers: Headers {
                content_type: "text/html".into(),
                ..Headers::default()
            },
            rank,
            address: None,
        }
    }

    /// `page.html=v1` or, for an asset, `style.css=v1`.
    fn copy(objects: &[&str]) -> NewMirror {
        let each = |text: &&str| {
            let (key, content) = text.split_once('=').unwrap();
            let rank = if key.ends_with(".css") {
                Rank::Asset
            } else {
                Rank::Page
            };
            (key.to_owned(), object(content, rank))
        };
        objects.iter().map(each).collect()
    }

    fn manifest(objects: &[&str], leaving: &[(&str, OffsetDateTime)]) -> MirrorManifest {
        let published = |(key, object): (String, Object)| {
            let etag = format!("\"{}\"", object.sha256);
            (key, PublishedObject::new(&object, &etag))
        };
        MirrorManifest {
            made: NOW,
            by: "ada".into(),
            release: None,
            public: "https://example.com/".into(),
            index: "index.html".into(),
            error: None,
            pages: 1,
            bytes: 1,
            likeness: None,
            objects: copy(objects).into_iter().map(published).collect(),
            leaving: leaving
                .iter()
                .map(|(key, since)| {
                    let page = !key.ends_with(".css");
                    (
                        (*key).to_owned(),
                        LeavingObject {
                            since: *since,
                            page,
                        },
                    )
                })
                .collect(),
            missing: Vec::new(),
        }
    }

    fn bucket(objects: &[&str]) -> BTreeMap<String, Standing> {
        let each = |(key, object): (String, Object)| {
            let etag = Etag::from(format!("\"{}\"", object.sha256).as_str());
            (key, Standing { size: 1, etag })
        };
        copy(objects).into_iter().map(each).collect()
    }

    fn planned(former: &MirrorManifest, standing: &[&str], wanted: &[&str]) -> PublishPlan {
        plan(
            Some(former),
            &BTreeSet::new(),
            &bucket(standing),
            &copy(wanted),
            NOW,
        )
    }

    #[test]
    fn what_stands_and_is_the_same_is_left_alone() {
        let all = ["a=1", "s.css=1"];
        let plan = planned(&manifest(&all, &[]), &all, &all);
        assert_eq!((plan.writes(), plan.unchanged), (0, 2));
        assert!(plan.leaving.is_empty() && plan.coming.is_empty());
    }

    #[test]
    fn assets_come_before_pages_and_new_pages_before_those_that_link_to_them() {
        let former = manifest(&["a=1", "s.css=1"], &[]);
        let plan = planned(
            &former,
            &["a=1", "s.css=1"],
            &["a=2", "b=1", "s.css=2", "t.css=1"],
        );
        assert_eq!(plan.assets, ["s.css", "t.css"]);
        assert_eq!(
            (plan.new_pages, plan.changed_pages),
            (vec!["b".to_owned()], vec!["a".to_owned()])
        );
        assert_eq!(plan.coming, ["b", "t.css"].map(str::to_owned).into());
    }

    #[test]
    fn other_headers_alone_are_a_change() {
        let former = manifest(&["a=1"], &[]);
        let mut wanted = copy(&["a=1"]);
        wanted.get_mut("a").unwrap().headers.content_type = "text/plain".into();
        let plan = plan(
            Some(&former),
            &BTreeSet::new(),
            &bucket(&["a=1"]),
            &wanted,
            NOW,
        );
        assert_eq!(plan.changed_pages, ["a"]);
    }

    #[test]
    fn a_manifest_that_names_what_is_gone_or_was_overwritten_is_mended() {
        let former = manifest(&["a=1", "b=1", "s.css=1"], &[]);
        let plan = planned(&former, &["a=other", "s.css=1"], &["a=1", "b=1", "s.css=1"]);
        assert_eq!(
            (plan.changed_pages, plan.new_pages),
            (vec!["a".to_owned()], vec!["b".to_owned()])
        );
        assert!(plan.overwritten.is_empty() && plan.coming.is_empty());
    }

    #[test]
    fn what_no_page_needs_leaves_and_goes_after_the_grace() {
        let former = manifest(&["a=1", "b=1", "s.css=1"], &[]);
        let all = ["a=1", "b=1", "s.css=1"];
        let first = planned(&former, &all, &["a=1"]);
        assert_eq!(first.leaving.keys().collect::<Vec<_>>(), ["b", "s.css"]);
        assert!(first.pages_to_delete.is_empty() && first.assets_to_delete.is_empty());
        let (young, old) = (NOW - GRACE / 2, NOW - GRACE);
        let later = manifest(&["a=1"], &[("b", old), ("s.css", young)]);
        let second = planned(&later, &all, &["a=1"]);
        assert_eq!(second.pages_to_delete, ["b"]);
        assert!(second.assets_to_delete.is_empty());
        assert_eq!(second.leaving.len(), 2);
    }

    #[test]
    fn pages_go_before_what_they_show() {
        let old = NOW - GRACE;
        let former = manifest(&["a=1"], &[("a.css", old), ("b", old)]);
        let plan = planned(&former, &["a=1", "a.css=1", "b=1"], &["a=1"]);
        assert_eq!(plan.pages_to_delete, ["b"]);
        assert_eq!(plan.assets_to_delete, ["a.css"]);
    }

    #[test]
    fn what_is_deleted_is_forgotten_and_what_comes_back_stays() {
        let old = NOW - GRACE;
        let former = manifest(&["a=1"], &[("gone", old), ("back", old)]);
        let plan = planned(&former, &["a=1", "back=1"], &["a=1", "back=1"]);
        assert!(plan.leaving.is_empty() && plan.pages_to_delete.is_empty());
        assert_eq!(plan.changed_pages, ["back"]);
    }

    #[test]
    fn a_persons_own_file_is_never_deleted_and_one_in_the_way_is_told_of() {
        let former = manifest(&["a=1"], &[]);
        let plan = planned(&former, &["a=1", "mine.pdf=1", "b=mine"], &["a=1", "b=1"]);
        assert!(plan.leaving.is_empty());
        assert_eq!(plan.overwritten, ["b"]);
    }

    #[test]
    fn what_a_killed_run_created_is_swept_by_the_next() {
        let coming = ["x", "y", "never-written"].map(str::to_owned).into();
        let former = manifest(&["a=1"], &[]);
        let standing = bucket(&["a=1", "x=1", "y=1"]);
        let plan = plan(
            Some(&former),
            &coming,
            &standing,
            &copy(&["a=1", "x=1"]),
            NOW,
        );
        assert_eq!(plan.leaving.keys().collect::<Vec<_>>(), ["y"]);
        // This run may be killed, too.
        assert_eq!(plan.coming, ["x", "y"].map(str::to_owned).into());
        assert!(plan.overwritten.is_empty());
    }

    #[test]
    fn the_first_publication_writes_everything_and_deletes_nothing() {
        let standing = bucket(&["theirs=1"]);
        let plan = plan(
            None,
            &BTreeSet::new(),
            &standing,
            &copy(&["a=1", "s.css=1"]),
            NOW,
        );
        assert_eq!((plan.writes(), plan.coming.len()), (2, 2));
        assert!(plan.leaving.is_empty() && plan.overwritten.is_empty());
    }
}
