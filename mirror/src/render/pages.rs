//! Pages of the mirror's own: redirects, what is off, and the error document where the site has
//! none. They hold no time, so that the same site gives the same bytes.

/// The Content-Type of these pages.
pub const CONTENT_TYPE: &str = "text/html; charset=utf-8";

const STYLE: &str = "body{font:1.1em/1.5 system-ui,sans-serif;max-width:34em;margin:15vh auto;\
padding:0 1em;color:#222;background:#fff}";

/// A page that leads a browser on to `to`, as the REST interface sends no redirect. `stated` is the
/// same in absolute form, for search engines.
pub fn redirect(to: &str, stated: &str) -> String {
    let (to, stated) = (escaped(to), escaped(stated));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Moved</title>\n\
         <link rel=\"canonical\" href=\"{stated}\">\n\
         <meta http-equiv=\"refresh\" content=\"0; url={to}\">\n</head>\n\
         <body>\n<p>This page has moved: <a href=\"{to}\">{to}</a></p>\n</body>\n</html>\n"
    )
}

/// The page that forms, searches and logins lead to where nothing else is configured.
pub fn off() -> String {
    page(
        "Off at the moment",
        "This part of the site is off at the moment",
        "You are looking at a copy of the site. It can be read, but it has no forms, no search and \
         no login. What you entered has not been saved. Please come back later.",
    )
}

/// The answer to a missing path.
pub fn missing() -> String {
    page(
        "Page not found",
        "This page does not exist",
        "The address may be mistyped, or the page may have moved.",
    )
}

fn page(title: &str, head: &str, text: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{head}</h1>\n<p>{text}</p>\n\
         <p><a href=\"/\">To the front page</a></p>\n</body>\n</html>\n"
    )
}

/// Text as it stands in HTML and in attributes with double quotes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_cannot_end_the_attribute_that_it_stands_in() {
        let page = redirect("/a?b&c\"><script>", "https://example.com/a");
        assert!(page.contains("url=/a?b&amp;c&quot;&gt;&lt;script&gt;\""));
        assert!(!page.contains("<script>"));
    }
}
