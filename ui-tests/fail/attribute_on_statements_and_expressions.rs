// A statement or an expression does not show where its section would end. `with` shows it. The
// compiler refuses an attribute macro there (E0658). The attribute reports the first token too.

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
