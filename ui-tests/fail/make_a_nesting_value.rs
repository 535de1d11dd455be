// A value would do no harm. But the types say how the crate entered a section; a user makes none.
// Its constructor is private outside the crate (E0603).

fn main() {
    let _nesting = lazy_mmu::Outer;
}
