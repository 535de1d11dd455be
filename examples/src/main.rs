//! The demonstration: the scenario on the hosted machine, three ways, and a table of what each of them cost.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use lazy_mmu::raw::Kind;
use lazy_mmu::sim::{Event, Sim};
use lazy_mmu_examples::host::{Operation, run_scenario};
use lazy_mmu_examples::scenario::{MAX_PAGES, WAYS};

/// Maps, populates, zaps and frees pages on a simulated machine, three ways, and counts the barrier pairs.
///
/// per-store: every store that needs it is followed by its own `dsb ishst; isb`. tolerant: lazy MMU sections, but the
/// leave of an inner one ends the mode (Linux on arm64 before sections nested). nested: the sections of lazy-mmu.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// How many pages each operation maps
    #[arg(long, default_value_t = 64, value_parser = pages)]
    pages: usize,

    /// Whether free frames are unmapped from the linear map, so that allocating maps them
    #[arg(long, value_enum, default_value = "on", value_name = "on|off")]
    debug_pagealloc: Switch,

    /// Print every event of the nested way, one line each, indented by section
    #[arg(long)]
    timeline: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

fn pages(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(pages @ 1..=MAX_PAGES) => Ok(pages),
        _ => Err(format!("a number of pages from 1 to {MAX_PAGES} is needed")),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(error)
            if error
                .downcast_ref::<io::Error>()
                .is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let debug_pagealloc = args.debug_pagealloc == Switch::On;
    let ways = [
        run_scenario::<Sim>(0, args.pages, debug_pagealloc)?,
        run_scenario::<Sim>(1, args.pages, debug_pagealloc)?,
        run_scenario::<Sim>(2, args.pages, debug_pagealloc)?,
    ];
    let out = &mut BufWriter::new(io::stdout().lock());
    if args.timeline {
        for [.., nested] in operations(&ways) {
            print_timeline(out, nested)?;
        }
    }
    writeln!(
        out,
        "{} pages, DEBUG_PAGEALLOC {}\n",
        args.pages, args.debug_pagealloc
    )?;
    print_pairs(out, &ways)?;
    print_sections(out, &ways)?;
    print_reasons(out, args)?;
    out.flush()?;
    Ok(())
}

/// The operations of the three [`WAYS`], in their order.
type Ways = [Vec<Operation>; 3];

/// Each operation, in the three ways.
fn operations([per_store, tolerant, nested]: &Ways) -> impl Iterator<Item = [&Operation; 3]> {
    per_store
        .iter()
        .zip(tolerant)
        .zip(nested)
        .map(|((per_store, tolerant), nested)| [per_store, tolerant, nested])
}

fn print_pairs(out: &mut impl Write, ways: &Ways) -> io::Result<()> {
    writeln!(
        out,
        "{:21}{:>10}   barrier pairs (dsb ishst; isb)",
        "", "descriptor"
    )?;
    writeln!(
        out,
        "{:21}{:>10}{:>12}{:>12}{:>12}",
        "operation", "stores", WAYS[0], WAYS[1], WAYS[2]
    )?;
    let mut total = [0; 4];
    for operation in operations(ways) {
        let [one, two, three] = operation.map(Operation::counts);
        assert!(
            one.stores == three.stores && two.stores == three.stores,
            "the three ways store the same"
        );
        let row = [three.stores, one.pairs, two.pairs, three.pairs];
        print_row(out, operation[0].name, row)?;
        for (sum, cell) in total.iter_mut().zip(row) {
            *sum += cell;
        }
    }
    print_row(out, "total", total)
}

fn print_row(out: &mut impl Write, name: &str, row: [usize; 4]) -> io::Result<()> {
    let [stores, one, two, three] = row;
    writeln!(out, "{name:21}{stores:>10}{one:>12}{two:>12}{three:>12}")
}

/// What the sections of one operation did.
#[derive(Default)]
struct Sections {
    /// How many there were, by what their enter was told, and how many of them emitted a pair when they were left.
    outer: (usize, usize),
    nested: (usize, usize),
    inert: usize,
}

impl Sections {
    fn of(events: &[Event]) -> Self {
        let mut sections = Self::default();
        for (i, event) in events.iter().enumerate() {
            let Event::Leave(kind) = event else { continue };
            let emitted = usize::from(events[..i].ends_with(&[Event::DsbIshst, Event::Isb]));
            match kind {
                Kind::Outermost => {
                    sections.outer.0 += 1;
                    sections.outer.1 += emitted;
                }
                Kind::Nested => {
                    sections.nested.0 += 1;
                    sections.nested.1 += emitted;
                }
                Kind::Inert => sections.inert += 1,
            }
        }
        sections
    }
}

impl fmt::Display for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for ((all, emitted), name) in [(self.outer, "outer"), (self.nested, "nested")] {
            if all != 0 {
                write!(f, "{separator}{name} {emitted}/{all}")?;
                separator = ", ";
            }
        }
        match self.inert {
            0 if separator.is_empty() => f.write_str("none"),
            0 => Ok(()),
            inert => write!(f, "{separator}inert {inert}"),
        }
    }
}

fn print_sections(out: &mut impl Write, ways: &Ways) -> io::Result<()> {
    writeln!(
        out,
        "\nwhat the sections did (how many emitted a pair when they were left / how many there were)"
    )?;
    writeln!(
        out,
        "{:21}{:<16}{:<20}{}",
        "operation", WAYS[0], WAYS[1], WAYS[2]
    )?;
    for operation in operations(ways) {
        let name = operation[0].name;
        let [one, two, three] = operation.map(|it| Sections::of(&it.events).to_string());
        writeln!(out, "{name:21}{one:<16}{two:<20}{three}")?;
    }
    Ok(())
}

fn print_reasons(out: &mut impl Write, args: &Args) -> io::Result<()> {
    let reasons = match args.debug_pagealloc {
        Switch::On => {
            "
allocate             one section a frame: it maps the frame in the linear map
vmap_pages_range     one section, so one pair, however many stores
populate_range       takes its frames inside its section: each allocation's nested leave must emit. After
                     the first of them the tolerant way is out of the mode, and each store pays for itself
populate_user_range  user entries need no pair (a fault that comes too early is retried): only the
                     allocations emit
zap_range            clears user entries: no section, for no pair is needed. It gathers the frames, and frees a
                     batch after one TLB invalidation
free                 clears kernel entries: no pair either, but TLB invalidations, which are not counted here"
        }
        Switch::Off => {
            "
allocate             changes no mapping: all frames are in the linear map
vmap_pages_range,    one section, so one pair, however many stores
populate_range
populate_user_range, user entries need no pair (a fault that comes too early is retried), nor do cleared ones
zap_range, free
                     No section nests, so the last two ways are the same"
        }
    };
    writeln!(out, "{reasons}")
}

fn print_timeline(out: &mut impl Write, operation: &Operation) -> io::Result<()> {
    writeln!(out, "{}", operation.name)?;
    let mut depth = 1;
    for event in &operation.events {
        if matches!(event, Event::Leave(_)) {
            depth -= 1;
        }
        let indent = 2 * depth;
        write!(out, "{:indent$}", "")?;
        match event {
            Event::Store { slot, value } => {
                let (table, index) = (slot & !0xfff, slot % 4096 / 8);
                writeln!(
                    out,
                    "store {value:#018x} in table {table:#x}, entry {index}"
                )?;
            }
            Event::DsbIshst => writeln!(out, "dsb ishst")?,
            Event::DsbIsh => writeln!(out, "dsb ish")?,
            Event::Isb => writeln!(out, "isb")?,
            Event::Tlbi(address) => writeln!(out, "tlbi {address:#x}")?,
            Event::Enter(kind) => {
                writeln!(out, "enter {kind:?}")?;
                depth += 1;
            }
            Event::Leave(kind) => writeln!(out, "leave {kind:?}")?,
            other => writeln!(out, "{other:?}")?,
        }
    }
    writeln!(out)
}
