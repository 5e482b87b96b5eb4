//! A site by hand, for the tests of the comparison.

use std::path::{Path, PathBuf};

use encoding_rs::Encoding;
use url::Url;

use super::page::{Page, Text};
use super::places::{Leads, Places};
use super::report::Outcome;
use crate::address::{Address, Led, Own, OwnName};
use crate::crawl::{Answer, Entry, Index};
use crate::objects::{Headers, Object, Objects, Rank};
use crate::settings::Dynamic;
use crate::spool::BodyId;

/// What the site answers, and what the mirror has.
pub(super) struct Site {
    pub own: Own,
    pub index: Index,
    pub objects: Objects,
    pub dynamic: Dynamic,
}

impl Site {
    /// A site with a front page, reached at its own listener and known as www.example.com.
    pub fn new() -> Self {
        let name = |host: &str, port| OwnName {
            host: host.to_owned(),
            port,
        };
        let mut site = Self {
            own: Own {
                origin: Url::parse("http://127.0.0.1:8000/").unwrap(),
                public: Url::parse("https://www.example.com/").unwrap(),
                names: vec![name("127.0.0.1", Some(8000)), name("www.example.com", None)],
            },
            index: Index::default(),
            objects: Objects::default(),
            dynamic: Dynamic::default(),
        };
        site.keep("/", "index.html");
        site.ours("404.html");
        site
    }

    /// Keeps an address under a key.
    pub fn keep(&mut self, address: &str, key: &str) -> &mut Self {
        let address = Address::new(address);
        let body = BodyId {
            sha256: String::new(),
            size: 1,
        };
        self.answer(address.as_str(), Answer::Body(body));
        self.objects.key_of.insert(address.clone(), key.to_owned());
        self.object(key, Some(address), None)
    }

    /// Has the site send visitors on, and the mirror too.
    pub fn redirect(&mut self, address: &str, key: &str, to: &str) -> &mut Self {
        let from = Address::new(address);
        let location = Url::parse("http://127.0.0.1:8000/")
            .unwrap()
            .join(to)
            .unwrap();
        self.answer(
            address,
            Answer::Redirect {
                to: location.into(),
            },
        );
        self.objects.key_of.insert(from.clone(), key.to_owned());
        self.object(key, Some(from), Some(to.to_owned()))
    }

    /// Puts a page of the mirror's own at a key.
    pub fn ours(&mut self, key: &str) -> &mut Self {
        self.object(key, None, None)
    }

    pub fn answer(&mut self, address: &str, answer: Answer) -> &mut Self {
        let entry = Entry {
            answer,
            status: 200,
            content_type: "text/html".to_owned(),
            content_disposition: None,
            cache_control: None,
            etag: None,
            last_modified: None,
            asked: None,
            depth: 0,
            found_on: None,
            resource: false,
        };
        self.index.entries.insert(Address::new(address), entry);
        self
    }

    fn object(
        &mut self,
        key: &str,
        address: Option<Address>,
        redirect: Option<String>,
    ) -> &mut Self {
        let object = Object {
            file: PathBuf::new(),
            sha256: String::new(),
            size: 1,
            headers: Headers {
                content_type: "text/html".to_owned(),
                redirect,
                ..Headers::default()
            },
            rank: Rank::Page,
            address,
        };
        self.objects.by_key.insert(key.to_owned(), object);
        self
    }

    /// Writes the body of a page that is kept.
    pub fn write(&mut self, folder: &Path, key: &str, body: &str) -> &mut Self {
        let object = self.objects.by_key.get_mut(key).unwrap();
        object.file = folder.join(hex::encode(key));
        object.size = body.len() as u64;
        std::fs::write(&object.file, body).unwrap();
        self
    }

    /// Stands in for [`Own::leads`]: what it folds is no matter here.
    pub fn leads(&self) -> impl Fn(&Url, &str, Option<&'static Encoding>) -> Led {
        let own = self.own.clone();
        move |base, text, _| {
            let Ok(url) = base.join(text) else {
                return Led::Nowhere;
            };
            let ours = own
                .names
                .iter()
                .any(|name| url.host_str() == Some(&name.host) && url.port() == name.port);
            if !url.has_host() {
                return Led::Nowhere;
            }
            if !ours {
                return Led::Off(url);
            }
            Led::Own {
                address: Address::new(&url[url::Position::BeforePath..url::Position::AfterQuery]),
                fragment: url.fragment().map(str::to_owned),
                folded: Default::default(),
            }
        }
    }

    pub fn places<'a>(&'a self, leads: &'a Leads<'a>) -> Places<'a> {
        Places::new(&self.own, &self.index, &self.objects, &self.dynamic, leads)
    }

    /// Compares a page's answers with its object.
    pub fn compare(&self, address: &str, answers: &[&str], object: &str) -> Outcome {
        let answers: Vec<Text> = answers.iter().map(|body| html(body)).collect();
        self.compare_texts(address, &answers, &html(object))
    }

    pub fn compare_texts(&self, address: &str, answers: &[Text], object: &Text) -> Outcome {
        let leads = self.leads();
        let places = self.places(&leads);
        let address = Address::new(address);
        let mut page = Page::new(&address, &places, &answers[0]);
        for answer in &answers[1..] {
            page.also(answer);
        }
        page.judge(object)
    }
}

pub(super) fn html(body: &str) -> Text {
    text("text/html; charset=utf-8", body)
}

pub(super) fn text(content_type: &str, body: &str) -> Text {
    Text {
        content_type: content_type.to_owned(),
        bytes: body.as_bytes().to_vec(),
    }
}
