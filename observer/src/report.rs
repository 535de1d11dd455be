//! Objections to what a machine did.

use std::fmt;

/// An access or a store that relies on an instruction that was not executed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The rule that does not hold.
    pub kind: Kind,
    /// The CPU that made the access or the store.
    pub cpu: usize,
    /// The address of the instruction.
    pub pc: u64,
    /// The physical address that the access may reach instead, through a translation that a TLB may
    /// still hold. If it is `None`, the access may fault.
    pub may_reach: Option<u64>,
    /// The entry, the access, the CPUs, and the missing instruction.
    pub text: String,
}

/// A rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A walk may not find a new entry, because the CPU that stored it has executed no `dsb`.
    MissingDsb,
    /// The CPU may have walked the tables, or may use an invalidated translation, because it has
    /// executed no `isb` since.
    MissingIsb,
    /// A TLB may hold the translation that an entry had before its change.
    StaleTranslation,
    /// Memory is mapped at a new address while a TLB may translate an old address to it.
    FrameReuse,
    /// The memory of a table gets new contents while a TLB may refer to the table.
    TableReuse,
    /// A table is linked before its contents are ordered before the link.
    UnorderedTable,
    /// A valid entry is replaced by a valid one that needs break-before-make.
    BreakBeforeMake,
    /// An access succeeded through an entry that is invalid and that no TLB may hold. The observer
    /// has missed a store.
    MissedStore,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingDsb => "missing-dsb",
            Self::MissingIsb => "missing-isb",
            Self::StaleTranslation => "stale-translation",
            Self::FrameReuse => "frame-reuse",
            Self::TableReuse => "table-reuse",
            Self::UnorderedTable => "unordered-table",
            Self::BreakBeforeMake => "break-before-make",
            Self::MissedStore => "missed-store",
        })
    }
}
