//! The forms that both editions have.

mod attributes;
mod bodies;
mod drops;
mod functions;
mod generics;
mod methods;
mod names;
mod parameters;
mod ways_out;

use super::lazy_mmu;
use crate::runner::{Form, caught, changed, forms, store};

pub(crate) const FORMS: [&[Form]; 9] = [
    attributes::FORMS,
    bodies::FORMS,
    drops::FORMS,
    functions::FORMS,
    generics::FORMS,
    methods::FORMS,
    names::FORMS,
    parameters::FORMS,
    ways_out::FORMS,
];
