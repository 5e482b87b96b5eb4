//! The links of the project's own pages: every relative link leads to a file that stands in the
//! workspace, and its anchor to a heading of that page. Links to other hosts are not followed.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// What a link can lead to.
enum Target {
    Page {
        anchors: BTreeSet<String>,
    },
    /// A folder, or a file without headings of its own.
    Other,
}

/// A relative link, as its page writes it.
#[derive(Debug, PartialEq, Eq)]
struct Link {
    /// From 1.
    line: usize,
    destination: String,
}

impl Link {
    /// Path and anchor; the path is empty where the link stays on its page.
    fn parts(&self) -> (&str, Option<&str>) {
        match self.destination.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (&self.destination, None),
        }
    }
}

/// Every relative link of a page, images included; what stands in code is none.
fn relative_links(text: &str) -> Vec<Link> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
        .into_offset_iter()
        .filter_map(|(event, range)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let line = 1 + text[..range.start].matches('\n').count();
                let destination = dest_url.into_string();
                Some(Link { line, destination })
            }
            _ => None,
        })
        .filter(|link| !has_scheme(&link.destination))
        .collect()
}

/// `https://…`, `mailto:…`.
fn has_scheme(destination: &str) -> bool {
    destination.split_once(':').is_some_and(|(scheme, _)| {
        scheme
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '+')
    })
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(&heading.take().unwrap_or_default());
                let free = |number: &usize| match number {
                    0 => !found.contains(&slug),
                    more => !found.contains(&format!("{slug}-{more}")),
                };
                let anchor = match (0..).find(free) {
                    None | Some(0) => slug,
                    Some(number) => format!("{slug}-{number}"),
                };
                found.insert(anchor);
            }
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            _ => {}
        }
    }
    found
}

/// Lower case, hyphens for spaces, and no other signs than hyphens and underscores.
fn slug(heading: &str) -> String {
    heading
        .chars()
        .flat_map(char::to_lowercase)
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// Where a link of the page leads, by paths from the workspace's root; none where it leads out of
/// the workspace.
fn resolve(page: &Path, path: &str) -> Option<PathBuf> {
    if path.is_empty() {
        return Some(page.to_owned());
    }
    let mut resolved = page.parent()?.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir if resolved.pop() => {}
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(resolved)
}

/// What is wrong with a page's links, a line each; `look` finds what stands at a path from the
/// workspace's root.
fn problems(page: &Path, text: &str, look: impl Fn(&Path) -> Option<Target>) -> Vec<String> {
    let wrong = |link: &Link| {
        let (path, anchor) = link.parts();
        let target = resolve(page, path).and_then(|path| look(&path));
        match (target, anchor) {
            (None, _) => Some("leads nowhere"),
            (Some(Target::Page { anchors }), Some(anchor)) if !anchors.contains(anchor) => {
                Some("names no heading of that page")
            }
            (Some(Target::Other), Some(_)) => Some("has an anchor, but leads to no page"),
            _ => None,
        }
    };
    relative_links(text)
        .iter()
        .filter_map(|link| {
            let (line, to) = (link.line, &link.destination);
            Some(format!("{}:{line}: {to} {}", page.display(), wrong(link)?))
        })
        .collect()
}

mod tests {
    use std::fs;

    use super::*;
    use crate::run::root;

    /// Paths from the workspace's root: the pages beside Cargo.toml, and those below docs/ and
    /// tests/.
    fn pages() -> BTreeSet<PathBuf> {
        let mut pages = BTreeSet::new();
        let mut folders = vec![PathBuf::new(), "docs".into(), "tests".into()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(root().join(&folder)).unwrap() {
                let entry = entry.unwrap();
                let path = folder.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    folders.extend((folder != Path::new("")).then_some(path));
                } else if path.extension().is_some_and(|extension| extension == "md") {
                    pages.insert(path);
                }
            }
        }
        pages
    }

    fn read(page: &Path) -> String {
        fs::read_to_string(root().join(page)).unwrap()
    }

    fn in_the_workspace(path: &Path) -> Option<Target> {
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        if is_page && root().join(path).is_file() {
            let anchors = anchors(&read(path));
            return Some(Target::Page { anchors });
        }
        root().join(path).exists().then_some(Target::Other)
    }

    #[test]
    fn every_relative_link_leads_somewhere() {
        let pages = pages();
        for known in ["README.md", "CHANGELOG.md", "docs/README.md"] {
            assert!(pages.contains(Path::new(known)), "{known} is not looked at");
        }
        let problems: Vec<String> = pages
            .iter()
            .flat_map(|page| problems(page, &read(page), in_the_workspace))
            .collect();
        assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    }

    #[test]
    fn every_page_of_the_documentation_is_linked_from_another() {
        let pages = pages();
        let mut linked = BTreeSet::new();
        for page in &pages {
            let links = relative_links(&read(page));
            let targets = links
                .iter()
                .filter_map(|link| resolve(page, link.parts().0));
            linked.extend(targets.filter(|target| target != page));
        }
        let alone: Vec<_> = pages
            .iter()
            .filter(|page| page.starts_with("docs") && !linked.contains(*page))
            .collect();
        assert!(alone.is_empty(), "no page leads to {alone:?}");
    }

    /// A workspace of two pages and a program's source.
    fn small(path: &Path) -> Option<Target> {
        let page = |text| {
            let anchors = anchors(text);
            Some(Target::Page { anchors })
        };
        match path.to_str().unwrap() {
            "README.md" => page("# spotboot\n## See it work\n"),
            "docs/iam.md" => page("# Roles\n## CI's role\n"),
            "src/main.rs" | "docs" => Some(Target::Other),
            _ => None,
        }
    }

    #[test]
    fn a_broken_link_or_anchor_is_told_with_its_line() {
        let text = "[ok](iam.md) [ok](../README.md#see-it-work) [ok](#roles) [ok](iam.md#cis-role)\n\n\
            [ok](../src/main.rs) ![ok](../docs) [ok](https://example.com/nowhere.md#x) [ok][by name]\n\
            [gone](aim.md)\n\
            | [gone](iam.md#cis-roles) |\n\
            [gone](../../README.md) [gone](/docs/iam.md)\n\
            [gone](../src/main.rs#L3)\n\
            [gone][by another name]\n\n\
            [by name]: ../README.md\n[by another name]: README.md\n";
        let told = problems(Path::new("docs/iam.md"), text, small);
        assert_eq!(
            told,
            [
                "docs/iam.md:4: aim.md leads nowhere",
                "docs/iam.md:5: iam.md#cis-roles names no heading of that page",
                "docs/iam.md:6: ../../README.md leads nowhere",
                "docs/iam.md:6: /docs/iam.md leads nowhere",
                "docs/iam.md:7: ../src/main.rs#L3 has an anchor, but leads to no page",
                "docs/iam.md:8: README.md leads nowhere",
            ]
        );
    }

    #[test]
    fn what_stands_in_code_is_no_link() {
        let text = "`[a](nowhere.md)`\n\n```toml\n[a](nowhere.md)\n```\n\n[[app]](README.md)\n";
        let to = relative_links(text);
        assert_eq!(
            to,
            [Link {
                line: 7,
                destination: "README.md".into()
            }]
        );
    }

    #[test]
    fn anchors_are_those_that_github_makes() {
        let text = "# CI's role\n## site.toml\n### `--json`, and more\n## A & B\n## Größe\n\
            ## site.toml\n## An *Elastic* [IP](x.md)\n```sh\n# no heading\n```\n";
        let made = anchors(text);
        let wanted = [
            "--json-and-more",
            "a--b",
            "an-elastic-ip",
            "cis-role",
            "größe",
            "sitetoml",
            "sitetoml-1",
        ];
        assert_eq!(made, wanted.map(str::to_owned).into());
    }
}
