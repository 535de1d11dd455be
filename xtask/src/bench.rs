//! `cargo xtask bench`: counts the instructions and barriers of the crate, of the same protocol in
//! C, and of assembly by hand, on the emulated CPU. It also draws `docs/performance.svg`.

use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use plotters::prelude::*;
use xshell::Shell;

use crate::{qemu, setup};

/// The counts of one form of an operation: the crate, C, or assembly by hand.
#[derive(Clone, Copy)]
struct Count {
    instructions: u32,
    pairs: u32,
}

/// A line of the output of the program `comparison`.
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
            bail!("not a line of the comparison: {line}");
        };
        let numbers = numbers
            .iter()
            .map(|it| it.parse())
            .collect::<Result<Vec<u32>, _>>()
            .with_context(|| format!("not a line of the comparison: {line}"))?;
        let [pages, counts @ ..] = &numbers[..] else {
            bail!("not a line of the comparison: {line}");
        };
        let mut counts = counts
            .as_chunks()
            .0
            .iter()
            .map(|&[instructions, _atomics, pairs]| Count {
                instructions,
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

pub(crate) fn run(shell: &Shell) -> Result<()> {
    setup::qemu_parts(shell)?;
    let [output, scale] = qemu::comparison(shell)?;
    println!("{output}\n{scale}");
    let lines = output
        .lines()
        .skip(1)
        .map(str::parse)
        .collect::<Result<Vec<Line>>>()?;
    let behind: Vec<_> = lines
        .iter()
        .filter(|it| it.ours.instructions > it.c.instructions)
        .map(|it| format!("{} ({}, {} pages)", it.operation, it.bits, it.pages))
        .collect();
    println!("more instructions than C: {}", behind.join(", "));
    let file = crate::workspace()?.join("docs/performance.svg");
    picture(&lines, &file).with_context(|| format!("cannot draw {}", file.display()))?;
    println!("wrote {}", file.display());
    Ok(())
}

/// A line of the picture: its name, the operation, the form of the operation, and the colour.
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

/// Draws the instructions per page and the barrier pairs against the number of pages. Both axes are
/// logarithmic.
fn picture(lines: &[Line], file: &Path) -> Result<()> {
    let root = SVGBackend::new(file, (1080, 620)).into_drawing_area();
    root.fill(&WHITE)?;
    let title = "Mapping n pages with DEBUG_PAGEALLOC; the bits in a byte of the task's own";
    let root = root.titled(title, ("sans-serif", 22))?;
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
    instructions.draw(&left, lines)?;
    pairs.draw(&right, lines)?;
    root.present()?;
    Ok(())
}

/// One half of the picture.
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
                .filter(|it| it.operation == operation && it.bits == "byte")
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
