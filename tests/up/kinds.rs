//! The kinds of app beside python, the release command, and the cache of dependencies.

use md5::Digest;
use region::Service;

use crate::common::{Package, World};

#[test]
fn static_files_are_served_straight_from_the_package() {
    let world = World::new();
    let pages = Package::default()
        .file("index.html", "<h1>hello</h1>")
        .file("about/index.html", "about")
        .file("404.html", "lost");
    world.publish("v1", &pages);
    let machine = world
        .machine("i-0static")
        .section("app", "kind = \"static\"\n");
    let _running = machine.up();
    let visitor = machine.visitor();
    assert_eq!(visitor.get("/").body.trim(), "<h1>hello</h1>");
    assert_eq!(visitor.get("/about/").body.trim(), "about");
    let lost = visitor.get("/no/such");
    assert_eq!((lost.status, lost.body.trim()), (404, "lost"));
    assert_eq!(visitor.get("/ping").status, 200);
}

/// Gradle's and Bazel's zips, and one from a clock that is ahead: all files of all releases have
/// one time, and `app.js` always has the same length.
#[test]
fn a_browser_gets_the_new_release_whatever_times_the_zips_tell() {
    let world = World::new();
    let release = |script: &str, year, month| {
        Package::default()
            .file("index.html", "page")
            .file("app.js", script)
            .stamped(year, month)
    };
    for (number, (year, month)) in [(1980, 2), (2010, 1), (2040, 6)].into_iter().enumerate() {
        let machine = world
            .machine(&format!("i-0times{number}"))
            .section("app", "kind = \"static\"\n");
        world.publish(&format!("v1-{year}"), &release("let v = 1", year, month));
        let running = machine.up();
        let visitor = machine.visitor();
        let had = visitor.get("/app.js");
        let header = |name: &str| {
            had.headers
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .expect("nginx tells it")
                .trim()
                .to_owned()
        };
        let validators = [
            format!("If-None-Match: {}", header("etag:")),
            format!("If-Modified-Since: {}", header("last-modified:")),
        ];
        let again = || {
            let url = format!(
                "https://{}:{}/app.js",
                crate::common::DOMAIN,
                machine.https_port
            );
            validators.each_ref().map(|validator| {
                visitor
                    .curl(&url, &["--header", validator])
                    .expect("it answers")
            })
        };
        assert!(
            again().iter().all(|answer| answer.status == 304),
            "{:?}",
            again()
        );
        drop(running);
        world.publish(&format!("v2-{year}"), &release("let v = 2", year, month));
        let _running = machine.up();
        for answer in again() {
            assert_eq!(
                (answer.status, answer.body.trim()),
                (200, "let v = 2"),
                "{year}: {}",
                answer.headers
            );
        }
    }
}

/// As collectstatic does it, in small: what is served is there only after the build.
#[test]
fn what_the_build_names_by_its_content_is_kept_for_ever_and_nothing_else() {
    let world = World::new();
    let build = "mkdir made && for file in a b; do cp $file.css made/$file.$(md5sum < $file.css | cut -c 1-12).css; done; \
        cp a.css made/menu-20240501.css; cp a.css made/c.$(md5sum < b.css | cut -c 1-12).css; cp page.html made/page.$(md5sum < page.html | cut -c 1-12).html";
    let files = [
        ("a.css", "a{}"),
        ("b.css", "b{}"),
        ("page.html", "page"),
        ("index.html", "home"),
    ];
    let package = |base: Package| {
        files
            .iter()
            .fold(base, |package, (name, content)| package.file(name, content))
    };
    for (kind, base, prefix) in [
        ("command", Package::small_app(), "/made/"),
        ("static", Package::default(), "/made/"),
    ] {
        world.publish(kind, &package(base));
        let served = if kind == "static" {
            ""
        } else {
            "static = { \"/made/\" = \"made\" }\n"
        };
        let machine = world.machine(&format!("i-0{kind}")).section(
            "app",
            &format!("kind = \"{kind}\"\nbuild = '{build}'\n{served}"),
        );
        let _running = machine.up();
        let made = std::fs::read_dir(machine.state().join("releases").join(kind).join("made"))
            .expect("the build made it");
        let mut kept: Vec<String> = made
            .map(|entry| {
                entry
                    .expect("it can be listed")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .filter(|name| {
                machine
                    .visitor()
                    .get(&format!("{prefix}{name}"))
                    .headers
                    .contains("immutable")
            })
            .collect();
        kept.sort();
        let hashed = |name: &str, content: &str| {
            format!(
                "{name}.{}.css",
                &hex::encode(md5::Md5::digest(content))[..12]
            )
        };
        assert_eq!(kept, [hashed("a", "a{}"), hashed("b", "b{}")], "{kind}");
    }
}

#[test]
fn kind_s3_forwards_to_the_bucket_and_needs_no_package() {
    let world = World::new();
    world.put_in("mirror", "index.html", "mirrored");
    world.put_in("mirror", "page.html", "a page");
    let machine = world
        .machine("i-0s3")
        .section("app", "kind = \"s3\"\n")
        .section("failover", "bucket = \"mirror\"\n");
    let _running = machine.up();
    let visitor = machine.visitor();
    assert_eq!(visitor.get("/page.html").body.trim(), "a page");
    assert_eq!(visitor.get("/").body.trim(), "mirrored");
}

#[test]
fn a_command_may_listen_on_a_port() {
    let world = World::new();
    world.publish(
        "v1",
        &Package::default().file("hello.txt", "by port").file(
            "Procfile",
            "web: exec python3 -m http.server --bind 127.0.0.1 $PORT\n",
        ),
    );
    let machine = world
        .machine("i-0port")
        .section("app", "kind = \"command\"\n");
    let _running = machine.up();
    assert_eq!(machine.visitor().get("/hello.txt").body.trim(), "by port");
}

#[test]
fn a_command_that_does_not_say_where_it_listens_is_found_on_its_port() {
    let world = World::new();
    let server = "import http.server, os\nhttp.server.test(http.server.SimpleHTTPRequestHandler, port=int(os.environ['PORT']), bind='127.0.0.1')\n";
    world.publish(
        "v1",
        &Package::default()
            .file("serve.py", server)
            .file("hello.txt", "found")
            .file("Procfile", "web: exec python3 serve.py\n"),
    );
    let machine = world
        .machine("i-0either")
        .section("app", "kind = \"command\"\n");
    let _running = machine.up();
    assert_eq!(machine.visitor().get("/hello.txt").body.trim(), "found");
}

/// Sessions in signed cookies, logins and content policies make such answers.
#[test]
fn an_app_whose_answers_have_32_kib_of_headers_comes_up_and_is_seen_whole() {
    let world = World::new();
    let server = "import http.server, os\n\
        class Handler(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.send_response(200)\n        \
        for n in range(8): self.send_header('Set-Cookie', f'c{n}=' + 'x' * 4096)\n        \
        self.send_header('Content-Length', '2')\n        self.end_headers()\n        self.wfile.write(b'ok')\n\
        http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()\n";
    world.publish(
        "v1",
        &Package::default()
            .file("serve.py", server)
            .file("Procfile", "web: exec python3 serve.py --port $PORT\n"),
    );
    let machine = world
        .machine("i-0cookies")
        .section("app", "kind = \"command\"\n");
    let _running = machine.up();
    let page = machine.visitor().get("/");
    assert_eq!(
        (page.status, page.headers.matches("set-cookie: c").count()),
        (200, 8),
        "{:.300}",
        page.headers
    );
    assert_eq!(machine.visitor().get("/ping").status, 200);
}

#[test]
fn the_older_convention_is_the_newest_key_that_ends_in_latest() {
    let world = World::new();
    world.put("packages/site-latest.zip", Package::small_app().zip());
    world.put("packages/readme.txt", "not a package");
    let machine = world.machine("i-0latest");
    let _running = machine.up();
    assert_eq!(machine.visitor().get("/").status, 200);
}

#[test]
fn build_runs_on_each_instance_and_with_release_on_fleet_the_release_command_once() {
    let world = World::with_small_app();
    let app = "kind = \"command\"\nbuild = \"echo built > built.txt\"\nrelease = \"sleep 1; echo released >> /tmp/spotboot-released-$SPOTBOOT_FLEET_TEST\"\nrelease_on = \"fleet\"\nstatic = { \"/files/\" = \".\" }\nenv = { SPOTBOOT_TEST = \"1\" }\n";
    let marker = world.path("released");
    std::fs::write(&marker, "").unwrap();
    std::process::Command::new("chmod")
        .arg("666")
        .arg(&marker)
        .status()
        .unwrap();
    let app = app
        .replace(
            "/tmp/spotboot-released-$SPOTBOOT_FLEET_TEST",
            marker.to_str().unwrap(),
        )
        .replace("env = { SPOTBOOT_TEST = \"1\" }\n", "")
        .replace("static = { \"/files/\" = \".\" }\n", "");
    let machines = ["i-0a", "i-0b"].map(|id| world.machine(id).section("app", &app));
    let mut running: Vec<_> = machines.iter().map(|machine| machine.start()).collect();
    for boot in &mut running {
        boot.wait_for_any(&["serving https://", "standing by"]);
    }
    assert_eq!(
        std::fs::read_to_string(&marker).unwrap().lines().count(),
        1,
        "the release command ran more or less than once"
    );
    for machine in &machines {
        assert!(
            machine.state().join("releases/v1/built.txt").exists(),
            "{} was not built",
            machine.id()
        );
    }
}

#[test]
fn gunicorn_calls_an_app_factory_with_the_arguments_of_site_toml() {
    let world = World::new();
    let factory = "def create_app(greeting='none', *, times=1, debug=True):\n    def app(environ, start_response):\n        start_response('200 OK', [('Content-Type', 'text/plain')])\n        return [f'{greeting * times} {debug}'.encode()]\n    return app\n";
    world.publish("v1", &Package::default().file("shop.py", factory));
    let app = "kind = \"python\"\nwsgi = \"\"\"shop:create_app('$HOME \\\"%n\\\" ü,', times=2, debug=False)\"\"\"\n";
    let machine = world.machine("i-0factory").section("app", app);
    let _running = machine.up();
    assert_eq!(
        machine.visitor().get("/").body,
        "$HOME \"%n\" ü,$HOME \"%n\" ü, False"
    );
}

#[test]
fn dependencies_are_installed_once_and_a_broken_cache_is_rebuilt() {
    let world = World::new();
    let wsgi = "def application(environ, start_response):\n    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [b'by gunicorn']\n";
    world.publish(
        "v1",
        &Package::default()
            .file("site.py", "")
            .file("web.py", wsgi)
            .file("requirements.txt", "gunicorn==23.0.0\n"),
    );
    let app = "kind = \"python\"\nwsgi = \"web:application\"\n";
    let cached = || world.list("cache/");

    let first = world.machine("i-0first").section("app", app);
    let running = first.up();
    assert_eq!(first.visitor().get("/").body, "by gunicorn");
    world
        .region
        .wait_for_request(
            |request| {
                request.method == "PUT"
                    && request.path.contains("cache/")
                    && request.status == Some(200)
            },
            std::time::Duration::from_secs(60),
        )
        .expect("the dependencies are shared");
    drop(running);
    let [archive] = cached().try_into().expect("one archive");

    let second = world.machine("i-0second").section("app", app);
    let running = second.up();
    let log = running.log();
    assert_eq!(second.visitor().get("/").body, "by gunicorn");
    assert!(
        world
            .region
            .count_where(|request| request.service == Service::S3
                && request.method == "GET"
                && request.path.contains("cache/")
                && request.status.is_some_and(|status| status < 300))
            >= 1,
        "{log}"
    );
    drop(running);

    for (number, damage) in [0_usize, 1].into_iter().enumerate() {
        let mut bytes = world.get(&archive).unwrap().to_vec();
        let middle = bytes.len() / 2;
        if damage == 0 {
            bytes.truncate(middle)
        } else {
            bytes[middle] ^= 0x10
        }
        world.put(&archive, bytes);
        let machine = world
            .machine(&format!("i-0broken{number}"))
            .section("app", app);
        let running = machine.up();
        assert_eq!(machine.visitor().get("/").body, "by gunicorn");
        let good = world.region.wait_for_request(
            |request| {
                request.instance.as_deref() == Some(machine.id())
                    && request.method == "PUT"
                    && request.path.contains("cache/")
                    && request.status == Some(200)
            },
            std::time::Duration::from_secs(60),
        );
        assert!(
            good.is_some(),
            "the broken archive was not replaced:\n{}",
            running.log()
        );
    }
}
