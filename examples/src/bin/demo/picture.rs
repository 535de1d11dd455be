//! An SVG picture of the operations. Each has a lane without sections, and a lane with them.

use std::fmt;

use lazy_mmu::raw::Kind;
use lazy_mmu::sim::Event;

use crate::InWays;

/// The picture that `--svg` writes.
pub(crate) struct Picture<'a>(pub(crate) &'a [InWays]);

/// The positions of the stores, pairs and sections of one way. The unit is one event.
#[derive(Default)]
struct Lane {
    stores: Vec<u32>,
    pairs: Vec<u32>,
    /// The beginning, the end, and the distance of the box from the edges of the lane, in pixels.
    sections: Vec<(u32, u32, usize)>,
    length: u32,
}

impl Lane {
    fn of(events: &[Event]) -> Self {
        let mut lane = Self::default();
        let mut open = Vec::new();
        for (i, event) in events.iter().enumerate() {
            let at = lane.length;
            match event {
                Event::Store { .. } => lane.stores.push(at),
                Event::Isb if events[..i].ends_with(&[Event::DsbIshst]) => {
                    lane.pairs.push(at);
                    lane.length += 1;
                }
                // An inert section takes its place, but is not drawn, because it has no effect.
                Event::Enter(Kind::Inert) | Event::Leave(Kind::Inert) => {}
                Event::Enter(_) => {
                    lane.sections.push((at, at, 8 * open.len()));
                    open.push(lane.sections.len() - 1);
                }
                Event::Leave(_) => {
                    let section = open.pop().expect("it was entered");
                    lane.sections[section].1 = at + 1;
                }
                _ => continue,
            }
            lane.length += 1;
        }
        lane
    }

    /// Draws the lane below `top`. `scale` is the pixels for each event.
    fn draw(&self, f: &mut fmt::Formatter<'_>, way: &str, top: usize, scale: f64) -> fmt::Result {
        let x = |at: u32, part: f64| f64::from(MARGIN) + scale * (f64::from(at) + part);
        let (stores, pairs) = (self.stores.len(), self.pairs.len());
        let y = top + 16;
        writeln!(
            f,
            r#"<text x="{MARGIN}" y="{y}">{way}: stores {stores}, barrier pairs {pairs}</text>"#
        )?;
        for &(start, end, inset) in &self.sections {
            let (x, width) = (x(start, 0.1), scale * (f64::from(end - start) - 0.2));
            let (y, height) = (top + 24 + inset, 56 - 2 * inset);
            writeln!(
                f,
                r#"<rect class="section" x="{x:.1}" y="{y}" width="{width:.1}" height="{height}"/>"#
            )?;
        }
        let width = (0.3 * scale).clamp(0.2, 2.0);
        write!(f, r#"<path class="store" stroke-width="{width:.1}" d=""#)?;
        for &store in &self.stores {
            write!(f, "M{:.1} {}v16", x(store, 0.5), top + 44)?;
        }
        let width = scale.clamp(1.5, 6.0);
        write!(
            f,
            "\"/>\n<path class=\"pair\" stroke-width=\"{width:.1}\" d=\""
        )?;
        for &pair in &self.pairs {
            write!(f, "M{:.1} {}v28", x(pair, 1.0), top + 38)?;
        }
        writeln!(f, "\"/>")
    }
}

const WIDTH: u32 = 960;
const MARGIN: u32 = 24;

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const XMLNS: &str = "http://www.w3.org/2000/svg";
        const SCALE: &str = "Lengths show the number of stores, barriers, enters and leaves. \
                             They do not show time.";
        const LEGEND: usize = 84;
        const LANE: usize = 88;
        const OPERATION: usize = 28 + 2 * LANE;
        let height = LEGEND + OPERATION * self.0.len() + 16;
        writeln!(
            f,
            r##"<svg xmlns="{XMLNS}" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}">
<title>Stores and barrier pairs, without and with lazy MMU sections</title>
<style>
text {{ font: 14px sans-serif; fill: #1f2328 }}
.operation {{ font: bold 16px monospace }}
.section {{ fill: #0969da; fill-opacity: 0.15; stroke: #0969da }}
.store {{ stroke: #57606a }}
.pair {{ stroke: #cf222e }}
</style>
<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>
<path class="store" stroke-width="2" d="M28 28v16"/>
<text x="38" y="41">a store to a page table</text>
<path class="pair" stroke-width="6" d="M228 22v28"/>
<text x="238" y="41">a barrier pair, dsb ishst; isb</text>
<rect class="section" x="460" y="20" width="44" height="32"/>
<rect class="section" x="470" y="26" width="24" height="20"/>
<text x="512" y="41">a section, and a section nested in it</text>
<text x="{MARGIN}" y="74">{SCALE}</text>"##
        )?;
        for (number, operation) in self.0.iter().enumerate() {
            let top = LEGEND + OPERATION * number;
            let [per_store, _, nested] = operation.each_ref().map(|it| Lane::of(&it.events));
            let y = top + 22;
            let name = operation[0].name;
            writeln!(
                f,
                r#"<text class="operation" x="{MARGIN}" y="{y}">{name}</text>"#
            )?;
            // Both lanes have one scale, so the way with fewer events has the shorter lane.
            let length = per_store.length.max(nested.length).max(1);
            let scale = f64::from(WIDTH - 2 * MARGIN) / f64::from(length);
            per_store.draw(f, "without sections", top + 28, scale)?;
            nested.draw(f, "with sections", top + 28 + LANE, scale)?;
        }
        writeln!(f, "</svg>")
    }
}
