//! Programs: well-nested, as the types allow no others.

use proptest::prelude::*;

/// One operation, with everything inside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    /// A store, through the section in hand if there is one; whether it needs the pair.
    Store(bool),
    /// A flush, through the section in hand if there is one.
    Flush,
    /// A section: by the task's handle or `nest`, whichever is in hand, else by `with`.
    Section(Vec<Op>, End),
    /// A section of a callee that knows nothing of the caller's: by `with`.
    Unknowing(Vec<Op>, Unwind),
    /// A section of such a callee that joins the caller's, if stores are deferred: by `join`.
    Join(Vec<Op>, Unwind),
    /// A pause: of the section in hand, else by `paused` (which cannot be forgotten).
    Pause(Vec<Op>, End),
    /// An interrupt.
    Interrupt(Vec<Op>),
}

/// How an owned guard ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// It is dropped.
    Leave,
    /// It is forgotten. Where nobody owns a guard it is dropped all the same.
    Forget,
    /// A panic unwinds through it, and is caught around it.
    Panic,
}

/// Whether a closure returns or panics.
pub(crate) type Unwind = bool;

/// The operations inside.
fn inside(op: &Op) -> &[Op] {
    match op {
        Op::Store(_) | Op::Flush => &[],
        Op::Section(ops, _)
        | Op::Unknowing(ops, _)
        | Op::Join(ops, _)
        | Op::Pause(ops, _)
        | Op::Interrupt(ops) => ops,
    }
}

/// How many operations a program has; a section's enter and leave are two.
pub(crate) fn length(ops: &[Op]) -> usize {
    ops.iter()
        .map(|op| match op {
            Op::Store(_) | Op::Flush => 1,
            _ => 2 + length(inside(op)),
        })
        .sum()
}

/// How deep it nests.
pub(crate) fn depth(ops: &[Op]) -> usize {
    ops.iter()
        .map(|op| match op {
            Op::Store(_) | Op::Flush => 0,
            _ => 1 + depth(inside(op)),
        })
        .max()
        .unwrap_or(0)
}

/// A program in one line.
pub(crate) fn display(ops: &[Op]) -> String {
    ops.iter()
        .map(|op| match op {
            Op::Store(true) => "store".to_owned(),
            Op::Store(false) => "store-user".to_owned(),
            Op::Flush => "flush".to_owned(),
            Op::Section(ops, end) => format!("enter {} {end:?}", display(ops)),
            Op::Unknowing(ops, unwind) => format!(
                "with {} {}",
                display(ops),
                if *unwind { "Panic" } else { "Leave" }
            ),
            Op::Join(ops, unwind) => format!(
                "join {} {}",
                display(ops),
                if *unwind { "Panic" } else { "Leave" }
            ),
            Op::Pause(ops, end) => format!("pause {} resume-{end:?}", display(ops)),
            Op::Interrupt(ops) => format!("irq {} iret", display(ops)),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Programs up to 8 deep and 200 operations long.
pub(crate) fn random() -> impl Strategy<Value = Vec<Op>> {
    let end = || {
        prop_oneof![
            6 => Just(End::Leave),
            2 => Just(End::Forget),
            1 => Just(End::Panic),
        ]
    };
    let leaf = prop_oneof![
        4 => any::<bool>().prop_map(Op::Store),
        1 => Just(Op::Flush),
    ];
    let op = leaf.prop_recursive(8, 1024, 2, move |op| {
        let ops = || prop::collection::vec(op.clone(), 0..5);
        prop_oneof![
            2 => op.clone(),
            5 => (ops(), end()).prop_map(|(ops, end)| Op::Section(ops, end)),
            2 => (ops(), any::<bool>()).prop_map(|(ops, unwind)| Op::Unknowing(ops, unwind)),
            2 => (ops(), any::<bool>()).prop_map(|(ops, unwind)| Op::Join(ops, unwind)),
            3 => (ops(), end()).prop_map(|(ops, end)| Op::Pause(ops, end)),
            2 => ops().prop_map(Op::Interrupt),
        ]
    });
    prop::collection::vec(op, 1..16).prop_filter("at most 200 operations", |ops| length(ops) <= 200)
}

/// Calls `check` with every program of up to `operations` operations: enter, with, store, flush, pause, leave, resume,
/// forget, and an interrupt whose handler opens a section, stores and leaves. What is open at the end is left.
pub(crate) fn all(operations: usize, check: &mut impl FnMut(&[Op])) {
    extend(&mut vec![Frame::top()], operations, None, check);
}

/// [`all`], with join among the operations: the programs that have one.
pub(crate) fn all_with_join(operations: usize, check: &mut impl FnMut(&[Op])) {
    let join = Some(Opened::Join);
    extend(&mut vec![Frame::top()], operations, join, &mut |ops| {
        if has_join(ops) {
            check(ops);
        }
    });
}

fn has_join(ops: &[Op]) -> bool {
    ops.iter()
        .any(|op| matches!(op, Op::Join(..)) || has_join(inside(op)))
}

/// What is open: what was done in it so far, and what it will become.
#[derive(Clone)]
struct Frame {
    kind: Opened,
    ops: Vec<Op>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opened {
    Top,
    Section,
    Unknowing,
    Join,
    Pause,
}

impl Frame {
    fn top() -> Self {
        Self {
            kind: Opened::Top,
            ops: Vec::new(),
        }
    }

    fn close(self, end: End) -> Op {
        match self.kind {
            Opened::Top => unreachable!("it stays open"),
            Opened::Section => Op::Section(self.ops, end),
            Opened::Unknowing => Op::Unknowing(self.ops, end == End::Panic),
            Opened::Join => Op::Join(self.ops, end == End::Panic),
            Opened::Pause => Op::Pause(self.ops, end),
        }
    }
}

/// The program so far, with all that is open left.
fn complete(open: &[Frame]) -> Vec<Op> {
    let mut closed: Option<Op> = None;
    for frame in open.iter().rev() {
        let mut frame = frame.clone();
        frame.ops.extend(closed.take());
        if frame.kind == Opened::Top {
            return frame.ops;
        }
        closed = Some(frame.close(End::Leave));
    }
    unreachable!("the first frame is the top")
}

fn extend(
    open: &mut Vec<Frame>,
    operations: usize,
    join: Option<Opened>,
    check: &mut impl FnMut(&[Op]),
) {
    check(&complete(open));
    if operations == 0 {
        return;
    }
    let innermost = open.len() - 1;
    // A user's store is like no store, but for the order of the trace: the random programs have it.
    let handler = Op::Interrupt(vec![Op::Section(vec![Op::Store(true)], End::Leave)]);
    for op in [Op::Store(true), Op::Flush, handler] {
        open[innermost].ops.push(op);
        extend(open, operations - 1, join, check);
        open[innermost].ops.pop();
    }
    let opened = [Opened::Section, Opened::Unknowing, Opened::Pause];
    for kind in opened.into_iter().chain(join) {
        open.push(Frame {
            kind,
            ops: Vec::new(),
        });
        extend(open, operations - 1, join, check);
        open.pop();
    }
    if open[innermost].kind != Opened::Top {
        for end in [End::Leave, End::Forget] {
            let is_closure = matches!(open[innermost].kind, Opened::Unknowing | Opened::Join);
            if end == End::Forget && is_closure {
                continue;
            }
            let frame = open.pop().expect("more than the top is open");
            let outer = open.len() - 1;
            open[outer].ops.push(frame.clone().close(end));
            extend(open, operations - 1, join, check);
            open[outer].ops.pop();
            open.push(frame);
        }
    }
}
