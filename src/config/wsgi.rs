//! What gunicorn serves: `module:application`, or a factory that it calls with literals,
//! `module:create_app('production')`.
//!
//! gunicorn reads the arguments by `ast.literal_eval`; the check here takes the part of it that no
//! shell, unit file or reader can mistake.

const LONGEST: usize = 200;
const WANTED: &str =
    "is not what gunicorn serves, as in \"mysite.wsgi:application\" or \"app:create_app()\"";

/// Checks `[app] wsgi`, and answers with the same text.
///
/// # Errors
/// What is wrong, as the end of a sentence about the value.
pub fn target(text: &str) -> Result<String, String> {
    if text.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} characters"));
    }
    match text.split_once('(') {
        None => plain(text)?,
        Some((factory, arguments)) => {
            check_factory(factory)?;
            check_arguments(arguments)?;
        }
    }
    Ok(text.to_owned())
}

fn plain(text: &str) -> Result<(), String> {
    let fits = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.:".contains(&b));
    if fits && !text.starts_with([':', '.']) {
        Ok(())
    } else {
        Err(WANTED.into())
    }
}

/// gunicorn calls a function of the module itself, and no attribute of an object in it.
fn check_factory(factory: &str) -> Result<(), String> {
    plain(factory)?;
    match factory.split_once(':') {
        Some((_, function)) if is_name(function) => Ok(()),
        _ => Err("calls what is no function of a module, as in \"app:create_app()\"".into()),
    }
}

/// `rest` is what follows the opening parenthesis.
fn check_arguments(mut rest: &str) -> Result<(), String> {
    let mut names = Vec::new();
    loop {
        rest = rest.trim_start_matches(' ');
        if let Some(end) = rest.strip_prefix(')') {
            return if end.is_empty() {
                Ok(())
            } else {
                Err(format!(
                    "goes on after its closing parenthesis with {end:?}"
                ))
            };
        }
        let (name, value) = named(rest);
        match name {
            Some(name) if names.contains(&name) => {
                return Err(format!("gives the argument {name} twice"));
            }
            Some(name) => names.push(name),
            None if !names.is_empty() => {
                return Err("has an argument without a name after one with a name".into());
            }
            None => {}
        }
        let after = after_literal(value)
            .ok_or_else(|| no_literal(value))?
            .trim_start_matches(' ');
        rest = match after.strip_prefix(',') {
            Some(next) => next,
            None if after.starts_with(')') => after,
            None if after.is_empty() => return Err("lacks its closing parenthesis".into()),
            None => return Err(no_literal(value)),
        };
    }
}

fn no_literal(at: &str) -> String {
    format!(
        "has an argument that is no literal, at {at:?}; quoted text, numbers, True, False and None may stand there, and anything else is for \
         [app] env"
    )
}

/// `name = value`, else the value alone.
fn named(text: &str) -> (Option<&str>, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match rest.trim_start_matches(' ').strip_prefix('=') {
        Some(value) if is_name(name) => (Some(name), value.trim_start_matches(' ')),
        _ => (None, text),
    }
}

fn is_name(text: &str) -> bool {
    const CONSTANTS: [&str; 3] = ["True", "False", "None"];
    let shape = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !text.starts_with(|first: char| first.is_ascii_digit());
    !text.is_empty() && shape && !CONSTANTS.contains(&text)
}

/// What follows the literal at the beginning of the text; None: there is none.
fn after_literal(text: &str) -> Option<&str> {
    match text.chars().next()? {
        quote @ ('\'' | '"') => after_string(&text[1..], quote),
        _ => {
            let end = text.find([',', ')', ' ']).unwrap_or(text.len());
            let (word, rest) = text.split_at(end);
            (["True", "False", "None"].contains(&word) || is_number(word)).then_some(rest)
        }
    }
}

fn after_string(text: &str, quote: char) -> Option<&str> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some(&text[at + 1..]),
            // Other escapes of Python can fail, or end in a character that is not to be seen here.
            '\\' if !matches!(chars.next()?.1, '\\' | '\'' | '"') => return None,
            c if c.is_control() => return None,
            _ => {}
        }
    }
    None
}

/// A decimal number as Python spells it: `0`, `-12`, `1.5`, `2e3`. A whole number begins with no
/// zero.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return digits == "0" || (!digits.is_empty() && !digits.starts_with('0'));
    }
    let decimal = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
        && digits.starts_with(|c: char| c.is_ascii_digit());
    decimal && digits.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_objects_and_factories_with_literals_are_taken() {
        for text in [
            "mysite.wsgi:application",
            "mysite.wsgi",
            "app:create_app()",
            "shop.factory:create_app( )",
            "app:create_app('production')",
            "app:create_app(\"it's (so), here\", 1, -2.5, 2e3, True, None,)",
            "app:create_app(config='dev', debug = False, workers=4, name='Grüße')",
            "app:create_app('a\\'b\\\\')",
        ] {
            assert_eq!(target(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn anything_else_is_refused_and_the_problem_says_why() {
        for (text, why) in [
            ("", "is not what gunicorn serves"),
            (":app", "is not what gunicorn serves"),
            ("app:create_app;rm", "is not what gunicorn serves"),
            ("create_app()", "no function of a module"),
            ("app:factory.create()", "no function of a module"),
            ("app:a:b()", "no function of a module"),
            (
                "app:create_app(os.environ)",
                "no literal, at \"os.environ)\"",
            ),
            ("app:create_app(f'x')", "no literal"),
            ("app:create_app(b'x')", "no literal"),
            ("app:create_app('a' 'b')", "no literal"),
            ("app:create_app('\\N{DASH}')", "no literal"),
            ("app:create_app('a\nb')", "no literal"),
            ("app:create_app(007)", "no literal"),
            ("app:create_app(1 + 1)", "no literal"),
            ("app:create_app(nan)", "no literal"),
            ("app:create_app([1])", "no literal"),
            ("app:create_app(,)", "no literal"),
            ("app:create_app(*x)", "no literal"),
            ("app:create_app(None=1)", "no literal"),
            ("app:create_app('x'", "closing parenthesis"),
            ("app:create_app('x", "no literal"),
            ("app:create_app()()", "goes on after"),
            ("app:create_app() ", "goes on after"),
            ("app:create_app(a=1, 2)", "without a name"),
            ("app:create_app(a=1, a=2)", "argument a twice"),
        ] {
            let problem = target(text).unwrap_err();
            assert!(problem.contains(why), "{text}: {problem}");
        }
        assert!(target(&format!("app:create_app('{}')", "x".repeat(200))).is_err());
    }
}
