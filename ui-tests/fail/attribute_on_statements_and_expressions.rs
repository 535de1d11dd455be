// Where the section would end is not said by a statement or an expression: `with` says it.
// The compiler refuses an attribute macro there, and the attribute says on which token it stands wrong.

use lazy_mmu::lazy_mmu;

fn main() {
    #[lazy_mmu]
    let pages = 1;

    #[lazy_mmu]
    {
        drop(pages);
    }

    let count = #[lazy_mmu]
    match pages {
        pages => pages + 1,
    };

    let map = #[lazy_mmu]
    || count;

    match map() {
        #[lazy_mmu]
        _ => {}
    }
}
