use super::*;

fn package(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn lock(files: &[(&str, &str)]) -> anyhow::Result<Lock> {
    find(package(files).path(), &Installers::default())
}

fn listing(line: &str, more: &[(&str, &str)]) -> Lock {
    lock(&[&[("requirements.txt", line)], more].concat())
        .unwrap_or_else(|error| panic!("{line:?}: {error:#}"))
}

#[test]
fn every_file_that_decides_changes_the_digest_and_no_other_does() {
    let files = [
        ("requirements.txt", "-r requirements/prod.txt\n"),
        ("requirements/prod.txt", "-c ../limits.txt\ndjango==5.2\n"),
        ("limits.txt", "x<2\n"),
    ];
    let digest = lock(&files).unwrap().digest;
    for at in 0..3 {
        let mut changed = files;
        let longer = format!("{}# more\n", files[at].1);
        changed[at].1 = &longer;
        assert_ne!(lock(&changed).unwrap().digest, digest, "{}", files[at].0);
    }
    let with_other = [&files[..], &[("app.py", "x"), ("uv.lock", "x")]].concat();
    assert_eq!(lock(&with_other).unwrap().digest, digest);
}

#[test]
fn the_first_list_that_stands_counts() {
    let project = "[project]\nname = \"x\"\ndependencies = [\"django~=5.2\"]\n";
    assert_eq!(
        lock(&[("uv.lock", ""), ("pyproject.toml", project)])
            .unwrap()
            .source,
        LockSource::UvLock
    );
    assert_eq!(
        lock(&[("pylock.toml", ""), ("pyproject.toml", project)])
            .unwrap()
            .source,
        LockSource::PyLock
    );
    assert_eq!(
        lock(&[("pyproject.toml", project)]).unwrap().source,
        LockSource::Project(vec!["django~=5.2".into()])
    );
    assert_eq!(
        lock(&[("pyproject.toml", "[tool.ruff]\n")]).unwrap().source,
        LockSource::Project(vec![])
    );
    assert_eq!(lock(&[("app.py", "")]).unwrap().source, LockSource::Nothing);
    assert!(lock(&[("uv.lock", "")]).is_err());
    assert!(lock(&[("pyproject.toml", "[project]\ndependencies = 3")]).is_err());
    assert!(
        lock(&[("poetry.lock", "")])
            .unwrap_err()
            .to_string()
            .contains("poetry export")
    );
}

/// Else the dependencies of every site would be installed anew.
#[test]
fn a_list_of_names_has_the_digest_that_it_always_had() {
    let text = "# ours\n--index-url https://pypi.example/simple\ndjango==5.2 \\\n    --hash=sha256:ab\nuvicorn[standard]>=0.30 ; python_version > '3'\n";
    let before: [u8; 32] =
        Sha256::digest(format!("requirements.txt\n{}\n{text}", text.len())).into();
    let now = listing(text, &[("lib/setup.py", ""), ("vendor/x.whl", "")]);
    assert_eq!(
        (now.digest, now.tied, now.local),
        (before, false, Local::No)
    );
}

#[test]
fn what_may_be_another_in_the_next_release_ties_the_dependencies_to_this_one() {
    let pinned = "0123456789abcdef0123456789abcdef01234567";
    for line in [
        "-e .",
        "/opt/x",
        "x @ file:///opt/x",
        "./vendor/missing.whl",
        "git+https://example.com/x@main",
        "x @ git+https://example.com/x.git",
        "-e git+ssh://git@example.com/x#egg=x",
        "https://example.com/archive/main.zip",
        "x @ https://example.com/x.whl ; python_version > '3'",
        "-r https://example.com/list.txt",
        "--index-url file:///opt/simple",
        "-i ./simple",
        "--find-links /opt/wheels",
        "--from-the-future x",
    ] {
        assert!(listing(line, &[("setup.py", "")]).tied, "{line}");
    }
    for line in [
        "django==5.2 --hash=sha256:ab",
        "# -e .",
        "\t# -e .",
        "--index-url https://x/simple",
        "--find-links=https://x/",
        "x # ./y",
        "fire",
        "file==1",
        &format!("git+https://example.com/x@{pinned}"),
        &format!("x @ git+https://me@example.com/x@{pinned}#subdirectory=a"),
        &format!("https://example.com/x.zip#egg=x&sha256={pinned}"),
        "x @ https://example.com/x.whl --hash=sha256:ab",
    ] {
        assert!(!listing(line, &[]).tied, "{line}");
    }
}

#[test]
fn files_of_the_package_count_by_their_content_however_they_are_spelled() {
    let wheel = "ourlib-1.0-py3-none-any.whl";
    let at_top = |spelled: &str, content: &str| listing(spelled, &[(wheel, content)]);
    let below =
        |spelled: &str, content: &str| listing(spelled, &[(&format!("vendor/{wheel}"), content)]);
    let here = std::cell::RefCell::new(Vec::new());
    for spelled in [
        format!("./{wheel}"),
        wheel.to_owned(),
        format!("ourlib @ file:{wheel}"),
        format!("{wheel}; python_version > '3'"),
    ] {
        here.borrow_mut().push((
            at_top(&spelled, "1"),
            at_top(&spelled, "2"),
            at_top(&spelled, "1"),
            spelled,
        ));
    }
    for spelled in [
        format!("./vendor/{wheel}"),
        format!("vendor/{wheel}"),
        format!("vendor/{wheel}[extra]\t# a comment"),
        format!("ourlib @ file:./vendor/{wheel}"),
        "--find-links vendor\nourlib".to_owned(),
        "-f./vendor\nourlib".to_owned(),
        "--find-l=file:vendor\nourlib".to_owned(),
    ] {
        here.borrow_mut().push((
            below(&spelled, "1"),
            below(&spelled, "2"),
            below(&spelled, "1"),
            spelled,
        ));
    }
    for (one, two, again, spelled) in here.into_inner() {
        assert_ne!(one.digest, two.digest, "{spelled}");
        assert_eq!(
            (one.digest, one.tied, one.local),
            (again.digest, false, Local::No),
            "{spelled}"
        );
    }
}

#[test]
fn a_list_is_read_in_its_own_encoding_and_counts_with_all_that_it_includes() {
    let utf_16 = |text: &str| {
        [
            b"\xff\xfe".to_vec(),
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ]
        .concat()
    };
    let lists = [
        "\u{feff}-r base.txt".as_bytes().to_vec(),
        utf_16("-r base.txt\r\n"),
        b"-r base.txt\t# the rest".to_vec(),
        b"-r \\\n  base.txt".to_vec(),
        b"-r ${PIP_LIST}.txt".to_vec(),
        b"# coding: latin-1\n# \xe4\n--requirement=base.txt".to_vec(),
    ];
    let installers = Installers {
        variables: BTreeMap::from([("PIP_LIST".into(), "base".into())]),
        is_uv: false,
    };
    for list in lists {
        let shown = String::from_utf8_lossy(&list).into_owned();
        let found = ["itsdangerous==2.1.2", "itsdangerous==2.2.0"].map(|base| {
            let folder = package(&[("base.txt", base)]);
            std::fs::write(folder.path().join("requirements.txt"), &list).unwrap();
            find(folder.path(), &installers).unwrap_or_else(|error| panic!("{shown}: {error:#}"))
        });
        assert_ne!(found[0].digest, found[1].digest, "{shown}");
        assert!(!found[0].tied, "{shown}");
    }
    let folder = package(&[]);
    std::fs::write(folder.path().join("requirements.txt"), b"caf\xe9").unwrap();
    let error = find(folder.path(), &installers).unwrap_err().to_string();
    assert_eq!(
        error,
        "reading requirements.txt: it is not UTF-8; save it as UTF-8"
    );
    std::fs::write(
        folder.path().join("requirements.txt"),
        b"# coding: koi8-r\n-e \xc1",
    )
    .unwrap();
    assert!(
        find(folder.path(), &installers).unwrap().tied,
        "an encoding that is not known here"
    );
}

#[test]
fn a_project_in_the_package_is_installed_from_its_folder() {
    let folders = [("setup.py", ""), ("lib/pyproject.toml", "")];
    for (line, local) in [
        (".", Local::Built),
        ("./lib", Local::Built),
        ("lib/", Local::Built),
        ("./lib[dev]", Local::Built),
        ("ourlib @ file:lib", Local::Built),
        ("-e .", Local::Editable),
        ("-e.[dev]", Local::Editable),
        ("--editable=./lib", Local::Editable),
        ("-e lib", Local::Editable),
        ("./lib\n-e .", Local::Editable),
        ("lib", Local::No),
    ] {
        let lock = listing(line, &folders);
        assert_eq!(
            (lock.local, lock.tied),
            (local, local != Local::No),
            "{line}"
        );
    }
    let uv = |source: &str| {
        lock(&[
            (
                "uv.lock",
                &format!("[[package]]\nname = \"x\"\nsource = {{ {source} }}\n"),
            ),
            ("pyproject.toml", ""),
        ])
        .unwrap()
        .local
    };
    assert_eq!(
        [
            "editable = \".\"",
            "virtual = \".\"",
            "registry = \"https://x\""
        ]
        .map(uv),
        [Local::No; 3]
    );
    assert_eq!(
        ["editable = \"lib\"", "directory = \"lib\""].map(uv),
        [Local::Editable, Local::Built]
    );
    let py = |directory: &str| {
        lock(&[(
            "pylock.toml",
            &format!("[[packages]]\nname = \"x\"\ndirectory = {{ {directory} }}\n"),
        )])
        .unwrap()
        .local
    };
    assert_eq!(
        ["path = \"lib\"", "path = \"lib\", editable = true"].map(py),
        [Local::Built, Local::Editable]
    );
    let project = "[project]\ndependencies = [\"ourlib @ file:lib\"]\n";
    assert_eq!(
        lock(&[("pyproject.toml", project), ("lib/setup.py", "")])
            .unwrap()
            .local,
        Local::Built
    );
}

#[test]
fn variables_that_steer_the_installers_count_and_passwords_do_not() {
    let folder = package(&[
        ("requirements.txt", "x"),
        ("limits.txt", "x<2"),
        ("vendor/x.zip", "1"),
        ("pip.conf", ""),
    ]);
    let found = |variables: &[(&str, &str)]| {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        find(
            folder.path(),
            &Installers {
                variables,
                is_uv: false,
            },
        )
        .unwrap()
    };
    let index = |url: &str| found(&[("PIP_INDEX_URL", url)]).digest;
    assert_ne!(index("https://a.example/simple"), found(&[]).digest);
    assert_ne!(
        index("https://a.example/simple"),
        index("https://b.example/simple")
    );
    assert_eq!(
        index("https://me:one@a.example/simple"),
        index("https://me:two@a.example/simple")
    );
    for (variable, file) in [
        (("PIP_CONSTRAINT", "limits.txt"), "limits.txt"),
        (("PIP_FIND_LINKS", "https://x/ ./vendor"), "vendor/x.zip"),
    ] {
        let before = found(&[variable]);
        std::fs::write(folder.path().join(file), "x<3").unwrap();
        assert_ne!(found(&[variable]).digest, before.digest, "{variable:?}");
        assert!(!before.tied);
    }
    assert!(
        found(&[("PIP_CONFIG_FILE", "pip.conf")]).tied
            && !found(&[("PIP_NO_BINARY", "numpy,:all:")]).tied
    );
}

#[test]
fn what_uv_reads_of_its_own_counts_where_uv_installs() {
    let project = "[tool.uv]\nconstraint-dependencies = [\"x<2\"]\n";
    let files = [("requirements.txt", "x"), ("pyproject.toml", project)];
    let digest = |files: &[(&str, &str)], is_uv| {
        find(
            package(files).path(),
            &Installers {
                is_uv,
                ..Installers::default()
            },
        )
        .unwrap()
        .digest
    };
    assert_eq!(digest(&files, false), digest(&files[..1], false));
    assert_ne!(digest(&files, true), digest(&files[..1], true));
    assert_ne!(
        digest(&[("requirements.txt", "x"), ("uv.toml", "")], true),
        digest(&files[..1], true)
    );
    assert_eq!(digest(&files[..1], true), digest(&files[..1], false));
}

#[test]
fn includes_that_are_missing_lead_out_or_go_in_circles_do_no_harm() {
    assert!(
        lock(&[("requirements.txt", "-r other.txt")])
            .unwrap_err()
            .to_string()
            .contains("not in the package")
    );
    for name in ["../other.txt", "/etc/passwd", "a/../../x"] {
        assert!(
            lock(&[("requirements.txt", &format!("-r {name}"))])
                .unwrap_err()
                .to_string()
                .contains("outside"),
            "{name}"
        );
    }
    assert!(
        lock(&[
            ("requirements.txt", "-r a.txt"),
            ("a.txt", "-rrequirements.txt\n--constraint=a.txt")
        ])
        .is_ok()
    );
}
