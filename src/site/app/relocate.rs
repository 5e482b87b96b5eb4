//! A virtual environment that was made elsewhere, fitted to where it stands: the interpreter's
//! links, its settings, and the scripts in `bin/`, which begin with the absolute path of the
//! environment's Python.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::interpreter::Interpreter;
use crate::host::files::{self, FileError};

/// Holds the path that the scripts were written for.
const PREFIX_FILE: &str = ".spotboot-prefix";
const LARGEST_SCRIPT: u64 = 256 << 10;

/// Notes the path that the environment was made for. Replaces whatever stands there, for the
/// installers ran code that is not ours: a link would have root write to where it points.
pub(super) fn note_prefix(venv: &Path) -> Result<(), FileError> {
    files::write_atomic(
        &venv.join(PREFIX_FILE),
        venv.to_string_lossy().as_bytes(),
        0o644,
    )
}

/// What of an environment is made anew on each machine, and so is not packed: what leads to the
/// interpreter.
pub(super) fn is_made_anew(venv: &Path, relative: &str) -> bool {
    let links_to_interpreter =
        || relative.starts_with("bin/python") && venv.join(relative).is_symlink();
    relative == "pyvenv.cfg" || links_to_interpreter()
}

/// Makes the environment at `venv` one for this interpreter that is to stand at `home`.
pub(super) fn relocate(venv: &Path, home: &Path, interpreter: &Interpreter) -> io::Result<()> {
    let bin = venv.join("bin");
    symlink(&interpreter.path, bin.join("python"))?;
    for name in [
        "python3".to_owned(),
        format!("python{}", interpreter.minor_version()),
    ] {
        symlink("python", bin.join(name))?;
    }
    fs::write(venv.join("pyvenv.cfg"), settings(interpreter))?;
    fs::set_permissions(venv.join("pyvenv.cfg"), fs::Permissions::from_mode(0o644))?;
    let made_for = fs::read_to_string(venv.join(PREFIX_FILE))?;
    let home = home.to_string_lossy();
    if made_for != home {
        rewrite_scripts(&bin, &made_for, &home)?;
        fs::write(venv.join(PREFIX_FILE), home.as_bytes())?;
    }
    Ok(())
}

/// As `python -m venv` writes it (PEP 405).
fn settings(interpreter: &Interpreter) -> String {
    let folder = interpreter
        .path
        .parent()
        .unwrap_or(Path::new("/usr/bin"))
        .display();
    format!(
        "home = {folder}\ninclude-system-site-packages = false\nversion = {}\nexecutable = {}\n",
        interpreter.version,
        interpreter.path.display()
    )
}

fn rewrite_scripts(bin: &Path, from: &str, to: &str) -> io::Result<()> {
    for entry in fs::read_dir(bin)? {
        let path = entry?.path();
        let metadata = path.symlink_metadata()?;
        if !metadata.is_file() || metadata.len() > LARGEST_SCRIPT {
            continue;
        }
        // Not text: a compiled tool, which names no path of the environment.
        let Ok(text) = String::from_utf8(fs::read(&path)?) else {
            continue;
        };
        if let Some(rewritten) = rewritten(&text, from, to) {
            fs::write(&path, rewritten)?;
        }
    }
    Ok(())
}

/// Every mention of the path counts: besides `#!` there is pip's form for long paths, `'''exec'
/// /path/python "$0" "$@"`, and the activate scripts. The path ends in a hash, so it is found
/// nowhere by chance.
fn rewritten(text: &str, from: &str, to: &str) -> Option<String> {
    (from.len() > 1 && text.contains(from)).then(|| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter() -> Interpreter {
        Interpreter {
            path: "/usr/bin/python3.11".into(),
            version: "3.11.2".into(),
            platform: String::new(),
        }
    }

    #[test]
    fn a_link_that_an_installer_left_is_replaced_and_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (venv, outside) = (folder.path().join("venv"), folder.path().join("outside"));
        fs::create_dir(&venv).unwrap();
        fs::write(&outside, "whole").unwrap();
        symlink(&outside, venv.join(PREFIX_FILE)).unwrap();
        note_prefix(&venv).unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "whole");
        assert_eq!(
            fs::read_to_string(venv.join(PREFIX_FILE)).unwrap(),
            venv.to_string_lossy()
        );
    }

    #[test]
    fn every_form_of_a_shebang_is_rewritten_and_other_scripts_are_left() {
        let (from, to) = ("/old/venv/abc", "/var/lib/spotboot/venv/abc");
        assert_eq!(
            rewritten("#!/old/venv/abc/bin/python3\nimport x\n", from, to).unwrap(),
            format!("#!{to}/bin/python3\nimport x\n")
        );
        let long = "#!/bin/sh\n'''exec' /old/venv/abc/bin/python3 \"$0\" \"$@\"\n' '''\n";
        assert_eq!(rewritten(long, from, to).unwrap(), long.replace(from, to));
        assert_eq!(rewritten("#!/usr/bin/env python3\n", from, to), None);
        assert_eq!(rewritten("anything", "", to), None);
    }

    #[test]
    fn a_moved_environment_leads_to_this_machines_interpreter() {
        let folder = tempfile::tempdir().unwrap();
        let (venv, home) = (folder.path().join("aside"), folder.path().join("final"));
        fs::create_dir_all(venv.join("bin")).unwrap();
        fs::write(venv.join(PREFIX_FILE), "/elsewhere/abc").unwrap();
        fs::write(venv.join("bin/tool"), "#!/elsewhere/abc/bin/python\n").unwrap();
        fs::write(venv.join("bin/binary"), b"\x7fELF\xff/elsewhere/abc").unwrap();
        fs::set_permissions(venv.join("bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        relocate(&venv, &home, &interpreter()).unwrap();
        let tool = fs::read_to_string(venv.join("bin/tool")).unwrap();
        assert_eq!(tool, format!("#!{}/bin/python\n", home.display()));
        assert_eq!(
            fs::metadata(venv.join("bin/tool"))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o755
        );
        assert_eq!(
            fs::read(venv.join("bin/binary")).unwrap(),
            b"\x7fELF\xff/elsewhere/abc"
        );
        assert_eq!(
            fs::read_link(venv.join("bin/python")).unwrap(),
            Path::new("/usr/bin/python3.11")
        );
        assert_eq!(
            fs::read_link(venv.join("bin/python3.11")).unwrap(),
            Path::new("python")
        );
        assert!(
            is_made_anew(&venv, "bin/python3")
                && is_made_anew(&venv, "pyvenv.cfg")
                && !is_made_anew(&venv, "bin/tool")
        );
    }
}
