//! All forms. This file is compiled twice: once without and once with the attribute.

/// Hides items from rustfmt, which parses each file in each edition, and would fail on some.
macro_rules! of_this_edition {
    ($($item:item)*) => { $($item)* };
}

mod attributes;
mod bodies;
mod drops;
#[cfg_attr(feature = "edition-2021", path = "edition_2021.rs")]
#[cfg_attr(not(feature = "edition-2021"), path = "edition_2024.rs")]
mod edition;
mod functions;
mod generics;
mod methods;
mod names;
mod parameters;
mod ways_out;

use crate::runner::{Form, caught, changed, forms, store};

plain_or_section! { { use ui_tests::plain as lazy_mmu; } { use lazy_mmu::lazy_mmu; } }

pub(crate) const FORMS: [&[Form]; 10] = [
    attributes::FORMS,
    bodies::FORMS,
    drops::FORMS,
    edition::FORMS,
    functions::FORMS,
    generics::FORMS,
    methods::FORMS,
    names::FORMS,
    parameters::FORMS,
    ways_out::FORMS,
];
