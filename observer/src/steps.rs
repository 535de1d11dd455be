//! The steps of a hart between marks: its stores to entries, and its fences.
//!
//! A RISC-V kernel cannot step through its own code, as an aarch64 kernel can. It marks the code of
//! interest instead, by instructions without an effect. A mark with a number begins a recording,
//! and a mark with 0 ends the last one. A recording inside another one is apart from it: an
//! interrupt handler records its own steps, for example.

use std::fmt;

/// A step that is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A store to an entry of a table.
    Store,
    /// `fence w, w`, which orders the stores to a table before the store that links it.
    TableBarrier,
    /// `sfence.vma` for every address.
    Fence,
    /// `sfence.vma` for one address.
    FenceOfAddress,
    /// `sfence.w.inval`.
    BeginInvalidation,
    /// `sinval.vma`.
    Invalidation,
    /// `sfence.inval.ir`.
    EndInvalidation,
}

impl Step {
    fn letter(self) -> char {
        match self {
            Self::Store => 'S',
            Self::TableBarrier => 'w',
            Self::Fence => 'F',
            Self::FenceOfAddress => 'f',
            Self::BeginInvalidation => 'v',
            Self::Invalidation => 'i',
            Self::EndInvalidation => 'r',
        }
    }
}

/// The recordings of a hart that have not ended.
#[derive(Default, Debug)]
pub struct Recorder {
    open: Vec<Recording>,
}

/// A recording that has ended.
///
/// It prints as `steps N: S*512 F`: the number of its mark, and a letter for each step, with the
/// number of equal ones.
#[derive(PartialEq, Eq, Debug)]
pub struct Recording {
    number: u32,
    /// The steps, and how often each of them was repeated.
    steps: Vec<(Step, usize)>,
}

impl Recorder {
    /// The hart executes a mark. If it ends a recording, the method returns that.
    pub fn mark(&mut self, number: u32) -> Option<Recording> {
        if number == 0 {
            return self.open.pop();
        }
        let steps = Vec::new();
        self.open.push(Recording { number, steps });
        None
    }

    /// Returns whether a recording is open.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The hart makes a step, which belongs to the last recording that has begun.
    pub fn step(&mut self, step: Step) {
        if let Some(recording) = self.open.last_mut() {
            match recording.steps.last_mut() {
                Some((last, times)) if *last == step => *times += 1,
                _ => recording.steps.push((step, 1)),
            }
        }
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "steps {}:", self.number)?;
        for (step, times) in &self.steps {
            write!(f, " {}", step.letter())?;
            if *times > 1 {
                write!(f, "*{times}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_steps_are_counted() {
        let mut recorder = Recorder::default();
        recorder.step(Step::Store);
        assert!(!recorder.is_open());
        assert_eq!(recorder.mark(0), None, "nothing has begun");
        assert_eq!(recorder.mark(7), None);
        for _ in 0..512 {
            recorder.step(Step::Store);
        }
        recorder.step(Step::Fence);
        for step in [Step::TableBarrier, Step::Store, Step::FenceOfAddress] {
            recorder.step(step);
        }
        let recording = recorder.mark(0).expect("it has begun");
        assert_eq!(recording.to_string(), "steps 7: S*512 F w S f");
        assert!(!recorder.is_open());
    }

    #[test]
    fn a_recording_inside_another_one_is_apart() {
        let mut recorder = Recorder::default();
        recorder.mark(1);
        recorder.step(Step::Store);
        recorder.mark(2);
        for step in [
            Step::BeginInvalidation,
            Step::Invalidation,
            Step::EndInvalidation,
        ] {
            recorder.step(step);
        }
        let handler = recorder.mark(0).expect("it has begun");
        assert_eq!(handler.to_string(), "steps 2: v i r");
        recorder.step(Step::Store);
        let program = recorder.mark(0).expect("it has begun");
        assert_eq!(program.to_string(), "steps 1: S*2");
        recorder.mark(3);
        let empty = recorder.mark(0).expect("it has begun");
        assert_eq!(empty.to_string(), "steps 3:");
    }
}
