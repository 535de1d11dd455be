//! The demonstration: the scenario on the hosted machine in three ways, and the cost of each way.

mod picture;
mod report;
mod timeline;

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::{fs, iter};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, Parser};
use lazy_mmu::sim::Sim;
use lazy_mmu_examples::host::{Operation, run_scenario};
use lazy_mmu_examples::scenario::{MAX_PAGES, OPERATIONS};
use picture::Picture;
use report::Report;
use timeline::Timeline;

/// Shows how many barrier pairs lazy MMU sections save.
///
/// A small memory manager maps, populates, zaps and frees pages on a simulated machine: with a
/// barrier pair for each store, and with sections. The output explains itself.
#[derive(Parser)]
#[command(name = "demo", version, verbatim_doc_comment)]
struct Args {
    /// How many pages each operation maps
    #[arg(long, default_value_t = 512, value_parser = pages)]
    pages: usize,

    /// Whether free frames are unmapped from the linear map, so that allocating maps them
    #[arg(
        long,
        action = ArgAction::Set,
        default_value = "on",
        value_parser = PossibleValuesParser::new(["on", "off"]).map(|it| it == "on")
    )]
    debug_pagealloc: bool,

    /// Show this operation only
    #[arg(long, value_name = "OPERATION", value_parser = PossibleValuesParser::new(OPERATIONS))]
    only: Option<String>,

    /// Print each store and barrier with sections, instead of the counts
    #[arg(long)]
    timeline: bool,

    /// Also draw the stores, barrier pairs and sections to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn pages(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(pages @ 1..=MAX_PAGES) => Ok(pages),
        _ => Err(format!("a number of pages from 1 to {MAX_PAGES} is needed")),
    }
}

/// One operation, in each of the three [`WAYS`](lazy_mmu_examples::scenario::WAYS).
type InWays = [Operation; 3];

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let run = |way| run_scenario::<Sim>(way, args.pages, args.debug_pagealloc);
    let operations: Vec<InWays> = iter::zip(iter::zip(run(0)?, run(1)?), run(2)?)
        .map(|((per_store, tolerant), nested)| [per_store, tolerant, nested])
        .filter(|[it, ..]| args.only.as_ref().is_none_or(|only| only == it.name))
        .collect();
    if let Some(file) = &args.svg
        && let Err(error) = fs::write(file, Picture(&operations).to_string())
    {
        let message = format!("cannot write the picture to {}: {error}", file.display());
        Args::command().error(ErrorKind::Io, message).exit();
    }
    let text = if args.timeline {
        Timeline(&operations).to_string()
    } else {
        Report(&args, &operations).to_string()
    };
    match io::stdout().write_all(text.as_bytes()) {
        // The reader of the pipe has closed it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
