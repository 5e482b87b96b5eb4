//! The tools beside which ours is measured, each with its best flags, and with a person's filters:
//! none of the peers leaves logout links and traps by itself.

use std::path::Path;

use super::{OFF, PORT, program};

/// A tool, and where its copy stands.
pub(super) struct Contender {
    pub name: &'static str,
    /// Below the folder that it was given.
    pub root: &'static str,
    /// What stands before the paths of the site's first name.
    pub prefix: &'static str,
    pub is_ours: bool,
    flags: fn(&Path) -> Vec<String>,
}

impl Contender {
    pub fn line(&self, folder: &Path) -> Vec<String> {
        (self.flags)(folder)
    }
}

/// What a person who knows the site would leave out.
const FILTER: &str = "logout|log_out|Logoff|sign-?out|delete|remove/|destroy|unsubscribe|dynamic/method|confirmed|/traps/(calendar|shop|deep|more|day|fresh)|/private/page|secret$|reply=|sid=|jsessionid";

pub(super) fn peers() -> Vec<Contender> {
    vec![
        Contender {
            name: "httrack",
            root: "",
            prefix: "127.0.0.1_18901/",
            is_ours: false,
            flags: httrack,
        },
        Contender {
            name: "wget",
            root: "",
            prefix: "127.0.0.1:18901/",
            is_ours: false,
            flags: wget,
        },
        quickest(),
    ]
}

/// The peer that needs the least time.
pub(super) fn quickest() -> Contender {
    Contender {
        name: "wget2",
        root: "",
        prefix: "127.0.0.1/",
        is_ours: false,
        flags: wget2,
    }
}

pub(super) fn ours() -> Contender {
    Contender {
        name: "spotboot",
        root: "copy",
        prefix: "",
        is_ours: true,
        flags: spotboot,
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn start() -> String {
    format!("http://127.0.0.1:{PORT}/")
}

fn httrack(folder: &Path) -> Vec<String> {
    let mut line = words(&format!(
        "httrack {} -O {} -q -s0 -c8 -A0 -%c0 --timeout=10 --retries=3 --disable-security-limits",
        start(),
        folder.display()
    ));
    line.push(format!("+127.0.0.1:{PORT}/*"));
    line.push(format!("+localhost:{PORT}/*"));
    line.push(format!("-{OFF}:{PORT}/*"));
    for left in [
        "logout*",
        "log_out*",
        "Logoff*",
        "sign*out*",
        "delete*",
        "remove/*",
        "destroy*",
        "unsubscribe*",
        "method*",
        "confirmed*",
        "traps/calendar*",
        "traps/shop*",
        "traps/deep*",
        "traps/more*",
        "traps/day*",
        "traps/fresh*",
        "*reply=*",
        "*sid=*",
        "*jsessionid*",
    ] {
        line.push(format!("-*/{left}"));
    }
    line
}

fn wget(folder: &Path) -> Vec<String> {
    let mut line = words(&format!(
        "wget -m -k -K -p -E -e robots=off -H -D 127.0.0.1,localhost --compression=auto --retry-on-http-error=503,429 --tries=3 --timeout=10 -q -P {}",
        folder.display()
    ));
    line.push("--reject-regex".to_owned());
    line.push(format!("{FILTER}|{OFF}|:1/"));
    line.push(start());
    line
}

fn wget2(folder: &Path) -> Vec<String> {
    let mut line = words(&format!(
        "wget2 -r -N --level=25 -k -E -H -D 127.0.0.1,localhost --robots=off --filter-urls --tries=3 --timeout=10 -q -P {}",
        folder.display()
    ));
    line.push("--reject-regex".to_owned());
    line.push(format!("{FILTER}|{OFF}|:1/"));
    line.push(start());
    line
}

fn spotboot(folder: &Path) -> Vec<String> {
    let program = program("examples/copy").unwrap_or_else(|_| "copy".to_owned());
    let mut line = vec![program];
    line.extend(words(&format!(
        "{} {} --own localhost:{PORT}",
        start(),
        folder.join("copy").display()
    )));
    line
}
