//! The functions and source lines of a kernel's instructions.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use addr2line::Loader;
use anyhow::{Context, Result, anyhow};

/// The debug information of a kernel.
pub(crate) struct Symbols {
    loader: Loader,
    /// Each path begins with the folder of the workspace, or with the folder of a registry.
    workspace: PathBuf,
}

/// Where an instruction comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The function in whose code the instruction is.
    pub(crate) function: String,
    /// The function of the source line, if it is inlined. It is the innermost function of the
    /// workspace, because a line of the standard library does not tell much.
    pub(crate) inlined: Option<String>,
    /// The file, from the workspace or from the package on, and the line.
    line: Option<(String, u32)>,
    /// The source line. It is empty if the instruction has none, as in a naked function.
    pub(crate) text: String,
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
            let function = frame.function.as_ref().map(|it| it.raw_name());
            let function = function.transpose()?.map(|it| demangle(&it));
            let line = frame.location.and_then(|it| Some((it.file?, it.line?)));
            frames.push((function, line));
        }
        let is_own = |line: &Option<(&str, u32)>| {
            line.is_some_and(|(file, _)| Path::new(file).starts_with(&self.workspace))
        };
        let own = frames.iter().position(|(_, line)| is_own(line));
        let outermost = frames.last().and_then(|(function, _)| function.clone());
        let symbol = || self.loader.find_symbol(address).map(demangle);
        let function = outermost.or_else(symbol);
        let is_inlined = own.unwrap_or(0) + 1 < frames.len();
        let frame = frames.into_iter().nth(own.unwrap_or(0));
        let (inlined, line) = frame.unwrap_or_default();
        let text = line.and_then(|(file, line)| self.line(file, line));
        Ok(Place {
            function: function.unwrap_or_else(|| "an unknown function".to_owned()),
            inlined: inlined.filter(|_| is_inlined),
            line: line.map(|(file, line)| (self.short(file), line)),
            text: text.unwrap_or_default(),
        })
    }

    /// Returns a source line, if the file is on this machine.
    fn line(&self, file: &str, line: u32) -> Option<String> {
        let text = fs::read_to_string(self.workspace.join(file)).ok()?;
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        Some(text.lines().nth(index)?.trim().to_owned())
    }

    /// Returns the path from the workspace on, or from the folder of a package on.
    fn short(&self, file: &str) -> String {
        let path = Path::new(file);
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(inlined) = &self.inlined {
            write!(f, "{inlined}, inlined in ")?;
        }
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

/// Numbers equal keys, in the order of the calls.
#[derive(Default)]
pub(crate) struct Numbers(HashMap<String, usize>);

impl Numbers {
    /// Returns the key, with a number if it is not the first.
    pub(crate) fn number(&mut self, key: String) -> String {
        let count = self.0.entry(key.clone()).or_insert(0);
        *count += 1;
        match count {
            1 => key,
            count => format!("{key} #{count}"),
        }
    }
}
