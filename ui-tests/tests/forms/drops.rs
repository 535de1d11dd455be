//! The order of drops. The section drops as a `let` in the body's first statement does.

use lazy_mmu::sim::{Event, execute, take_trace};

use super::{caught, forms, lazy_mmu, store};

forms![
    order(locals, "baP", "baP"),
    order(tail, "aPt", "taP"),
    order(match_tail, "aPt", "taP"),
    order(if_let_tail, "aPt", "taP"),
    order(block_tail, "baPt", "tbaP"),
    order(|| returned(true), "taP", "taP"),
    order(|| returned(false), "baP", "baP"),
    order(question, "taP", "taP"),
    order(
        || parameters(Loud('p'), Loud('o'), (Loud('q'), Loud('r'))),
        "aPrqop",
        "aPrqop"
    ),
    order(|| moved(Loud('p'), Loud('q')), "pPq", "pPq"),
    order(|| partly((Loud('p'), Loud('q'))), "pPq", "pPq"),
    order(shadowed, "cbaP", "cbaP"),
    order(statement, "taP", "taP"),
    order(|| panicking(panics), "taPp", "taPp"),
    order(|| panicking(panics_in_drop), "baPp", "baPp"),
    order(looped, "xyP", "xyP"),
];

/// Returns the order in which `form` drops its values: a letter for each value, and `P` for the
/// barrier pair at the end of the section. Without a section, this function returns the expected
/// order: `earlier` in edition 2021, `now` in edition 2024.
fn order<T>(form: impl FnOnce() -> T, earlier: &str, now: &str) -> String {
    drop(form());
    let trace = take_trace();
    let letter = |event: &Event| match *event {
        Event::Tlbi(letter) => u8::try_from(letter).ok().map(char::from),
        Event::DsbIshst => Some('P'),
        _ => None,
    };
    let order: String = trace.iter().filter_map(letter).collect();
    // The runner reads the trace too.
    trace.into_iter().for_each(execute);
    let is_2021 = cfg!(feature = "edition-2021");
    let expected = if is_2021 { earlier } else { now };
    assert_eq!(order.replace('P', ""), expected.replace('P', ""));
    plain_or_section!({ expected.to_owned() } { order })
}

/// Returns the message of the form's panic.
fn panicking(form: fn(Loud)) -> String {
    caught(|| form(Loud('p'))).expect_err("the form panics")
}

/// A value that records its drop under a letter.
struct Loud(char);

impl Drop for Loud {
    fn drop(&mut self) {
        execute(Event::Tlbi(self.0.into()));
    }
}

impl Loud {
    fn value(&self) -> u32 {
        self.0.into()
    }

    fn some(&self) -> Option<&Self> {
        (self.0 == 't').then_some(self)
    }

    fn fails(&self) -> Result<u32, u32> {
        Err(self.value())
    }
}

/// A value that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        std::panic::panic_any(1);
    }
}

#[lazy_mmu]
fn locals() {
    let _a = Loud('a');
    let _b = Loud('b');
    store();
}

#[lazy_mmu]
fn tail() -> u32 {
    let _a = Loud('a');
    store();
    Loud('t').value()
}

#[lazy_mmu]
fn match_tail() -> u32 {
    let _a = Loud('a');
    store();
    match Loud('t').value() {
        0 => 1,
        other => other,
    }
}

#[lazy_mmu]
fn if_let_tail() -> u32 {
    let _a = Loud('a');
    store();
    if let Some(loud) = Loud('t').some() {
        loud.value()
    } else {
        0
    }
}

#[lazy_mmu]
fn block_tail() -> u32 {
    let _a = Loud('a');
    store();
    {
        let _b = Loud('b');
        Loud('t').value()
    }
}

#[lazy_mmu]
fn returned(out: bool) -> u32 {
    let _a = Loud('a');
    store();
    if out {
        return Loud('t').value();
    }
    let _b = Loud('b');
    0
}

#[lazy_mmu]
fn question() -> Result<u32, u32> {
    let _a = Loud('a');
    store();
    let value = Loud('t').fails()?;
    let _b = Loud('b');
    Ok(value)
}

#[lazy_mmu]
fn parameters(_p: Loud, _: Loud, (_q, _r): (Loud, Loud)) {
    let _a = Loud('a');
    store();
}

#[lazy_mmu]
fn moved(p: Loud, q: Loud) -> Loud {
    store();
    drop(p);
    q
}

#[lazy_mmu]
fn partly(p: (Loud, Loud)) {
    let _a = p.0;
    store();
}

#[lazy_mmu]
fn shadowed() {
    let loud = Loud('a');
    let _value = loud.value();
    let loud = Loud('b');
    store();
    let _ = Loud('c');
    let _value = loud.value();
}

#[lazy_mmu]
fn statement() {
    let _a = Loud('a');
    Loud('t').value();
    store();
}

#[lazy_mmu]
fn panics(_p: Loud) {
    let _a = Loud('a');
    store();
    std::panic::panic_any(Loud('t').value());
}

#[lazy_mmu]
fn panics_in_drop(_p: Loud) {
    let _a = Loud('a');
    let _bomb = Bomb;
    let _b = Loud('b');
    store();
}

#[lazy_mmu]
fn looped() {
    for letter in ['x', 'y'] {
        let _loud = Loud(letter);
        store();
        if letter == 'y' {
            return;
        }
    }
}
