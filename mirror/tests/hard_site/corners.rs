//! What files cannot be: told, and not followed.

use mirror::address::Address;
use mirror::crawl::{Answer, Finding, Index, Rule};

use crate::copied::World;

/// Addresses that a rule left out, as the crawl tells of them.
fn left_out(index: &Index, by: Rule) -> Vec<String> {
    let told = index.findings.iter().filter_map(|finding| match finding {
        Finding::LeftOut { rule, examples, .. } if *rule == by => Some(examples),
        _ => None,
    });
    told.flatten().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_logout_link_is_told_and_not_followed() {
    let world = World::new(|_| ()).await;
    let (copy, out, log) = world.copy(&world.settings()).await;
    assert!(
        !left_out(&copy.index, Rule::Never).is_empty(),
        "{:?}",
        copy.index.findings
    );
    assert!(
        !left_out(&copy.index, Rule::Robots).is_empty(),
        "{:?}",
        copy.index.findings
    );
    let asked = |word: &str| {
        log.asked
            .iter()
            .filter(|asked| asked.target.contains(word))
            .count()
    };
    assert_eq!(
        (asked("logout?"), asked("/delete"), asked("/private/page")),
        (0, 1, 0),
        "only the help on deleting"
    );
    let judged = world.judge(&out, &log);
    assert!(judged.requests.forbidden.is_empty(), "{judged}");
}

#[tokio::test]
async fn a_calendar_without_an_end_is_left_and_told() {
    let world = World::new(|_| ()).await;
    let (copy, _, log) = world.copy(&world.settings()).await;
    for trap in [
        "/traps/calendar/",
        "/traps/shop/",
        "/traps/day",
        "/traps/fresh",
    ] {
        let asked = log
            .asked
            .iter()
            .filter(|asked| asked.target.starts_with(trap))
            .count();
        assert!((1..=60).contains(&asked), "{trap}: {asked}");
        assert!(
            [Rule::Variants, Rule::Depth, Rule::Repeats]
                .iter()
                .any(|rule| {
                    copy.index.entries.iter().any(|(address, entry)| {
                        address.as_str().starts_with(trap) && entry.answer == Answer::Left(*rule)
                    })
                })
                || copy
                    .index
                    .findings
                    .iter()
                    .any(|finding| format!("{finding:?}").contains(trap)),
            "{trap}: {:?}",
            copy.index.findings
        );
    }
}

#[tokio::test]
async fn a_page_for_who_is_logged_in_is_told_and_never_the_login_page_under_its_name() {
    let world = World::new(|_| ()).await;
    let (copy, out, log) = world.copy(&world.settings()).await;
    for account in ["/dynamic/account/", "/dynamic/orders/", "/dynamic/profile"] {
        let entry = &copy.index.entries[&Address::new(account)];
        assert!(
            matches!(entry.answer, Answer::Dynamic { .. }),
            "{account}: {entry:?}"
        );
        let key = out.join(account.trim_matches('/')).join("index.html");
        let body = std::fs::read_to_string(&key).unwrap_or_default();
        assert!(!body.contains("password"), "{account}");
    }
    let logins = log
        .asked
        .iter()
        .filter(|asked| asked.target.starts_with("/accounts/login/"))
        .count();
    assert!(logins <= 3, "{logins}");
}
