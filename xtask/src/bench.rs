//! `cargo xtask bench`: counts the instructions and barriers of the crate, of the same protocol in
//! C, and of assembly by hand, on the emulated CPU. It also draws `docs/performance.svg`.

use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use plotters::prelude::*;
use xshell::Shell;

use crate::{qemu, riscv64, setup};

/// The counts of one form of an operation: the crate, C, or assembly by hand.
#[derive(Clone, Copy)]
struct Count {
    instructions: u32,
    /// The barrier pairs, or the fences of RISC-V.
    barriers: u32,
}

/// A line of the output of a program `comparison`. For each form it has the instructions first, and
/// the barriers last. For RISC-V there is no count between them, and the steps end the line.
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
        let numbers: Vec<u32> = numbers.iter().map_while(|it| it.parse().ok()).collect();
        let (pages, counts) = match &numbers[..] {
            [pages, counts @ ..] if matches!(counts.len(), 6 | 9) => (*pages, counts),
            _ => bail!("not a line of the comparison: {line}"),
        };
        let count = |form| {
            let counts = &counts[form * counts.len() / 3..][..counts.len() / 3];
            Count {
                instructions: counts[0],
                barriers: counts[counts.len() - 1],
            }
        };
        Ok(Self {
            operation: (*operation).into(),
            bits: (*bits).into(),
            pages,
            ours: count(0),
            c: count(1),
            limit: count(2),
        })
    }
}

pub(crate) fn run(shell: &Shell) -> Result<()> {
    setup::qemu_parts(shell)?;
    let [output, scale] = qemu::comparison(shell)?;
    println!("{scale}");
    let aarch64 = lines("aarch64", &output)?;
    let riscv64 = lines("RISC-V", &riscv64::comparison(shell)?)?;
    let file = crate::workspace()?.join("docs/performance.svg");
    picture(&aarch64, &riscv64, &file)
        .with_context(|| format!("cannot draw {}", file.display()))?;
    println!("wrote {}", file.display());
    Ok(())
}

/// Prints the output of a program `comparison`, and returns its lines.
fn lines(architecture: &str, output: &str) -> Result<Vec<Line>> {
    println!("{architecture}\n{output}");
    let lines = output.lines().skip(1).map(str::parse);
    let lines = lines.collect::<Result<Vec<Line>>>()?;
    let behind = lines
        .iter()
        .filter(|it| it.ours.instructions > it.c.instructions)
        .map(|it| format!("{} ({}, {} pages)", it.operation, it.bits, it.pages));
    let behind: Vec<_> = behind.collect();
    println!("more instructions than C: {}\n", behind.join(", "));
    Ok(lines)
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

/// Draws the instructions per page and the barriers against the number of pages, for both
/// architectures. All axes are logarithmic.
fn picture(aarch64: &[Line], riscv64: &[Line], file: &Path) -> Result<()> {
    let root = SVGBackend::new(file, (1080, 1180)).into_drawing_area();
    root.fill(&WHITE)?;
    let title = "Mapping n pages with DEBUG_PAGEALLOC; the bits in a byte of the task's own";
    let root = root.titled(title, ("sans-serif", 22))?;
    let panels = root.split_evenly((2, 2));
    let architectures = [
        (
            aarch64,
            "aarch64: instructions for each page",
            "aarch64: barrier pairs (dsb ishst; isb) in all",
        ),
        (
            riscv64,
            "RISC-V: instructions for each page",
            "RISC-V: fences (sfence.vma) in all",
        ),
    ];
    for ((lines, instructions, barriers), panels) in architectures.iter().zip(panels.chunks(2)) {
        let instructions = Panel {
            what: instructions,
            range: 3.0..250.0,
            value: |count, pages| f64::from(count.instructions) / f64::from(pages),
            legend: true,
        };
        let barriers = Panel {
            what: barriers,
            range: 0.8..2_000.0,
            value: |count, _| f64::from(count.barriers),
            legend: false,
        };
        instructions.draw(&panels[0], lines)?;
        barriers.draw(&panels[1], lines)?;
    }
    root.present()?;
    Ok(())
}

/// One panel of the picture.
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
