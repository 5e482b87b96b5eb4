use url::Url;

use super::*;
use crate::address::Own;
use crate::crawl::words::Word;
use crate::settings::{Bounds, Dynamic, Manners};

fn settings(bounds: Bounds) -> Settings {
    Settings {
        own: Own::new(&Url::parse("http://example.com/").unwrap(), &[], None).unwrap(),
        seeds: Vec::new(),
        hits: Vec::new(),
        manners: Manners::default(),
        bounds,
        dynamic: Dynamic::default(),
    }
}

fn address(text: &str) -> Address {
    Address::new(text)
}

fn reading(leads: &[String]) -> Reading {
    let leads = leads.iter().map(|text| Lead::to(address(text))).collect();
    Reading {
        leads,
        ..Reading::default()
    }
}

/// Crawls a site whose pages are what `links` says, without a word; returns what was asked, in order.
fn crawl(settings: &Settings, first: &[&str], links: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    crawl_words(settings, first, links, |_| Vec::new(), false)
}

/// The same for pages that say something, whose answers come last first where `late` says so.
fn crawl_words(
    settings: &Settings,
    first: &[&str],
    links: impl Fn(&str) -> Vec<String>,
    words: impl Fn(&str) -> Vec<Word>,
    late: bool,
) -> Vec<String> {
    let mut frontier = Frontier::new(settings, Robots::default());
    for text in first {
        frontier.meet(Lead::to(address(text)), From::Given { depth: 0 });
    }
    let mut asked = Vec::new();
    loop {
        let mut answers: Vec<Address> = std::iter::from_fn(|| frontier.next())
            .map(|(at, _)| at)
            .collect();
        if answers.is_empty() && !frontier.resume() {
            return asked;
        }
        asked.extend(answers.iter().map(ToString::to_string));
        if late {
            answers.reverse();
        }
        for at in answers {
            let words = words(at.as_str());
            let reading = reading(&links(at.as_str()));
            frontier.read(&at, Reading { words, ..reading });
        }
    }
}

fn hash(at: &str) -> Word {
    at.bytes().fold(7, |hash: Word, byte| {
        hash.wrapping_mul(31).wrapping_add(u32::from(byte) << 1)
    })
}

fn number(at: &str) -> i64 {
    at.rsplit(['/', '='])
        .find_map(|part| part.parse().ok())
        .unwrap_or_default()
}

fn months(at: &str) -> Vec<String> {
    match at {
        "/" => vec!["/calendar/1000".into()],
        at => vec![
            format!("/calendar/{}", number(at) - 1),
            format!("/calendar/{}", number(at) + 1),
        ],
    }
}

fn filters(at: &str) -> Vec<String> {
    match at {
        "/" => vec!["/shop".into()],
        at => (0..20)
            .map(|n| match at.split_once('?') {
                Some((_, query)) => format!("/shop?{query}&f{n}=1"),
                None => format!("/shop?f{n}=1"),
            })
            .collect(),
    }
}

#[test]
fn an_endless_calendar_and_filters_that_combine_stop_soon_where_nothing_is_new() {
    let settings = settings(Bounds::default());
    for links in [months, filters] {
        let asked = crawl(&settings, &["/"], links);
        assert_eq!(asked.len(), 1 + 1 + 2, "{asked:?}");
    }
}

#[test]
fn a_calendar_and_filters_stop_at_the_bound_where_each_page_says_another_word() {
    let settings = settings(Bounds::default());
    for links in [months, filters] {
        let asked = crawl_words(&settings, &["/"], links, |at| vec![hash(at)], false);
        assert_eq!(asked.len(), 1 + 60, "{asked:?}");
    }
}

#[test]
fn the_order_of_answers_does_not_decide_which_pages_of_a_trap_are_asked_for() {
    let settings = settings(Bounds::default());
    let words = |at: &str| vec![hash(at) % 400];
    let links = |at: &str| match at {
        "/" => vec!["/shop".into(), "/calendar/1000".into()],
        at if at.starts_with("/shop") => filters(at),
        at => months(at),
    };
    let [mut one, mut other] =
        [false, true].map(|late| crawl_words(&settings, &["/"], links, words, late));
    one.sort();
    other.sort();
    assert!(one.len() > 20);
    assert_eq!(one, other);
}

#[test]
fn what_a_trap_led_to_is_asked_for_once_another_page_leads_there() {
    let settings = settings(Bounds::default());
    let asked = crawl(&settings, &["/"], |at| match at {
        "/" => vec!["/calendar/1000".into(), "/news".into()],
        "/news" => vec!["/later".into()],
        "/later" => vec!["/calendar/1001".into(), "/calendar/1002".into()],
        at => months(at),
    });
    for month in ["/calendar/1001", "/calendar/1002"] {
        assert!(asked.iter().any(|at| at == month), "{asked:?}");
    }
    assert_eq!(
        asked
            .iter()
            .filter(|at| at.starts_with("/calendar"))
            .count(),
        3 + 2
    );
}

#[test]
fn numbered_posts_of_a_list_are_all_taken() {
    let settings = settings(Bounds {
        depth: 1000,
        ..Bounds::default()
    });
    let asked = crawl(&settings, &["/"], |at| match at {
        "/" => vec!["/list".into()],
        "/list" => (1..=1000).map(|n| format!("/post/{n}")).collect(),
        at => vec![format!("/post/{}", number(at) % 1000 + 1)],
    });
    assert_eq!(asked.len(), 1002);
}

#[test]
fn numbered_posts_of_a_list_in_parts_are_all_taken() {
    let settings = settings(Bounds {
        depth: 1000,
        ..Bounds::default()
    });
    for list in ["/list?page=", "/list/page/"] {
        let asked = crawl(&settings, &["/"], |at| match at {
            "/" => vec!["/list".into(), format!("{list}2")],
            at if at.starts_with("/list") => {
                let page = number(at).max(1);
                let mut links: Vec<String> = (page * 10 - 9..=page * 10)
                    .map(|n| format!("/post/{n}"))
                    .collect();
                if page < 100 {
                    links.push(format!("{list}{}", page + 1));
                }
                links
            }
            at => vec![format!("/post/{}", number(at) % 1000 + 1)],
        });
        assert_eq!(asked.len(), 1 + 1 + 99 + 1000, "{list}");
    }
}

/// A list in 100 parts of ten posts each, whose next part is at `next` and its number.
fn list(at: &str, next: &str) -> Vec<String> {
    let part = number(at).max(1);
    let mut links: Vec<String> = (part * 10 - 9..=part * 10)
        .map(|n| format!("/post/{n}"))
        .collect();
    if part < 100 {
        links.push(format!("{next}{}", part + 1));
    }
    links
}

/// A word in common, and one of its own: what a list of numbers says.
fn hardly_a_word(at: &str) -> Vec<Word> {
    vec![1, hash(at)]
}

#[test]
fn the_parts_of_a_list_are_all_taken_whose_posts_another_page_leads_to() {
    let settings = settings(Bounds::default());
    for next in ["/list?page=", "/list/page/", "/list?sort=name&offset="] {
        let links = |at: &str| match at {
            "/" => vec!["/all".into(), "/list".into(), format!("{next}2")],
            "/all" => (1..=1000).map(|n| format!("/post/{n}")).collect(),
            at if at.starts_with("/list") => list(at, next),
            _ => vec!["/".into(), "/list".into()],
        };
        let asked = crawl_words(&settings, &["/"], links, hardly_a_word, false);
        assert_eq!(asked.len(), 1 + 1 + 1 + 99 + 1000, "{next}");
    }
}

#[test]
fn two_lists_of_the_same_posts_are_whole_at_two_paths_and_by_two_queries_of_one() {
    let settings = settings(Bounds::default());
    for lists in [
        ["/by-date?page=", "/by-name?page="],
        ["/list?sort=date&page=", "/list?sort=name&page="],
    ] {
        let links = |at: &str| match at {
            "/" => vec!["/list".into(), "/by-date".into(), "/by-name".into()],
            at if at.starts_with("/post") => vec!["/".into()],
            at => match lists.iter().find(|list| at.starts_with(**list)) {
                Some(next) => list(at, next),
                None => lists
                    .iter()
                    .filter(|list| list.starts_with(at))
                    .map(|list| format!("{list}2"))
                    .collect(),
            },
        };
        let asked = crawl_words(&settings, &["/"], links, hardly_a_word, false);
        let parts = asked.iter().filter(|at| at.contains("page=")).count();
        assert_eq!(parts, 2 * 99, "{lists:?}");
    }
}

#[test]
fn a_calendar_and_filters_that_show_the_same_few_pages_again_stop_soon() {
    let settings = settings(Bounds::default());
    for links in [months, filters] {
        let few = |at: &str| {
            let shown = (0..3).map(|n| format!("/news/of-{}", (hash(at) % 100 + n) % 12));
            match at {
                at if at.starts_with("/news") => Vec::new(),
                at => links(at).into_iter().chain(shown).collect(),
            }
        };
        let asked = crawl(&settings, &["/"], few);
        assert!(asked.len() < 2 + 12 + 12, "{} asked", asked.len());
    }
}

#[test]
fn links_that_stand_on_every_page_and_those_that_are_not_followed_let_no_calendar_go_on() {
    let settings = settings(Bounds::default());
    let everywhere = |_: &str| ["/a", "/b", "/c"].map(String::from).to_vec();
    let forbidden = |at: &str| {
        let deletes = (0..3).map(|n| format!("/delete/{}-{n}", number(at)));
        deletes.collect::<Vec<_>>()
    };
    for (more, pages) in [(&everywhere as &dyn Fn(&str) -> _, 3), (&forbidden, 0)] {
        let asked = crawl(&settings, &["/"], |at| match at {
            at if at == "/" || at.starts_with("/calendar") => {
                months(at).into_iter().chain(more(at)).collect()
            }
            _ => Vec::new(),
        });
        assert_eq!(asked.len(), 1 + 1 + 2 + pages, "{asked:?}");
    }
}

#[test]
fn a_list_that_says_much_and_leads_on_to_new_posts_has_no_end_but_its_own() {
    let settings = settings(Bounds::default());
    let links = |at: &str| match at {
        "/" => vec!["/list?page=1".into()],
        at if at.starts_with("/post") => Vec::new(),
        at => {
            let part = number(at);
            let next = (part < 1500).then(|| format!("/list?page={}", part + 1));
            let posts = (0..2).map(|n| format!("/post/{}", 2 * part + n));
            posts.chain(next).collect()
        }
    };
    let words = |at: &str| vec![hash(at), hash(at) ^ 1];
    let asked = crawl_words(&settings, &["/"], links, words, false);
    assert_eq!(asked.len(), 1 + 1500 + 3000);
}

#[test]
fn numbered_pages_of_a_tree_are_all_taken() {
    let settings = settings(Bounds::default());
    let links = |at: &str| {
        let children = [2 * number(at), 2 * number(at) + 1];
        let children = children.iter().filter(|n| **n <= 1000);
        children.map(|n| format!("/p/{n}")).collect()
    };
    let words = |at: &str| vec![hash(at), hash(at) ^ 1];
    let asked = crawl_words(&settings, &["/p/1"], links, words, false);
    assert_eq!(asked.len(), 1000);
}

#[test]
fn queries_that_other_pages_lead_to_are_all_taken() {
    let settings = settings(Bounds::default());
    let asked = crawl(&settings, &["/"], |at| match at {
        "/" => (0..500).map(|n| format!("/item?id={n}")).collect(),
        _ => Vec::new(),
    });
    assert_eq!(asked.len(), 501);
}

#[test]
fn what_a_list_of_the_sites_vouches_for_has_no_bound_but_that_of_pages() {
    let settings = settings(Bounds {
        pages: 900,
        depth: 0,
        ..Bounds::default()
    });
    let mut frontier = Frontier::new(&settings, Robots::default());
    let leads: Vec<String> = (0..1000).map(|n| format!("/a/a/a/a/{n}?x={n}")).collect();
    let listing = Reading {
        listing: true,
        ..reading(&leads)
    };
    frontier.meet(Lead::to(address("/sitemap.xml")), From::Given { depth: 1 });
    frontier.next();
    frontier.read(&address("/sitemap.xml"), listing);
    let asked = std::iter::from_fn(|| frontier.next()).count();
    assert_eq!(asked, 899);
    let findings = frontier.findings();
    assert!(
        matches!(&findings[..], [Finding::LeftOut { rule: Rule::Pages, count: 101, examples }] if examples.len() == 10),
        "{findings:?}"
    );
}

#[test]
fn depth_and_repeats_are_bounded_and_told() {
    let settings = settings(Bounds {
        depth: 5,
        ..Bounds::default()
    });
    let chain = |at: &str| vec![format!("{at}{}/", "x".repeat(at.len())), "/r/".into()];
    let asked = crawl(&settings, &["/"], |at| match at {
        at if at.starts_with("/r/") => vec![format!("{at}r/")],
        at => chain(at),
    });
    let deepest = asked.iter().filter(|at| at.starts_with("/x")).count();
    assert_eq!(deepest, 5);
    let asked = asked.iter().filter(|at| at.starts_with("/r")).count();
    assert_eq!(asked, 3);
}

#[test]
fn what_a_rule_left_out_is_asked_once_a_free_link_leads_there() {
    let settings = settings(Bounds::default());
    let mut frontier = Frontier::new(&settings, Robots::default());
    frontier.meet(Lead::to(address("/")), From::Given { depth: 0 });
    frontier.next();
    let barred = Lead {
        barred: Some(Rule::Acts),
        ..Lead::to(address("/item/5"))
    };
    frontier.meet(barred, From::Page(&address("/")));
    assert!(frontier.next().is_none());
    assert_eq!(frontier.left().count(), 1);
    frontier.meet(Lead::to(address("/item/5")), From::Page(&address("/")));
    assert_eq!(frontier.next().unwrap().0, address("/item/5"));
    assert_eq!(frontier.left().count(), 0);
}

#[test]
fn robots_and_never_hold_for_given_addresses_and_resources_too() {
    let settings = settings(Bounds::default());
    let robots = Robots::parse(b"User-agent: *\nDisallow: /private\nDisallow: /x?b");
    let mut frontier = Frontier::new(&settings, robots);
    for text in ["/private/a", "/logout"] {
        let lead = Lead {
            resource: true,
            ..Lead::to(address(text))
        };
        frontier.meet(lead, From::Given { depth: 0 });
    }
    let written = Lead {
        asked: Some(address("/x?b=1&a=2")),
        ..Lead::to(address("/x?a=2&b=1"))
    };
    frontier.meet(written, From::Given { depth: 0 });
    assert!(frontier.next().is_none());
    assert_eq!(frontier.left().count(), 3);
}
