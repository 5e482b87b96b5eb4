use super::super::fixtures::{app, site};
use std::time::Instant;

use super::*;
use crate::host::services::{Mode, to_stderr};

/// A server of the standard library that answers each request with the next of these statuses, the
/// last one for ever; `302=/x` redirects to `/x`.
const SERVER: &str = r#"
import http.server, os, sys, time
statuses = sys.argv[1:]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, _, location = (statuses.pop(0) if len(statuses) > 1 else statuses[0]).partition('=')
        status = int(status)
        if self.path != '/health' or self.headers['Host'] != 'example.com' or self.headers['X-Forwarded-Proto'] != 'https': status = 418
        if status == 0: time.sleep(60)
        self.send_response(status)
        if location: self.send_header('Location', location)
        self.end_headers()
print('serving soon', flush=True)
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;

/// One that reads `SPOTBOOT_SOCKET` itself.
const ON_SOCKET: &str = r#"
import os, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind(os.environ['SPOTBOOT_SOCKET'])
listener.listen()
while True:
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.sendall(b'HTTP/1.1 204 No Content\r\n\r\n')
    connection.close()
"#;

async fn outcome(command: &str, seconds: u64) -> Result<Backend, String> {
    let mut site = site("command", command);
    site.app.health.timeout = Duration::from_secs(seconds);
    let (_folder, app) = app(&site, &[("server.py", SERVER), ("on_socket.py", ON_SOCKET)]);
    let services = Services::choose(Some(Mode::Foreground), &app.plan.paths, to_stderr())
        .await
        .unwrap();
    app.start(&services).await.unwrap();
    let outcome = app
        .wait_ready(&services)
        .await
        .map_err(|error| format!("{error:#}"));
    services.shutdown().await;
    outcome.map(|()| app.upstream().clone())
}

#[tokio::test]
async fn an_app_that_becomes_well_is_ready_redirects_included() {
    outcome("python3 server.py 503 404 200", 20).await.unwrap();
    for elsewhere in [
        "/login",
        "https://www.example.com/health",
        "http://example.org/health",
    ] {
        outcome(&format!("python3 server.py 302={elsewhere}"), 20)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn an_app_that_redirects_to_itself_is_never_ready() {
    for itself in [
        "https://example.com/health",
        "http://example.com/health",
        "/health",
    ] {
        let error = outcome(&format!("python3 server.py 301={itself}"), 2)
            .await
            .unwrap_err();
        assert!(
            error.contains(
                "GET /health for example.com redirects to itself: the app does not see that"
            ),
            "{itself}: {error}"
        );
        assert!(error.contains("X-Forwarded-Proto"), "{error}");
    }
    let error = outcome("python3 server.py 302", 2).await.unwrap_err();
    assert!(error.contains("answers 302 with no URL"), "{error}");
    let error = outcome("python3 server.py 304", 2).await.unwrap_err();
    assert!(error.contains("answered with 304"), "{error}");
}

#[tokio::test]
async fn an_app_is_found_where_it_listens_whether_its_command_says_so_or_not() {
    assert!(matches!(
        outcome("python3 server.py 200", 20).await,
        Ok(Backend::Tcp(_))
    ));
    assert!(matches!(
        outcome("python3 server.py 200 # $PORT", 20).await,
        Ok(Backend::Tcp(_))
    ));
    assert!(
        matches!(outcome("python3 server.py 200; true $SPOTBOOT_SOCKET", 1).await, Err(error) if error.contains("KeyError"))
    );
    assert!(matches!(
        outcome("python3 on_socket.py", 20).await,
        Ok(Backend::Unix(_))
    ));
}

#[tokio::test]
async fn an_app_that_ends_is_told_at_once_with_its_last_words() {
    let begun = Instant::now();
    let error = outcome("echo no such module >&2; exit 3", 60)
        .await
        .unwrap_err();
    assert!(
        error.contains("exit status 3") && error.contains("no such module"),
        "{error}"
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn an_app_that_stays_unwell_is_told_with_what_it_answered_and_what_to_do() {
    let error = outcome("python3 server.py 500", 3).await.unwrap_err();
    assert!(
        error.contains("answered with 500") && error.contains("serving soon"),
        "{error}"
    );
    let error = outcome("python3 server.py 400", 3).await.unwrap_err();
    assert!(error.contains("ALLOWED_HOSTS"), "{error}");
    let error = outcome("python3 server.py 0", 3).await.unwrap_err();
    assert!(error.contains("no answer"), "{error}");
    let error = outcome("python3 server.py 500 0", 3).await.unwrap_err();
    assert!(
        error.contains("answered with 500"),
        "the time was up while it was asked again: {error}"
    );
    let error = outcome("sleep 30", 1).await.unwrap_err();
    assert!(
        error.contains("found nobody at /")
            && error.contains("nor at 127.0.0.1:")
            && error.contains("it wrote nothing"),
        "{error}"
    );
}

#[tokio::test]
async fn a_site_without_a_program_is_ready() {
    let (_folder, app) = app(&site("static", ""), &[]);
    let services = Services::choose(Some(Mode::Foreground), &app.plan.paths, to_stderr())
        .await
        .unwrap();
    app.wait_ready(&services).await.unwrap();
    assert!(app.start(&services).await.unwrap().is_none());
}
