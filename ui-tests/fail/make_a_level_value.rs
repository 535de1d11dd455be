// No harm would be done by the value itself, but a level is what the crate says of a section, not what a user makes.
// Its constructor is private outside the crate (E0603).

fn main() {
    let _level = lazy_mmu::Outer;
}
