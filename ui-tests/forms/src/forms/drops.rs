//! The order of drops: that of a `let` as the body's first statement, in both editions.
//!
//! Each form exists twice: with the attribute, and with that `let` written by hand.

use lazy_mmu::sim::{Event, execute, take_trace};

use super::{Form, show, store};

/// A value whose drop is seen, under a letter.
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

/// What was dropped since the last call, and `P` for the barrier pair.
fn order() -> String {
    take_trace()
        .into_iter()
        .filter_map(|event| match event {
            Event::Tlbi(letter) => u32::try_from(letter).ok().and_then(char::from_u32),
            Event::DsbIshst => Some('P'),
            _ => None,
        })
        .collect()
}

/// Compares the two functions of one form with each other, and with what is expected in edition 2021 and 2024.
fn compare(attribute: fn(), by_hand: fn(), expected: [&str; 2]) -> String {
    order();
    attribute();
    let with_attribute = order();
    by_hand();
    let with_let = order();
    let edition_2021 = option_env!("CARGO_BIN_NAME") == Some("forms-2021");
    let expected = expected[usize::from(!edition_2021)];
    assert_eq!(with_let, expected, "that is what the language does");
    if cfg!(feature = "section") {
        assert_eq!(with_attribute, expected);
    }
    // For the check that a section was there.
    touch();
    with_attribute.replace('P', "")
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn touch() {
    store();
}

/// Defines the form `$name` by the attribute, and `$by_hand` by the `let`.
macro_rules! twins {
    ($($name:ident, $by_hand:ident, ($($parameters:tt)*) $(-> $result:ty)?, { $($body:tt)* })*) => {$(
        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        fn $name($($parameters)*) $(-> $result)? {
            $($body)*
        }

        fn $by_hand($($parameters)*) $(-> $result)? {
            let _section = lazy_mmu::__private::section::<lazy_mmu::Global>();
            $($body)*
        }
    )*};
}

twins! {
    locals, locals_by_hand, (), {
        let _a = Loud('a');
        let _b = Loud('b');
        store();
    }

    tail, tail_by_hand, () -> u32, {
        let _a = Loud('a');
        store();
        Loud('t').value()
    }

    match_tail, match_tail_by_hand, () -> u32, {
        let _a = Loud('a');
        store();
        match Loud('t').value() {
            0 => 1,
            other => other,
        }
    }

    if_let_tail, if_let_tail_by_hand, () -> u32, {
        let _a = Loud('a');
        store();
        if let Some(loud) = Loud('t').some() {
            loud.value()
        } else {
            0
        }
    }

    block_tail, block_tail_by_hand, () -> u32, {
        let _a = Loud('a');
        store();
        {
            let _b = Loud('b');
            Loud('t').value()
        }
    }

    returned, returned_by_hand, (out: bool) -> u32, {
        let _a = Loud('a');
        store();
        if out {
            return Loud('t').value();
        }
        let _b = Loud('b');
        0
    }

    question, question_by_hand, () -> Result<u32, u32>, {
        let _a = Loud('a');
        store();
        let value = Loud('t').fails()?;
        let _b = Loud('b');
        Ok(value)
    }

    parameters, parameters_by_hand, (_p: Loud, _: Loud, (_q, _r): (Loud, Loud)), {
        let _a = Loud('a');
        store();
    }

    moved, moved_by_hand, (p: Loud, q: Loud) -> Loud, {
        store();
        drop(p);
        q
    }

    partly, partly_by_hand, (p: (Loud, Loud)), {
        let _a = p.0;
        store();
    }

    shadowed, shadowed_by_hand, (), {
        let loud = Loud('a');
        let _value = loud.value();
        let loud = Loud('b');
        store();
        let _ = Loud('c');
        let _value = loud.value();
    }

    statement, statement_by_hand, (), {
        let _a = Loud('a');
        Loud('t').value();
        store();
    }

    panics, panics_by_hand, (_p: Loud), {
        let _a = Loud('a');
        store();
        std::panic::panic_any(Loud('t').value());
    }

    panics_in_drop, panics_in_drop_by_hand, (_p: Loud), {
        let _a = Loud('a');
        let _bomb = Bomb;
        let _b = Loud('b');
        store();
    }

    looped, looped_by_hand, (), {
        for letter in ['x', 'y'] {
            let _loud = Loud(letter);
            store();
            if letter == 'y' {
                return;
            }
        }
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        std::panic::panic_any(1);
    }
}

/// `f`, with its panic caught.
fn caught(f: fn(Loud)) {
    let caught = std::panic::catch_unwind(|| f(Loud('p')));
    assert!(caught.is_err());
}

macro_rules! form {
    ($about:literal, $name:ident, $by_hand:ident, |$f:ident| $call:expr, $edition_2021:literal, $edition_2024:literal) => {
        (concat!("drop order: ", $about), || {
            compare(
                || {
                    let $f = $name;
                    drop($call);
                },
                || {
                    let $f = $by_hand;
                    drop($call);
                },
                [$edition_2021, $edition_2024],
            )
        })
    };
}

pub(crate) const FORMS: &[Form] = &[
    form!(
        "locals",
        locals,
        locals_by_hand,
        |f| show(f()),
        "baP",
        "baP"
    ),
    form!(
        "a temporary in the tail",
        tail,
        tail_by_hand,
        |f| f().to_string(),
        "aPt",
        "taP"
    ),
    form!(
        "a temporary in a match in the tail",
        match_tail,
        match_tail_by_hand,
        |f| f().to_string(),
        "aPt",
        "taP"
    ),
    form!(
        "a temporary in an if let in the tail",
        if_let_tail,
        if_let_tail_by_hand,
        |f| f().to_string(),
        "aPt",
        "taP"
    ),
    form!(
        "a temporary in a block in the tail",
        block_tail,
        block_tail_by_hand,
        |f| f().to_string(),
        "baPt",
        "tbaP"
    ),
    form!(
        "a temporary in a return",
        returned,
        returned_by_hand,
        |f| f(true).to_string(),
        "taP",
        "taP"
    ),
    form!(
        "no return",
        returned,
        returned_by_hand,
        |f| f(false).to_string(),
        "baP",
        "baP"
    ),
    form!(
        "a temporary before ?",
        question,
        question_by_hand,
        |f| show(f()),
        "taP",
        "taP"
    ),
    form!(
        "parameters",
        parameters,
        parameters_by_hand,
        |f| show(f(Loud('p'), Loud('o'), (Loud('q'), Loud('r')))),
        "aPrqop",
        "aPrqop"
    ),
    form!(
        "a parameter that is returned",
        moved,
        moved_by_hand,
        |f| show(f(Loud('p'), Loud('q')).value()),
        "pPq",
        "pPq"
    ),
    form!(
        "a part of a parameter",
        partly,
        partly_by_hand,
        |f| show(f((Loud('p'), Loud('q')))),
        "pPq",
        "pPq"
    ),
    form!(
        "shadowed locals",
        shadowed,
        shadowed_by_hand,
        |f| show(f()),
        "cbaP",
        "cbaP"
    ),
    form!(
        "a temporary in a statement",
        statement,
        statement_by_hand,
        |f| show(f()),
        "taP",
        "taP"
    ),
    form!(
        "unwinding",
        panics,
        panics_by_hand,
        |f| show(caught(f)),
        "taPp",
        "taPp"
    ),
    form!(
        "unwinding from a drop",
        panics_in_drop,
        panics_in_drop_by_hand,
        |f| show(caught(f)),
        "baPp",
        "baPp"
    ),
    form!(
        "a local of a loop",
        looped,
        looped_by_hand,
        |f| show(f()),
        "xyP",
        "xyP"
    ),
];
