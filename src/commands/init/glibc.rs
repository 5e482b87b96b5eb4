//! Which C library a program needs. A program that was linked against a newer glibc than its
//! machine's ends before its first line, and nobody hears of it.

use std::fmt;
use std::iter::successors;

/// The type of the section that names the versions of symbols that a program needs (Linux Standard
/// Base, "Symbol Versioning").
const VERSION_NEEDS: usize = 0x6fff_fffe;
/// Where both records of that section tell how far on the next one of their chain is.
const NEXT: usize = 12;

/// Of glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Version {
    /// `GLIBC_2.34`, and `GLIBC_2.2.5` as 2.2.
    fn of_symbols(name: &str) -> Option<Self> {
        let mut numbers = name.strip_prefix("GLIBC_")?.split('.');
        let mut number = || numbers.next()?.parse().ok();
        Some(Self(number()?, number()?))
    }

    /// The oldest glibc that an ELF file of 64 bits starts with. `None`: it asks for none, as with
    /// another C library, or is no such file.
    pub fn needed_by(program: &[u8]) -> Option<Self> {
        let sections = sections(program)?;
        let needs = sections
            .iter()
            .find(|section| section.kind == VERSION_NEEDS)?;
        let names = sections.get(needs.link)?.content;
        let needs = needs.content;
        chain(needs, 0)
            .filter_map(|library| Some(library + number(needs, library + 8, 4)?))
            .flat_map(|first| chain(needs, first))
            .filter_map(|version| text(names, number(needs, version + 8, 4)?))
            .filter_map(Self::of_symbols)
            .max()
    }
}

struct Section<'p> {
    kind: usize,
    /// The number of a section that this one refers to.
    link: usize,
    content: &'p [u8],
}

/// By the header of an ELF file (System V ABI, "Object Files").
fn sections(program: &[u8]) -> Option<Vec<Section<'_>>> {
    // Of 64 bits, the lowest byte first.
    if program.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, size, count) = (
        number(program, 0x28, 8)?,
        number(program, 0x3a, 2)?,
        number(program, 0x3c, 2)?,
    );
    (0..count)
        .map(|index| {
            let header = program.get(table.checked_add(index * size)?..)?;
            let (kind, start, length) = (
                number(header, 4, 4)?,
                number(header, 24, 8)?,
                number(header, 32, 8)?,
            );
            Some(Section {
                kind,
                link: number(header, 40, 4)?,
                // Some sections hold nothing in the file, whatever length they tell.
                content: start
                    .checked_add(length)
                    .and_then(|end| program.get(start..end))
                    .unwrap_or_default(),
            })
        })
        .collect()
}

/// Where the records of a chain begin.
fn chain(records: &[u8], first: usize) -> impl Iterator<Item = usize> {
    successors(Some(first), move |at| {
        let further = number(records, at + NEXT, 4)?;
        (further > 0).then_some(at + further)
    })
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(size)?)?;
    let value = field
        .iter()
        .rev()
        .fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    usize::try_from(value).ok()
}

/// A text that ends with a zero.
fn text(bytes: &[u8], at: usize) -> Option<&str> {
    let text = bytes.get(at..)?.split(|byte| *byte == 0).next()?;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_tell_their_version() {
        for (name, version) in [
            ("GLIBC_2.34", Some(Version(2, 34))),
            ("GLIBC_2.2.5", Some(Version(2, 2))),
            ("GLIBC_PRIVATE", None),
            ("GCC_4.2.0", None),
        ] {
            assert_eq!(Version::of_symbols(name), version, "{name}");
        }
        assert!(Version(2, 4) < Version(2, 34) && Version(2, 39) > Version(2, 34));
        assert_eq!(Version(2, 34).to_string(), "2.34");
    }

    #[test]
    fn what_is_no_program_needs_none() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x02\x01", &[0xff; 4096]] {
            assert_eq!(Version::needed_by(bytes), None);
        }
        let mut broken = b"\x7fELF\x02\x01".to_vec();
        broken.resize(64, 0xff);
        assert_eq!(Version::needed_by(&broken), None);
    }

    /// These tests are a program themselves, which runs with this machine's C library.
    #[test]
    #[cfg(target_env = "gnu")]
    fn a_program_tells_the_newest_version_that_it_names() {
        let mut program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needed = Version::needed_by(&program).expect("it is linked against glibc");
        assert!(needed >= Version(2, 17), "{needed}");
        // The names stand near the start of the file, before all code.
        let name = format!("\0GLIBC_{needed}\0");
        let at = program
            .windows(name.len())
            .position(|window| window == name.as_bytes())
            .expect("it is named");
        program[at + 1..][..name.len() - 2].copy_from_slice(b"GLIBC_2.99");
        assert_eq!(Version::needed_by(&program), Some(Version(2, 99)));
    }
}
