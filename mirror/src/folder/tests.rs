use super::*;
use crate::objects::{Object, Rank};

/// Objects whose bodies stand in `folder`.
fn objects(folder: &Path, keys: &[(&str, &str)]) -> Objects {
    let mut objects = Objects::default();
    for (number, (key, body)) in keys.iter().enumerate() {
        let file = folder.join(format!("body-{number}"));
        fs::write(&file, body).unwrap();
        let object = Object {
            file,
            sha256: (*body).to_owned(),
            size: body.len() as u64,
            headers: Headers {
                content_type: "text/html".to_owned(),
                ..Headers::default()
            },
            rank: Rank::Page,
            address: None,
        };
        objects.by_key.insert((*key).to_owned(), object);
    }
    objects
}

fn meta(out: &Path) -> Meta {
    let mut path = out.to_owned();
    path.as_mut_os_string().push(".meta.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for file in fs::read_dir(at).unwrap() {
            let path = file.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path.strip_prefix(folder).unwrap().display().to_string()),
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_body_that_changed_but_not_in_length_is_written() {
    let work = tempfile::tempdir().unwrap();
    let out = work.path().join("out");
    for body in ["one", "two"] {
        write(&objects(work.path(), &[("page", body)]), &out).unwrap();
        let file = out.join(&meta(&out).objects["page"].file);
        assert_eq!(fs::read_to_string(file).unwrap(), body);
    }
}

#[test]
fn a_file_is_named_as_its_key_where_that_can_be() {
    let work = tempfile::tempdir().unwrap();
    let long = "n".repeat(300);
    let keys = [
        "index.html",
        "about",
        "about/",
        "about/index.html",
        "a//b",
        "../up",
        "_/x",
        "File",
        "file",
        long.as_str(),
        "caf\u{e9}",
        "cafe\u{301}",
    ];
    let keys: Vec<(&str, &str)> = keys.iter().map(|key| (*key, "body")).collect();
    let objects = objects(work.path(), &keys);
    let out = work.path().join("out");
    write(&objects, &out).unwrap();
    let meta = meta(&out);
    let file = |key: &str| meta.objects[key].file.as_str();
    for key in ["index.html", "about/index.html", "File"] {
        assert_eq!(file(key), key);
    }
    assert_eq!(file("about/"), "about/index.html");
    for key in [
        "about",
        "a//b",
        "../up",
        "_/x",
        "file",
        long.as_str(),
        "caf\u{e9}",
    ] {
        assert!(
            file(key).starts_with("_/") && file(key).ends_with(".html"),
            "{key}: {}",
            file(key)
        );
    }
    assert_eq!(file("cafe\u{301}"), "cafe\u{301}");
    for object in meta.objects.values() {
        assert_eq!(fs::read_to_string(out.join(&object.file)).unwrap(), "body");
    }
    assert_eq!(
        (meta.index.as_str(), meta.error.as_str()),
        ("index.html", "404.html")
    );
}

#[test]
fn absent_headers_are_left_out_of_the_description() {
    let work = tempfile::tempdir().unwrap();
    let mut objects = objects(work.path(), &[("old", "moved")]);
    objects.by_key.get_mut("old").unwrap().headers.redirect = Some("/new".to_owned());
    let out = work.path().join("out");
    write(&objects, &out).unwrap();
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(work.path().join("out.meta.json")).unwrap()).unwrap();
    assert_eq!(
        json["objects"]["old"],
        serde_json::json!({"file": "old", "content_type": "text/html", "redirect": "/new"})
    );
}

#[test]
fn a_second_run_writes_nothing_and_a_gone_key_takes_its_file_along() {
    let work = tempfile::tempdir().unwrap();
    let out = work.path().join("out");
    let first = objects(
        work.path(),
        &[("index.html", "one"), ("a/b/c", "two"), ("x", "three")],
    );
    write(&first, &out).unwrap();
    let times = |out: &Path| -> Vec<_> {
        let of = |file: &String| fs::metadata(out.join(file)).unwrap().modified().unwrap();
        files(out).iter().map(of).collect()
    };
    let meta_time = || {
        fs::metadata(work.path().join("out.meta.json"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = (times(&out), meta_time());
    write(&first, &out).unwrap();
    assert_eq!(before, (times(&out), meta_time()));
    let second = objects(work.path(), &[("index.html", "changed"), ("x/y", "below")]);
    write(&second, &out).unwrap();
    assert_eq!(files(&out), ["index.html", "x/y"]);
    assert_eq!(
        fs::read_to_string(out.join("index.html")).unwrap(),
        "changed"
    );
    assert!(!out.join("a").exists());
}

#[test]
fn what_a_killed_run_left_is_tidied_by_the_next() {
    let work = tempfile::tempdir().unwrap();
    let out = work.path().join("out");
    let killed = objects(work.path(), &[("index.html", "one"), ("left", "over")]);
    write(&killed, &out).unwrap();
    // As it is after the files were written, and before the description was moved to its place.
    fs::rename(
        work.path().join("out.meta.json"),
        work.path().join("out.meta.json.part"),
    )
    .unwrap();
    fs::write(out.join(PART), "torn").unwrap();
    let next = objects(work.path(), &[("index.html", "one")]);
    write(&next, &out).unwrap();
    assert_eq!(files(&out), ["index.html"]);
    assert_eq!(meta(&out).objects.len(), 1);
    assert!(!work.path().join("out.meta.json.part").exists());
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_stays() {
    let work = tempfile::tempdir().unwrap();
    let out = work.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("letter.txt"), "dear").unwrap();
    let objects = objects(work.path(), &[("index.html", "one")]);
    let error = write(&objects, &out).unwrap_err().to_string();
    assert!(error.contains("it has files already"), "{error}");
    assert_eq!(files(&out), ["letter.txt"]);
}
