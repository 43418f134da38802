//! The GPU worker. See [`emofed::tab::gpu_worker`].

#[cfg(target_arch = "wasm32")]
fn main() {
    emofed::tab::gpu_worker::run();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("this binary is built for wasm32-unknown-unknown, by `make build`");
}
