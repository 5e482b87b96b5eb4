//! Whole pages, compared as a site and a mirror would answer them.

use std::time::{Duration, Instant};

use super::report::Outcome;
use super::testing::{Site, html, text};
use crate::crawl::{Answer, Rule};

const HEAD: &str = "<!doctype html><html><head><title>Trains today</title></head><body>\
    <nav><ul><li><a href=\"/\">Home</a></li><li><a href=\"/news/\">News</a></li>\
    <li><a href=\"/about\">About us</a></li></ul></nav>";
const TEXT: &str = "<main><h1>No trains run today</h1><p>The storm has closed the line between \
    the coast and the hills until tomorrow morning.</p></main>";
const FOOT: &str = "<footer><p>Published by the railway of the valley</p></footer></body></html>";

fn page(text: &str) -> String {
    format!("{HEAD}{text}{FOOT}")
}

fn site() -> Site {
    let mut site = Site::new();
    site.keep("/news/", "news/index.html")
        .keep("/about", "about")
        .keep("/news/?page=2", "news/page-2.html");
    site
}

fn unlike(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unlike { .. })
}

#[test]
fn a_faithful_copy_is_alike() {
    let page = page(TEXT);
    assert_eq!(site().compare("/", &[&page, &page], &page), Outcome::Alike);
}

#[test]
fn what_the_site_makes_anew_for_each_visitor_is_excused() {
    let with = |token: &str, ad: &str| {
        page(&format!(
            "{TEXT}<form method=post action=/sign><input type=hidden name=csrf value=\"{token}\"></form>\
             <script nonce={token}>track('{token}', 1)</script><aside>{ad}</aside><p>Made at {token}</p>"
        ))
    };
    let live = [
        with("a1", "Buy these red shoes before they are gone"),
        with("b2", "A week by the sea costs less than you think"),
    ];
    let object = with("c3", "Our tea is grown where the mist meets the mountain");
    let object = object.replace("action=/sign", "action=/off.html");
    let mut site = site();
    site.ours("off.html");
    assert_eq!(
        site.compare("/", &[&live[0], &live[1]], &object),
        Outcome::Alike
    );
}

#[test]
fn the_loss_of_the_main_text_is_seen_beside_a_long_head_and_foot() {
    let frame = "<p>One of the many lines of a foot that is on each page</p>".repeat(500);
    let live = page(&format!("{TEXT}{frame}"));
    let lost = page(&format!("<main></main>{frame}"));
    let outcome = site().compare("/", &[&live, &live], &lost);
    let Outcome::Unlike {
        missing_words,
        missing,
        ..
    } = &outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!(*missing_words, 19);
    assert!(
        missing[0].starts_with("No trains run today The storm"),
        "{missing:?}"
    );
}

#[test]
fn a_short_main_text_counts_as_a_long_one_does() {
    let live = page("<main>Closed until Monday, sorry</main>");
    let lost = page("<main></main>");
    assert!(unlike(&site().compare("/", &[&live, &live], &lost)));
}

#[test]
fn the_loss_of_a_text_without_spaces_is_seen() {
    let live = page("<main>本日は嵐のため全線運休です。</main>");
    let lost = page("<main></main>");
    assert!(unlike(&site().compare("/", &[&live, &live], &lost)));
}

#[test]
fn a_counter_that_has_gone_on_since_the_crawl_is_borne() {
    let live = page(&format!("{TEXT}<p>Read 1312 times, 3 minutes ago</p>"));
    let then = page(&format!("{TEXT}<p>Read 1290 times, 1 minute ago</p>"));
    assert_eq!(site().compare("/", &[&live, &live], &then), Outcome::Alike);
}

#[test]
fn a_navigation_in_another_order_is_seen_unless_the_site_shuffles_it() {
    let item = |name: &str| format!("<li><a class=item href=\"/about#{name}\">To {name}</a></li>");
    let nav = |names: [&str; 4]| page(&format!("<ul>{}</ul>{TEXT}", names.map(item).concat()));
    let steady = nav(["north", "south", "east", "west"]);
    let object = nav(["west", "east", "south", "north"]);
    assert!(unlike(&site().compare("/", &[&steady, &steady], &object)));
    let shuffled = nav(["south", "west", "north", "east"]);
    let again = nav(["east", "north", "west", "south"]);
    let outcome = site().compare("/", &[&steady, &shuffled, &again, &object], &object);
    assert_eq!(outcome, Outcome::Alike);
}

#[test]
fn structure_that_is_lost_is_seen() {
    let style = "<link rel=stylesheet href=\"/site.css\" media=screen>";
    let live = page(&format!("{style}{TEXT}"));
    assert!(unlike(&site().compare("/", &[&live, &live], &page(TEXT))));
}

#[test]
fn a_link_is_equal_to_its_rewritten_form() {
    let mut site = site();
    site.redirect("/old", "old", "/about#team");
    let live = page(
        "<a href=\"http://127.0.0.1:8000/about\">a</a> <a href=\"/news/?page=2\">b</a>\
         <a href=\"old\">c</a> <img srcset=\"/about 1x, /news/?page=2 2x\">\
         <div style=\"background: url(about)\"></div><style>@import 'about'; a { color: url(/news/) }</style>\
         <meta http-equiv=refresh content=\"5; url=/about\"><link rel=canonical href=\"http://127.0.0.1:8000/about\">",
    );
    let object = page(
        "<a href=\"/about\">a</a> <a href=\"/news/page-2.html\">b</a>\
         <a href=\"/about#team\">c</a> <img srcset=\"/about 1x, /news/page-2.html 2x\">\
         <div style=\"background: url('/about')\"></div><style>@import '/about'; a { color: url(/news/index.html) }</style>\
         <meta http-equiv=refresh content=\"5; url=/about\"><link rel=canonical href=\"https://www.example.com/about\">",
    );
    assert_eq!(site.compare("/", &[&live, &live], &object), Outcome::Alike);
}

#[test]
fn links_that_lead_elsewhere_than_the_sites_make_a_page_unlike() {
    let links = |to: &str| page(&format!("<a href=\"{to}\">a page</a>").repeat(5));
    let (live, object) = (links("/about"), links("/news/"));
    assert!(unlike(&site().compare("/", &[&live, &live], &object)));
}

#[test]
fn relative_links_are_read_from_where_each_page_stands() {
    let live = page(&"<a href=\"../about\">a page</a>".repeat(5));
    let deeper = live.replace("../about", "../../about");
    let mut site = site();
    site.keep("/news/?page=3", "news/pages/3.html");
    let compare = |object| site.compare("/news/?page=3", &[&live, &live], object);
    assert_eq!(compare(&deeper), Outcome::Alike);
    assert!(
        unlike(&compare(&live)),
        "the links lead to /news/about there"
    );
}

#[test]
fn a_base_element_is_read_by_its_effect() {
    let live = page(&format!(
        "<base href=\"/news/\">{}",
        "<a href=\"../about\">x</a>".repeat(5)
    ));
    let object = page(&format!(
        "<base href=\"/\">{}",
        "<a href=\"/about\">x</a>".repeat(5)
    ));
    assert_eq!(
        site().compare("/", &[&live, &live], &object),
        Outcome::Alike
    );
}

#[test]
fn what_files_cannot_answer_leads_where_the_mirror_says() {
    let form = |action: &str| {
        page(&format!("<form method=post {action}><a href=LINK>x</a></form>").repeat(5))
    };
    let live = form("").replace("LINK", "/login");
    let mut site = site();
    site.answer("/login", Answer::Left(Rule::Never))
        .ours("off.html");
    let compare = |site: &Site, object: &str| site.compare("/about", &[&live, &live], object);

    // The first of two attributes counts: a page that stands in takes no POST.
    let off = form("action=/off.html")
        .replace("LINK", "/off.html")
        .replace("method=post", "method=get method=post");
    assert_eq!(compare(&site, &off), Outcome::Alike);
    assert!(
        unlike(&compare(&site, &live)),
        "a form would be sent to the mirror"
    );

    site.dynamic.origin = Some("https://app.example.com".parse().unwrap());
    let app = form("action=https://app.example.com/about")
        .replace("LINK", "https://app.example.com/login");
    assert_eq!(compare(&site, &app), Outcome::Alike);
    assert!(unlike(&compare(&site, &off)), "the app could answer");

    site.dynamic
        .forms
        .insert("/about".to_owned(), "https://forms.example/1".to_owned());
    let outside =
        form("action=https://forms.example/1").replace("LINK", "https://app.example.com/login");
    assert_eq!(compare(&site, &outside), Outcome::Alike);
}

#[test]
fn a_url_written_into_the_text_is_seen() {
    let live =
        page("<textarea>see /about or http://127.0.0.1:8000/about or /news/ or /about</textarea>");
    let object = live
        .replace("http://127.0.0.1:8000", "")
        .replace("or /", "or https://www.example.com/");
    assert!(unlike(&site().compare("/", &[&live, &live], &object)));
}

#[test]
fn the_charset_of_the_answer_is_heeded() {
    let (body, _, lossy) = encoding_rs::SHIFT_JIS.encode("<p>本日は嵐のため全線運休です。</p>");
    assert!(!lossy);
    let bytes = |content_type: &str| super::page::Text {
        content_type: content_type.to_owned(),
        bytes: body.to_vec(),
    };
    let live = [
        bytes("text/html; charset=Shift_JIS"),
        bytes("text/html; charset=\"shift_jis\""),
    ];
    let compare = |object| site().compare_texts("/", &live, &object);
    assert_eq!(
        compare(bytes("text/html; charset=shift-jis")),
        Outcome::Alike
    );
    assert!(
        unlike(&compare(bytes("text/html"))),
        "a browser shows other characters"
    );
}

#[test]
fn a_page_that_is_made_anew_each_time_is_told() {
    let words = |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..200)
            .map(|_| format!("<p>{:x}</p>", random.u64(..)))
            .collect::<String>()
    };
    let outcome = site().compare("/", &[&words(1), &words(2)], &words(3));
    assert_eq!(outcome, Outcome::NothingShared);
    let (one, two) = (text("image/png", "one"), text("image/png", "two"));
    let outcome = site().compare_texts("/", &[one.clone(), two], &one);
    assert_eq!(outcome, Outcome::NothingShared);
}

#[test]
fn what_is_no_page_is_compared_by_its_bytes_or_its_words() {
    let site = site();
    let image = text("image/png", "\u{89}PNG");
    let live = [image.clone(), image.clone()];
    assert_eq!(site.compare_texts("/", &live, &image), Outcome::Alike);
    assert!(unlike(&site.compare_texts(
        "/",
        &live,
        &text("image/png", "PNG")
    )));

    let feed = |host: &str| {
        text(
            "application/rss+xml",
            &format!("<item><link>{host}/about</link></item>"),
        )
    };
    let live = [feed("http://127.0.0.1:8000"), feed("http://127.0.0.1:8000")];
    assert_eq!(
        site.compare_texts("/", &live, &feed("https://www.example.com")),
        Outcome::Alike
    );
    assert!(unlike(&site.compare_texts(
        "/",
        &live,
        &text("application/rss+xml", "<item></item>")
    )));
}

#[test]
fn markup_without_scripts_and_in_frames_is_read() {
    let mut site = site();
    site.keep("/pic?w=1", "pic-1");
    let with = |image: &str, link: &str| {
        let frame = format!("<iframe srcdoc='<a href=\"{link}\">x</a>'></iframe>");
        page(&format!("<noscript><img src=\"{image}\"></noscript>{frame}").repeat(5))
    };
    let live = with("/pic?w=1", "about");
    let object = with("/pic-1", "/about");
    assert_eq!(site.compare("/", &[&live, &live], &object), Outcome::Alike);
    let wrong = with("/about", "about");
    assert!(unlike(&site.compare("/", &[&live, &live], &wrong)));
}

/// Removes runs of shared words from copies of random pages: each loss must be found.
#[test]
fn every_run_of_four_lost_words_is_found() {
    const RUN: usize = 4;
    let site = site();
    let mut random = fastrand::Rng::with_seed(12);
    for round in 0..100 {
        let size = random.usize(RUN..2_500);
        let vocabulary = random.usize(20..600);
        let words: Vec<String> = (0..size)
            .map(|_| format!("w{}", random.usize(..vocabulary)))
            .collect();
        let build = |random: &mut fastrand::Rng, words: &[String]| -> String {
            let token = random.u64(..);
            words
                .chunks(23)
                .map(|line| format!("<p data-token={token}>{}</p>", line.join(" ")))
                .collect::<String>()
        };
        let live = [build(&mut random, &words), build(&mut random, &words)];
        let length = random.usize(RUN..=(size / 4).max(RUN));
        let at = random.usize(..=size - length);
        // The structure stays, so that the words alone are found.
        let mut lost: Vec<String> = words.clone();
        lost[at..at + length].fill(String::new());
        let object = build(&mut random, &lost);
        let outcome = site.compare("/", &[&live[0], &live[1]], &object);
        assert!(
            unlike(&outcome),
            "round {round}: {length} of {size} words, {vocabulary}: {outcome:?}"
        );
        let whole = build(&mut random, &words);
        assert_eq!(
            site.compare("/", &[&live[0], &live[1]], &whole),
            Outcome::Alike
        );
    }
}

/// A build for debugging is too slow for the whole page; `cargo test --release` takes it.
#[test]
fn a_page_of_five_megabytes_is_compared_within_bounds() {
    let (rows, bound) = match cfg!(debug_assertions) {
        true => (2_000, Duration::from_secs(120)),
        false => (55_000, Duration::from_secs(10)),
    };
    let row = |number: u64, token: u64| {
        format!(
            "<tr><td><a href=\"https://elsewhere.example/{number}\" data-t={token}>Row {number} of the table</a></td><td>{token} seen</td></tr>"
        )
    };
    let page = |salt: u64| {
        (0..rows)
            .map(|number| row(number, number * 7 + salt))
            .collect::<String>()
    };
    let (one, two, object) = (html(&page(1)), html(&page(2)), html(&page(3)));
    assert!(cfg!(debug_assertions) || one.bytes.len() > 5 << 20);
    let begun = Instant::now();
    assert_eq!(
        site().compare_texts("/", &[one, two], &object),
        Outcome::Alike
    );
    let took = begun.elapsed();
    assert!(took < bound, "{took:?}");
}
