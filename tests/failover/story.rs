//! An emergency as a whole, as the people live through it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::eventually;
use crate::desk::{FRONT, LITE};
use crate::fleet::FleetSite;
use crate::site::app;

/// A form at somebody else's, which takes down what is posted.
struct OutsideForm {
    port: u16,
    taken: Arc<Mutex<Vec<String>>>,
}

impl OutsideForm {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has one").port();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let taking = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                take(stream, &taking);
            }
        });
        Self { port, taken }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/1", self.port)
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

/// Notes the last line of a request, which is a form's body.
fn take(mut stream: TcpStream, taken: &Mutex<Vec<String>>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read) = stream.read(&mut piece) {
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((_, body)) = text
            .split_once("\r\n\r\n")
            .filter(|(_, body)| !body.is_empty())
        {
            taken.lock().unwrap().push(body.to_owned());
            break;
        }
        if read == 0 {
            break;
        }
    }
    let _ = stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nthanks");
}

/// Where a page's form leads.
fn action(page: &str) -> String {
    let rest = page.split("action=\"").nth(1).expect("the page has a form");
    rest.split('"').next().expect("it ends").to_owned()
}

/// Takes the socket away by which the web server reaches the app.
fn app_goes_down(site: &FleetSite) {
    let id = site.site.living().remove(0);
    let socket = site.site.world.path(&id).join("run/app/app.sock");
    std::fs::rename(&socket, socket.with_extension("gone")).expect("the app has a socket");
}

#[test]
fn the_app_is_down_at_night_and_nobody_is_turned_away() {
    let form = OutsideForm::open();
    let Some(site) = FleetSite::with_form(&app("v1"), &form.url()) else {
        return;
    };
    // No mirror has this page.
    let account = || site.visit("/account/").map(|(status, _)| status);
    assert_eq!(account(), Some(200));

    // 03:12. The app is down.
    app_goes_down(&site);
    eventually("the app answers no more", || {
        account().is_none_or(|status| status >= 500)
    });

    // 03:20. Somebody who was woken leads the visitors to the mirror, with the lite page in front.
    let told = site.failover(&["on", "--page", "--why", "the app is down"]);
    assert!(
        told.stdout.contains("the names lead to the mirror"),
        "{}",
        told.stdout
    );
    let lite = || {
        site.visit("/")
            .filter(|(status, body)| *status == 200 && body.contains(LITE))
    };
    eventually("visitors see the lite page", || lite().is_some());

    // 03:25. A visitor signs up, at the outside form.
    let (_, page) = lite().expect("it was seen");
    assert_eq!(action(&page), form.url());
    let signed_up = Command::new("curl")
        .args(["--silent", "--data", "name=grace", &action(&page)])
        .output()
        .expect("curl runs");
    assert_eq!(signed_up.stdout, b"thanks");
    assert_eq!(form.taken(), ["name=grace"]);
    let read = site.visit("/page-1/").expect("it answers");
    assert!(read.0 == 200 && read.1.contains("Page 1"), "{read:?}");

    // 08:40. A deploy mends the app, while visitors stay at the mirror.
    let deployed = site.site.deploy(&app("v2"));
    assert_eq!(
        deployed.code(),
        0,
        "{}\n{}",
        deployed.stderr,
        site.site.logs()
    );
    assert!(site.is_at_mirror());
    assert!(lite().is_some());

    // 08:50. Back to the app.
    let told = site.failover(&["off"]);
    assert!(
        told.stdout.contains("emergency mode is off"),
        "{}",
        told.stdout
    );
    eventually("visitors see the mended app", || {
        account() == Some(200) && lite().is_none()
    });
    assert_eq!(site.site.seen(), "v2");
    let front = site.site.world.region.s3().get("mirror", "index.html");
    let front = front.expect("the bucket answers").expect("it is there");
    assert!(String::from_utf8_lossy(&front).contains(FRONT));
    let status = site.failover(&["status"]);
    assert!(
        status.stdout.contains("failover       off since"),
        "{}",
        status.stdout
    );
    site.site.ci(&["status"]).assert_success();
    site.site.assert_never_out_of_bounds(1);
}
