//! The functions and source lines of a kernel's instructions.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use addr2line::{FunctionName, Loader};
use anyhow::{Context, Result, anyhow};

/// The debug information of a kernel.
pub(crate) struct Symbols {
    loader: Loader,
    /// Each path begins with the folder of the workspace, or with the folder of a registry.
    workspace: PathBuf,
}

/// Where an instruction comes from.
pub(crate) struct Place {
    /// The innermost function of the workspace, because a line of the standard library does not
    /// tell much.
    inner: Frame,
    /// The function in whose code the instruction is, if the other one is inlined in it.
    outer: Option<Frame>,
    /// The innermost source line that is not one of the library.
    caller: String,
}

/// A function, and a line of it.
#[derive(Default)]
struct Frame {
    /// The name, without the hash of the compiler.
    function: String,
    /// The file, from the workspace or from the package on, and the line. A naked function does not
    /// have lines.
    line: Option<(String, u32)>,
    /// The source line.
    text: String,
}

impl Symbols {
    pub(crate) fn read(kernel: &Path) -> Result<Self> {
        let loader = Loader::new(kernel)
            .map_err(|error| anyhow!("{error}"))
            .with_context(|| format!("cannot read the symbols of {}", kernel.display()))?;
        let workspace = crate::workspace()?;
        Ok(Self { loader, workspace })
    }

    /// Returns the place of the instruction at `address`.
    pub(crate) fn place(&self, address: u64) -> Result<Place> {
        let mut frames = Vec::new();
        let found = self.loader.find_frames(address);
        let mut found = found.map_err(|error| anyhow!("{error}"))?;
        while let Some(frame) = found.next()? {
            let function = frame.function.as_ref().map(FunctionName::raw_name);
            let function = function.transpose()?.map(|it| demangle(&it));
            let line = frame.location.and_then(|it| Some((it.file?, it.line?)));
            frames.push((function, line));
        }
        let is_in = |line: Option<(&str, u32)>, folder: &Path| {
            line.is_some_and(|(file, _)| Path::new(file).starts_with(folder))
        };
        let library = self.workspace.join("lazy-mmu/src");
        let is_own = |line| is_in(line, &self.workspace);
        let own = frames.iter().filter_map(|(_, line)| *line);
        let mut callers = own.filter(|&it| is_own(Some(it)) && !is_in(Some(it), &library));
        let caller = callers.next().and_then(|it| self.line(it));
        let inner = frames.iter().position(|(_, line)| is_own(*line));
        let mut frames = frames.into_iter().skip(inner.unwrap_or(0));
        let symbol = || self.loader.find_symbol(address).map(demangle);
        let frame = |(function, line): (Option<String>, Option<(&str, u32)>)| Frame {
            function: function.or_else(symbol).unwrap_or_default(),
            line: line.map(|(file, line)| (self.short(file), line)),
            text: line.and_then(|it| self.line(it)).unwrap_or_default(),
        };
        Ok(Place {
            inner: frame(frames.next().unwrap_or_default()),
            outer: frames.last().map(frame),
            caller: caller.unwrap_or_default(),
        })
    }

    /// Returns a source line, if the file is on this machine.
    fn line(&self, (file, line): (&str, u32)) -> Option<String> {
        let text = fs::read_to_string(self.workspace.join(file)).ok()?;
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        Some(text.lines().nth(index)?.trim().to_owned())
    }

    /// Returns the path from the workspace on, or from the folder of a package on.
    fn short(&self, file: &str) -> String {
        // A file that is included by its path has `..` in the name.
        let mut path = PathBuf::new();
        for part in Path::new(file) {
            if part == ".." {
                path.pop();
            } else {
                path.push(part);
            }
        }
        if let Ok(path) = path.strip_prefix(&self.workspace) {
            return path.display().to_string();
        }
        let parts: Vec<_> = path.iter().map(|it| it.to_string_lossy()).collect();
        // The names of the folders before the package differ between machines.
        let package = parts.iter().rposition(|it| it == "src").unwrap_or(0);
        parts[package.saturating_sub(1)..].join("/")
    }
}

fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

impl Place {
    /// Returns the functions without their paths, and the source lines without their numbers.
    /// Changes elsewhere in the sources do not change them.
    pub(crate) fn key(&self) -> String {
        let mut key = without_paths(&self.inner.function);
        let mut lines = vec![&self.caller];
        if let Some(outer) = &self.outer {
            key = format!("{key} in {}", without_paths(&outer.function));
            lines.insert(0, &outer.text);
        }
        lines.dedup();
        for line in lines.into_iter().filter(|it| !it.is_empty()) {
            key = format!("{key}: `{line}`");
        }
        key
    }
}

/// Removes the paths of the names in `name`. `a::b<c::D>` becomes `b<D>`.
fn without_paths(name: &str) -> String {
    let mut short = String::new();
    for part in name.split_inclusive(|it: char| !it.is_alphanumeric() && !"_:#{}".contains(it)) {
        short.push_str(match part.rsplit_once("::") {
            // The path begins with a type.
            Some(("", _)) | None => part,
            Some((_, last)) => last,
        });
    }
    short
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)?;
        match &self.outer {
            Some(outer) => write!(f, "\n      inlined in {outer}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.function)?;
        if let Some((file, line)) = &self.line {
            write!(f, ", {file}:{line}")?;
        }
        if !self.text.is_empty() {
            write!(f, ": `{}`", self.text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::without_paths;

    #[test]
    fn names_lose_their_paths() {
        for (name, short) in [
            ("entry", "entry"),
            ("lazy_mmu::global::flush", "flush"),
            (
                "map<a::Mmu<b::c::Byte>, [u8; 3]>",
                "map<Mmu<Byte>, [u8; 3]>",
            ),
            ("<a::B as c::D<&e::F>>::g", "<B as D<&F>>::g"),
            ("a::run::{closure_env#0}", "{closure_env#0}"),
        ] {
            assert_eq!(without_paths(name), short);
        }
    }
}
