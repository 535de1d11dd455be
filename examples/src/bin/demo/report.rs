//! The counts of the operations, with the largest saving first, and the reason for each count.

use std::cmp::Reverse;
use std::{array, fmt};

use lazy_mmu::raw::Kind;
use lazy_mmu::sim::Event;
use lazy_mmu_examples::scenario::WAYS;

use crate::{Args, InWays};

/// The text that the demonstration prints without `--timeline`.
pub(crate) struct Report<'a>(pub(crate) &'a Args, pub(crate) &'a [InWays]);

/// A row of the table: the name, and six counts.
///
/// The counts are the stores, the barrier pairs of each way, the outermost sections and the nested
/// sections.
struct Row(&'static str, [usize; 6]);

impl Row {
    fn of(operation: &InWays) -> Self {
        let [one, two, three] = operation.each_ref().map(|it| it.counts().pairs);
        let [.., nested] = operation;
        let entered = |kind| {
            let enter = Event::Enter(kind);
            nested.events.iter().filter(|&&it| it == enter).count()
        };
        let [outermost, inner] = [Kind::Outermost, Kind::Nested].map(entered);
        let stores = nested.counts().stores;
        Self(nested.name, [stores, one, two, three, outermost, inner])
    }

    fn saved(&self) -> usize {
        self.1[1] - self.1[3]
    }

    /// Returns the saved pairs, in tenths of a per cent.
    ///
    /// Returns `None` if the operation needs no pair without sections.
    fn share(&self) -> Option<usize> {
        (1000 * self.saved()).checked_div(self.1[1])
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, [stores, one, two, three, outermost, nested]) = self;
        let saved = self.saved();
        write!(
            f,
            "{name:19}{stores:>8}{one:>11}{two:>10}{three:>8}{saved:>8}"
        )?;
        match self.share() {
            Some(share) => write!(f, "{:>5}.{} %", share / 10, share % 10)?,
            None => write!(f, "{:>9}", "")?,
        }
        writeln!(f, "{outermost:>8} + {nested}")
    }
}

/// Returns the reason for the number of pairs of an operation.
fn reason(operation: &str, debug_pagealloc: bool) -> &'static [&'static str] {
    match (operation, debug_pagealloc) {
        ("vmap_pages_range", _) | ("populate_range", false) => {
            &["All stores are in one section. Its end executes one pair."]
        }
        ("populate_range", true) => &[
            "One section maps all pages. Each allocation in it is a nested section, which",
            "executes a pair because the allocated frames are used at once. In the tolerant",
            "way, the first allocation ends the deferring.",
        ],
        ("populate_user_range", true) => &[
            "A user's entry needs no pair, because a fault that comes too early is retried.",
            "The pairs are those of the allocations, which are nested sections.",
        ],
        ("populate_user_range", false) => {
            &["A user's entry needs no pair, because a fault that comes too early is retried."]
        }
        ("build_tables", true) => &[
            "A table is allocated in a nested section, which executes a pair because the",
            "table is filled with zeros at once. The pair of the link to it is deferred.",
        ],
        ("build_tables", false) => &["The pairs of the links to the tables are deferred."],
        ("allocate", true) => &[
            "With DEBUG_PAGEALLOC, a free frame is not in the linear map. Each allocation",
            "maps it there, in a section of its own, because the frame is used at once.",
        ],
        ("allocate", false) => &["No mapping changes, because all frames are in the linear map."],
        _ => &["Entries are cleared. That needs TLB invalidations, but no pair and no section."],
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(args, operations) = self;
        let mut rows: Vec<_> = operations.iter().map(Row::of).collect();
        rows.sort_by_key(|it| Reverse(it.share()));
        let Row(name, [_, without, _, with, ..]) = rows[0];
        let pages = args.pages;
        let switch = if args.debug_pagealloc { "on" } else { "off" };
        let [per_store, tolerant, nested] = WAYS;
        writeln!(
            f,
            "\
{name}: {without} barrier pairs without sections, {with} with sections.

On aarch64, a store that makes a kernel page-table entry valid needs a barrier pair,
`dsb ishst; isb`, before the mapping is used. On RISC-V the fence `sfence.vma` takes the place
of the pair. A lazy MMU section defers the pairs of its stores to its end. A simulated machine
ran with `--pages {pages} --debug-pagealloc {switch}`:

operation            stores  {per_store}  {tolerant}  {nested}   saved           sections"
        )?;
        for row in &rows {
            write!(f, "{row}")?;
        }
        if rows.len() > 1 {
            let total = array::from_fn(|cell| rows.iter().map(|it| it.1[cell]).sum());
            write!(f, "{}", Row("total", total))?;
        }
        writeln!(
            f,
            "
stores     The stores to page tables. They are the same in each of the three ways.
{per_store}  Barrier pairs, if each store executes its own. Sections are inert: they defer nothing.
{tolerant}   Barrier pairs, if the end of a nested section ends the deferring. The stores after it
           execute their own pairs. Linux on arm64 did that before its sections nested.
{nested}     Barrier pairs with the sections of lazy-mmu. The end of a nested section executes the
           pair that is due, and the section around it goes on deferring.
saved      The pairs of {per_store}, less those of {nested}.
sections   How many sections were outermost, and how many were nested in them.
"
        )?;
        for Row(name, _) in &rows {
            let indented = reason(name, args.debug_pagealloc).join("\n                     ");
            writeln!(f, "{name:21}{indented}")?;
        }
        Ok(())
    }
}
