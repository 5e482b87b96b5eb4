//! Release packages, good and bad.

use std::io::{Cursor, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipWriter};

/// The files of a release.
#[derive(Clone, Default)]
pub struct Package {
    files: Vec<(String, Vec<u8>, u32)>,
    /// What the zip tells of every file's time.
    stamp: DateTime,
}

/// Serves HTTP on the socket it is given: every path answers 200 with the release's name, but for
/// what BEHAVIOUR says.
const SMALL_APP: &str = include_str!("small_app.py");

impl Package {
    /// An app of kind command that starts in a moment and needs nothing but python3.
    pub fn small_app() -> Self {
        Self::default()
            .file("app.py", SMALL_APP)
            .file("Procfile", "web: exec python3 app.py $SPOTBOOT_SOCKET\n")
            .file("assets/style.css", "body { color: teal }\n")
    }

    /// The small app with something wrong: see BEHAVIOUR in small_app.py.
    pub fn misbehaving(behaviour: &str) -> Self {
        Self::small_app().file("behaviour", behaviour)
    }

    /// The Django site in tests/sample.
    pub fn sample_site() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample");
        let mut package = Self::default();
        package.add_folder(&root, &root);
        package
    }

    /// The `[app]` section of its own site.toml.
    pub fn sample_app() -> &'static str {
        let app = include_str!("../sample/site.toml")
            .split("[app]\n")
            .nth(1)
            .expect("the sample has an app");
        app.split("\n[").next().expect("text has a beginning")
    }

    fn add_folder(&mut self, root: &Path, folder: &Path) {
        for entry in std::fs::read_dir(folder)
            .expect("the sample is there")
            .map(|entry| entry.expect("it can be listed"))
        {
            let (path, name) = (entry.path(), entry.file_name());
            let generated = ["__pycache__", "staticfiles", "db.sqlite3", "secret_key"]
                .iter()
                .any(|skip| name == *skip);
            if generated {
                continue;
            }
            if path.is_dir() {
                self.add_folder(root, &path);
            } else {
                let name = path
                    .strip_prefix(root)
                    .expect("it lies below")
                    .to_str()
                    .expect("its name is text")
                    .to_owned();
                self.files
                    .push((name, std::fs::read(&path).expect("it can be read"), 0o644));
            }
        }
    }

    pub fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.retain(|(known, _, _)| known != name);
        self.files
            .push((name.to_owned(), content.as_ref().to_vec(), 0o644));
        self
    }

    /// As tools for reproducible zips do it: one made-up time, at the beginning of a month, for all
    /// files.
    pub fn stamped(mut self, year: u16, month: u8) -> Self {
        self.stamp = DateTime::from_date_and_time(year, month, 1, 0, 0, 0)
            .expect("a zip can tell that time");
        self
    }

    pub fn zip(&self) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().last_modified_time(self.stamp);
        for (name, content, mode) in &self.files {
            writer
                .start_file(name, options.unix_permissions(*mode))
                .expect("the name fits");
            writer.write_all(content).expect("memory takes it");
        }
        writer.finish().expect("the zip ends").into_inner()
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
