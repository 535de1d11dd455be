//! The reference model, which computes the trace that each program must have.
//!
//! It follows `docs/behaviours.md`, and lists the open scopes. The crate has four bits instead.

use std::collections::BTreeMap;
use std::ops::Range;

use lazy_mmu::raw::Kind;

use crate::program::{End, Op, Scope};

/// The value through which the code enters, stores and flushes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hand {
    /// The task's handle.
    Handle,
    /// A section.
    Section {
        /// Its enter had no effect (S14, C01).
        inert: bool,
        /// It is the handle's section or nested in it, so the type of its `nest` is `Nested`.
        of_handle: bool,
    },
    /// The code has neither the handle nor a section.
    Nothing,
}

#[derive(Default)]
struct Model {
    /// The open sections and pauses that had an effect, by number in the order of their opening.
    /// A forgotten section stays open until the leave of a section around it.
    open: BTreeMap<usize, Scope>,
    next: usize,
    /// A store awaits its barrier pair.
    pending: bool,
    interrupts: usize,
    /// The section of the handle, if its guard was forgotten.
    forgotten: Option<Left>,
    trace: String,
}

/// A section before its leave.
struct Left {
    /// The numbers of the section, and of the forgotten scopes inside it.
    inside: Range<usize>,
    kind: Kind,
    /// It is the section of the handle, whose leave reads the bits.
    by_bits: bool,
}

/// Returns the trace of `program`.
pub fn run(program: &[Op]) -> String {
    let mut model = Model::default();
    model.ops(Hand::Handle, program);
    model.heal();
    assert!(!model.pending, "the model must not lose a pair");
    model.trace
}

impl Model {
    fn paused(&self) -> bool {
        self.open.values().any(|it| *it == Scope::Pause)
    }

    fn in_section(&self) -> bool {
        self.open.values().any(|it| *it == Scope::Section)
    }

    /// Returns whether stores are deferred (S01 to S03, S14, C01).
    fn active(&self) -> bool {
        self.interrupts == 0 && self.in_section() && !self.paused()
    }

    fn open(&mut self, what: Scope) {
        self.open.insert(self.next, what);
        self.next += 1;
    }

    fn pair(&mut self) {
        self.trace.push_str("DI");
    }

    /// Emits the pair if a store is pending (B17).
    fn settle(&mut self) {
        if self.pending {
            self.pending = false;
            self.pair();
        }
    }

    fn ops(&mut self, hand: Hand, ops: &[Op]) {
        for op in ops {
            match op {
                Op::Store(needs_pair) => self.store(hand, *needs_pair),
                Op::Flush => self.flush(),
                Op::Scope(Scope::Section, ops, end) => self.section(hand, ops, *end),
                Op::Scope(Scope::Unknowing, ops, _) => {
                    self.section(Hand::Nothing, ops, End::Leave);
                }
                Op::Scope(Scope::Join, ops, _) => self.join(ops),
                Op::Scope(Scope::Pause, ops, _) => self.pause(hand, ops),
                Op::Scope(Scope::Interrupt, ops, _) => {
                    self.trace.push('{');
                    self.interrupts += 1;
                    self.ops(Hand::Nothing, ops);
                    self.interrupts -= 1;
                    self.trace.push('}');
                }
            }
        }
    }

    /// Stores an entry (B02 to B07, S15, C03).
    fn store(&mut self, hand: Hand, needs_pair: bool) {
        self.trace.push('S');
        if !needs_pair {
            return;
        }
        if self.active() && !matches!(hand, Hand::Section { inert: true, .. }) {
            self.pending = true;
        } else {
            self.pair();
        }
    }

    /// Flushes. In an interrupt, the pending pair belongs to the interrupted thread, and stays
    /// pending.
    fn flush(&mut self) {
        if self.interrupts == 0 {
            self.settle();
        }
    }

    fn section(&mut self, hand: Hand, ops: &[Op], end: End) {
        if hand == Hand::Handle {
            self.heal();
        }
        let kind = match hand {
            // `nest` does not read the bits. It has no effect if its parent had no effect.
            Hand::Section {
                inert: true,
                of_handle: false,
            } => Kind::Inert,
            Hand::Section { .. } => Kind::Nested,
            // The programs do not enter the handle's section in an interrupt.
            _ if self.interrupts > 0 || self.paused() => Kind::Inert,
            _ if self.in_section() => Kind::Nested,
            _ => Kind::Outermost,
        };
        self.trace.push(match kind {
            Kind::Outermost => '(',
            Kind::Nested => '<',
            Kind::Inert => '[',
        });
        let first = self.next;
        // A section that is entered while the mode is paused has no effect.
        if kind != Kind::Inert && !self.paused() {
            self.open(Scope::Section);
        }
        let inert = kind == Kind::Inert;
        let of_handle = match hand {
            Hand::Handle => true,
            Hand::Section { of_handle, .. } => of_handle,
            Hand::Nothing => false,
        };
        self.ops(Hand::Section { inert, of_handle }, ops);
        let section = Left {
            inside: first..self.next,
            kind,
            by_bits: hand == Hand::Handle,
        };
        match (hand, end) {
            // The section of a closure cannot be forgotten.
            (Hand::Nothing, _) | (_, End::Leave | End::Panic) => self.leave(section),
            // The section stays open until the leave of a section around it (S20). The handle
            // leaves its own forgotten section (S21).
            (Hand::Handle, End::Forget) if kind == Kind::Outermost => {
                self.forgotten = Some(section);
            }
            (_, End::Forget) => {}
        }
    }

    /// Leaves a section (S04 to S07, S19).
    fn leave(&mut self, section: Left) {
        let (inside, kind, by_bits) = (section.inside, section.kind, section.by_bits);
        if kind == Kind::Inert && !by_bits {
            self.trace.push(']');
            return;
        }
        // The leave also closes the forgotten sections inside (S20). Pauses stay open.
        self.open
            .retain(|number, what| *what == Scope::Pause || !inside.contains(number));
        self.settle();
        self.trace.push(match kind {
            Kind::Outermost => ')',
            _ if by_bits && self.paused() => ']',
            _ => '>',
        });
    }

    /// Runs `ops` in a section that joins the caller's (S27).
    fn join(&mut self, ops: &[Op]) {
        if self.active() {
            let (inert, of_handle) = (false, false);
            self.ops(Hand::Section { inert, of_handle }, ops);
        } else {
            self.section(Hand::Nothing, ops, End::Leave);
        }
    }

    /// Runs `ops` in a pause (S10 to S13).
    fn pause(&mut self, hand: Hand, ops: &[Op]) {
        let effective = self.interrupts == 0 && !self.paused();
        let number = self.next;
        if effective {
            self.settle();
            self.trace.push('|');
            self.open(Scope::Pause);
        } else {
            self.trace.push('-');
        }
        match hand {
            Hand::Handle => self.ops(hand, ops),
            _ => self.ops(Hand::Nothing, ops),
        }
        if effective {
            self.open.remove(&number);
            self.trace.push('/');
        }
    }

    /// Leaves the section of the handle if its guard was forgotten (S21).
    fn heal(&mut self) {
        if let Some(mut section) = self.forgotten.take() {
            // Callees that joined the section may have forgotten their own sections since.
            section.inside.end = self.next;
            self.leave(section);
        }
    }
}
