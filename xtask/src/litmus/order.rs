//! Reads the orders of instructions in the recorded outputs. [`Order`] writes them.
//!
//! Counts are not compared, because a kernel makes 64 stores where a litmus test makes only a few.
//!
//! [`Order`]: lazy_mmu_examples::trace::Order

use anyhow::{Context, Result, bail, ensure};
use lazy_mmu_examples::trace::Step;

/// An order without its counts. A run of stores or of invalidations counts as one, and so do equal
/// parts in a row. A part ends with an `isb`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Shape(Vec<Vec<Step>>);

impl Shape {
    pub(super) fn of(steps: &[Step]) -> Self {
        // The repeated invalidation is for errata of CPUs, and the model has no errata.
        let mut steps = steps.to_vec();
        while let Some(at) = steps
            .windows(2)
            .position(|it| it == [Step::TlbiRepeated, Step::DsbIsh])
        {
            steps.drain(at..at + 2);
        }
        let mut parts: Vec<Vec<Step>> = steps
            .split_inclusive(|&it| it == Step::Isb)
            .map(<[Step]>::to_vec)
            .collect();
        for part in &mut parts {
            part.dedup_by(|a, b| a == b && matches!(a, Step::Store | Step::Tlbi | Step::TlbiTable));
        }
        parts.dedup();
        Self(parts)
    }
}

/// Finds the order at the end of a text. Returns the offset where it begins, and its steps.
fn at_end(text: &str) -> Option<(usize, Vec<Step>)> {
    // The search begins at the front, because the longest order is meant.
    text.split(' ')
        .scan(0, |next, word| {
            let start = *next;
            *next += word.len() + 1;
            Some(start)
        })
        .find_map(|start| Some((start, parse(&text[start..])?)))
}

/// Returns the steps of an order. A repeated part appears once.
fn parse(order: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut depth = 0_usize;
    let mut rest = order.chars().peekable();
    let mut can_repeat = false;
    while let Some(letter) = rest.next() {
        let repeats = can_repeat;
        can_repeat = false;
        match letter {
            ' ' => {}
            '(' => depth += 1,
            ')' => {
                depth = depth.checked_sub(1)?;
                can_repeat = true;
            }
            '*' if repeats => {
                // The number of repetitions. An `n` stands for every number that a kernel tried.
                let mut digits = 0;
                while rest
                    .next_if(|it| it.is_ascii_digit() || *it == 'n')
                    .is_some()
                {
                    digits += 1;
                }
                if digits == 0 {
                    return None;
                }
            }
            letter => {
                steps.push(step(letter)?);
                can_repeat = true;
                // A longer word may begin with the letter of a step, and is not a step.
                if rest.peek().is_some_and(|it| !" )*".contains(*it)) {
                    return None;
                }
            }
        }
    }
    (depth == 0 && !steps.is_empty()).then_some(steps)
}

fn step(letter: char) -> Option<Step> {
    Some(match letter {
        'S' => Step::Store,
        'D' => Step::DsbIshst,
        'd' => Step::DsbIsh,
        'y' => Step::DsbSy,
        'M' => Step::DmbIshst,
        'I' => Step::Isb,
        'T' => Step::Tlbi,
        't' => Step::TlbiTable,
        'R' => Step::TlbiRepeated,
        _ => return None,
    })
}

/// Returns the order at the end of `citation`, if a line of `recorded` contains the citation with
/// the whole order. ` .. ` stands for words that the citation leaves out.
pub(super) fn find(recorded: &str, citation: &str) -> Result<Vec<Step>> {
    let (start, steps) = at_end(citation)
        .with_context(|| format!("`{citation}` does not end with an order, such as S D I"))?;
    let order = &citation[start..];
    ensure!(
        start > 0,
        "`{citation}` is only an order: cite the words in front of it too"
    );
    for line in recorded.lines() {
        let line: Vec<&str> = line.split_whitespace().collect();
        let line = line.join(" ");
        let Some(ends) = ends(&line, citation) else {
            continue;
        };
        for end in ends {
            let whole = at_end(&line[..end]).is_some_and(|(start, _)| &line[start..end] == order);
            let goes_on = line[end..].starts_with(|it| !",;:".contains(it));
            if whole && !goes_on {
                return Ok(steps);
            }
        }
    }
    bail!("no line contains `{citation}` with the whole order")
}

/// Returns the offsets where the citation may end, if the line has all its parts in this order.
fn ends(line: &str, citation: &str) -> Option<Vec<usize>> {
    let mut parts: Vec<&str> = citation.split(" .. ").collect();
    let last = parts.pop()?;
    let mut from = 0;
    for part in parts {
        from += line[from..].find(part)? + part.len();
    }
    let ends = line[from..].match_indices(last);
    Some(ends.map(|(at, _)| from + at + last.len()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(order: &str) -> Shape {
        Shape::of(&parse(order).expect(order))
    }

    #[test]
    fn counts_do_not_matter_and_the_order_does() {
        assert_eq!(shape("S*64 D I"), shape("S D I"));
        assert_eq!(shape("S*8 D I (S*16 D I)*7 S*8 D I"), shape("S D I"));
        assert_eq!(shape("S*2 D T*n d I"), shape("S D T d I"));
        assert_eq!(shape("S D T d R d I"), shape("S D T d I"));
        assert_ne!(shape("S D T R d I"), shape("S D T d I"));
        for other in [
            "S I D",
            "S D",
            "S I",
            "S d I",
            "S D D I",
            "S D T d I",
            "S D S D I",
        ] {
            assert_ne!(shape(other), shape("S D I"), "{other}");
        }
        assert_ne!(shape("S D t d I"), shape("S D T d I"));
    }

    #[test]
    fn what_is_no_order_is_refused() {
        for text in [
            "", "0", "SDI", "S*", "*2 S", "(S D I", "S)", "S D Isb", "each",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_citation_is_found_whole() {
        let recorded =
            "B20 unmap: S D T d I; break-before-make: S D t d I S D I\nway  op   tlbi 0   S*64 D I";
        for citation in [
            "B20 unmap: S D T d I",
            "break-before-make: S D t d I S D I",
            "way op .. S*64 D I",
        ] {
            assert!(find(recorded, citation).is_ok(), "{citation}");
        }
        for citation in [
            "S D T d I",                     // only an order
            "B20 unmap: S D T d",            // the end is missing
            "B20 unmap .. d I",              // the start is missing
            "break-before-make: S D t d I",  // the second half is missing
            "B20 unmap: S D I",              // a different order
            "B20 unmap",                     // an order is missing
            "way other .. S*64 D I",         // a different line
            "way op .. S*64 D I is written", // words after the order
        ] {
            assert!(find(recorded, citation).is_err(), "{citation}");
        }
    }
}
