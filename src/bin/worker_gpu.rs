//! An extractor on WebGPU. See [`emofed::worker::extractor::service`].

#[cfg(target_arch = "wasm32")]
fn main() {
    emofed::worker::extractor::service::run();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("this binary is built for wasm32-unknown-unknown, by `make build`");
}
