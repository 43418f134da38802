//! Runs a [`Network`] on one CPU thread, natively and in the browser, with kernels of our own: channels last, packed
//! weights, everything around a convolution fused to it, buffers planned once. Written once over vectors of any width and
//! compiled for each instruction set: see [`crate::simd`].

mod convolution;
mod depthwise;
mod elementwise;
mod epilogue;
mod graph;
mod matrix;
pub(super) mod winograd;

use std::cell::RefCell;
use std::sync::Arc;

use super::network::Network;
use crate::simd::Isa;
use graph::{Graph, Memory};

/// A network with packed weights and its buffers.
pub struct Engine {
    graph: Arc<Compiled>,
    memory: RefCell<Memory>,
}

/// A network packed for an instruction set.
enum Compiled {
    Four(Graph<crate::simd::Four>),
    #[cfg(target_arch = "x86_64")]
    Avx2(Graph<crate::simd::Avx2>),
    #[cfg(target_arch = "x86_64")]
    Avx512(Graph<crate::simd::Avx512>),
}

impl Engine {
    /// Packs the weights and plans the buffers, for the widest vectors that this processor has and the network fills.
    pub fn new(network: &Network) -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let suiting = Isa::available().into_iter().find(|isa| suits(network, *isa));
            Self::with_isa(network, suiting.unwrap_or(Isa::Four(crate::simd::Four)))
        }
        #[cfg(not(target_arch = "x86_64"))]
        Self::with_isa(network, Isa::best())
    }

    /// The same, for vectors of `isa`: for tests, and for comparisons.
    ///
    /// # Panics
    /// If it has depthwise convolutions whose channels are no multiple of [`Isa::lanes`].
    pub fn with_isa(network: &Network, isa: Isa) -> Self {
        let graph = match isa {
            Isa::Four(simd) => Compiled::Four(Graph::new(simd, network)),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(simd) => Compiled::Avx2(Graph::new(simd, network)),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(simd) => Compiled::Avx512(Graph::new(simd, network)),
        };
        Self { graph: Arc::new(graph), memory: RefCell::default() }
    }

    /// Another one with buffers of its own over the same packed weights: for another thread.
    pub fn share(&self) -> Self {
        Self { graph: Arc::clone(&self.graph), memory: RefCell::default() }
    }

    /// Runs it on one image, planes `[channels, side, side]`, and returns its outputs, `[side, side, channels]` each.
    ///
    /// # Panics
    /// If the image has another size than the network's input.
    pub fn run(&self, planes: &[f32]) -> Vec<Vec<f32>> {
        let memory = &mut *self.memory.borrow_mut();
        match &*self.graph {
            Compiled::Four(graph) => graph.run(planes, memory),
            #[cfg(target_arch = "x86_64")]
            Compiled::Avx2(graph) => graph.run(planes, memory),
            #[cfg(target_arch = "x86_64")]
            Compiled::Avx512(graph) => graph.run(planes, memory),
        }
    }
}

/// Whether vectors of `isa` divide the channels of all depthwise convolutions; the others do with any number.
#[cfg(any(test, target_arch = "x86_64"))]
fn suits(network: &Network, isa: Isa) -> bool {
    use super::network::Pass;
    network.passes.iter().all(|pass| match pass {
        Pass::Convolution { convolution, .. } => {
            let convolution = &network.convolutions[*convolution];
            !convolution.depthwise || convolution.outputs.is_multiple_of(isa.lanes())
        }
        _ => true,
    })
}

#[cfg(test)]
mod tests;
