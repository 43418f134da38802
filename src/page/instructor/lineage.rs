//! The lineage of the global models as a graph: where its nodes are, and the lines from each version to what it was made from.
//! No document here.

use std::fmt::Write as _;

use crate::protocol::ModelVersion;

/// Distance between two versions, in CSS pixels.
pub const COLUMN: f64 = 92.0;
/// Distance between two branches, in CSS pixels.
pub const LANE: f64 = 72.0;

/// A version in the graph.
#[derive(Debug, PartialEq)]
pub struct Node {
    /// [`ModelVersion::version`].
    pub version: u64,
    /// From the left, in CSS pixels.
    pub x: f64,
    /// From the top, in CSS pixels.
    pub y: f64,
    /// It repeats the weights of the version that it was made from: a roll-back.
    pub is_restored: bool,
    /// Its weights live on in the global model: its path leads there.
    pub is_kept: bool,
    /// The line from its parent, for the `d` of an SVG path; `None` where the parent is not shown.
    pub edge: Option<String>,
}

/// A graph with its size in CSS pixels.
#[derive(Debug, Default, PartialEq)]
pub struct Graph {
    /// Oldest version first.
    pub nodes: Vec<Node>,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// Whether a version is a roll-back: no round made it, yet it has a parent.
pub fn is_restored(model: &ModelVersion) -> bool {
    model.round.is_none() && model.parent.is_some()
}

/// Lays `models` out, in any order. The path to the newest, which is the global model, is the topmost lane; what was rolled
/// back lies below.
pub fn lay_out(models: &[ModelVersion]) -> Graph {
    // A sorted vector instead of a map, and by hand: it makes the page smaller.
    let mut sorted: Vec<&ModelVersion> = Vec::with_capacity(models.len());
    for model in models.iter().rev() {
        let at = sorted.iter().rposition(|other| other.version < model.version).map_or(0, |before| before + 1);
        sorted.insert(at, model);
    }
    if sorted.is_empty() {
        return Graph::default();
    }
    let parent = |column: usize| {
        let parent = sorted[column].parent?;
        sorted[..column].iter().position(|model| model.version == parent)
    };
    let mut lane_of = vec![usize::MAX; sorted.len()];
    let mut lanes = Lanes { taken: vec![Vec::new()] };
    let mut kept = Some(sorted.len() - 1);
    while let Some(column) = kept {
        lane_of[column] = lanes.take(0, column, column);
        kept = parent(column);
    }
    for column in 0..sorted.len() {
        if lane_of[column] == 0 {
            continue;
        }
        // It goes on in its parent's lane, unless that is the kept one or something else has gone on there. Else its line turns
        // off right before it, or, where nodes are in the way, right behind its parent.
        lane_of[column] = match parent(column).map(|parent| (parent + 1, lane_of[parent])) {
            Some((first, lane)) if lane > 0 && lanes.are_free(lane, first, column) => lanes.take(lane, first, column),
            Some((first, lane)) if lanes.has_nodes(lane, first, column) => lanes.take_free(first, column),
            _ => lanes.take_free(column, column),
        };
    }
    let x = |column: usize| (column as f64 + 0.5) * COLUMN;
    let y = |column: usize| (lane_of[column] as f64 + 0.5) * LANE;
    let nodes = (0..sorted.len()).map(|column| {
        let edge = parent(column).map(|parent| {
            let turns_off_at_parent = lanes.has_nodes(lane_of[parent], parent + 1, column);
            edge((x(parent), y(parent)), (x(column), y(column)), turns_off_at_parent)
        });
        Node {
            version: sorted[column].version,
            x: x(column),
            y: y(column),
            is_restored: is_restored(sorted[column]),
            is_kept: lane_of[column] == 0,
            edge,
        }
    });
    let height = LANE * lanes.taken.len() as f64;
    Graph { nodes: nodes.collect(), width: COLUMN * sorted.len() as f64, height }
}

/// A line that changes lanes right behind the parent, or else right before the child.
fn edge(from: (f64, f64), to: (f64, f64), changes_at_parent: bool) -> String {
    let ((x0, y0), (x1, y1)) = (from, to);
    let (left, right) = if changes_at_parent { (x0, x0 + COLUMN) } else { (x1 - COLUMN, x1) };
    let middle = (left + right) / 2.0;
    let mut path = format!("M{x0:.0} {y0:.0}H{left:.0}");
    // Writing into a string does not fail.
    let _ = write!(path, "C{middle:.0} {y0:.0} {middle:.0} {y1:.0} {right:.0} {y1:.0}H{x1:.0}");
    path
}

/// By lane, the columns that are taken: from the first of a line to the node at its end.
struct Lanes {
    taken: Vec<Vec<(usize, usize)>>,
}

impl Lanes {
    /// Whether there is a node in the lane from column `from` on and before `to`.
    fn has_nodes(&self, lane: usize, from: usize, to: usize) -> bool {
        self.taken[lane].iter().any(|(_, node)| (from..to).contains(node))
    }

    fn are_free(&self, lane: usize, from: usize, to: usize) -> bool {
        self.taken[lane].iter().all(|(start, end)| *end < from || *start > to)
    }

    /// Takes the first lane below the kept one that is free from column `from` to the node in `to`.
    fn take_free(&mut self, from: usize, to: usize) -> usize {
        let free = (1..self.taken.len()).find(|lane| self.are_free(*lane, from, to));
        let lane = free.unwrap_or(self.taken.len());
        if free.is_none() {
            self.taken.push(Vec::new());
        }
        self.take(lane, from, to)
    }

    fn take(&mut self, lane: usize, from: usize, to: usize) -> usize {
        self.taken[lane].push((from, to));
        lane
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::{BlobRef, ModelOrigin};

    /// A version; `round` is the one that made it.
    pub fn model(version: u64, parent: Option<u64>, round: Option<u64>) -> ModelVersion {
        ModelVersion {
            version,
            parent,
            origin: if round.is_some() { ModelOrigin::Federated } else { ModelOrigin::Trained },
            round,
            num_clients: 3,
            num_examples: Some(30),
            published_at_s: 1_000 * version,
            backbone_sha256: "b".to_owned(),
            architecture: Default::default(),
            vfer: BlobRef { sha256: "v".to_owned(), size: 4 },
            difference: None,
            class_metrics: None,
            acceptance_report: None,
            card: None,
        }
    }

    fn lanes(graph: &Graph) -> Vec<f64> {
        graph.nodes.iter().map(|node| node.y / LANE - 0.5).collect()
    }

    #[test]
    fn what_the_global_model_was_made_from_is_on_top_and_what_was_rolled_back_below() {
        let mut models = vec![model(1, None, None), model(2, Some(1), Some(1)), model(3, Some(2), Some(2))];
        let straight = lay_out(&models);
        assert_eq!((lanes(&straight), straight.width, straight.height), (vec![0.0; 3], 3.0 * COLUMN, LANE));
        assert_eq!(straight.nodes[0].edge, None);
        models.push(model(4, Some(1), None));
        models.reverse();
        let graph = lay_out(&models);
        assert_eq!(lanes(&graph), [0.0, 1.0, 1.0, 0.0], "in any order");
        assert_eq!(graph.nodes.iter().map(|node| node.is_kept).collect::<Vec<_>>(), [true, false, false, true]);
        assert_eq!(graph.nodes.iter().map(|node| node.is_restored).collect::<Vec<_>>(), [false, false, false, true]);
        // Version 2 turns off behind 1; the line of 4 goes straight on.
        assert_eq!(graph.nodes[1].edge.as_deref(), Some("M46 36H46C92 36 92 108 138 108H138"));
        assert_eq!(graph.nodes[3].edge.as_deref(), Some("M46 36H230C276 36 276 36 322 36H322"));
    }

    #[test]
    fn lines_do_not_run_through_nodes_of_other_branches() {
        // 1 ← 2 ← 3; 4 repeats 1, 5 is of 4; 6 repeats 2.
        let parents = [None, Some(1), Some(2), Some(1), Some(4), Some(2)];
        let models: Vec<_> = (1..).zip(parents).map(|(version, parent)| model(version, parent, None)).collect();
        let graph = lay_out(&models);
        // 4 cannot go along the top lane, where 2 is, nor in the lane of 3, and turns off behind 1.
        assert_eq!(lanes(&graph), [0.0, 0.0, 1.0, 2.0, 2.0, 0.0]);
        assert!(graph.nodes[3].edge.as_deref().unwrap().starts_with("M46 36H46C"));
        // Version after version is rolled back to 1: all of them share a lane.
        let models: Vec<_> = (1..9).map(|version| model(version, (version > 1).then_some(1), None)).collect();
        assert_eq!(lay_out(&models).height, 2.0 * LANE);
        assert_eq!(lay_out(&[]), Graph::default());
        // A parent that the list does not reach back to.
        assert_eq!(lay_out(&[model(9, Some(3), Some(7))]).nodes[0].edge, None);
    }
}
