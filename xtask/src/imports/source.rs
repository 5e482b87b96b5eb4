//! The program's modules as its files write them: which names each module has, and which paths its
//! code mentions. Where a path leads is `resolve`'s.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// What a name of a module stands for.
pub enum Name {
    /// A module below, by its index in `Program::modules`.
    Module(usize),
    /// What a `use` brought: a path, to be read from the same module.
    Imported(Vec<String>),
    /// A definition in the module's own file.
    Defined,
}

pub struct Module {
    pub parent: Option<usize>,
    /// From src/.
    pub file: PathBuf,
    /// A name can stand for a module and for a function at once.
    pub names: BTreeMap<String, Vec<Name>>,
    /// The paths of `use …::*`.
    pub globs: Vec<Vec<String>>,
}

/// A path of at least two segments, or one that `use` names, where code mentions it.
pub struct Mention {
    /// The module it is read from.
    pub module: usize,
    pub path: Vec<String>,
    /// From 1.
    pub line: usize,
    /// By code that is built for tests only.
    pub test: bool,
}

#[derive(Default)]
pub struct Program {
    /// The first is main.rs.
    pub modules: Vec<Module>,
    pub mentions: Vec<Mention>,
    /// Files that are built for tests only.
    pub test_files: Vec<PathBuf>,
}

impl Program {
    /// Follows `mod` from main.rs on. `files` holds the sources by their path from src/; a module
    /// whose file is not among them is left out: tests include some from beside src/.
    pub fn read(files: &BTreeMap<PathBuf, String>) -> Self {
        let mut program = Self::default();
        program.add_file(files, None, Path::new("main.rs"), false);
        program
    }

    /// The index of the new module.
    fn add_file(
        &mut self,
        files: &BTreeMap<PathBuf, String>,
        parent: Option<usize>,
        file: &Path,
        test: bool,
    ) -> usize {
        let parsed = syn::parse_file(&files[file])
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if test {
            self.test_files.push(file.to_owned());
        }
        let module = self.add_module(parent, file);
        let folder = match file.file_stem().and_then(|stem| stem.to_str()) {
            Some("main" | "mod") => folder_of(file).to_owned(),
            _ => file.with_extension(""),
        };
        Reader {
            program: self,
            files,
            module,
            folder,
            test,
        }
        .visit_file(&parsed);
        module
    }

    fn add_module(&mut self, parent: Option<usize>, file: &Path) -> usize {
        self.modules.push(Module {
            parent,
            file: file.to_owned(),
            names: BTreeMap::new(),
            globs: Vec::new(),
        });
        self.modules.len() - 1
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// Reads one module; the modules below it are read as their `mod` is met.
struct Reader<'program> {
    program: &'program mut Program,
    files: &'program BTreeMap<PathBuf, String>,
    module: usize,
    /// Where the files of the modules below stand.
    folder: PathBuf,
    test: bool,
}

impl Reader<'_> {
    fn name(&mut self, name: impl ToString, stands_for: Name) {
        let names = &mut self.program.modules[self.module].names;
        names.entry(name.to_string()).or_default().push(stands_for);
    }

    fn mention(&mut self, path: Vec<String>, line: usize) {
        self.program.mentions.push(Mention {
            module: self.module,
            path,
            line,
            test: self.test,
        });
    }

    /// Runs `read` as code for tests if one of the attributes says so.
    fn under(&mut self, attributes: &[syn::Attribute], read: impl FnOnce(&mut Self)) {
        let before = self.test;
        self.test |= attributes.iter().any(is_for_tests);
        read(self);
        self.test = before;
    }

    fn read_module(&mut self, item: &syn::ItemMod) {
        if let Some((_, items)) = &item.content {
            let file = self.program.modules[self.module].file.clone();
            let below = self.program.add_module(Some(self.module), &file);
            self.name(&item.ident, Name::Module(below));
            let mut reader = Reader {
                program: self.program,
                files: self.files,
                module: below,
                folder: self.folder.join(item.ident.to_string()),
                test: self.test,
            };
            for item in items {
                reader.visit_item(item);
            }
        } else if let Some(file) = self.file_of(item) {
            let below = self
                .program
                .add_file(self.files, Some(self.module), &file, self.test);
            self.name(&item.ident, Name::Module(below));
        }
    }

    fn file_of(&self, item: &syn::ItemMod) -> Option<PathBuf> {
        let own = &self.program.modules[self.module].file;
        let candidates = match item.attrs.iter().find_map(path_attribute) {
            Some(path) => vec![without_dots(&folder_of(own).join(path))?],
            None => {
                let name = item.ident.to_string();
                let (file, folder) = (format!("{name}.rs"), format!("{name}/mod.rs"));
                vec![self.folder.join(file), self.folder.join(folder)]
            }
        };
        candidates
            .into_iter()
            .find(|file| self.files.contains_key(file))
    }

    /// Every leaf of a `use`.
    fn read_use(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |ident: &syn::Ident| [before, &[ident.to_string()]].concat();
        let (path, name) = match tree {
            syn::UseTree::Path(path) => return self.read_use(&with(&path.ident), &path.tree),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.read_use(before, tree);
                }
                return;
            }
            syn::UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.program.modules[self.module]
                    .globs
                    .push(before.to_vec());
                return self.mention(before.to_vec(), line);
            }
            syn::UseTree::Name(name) => (&name.ident, &name.ident),
            syn::UseTree::Rename(rename) => (&rename.ident, &rename.rename),
        };
        let line = path.span().start().line;
        let (imported, name) = match before.last() {
            Some(last) if path == "self" && name == "self" => (before.to_vec(), last.clone()),
            Some(_) if path == "self" => (before.to_vec(), name.to_string()),
            _ => (with(path), name.to_string()),
        };
        self.name(name, Name::Imported(imported.clone()));
        self.mention(imported, line);
    }

    /// The paths in what a macro or an attribute is given, which need not be Rust's syntax.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Punct(sign) if sign.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) if colons == 2 && !path.is_empty() => {
                    path.push(ident.to_string());
                }
                TokenTree::Ident(ident) => {
                    self.end_path(&mut path, line);
                    path.push(ident.to_string());
                    line = ident.span().start().line;
                }
                TokenTree::Group(group) => {
                    self.end_path(&mut path, line);
                    self.read_tokens(group.stream());
                }
                TokenTree::Literal(literal) => {
                    self.end_path(&mut path, line);
                    self.read_string(literal);
                }
                _ => self.end_path(&mut path, line),
            }
            colons = 0;
        }
        self.end_path(&mut path, line);
    }

    /// What is relative in a macro's rules is so to wherever the macro is called.
    fn read_macro_rules(&mut self, item: &syn::ItemMacro) {
        let before = self.program.mentions.len();
        self.read_tokens(item.mac.tokens.clone());
        let read = self.program.mentions.split_off(before);
        let absolute = |mention: &Mention| mention.path[0] == "crate";
        self.program
            .mentions
            .extend(read.into_iter().filter(absolute));
    }

    /// Attributes write paths as strings too: `with = "crate::…"`.
    fn read_string(&mut self, literal: &proc_macro2::Literal) {
        let text = literal.to_string();
        let text = text.trim_matches('"');
        let is_name = |name: &str| syn::parse_str::<syn::PathSegment>(name).is_ok();
        if text.starts_with("crate::") && text.split("::").all(is_name) {
            let mut path = text.split("::").map(str::to_owned).collect();
            self.end_path(&mut path, literal.span().start().line);
        }
    }

    fn end_path(&mut self, path: &mut Vec<String>, line: usize) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.mention(path, line);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let (attributes, defined): (&[_], _) = match item {
            syn::Item::Const(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            syn::Item::Impl(item) => (&item.attrs, None),
            syn::Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
            syn::Item::Mod(item) => (&item.attrs, None),
            syn::Item::Static(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Type(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Union(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Use(item) => (&item.attrs, None),
            _ => (&[], None),
        };
        if let Some(name) = defined {
            self.name(name, Name::Defined);
        }
        self.under(attributes, |reader| match item {
            syn::Item::Mod(item) => reader.read_module(item),
            syn::Item::Use(item) if item.leading_colon.is_none() => {
                reader.read_use(&[], &item.tree);
            }
            syn::Item::Macro(item) if item.ident.is_some() => reader.read_macro_rules(item),
            _ => visit::visit_item(reader, item),
        });
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes: &[_] = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        self.under(attributes, |reader| visit::visit_impl_item(reader, item));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let names = path
                .segments
                .iter()
                .map(|segment| segment.ident.to_string());
            let line = path.segments[0].ident.span().start().line;
            self.mention(names.collect(), line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.read_tokens(called.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.read_tokens(list.tokens.clone());
    }

    /// `pub(in path)` imports nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

/// `#[cfg(test)]`.
fn is_for_tests(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|condition| condition.is_ident("test"))
}

/// `#[path = "…"]`.
fn path_attribute(attribute: &syn::Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    match &pair.value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(path),
            ..
        }) if pair.path.is_ident("path") => Some(path.value()),
        _ => None,
    }
}

/// None where the path leads out of src/.
fn without_dots(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir if plain.pop() => {}
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(plain)
}
