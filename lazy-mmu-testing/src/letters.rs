//! A trace as a word with one letter for each event, so that a test can show a whole trace.

use lazy_mmu::raw::Kind;
use lazy_mmu::sim::Event;

/// Returns the word for `events`.
///
/// * `S`: a store. `D`: `dsb ishst`. `I`: `isb`. `d`: `dsb ish`. `n`: `dsb nsh`.
/// * `T`: TLBI by address. `t`: with the tables. `A`: of all entries. `F`: another form.
/// * `R`: a repeated TLBI.
/// * `(` `<` `[`: enter an outermost, nested or inert section. `)` `>` `]`: leave it.
/// * `|`: an outermost pause. `/`: its resume. `-`: a pause that has no effect.
/// * `{` `}`: an interrupt and its return.
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
            other => panic!("the tests do not expect {other:?}"),
        })
        .collect()
}
