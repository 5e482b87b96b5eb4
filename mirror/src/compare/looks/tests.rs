use std::sync::Mutex;

use super::*;
use crate::compare::testing::Site;

const PAGE: &str = "<p>The storm has closed the line between the coast and the hills</p>";

fn chosen(addresses: &[&str]) -> Vec<Chosen> {
    let weight = 1.0 / addresses.len() as f64;
    let chosen = addresses.iter().map(|address| Chosen {
        address: Address::new(*address),
        weight,
    });
    chosen.collect()
}

fn answered(status: u16, body: &str) -> Result<Answered, String> {
    Ok(Answered {
        status,
        content_type: "text/html".to_owned(),
        body: body.as_bytes().to_vec(),
    })
}

fn quick() -> Looks {
    Looks {
        apart: Duration::from_millis(30),
        again: vec![Duration::from_millis(1); 3],
        ..Looks::default()
    }
}

/// A mirror with the pages `/` and `/about`, and what it is asked.
struct Stage {
    site: Site,
    asked: Mutex<Vec<(usize, String)>>,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Site::new();
        site.keep("/about", "about");
        site.write(folder.path(), "index.html", PAGE);
        site.write(folder.path(), "about", PAGE);
        Self {
            site,
            asked: Mutex::default(),
            folder,
        }
    }

    async fn compare(
        &self,
        addresses: &[&str],
        looks: &Looks,
        answer: impl Fn(usize, &str) -> Result<Answered, String>,
    ) -> Report {
        let leads = self.site.leads();
        let places = self.site.places(&leads);
        let ask = async |look, address: Address| {
            let asked = (look, address.as_str().to_owned());
            self.asked.lock().unwrap().push(asked);
            answer(look, address.as_str())
        };
        compare_by(&places, &chosen(addresses), looks, ask).await
    }
}

#[tokio::test]
async fn each_page_is_asked_for_by_two_visitors_some_moments_apart() {
    let stage = Stage::new();
    let looks = Looks {
        apart: Duration::from_millis(500),
        ..quick()
    };
    let began = Instant::now();
    let report = stage
        .compare(&["/", "/about"], &looks, |_, _| answered(200, PAGE))
        .await;
    assert_eq!(
        (report.likeness, report.compared, report.requests),
        (1.0, 2, 4)
    );
    assert!(began.elapsed() >= looks.apart);
    let mut asked = stage.asked.into_inner().unwrap();
    asked.sort();
    let expected = [(0, "/"), (0, "/about"), (1, "/"), (1, "/about")];
    assert_eq!(asked, expected.map(|(look, page)| (look, page.to_owned())));
}

#[tokio::test]
async fn a_page_that_is_unlike_is_looked_at_again_and_stays_so() {
    let stage = Stage::new();
    let report = stage
        .compare(&["/", "/about"], &quick(), |_, page| match page {
            "/" => answered(200, PAGE),
            _ => answered(
                200,
                &PAGE.replace("storm", "strike of the drivers of all trains"),
            ),
        })
        .await;
    assert_eq!((report.unlike_pages, report.likeness), (1, 0.5));
    assert_eq!(report.requests, 4 + 3);
    assert_eq!(report.worst[0].address.as_str(), "/about");
}

#[tokio::test]
async fn what_changes_by_the_minute_is_excused_by_the_last_look() {
    let mut stage = Stage::new();
    let at = |minute: usize| format!("{PAGE}<p>{}</p>", format!("m{minute} ").repeat(9));
    let folder = stage.folder.path().to_owned();
    stage.site.write(&folder, "index.html", &at(7));
    let report = stage
        .compare(&["/"], &quick(), |look, _| answered(200, &at(look / 4)))
        .await;
    assert_eq!((report.likeness, report.requests), (1.0, 5), "{report:?}");
}

#[tokio::test]
async fn a_server_that_comes_back_is_compared_after_all() {
    let stage = Stage::new();
    let report = stage
        .compare(&["/"], &quick(), |look, _| match look {
            0 | 1 => answered(503, "down"),
            _ => answered(200, PAGE),
        })
        .await;
    assert_eq!((report.likeness, report.failed_pages), (1.0, 0));
}

#[tokio::test]
async fn errors_and_silence_are_failures_and_a_redirect_is_a_change() {
    let stage = Stage::new();
    let report = stage
        .compare(&["/", "/about"], &quick(), |_, page| match page {
            "/" => answered(302, ""),
            _ => Err("connecting to 127.0.0.1: refused".to_owned()),
        })
        .await;
    assert_eq!((report.failed_pages, report.unlike_pages), (1, 1));
    assert_eq!(report.failed, 0.5);
    assert_eq!(report.worst[0].outcome, Outcome::Changed { status: 302 });
}

#[tokio::test]
async fn a_site_that_never_answers_ends_the_comparison_at_its_bound() {
    let stage = Stage::new();
    let looks = Looks {
        time: Duration::from_millis(300),
        ..quick()
    };
    let leads = stage.site.leads();
    let places = stage.site.places(&leads);
    let began = Instant::now();
    let never = async |_, _| std::future::pending().await;
    let report = compare_by(&places, &chosen(&["/", "/about"]), &looks, never).await;
    assert_eq!(report.failed_pages, 2);
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_page_that_the_crawl_did_not_get_is_not_asked_for() {
    let mut stage = Stage::new();
    let why = "answered 500".to_owned();
    stage
        .site
        .answer("/broken", Answer::Failed { why, former: None });
    let report = stage
        .compare(&["/broken"], &quick(), |_, _| answered(200, PAGE))
        .await;
    assert_eq!((report.failed_pages, report.requests), (1, 0));
}
