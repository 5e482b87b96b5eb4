//! Prints how long the scan and the rewriting of a large page take:
//! `cargo run --release -p mirror --example scan`.

#![expect(clippy::disallowed_macros, reason = "an example prints to a person")]

use std::fmt::Write;
use std::time::Instant;

use mirror::scan::{Edit, Kind, rewrite, scan};

const LINKS: usize = 48_000;

fn main() {
    let page = page();
    let type_ = "text/html; charset=utf-8";
    let begin = Instant::now();
    let found = scan(page.as_bytes(), Kind::Html, type_);
    let scanned = begin.elapsed();
    let edits: Vec<Edit> = found
        .references
        .iter()
        .map(|reference| Edit {
            at: reference.span.clone(),
            text: "/page?a=1&b=2".to_owned(),
            written_in: reference.written_in.clone(),
        })
        .collect();
    let begin = Instant::now();
    let written = rewrite(page.as_bytes(), &found, &edits);
    println!(
        "{} bytes, {} URLs: scanned in {scanned:?}, rewritten in {:?} to {} bytes",
        page.len(),
        found.references.len(),
        begin.elapsed(),
        written.len(),
    );
}

/// A page with paragraphs that nothing closes, and classes and texts as pages have them.
fn page() -> String {
    let mut page = String::from("<!DOCTYPE html><title>All</title>\n");
    for link in 0..LINKS {
        let _ = writeln!(
            page,
            "<p class=\"row row-{}\"><a class=link href=\"/page/{link}/?a=1&amp;b={link}\" id=l{link}>Number {link} of many, with words</a>",
            link % 7,
        );
    }
    page
}
