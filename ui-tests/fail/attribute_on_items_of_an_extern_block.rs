// A foreign function's body is not compiled here, and therefore cannot become a section.
// The attribute refuses a foreign function on its semicolon, and a foreign static on `static`.

use lazy_mmu::lazy_mmu;

unsafe extern "C" {
    #[lazy_mmu]
    fn map();

    #[lazy_mmu]
    safe fn unmap(first: u64);

    #[lazy_mmu]
    static COUNT: usize;
}

fn main() {
    unsafe { map() };
    unmap(0);
    let _ = unsafe { COUNT };
}
