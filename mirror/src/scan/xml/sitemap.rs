//! Sitemaps and their indexes (sitemaps.org), with the extensions for images, videos and languages.

use super::super::found::Found;
use super::super::text::Text;
use super::super::{Role, lines};
use super::reader::{self, Event};

/// Finds the URLs of a sitemap in XML, or in plain text.
pub(in crate::scan) fn sitemap(text: &Text<'_>, found: &mut Found) {
    if !text.text.trim_start().starts_with('<') {
        return lines::list(text, found);
    }
    let mut leaf: Option<(Role, usize)> = None;
    reader::read(text, |event| match event {
        Event::Instruction(range) => super::instruction(text, range, found),
        Event::Open(tag) => {
            let role = role_of_text(&tag.prefix, &tag.element.name);
            leaf = role.map(|role| (role, tag.end));
            if tag.element.name == "link"
                && let Some(href) = tag.element.value("href")
            {
                found.plain(&href, 0..href.text.len(), Role::Stated, None);
            }
        }
        Event::Close { at, .. } => {
            let Some((role, start)) = leaf.take() else {
                return;
            };
            for piece in reader::pieces(text, start..at) {
                found.plain(&piece, 0..piece.text.len(), role, None);
            }
        }
    });
}

fn role_of_text(prefix: &str, name: &str) -> Option<Role> {
    match (prefix, name) {
        ("image", "loc") | (_, "content_loc" | "thumbnail_loc") => Some(Role::StatedResource),
        (_, "loc" | "player_loc") => Some(Role::Stated),
        _ => None,
    }
}
