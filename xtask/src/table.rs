//! `cargo xtask bench`: the crate, the same protocol in C, and assembly written by hand, counted side by side on the emulated
//! CPU; as a table, and as a picture.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use plotters::prelude::*;
use xshell::Shell;

use crate::qemu;

/// What one form of an operation took.
#[derive(Clone, Copy)]
struct Count {
    instructions: u32,
    atomics: u32,
    pairs: u32,
}

/// A line of what the program `comparison` prints.
struct Line {
    operation: String,
    bits: String,
    pages: u32,
    ours: Count,
    c: Count,
    limit: Count,
}

impl FromStr for Line {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [operation, bits, numbers @ ..] = &words[..] else {
            bail!("no line of the comparison: {line}");
        };
        let numbers = numbers
            .iter()
            .map(|it| it.parse())
            .collect::<Result<Vec<u32>, _>>()
            .with_context(|| format!("no line of the comparison: {line}"))?;
        let [pages, counts @ ..] = &numbers[..] else {
            bail!("no line of the comparison: {line}");
        };
        let mut counts = counts
            .as_chunks()
            .0
            .iter()
            .map(|&[instructions, atomics, pairs]| Count {
                instructions,
                atomics,
                pairs,
            });
        let mut next = || counts.next().ok_or_else(|| anyhow!("too short: {line}"));
        Ok(Self {
            operation: (*operation).into(),
            bits: (*bits).into(),
            pages: *pages,
            ours: next()?,
            c: next()?,
            limit: next()?,
        })
    }
}

/// What an operation is called in the table.
const NAMES: [(&str, &str); 11] = [
    (
        "enter_leave",
        "enter and leave through the task's handle, nothing stored",
    ),
    ("one", "enter, one store, leave"),
    ("map", "a section, single writes, the bits decide"),
    ("map_kernel", "a section, single writes, the type decides"),
    ("range", "a section, a range write"),
    (
        "tolerant",
        "tolerant nesting (the nested leave ends the mode), single writes",
    ),
    ("per_store", "no sections: the pair behind each store"),
    (
        "outside",
        "sections exist, but these stores are outside of any",
    ),
    (
        "map_pagealloc",
        "a section, the allocator's nested in it for every 8 pages (DEBUG_PAGEALLOC)",
    ),
    (
        "tolerant_pagealloc",
        "the same with tolerant nesting (DEBUG_PAGEALLOC)",
    ),
    (
        "per_store_pagealloc",
        "the same without sections (DEBUG_PAGEALLOC)",
    ),
];

pub(crate) fn run(shell: &Shell) -> Result<()> {
    let [output, scale] = qemu::comparison(shell)?;
    let lines = output
        .lines()
        .skip(1)
        .map(str::parse)
        .collect::<Result<Vec<Line>>>()?;
    let mut text = table(&lines)?;
    write!(
        text,
        "Scale: instructions in one section of so many pages (counted by the PMU), and on so many CPUs at once\n\n{scale}"
    )?;
    println!("{text}");
    let docs = crate::workspace()?.join("docs");
    fs::write(docs.join("performance-table.md"), markdown(&text))?;
    for bits in ["byte", "word"] {
        let file = docs.join(format!("performance-{bits}.svg"));
        picture(&lines, bits, &file)
            .with_context(|| format!("{} cannot be drawn", file.display()))?;
        println!("{} is written", file.display());
    }
    Ok(())
}

/// The table as a page of its own, which the documentation points to.
fn markdown(text: &str) -> String {
    format!(
        "<!-- Written by `cargo xtask bench`. -->\n\n# Instructions, atomic read-modify-writes and barrier pairs\n\n\
         What is counted, and what it means, is in [performance.md](performance.md).\n\n```text\n{}\n```\n",
        text.trim_end()
    )
}

fn table(lines: &[Line]) -> Result<String> {
    let mut text = String::new();
    for (operation, name) in NAMES {
        for (bits, place) in [("byte", "own byte"), ("word", "shared word")] {
            writeln!(text, "{name}; bits in: {place}")?;
            writeln!(
                text,
                "  {:>5} | {:>7} {:>7} {:>5} | {:>7} {:>7} {:>5} | {:>5} | {:>7} {:>5}",
                "pages",
                "ours",
                "atomics",
                "pairs",
                "C",
                "atomics",
                "pairs",
                "ratio",
                "by hand",
                "pairs"
            )?;
            for line in lines
                .iter()
                .filter(|it| it.operation == operation && it.bits == bits)
            {
                let Line {
                    pages,
                    ours,
                    c,
                    limit,
                    ..
                } = line;
                writeln!(
                    text,
                    "  {pages:>5} | {:>7} {:>7} {:>5} | {:>7} {:>7} {:>5} | {:>5.2} | {:>7} {:>5}",
                    ours.instructions,
                    ours.atomics,
                    ours.pairs,
                    c.instructions,
                    c.atomics,
                    c.pairs,
                    f64::from(ours.instructions) / f64::from(c.instructions),
                    limit.instructions,
                    limit.pairs
                )?;
            }
            writeln!(text)?;
        }
    }
    Ok(text)
}

/// A line of the picture: its name, the operation, and which of its forms.
type Series = (&'static str, &'static str, fn(&Line) -> Count, RGBColor);

const SERIES: [Series; 8] = [
    (
        "per store, C",
        "per_store_pagealloc",
        |it| it.c,
        RGBColor(150, 150, 150),
    ),
    (
        "per store, this crate",
        "per_store_pagealloc",
        |it| it.ours,
        RGBColor(60, 60, 60),
    ),
    (
        "tolerant nesting, C",
        "tolerant_pagealloc",
        |it| it.c,
        RGBColor(230, 170, 60),
    ),
    (
        "tolerant nesting, this crate",
        "tolerant_pagealloc",
        |it| it.ours,
        RGBColor(190, 90, 20),
    ),
    (
        "nested sections, C",
        "map_pagealloc",
        |it| it.c,
        RGBColor(110, 170, 230),
    ),
    (
        "nested sections, this crate",
        "map_pagealloc",
        |it| it.ours,
        RGBColor(20, 80, 170),
    ),
    (
        "by hand, no mode",
        "map_pagealloc",
        |it| it.limit,
        RGBColor(60, 150, 70),
    ),
    (
        "range write, no DEBUG_PAGEALLOC",
        "range",
        |it| it.ours,
        RGBColor(150, 40, 140),
    ),
];

/// Draws the instructions of each page, and the barrier pairs, over the number of pages; the axes are logarithmic.
fn picture(lines: &[Line], bits: &str, file: &Path) -> Result<()> {
    let root = SVGBackend::new(file, (1080, 620)).into_drawing_area();
    root.fill(&WHITE)?;
    let place = if bits == "byte" {
        "a byte of the task's own"
    } else {
        "a shared flags word"
    };
    let root = root.titled(
        &format!("Mapping n pages with DEBUG_PAGEALLOC; the bits in {place}"),
        ("sans-serif", 22),
    )?;
    let (left, right) = root.split_horizontally(540);
    let instructions = Panel {
        what: "instructions for each page",
        range: 3.0..250.0,
        value: |count, pages| f64::from(count.instructions) / f64::from(pages),
        legend: true,
    };
    let pairs = Panel {
        what: "barrier pairs (dsb ishst; isb) in all",
        range: 0.8..2_000.0,
        value: |count, _| f64::from(count.pairs),
        legend: false,
    };
    instructions.draw(&left, lines, bits)?;
    pairs.draw(&right, lines, bits)?;
    root.present()?;
    Ok(())
}

/// Half of the picture.
struct Panel {
    what: &'static str,
    range: std::ops::Range<f64>,
    value: fn(Count, u32) -> f64,
    legend: bool,
}

impl Panel {
    fn draw(
        self,
        area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
        lines: &[Line],
        bits: &str,
    ) -> Result<()> {
        let mut chart = ChartBuilder::on(area)
            .caption(self.what, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(62)
            .build_cartesian_2d((0.9f64..600.0).log_scale(), self.range.log_scale())?;
        chart
            .configure_mesh()
            .x_desc("pages")
            .light_line_style(TRANSPARENT)
            .x_label_formatter(&|it| format!("{it:.0}"))
            .y_label_formatter(&|it| format!("{it:.0}"))
            .draw()?;
        for (name, operation, form, color) in SERIES {
            let points: Vec<(f64, f64)> = lines
                .iter()
                .filter(|it| it.operation == operation && it.bits == bits)
                .map(|it| (f64::from(it.pages), (self.value)(form(it), it.pages)))
                .collect();
            chart
                .draw_series(LineSeries::new(
                    points.iter().copied(),
                    color.stroke_width(2),
                ))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new(vec![(x, y), (x + 18, y)], color.stroke_width(3))
                });
            chart.draw_series(points.iter().map(|&it| Circle::new(it, 3, color.filled())))?;
        }
        if self.legend {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .background_style(WHITE.mix(0.85))
                .border_style(BLACK.mix(0.3))
                .label_font(("sans-serif", 13))
                .draw()?;
        }
        Ok(())
    }
}
