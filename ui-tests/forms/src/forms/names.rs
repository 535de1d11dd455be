//! Names that are the expansion's own, or that it might use.

use super::{Form, show, store};

pub(crate) const FORMS: &[Form] = &[
    ("a function called as the hidden guard", || {
        show(__section(1))
    }),
    ("a parameter called as the hidden guard", || {
        show(hidden_parameter(1))
    }),
    ("a local called as the hidden guard", || {
        show(hidden_local(1))
    }),
    ("a function called as the hidden pause", || show(__pause(1))),
    ("a parameter called as the pause, and paused", || {
        show(hidden_pause(1))
    }),
    ("a function called as the attribute", || show(lazy_mmu(1))),
    ("a parameter called as the crate", || {
        show(crate_parameter(1))
    }),
    ("a module called as the crate", || {
        show(modules::with_a_module(1))
    }),
    ("a module called core", || show(modules::core::in_core(1))),
    ("a raw identifier as the function's name", || {
        show(r#match(1))
    }),
    ("a raw identifier as a parameter", || show(raw_parameter(1))),
    ("a raw identifier as the section's name", || {
        show(raw_section(1))
    }),
    ("a shadowed Drop, Option, Some, None, Ok", || {
        show(shadowed::prelude(1).0)
    }),
    ("a shadowed let-bound function", || {
        show(shadowed_function(1))
    }),
    ("a type parameter called as the backend", || {
        show(type_parameter::<u8, u16>(1))
    }),
    ("an identifier that is not ASCII", || show(größe(1))),
];

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn __section(page: u32) -> u32 {
    store();
    if page > 3 { page } else { __section(page + 1) }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu(mmu = _mmu))]
fn hidden_parameter(__section: u32) -> u32 {
    store();
    __section
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn hidden_local(page: u32) -> u32 {
    let __section = page + 1;
    store();
    __section
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn __pause(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn hidden_pause(page: u32) -> u32 {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu(paused))]
    fn inner(__pause: u32) -> u32 {
        store();
        __pause
    }
    inner(page)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn lazy_mmu(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn crate_parameter(lazy_mmu: u32) -> u32 {
    store();
    lazy_mmu
}

mod modules {
    use super::store;

    #[cfg_attr(feature = "section", ::lazy_mmu::lazy_mmu)]
    pub(super) fn with_a_module(page: u32) -> u32 {
        store();
        page + lazy_mmu::nothing()
    }

    /// Not the crate.
    mod lazy_mmu {
        pub(super) fn nothing() -> u32 {
            0
        }
    }

    /// Not the library.
    pub(super) mod core {
        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        pub(crate) fn in_core(page: u32) -> u32 {
            super::store();
            page
        }
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn r#match(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn raw_parameter(r#type: u32) -> u32 {
    store();
    r#type
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu(mmu = r#fn))]
fn raw_section(page: u32) -> u32 {
    #[cfg(feature = "section")]
    r#fn.note_store();
    store();
    page
}

mod shadowed {
    #![expect(dead_code, reason = "they are there to shadow")]

    trait Drop {}
    trait Sized {}
    struct Option;
    struct Some;
    struct None;
    pub(super) struct Ok(pub(super) u32);

    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    pub(super) fn prelude(page: u32) -> Ok {
        super::store();
        Ok(page)
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn shadowed_function(page: u32) -> u32 {
    let store = |_: u32| super::store();
    let drop = store;
    drop(page);
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn type_parameter<Global: From<u8>, Sim>(page: u8) -> (Global, Sim)
where
    Sim: From<u8>,
{
    store();
    (page.into(), page.into())
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn größe(seiten: u32) -> u32 {
    store();
    seiten
}
