//! Checks the layers of the library crates: imports between folders and files go in one direction.
//!
//! A layer is a folder of `src`. It imports only from itself and from the layers below it. The
//! imports of files do not form a circle. The check ignores tests, documentation, and the files
//! that only re-export (`lib.rs`, each `mod.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};
use xshell::Shell;

/// The layers of `lazy-mmu`. The second part of an entry lists the layers below the first.
const LAYERS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("section", &["protocol"]),
    ("aarch64", &["protocol", "section"]),
    ("riscv64", &["protocol", "section"]),
    ("backend", &["protocol", "section", "aarch64"]),
];

/// The imports of each file of a crate. A file has the name of its module path: `section::guard`.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// Checks both library crates.
pub(crate) fn check(shell: &Shell) -> Result<()> {
    for package in ["lazy-mmu", "lazy-mmu-macros"] {
        let imports = imports(shell, &Path::new(package).join("src"))?;
        one_way(&imports).with_context(|| format!("the layers of {package}"))?;
        println!(
            "{package}: {} files, {} imports, all in one direction",
            imports.len(),
            imports.values().map(BTreeSet::len).sum::<usize>()
        );
    }
    Ok(())
}

/// Checks that each import goes to the same layer or down, and that files do not form a circle.
fn one_way(imports: &Imports) -> Result<()> {
    for (file, used) in imports {
        let layer = layer(file);
        let Some((_, below)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            continue;
        };
        for used in used {
            let other = self::layer(used);
            ensure!(
                other == layer || below.contains(&other),
                "{file} imports {used}, but the layer {layer} may import only from {below:?}"
            );
        }
    }
    let mut done = BTreeSet::new();
    for file in imports.keys() {
        follow(imports, file, &mut Vec::new(), &mut done)?;
    }
    Ok(())
}

/// Checks that `file` does not import itself through other files. `way` has the files on the path
/// to it.
fn follow<'a>(
    imports: &'a Imports,
    file: &'a str,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Result<()> {
    if let Some(start) = way.iter().position(|it| *it == file) {
        bail!(
            "the imports form a circle: {} -> {file}",
            way[start..].join(" -> ")
        );
    }
    if !done.contains(file) {
        way.push(file);
        for used in imports.get(file).into_iter().flatten() {
            follow(imports, used, way, done)?;
        }
        way.pop();
        done.insert(file);
    }
    Ok(())
}

fn layer(file: &str) -> &str {
    file.split("::").next().unwrap_or(file)
}

fn imports(shell: &Shell, src: &Path) -> Result<Imports> {
    let mut files = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in shell.read_dir(src.join(&folder))? {
            let name = entry.file_name().context("a path without a file name")?;
            let path = folder.join(name);
            if entry.is_dir() {
                folders.push(path);
            } else {
                let module: Vec<String> = path
                    .with_extension("")
                    .components()
                    .map(|it| it.as_os_str().to_string_lossy().into_owned())
                    .collect();
                files.insert(module, shell.read_file(&entry)?);
            }
        }
    }
    let mut imports = Imports::new();
    for (module, text) in &files {
        let parent = &module[..module.len() - 1];
        if matches!(module.last().map(String::as_str), Some("lib" | "mod")) {
            continue;
        }
        let mut paths = Paths::default();
        paths.visit_file(&syn::parse_file(text).with_context(|| module.join("::"))?);
        let used = paths.0.iter().filter_map(|path| {
            let absolute = absolute(parent, module, path)?;
            // A path belongs to the file with the longest matching module path.
            (1..=absolute.len())
                .rev()
                .map(|end| &absolute[..end])
                .find(|it| files.contains_key(*it))
                .filter(|it| *it != module)
                .map(|it| it.join("::"))
        });
        imports.insert(module.join("::"), used.collect());
    }
    Ok(imports)
}

/// Returns the path from the root of the crate, or `None` if the path leads out of the crate.
fn absolute(parent: &[String], module: &[String], path: &[String]) -> Option<Vec<String>> {
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => {
            let up = path.iter().take_while(|it| *it == "super").count();
            // The first `super` leads from a file to the folder of the file.
            let start = &parent[..(parent.len() + 1).checked_sub(up)?];
            Some([start, &path[up..]].concat())
        }
        _ => None,
    }
}

/// Collects all paths in a file, in imports and in code.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl Paths {
    fn import(&mut self, tree: &UseTree, before: &[String]) {
        match tree {
            UseTree::Path(path) => {
                let here = [before, &[path.ident.to_string()]].concat();
                self.import(&path.tree, &here);
            }
            UseTree::Name(name) => self.0.push([before, &[name.ident.to_string()]].concat()),
            UseTree::Rename(name) => self.0.push([before, &[name.ident.to_string()]].concat()),
            UseTree::Group(group) => group.items.iter().for_each(|it| self.import(it, before)),
            UseTree::Glob(_) => self.0.push(before.to_vec()),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(it) => &it.attrs,
            Item::Use(it) => &it.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !attributes.iter().any(is_for_tests_or_documentation) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(
            path.segments
                .iter()
                .map(|it| it.ident.to_string())
                .collect(),
        );
        visit::visit_path(self, path);
    }
}

/// Returns whether `attribute` is `#[cfg(test)]` or `#[cfg(doc)]`.
fn is_for_tests_or_documentation(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|it| it.is_ident("test") || it.is_ident("doc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(edges: &[(&str, &[&str])]) -> Imports {
        edges
            .iter()
            .map(|(file, used)| {
                let used = used.iter().map(|&it| it.to_owned()).collect();
                ((*file).to_owned(), used)
            })
            .collect()
    }

    #[test]
    fn an_import_that_goes_up_or_in_a_circle_is_found() {
        let down = imports(&[
            ("section::guard", &["protocol::bits", "section::store"]),
            ("section::store", &["protocol::bits"]),
            ("protocol::bits", &[]),
        ]);
        assert!(one_way(&down).is_ok());
        let up = imports(&[("protocol::bits", &["aarch64::tlb"])]);
        let error = one_way(&up).expect_err("an import up").to_string();
        assert!(
            error.contains("protocol::bits imports aarch64::tlb"),
            "{error}"
        );
        let circle = imports(&[
            ("section::guard", &["section::store"]),
            ("section::store", &["section::proof"]),
            ("section::proof", &["section::guard"]),
        ]);
        let error = one_way(&circle).expect_err("a circle").to_string();
        assert!(
            error.starts_with("the imports form a circle: section::"),
            "{error}"
        );
    }

    #[test]
    fn paths_lead_to_their_files() {
        let [parent, module] = [&["section"][..], &["section", "guard"]]
            .map(|it| it.iter().map(|&it| it.to_owned()).collect::<Vec<_>>());
        let absolute = |path: &str| {
            let path: Vec<_> = path.split("::").map(str::to_owned).collect();
            super::absolute(&parent, &module, &path).map(|it| it.join("::"))
        };
        assert_eq!(
            absolute("super::store::put"),
            Some("section::store::put".into())
        );
        assert_eq!(absolute("super::super::raw"), Some("raw".into()));
        assert_eq!(
            absolute("crate::protocol::raw"),
            Some("protocol::raw".into())
        );
        assert_eq!(absolute("core::fmt"), None);
    }

    #[test]
    fn tests_and_documentation_do_not_count() {
        let file = "use crate::a; #[cfg(test)] mod tests { use crate::b; } \
                    #[cfg(doc)] use crate::c; fn f() { crate::d::g() }";
        let mut paths = Paths::default();
        paths.visit_file(&syn::parse_file(file).expect("a valid file"));
        let found: Vec<_> = paths.0.iter().map(|it| it.join("::")).collect();
        assert_eq!(found, ["crate::a", "crate::d::g"]);
    }
}
