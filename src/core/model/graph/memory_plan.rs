//! Which buffer holds which feature map: liveness analysis and buffer assignment.

use super::{FeatureMap, Graph};

/// How long each feature map is needed.
#[derive(Clone, Debug)]
pub(in crate::model) struct Liveness {
    /// By feature map: the last node that reads or writes it; one after the last node for the graph's outputs.
    last_access: Vec<usize>,
    #[cfg(feature = "gpu")]
    is_read: Vec<bool>,
}

impl Liveness {
    pub fn of(graph: &Graph) -> Self {
        let mut last_access = vec![0; graph.feature_maps().len()];
        for (index, node) in graph.nodes().iter().enumerate() {
            node.op.inputs().into_iter().chain(node.destinations()).for_each(|map| last_access[map.id] = index);
        }
        graph.outputs().iter().for_each(|map| last_access[map.id] = graph.nodes().len());
        Self {
            last_access,
            #[cfg(feature = "gpu")]
            is_read: {
                let mut is_read = vec![false; graph.feature_maps().len()];
                let read = graph.nodes().iter().flat_map(|node| node.op.inputs());
                read.chain(graph.outputs().iter().copied()).for_each(|map| is_read[map.id] = true);
                is_read
            },
        }
    }

    /// The last node that reads or writes `map`.
    pub fn last_access(&self, map: FeatureMap) -> usize {
        self.last_access[map.id]
    }

    /// Whether a node reads `map`, or it is an output of the graph.
    #[cfg(feature = "gpu")]
    pub fn is_read(&self, map: FeatureMap) -> bool {
        self.is_read[map.id]
    }

    /// Keeps `map` until `node`, at least.
    pub fn extend(&mut self, map: FeatureMap, node: usize) {
        self.last_access[map.id] = self.last_access[map.id].max(node);
    }
}

/// A buffer for each feature map, shared by those that are not live at the same time.
#[derive(Clone, Debug)]
pub(in crate::model) struct MemoryPlan {
    /// By feature map.
    assignment: Vec<usize>,
    /// By buffer: how many values it holds.
    sizes: Vec<usize>,
}

impl MemoryPlan {
    /// First fit by size, in execution order. `elements` says how many values of a buffer a feature map takes.
    pub fn new(graph: &Graph, liveness: &Liveness, elements: impl Fn(FeatureMap) -> usize) -> Self {
        let mut plan = Self { assignment: vec![0; graph.feature_maps().len()], sizes: vec![elements(graph.input())] };
        let mut is_live = vec![false; graph.feature_maps().len()];
        is_live[graph.input().id] = true;
        let mut free: Vec<usize> = Vec::new();
        for (index, node) in graph.nodes().iter().enumerate() {
            for map in node.destinations() {
                // A concatenation is live from its first branch on.
                if !is_live[map.id] {
                    is_live[map.id] = true;
                    plan.assignment[map.id] = plan.allocate(&mut free, elements(map));
                }
            }
            for map in graph.feature_maps() {
                if is_live[map.id] && liveness.last_access(*map) == index {
                    free.push(plan.buffer(*map));
                }
            }
        }
        plan
    }

    /// The buffer that holds `map`.
    pub fn buffer(&self, map: FeatureMap) -> usize {
        self.assignment[map.id]
    }

    /// How many values each buffer holds.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The smallest free buffer that is large enough, else the largest free one, which then grows, else a new one.
    fn allocate(&mut self, free: &mut Vec<usize>, elements: usize) -> usize {
        let fit = |&buffer: &usize| (self.sizes[buffer] < elements, self.sizes[buffer].abs_diff(elements));
        match free.iter().copied().min_by_key(fit) {
            Some(buffer) => {
                free.retain(|other| *other != buffer);
                self.sizes[buffer] = self.sizes[buffer].max(elements);
                buffer
            }
            None => {
                self.sizes.push(elements);
                self.sizes.len() - 1
            }
        }
    }
}
