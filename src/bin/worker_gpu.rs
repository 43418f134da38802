//! An extractor on WebGPU. See [`emofed::tab::extractor_worker`].

#[cfg(target_arch = "wasm32")]
fn main() {
    emofed::tab::extractor_worker::run();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("this binary is built for wasm32-unknown-unknown, by `make build`");
}
