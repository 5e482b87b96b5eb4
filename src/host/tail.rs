//! The new lines of a growing log file, also over its rotation.

use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How much is read at a time: more than is written between two looks, and little beside the rest
/// of us.
const CHUNK: usize = 32 << 10;
/// A longer line is none that anybody would understand.
const LONGEST_LINE: usize = 64 << 10;

/// A place in a log file.
pub struct Tail {
    path: PathBuf,
    file: Option<File>,
    /// The beginning of a line whose end is not there yet.
    begun: Vec<u8>,
}

impl Tail {
    /// Starts at the present end.
    pub fn at_end(path: PathBuf) -> Self {
        let file = File::open(&path)
            .ok()
            .and_then(|mut file| file.seek(SeekFrom::End(0)).ok().map(|_| file));
        Self {
            path,
            file,
            begun: Vec::new(),
        }
    }

    /// Every whole line that came since the last call. True: there is more already; the caller lets
    /// others have their turn.
    pub fn read(&mut self, mut line: impl FnMut(&[u8])) -> bool {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else {
            return false;
        };
        let mut chunk = vec![0; CHUNK];
        let count = match file.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => return true,
            Err(_) => return false,
        };
        if count == 0 {
            // It may have been emptied: then it goes on at its start.
            if let (Ok(at), Ok(meta)) = (file.stream_position(), file.metadata())
                && meta.len() < at
            {
                return file.seek(SeekFrom::Start(0)).is_ok();
            }
            return false;
        }
        for part in chunk[..count].split_inclusive(|&byte| byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") {
                line(&self.begun);
                self.begun.clear();
            } else if self.begun.len() > LONGEST_LINE {
                self.begun.clear();
            }
        }
        count == CHUNK
    }

    /// The log was set aside here and is complete: where it is the one that is being read, what is
    /// left of it, and from then on the one that stands in its place.
    pub fn turn(&mut self, aside: &Path, mut line: impl FnMut(&[u8])) {
        let same =
            |file: &File| Some(place(&file.metadata().ok()?) == place(&fs::metadata(aside).ok()?));
        if self.file.as_ref().and_then(same) != Some(true) {
            return;
        }
        while self.read(&mut line) {}
        self.begun.clear();
        self.file = None;
    }
}

/// Which file it is, whatever its name.
fn place(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_new_and_whole_lines_are_read_also_over_a_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "old\n").unwrap();
        let mut writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
        let (mut tail, mut seen) = (Tail::at_end(path.clone()), Vec::new());
        let mut read = |tail: &mut Tail| {
            tail.read(|line| seen.push(String::from_utf8_lossy(line).into_owned()))
        };
        write!(writer, "one\ntw").unwrap();
        read(&mut tail);
        writeln!(writer, "o").unwrap();
        read(&mut tail);
        fs::rename(&path, dir.path().join("log.1")).unwrap();
        writeln!(writer, "three").unwrap();
        fs::write(&path, "four\n").unwrap();
        let (mut last, aside) = (Vec::new(), dir.path().join("log.1"));
        tail.turn(&path, |_| panic!("this is not the one that is being read"));
        tail.turn(&aside, |line| {
            last.push(String::from_utf8_lossy(line).into_owned())
        });
        read(&mut tail);
        assert_eq!(
            (seen, last),
            (
                vec!["one\n".into(), "two\n".into(), "four\n".into()],
                vec!["three\n".to_owned()]
            )
        );
    }

    #[test]
    fn an_emptied_file_is_read_from_its_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "a long first line\n").unwrap();
        let mut tail = Tail::at_end(path.clone());
        fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(0)
            .unwrap();
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"new\n")
            .unwrap();
        let mut seen = String::new();
        while tail.read(|line| seen.push_str(&String::from_utf8_lossy(line))) {}
        assert_eq!(seen, "new\n");
    }
}
