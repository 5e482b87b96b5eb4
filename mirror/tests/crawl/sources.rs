//! Where addresses come from.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn xml(body: &str) -> Reply {
    Reply::with("200 OK", &[("Content-Type", "application/xml")], body)
}

fn sitemap(paths: &[&str]) -> String {
    let urls = paths
        .iter()
        .map(|path| format!("<url><loc>http://site.example{path}</loc></url>"));
    format!(
        "<?xml version=\"1.0\"?><urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">{}\
         </urlset>",
        urls.collect::<String>()
    )
}

#[tokio::test]
async fn lists_seeds_hits_and_well_known_paths_are_asked() {
    let site = site(&["/linked"], |asked| {
        Some(match asked.path.as_str() {
            "/robots.txt" => {
                let lines = "User-agent: *\nDisallow:\nSitemap: http://site.example/map.xml.gz\n";
                Reply::with("200 OK", &[("Content-Type", "text/plain")], lines)
            }
            "/map.xml.gz" => {
                let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
                packed.write_all(sitemap(&["/packed"]).as_bytes()).unwrap();
                let packed = packed.finish().unwrap();
                Reply::with("200 OK", &[("Content-Type", "application/gzip")], packed)
            }
            "/sitemap.xml" => xml(
                "<sitemapindex xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\"><sitemap>\
                 <loc>http://site.example/part.xml</loc></sitemap></sitemapindex>",
            ),
            "/part.xml" => xml(&sitemap(&["/listed", "/listed/2"])),
            "/favicon.ico" => Reply::with("200 OK", &[("Content-Type", "image/x-icon")], "icon"),
            "/linked" | "/packed" | "/listed" | "/listed/2" | "/seed" | "/hit?a=1" => {
                Reply::html("a page")
            }
            _ => return None,
        })
    })
    .await;
    let mut crawl = Crawl::with_names(&site, &["site.example"]);
    crawl.settings.seeds = vec!["/seed".into(), "no-path".into()];
    crawl.settings.hits = vec![("/hit?a=1".into(), 5), ("/gone".into(), 1)];
    let index = crawl.run().await;
    let bodies = [
        "/linked",
        "/packed",
        "/listed",
        "/listed/2",
        "/seed",
        "/hit?a=1",
        "/robots.txt",
    ];
    for address in bodies
        .into_iter()
        .chain(["/favicon.ico", "/sitemap.xml", "/part.xml"])
    {
        assert!(
            is_body(&index, address),
            "{address}: {:?}",
            answer(&index, address)
        );
    }
    assert_eq!(*answer(&index, "/gone"), Answer::Missing);
    assert!(entry(&index, "/favicon.ico").resource && !entry(&index, "/linked").resource);
    assert_eq!(entry(&index, "/linked").found_on, Some(Address::new("/")));
    assert_eq!(
        (entry(&index, "/").depth, entry(&index, "/listed").depth),
        (0, 1)
    );
    assert_eq!(index.requests.sent as usize, site.asked().len());
    let entries = index.entries.len() + 1;
    assert_eq!(
        site.asked().len(),
        entries,
        "each is asked once, and one missing path"
    );
}

#[tokio::test]
async fn addresses_that_more_visitors_ask_for_are_asked_first() {
    let site = site(&[], page).await;
    let mut crawl = Crawl::of(&site);
    crawl.settings.manners.at_once = 1;
    crawl.settings.hits = vec![
        ("/few".into(), 1),
        ("/many".into(), 900),
        ("/some".into(), 30),
    ];
    crawl.run().await;
    let order: Vec<String> = site.asked().into_iter().map(|asked| asked.path).collect();
    let place = |path: &str| order.iter().position(|asked| asked == path).unwrap();
    assert!(place("/many") < place("/some") && place("/some") < place("/few"));
}
