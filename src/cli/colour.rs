//! `--color`, which counts for clap's own words, too: those come before there is a command line to
//! ask.

use std::ffi::OsString;

use clap::{ColorChoice, ValueEnum};

/// What the arguments ask for, whatever else is wrong with them.
pub fn asked_for(args: impl Iterator<Item = OsString>) -> ColorChoice {
    let mut args = args
        .map(|arg| arg.to_string_lossy().into_owned())
        .take_while(|arg| arg != "--");
    let mut asked = None;
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--color") {
            Some("") => asked = args.next(),
            Some(value) => asked = value.strip_prefix('=').map(str::to_owned).or(asked),
            None => {}
        }
    }
    asked
        .and_then(|asked| ColorChoice::from_str(&asked, false).ok())
        .unwrap_or(ColorChoice::Auto)
}

/// From now on it counts for both streams.
pub fn set_colour(choice: ColorChoice) {
    let choice = match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_found_in_a_command_line_that_is_wrong() {
        let asked = |line: &str| asked_for(line.split(' ').map(OsString::from));
        assert_eq!(asked("spotboot --color never nonsense"), ColorChoice::Never);
        assert_eq!(
            asked("spotboot --nonsense --color=always"),
            ColorChoice::Always
        );
        for line in [
            "spotboot deploy --colour never",
            "spotboot -- --color never",
            "spotboot --color",
            "spotboot --color=blue",
        ] {
            assert_eq!(asked(line), ColorChoice::Auto, "{line}");
        }
    }
}
