//! The session worker. See [`emofed::tab::session`].

#[cfg(target_arch = "wasm32")]
fn main() {
    emofed::tab::session::run();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("this binary is built for wasm32-unknown-unknown, by `make build`");
}
