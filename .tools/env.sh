# Where things are kept, and which versions of the tools are used. Sourced by the scripts in this folder.
# Nothing is built inside the clone: products and tools share one cache folder, state has its own.

EMOFED_CACHE=${EMOFED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emofed}
EMOFED_DATA=${EMOFED_DATA:-${XDG_DATA_HOME:-$HOME/.local/share}/emofed}
EMOFED_DIST=${EMOFED_DIST:-$EMOFED_CACHE/dist}
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$EMOFED_CACHE/target}
EMOFED_NODE_MODULES=$EMOFED_CACHE/npm/node_modules
EMOFED_BIN=$CARGO_TARGET_DIR/release/emofed
# Six videos of CREMA-D for the tests: those beside this repository, or else what .tools/setup fetched.
if [ -z "${EMOFED_CREMA_D:-}" ] && [ -d ../shared/crema-d/clips ]; then
  EMOFED_CREMA_D=$(cd ../shared/crema-d/clips && pwd)
fi
EMOFED_CREMA_D=${EMOFED_CREMA_D:-$EMOFED_CACHE/crema-d}
export EMOFED_CACHE EMOFED_DATA EMOFED_DIST EMOFED_NODE_MODULES EMOFED_BIN EMOFED_CREMA_D CARGO_TARGET_DIR

tools=$EMOFED_CACHE/tools
PATH=$tools/bin:$EMOFED_NODE_MODULES/.bin:$HOME/.cargo/bin:$PATH
export PATH

# wasm-bindgen's command line has to be exactly the version of the crate in Cargo.lock.
wasm_bindgen_version=0.2.130
wasm_pack_version=0.15.1
trunk_version=0.21.14
geckodriver_version=0.37.1
s3s_fs_version=0.14.1

say() { printf '\033[1m[emofed]\033[0m %s\n' "$*" >&2; }
die() { printf '\033[1m[emofed]\033[0m error: %s\n' "$1" >&2; printf '         way out: %s\n' "$2" >&2; exit 1; }
