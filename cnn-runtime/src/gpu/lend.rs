//! Memory of tensors for kernels to write to where it is, as candle lends it: one tensor at a time.

use super::Argument;
use candle_core::{CpuStorage, CudaStorage, InplaceOp1, Layout, Result, Tensor};
use std::cell::{Cell, RefCell};

/// What is done with the memory of tensors, as arguments of a kernel.
pub(crate) type Writing<'a> = &'a mut dyn FnMut(Vec<Argument>) -> Result<()>;

/// Calls `with` with the memory of `tensors`, which lie row by row and share none, as arguments to write to.
///
/// # Errors
/// Those of `with`, and if there is no tensor.
pub(crate) fn write_to(tensors: &[&Tensor], with: Writing) -> Result<()> {
    lend(Vec::new(), tensors, with)
}

fn lend(lent: Vec<Argument>, tensors: &[&Tensor], with: Writing) -> Result<()> {
    match tensors {
        [] => with(lent),
        [first, rest @ ..] => first.inplace_op1(&Lend { lent: Cell::new(lent), rest, with: RefCell::new(with) }),
    }
}

/// The memory lent so far, the tensors that are to follow, and what is done in the end.
struct Lend<'a> {
    lent: Cell<Vec<Argument<'a>>>,
    rest: &'a [&'a Tensor],
    with: RefCell<Writing<'a>>,
}

impl Lend<'_> {
    fn go_on<'b>(&'b self, memory: Argument<'b>) -> Result<()> {
        let mut lent: Vec<Argument<'b>> = self.lent.take();
        lent.push(memory);
        lend(lent, self.rest, &mut **self.with.borrow_mut())
    }
}

impl InplaceOp1 for Lend<'_> {
    fn name(&self) -> &'static str {
        "lend"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        self.go_on((storage, layout).into())
    }

    fn cuda_fwd(&self, storage: &mut CudaStorage, layout: &Layout) -> Result<()> {
        self.go_on((storage, layout).into())
    }
}
