//! The attribute `#[lazy_mmu]` of the crate `lazy-mmu`, which re-exports it. Use it from there.
//!
//! Three files: `args` reads what stands in the attribute's parentheses, `item` takes the function apart as far as the
//! attribute must know it, `expand` puts both together.

mod args;
mod expand;
mod item;

use proc_macro::TokenStream;

/// Opens a lazy MMU section for the body of a function, and leaves it on every way out.
///
/// ```text
/// #[lazy_mmu]                              // the program's registered backend
/// #[lazy_mmu(backend = Mmu)]               // this backend, inlined
/// #[lazy_mmu(mmu)]                         // the section as `mmu: &mut LazyMmu<'_, Dynamic, B>`
/// #[lazy_mmu(backend = Mmu, mmu = section)]// the same, under another name
/// #[lazy_mmu(crate = reexport::lazy_mmu)]  // where the crate has another path
/// ```
///
/// # Expansion
///
/// One statement (with `mmu`, two), the first inside the function's own braces; nothing else changes.
/// `#[lazy_mmu(backend = Mmu)]` turns
///
/// ```text
/// fn map(pages: &[Page]) -> Result<(), Error> { body }
/// ```
///
/// into
///
/// ```text
/// fn map(pages: &[Page]) -> Result<(), Error> {
///     let __section = ::lazy_mmu::__private::section::<Mmu>();
///     body
/// }
/// ```
///
/// The name `__section` is the macro's own: the body cannot name the guard, and so cannot forget it. With `mmu` a second
/// statement follows, `let mmu = &mut ::lazy_mmu::__private::view(&mut __section);`: what the body has is a view of the
/// section, whose drop does nothing.
///
/// # Order of drops
///
/// As the first variable of the body, the section is dropped after all others of the body, and before the parameters.
/// So a lock taken inside the body is released *before* the barrier pair is emitted, and a lock passed in by value
/// after it. Where a mapping must be usable as soon as the lock is free, take the lock outside, or call `mmu.flush()`
/// before releasing it.
///
/// # Refusals
///
/// `async fn` (a section cannot be held across `.await`; use `lazy_mmu::with` inside), `const fn`, functions
/// without a body, everything that is not a function, a second `#[lazy_mmu]`, and unknown or repeated arguments. Each error
/// stands on the token that is wrong, and the item is still emitted.
#[proc_macro_attribute]
pub fn lazy_mmu(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(args.into(), item.into()).into()
}
