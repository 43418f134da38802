//! The instructor's page. It must not link burn.

#[cfg(target_arch = "wasm32")]
fn main() {
    emofed::page::run_instructor();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("this binary is built for wasm32-unknown-unknown, by `make build`");
}
