//! Which tests of a step failed, from what their programs printed: a few that failed beside others,
//! on a machine that had no time for them, are run again, alone. It judges nothing.

use std::collections::BTreeSet;

/// More at once are no accident of the moment.
const MOST: usize = 3;

/// The tests that failed, where they are few; `None` where they are many, or where what was printed
/// names none.
pub(crate) fn few_failed(printed: &str) -> Option<Vec<String>> {
    let failed = failed(printed);
    let few = (1..=MOST).contains(&failed.len());
    few.then(|| failed.into_iter().map(str::to_owned).collect())
}

/// The names in the lists that stand at the end of what test programs print.
fn failed(printed: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut in_list = false;
    for line in printed.lines() {
        let name = line.strip_prefix("    ").filter(|name| !name.contains(' '));
        match name {
            Some(name) if in_list => drop(names.insert(name)),
            _ => in_list = line == "failures:",
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As libtest prints it.
    fn printed(tests: &[&str]) -> String {
        let panics: String = tests
            .iter()
            .map(|test| {
                format!(
                    "\n---- {test} stdout ----\nthe machine answers 158\n\nthread '{test}' (7573) panicked at tests/up/main.rs:1:9:\nnot in time\n    at no test\n"
                )
            })
            .collect();
        let names: String = tests.iter().map(|test| format!("    {test}\n")).collect();
        format!(
            "test a::passes ... ok\n\nfailures:\n{panics}\n\nfailures:\n{names}\ntest result: FAILED. 170 passed\n"
        )
    }

    #[test]
    fn a_few_tests_that_failed_are_named_whatever_program_they_are_of() {
        let two = printed(&["a::busy"]) + &printed(&["b::late", "c::late"]);
        let named = few_failed(&two).expect("they are few");
        assert_eq!(named, ["a::busy", "b::late", "c::late"]);
    }

    #[test]
    fn many_at_once_and_what_names_no_test_are_failures() {
        assert_eq!(few_failed(&printed(&["a", "b", "c", "d"])), None);
        assert_eq!(few_failed(&printed(&[])), None);
        assert_eq!(few_failed("error: could not compile `spotboot`"), None);
    }
}
