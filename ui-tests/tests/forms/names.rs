//! Names that the expansion uses, or could use.

use super::{forms, lazy_mmu, store};

forms![
    __section(1),
    hidden_parameter(1),
    hidden_local(1),
    __pause(1),
    hidden_pause(1),
    lazy_mmu(1),
    crate_parameter(1),
    modules::with_a_module(1),
    modules::core::in_core(1),
    r#match(1),
    raw_parameter(1),
    raw_section(1),
    shadowed::prelude(1).0,
    shadowed_function(1),
    type_parameter::<u8, u16>(1),
    größe(1),
];

#[lazy_mmu]
fn __section(page: u32) -> u32 {
    store();
    if page > 3 { page } else { __section(page + 1) }
}

#[lazy_mmu(mmu = _mmu)]
fn hidden_parameter(__section: u32) -> u32 {
    store();
    __section
}

#[lazy_mmu]
fn hidden_local(page: u32) -> u32 {
    let __section = page + 1;
    store();
    __section
}

#[lazy_mmu]
fn __pause(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu]
fn hidden_pause(page: u32) -> u32 {
    #[lazy_mmu(paused)]
    fn inner(__pause: u32) -> u32 {
        store();
        __pause
    }
    inner(page)
}

#[lazy_mmu]
fn lazy_mmu(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu]
fn crate_parameter(lazy_mmu: u32) -> u32 {
    store();
    lazy_mmu
}

mod modules {
    use super::{lazy_mmu, store};

    #[lazy_mmu]
    pub(super) fn with_a_module(page: u32) -> u32 {
        store();
        page + lazy_mmu::nothing()
    }

    /// A module with the name of the crate.
    mod lazy_mmu {
        pub(super) fn nothing() -> u32 {
            0
        }
    }

    /// A module with the name of the library.
    pub(super) mod core {
        use super::lazy_mmu;

        #[lazy_mmu]
        pub(crate) fn in_core(page: u32) -> u32 {
            super::store();
            page
        }
    }
}

#[lazy_mmu]
fn r#match(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu]
fn raw_parameter(r#type: u32) -> u32 {
    store();
    r#type
}

#[lazy_mmu(mmu = r#fn)]
fn raw_section(page: u32) -> u32 {
    plain_or_section!({} { r#fn.note_store() });
    store();
    page
}

mod shadowed {
    #![expect(dead_code, reason = "the items only shadow others")]

    use super::lazy_mmu;

    trait Drop {}
    trait Sized {}
    struct Option;
    struct Some;
    struct None;
    pub(super) struct Ok(pub(super) u32);

    #[lazy_mmu]
    pub(super) fn prelude(page: u32) -> Ok {
        super::store();
        Ok(page)
    }
}

#[lazy_mmu]
fn shadowed_function(page: u32) -> u32 {
    let store = |_: u32| super::store();
    let drop = store;
    drop(page);
    page
}

#[lazy_mmu]
fn type_parameter<Global: From<u8>, Sim>(page: u8) -> (Global, Sim)
where
    Sim: From<u8>,
{
    store();
    (page.into(), page.into())
}

#[lazy_mmu]
fn größe(seiten: u32) -> u32 {
    store();
    seiten
}
