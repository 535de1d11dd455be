//! The reference model: what each program must do, written from the list of behaviours, with an
//! explicit stack where the crate has four bits.

use std::collections::BTreeMap;
use std::ops::Range;

use lazy_mmu::raw::Kind;

use crate::program::{End, Op, Scope};

/// What is in hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hand {
    /// The task's handle.
    Handle,
    /// A section.
    Section {
        /// Its token says that it took no effect (S14, C01).
        inert: bool,
        /// It descends from the handle's section: `nest` is then Nested by its type, whatever the
        /// token says.
        of_handle: bool,
    },
    /// Nothing.
    Nothing,
}

#[derive(Default)]
struct Model {
    /// The sections and pauses that took effect, numbered in the order in which they were opened.
    /// A forgotten section stays until a section around it is left.
    open: BTreeMap<usize, Scope>,
    next: usize,
    /// A store awaits its pair.
    pending: bool,
    interrupts: usize,
    /// The handle's section, if its guard was forgotten.
    forgotten: Option<Left>,
    trace: String,
}

/// A section that is about to be left.
struct Left {
    /// Itself, and what was opened in it and forgotten.
    inside: Range<usize>,
    kind: Kind,
    /// By the handle, which asks the bits.
    by_bits: bool,
}

/// The trace of `program`.
pub fn run(program: &[Op]) -> String {
    let mut model = Model::default();
    model.ops(Hand::Handle, program);
    model.heal();
    assert!(!model.pending, "the model itself loses no pair");
    model.trace
}

impl Model {
    fn paused(&self) -> bool {
        self.open.values().any(|it| *it == Scope::Pause)
    }

    fn in_section(&self) -> bool {
        self.open.values().any(|it| *it == Scope::Section)
    }

    /// S01 to S03, S14, C01.
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

    /// B17.
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

    /// B02 to B07, S15, C03.
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

    /// In an interrupt what is pending is the interrupted thread's: it stays so.
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
            // `nest` asks nobody: it is what its parent is.
            Hand::Section {
                inert: true,
                of_handle: false,
            } => Kind::Inert,
            Hand::Section { .. } => Kind::Nested,
            // The handle's section is not entered in an interrupt; programs have none around it.
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
        // While the mode is paused nothing is opened.
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
            // The closure form cannot be forgotten.
            (Hand::Nothing, _) | (_, End::Leave | End::Panic) => self.leave(section),
            // S20: it stays open until something around it is left. S21: the handle remembers its
            // section.
            (Hand::Handle, End::Forget) if kind == Kind::Outermost => {
                self.forgotten = Some(section);
            }
            (_, End::Forget) => {}
        }
    }

    /// S04 to S07, S19; S26: pauses end with the outermost.
    fn leave(&mut self, section: Left) {
        let (inside, kind, by_bits) = (section.inside, section.kind, section.by_bits);
        if kind == Kind::Inert && !by_bits {
            self.trace.push(']');
            return;
        }
        // S20: with the forgotten ones inside. A pause around the heal stays.
        self.open
            .retain(|number, what| *what == Scope::Pause || !inside.contains(number));
        self.settle();
        self.trace.push(match kind {
            Kind::Outermost => ')',
            _ if by_bits && self.paused() => ']',
            _ => '>',
        });
    }

    /// S27.
    fn join(&mut self, ops: &[Op]) {
        if self.active() {
            let (inert, of_handle) = (false, false);
            self.ops(Hand::Section { inert, of_handle }, ops);
        } else {
            self.section(Hand::Nothing, ops, End::Leave);
        }
    }

    /// S10 to S13.
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

    /// S21: the handle leaves in the place of a forgotten guard.
    fn heal(&mut self) {
        if let Some(mut section) = self.forgotten.take() {
            // Callees that joined it since may have forgotten sections of theirs.
            section.inside.end = self.next;
            self.leave(section);
        }
    }
}
