//! Files as nginx serves them, from the folders of an app and for kind static alike: their types,
//! and how long a browser may keep them.

use md5::Md5;
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::live::curl;
use super::*;

/// Both kinds of places, with the same files.
struct Both {
    stand: Stand,
    services: Services,
}

/// The URLs' beginnings.
const PLACES: [&str; 2] = ["/", "/static/"];

async fn both(files: &[(&str, &str)]) -> Both {
    let mut stand = stand(|dir| Upstream::Files(dir.join("files")));
    let Upstream::Files(root) = stand.config.upstream.clone() else {
        unreachable!()
    };
    let folder = stand.config.paths.state.join("static");
    for place in [&root, &folder] {
        for (name, content) in files.iter().chain(&[("healthy", "yes")]) {
            let file = place.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
    }
    stand.config.static_files = vec![("/static/".into(), folder)];
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    Both { stand, services }
}

impl Both {
    /// The head of the answer for the file of that name.
    async fn head(&self, place: &str, name: &str) -> String {
        let spelled: String = name
            .bytes()
            .map(|byte| {
                if byte == b'/' {
                    "/".into()
                } else {
                    format!("%{byte:02x}")
                }
            })
            .collect();
        let answer = curl(
            &self.stand.config,
            &format!("https://example.com:{{https}}{place}{spelled}"),
            &["--http1.1"],
        )
        .await;
        let head = answer
            .split("\r\n\r\n")
            .next()
            .unwrap()
            .to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{place}{name}: {answer}");
        format!("{head}\r\n")
    }

    async fn is_kept_for_ever(&self, name: &str) -> [bool; 2] {
        let mut kept = [false; 2];
        for (kept, place) in kept.iter_mut().zip(PLACES) {
            let head = self.head(place, name).await;
            assert!(
                head.matches("cache-control: ").count() == 1,
                "{place}{name}: {head}"
            );
            *kept = head.contains("cache-control: public, max-age=31536000, immutable\r\n");
            assert!(
                *kept
                    || head.contains("cache-control: public, max-age=3600\r\n")
                    || head.contains("cache-control: no-cache\r\n"),
                "{head}"
            );
        }
        kept
    }

    async fn assert_kept(&self, for_ever: bool, names: &[&str]) {
        for name in names {
            assert_eq!(
                self.is_kept_for_ever(name).await,
                [for_ever; 2],
                "{name} for ever at {PLACES:?}"
            );
        }
    }
}

fn md5(content: &str, digits: usize) -> String {
    hex::encode(Md5::digest(content))[..digits].to_owned()
}

fn sha1(content: &str, digits: usize) -> String {
    hex::encode(Sha1::digest(content))[..digits].to_owned()
}

fn sha256(content: &str, digits: usize) -> String {
    hex::encode(Sha256::digest(content))[..digits].to_owned()
}

#[tokio::test]
async fn types_are_what_browsers_expect_and_text_is_utf_8() {
    let expected = [
        ("page.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.ics", "text/calendar; charset=utf-8"),
        ("a.vtt", "text/vtt; charset=utf-8"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.js.map", "application/json"),
        ("a.geojson", "application/geo+json"),
        ("a.jsonld", "application/ld+json"),
        ("site.webmanifest", "application/manifest+json"),
        ("a.wasm", "application/wasm"),
        ("a.avif", "image/avif"),
        ("a.webp", "image/webp"),
        ("a.svg", "image/svg+xml"),
        ("a.woff2", "font/woff2"),
        ("a.ttf", "font/ttf"),
        ("a.otf", "font/otf"),
        ("a.opus", "audio/ogg"),
        ("a.flac", "audio/flac"),
        ("a.epub", "application/epub+zip"),
        ("feed.rss", "application/rss+xml"),
        ("a.unknown", "application/octet-stream"),
        ("apple-app-site-association", "application/json"),
    ];
    let both = both(&expected.map(|(name, _)| (name, "{}"))).await;
    for (name, kind) in expected {
        for place in PLACES {
            let head = both.head(place, name).await;
            assert!(
                head.contains(&format!("content-type: {kind}\r\n")),
                "{place}{name} is not {kind}: {head}"
            );
        }
    }
    both.services.shutdown().await;
}

#[tokio::test]
async fn well_known_files_without_an_ending_have_their_type() {
    let mut stand = stand(|dir| Upstream::Files(dir.join("files")));
    let Upstream::Files(root) = &stand.config.upstream else {
        unreachable!()
    };
    let folder = stand.config.paths.state.join("static");
    for place in [root, &folder] {
        std::fs::create_dir_all(place.join(".well-known")).unwrap();
        std::fs::write(place.join(".well-known/apple-app-site-association"), "{}").unwrap();
    }
    stand.config.static_files = vec![("/app/".into(), folder)];
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    let answers = [
        curl(
            &stand.config,
            "https://example.com:{https}/.well-known/apple-app-site-association",
            &[],
        )
        .await,
        curl(
            &stand.config,
            "https://example.com:{https}/app/.well-known/apple-app-site-association",
            &[],
        )
        .await,
    ];
    let absent = curl(
        &stand.config,
        "https://example.com:{https}/apple-app-site-association",
        &[],
    )
    .await;
    services.shutdown().await;
    for answer in answers {
        assert!(
            answer.starts_with("HTTP/2 200")
                && answer.contains("content-type: application/json\r\n"),
            "{answer}"
        );
        assert!(answer.contains("max-age=3600"), "{answer}");
    }
    assert!(absent.starts_with("HTTP/2 404"), "{absent}");
}

#[tokio::test]
async fn what_an_app_answers_keeps_its_own_type() {
    let stand = stand(|dir| Upstream::Unix(dir.join("app.sock")));
    let Upstream::Unix(socket) = &stand.config.upstream else {
        unreachable!()
    };
    let listener = tokio::net::UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream
                .write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n\xe9",
                )
                .await;
        }
    });
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    let answer = curl(&stand.config, "https://example.com:{https}/", &[]).await;
    services.shutdown().await;
    assert!(answer.contains("content-type: text/html\r\n"), "{answer}");
}

#[tokio::test]
async fn a_name_is_for_ever_only_where_it_holds_the_hash_of_the_content() {
    let css = "body{}";
    let hashed = [
        format!("site.{}.css", md5(css, 8)),
        format!("site.{}.css", md5(css, 12)),
        format!("css/site-{}.min.css", sha1(css, 10)),
        format!("{}.css", sha256(css, 64)),
        format!("{}_site.css", sha1(css, 40)),
        format!("site.{}.css", md5(css, 32).to_uppercase()),
        format!("20240501.{}.css", sha256(css, 8)),
    ];
    let others = [
        "app.0f3a9c1d.js",
        "menu-20240501.pdf",
        "photo.12345678.jpg",
        "report-20240501.html",
        "logo-20240608.png",
        "invoice-100002345.pdf",
        "runtime-deadbeef.js",
        "site.css",
    ];
    // A page never is; nor is what differs from a hashed name in its case only, as nginx would take
    // the one for the other.
    let page = format!("page.{}.html", md5(css, 12));
    let twice = [
        format!("twice.{}.css", md5(css, 12)),
        format!("TWICE.{}.css", md5(css, 12)),
    ];
    let short = format!("site.{}.css", md5(css, 7));
    let longer = format!("site.{}0.css", md5(css, 32));
    let others: Vec<&str> = others
        .into_iter()
        .chain([&*page, &*twice[0], &*short, &*longer])
        .collect();
    let names: Vec<&str> = hashed
        .iter()
        .map(String::as_str)
        .chain(others.iter().copied())
        .collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|&name| (name, css)).collect();
    files.push((&twice[1], "another"));
    let both = both(&files).await;
    both.assert_kept(true, &hashed.each_ref().map(|name| name.as_str()))
        .await;
    both.assert_kept(false, &others).await;
    both.assert_kept(false, &[&twice[1]]).await;
    both.services.shutdown().await;
}

#[tokio::test]
async fn names_with_odd_characters_stay_in_their_place() {
    let hash = md5("x", 12);
    let odd = [
        "a b",
        "a\"; } server { listen 1; }",
        "$uri",
        "${host}",
        "back\\slash",
        "it's",
        "a%20b",
        "a#b?c&d",
        "schön",
        "~^star.*",
        "日本",
    ];
    let names: Vec<String> = odd.iter().map(|name| format!("{name}.{hash}.js")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let both = both(&files).await;
    both.assert_kept(
        true,
        &files.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
    )
    .await;
    both.services.shutdown().await;
}

#[tokio::test]
async fn names_that_nginx_cannot_be_told_are_kept_for_an_hour() {
    let hash = md5("x", 12);
    let long = format!(
        "{}/{}/{}/{}/{}/a.{hash}.js",
        "d".repeat(250),
        "d".repeat(250),
        "d".repeat(250),
        "d".repeat(250),
        "d".repeat(250)
    );
    let files = [
        (&*format!("a\nb.{hash}.js"), "x"),
        (&*long, "x"),
        (&*format!("a.{hash}.js"), "x"),
    ];
    let both = both(&files).await;
    both.assert_kept(false, &[files[0].0, files[1].0]).await;
    both.assert_kept(true, &[files[2].0]).await;
    both.services.shutdown().await;
}

#[tokio::test]
async fn names_from_a_build_tools_manifest_are_for_ever_where_the_tool_put_a_hash_in() {
    let vite = json!({
        "src/main.ts": { "file": "assets/main-DiwrgTda.js", "src": "src/main.ts", "isEntry": true, "css": ["assets/main-C_x-3a1B.css", "assets/plain.css"] },
        "src/fixed.ts": { "file": "assets/fixed.js", "src": "src/fixed.ts" },
        "src/vendor-component.ts": { "file": "assets/vendor-component.js" },
        "index.html": { "file": "assets/index-Bx12ab3d.html", "src": "index.html" },
        "_shared-B7PI925R.js": { "file": "assets/shared-B7PI925R.js", "name": "shared" },
        "src/gone.ts": { "file": "assets/gone-Bx12ab3d.js" },
        "src/out.ts": { "file": "../../outside-Bx12ab3d.js" },
    });
    let webpack = json!({ "main.js": "/build/js/main.4f5e6d7c8b9a.js", "plain.js": "/build/js/plain.js", "20240501.pdf": "js/20240501.pdf" });
    let django = json!({ "paths": { "css/a.css": "css/a.0a1b2c3d4e5f.css", "css/b.css": "css/b.css" }, "version": "1.1", "hash": "" });
    let app = json!({ "name": "App", "short_name": "App", "icons": [{ "src": "icon-20240501.png" }], "start_url": "photo.1234567a.jpg" });
    let (vite, webpack, django, app) = (
        vite.to_string(),
        webpack.to_string(),
        django.to_string(),
        app.to_string(),
    );
    let for_ever = [
        "dist/assets/main-DiwrgTda.js",
        "dist/assets/main-C_x-3a1B.css",
        "dist/assets/shared-B7PI925R.js",
        "build/js/main.4f5e6d7c8b9a.js",
        "css/a.0a1b2c3d4e5f.css",
    ];
    let not = [
        "dist/assets/plain.css",
        "dist/assets/fixed.js",
        "dist/assets/vendor-component.js",
        "dist/assets/index-Bx12ab3d.html",
        "build/js/plain.js",
        "build/js/20240501.pdf",
        "css/b.css",
        "pwa/photo.1234567a.jpg",
        "pwa/icon-20240501.png",
        "outside-Bx12ab3d.js",
    ];
    let mut files: Vec<(&str, &str)> = for_ever
        .iter()
        .chain(&not)
        .map(|&name| (name, "x"))
        .collect();
    files.extend([
        ("dist/.vite/manifest.json", &*vite),
        ("build/manifest.json", &webpack),
        ("staticfiles.json", &django),
        ("pwa/manifest.json", &app),
        ("broken/manifest.json", "{\"a.js\":"),
    ]);
    let both = both(&files).await;
    both.assert_kept(true, &for_ever).await;
    both.assert_kept(false, &not).await;
    both.services.shutdown().await;
}

#[tokio::test]
async fn another_content_under_a_name_is_seen_at_the_next_start() {
    let name = format!("a.{}.js", md5("one", 12));
    let both = both(&[(&name, "one")]).await;
    both.assert_kept(true, &[&name]).await;
    let Upstream::Files(root) = &both.stand.config.upstream else {
        unreachable!()
    };
    for place in [root, &both.stand.config.static_files[0].1] {
        std::fs::write(place.join(&name), "two").unwrap();
    }
    start(&both.stand.config, &both.services).await.unwrap();
    both.assert_kept(false, &[&name]).await;
    both.services.shutdown().await;
}

#[tokio::test]
async fn a_folder_within_another_ones_urls_is_served_and_judged_by_itself() {
    let mut stand = stand(|dir| Upstream::Files(dir.join("files")));
    let Upstream::Files(root) = stand.config.upstream.clone() else {
        unreachable!()
    };
    let inner = stand.config.paths.state.join("inner");
    let name = format!("a.{}.js", md5("outer", 12));
    for (place, content) in [(&root.join("static"), "outer"), (&inner, "inner")] {
        std::fs::create_dir_all(place).unwrap();
        std::fs::write(place.join(&name), content).unwrap();
    }
    stand.config.static_files = vec![("/static/".into(), inner)];
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    let answer = curl(
        &stand.config,
        &format!("https://example.com:{{https}}/static/{name}"),
        &[],
    )
    .await;
    services.shutdown().await;
    assert!(
        answer.ends_with("inner") && answer.contains("max-age=3600"),
        "{answer}"
    );
}
