use super::*;

fn own() -> Own {
    let names = ["www.example.com", "*.example.org", "shop.example.com:8443"];
    let names: Vec<String> = names.map(str::to_string).into();
    let start = Url::parse("http://127.0.0.1:8000/any?x#y").unwrap();
    let public = Url::parse("https://example.com").unwrap();
    Own::new(&start, &names, Some(public)).unwrap()
}

fn base() -> Url {
    Url::parse("http://127.0.0.1:8000/dir/page").unwrap()
}

fn address(text: &str) -> String {
    match own().leads(&base(), text, None) {
        Led::Own { address, .. } => address.to_string(),
        other => format!("{other:?}"),
    }
}

fn folded(text: &str) -> Folded {
    match own().leads(&base(), text, None) {
        Led::Own { folded, .. } => folded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_own_names_are_one_origin() {
    let own = [
        "/a",
        "../a",
        "\\a",
        "http://127.0.0.1:8000/a",
        "https://127.0.0.1:8000/a",
        "//127.0.0.1:8000/a",
        "https://example.com/a",
        "http://example.com:80/a",
        "https://EXAMPLE.com:443/a",
        "https://example.com./a",
        "HTTP://www.Example.COM/a",
        "https://x.y.example.org/a",
        "https://shop.example.com:8443/a",
        " \n/a\t",
        "/\na",
    ];
    for text in own {
        assert_eq!(address(text), "/a", "{text:?}");
    }
}

#[test]
fn other_hosts_and_ports_are_off_the_site() {
    let off = [
        "http://127.0.0.1/a",
        "http://127.0.0.1:8001/a",
        "https://shop.example.com/a",
        "https://example.com:8443/a",
        "https://example.org/a",
        "https://notexample.com/a",
        "https://example.com.evil.net/a",
        "https://fakeexample.org/",
        "//user@example.com/a",
        "https://user:word@example.com/a",
    ];
    for text in off {
        assert!(
            matches!(own().leads(&base(), text, None), Led::Off(_)),
            "{text:?}"
        );
    }
}

#[test]
fn what_no_crawl_can_follow_leads_nowhere() {
    let nowhere = [
        "",
        "  \n",
        "mailto:a@b",
        "data:,x",
        "javascript:go()",
        "http://[/",
        "tel:1",
    ];
    for text in nowhere {
        assert_eq!(own().leads(&base(), text, None), Led::Nowhere, "{text:?}");
    }
}

#[test]
fn escapes_fold_where_every_server_reads_them_alike() {
    assert_eq!(address("/caf%c3%a9"), "/caf%C3%A9");
    assert_eq!(address("/café"), "/caf%C3%A9");
    assert_eq!(address("/%41%7e%2d"), "/A~-");
    assert_eq!(address("/a|b[c]^"), "/a%7Cb%5Bc%5D%5E");
    assert_eq!(address("/?a[]=1&b={x}"), "/?a%5B%5D=1&b=%7Bx%7D");
    assert_eq!(address("/a/./b/../c/%2e%2E/d"), "/a/d");
}

#[test]
fn what_a_server_may_tell_apart_stays_distinct() {
    let distinct = [
        "/about",
        "/About",
        "/about/",
        "/about.html",
        "//about",
        "/about//",
        "/a%2Fb",
        "/a/b",
        "/caf%C3%A9",
        "/cafe%CC%81",
        "/a+b",
        "/a%20b",
        "/100%",
        "/100%25",
        "/x?a",
        "/x?a=",
        "/x?a=+",
        "/x?a=%20",
        "/x?a=1&a=2",
        "/x?a=2&a=1",
    ];
    let mut seen: Vec<String> = distinct
        .iter()
        .map(|text| {
            let text = format!("http://127.0.0.1:8000{text}");
            address(&text)
        })
        .collect();
    assert_eq!(seen, distinct);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), distinct.len());
}

#[test]
fn the_order_of_parameters_folds_and_is_told() {
    assert_eq!(address("/x?b=1&a=2&a=1"), "/x?a=2&a=1&b=1");
    assert!(folded("/x?b=1&a=2").reordered);
    assert!(!folded("/x?a=2&b=1").reordered);
    let written = own().as_written(&base(), "/x?b=%c3&a=2&sid=3", None);
    assert_eq!(written, Some(Address::new("/x?b=%C3&a=2")));
}

#[test]
fn parameters_of_tracking_and_sessions_are_dropped_and_told() {
    assert_eq!(address("/x?utm_source=a&id=1&GCLID=2"), "/x?id=1");
    assert_eq!(
        folded("/x?utm_source=a&id=1&GCLID=2").dropped,
        ["gclid", "utm_source"]
    );
    assert_eq!(address("/x?sid=1&PHPSESSID=2"), "/x");
    assert_eq!(
        address("/shop;jsessionid=1A2B/list;v=1?a=1"),
        "/shop/list;v=1?a=1"
    );
    assert_eq!(folded("/shop;jsessionid=1A2B").dropped, ["jsessionid"]);
    assert_eq!(address("/x?inside=1&side=2"), "/x?inside=1&side=2");
}

#[test]
fn an_empty_query_is_none() {
    assert_eq!(address("/x?"), "/x");
    assert_eq!(address("/x?&"), "/x");
    assert_eq!(address("?"), "/dir/page");
    assert_eq!(folded("/x?"), Folded::default());
}

#[test]
fn a_fragment_is_kept_beside_the_address() {
    let led = own().leads(&base(), "#part-%31", None);
    let Led::Own {
        address, fragment, ..
    } = led
    else {
        panic!("{led:?}")
    };
    assert_eq!(address.as_str(), "/dir/page");
    assert_eq!(fragment.as_deref(), Some("part-%31"));
}

#[test]
fn a_base_of_another_site_resolves_there() {
    let away = Url::parse("https://cdn.example.net/x/").unwrap();
    assert!(matches!(own().leads(&away, "a.css", None), Led::Off(_)));
    assert!(matches!(
        own().leads(&away, "//example.com/a", None),
        Led::Own { .. }
    ));
}

#[test]
fn queries_are_encoded_by_the_pages_charset() {
    let led = own().leads(&base(), "/x?q=é☃", Some(encoding_rs::WINDOWS_1252));
    let Led::Own { address, .. } = led else {
        panic!("{led:?}")
    };
    assert_eq!(address.as_str(), "/x?q=%E9%26%239731%3B");
    assert_eq!(super::super::Address::new("/x?q=1").query(), Some("q=1"));
}

#[test]
fn an_address_is_asked_and_stated_as_it_is() {
    for text in ["//a//b", "/a%2Fb?x=%5B1%5D", "/100%", "/"] {
        let address = own().address_of(text).unwrap();
        let asked = own().url_of(&address);
        assert_eq!(asked.as_str(), format!("http://127.0.0.1:8000{text}"));
        let stated = own().public_url(&address);
        assert_eq!(stated.as_str(), format!("https://example.com{text}"));
    }
    assert_eq!(own().address_of("about"), None);
}

#[test]
fn names_that_are_none_are_refused() {
    let start = Url::parse("http://example.com/").unwrap();
    for name in ["a/b", "user@a", "", "a?b", "http://a/"] {
        assert!(
            Own::new(&start, &[name.to_string()], None).is_err(),
            "{name:?}"
        );
    }
    assert!(Own::new(&Url::parse("ftp://a/").unwrap(), &[], None).is_err());
    assert!(Own::new(&Url::parse("http://u@a/").unwrap(), &[], None).is_err());
}
