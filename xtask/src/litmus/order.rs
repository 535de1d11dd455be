//! Orders of instructions in the recorded outputs, as [`Order`](lazy_mmu_examples::trace::Order) writes them.
//!
//! Counts are not compared: what a batch of 64 executes, a litmus test states of two or three.

use anyhow::{Context, Result, bail, ensure};
use lazy_mmu_examples::trace::Step;

/// An order without its counts: each run of stores or invalidations is one, and a part up to an `isb` that is repeated
/// counts once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Shape(Vec<Vec<Step>>);

impl Shape {
    pub(super) fn of(steps: &[Step]) -> Self {
        // The repeated invalidation is for errata of CPUs, which the model does not have.
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

/// The order at the end of a text, and where it begins.
fn at_end(text: &str) -> Option<(usize, Vec<Step>)> {
    // From the front: the first word from which on everything is an order begins the longest.
    text.split(' ')
        .scan(0, |next, word| {
            let start = *next;
            *next += word.len() + 1;
            Some(start)
        })
        .find_map(|start| Some((start, parse(&text[start..])?)))
}

/// The steps that an order lists, each repetition once.
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
                // How often; an `n` stands for every number that was tried.
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
                // A word that begins with such a letter is not one.
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

/// The order that `citation` ends with, which stands in one line of `recorded`, whole. ` .. ` stands for what is left out.
pub(super) fn find(recorded: &str, citation: &str) -> Result<Vec<Step>> {
    let (start, steps) = at_end(citation)
        .with_context(|| format!("`{citation}` does not end with an order, such as S D I"))?;
    let order = &citation[start..];
    ensure!(
        start > 0,
        "`{citation}` says only the order: cite the words in front of it too"
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
    bail!("no line has `{citation}`, with the whole order as it is there")
}

/// Where in the line the citation may end, if its parts stand there in this order.
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
            "S D T d I",                     // anybody's
            "B20 unmap: S D T d",            // its end is missing
            "B20 unmap .. d I",              // its start is missing
            "break-before-make: S D t d I",  // its second half is missing
            "B20 unmap: S D I",              // another one
            "B20 unmap",                     // none
            "way other .. S*64 D I",         // of another line
            "way op .. S*64 D I is written", // no order
        ] {
            assert!(find(recorded, citation).is_err(), "{citation}");
        }
    }
}
