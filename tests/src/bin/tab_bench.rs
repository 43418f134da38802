//! The VFER's learning and streaming for `tests/peers/bench.mjs`, as the session worker does them.

#[cfg(target_arch = "wasm32")]
mod tab {
    use emofed::learning::{AdamSettings, Clip, Trainer};
    use emofed::model::vfer::{FEATURES, Stream, Vfer};
    use emofed_tests::values;
    use wasm_bindgen::prelude::wasm_bindgen;

    /// Clips in a batch.
    const BATCH: usize = 8;

    /// A VFER, and clips to learn from.
    #[wasm_bindgen]
    pub struct Learner {
        trainer: Trainer,
        clips: Vec<Clip>,
        vfer: Vfer,
        stream: Stream,
    }

    #[wasm_bindgen]
    impl Learner {
        /// With so many clips of so many frames.
        #[wasm_bindgen(constructor)]
        pub fn new(clips: usize, frames: usize) -> Self {
            let clip = |index: usize| {
                let mut target = [0.0; 6];
                target[index % 6] = 1.0;
                Clip { features: values(&format!("clip/{index}"), frames * FEATURES), target }
            };
            let vfer = Vfer::random(1);
            Self {
                trainer: Trainer::new(Vfer::random(1), AdamSettings::with_learning_rate(1e-5)),
                clips: (0..clips).map(clip).collect(),
                stream: vfer.stream(),
                vfer,
            }
        }

        /// Trains on all clips once.
        pub fn epoch(&mut self) {
            for batch in self.clips.chunks(BATCH) {
                let batch: Vec<&Clip> = batch.iter().collect();
                self.trainer.step(&batch);
            }
        }

        /// Takes in one frame, and gives a probability.
        pub fn watch(&mut self) -> f32 {
            self.vfer.step(&mut self.stream, &self.clips[0].features[..FEATURES])[0]
        }
    }
}

/// Nothing starts by itself.
fn main() {}
