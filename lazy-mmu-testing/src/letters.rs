//! A trace as a word, one letter an event, so that a test shows it whole. Shared by the test
//! programs.

use lazy_mmu::raw::Kind;
use lazy_mmu::sim::Event;

/// `S` store, `D` `dsb ishst`, `I` `isb`, `T` TLBI by address, `t` with the tables, `A` of
/// everything, `d` `dsb ish`, `(` `<` `[` enter Outermost, Nested, Inert, `)` `>` `]` the leaves,
/// `|` an outermost pause, `/` its resume, `-` a pause that changes nothing, `{` `}` an interrupt.
pub fn letters(events: &[Event]) -> String {
    events
        .iter()
        .map(|event| match event {
            Event::Store { .. } => 'S',
            Event::DsbIshst => 'D',
            Event::Isb => 'I',
            Event::DsbIsh => 'd',
            Event::DsbNsh => 'n',
            Event::Tlbi(_) => 'T',
            Event::TlbiTable(_) => 't',
            Event::TlbiAll => 'A',
            Event::TlbiForm(_) => 'F',
            Event::TlbiRepeated => 'R',
            Event::Enter(Kind::Outermost) => '(',
            Event::Leave(Kind::Outermost) => ')',
            Event::Enter(Kind::Nested) => '<',
            Event::Leave(Kind::Nested) => '>',
            Event::Enter(Kind::Inert) => '[',
            Event::Leave(Kind::Inert) => ']',
            Event::Pause(Kind::Outermost) => '|',
            Event::Pause(_) => '-',
            Event::Resume(_) => '/',
            Event::Interrupt => '{',
            Event::InterruptReturn => '}',
            other => panic!("no test here expects {other:?}"),
        })
        .collect()
}
