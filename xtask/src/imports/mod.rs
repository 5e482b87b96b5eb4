//! What the program's files import of each other: no circle, no arrow up, and no arrow between the
//! modules of `site`. Code that is built for tests only may look anywhere; the files that hold
//! nothing else are kept free of circles.

mod resolve;
mod rules;
mod source;

mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::PathBuf;

    use super::resolve::{Import, Imports};
    use super::rules::{Table, between_nouns, circles};
    use super::source::Program;
    use crate::run::root;

    /// The sources by their path from src/.
    fn files() -> BTreeMap<PathBuf, String> {
        let src = root().join("src");
        let mut found = BTreeMap::new();
        let mut folders = vec![src.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    found.insert(path.strip_prefix(&src).unwrap().to_owned(), text);
                }
            }
        }
        found
    }

    #[test]
    fn imports_of_the_program_run_down_and_in_no_circle() {
        let files = files();
        let program = Program::read(&files);
        let read = |file: &&PathBuf| program.modules.iter().any(|module| module.file == **file);
        let unread: Vec<_> = files.keys().filter(|file| !read(file)).collect();
        assert!(unread.is_empty(), "no module stands in {unread:?}");

        let imports = Imports::of(&program);
        let of_the_product = |file: &&PathBuf| !program.test_files.contains(file);
        let product: Vec<PathBuf> = files.keys().filter(of_the_product).cloned().collect();
        let page = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
        let mut problems = imports.unresolved;
        problems.extend(Table::read(&page).problems(&product, &imports.product));
        problems.extend(between_nouns(&imports.product));
        problems.extend(circles(&imports.product));
        problems.extend(circles(&imports.tests));
        assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    }

    fn imports(files: &[(&str, &str)]) -> Imports {
        let files = files
            .iter()
            .map(|(path, text)| (path.into(), (*text).to_owned()))
            .collect();
        Imports::of(&Program::read(&files))
    }

    /// As `from:line to`.
    fn told(imports: &[Import]) -> Vec<String> {
        let told = |i: &Import| format!("{}:{} {}", i.from.display(), i.line, i.to.display());
        imports.iter().map(told).collect()
    }

    fn import(from: &str, to: &str) -> Import {
        let (from, to) = (from.into(), to.into());
        Import { from, to, line: 1 }
    }

    #[test]
    fn every_way_to_name_another_file_is_an_import_of_it() {
        let b = ("b.rs", "pub mod c;\npub struct B;\npub fn b() {}\n");
        let c = ("b/c.rs", "pub struct C;\npub mod inner { pub fn f() {} }\n");
        for (text, wanted) in [
            ("use crate::b::B;", "a.rs:1 b.rs"),
            ("\nuse super::b::{c::C as D};", "a.rs:2 b/c.rs"),
            ("fn f(\n  x: crate::b::B) {}", "a.rs:2 b.rs"),
            (
                "fn f() { println!(\"{}\",\n crate::b::b()) }",
                "a.rs:2 b.rs",
            ),
            (
                "#[derive(X)]\n#[x(with = crate::b::b)]\nstruct A;",
                "a.rs:2 b.rs",
            ),
            (
                "fn f() { self::inner::g() }\nmod inner { use super::super::b::c::*; pub fn g() {} }",
                "a.rs:2 b/c.rs",
            ),
            ("fn f() { crate::b::c::inner::f() }", "a.rs:1 b/c.rs"),
            (
                "struct A {\n #[x(with = \"crate::b::c\")]\n x: u8 }",
                "a.rs:2 b/c.rs",
            ),
            ("use crate::b;\nuse b::c::C;", "a.rs:2 b/c.rs, a.rs:1 b.rs"),
        ] {
            let found = imports(&[("main.rs", "mod a; mod b;"), ("a.rs", text), b, c]);
            assert_eq!(told(&found.product).join(", "), wanted, "{text}");
            assert!(found.unresolved.is_empty(), "{:?}", found.unresolved);
        }
    }

    #[test]
    fn a_name_that_is_passed_on_is_imported_from_the_file_that_defines_it() {
        let found = imports(&[
            ("main.rs", "mod a; mod b;"),
            (
                "a.rs",
                "use crate::b::{C, Other};\nuse crate::b::{self};\nfn f() { b::g(); std::fs::read(); }",
            ),
            ("b/mod.rs", "mod c;\npub use c::*;\npub use outside::Other;"),
            ("b/c.rs", "pub struct C;\npub fn g() {}"),
        ]);
        assert_eq!(
            told(&found.product),
            ["a.rs:1 b/c.rs", "a.rs:1 b/mod.rs", "b/mod.rs:2 b/c.rs"]
        );
    }

    #[test]
    fn code_for_tests_is_counted_apart() {
        let found = imports(&[
            ("main.rs", "mod a; mod b; #[cfg(test)] mod model;"),
            (
                "a.rs",
                "#[cfg(test)]\nmod tests { use crate::b::B; }\nstruct A;\nimpl A { #[cfg(test)] fn f(b: crate::b::B) {} }",
            ),
            (
                "b.rs",
                "pub struct B;\n#[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod tests;",
            ),
            ("b_tests.rs", "use super::B;\nuse crate::model::x::X;"),
            ("model/mod.rs", "pub mod x;"),
            ("model/x.rs", "pub struct X;"),
        ]);
        assert_eq!(told(&found.product), [""; 0]);
        assert_eq!(told(&found.tests), ["b_tests.rs:2 model/x.rs"]);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_told() {
        let found = imports(&[("main.rs", "mod a;"), ("a.rs", "\nuse crate::gone::X;")]);
        assert_eq!(
            found.unresolved,
            ["src/a.rs:2: no module or definition is known as crate::gone::X"]
        );
    }

    #[test]
    fn a_circle_is_told_once_with_every_import_of_it() {
        let (a, b, c) = ("x/a.rs", "x/b.rs", "y.rs");
        let circle = [import(a, b), import(b, c), import(c, a)];
        assert_eq!(
            circles(&circle),
            [
                "a circle: src/x/a.rs:1 imports src/x/b.rs, src/x/b.rs:1 imports src/y.rs, src/y.rs:1 imports src/x/a.rs"
            ]
        );
        assert_eq!(circles(&circle[..2]), [""; 0]);
    }

    #[test]
    fn a_module_and_those_below_it_may_import_each_other() {
        for above in ["x/mod.rs", "x.rs"] {
            let both = [import(above, "x/a.rs"), import("x/a.rs", above)];
            assert_eq!(circles(&both), [""; 0]);
            // Through a module beside them, it is a circle all the same.
            let through = [
                import(above, "x/a.rs"),
                import("x/a.rs", "y.rs"),
                import("y.rs", above),
            ];
            assert_eq!(circles(&through).len(), 1);
            let through = [
                import("x/a.rs", above),
                import(above, "y.rs"),
                import("y.rs", "x/a.rs"),
            ];
            assert_eq!(circles(&through).len(), 1);
        }
    }

    #[test]
    fn arrows_are_those_of_the_table() {
        let files = ["main.rs", "site/a.rs", "host.rs"].map(PathBuf::from);
        let down = [
            import("main.rs", "site/a.rs"),
            import("site/a.rs", "host.rs"),
        ];
        let head = "Text.\n\n| in `src/` | may import | holds |\n| --- | --- | --- |\n";
        let rows = "| `main` | `site` | x |\n| `site` | `host` | x |\n| `host` | nothing | x |\n\n| `no` | row |\n";
        let table = Table::read(&format!("{head}{rows}"));
        assert_eq!(table.problems(&files, &down), [""; 0]);

        let up = [&down[..], &[import("host.rs", "site/a.rs")]].concat();
        assert_eq!(
            table.problems(&files, &up),
            ["src/host.rs:1 imports src/site/a.rs: `host` may not import `site`"]
        );
        assert_eq!(
            table.problems(&files, &down[..1]),
            ["no file of `site` imports `host`: the table shall not allow it"]
        );
        assert_eq!(
            table.problems(&files[..2], &down),
            ["the table has a row for `host`, which src/ lacks"]
        );
        let upward = Table::read(&format!(
            "{head}| `host` | nothing | x |\n| `main` | `host` | x |\n"
        ));
        assert_eq!(
            upward.problems(&files, &[import("main.rs", "host.rs")]),
            [
                "the table has no row for `site`",
                "the table lets `main` import `host`, upwards",
            ]
        );
    }

    #[test]
    fn modules_of_site_do_not_import_each_other() {
        let apart = [
            import("site/mod.rs", "site/a.rs"),
            import("site/a/b.rs", "site/a/mod.rs"),
            import("site/a/b.rs", "site/note.rs"),
            import("site/a/b.rs", "host/c.rs"),
        ];
        assert_eq!(between_nouns(&apart), [""; 0]);
        assert_eq!(
            between_nouns(&[import("site/a/b.rs", "site/c.rs")]),
            [
                "src/site/a/b.rs:1 imports src/site/c.rs: the modules of `site` do not import each other"
            ]
        );
    }
}
