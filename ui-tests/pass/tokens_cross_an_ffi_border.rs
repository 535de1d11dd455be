// C code that enters and leaves sections must keep the token, which needs a type that C can pass.
// `State` and `PauseState` are one byte, and `improper_ctypes_definitions` accepts both.
#![deny(warnings)]

use lazy_mmu::raw::{self, Kind, PauseState, State};
use lazy_mmu::sim::Sim;

/// # Safety
///
/// The caller keeps the duties of `raw::enter`.
unsafe extern "C" fn mmu_enter() -> State {
    // SAFETY: the caller keeps the duties of this function.
    unsafe { raw::enter::<Sim>() }
}

/// # Safety
///
/// The caller keeps the duties of `raw::leave`.
unsafe extern "C" fn mmu_leave(state: State) {
    // SAFETY: the caller keeps the duties of this function.
    unsafe { raw::leave::<Sim>(state) }
}

/// # Safety
///
/// The caller keeps the duties of `raw::pause`.
unsafe extern "C" fn mmu_pause() -> PauseState {
    // SAFETY: the caller keeps the duties of this function.
    unsafe { raw::pause::<Sim>() }
}

/// # Safety
///
/// The caller keeps the duties of `raw::resume`.
unsafe extern "C" fn mmu_resume(state: PauseState) {
    // SAFETY: the caller keeps the duties of this function.
    unsafe { raw::resume::<Sim>(state) }
}

fn main() {
    assert_eq!((size_of::<State>(), size_of::<PauseState>()), (1, 1));
    // SAFETY: each state is passed on once, in the opposite order.
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
