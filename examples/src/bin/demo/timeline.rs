//! The stores, barriers and sections of the nested way, in order, with repetitions folded.

use std::fmt;
use std::mem::discriminant;

use lazy_mmu::sim::Event;
use lazy_mmu_examples::trace::repetition;

use crate::InWays;

/// The text that `--timeline` prints.
pub(crate) struct Timeline<'a>(pub(crate) &'a [InWays]);

impl fmt::Display for Timeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "Stores and barriers with sections. \
             A square bracket is a section, a round one repeats.\n",
        )?;
        for [.., nested] in self.0 {
            writeln!(f, "\n{}", nested.name)?;
            write_events(f, &nested.events, 0)?;
        }
        Ok(())
    }
}

/// Writes `events`, which are inside `depth` sections.
fn write_events(f: &mut fmt::Formatter<'_>, events: &[Event], mut depth: usize) -> fmt::Result {
    let is_same = |one: &Event, two: &Event| discriminant(one) == discriminant(two);
    let mut rest = events;
    while let [first, ..] = rest {
        let (period, times) = repetition(rest, is_same, is_whole);
        if times > 2 {
            let bars = "│ ".repeat(depth);
            let group = &rest[..period];
            match first {
                Event::Store { .. } if period == 1 => {
                    write_events(f, group, depth)?;
                    writeln!(f, "{bars}… {} more stores", times - 1)?;
                }
                _ => {
                    writeln!(f, "{bars}╭ {times} times")?;
                    write_events(f, group, depth + 1)?;
                    writeln!(f, "{bars}╰")?;
                }
            }
            rest = &rest[period * times..];
            continue;
        }
        if matches!(first, Event::Leave(_)) {
            depth -= 1;
        }
        write!(f, "{}", "│ ".repeat(depth))?;
        rest = &rest[1..];
        match first {
            Event::Store { slot, value } => {
                let (table, entry) = (slot & !0xfff, slot % 4096 / 8);
                writeln!(f, "store {value:#018x} to table {table:#x}, entry {entry}")?;
            }
            Event::DsbIshst if rest.first() == Some(&Event::Isb) => {
                writeln!(f, "dsb ishst; isb")?;
                rest = &rest[1..];
            }
            Event::DsbIshst if matches!(rest, [Event::Store { .. }, ..]) => {
                writeln!(f, "dsb ishst, the zeros of a table before its link")?;
            }
            Event::DsbIshst => writeln!(f, "dsb ishst")?,
            Event::DsbIsh => writeln!(f, "dsb ish")?,
            Event::Isb => writeln!(f, "isb")?,
            Event::Tlbi(address) => writeln!(f, "tlbi {address:#x}")?,
            Event::TlbiRepeated => writeln!(f, "tlbi once more, for CPUs with CVE-2025-10263")?,
            Event::Enter(kind) => {
                writeln!(f, "┌ {} section", format!("{kind:?}").to_lowercase())?;
                depth += 1;
            }
            Event::Leave(_) => writeln!(f, "└ leave")?,
            other => writeln!(f, "{other:?}")?,
        }
    }
    Ok(())
}

/// Returns whether a fold can repeat `events`: they do not divide a section or an invalidation.
fn is_whole(events: &[Event]) -> bool {
    let depth = events.iter().try_fold(0_usize, |depth, event| match event {
        Event::Enter(_) => Some(depth + 1),
        Event::Leave(_) => depth.checked_sub(1),
        _ => Some(depth),
    });
    let starts = matches!(events, [_] | [Event::Enter(_) | Event::Store { .. }, ..]);
    starts && depth == Some(0)
}
