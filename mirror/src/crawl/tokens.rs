//! Tokens in pages that are others in each answer: those against forged requests, and those of a
//! content security policy.

use lol_html::html_content::Element;
use lol_html::{HtmlRewriter, Settings, element};

/// Parts of the names under which frameworks write their tokens against forgery.
const NAMES: [&str; 5] = [
    "csrf",
    "xsrf",
    "authenticity_token",
    "requestverificationtoken",
    "_token",
];

/// Whether two pages differ by nothing but such tokens.
pub(super) fn are_all_that_differs(one: &[u8], other: &[u8]) -> bool {
    let one = without(one);
    one.is_some() && one == without(other)
}

/// The page with each token's value taken out. Tags are ASCII in every encoding that lol_html reads,
/// which is why the page's own does not matter.
fn without(page: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(page.len());
    let settings = Settings::new()
        .append_element_content_handler(element!("[nonce]", |element| {
            Ok(element.set_attribute("nonce", "")?)
        }))
        .append_element_content_handler(element!("input[name], meta[name]", |element| {
            let is_meta = element.tag_name() == "meta";
            let value = if is_meta { "content" } else { "value" };
            if is_token(element) && element.has_attribute(value) {
                element.set_attribute(value, "")?;
            }
            Ok(())
        }))
        .with_strict(false);
    let mut rewriter = HtmlRewriter::new(settings, |chunk: &[u8]| out.extend_from_slice(chunk));
    rewriter.write(page).ok()?;
    rewriter.end().ok()?;
    Some(out)
}

fn is_token(element: &Element<'_, '_>) -> bool {
    let name = element
        .get_attribute("name")
        .unwrap_or_default()
        .to_ascii_lowercase();
    NAMES.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(token: &str, text: &str) -> Vec<u8> {
        format!(
            "<meta name=csrf-token content='{token}'><script nonce={token}>x</script><form><input type=hidden name=csrfmiddlewaretoken value=\"{token}\"></form><p>{text}"
        )
        .into_bytes()
    }

    #[test]
    fn a_token_is_no_difference_and_a_word_is_one() {
        assert!(are_all_that_differs(&page("a1", "x"), &page("b2", "x")));
        assert!(!are_all_that_differs(&page("a1", "x"), &page("a1", "y")));
        let amount = |value: &str| format!("<input name=amount value={value}>").into_bytes();
        assert!(!are_all_that_differs(&amount("1"), &amount("2")));
    }
}
