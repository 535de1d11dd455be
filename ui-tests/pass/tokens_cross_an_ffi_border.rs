// C code that enters and leaves sections must be able to keep the token; a type that is no C type would not cross.
// `State` and `PauseState` are one byte, and improper_ctypes_definitions is satisfied.
#![deny(warnings)]

use lazy_mmu::raw::{self, Kind, PauseState, State};
use lazy_mmu::sim::Sim;

/// # Safety
///
/// As for `raw::enter`.
unsafe extern "C" fn mmu_enter() -> State {
    // SAFETY: the caller promises the same.
    unsafe { raw::enter::<Sim>() }
}

/// # Safety
///
/// As for `raw::leave`.
unsafe extern "C" fn mmu_leave(state: State) {
    // SAFETY: the caller promises the same.
    unsafe { raw::leave::<Sim>(state) }
}

/// # Safety
///
/// As for `raw::pause`.
unsafe extern "C" fn mmu_pause() -> PauseState {
    // SAFETY: the caller promises the same.
    unsafe { raw::pause::<Sim>() }
}

/// # Safety
///
/// As for `raw::resume`.
unsafe extern "C" fn mmu_resume(state: PauseState) {
    // SAFETY: the caller promises the same.
    unsafe { raw::resume::<Sim>(state) }
}

fn main() {
    assert_eq!((size_of::<State>(), size_of::<PauseState>()), (1, 1));
    // SAFETY: each state is passed on once, in order.
    unsafe {
        let outer = mmu_enter();
        let pause = mmu_pause();
        let inert = mmu_enter();
        assert_eq!(inert.kind(), Kind::Inert);
        mmu_leave(inert);
        mmu_resume(pause);
        let nested = mmu_enter();
        assert_eq!(nested.kind(), Kind::Nested);
        mmu_leave(nested);
        mmu_leave(outer);
    }
    assert!(lazy_mmu::check_idle::<Sim>().is_ok());
}
