//! Also against pip's own reader.

use super::*;
use crate::host::process::Run;

#[test]
fn lines_go_on_after_a_backslash_and_end_at_a_comment() {
    let read = |text: &str| lines(text, |name| (name == "PIP_X").then(|| "x".to_owned()));
    assert_eq!(read("a\\\nb # c\r\nd\t#e\n#f\\\ng#h"), ["ab", "d", "g#h"]);
    assert_eq!(read("a \\\n# b\nc\\"), ["a", "c"]);
    assert_eq!(
        read("${PIP_X}==${PIP_Y} ${pip_x} ${ $"),
        ["x==${PIP_Y} ${pip_x} ${ $"]
    );
}

#[test]
fn options_are_found_in_all_their_spellings() {
    let list = |name: &str| vec![LineEntry::List(name.into())];
    for line in [
        "-r a.txt",
        "-ra.txt",
        "-r=a.txt",
        "--requirement a.txt",
        "--requirement=a.txt",
        "--requirem 'a.txt'",
        "--pre -c \"a.txt\"",
    ] {
        assert_eq!(entries(line), list("a.txt"), "{line}");
    }
    assert_eq!(entries("-r 'a b.txt'"), list("a b.txt"));
    assert_eq!(
        entries("x==1 --hash=sha256:ab -r a.txt"),
        [LineEntry::Requirement("x==1".into(), true)]
    );
    assert_eq!(entries("--no-binary x --future"), [LineEntry::Unknown]);
}

/// What pip makes of each file that it is given: its lists, and where its requirements come from.
const ASK_PIP: &str = r#"
import json, os
from pip._internal.models.link import Link
from pip._internal.network.session import PipSession
from pip._internal.req import constructors, req_file

read, lists = req_file.get_file_content, []

def noting(url, session, *more, **named):
    if lists is not None and url != "requirements.txt":
        lists.append(url)
        return url, ""
    return read(url, session, *more, **named)

req_file.get_file_content = noting
session = PipSession()

def link_of(line):
    if line.is_editable:
        return Link(constructors.parse_editable(line.requirement)[1])
    parts = constructors.parse_req_from_line(line.requirement, "")
    url = getattr(parts.requirement, "url", None)
    return parts.link or (Link(url) if url else None)

def told(line):
    link = link_of(line)
    if link is None:
        return "index"
    if link.scheme == "file":
        relative = os.path.relpath(link.file_path)
        path = link.file_path if relative.startswith("..") else relative
        return ("editable " if line.is_editable else "path ") + path
    return "url"

for content in json.load(open("lists.json")):
    with open("requirements.txt", "wb") as file:
        file.write(bytes(content))
    lists.clear()
    try:
        parsed = list(req_file.RequirementsFileParser(session, req_file.get_line_parser(None)).parse("requirements.txt", False))
        links = [place for line in parsed for place in line.opts.find_links or [] if not line.is_requirement]
        found = ["list " + name for name in lists] + ["links " + place for place in links]
        print(json.dumps(found + [told(line) for line in parsed if line.is_requirement]))
    except Exception as error:
        print(json.dumps(["error " + str(error)]))
"#;

const LISTS: &[&[u8]] = &[
    b"django==5.2",
    b"uvicorn[standard]>=0.30 ; python_version > '3'",
    b"django==5.2 --hash=sha256:0123456789012345678901234567890123456789012345678901234567890123",
    b".",
    b"./lib",
    b"lib/",
    b"lib",
    b"./lib[dev]",
    b"lib/[dev] ; python_version > '3'",
    b"-e .",
    b"-e.",
    b"-e lib",
    b"-e ./lib[dev]",
    b"--editable=./lib",
    b"--edit lib",
    b"ourlib-1.0-py3-none-any.whl",
    b"./ourlib-1.0-py3-none-any.whl",
    b"vendor/ourlib-1.0-py3-none-any.whl",
    b"vendor/ourlib-1.0-py3-none-any.whl # ours",
    b"vendor/ourlib-1.0-py3-none-any.whl\t# ours",
    b"vendor/ourlib-1.0.tar.gz ; python_version > '3'",
    b"file:vendor/ourlib-1.0.tar.gz",
    b"other-1.0.zip",
    b"file:///opt/x-1.0-py3-none-any.whl",
    b"/opt/x-1.0-py3-none-any.whl",
    b"https://example.com/archive/main.zip",
    b"https://example.com/x.zip#egg=x ; python_version > '3'",
    b"git+https://example.com/x@main#egg=x",
    b"-e git+https://example.com/x@main#egg=x",
    b"x @ git+https://example.com/x@main",
    b"x@https://example.com/x.whl",
    b"x[y] @ https://example.com/x.whl ; python_version > '3'",
    b"-r base.txt",
    b"-rbase.txt",
    b"-r base.txt # all",
    b"-r base.txt\t# all",
    b"-c lib/base.txt",
    b"--requirement=base.txt",
    b"--requirement 'base.txt'",
    b"--requirem base.txt",
    b"--constraint base.txt",
    b"-r https://example.com/base.txt",
    b"\xef\xbb\xbf-r base.txt",
    b"\xff\xfe-\0r\0 \0b\0a\0s\0e\0.\0t\0x\0t\0\n\0",
    b"\xfe\xff\0-\0r\0 \0b",
    b"# -*- coding: latin-1 -*-\n-r caf\xe9.txt",
    b"-r \\\nbase.txt",
    b"-r \\\r\n  base.txt",
    b"dja\\\nngo\n\\\n# x\n-e .",
    b"django # \\\n-r base.txt",
    b"django\x0b-r base.txt\xc2\x85-e .",
    b"--find-links vendor\n-f ./vendor\n--find-links=https://example.com/",
    b"--no-index --find-links vendor --pre\n-i https://example.com/simple\nx",
];

#[tokio::test]
async fn pip_reads_the_same_in_the_same_lists() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "setup.py",
        "base.txt",
        "lib/setup.py",
        "ourlib-1.0-py3-none-any.whl",
        "vendor/ourlib-1.0-py3-none-any.whl",
        "vendor/ourlib-1.0.tar.gz",
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let venv = folder.path().join("venv");
    Run::new("python3")
        .args(["-m", "venv"])
        .arg(&venv)
        .output()
        .await
        .unwrap();
    let (script, input) = (
        folder.path().join("ask.py"),
        folder.path().join("lists.json"),
    );
    std::fs::write(&script, ASK_PIP).unwrap();
    std::fs::write(&input, serde_json::to_vec(LISTS).unwrap()).unwrap();
    let asked = Run::new(venv.join("bin/python"))
        .arg(&script)
        .cwd(folder.path())
        .output()
        .await
        .unwrap();
    let answers: Vec<Vec<String>> = asked
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), LISTS.len(), "{}", asked.stdout);
    for (list, pip) in LISTS.iter().zip(answers) {
        assert_eq!(told(list), pip, "{}", String::from_utf8_lossy(list));
    }
}

/// The same of ours, in the same words.
fn told(list: &[u8]) -> Vec<String> {
    let shown = |place: RequirementPlace, kind: &str| match place {
        RequirementPlace::Index => "index".to_owned(),
        RequirementPlace::Url { .. } => "url".to_owned(),
        RequirementPlace::Path(path) => {
            let relative = path.trim_start_matches("./").trim_end_matches('/');
            format!(
                "{kind} {}",
                if relative.is_empty() { "." } else { relative }
            )
        }
    };
    let text = decode(list).unwrap().text;
    let entries: Vec<LineEntry> = lines(&text, |_| None)
        .iter()
        .flat_map(|line| entries(line))
        .collect();
    let lists = entries.iter().filter_map(|entry| {
        if let LineEntry::List(name) = entry {
            Some(format!("list {name}"))
        } else {
            None
        }
    });
    let links = entries.iter().filter_map(|entry| {
        if let LineEntry::Links(place) = entry {
            Some(format!("links {place}"))
        } else {
            None
        }
    });
    let requirements = entries.iter().filter_map(|entry| match entry {
        LineEntry::Editable(name) => Some(shown(place_of_editable(name), "editable")),
        LineEntry::Requirement(name, hashed) => Some(shown(place(name, *hashed), "path")),
        _ => None,
    });
    lists.chain(links).chain(requirements).collect()
}
