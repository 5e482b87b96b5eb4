//! Real sites: Django's sample, what `wagtail start` makes, the blog of Flask's own tutorial, and a
//! MkDocs output behind a server. Each is copied, its links are checked, and the copy is compared.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{program, venv};
use crate::run::{ask, root, run, start_with};

/// The port of the first site. Each has one of its own: gunicorn's workers listen on for a moment
/// after their master's end.
const PORT: usize = 18921;

/// A site, by the shell's words: made once, then served until it is killed.
struct Real {
    name: &'static str,
    packages: &'static [&'static str],
    /// With the packages' programs on the path, in a folder of its own; `$ROOT` is the project's.
    made_by: &'static str,
    served_by: &'static str,
}

const SITES: &[Real] = &[
    Real {
        name: "the sample site",
        packages: &["Django>=5.2,<5.3"],
        made_by: "cp -r $ROOT/tests/sample/. . && export SITE_HOSTS=127.0.0.1 SPOTBOOT_DATA=$PWD && python manage.py migrate --noinput",
        served_by: "SITE_HOSTS=127.0.0.1 SPOTBOOT_DATA=$PWD exec python manage.py runserver --noreload --insecure $AT",
    },
    Real {
        name: "wagtail start",
        packages: &["wagtail"],
        made_by: "wagtail start made . && python manage.py migrate --noinput",
        served_by: "exec python manage.py runserver --noreload $AT",
    },
    Real {
        name: "Flask's tutorial blog",
        packages: &["flask", "gunicorn"],
        made_by: "pip download --quiet --no-deps --no-binary :all: flask && tar xf flask-*.tar.gz && cp -r flask-*/examples/tutorial/. . && flask --app flaskr init-db && python -c \"import sqlite3; db = sqlite3.connect('instance/flaskr.sqlite'); db.execute(\\\"INSERT INTO user (username, password) VALUES ('ada', 'x')\\\"); [db.execute('INSERT INTO post (title, body, author_id) VALUES (?, ?, 1)', ('Post %d' % n, 'Words of post %d.' % n)) for n in range(30)]; db.commit()\"",
        served_by: "exec gunicorn --bind $AT 'flaskr:create_app()'",
    },
    Real {
        name: "a MkDocs output",
        packages: &["mkdocs"],
        made_by: "mkdocs new . && for n in $(seq 40); do echo \"# Page $n\n\nWords of page $n, and [the next](page-$((n % 40 + 1)).md#section).\n\n## Section\n\nMore.\" > docs/page-$n.md; done && mkdocs build --quiet",
        served_by: "cd site && exec python -m http.server --bind 127.0.0.1 $PORT",
    },
];

pub(super) fn show(work: &Path) -> Result<()> {
    let mut failed = Vec::new();
    for (number, site) in SITES.iter().enumerate() {
        let folder = work.join(format!("site-{number}"));
        std::fs::create_dir_all(&folder)?;
        match show_one(site, PORT + number, &folder, work) {
            Ok(said) => println!("\n{}\n{said}", site.name),
            Err(error) => {
                println!("\n{}: {error:#}", site.name);
                failed.push(site.name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("not copied well: {}", failed.join(", "));
    }
    Ok(())
}

fn show_one(site: &Real, port: usize, folder: &Path, work: &Path) -> Result<String> {
    let bin = venv(&folder.with_extension("env"), site.packages)?;
    let path = format!(
        "{}:{}",
        bin.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let root = root().display().to_string();
    let (at, port) = (format!("127.0.0.1:{port}"), port.to_string());
    let environment = [
        ("PATH", path.as_str()),
        ("ROOT", root.as_str()),
        ("AT", at.as_str()),
        ("PORT", port.as_str()),
    ];
    let in_folder = |line: &str| format!("cd '{}' && {line}", folder.display());
    run("sh", &["-c", &in_folder(site.made_by)], &environment).context("making the site")?;
    let server = start_with("sh", &["-c", &in_folder(site.served_by)], &environment)?;
    wait_for(&at)?;
    let out = work.join("copy").join(site.name.replace(' ', "-"));
    std::fs::create_dir_all(&out)?;
    let url = format!("http://{at}/");
    let copied = ask(
        &program("examples/copy")?,
        &[&url, &out.display().to_string(), "--compare"],
    )?;
    drop(server);
    Ok(copied)
}

fn wait_for(at: &str) -> Result<()> {
    for _ in 0..150 {
        if std::net::TcpStream::connect(at).is_ok() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    bail!("nothing answers at {at}")
}
