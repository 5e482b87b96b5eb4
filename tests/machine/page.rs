//! A page of docs/ as the commands that it shows, each with what it prints, so that page and test
//! cannot drift apart.

/// A command of a page.
#[derive(Debug)]
pub struct Step {
    /// In one line.
    pub command: String,
    pub prints: String,
}

/// What stands in the page's blocks of the language `console`: commands after `$ `, continued by
/// `\`, and what they print.
pub fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut inside, mut continues) = (false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            continue;
        }
        if !inside {
            continue;
        }
        let (text, goes_on) = match line.strip_suffix('\\') {
            Some(text) => (text.trim_end(), true),
            None => (line, false),
        };
        if continues {
            let step = steps.last_mut().expect("it continues a command");
            step.command += " ";
            step.command += text.trim_start();
            continues = goes_on;
        } else if let Some(command) = text.strip_prefix("$ ") {
            let (command, prints) = (command.to_owned(), String::new());
            steps.push(Step { command, prints });
            continues = goes_on;
        } else {
            let step = steps.last_mut().expect("a block begins with a command");
            step.prints += line;
            step.prints += "\n";
        }
    }
    steps
}

/// A text without what is another each time: words with a digit (ids, times, addresses, versions,
/// hashes), spaces, folders above this one, what progress has overwritten, and lines about what this
/// machine is: IPv6, which the region's network has none of, and what `init` warns of where our
/// program needs a newer C library than instances have.
pub fn shape(text: &str) -> String {
    let of_this_machine = |line: &&str| line.contains("AAAA") || line.starts_with("WARNING: ");
    let lines = text.lines().filter(|line| !of_this_machine(line));
    let lines = lines.map(|line| {
        let shown = line.rsplit('\r').next().unwrap_or(line);
        let words: Vec<String> = shown.split_whitespace().map(shape_of_word).collect();
        words.join(" ")
    });
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

fn shape_of_word(word: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
    let name = word.strip_prefix("../");
    let name = name.and_then(|path| path.rsplit('/').next());
    let mut shape = String::new();
    let mut rest = name.unwrap_or(word);
    while !rest.is_empty() {
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        let varies = part.contains(|letter: char| letter.is_ascii_digit());
        shape += if varies { "#" } else { part };
        let sign = after.chars().next();
        shape.extend(sign);
        rest = &after[sign.map_or(0, char::len_utf8)..];
    }
    shape
}

#[test]
fn a_page_is_read_as_commands_with_what_they_print() {
    let page = "# A\n```sh\n$ not this\n```\n```console\n$ aws one \\\n    --two\nA  x\n\n$ b\n```\nText.\n```console\n$ c\n```\n";
    let steps = steps(page);
    let read: Vec<_> = steps
        .iter()
        .map(|step| (step.command.as_str(), step.prints.as_str()))
        .collect();
    assert_eq!(read, [("aws one --two", "A  x\n\n"), ("b", ""), ("c", "")]);
}

#[test]
fn a_shape_has_all_that_does_not_differ_each_time() {
    let told = "\nCompleted 1 Byte\rupload: ../../x/a.toml to s3://b/c-9f   \nA b → 203.0.113.7, i-0ab (1 of 2)\nAAAA b → 2001:db8::1\n";
    assert_eq!(shape(told), "upload: a.toml to #//b/#\nA b → #, # (# of #)");
    assert_ne!(shape("A b leads to me"), shape("A b leads to you"));
}
