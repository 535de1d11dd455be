//! The instructions of an operation, in a form that is the same for both machines.
//!
//! The hosted machine takes the instructions from its backend's trace, and the QEMU kernel from its
//! single steps. Both print them with this module, so that the texts can be compared.

use core::{fmt, iter};

/// One instruction that changes tables, or orders or completes such changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Step {
    /// A 64-bit store to an entry of a translation table.
    Store,
    /// `dsb ishst`
    DsbIshst,
    /// `dsb ish`
    DsbIsh,
    /// `dsb nsh`
    DsbNsh,
    /// `dsb sy`
    DsbSy,
    /// `dmb ishst`
    DmbIshst,
    /// `isb`
    Isb,
    /// A TLB invalidation of leaves, or of everything.
    Tlbi,
    /// A TLB invalidation of leaves, and of the cached entries of the tables above them.
    TlbiTable,
    /// A TLB invalidation on only this CPU.
    TlbiHere,
    /// The TLB invalidation that is repeated on CPUs with an erratum (B31).
    TlbiRepeated,
}

/// The number of steps of each kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// The descriptor stores.
    pub stores: usize,
    /// The `dsb ishst`, also in TLB invalidations.
    pub dsb_ishst: usize,
    /// The `isb`, also in TLB invalidations.
    pub isb: usize,
    /// The barrier pairs: each `dsb ishst` whose next step is an `isb`.
    pub pairs: usize,
    /// The TLB invalidations.
    pub tlbi: usize,
}

impl Counts {
    /// Counts `steps`.
    pub fn of(steps: &[Step]) -> Self {
        let count = |wanted| steps.iter().filter(|&&it| it == wanted).count();
        Self {
            stores: count(Step::Store),
            dsb_ishst: count(Step::DsbIshst),
            isb: count(Step::Isb),
            pairs: steps
                .windows(2)
                .filter(|two| matches!(two, [Step::DsbIshst, Step::Isb]))
                .count(),
            tlbi: count(Step::Tlbi) + count(Step::TlbiTable) + count(Step::TlbiRepeated),
        }
    }
}

/// One line with the counts of an operation and the order of its steps.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The way in which sections behave: per store, tolerant or nested.
    pub way: &'a str,
    /// The name of the operation.
    pub operation: &'a str,
    /// The steps of the operation.
    pub steps: &'a [Step],
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Counts::of(self.steps);
        write!(
            f,
            "{:<9} {:<19} stores {:<5} dsb ishst {:<5} isb {:<5} pairs {:<5} tlbi {:<5} {}",
            self.way,
            self.operation,
            counts.stores,
            counts.dsb_ishst,
            counts.isb,
            counts.pairs,
            counts.tlbi,
            Order(self.steps),
        )
    }
}

/// The order of steps, with repetitions folded: `(S*8 D I)*64` is 64 times eight stores and a pair.
///
/// * `S`: a descriptor store
/// * `D`: `dsb ishst`, `d`: `dsb ish`, `n`: `dsb nsh`, `y`: `dsb sy`, `M`: `dmb ishst`, `I`: `isb`
/// * `T`: a TLB invalidation, `t`: also of tables, `h`: on only this CPU, `R`: repeated
#[derive(Clone, Copy, Debug)]
pub struct Order<'a>(pub &'a [Step]);

impl Order<'_> {
    /// Returns whether a fold can repeat `steps`.
    ///
    /// A group of several steps ends with an `isb`, so that a fold does not divide an operation.
    fn is_whole(steps: &[Step]) -> bool {
        matches!(steps, [_] | [.., Step::Isb])
    }
}

/// Returns the repetition at the start of `items` that covers most of them.
///
/// The result is the period, and the number of repetitions. `is_whole` says which groups can be
/// repeated. Without a repetition, the result is `(1, 1)`.
pub fn repetition<T>(
    items: &[T],
    is_same: impl Fn(&T, &T) -> bool,
    is_whole: impl Fn(&[T]) -> bool,
) -> (usize, usize) {
    const LONGEST: usize = 160;
    let mut best = (1, 1);
    for period in 1..=LONGEST.min(items.len() / 2) {
        let group = &items[..period];
        let is_group = |it: &&[T]| iter::zip(group, *it).all(|(one, two)| is_same(one, two));
        let times = items.chunks_exact(period).take_while(is_group).count();
        if times > 1 && period * times > best.0 * best.1 && is_whole(group) {
            best = (period, times);
        }
    }
    best
}

impl fmt::Display for Order<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut separator = "";
        while !rest.is_empty() {
            let (period, times) = repetition(rest, Step::eq, Self::is_whole);
            let (group, _) = rest.split_at(period);
            f.write_str(separator)?;
            if let [step] = group {
                f.write_str(match step {
                    Step::Store => "S",
                    Step::DsbIshst => "D",
                    Step::DsbIsh => "d",
                    Step::DsbNsh => "n",
                    Step::DsbSy => "y",
                    Step::DmbIshst => "M",
                    Step::Isb => "I",
                    Step::Tlbi => "T",
                    Step::TlbiTable => "t",
                    Step::TlbiHere => "h",
                    Step::TlbiRepeated => "R",
                })?;
            } else {
                write!(f, "({})", Order(group))?;
            }
            if times > 1 {
                write!(f, "*{times}")?;
            }
            rest = &rest[period * times..];
            separator = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{DsbIsh, DsbIshst, Isb, Store, Tlbi};

    #[test]
    fn order_folds_repetitions_and_counts_see_pairs() {
        let mut steps = Vec::new();
        for _ in 0..3 {
            steps.extend([Store, Store, DsbIshst, Isb]);
        }
        steps.extend([Store, DsbIshst, Tlbi, Tlbi, DsbIsh, Isb]);
        assert_eq!(Order(&steps).to_string(), "(S*2 D I)*3 S D T*2 d I");
        let counts = Counts::of(&steps);
        assert_eq!(counts.pairs, 3, "invalidations have no pair");
        assert_eq!((counts.dsb_ishst, counts.isb, counts.tlbi), (4, 4, 2));
        assert_eq!(counts.stores, 7);
        assert_eq!(Order(&[]).to_string(), "");
    }
}
