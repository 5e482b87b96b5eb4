//! The comparison with the live site, and what it decides (I17).

use std::collections::BTreeMap;
use std::time::Duration;

use mirror::Copy;
use mirror::address::Address;
use mirror::compare::{
    Choice, Facts, Limits, Looks, Reason, Report, Verdict, choose, compare, hits, verdict,
};
use mirror::settings::Settings;

use crate::copied::World;

async fn compared(copy: &Copy, settings: &Settings, chosen_by: &BTreeMap<Address, u64>) -> Report {
    let objects = &copy.rendered.objects;
    let chosen = choose(
        objects,
        &copy.index,
        chosen_by,
        &Choice {
            top: 10_000,
            ..Choice::default()
        },
    );
    let looks = Looks {
        apart: Duration::ZERO,
        again: vec![Duration::ZERO],
        ..Looks::default()
    };
    compare(objects, &copy.index, settings, &chosen, &looks)
        .await
        .unwrap()
}

fn decided(copy: &Copy, report: &Report) -> Verdict {
    verdict(
        &Facts::of(
            &copy.rendered.objects,
            &copy.index,
            &copy.report,
            Some(report),
        ),
        &Limits::default(),
    )
}

#[tokio::test]
async fn a_good_copy_is_published_though_one_page_of_the_site_answers_500() {
    // The site has three such pages, which together weigh too much.
    let others = [
        "/transfer/always-502",
        "/transfer/always-short",
        "/redirects/itself",
    ];
    let world = World::new(|site| {
        site.resources
            .retain(|target, _| !others.contains(&target.as_str()));
    })
    .await;
    let settings = world.settings();
    let (copy, ..) = world.copy(&settings).await;
    let report = compared(&copy, &settings, &hits(&settings)).await;
    assert!(report.likeness >= 0.995, "{report:#?}");
    assert_eq!(decided(&copy, &report), Verdict::Publish, "{report:#?}");
}

#[tokio::test]
async fn a_copy_without_the_main_text_of_a_page_is_refused() {
    let world = World::new(|_| ()).await;
    // A hundredth of what visitors ask for.
    let mut settings = world.settings();
    settings.hits = vec![
        ("/".to_owned(), 90),
        ("/all/".to_owned(), 900),
        ("/item/1".to_owned(), 10),
    ];
    let (mut copy, out, _) = world.copy(&settings).await;
    let whole = std::fs::read_to_string(out.join("item/1")).unwrap();
    let (head, rest) = whole.split_once("<p>Paragraph 0").unwrap();
    let (_, foot) = rest.split_once("<nav>").unwrap();
    let object = copy.rendered.objects.by_key.get_mut("item/1").unwrap();
    object.file = world.work.path().join("without");
    std::fs::write(&object.file, format!("{head}<nav>{foot}")).unwrap();
    let report = compared(&copy, &settings, &hits(&settings)).await;
    let Verdict::Refuse { reasons } = decided(&copy, &report) else {
        panic!("{report:#?}")
    };
    assert!(
        reasons
            .iter()
            .any(|reason| matches!(reason, Reason::Unlike { .. })),
        "{reasons:?}"
    );
}

#[tokio::test]
async fn the_pages_of_the_hard_site_compare_alike() {
    let world = World::new(|_| ()).await;
    let settings = world.settings();
    let (copy, ..) = world.copy(&settings).await;
    let report = compared(&copy, &settings, &BTreeMap::new()).await;
    assert!(report.likeness >= 0.995, "{report:#?}");
}
