//! Executes a [`Graph`] on one CPU thread, natively and in the browser, with kernels of our own: NHWC, packed weights,
//! element-wise functions fused to convolutions, buffers planned once. Kernels are generic over the vector width and compiled
//! for each instruction set: see [`crate::simd`].

mod convolution;
mod depthwise;
mod elementwise;
mod epilogue;
mod program;
mod source;
mod winograd;

use std::cell::RefCell;
use std::sync::Arc;

use super::graph::Graph;
use crate::simd::Isa;
use program::{Memory, Program};

/// A graph with packed weights, and the buffers of one thread.
pub struct Executor {
    program: Arc<AnyProgram>,
    memory: RefCell<Memory>,
}

/// A program of any instruction set.
enum AnyProgram {
    Four(Program<crate::simd::Four>),
    #[cfg(target_arch = "x86_64")]
    Avx2(Program<crate::simd::Avx2>),
    #[cfg(target_arch = "x86_64")]
    Avx512(Program<crate::simd::Avx512>),
}

impl Executor {
    /// Packs the weights and plans the buffers, for the widest vectors that this processor has.
    pub fn new(graph: &Graph) -> Self {
        Self::with_isa(graph, Isa::best())
    }

    /// The same for vectors of `isa`: for tests, and for comparisons.
    pub fn with_isa(graph: &Graph, isa: Isa) -> Self {
        let program = match isa {
            Isa::Four(simd) => AnyProgram::Four(Program::new(simd, graph)),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(simd) => AnyProgram::Avx2(Program::new(simd, graph)),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(simd) => AnyProgram::Avx512(Program::new(simd, graph)),
        };
        Self { program: Arc::new(program), memory: RefCell::default() }
    }

    /// Another one over the same packed weights, with buffers of its own: for another thread.
    pub fn share(&self) -> Self {
        Self { program: Arc::clone(&self.program), memory: RefCell::default() }
    }

    /// Runs the graph on one image, NCHW `[channels, height, width]`. Returns its outputs, NHWC `[height, width, channels]`
    /// each.
    ///
    /// # Panics
    /// If `planes` is not as long as the graph's input.
    pub fn run(&self, planes: &[f32]) -> Vec<Vec<f32>> {
        let memory = &mut *self.memory.borrow_mut();
        match &*self.program {
            AnyProgram::Four(program) => program.run(planes, memory),
            #[cfg(target_arch = "x86_64")]
            AnyProgram::Avx2(program) => program.run(planes, memory),
            #[cfg(target_arch = "x86_64")]
            AnyProgram::Avx512(program) => program.run(planes, memory),
        }
    }
}

#[cfg(test)]
mod tests;
